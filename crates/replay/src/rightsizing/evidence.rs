//! Which resources the calls of the window used, by principal, action and the statements that allowed it.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{Catalogue, Decision, Effect, Layer, Principal, Snapshot, StatementRef};

use super::generalise::{FIRST_STEP, LAST_STEP, exact, widened};
use super::mine::MinedKeys;
use crate::Outcome;
use crate::call::CallRequest;
use crate::seen_call::{Gather, SeenCall, earlier};

/// Resources of one action and the same statements that are told apart as they are: beyond, they take the
/// first step, which a proposal takes anyway. Most are objects, each used once.
const MAX_EXACT: usize = 32;

/// Patterns of them that are told apart behind the first step: beyond, they are generalised further.
const MAX_TOLD_APART: usize = 1_024;

/// A statement of a principal: the place of its policy in [`Principal::identity`], and its index.
pub(super) type StatementPlace = (usize, u32);

/// What requests have in common whose resources are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UseKey {
    pub(super) action: Box<str>,
    /// Whether nobody can tell today if they are allowed: then the statements are all those that may.
    pub(super) open: bool,
    /// The statements of the principal's own policies that allow them, ascending.
    pub(super) statements: Vec<StatementPlace>,
}

/// What was seen of some requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) calls: u64,
    /// How many jobs need it.
    pub(super) needs: u64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    /// The event of one of them.
    pub(super) event_id: Option<Box<str>>,
}

impl Seen {
    fn merge(&mut self, later: Seen) {
        self.calls += later.calls;
        self.needs += later.needs;
        self.first = earlier(self.first, later.first);
        self.last = self.last.max(later.last);
        self.event_id = self.event_id.take().or(later.event_id);
    }
}

/// The resources of requests, at one step of generalisation: the least at which there are no more than
/// [`MAX_EXACT`] or, behind the first, [`MAX_TOLD_APART`], whatever the order they came in.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources {
    pub(super) step: u8,
    /// By pattern; `None`: whatever the statement grants.
    pub(super) seen: BTreeMap<Option<String>, Seen>,
}

impl Resources {
    fn add(&mut self, pattern: String, seen: Seen, catalogue: &Catalogue) {
        let mut pattern = Some(pattern);
        for step in 1..=self.step {
            pattern = pattern.and_then(|pattern| widened(&pattern, step, catalogue));
        }
        self.seen.entry(pattern).or_default().merge(seen);
        self.bound(catalogue);
    }

    fn bound(&mut self, catalogue: &Catalogue) {
        while self.seen.len() > self.most() && self.step < LAST_STEP {
            self.widen(self.step + 1, catalogue);
        }
    }

    fn most(&self) -> usize {
        match self.step < FIRST_STEP {
            true => MAX_EXACT,
            false => MAX_TOLD_APART,
        }
    }

    /// Goes to a step, one by one.
    pub(super) fn widen(&mut self, to: u8, catalogue: &Catalogue) {
        while self.step < to {
            self.step += 1;
            let mut wider: BTreeMap<Option<String>, Seen> = BTreeMap::new();
            for (pattern, seen) in std::mem::take(&mut self.seen) {
                let pattern = pattern.and_then(|pattern| widened(&pattern, self.step, catalogue));
                wider.entry(pattern).or_default().merge(seen);
            }
            self.seen = wider;
        }
    }

    fn merge(&mut self, mut later: Resources, catalogue: &Catalogue) {
        let step = self.step.max(later.step);
        self.widen(step, catalogue);
        later.widen(step, catalogue);
        for (pattern, seen) in later.seen {
            self.seen.entry(pattern).or_default().merge(seen);
        }
        self.bound(catalogue);
    }
}

/// What one principal's calls used.
#[derive(Debug, Clone, Default)]
pub(super) struct PrincipalEvidence {
    /// Its calls that got through.
    pub(super) calls: u64,
    /// Those among them that today's policies deny.
    pub(super) denied_today: u64,
    pub(super) uses: BTreeMap<UseKey, Resources>,
    /// Where conditions are looked for.
    pub(super) mined: BTreeMap<UseKey, MinedKeys>,
}

impl PrincipalEvidence {
    fn add(&mut self, key: UseKey, pattern: String, seen: Seen, catalogue: &Catalogue) {
        if !key.statements.is_empty() {
            let resources = self.uses.entry(key).or_default();
            resources.add(pattern, seen, catalogue);
        }
    }

    /// Takes in what another one used, with its statements at other places; without those that have none.
    pub(super) fn absorb(
        &mut self,
        other: &PrincipalEvidence,
        place: &dyn Fn(StatementPlace) -> Option<StatementPlace>,
        catalogue: &Catalogue,
    ) {
        let moved = |key: &UseKey| {
            let statements = key.statements.iter();
            let mut statements: Vec<StatementPlace> =
                statements.filter_map(|one| place(*one)).collect();
            statements.sort_unstable();
            statements.dedup();
            let key = UseKey {
                statements,
                ..key.clone()
            };
            (!key.statements.is_empty()).then_some(key)
        };
        self.calls += other.calls;
        self.denied_today += other.denied_today;
        for (key, resources) in &other.uses {
            if let Some(key) = moved(key) {
                let known = self.uses.entry(key).or_default();
                known.merge(resources.clone(), catalogue);
            }
        }
        for (key, mined) in &other.mined {
            if let Some(key) = moved(key) {
                self.mined.entry(key).or_default().merge(mined);
            }
        }
    }
}

/// What proposals are built from: the requests that got through, by what allows them.
///
/// A request that AWS let through (also one that it only may ask, also where the call failed later) uses
/// the statements that allow it. One that nobody can decide today uses all that may allow it. Denied
/// calls, calls that failed without telling of authorization, and copies for the resource's owner show no
/// use.
///
/// # Memory
/// For each chosen principal, action, and set of statements that allowed it at once, up to
/// `MAX_TOLD_APART` patterns.
#[derive(Debug, Clone)]
pub struct RightsizingEvidence<'s> {
    snapshot: &'s Snapshot,
    catalogue: &'s Catalogue,
    /// `None`: all.
    chosen: Option<&'s BTreeSet<String>>,
    principals: BTreeMap<&'s str, PrincipalEvidence>,
    mines: bool,
}

/// A need of an execution role's jobs that its policies allow, or may.
#[derive(Debug, Clone, Copy)]
pub struct NeededRequest<'a> {
    /// The role, with its path.
    pub role_arn: &'a str,
    /// The action.
    pub action: &'a str,
    /// The resource, with `*` for what the job's request does not tell.
    pub resource_arn: &'a str,
    /// Whether the request tells all of it.
    pub resource_known: bool,
    /// Whether the role's policies allow it for sure.
    pub is_allowed: bool,
    /// The statements that allow it: the policy's id and the statement's index.
    pub statements: &'a [(&'a str, u32)],
    /// How many jobs need it.
    pub jobs: u64,
    /// When the first and the last of them began, in microseconds since the epoch.
    pub times: (Option<i64>, Option<i64>),
    /// The event that began one of them.
    pub event_id: Option<&'a str>,
}

impl<'s> RightsizingEvidence<'s> {
    /// Of no calls yet; of the chosen principals, or of all.
    pub fn new(
        snapshot: &'s Snapshot,
        catalogue: &'s Catalogue,
        chosen: Option<&'s BTreeSet<String>>,
    ) -> Self {
        Self {
            snapshot,
            catalogue,
            chosen,
            principals: BTreeMap::new(),
            mines: false,
        }
    }

    /// The same, with what conditions are made of: the contexts of all calls must be there.
    pub fn with_conditions(self, mines: bool) -> Self {
        Self { mines, ..self }
    }

    /// How many calls of each principal got through.
    pub fn calls(&self) -> impl Iterator<Item = (&str, u64)> {
        let principals = self.principals.iter();
        principals.map(|(arn, evidence)| (*arn, evidence.calls))
    }

    pub(super) fn of(&self, arn: &str) -> Option<&PrincipalEvidence> {
        self.principals.get(arn)
    }

    /// Takes in what jobs need of an execution role.
    pub fn need(&mut self, need: &NeededRequest<'_>) {
        let Some(principal) = self.principal(need.role_arn) else {
            return;
        };
        let statements = match need.is_allowed {
            true => places(principal, need.statements.iter().copied()),
            false => about(principal, need.action),
        };
        let key = UseKey {
            action: need.action.into(),
            open: !need.is_allowed,
            statements,
        };
        let seen = Seen {
            calls: 0,
            needs: need.jobs,
            first: need.times.0,
            last: need.times.1,
            event_id: need.event_id.map(Box::from),
        };
        let pattern = exact(need.resource_arn, need.resource_known);
        let evidence = self.principals.entry(&principal.arn).or_default();
        if self.mines {
            evidence.mined.entry(key.clone()).or_default().none();
        }
        evidence.add(key, pattern, seen, self.catalogue);
    }

    fn principal(&self, arn: &str) -> Option<&'s Principal> {
        let principal = self.snapshot.principal(arn)?;
        let is_chosen = self.chosen.is_none_or(|chosen| chosen.contains(arn));
        is_chosen.then_some(principal)
    }

    fn see_request(
        &mut self,
        principal: &'s Principal,
        request: &CallRequest<'_>,
        (call, number): (&SeenCall<'_>, usize),
    ) {
        let (open, statements) = match request.decision {
            Some(Decision::Allowed) => {
                let own = request.determined_by.iter().filter(|one| is_own(one));
                let own = own.map(|statement| (statement.policy, statement.index));
                (false, places(principal, own))
            }
            Some(Decision::Undetermined) => (true, about(principal, request.action)),
            _ => return,
        };
        let evidence = self.principals.entry(&principal.arn).or_default();
        if self.mines {
            let key = UseKey {
                action: request.action.into(),
                open,
                statements: statements.clone(),
            };
            let recorded = call.call.requests.get(number);
            let mined = evidence.mined.entry(key).or_default();
            mined.see(recorded.map_or(&[], |recorded| recorded.context));
        }
        let resources = std::iter::once(&request.resource_arn).chain(request.spellings);
        let mut patterns: Vec<String> = resources
            .map(|resource| exact(resource, request.resource_known))
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        for pattern in patterns {
            let key = UseKey {
                action: request.action.into(),
                open,
                statements: statements.clone(),
            };
            let seen = Seen {
                calls: 1,
                needs: 0,
                first: call.event_time,
                last: call.event_time,
                event_id: call.event_id.map(Box::from),
            };
            evidence.add(key, pattern, seen, self.catalogue);
        }
    }
}

/// Whether it is a statement that grants the principal something.
fn is_own(statement: &StatementRef<'_>) -> bool {
    statement.layer == Layer::Identity && statement.effect == Effect::Allow
}

/// Where a principal has statements: in every attachment of their policies.
fn places<'p>(
    principal: &Principal,
    statements: impl Iterator<Item = (&'p str, u32)>,
) -> Vec<StatementPlace> {
    let mut places: Vec<StatementPlace> = Vec::new();
    for (policy, index) in statements {
        let attached = principal.identity.iter().enumerate();
        let same = attached.filter(|(_, attached)| *attached.id == *policy);
        places.extend(same.map(|(place, _)| (place, index)));
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// All `Allow` statements of a principal about an action.
fn about(principal: &Principal, action: &str) -> Vec<StatementPlace> {
    let mut places = Vec::new();
    for (place, attached) in principal.identity.iter().enumerate() {
        let Ok(policy) = &attached.policy else {
            continue;
        };
        let statements = policy.statements_about(action).into_iter();
        let allows = statements.filter(|statement| statement.effect() == Effect::Allow);
        places.extend(allows.map(|statement| (place, statement.index())));
    }
    places.sort_unstable();
    places
}

impl Gather for RightsizingEvidence<'_> {
    fn see(&mut self, call: &SeenCall<'_>) {
        let got_through = matches!(
            call.call.outcome,
            Outcome::Succeeded | Outcome::FailedAfterAuthorization
        );
        let arn = call
            .call
            .principal_arn
            .filter(|_| !call.copy && got_through);
        let Some(principal) = arn.and_then(|arn| self.principal(arn)) else {
            return;
        };
        let evidence = self.principals.entry(&principal.arn).or_default();
        evidence.calls += 1;
        let decision = call.replayed.decision;
        evidence.denied_today += u64::from(decision.is_some_and(|decision| decision.is_denied()));
        for (number, request) in call.replayed.requests.iter().enumerate() {
            self.see_request(principal, request, (call, number));
        }
    }

    fn merge(&mut self, later: Self) {
        for (arn, theirs) in later.principals {
            let ours = self.principals.entry(arn).or_default();
            ours.calls += theirs.calls;
            ours.denied_today += theirs.denied_today;
            for (key, resources) in theirs.uses {
                let known = ours.uses.entry(key).or_default();
                known.merge(resources, self.catalogue);
            }
            for (key, mined) in theirs.mined {
                ours.mined.entry(key).or_default().merge(&mined);
            }
        }
    }
}
