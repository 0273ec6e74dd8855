//! From a record and the plan of its event to needs.

use std::collections::hash_map::Entry;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::Json;
use rustc_hash::FxHashMap;

use super::place::{self, Objects, Target};
use super::plan::{JobPlan, On, RowPlan, RunsAs, Text, UsePlan, Variable};
use super::{MAX_NEEDS, Need};
use crate::mapping::condition::Holds;
use crate::mapping::path::{Path, Sent};
use crate::mapping::view::View;
use crate::mapping::{Certainty, Facts};

/// A record's needs in the making.
pub(super) struct Deriving<'a, 'r> {
    facts: &'r Facts<'a>,
    arena: &'a Bump,
    needs: BumpVec<'a, Need<'a>>,
    /// The place of each (role, action, resource): the first to say it stands.
    places: FxHashMap<(&'a str, &'a str, &'a str), usize>,
}

/// Where a row stands: the job, and the rows' place in it.
#[derive(Clone, Copy)]
struct Standing<'a, 'p> {
    roles: &'p [&'a str],
    role_of: Option<&'a str>,
    page: &'a str,
    /// What is in front of a row's fields.
    before: &'a str,
    of: Option<&'a str>,
    certainty: Certainty,
}

impl JobPlan {
    /// The actions of its rows.
    pub(super) fn actions(&self) -> impl Iterator<Item = &str> {
        let rows = self.uses.iter().flat_map(|used| &used.rows);
        rows.flat_map(|row| row.actions.iter().map(|action| &**action))
    }
}

impl<'a, 'r> Deriving<'a, 'r> {
    pub(super) fn new(facts: &'r Facts<'a>, arena: &'a Bump) -> Self {
        Self {
            facts,
            arena,
            needs: BumpVec::new_in(arena),
            places: FxHashMap::default(),
        }
    }

    pub(super) fn into_needs(self) -> &'a [Need<'a>] {
        self.needs.into_bump_slice()
    }

    /// Adds the needs of a job.
    pub(super) fn job(&mut self, plan: &'a JobPlan, view: &View<'a, 'r>) {
        if plan.at.is_empty() {
            self.job_at(plan, "", view);
        }
        for at in &plan.at {
            for value in values(at, view) {
                self.job_at(plan, at.as_str(), &view.within(value));
            }
        }
    }

    fn job_at(&mut self, plan: &'a JobPlan, at: &'a str, view: &View<'a, 'r>) {
        let roles = self.roles(plan, view);
        if roles.is_empty() {
            return;
        }
        let of = plan.of.as_ref().map(|of| {
            // SageMaker writes names in ARNs in lower case.
            let arn = self.fill(of, (None, None), view);
            &*self.arena.alloc_str(&arn.to_ascii_lowercase())
        });
        for used in &plan.uses {
            let standing = Standing {
                roles: &roles,
                role_of: of,
                page: &plan.page,
                before: self.joined(at, used.at.as_ref().map_or("", Path::as_str)),
                of: used.of.as_deref(),
                certainty: used.certainty,
            };
            match &used.at {
                None => self.rows(used, standing, view),
                Some(at) => {
                    for value in values(at, view) {
                        self.rows(used, standing, &view.within(value));
                    }
                }
            }
        }
    }

    /// Who acts; nobody where the request names no role.
    fn roles(&self, plan: &'a JobPlan, view: &View<'a, 'r>) -> BumpVec<'a, &'a str> {
        let mut roles = BumpVec::new_in(self.arena);
        match &plan.runs_as {
            RunsAs::Service(service) => roles.push(&**service),
            RunsAs::NotTold => {
                let (partition, account) = (self.facts.partition, self.facts.account);
                let any = place::written(
                    self.arena,
                    format_args!("arn:{partition}:iam::{account}:role/*"),
                );
                roles.push(any);
            }
            RunsAs::Role(fields) => {
                for field in fields {
                    let mut texts = BumpVec::new_in(self.arena);
                    field.texts(view, &mut texts);
                    for text in texts.into_iter().filter(|text| !text.is_empty()) {
                        let role = place::role(text, self.facts, self.arena);
                        if !roles.contains(&role) {
                            roles.push(role);
                        }
                    }
                }
            }
        }
        roles
    }

    fn rows(&mut self, used: &'a UsePlan, standing: Standing<'a, '_>, view: &View<'a, 'r>) {
        for row in &used.rows {
            let hidden = match row.when.as_ref().map(|when| when.holds(view)) {
                Some(Holds::No) => continue,
                Some(Holds::Unknown) => true,
                Some(Holds::Yes) | None => false,
            };
            if row.from.is_empty() {
                self.row(row, standing, (None, None), hidden, view);
            }
            for field in &row.from {
                let mut texts = BumpVec::new_in(self.arena);
                let sent = field.texts(view, &mut texts);
                let from = Some(field.as_str());
                for text in texts.iter().filter(|text| !text.is_empty()) {
                    self.row(row, standing, (Some(text), from), hidden, view);
                }
                // Redacted: it is there, and nobody knows what it says.
                if sent == Sent::Hidden && texts.is_empty() {
                    self.row(row, standing, (None, from), hidden, view);
                }
            }
        }
    }

    fn row(
        &mut self,
        row: &'a RowPlan,
        standing: Standing<'a, '_>,
        (value, field): (Option<&'a str>, Option<&'a str>),
        hidden: bool,
        view: &View<'a, 'r>,
    ) {
        let targets = self.targets(row, (value, standing.of), view);
        let source = self.joined(standing.before, field.unwrap_or_default());
        for target in targets {
            let spellings: &'a [&'a str] = match &row.or {
                Some(or) => {
                    let other = self.fill(or, (value, standing.of), view);
                    self.arena.alloc_slice_copy(&[other])
                }
                None => &[],
            };
            let context = self.context(row, target, (value, standing.of), view);
            for role_arn in standing.roles {
                for action in &row.actions {
                    self.push(Need {
                        role_arn,
                        action,
                        resource_arn: target.arn,
                        resource_known: target.known,
                        spellings,
                        required: !row.possible && !hidden,
                        certainty: row.certainty.min(standing.certainty).min(target.certainty),
                        context,
                        why: &row.why,
                        source_field: (!source.is_empty()).then_some(source),
                        page: row.page.as_deref().unwrap_or(standing.page),
                        role_of: standing.role_of,
                    });
                }
            }
        }
    }

    fn targets(
        &self,
        row: &'a RowPlan,
        (value, of): (Option<&'a str>, Option<&'a str>),
        view: &View<'a, 'r>,
    ) -> BumpVec<'a, Target<'a>> {
        let (facts, arena) = (self.facts, self.arena);
        let objects = |which| place::objects(value, which, facts, arena);
        let mut targets = BumpVec::new_in(arena);
        targets.push(match &row.on {
            On::Any => Target::whole("*"),
            On::NotTold => Target::form("*"),
            On::Bucket => place::bucket(value, facts, arena),
            On::Object => objects(Objects::One),
            On::Prefix => objects(Objects::Prefix),
            On::Below => objects(Objects::Below),
            On::Repository => place::repository(value, facts, arena),
            On::Key => place::key(value, facts, arena),
            On::Role => {
                let role = value.map(|value| place::role(value, facts, arena));
                match role {
                    Some(role) if !role.contains('*') => Target::whole(role),
                    Some(role) => Target::form(role),
                    None => Target::form("*"),
                }
            }
            On::Arns(arns) => {
                for arn in arns {
                    let arn = self.fill(arn, (value, of), view);
                    targets.push(match arn.contains('*') {
                        true => Target::form(arn),
                        false => Target::whole(arn),
                    });
                }
                return targets;
            }
        });
        targets
    }

    /// The condition keys that the request will have, in order. One whose value the record does not
    /// tell is left out: unknown.
    fn context(
        &self,
        row: &'a RowPlan,
        target: Target<'a>,
        (value, of): (Option<&'a str>, Option<&'a str>),
        view: &View<'a, 'r>,
    ) -> &'a [(&'a str, &'a [&'a str])] {
        let mut keys: BumpVec<'a, (&'a str, &'a [&'a str])> = BumpVec::new_in(self.arena);
        let mut set = |key: &'a str, text: &'a str| {
            keys.push((key, &*self.arena.alloc_slice_copy(&[text])));
        };
        for (key, text) in &row.keys {
            let text = self.fill(text, (value, of), view);
            if !text.contains('*') {
                set(key, text);
            }
        }
        if let Some((key, text)) = target.key {
            set(key, text);
        }
        keys.sort_unstable();
        keys.into_bump_slice()
    }

    fn push(&mut self, need: Need<'a>) {
        let key = (need.role_arn, need.action, need.resource_arn);
        match self.places.entry(key) {
            Entry::Occupied(place) => {
                if let Some(first) = self.needs.get_mut(*place.get()) {
                    first.required |= need.required;
                    first.certainty = first.certainty.max(need.certainty);
                }
            }
            Entry::Vacant(place) if self.needs.len() < MAX_NEEDS => {
                place.insert(self.needs.len());
                self.needs.push(need);
            }
            Entry::Vacant(_) => {}
        }
    }

    fn fill(
        &self,
        text: &Text,
        (value, of): (Option<&str>, Option<&str>),
        view: &View<'a, 'r>,
    ) -> &'a str {
        let mut values = BumpVec::with_capacity_in(text.variables.len(), self.arena);
        values.extend(text.variables.iter().map(|variable| match variable {
            Variable::Value => value,
            Variable::Of => of,
            Variable::Field(field) => field.text(view),
        }));
        text.template.fill(view, self.facts.account, &values)
    }

    fn joined(&self, before: &'a str, field: &'a str) -> &'a str {
        match (before, field) {
            ("", only) | (only, "") => only,
            _ => place::written(self.arena, format_args!("{before}.{field}")),
        }
    }
}

fn values<'a>(at: &Path, view: &View<'a, '_>) -> BumpVec<'a, Json<'a>> {
    let mut values = BumpVec::new_in(view.arena);
    at.values(view, &mut |value| values.push(value));
    values
}
