//! From evidence and states to the statements of a proposal.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{
    AttachedPolicy, Effect, PolicySource, Principal, ResourcePattern, StatementView,
};

use super::document::{
    MAX_ATTACHED_POLICIES, MAX_INLINE_CHARACTERS, MAX_POLICY_CHARACTERS, ProposedDocument,
    documents,
};
use super::evidence::{
    PrincipalEvidence, Resources, RightsizingEvidence, Seen, StatementPlace, UseKey,
};
use super::fold::Folding;
use super::generalise::{FIRST_STEP, LAST_STEP};
use super::mine::{MineConditions, MinedCondition, with_mined};
use super::own::{Own, actions_of, is_of_no_type};
use super::permission_set::{is_same, widest};
use super::proposal::{
    DroppedActions, LeftPolicy, NoProposal, Proposal, ProposedFor, RightsizingInputs,
    RightsizingMode, WhyLeft,
};
use super::statement::{
    Element, Evidence, Granted, KeptFor, Origin, ProposedStatement, StatementReason, least,
};
use super::states::{ActionState, spelled};

/// How many patterns an action may have in a statement, from the proposal that has room to the one that
/// hardly fits: with none, what is granted stands there.
pub(super) const BOUNDS: [usize; 5] = [12, 6, 3, 1, 0];

/// Requests of one principal, with the same resource.
pub(super) struct Entry<'e> {
    pub(super) action: String,
    pub(super) key: &'e UseKey,
    step: u8,
    pub(super) pattern: &'e Option<String>,
    pub(super) seen: &'e Seen,
}

/// What actions have in common that stand in one statement: why they do, their resources, and the conditions that
/// were found, each with its values.
type GroupKey = (&'static str, Element, Vec<(String, Vec<String>)>);

/// Actions that stand in one statement.
#[derive(Default)]
struct Group {
    actions: Vec<String>,
    evidence: Evidence,
    mined: Vec<MinedCondition>,
}

impl Group {
    fn add(&mut self, mined: Vec<MinedCondition>) {
        if self.mined.is_empty() {
            self.mined = mined;
            return;
        }
        for (ours, theirs) in self.mined.iter_mut().zip(mined) {
            ours.early += theirs.early;
            ours.late += theirs.late;
        }
    }

    fn statement(self, own: &Own<'_>, (word, resources): (&str, Element)) -> ProposedStatement {
        ProposedStatement {
            sid: String::new(),
            effect: Effect::Allow,
            actions: Element::These(self.actions),
            resources,
            conditions: with_mined(&own.granted.conditions, &self.mined),
            origins: BTreeSet::from([own.origin.clone()]),
            reason: match word {
                "undetermined" => StatementReason::Undetermined(self.evidence),
                "needed" => StatementReason::Needed(self.evidence),
                _ => StatementReason::Observed(self.evidence),
            },
            mined: self.mined,
        }
    }
}

/// What a statement is to allow because of requests: by action, the resources.
pub(super) type Assigned<'e> = BTreeMap<(StatementPlace, bool, String), Vec<&'e Entry<'e>>>;

/// What makes a proposal.
pub(super) struct Maker<'i, 's> {
    pub(super) inputs: &'i RightsizingInputs<'i, 's>,
    /// A user, a role, the first role of a permission set, or the first of those who have a shared policy.
    pub(super) principal: &'i Principal,
    /// The same, or all of them.
    principals: Vec<&'i Principal>,
    pub(super) proposed_for: ProposedFor,
    /// What they used, by the statements of the first of them.
    pub(super) evidence: Cow<'i, PrincipalEvidence>,
    /// What of it before the last fifth of the window, where conditions are to hold in it.
    pub(super) early: Cow<'i, PrincipalEvidence>,
    pub(super) own: BTreeMap<StatementPlace, Own<'i>>,
    denies: Vec<ProposedStatement>,
    pub(super) replaced: Vec<String>,
    pub(super) left: Vec<LeftPolicy>,
    /// The places of policies that are left.
    pub(super) left_places: BTreeSet<usize>,
}

impl<'i, 's> Maker<'i, 's> {
    pub(super) fn new(inputs: &'i RightsizingInputs<'i, 's>, principal: &'i Principal) -> Self {
        let mut maker = Maker::empty(inputs, (principal, vec![principal]));
        for (place, attached) in principal.identity.iter().enumerate() {
            maker.policy(place, attached);
        }
        maker.evidence = evidence_of(principal, inputs.evidence);
        maker.early = maker
            .early_evidence()
            .map_or_else(Cow::default, |early| evidence_of(principal, early));
        maker
    }

    pub(super) fn empty(
        inputs: &'i RightsizingInputs<'i, 's>,
        (principal, principals): (&'i Principal, Vec<&'i Principal>),
    ) -> Self {
        Maker {
            inputs,
            principal,
            principals,
            proposed_for: ProposedFor::Principal,
            evidence: Cow::default(),
            early: Cow::default(),
            own: BTreeMap::new(),
            denies: Vec::new(),
            replaced: Vec::new(),
            left: Vec::new(),
            left_places: BTreeSet::new(),
        }
    }

    pub(super) fn early_evidence(&self) -> Option<&'i RightsizingEvidence<'s>> {
        match self.inputs.mine {
            MineConditions::Held(early) => Some(early),
            MineConditions::No | MineConditions::Early => None,
        }
    }

    pub(super) fn policy(&mut self, place: usize, attached: &'i AttachedPolicy) {
        let why = self.why_left(attached);
        let policy = match (why, &attached.policy) {
            (None, Ok(policy)) => policy,
            (why, _) => {
                self.left_places.insert(place);
                self.left.push(LeftPolicy {
                    policy: attached.id.to_string(),
                    why: why.unwrap_or(WhyLeft::NotKnown),
                });
                return;
            }
        };
        self.replaced.push(attached.id.to_string());
        for statement in policy.statement_views() {
            let origin = Origin {
                policy: attached.id.to_string(),
                index: statement.index(),
                sid: statement.sid().map(str::to_owned),
            };
            let granted = Granted::of(statement, policy.has_policy_variables());
            if statement.effect() == Effect::Deny {
                self.denies.push(denying(origin, statement, granted));
                continue;
            }
            let states = self.states(attached, statement.index());
            let own = Own::new((origin, statement, granted), &states, self.inputs);
            self.own.insert((place, statement.index()), own);
        }
    }

    fn why_left(&self, attached: &AttachedPolicy) -> Option<WhyLeft> {
        let is_edited_for_all = match (&self.proposed_for, self.inputs.mode) {
            (ProposedFor::Principal, RightsizingMode::Edit(shared)) => shared.has(attached),
            _ => false,
        };
        let is_shared = matches!(self.proposed_for, ProposedFor::SharedPolicy(_));
        match (&attached.source, &attached.policy) {
            _ if is_edited_for_all => Some(WhyLeft::Shared),
            (PolicySource::Group(_), _) if !is_shared => Some(WhyLeft::OfAGroup),
            (_, Err(_)) => Some(WhyLeft::NotKnown),
            _ => None,
        }
    }

    /// The states of a statement's actions: of several principals, for each action the one that keeps the
    /// most.
    fn states(&self, attached: &AttachedPolicy, index: u32) -> BTreeMap<String, ActionState> {
        let mut all: BTreeMap<String, ActionState> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for principal in &self.principals {
            let same = principal
                .identity
                .iter()
                .find(|one| match &self.proposed_for {
                    ProposedFor::PermissionSet(_) => is_same(one, attached),
                    _ => one.id == attached.id,
                });
            let Some(same) = same else {
                continue;
            };
            let key = (&*principal.arn, &*same.id, index);
            // Of the thousands who may have a policy most have the same of it.
            if !seen.insert(self.inputs.states.rows(key)) {
                continue;
            }
            for (action, state) in self.inputs.states.of(key, self.inputs.catalogue) {
                let known = all.entry(action).or_insert(state);
                *known = widest(*known, state, self.inputs);
            }
        }
        all
    }

    pub(super) fn make(self) -> Result<Proposal, NoProposal> {
        let entries = self.entries(&self.evidence);
        let assigned = self.assigned(&entries);
        let slots = MAX_ATTACHED_POLICIES.saturating_sub(self.slots_taken());
        // A permission set has one inline policy.
        let (slots, most) = match self.proposed_for {
            ProposedFor::PermissionSet(_) => (1, MAX_INLINE_CHARACTERS),
            _ => (slots, MAX_POLICY_CHARACTERS),
        };
        let mut fitting = None;
        for bound in BOUNDS.map(Some).into_iter().chain([None]) {
            let statements = self.statements(&assigned, bound);
            if let Ok(documents) = documents(statements, most)
                && documents.len() <= slots
            {
                fitting = Some((bound, documents));
                break;
            }
        }
        let (bound, documents) = fitting.ok_or(NoProposal::DoesNotFit)?;
        let dropped = self.dropped(bound.is_none(), &assigned);
        let narrowed = bound.map_or(0, |bound| self.narrowed(&assigned, bound));
        if dropped.is_empty() && narrowed == 0 && !has_mined(&documents) {
            return Err(NoProposal::NothingGoes);
        }
        Ok(Proposal {
            documents,
            narrowed,
            replaced: self.replaced.clone(),
            left: self.left.clone(),
            dropped,
            bound,
            ..self.bare()
        })
    }

    /// A proposal of nothing.
    pub(super) fn bare(&self) -> Proposal {
        let principal = self.principal;
        Proposal {
            principal_arn: principal.arn.clone(),
            kind: principal.kind,
            account: match &self.proposed_for {
                ProposedFor::SharedPolicy(shared) => shared.account(),
                _ => principal.account.clone(),
            },
            name: match &self.proposed_for {
                ProposedFor::PermissionSet(set) => set.name.clone(),
                ProposedFor::SharedPolicy(shared) => shared.name(),
                ProposedFor::Principal => principal.name.clone(),
            },
            proposed_for: self.proposed_for.clone(),
            calls: self.evidence.calls,
            denied_today: self.evidence.denied_today,
            documents: Vec::new(),
            replaced: Vec::new(),
            left: Vec::new(),
            dropped: Vec::new(),
            narrowed: 0,
            bound: None,
        }
    }

    /// Actions of statements that stay on fewer resources.
    fn narrowed(&self, assigned: &Assigned<'_>, bound: usize) -> u64 {
        let of_less = assigned.iter().filter(|((place, _, action), entries)| {
            self.own.get(place).is_some_and(|own| {
                self.resources(own, entries, bound) != own.suited(action, self.inputs.catalogue)
            })
        });
        of_less.count() as u64
    }

    /// Managed policies that stay attached.
    fn slots_taken(&self) -> usize {
        let left = self.left.iter();
        left.filter(|left| left.stays_attached() && !left.policy.contains('#'))
            .count()
    }

    pub(super) fn entries<'e>(&self, evidence: &'e PrincipalEvidence) -> Vec<Entry<'e>> {
        let mut entries = Vec::new();
        for (key, resources) in &evidence.uses {
            let action = spelled(&key.action, self.inputs.catalogue);
            for (pattern, seen) in &resources.seen {
                entries.push(Entry {
                    action: action.clone(),
                    key,
                    step: resources.step,
                    pattern,
                    seen,
                });
            }
        }
        // What one statement alone allows comes first: the others may be covered by it.
        entries.sort_by_key(|entry| (entry.key.statements.len(), entry.key, entry.pattern));
        entries
    }

    /// Which statement is to allow which requests.
    pub(super) fn assigned<'e>(&self, entries: &'e [Entry<'e>]) -> Assigned<'e> {
        let mut assigned: Assigned<'e> = BTreeMap::new();
        for entry in entries {
            let statements = entry.key.statements.iter().copied();
            if entry.key.open {
                for place in statements {
                    let is_asked = self.own.get(&place).is_some_and(|own| {
                        !own.all_kept.contains(&entry.action) && own.may_grant(entry)
                    });
                    if is_asked {
                        let key = (place, true, entry.action.clone());
                        assigned.entry(key).or_default().push(entry);
                    }
                }
                continue;
            }
            if let Some(place) = self.chosen(entry, &assigned) {
                let key = (place, false, entry.action.clone());
                assigned.entry(key).or_default().push(entry);
            }
        }
        self.prune(&mut assigned);
        assigned
    }

    /// The statement that is to allow requests; `None` where what stays allows them anyway.
    fn chosen(&self, entry: &Entry<'_>, assigned: &Assigned<'_>) -> Option<StatementPlace> {
        let statements = &entry.key.statements;
        let is_covered = |place: &StatementPlace| {
            self.left_places.contains(&place.0)
                || self
                    .own
                    .get(place)
                    .is_some_and(|own| own.all_kept.contains(&entry.action))
        };
        if statements.iter().any(is_covered) {
            return None;
        }
        let own = |place: &&StatementPlace| self.own.contains_key(place);
        let has_it = |place: &&StatementPlace| {
            assigned.contains_key(&(**place, false, entry.action.clone()))
        };
        let known = statements.iter().filter(own).find(has_it);
        // The more conditions, the less it allows besides.
        let tightest = || {
            statements.iter().filter(own).max_by_key(|place| {
                let conditions = self.own.get(place).map(|own| own.granted.conditions.len());
                (conditions, std::cmp::Reverse(**place))
            })
        };
        known.or_else(tightest).copied()
    }

    /// Takes out what other statements allow anyway: all requests that it is there for.
    fn prune(&self, assigned: &mut Assigned<'_>) {
        let keys: Vec<(StatementPlace, bool, String)> = assigned
            .keys()
            .filter(|(_, open, _)| !open)
            .cloned()
            .collect();
        for key in keys.into_iter().rev() {
            let Some(entries) = assigned.get(&key) else {
                continue;
            };
            let elsewhere = |entry: &&Entry<'_>| {
                entry.key.statements.iter().any(|place| {
                    let other = (*place, false, entry.action.clone());
                    *place != key.0
                        && assigned
                            .get(&other)
                            .is_some_and(|others| self.covers(*place, others, entry))
                })
            };
            if entries.iter().all(elsewhere) {
                assigned.remove(&key);
            }
        }
    }

    /// Whether what a statement is to allow anyway covers a request that it allows today.
    fn covers(&self, place: StatementPlace, entries: &[&Entry<'_>], entry: &Entry<'_>) -> bool {
        let (Some(own), Some(pattern)) = (self.own.get(&place), entry.pattern) else {
            return false;
        };
        let wanted = ResourcePattern::new(pattern);
        match self.resources(own, entries, BOUNDS[0]) {
            Element::These(values) => values
                .iter()
                .any(|value| wanted.is_within(&ResourcePattern::new(value))),
            Element::AllBut(_) => false,
        }
    }

    /// All statements; without a bound, whole ones of today.
    fn statements(&self, assigned: &Assigned<'_>, bound: Option<usize>) -> Vec<ProposedStatement> {
        let mut all: Vec<ProposedStatement> = self.denies.clone();
        for (place, own) in &self.own {
            match bound {
                Some(bound) => {
                    all.extend(self.observed((*place, own), assigned, bound));
                    all.extend(self.kept(own));
                }
                None => all.extend(whole((*place, own), assigned)),
            }
        }
        let mut merged: Vec<ProposedStatement> = Vec::new();
        for statement in all {
            let mut left = Some(statement);
            for known in &mut merged {
                left = left.and_then(|statement| known.merge(statement));
            }
            merged.extend(left);
        }
        merged
    }

    /// What a statement is to allow because of requests.
    fn observed(
        &self,
        (place, own): (StatementPlace, &Own<'_>),
        assigned: &Assigned<'_>,
        bound: usize,
    ) -> Vec<ProposedStatement> {
        let mut groups: BTreeMap<GroupKey, Group> = BTreeMap::new();
        let of_place = assigned.iter().filter(|((of, _, _), _)| *of == place);
        for ((_, open, action), entries) in of_place {
            let resources = self.resources(own, entries, bound);
            let is_said = *open && self.says((place, own), assigned, (action, &resources), bound);
            if resources.values().is_empty() || is_said {
                continue;
            }
            let mut evidence = Evidence::default();
            entries.iter().for_each(|entry| evidence.add(entry.seen));
            let word = match (open, evidence.requests) {
                (true, _) => "undetermined",
                (false, 0) => "needed",
                (false, _) => "observed",
            };
            let mined = match word {
                "observed" => self.mined((place, own), assigned, action),
                _ => Vec::new(),
            };
            let values = mined
                .iter()
                .map(|found| (found.key.clone(), found.values.clone()));
            let group = groups
                .entry((word, resources, values.collect()))
                .or_default();
            group.actions.push(action.clone());
            entries
                .iter()
                .for_each(|entry| group.evidence.add(entry.seen));
            group.add(mined);
        }
        let groups = groups.into_iter();
        groups
            .map(|((word, resources, _), group)| group.statement(own, (word, resources)))
            .collect()
    }

    /// Whether what a statement is to allow for sure says that it allows an action on resources.
    fn says(
        &self,
        (place, own): (StatementPlace, &Own<'_>),
        assigned: &Assigned<'_>,
        (action, resources): (&String, &Element),
        bound: usize,
    ) -> bool {
        let Some(entries) = assigned.get(&(place, false, action.clone())) else {
            return false;
        };
        match (resources, self.resources(own, entries, bound)) {
            (Element::These(asked), Element::These(said)) => {
                let said: Vec<ResourcePattern> = said
                    .iter()
                    .map(|value| ResourcePattern::new(value))
                    .collect();
                asked.iter().all(|value| {
                    let value = ResourcePattern::new(value);
                    said.iter().any(|said| value.is_within(said))
                })
            }
            (asked, said) => *asked == said,
        }
    }

    /// The resources of requests, generalised as little as the bound allows, within what is granted.
    pub(super) fn resources(&self, own: &Own<'_>, entries: &[&Entry<'_>], bound: usize) -> Element {
        let catalogue = self.inputs.catalogue;
        // The catalogue's word is that such an action is allowed on `*` alone, whatever was asked.
        if own.grants_all()
            && entries
                .iter()
                .all(|entry| is_of_no_type(&entry.action, catalogue))
        {
            return Element::These(vec!["*".to_owned()]);
        }
        let mut used = Resources::default();
        for entry in entries {
            used.step = used.step.max(entry.step);
        }
        let mut all = Resources {
            step: used.step,
            ..Resources::default()
        };
        for entry in entries {
            let mut one = Resources {
                step: entry.step,
                seen: BTreeMap::from([(entry.pattern.clone(), Seen::default())]),
            };
            one.widen(used.step, catalogue);
            all.seen.extend(one.seen);
        }
        let first = if bound == 0 { LAST_STEP } else { FIRST_STEP };
        for step in first..=LAST_STEP {
            all.widen(step, catalogue);
            let Some(values) = clipped(own, &all) else {
                break;
            };
            if values.len() <= bound {
                return Element::These(values);
            }
        }
        own.reached(entries, catalogue)
    }

    /// What stays of a statement without evidence.
    fn kept(&self, own: &Own<'_>) -> Vec<ProposedStatement> {
        let statement = |actions, resources, reason| ProposedStatement {
            sid: String::new(),
            effect: Effect::Allow,
            actions,
            resources,
            conditions: own.granted.conditions.clone(),
            origins: BTreeSet::from([own.origin.clone()]),
            reason: StatementReason::Kept(reason),
            mined: Vec::new(),
        };
        if own.all_kept.is_empty() {
            return Vec::new();
        }
        let reasons = |of: &BTreeSet<String>| -> BTreeMap<KeptFor, Vec<String>> {
            let kept = own.kept.iter().map(|(why, actions)| {
                let actions = actions.intersection(of).cloned().collect::<Vec<_>>();
                (*why, actions)
            });
            kept.filter(|(_, actions)| !actions.is_empty()).collect()
        };
        if own.dropped.is_empty() && own.narrowed().is_empty() {
            return vec![statement(
                own.actions(),
                own.granted.resources.clone(),
                reasons(&own.all_kept),
            )];
        }
        let mut groups: BTreeMap<Element, BTreeSet<String>> = BTreeMap::new();
        for action in &own.all_kept {
            let resources = own.suited(action, self.inputs.catalogue);
            groups.entry(resources).or_default().insert(action.clone());
        }
        let mut statements = Vec::new();
        for (resources, actions) in groups {
            let folding = Folding::new(own.statement, (&actions, &own.dead), self.inputs.catalogue);
            let patterns = Element::These(folding.patterns());
            statements.push(statement(patterns, resources, reasons(&actions)));
        }
        statements
    }

    fn dropped(&self, whole: bool, assigned: &Assigned<'_>) -> Vec<DroppedActions> {
        let mut all = Vec::new();
        for (place, own) in &self.own {
            let stays = |action: &str| {
                [false, true]
                    .iter()
                    .any(|open| assigned.contains_key(&(*place, *open, action.to_owned())))
            };
            let any_stays =
                !own.all_kept.is_empty() || assigned.keys().any(|(of, _, _)| of == place);
            if whole && any_stays {
                continue;
            }
            for (state, actions) in &own.dropped {
                let actions: Vec<String> = actions
                    .iter()
                    .filter(|action| !stays(action))
                    .cloned()
                    .collect();
                if !actions.is_empty() {
                    all.push(DroppedActions {
                        origin: own.origin.clone(),
                        state: *state,
                        actions,
                    });
                }
            }
        }
        all
    }
}

/// What of the used resources a statement grants; `None` where only all of it says that.
fn clipped(own: &Own<'_>, used: &Resources) -> Option<Vec<String>> {
    let mut values = Vec::new();
    for pattern in used.seen.keys() {
        values.extend(own.granted.clip(pattern.as_deref()?)?);
    }
    Some(least(values))
}

/// A whole statement of today, where anything of it stays.
fn whole(
    (place, own): (StatementPlace, &Own<'_>),
    assigned: &Assigned<'_>,
) -> Option<ProposedStatement> {
    let mut evidence = Evidence::default();
    let of_place = assigned.iter().filter(|((of, _, _), _)| *of == place);
    for (_, entries) in of_place {
        entries.iter().for_each(|entry| evidence.add(entry.seen));
    }
    let is_used = evidence.requests > 0 || evidence.jobs > 0;
    if !is_used && own.all_kept.is_empty() {
        return None;
    }
    let kept = own.kept.iter().map(|(why, actions)| {
        let actions: Vec<String> = actions.iter().cloned().collect();
        (*why, actions)
    });
    Some(ProposedStatement {
        sid: String::new(),
        effect: Effect::Allow,
        actions: own.actions(),
        resources: own.granted.resources.clone(),
        conditions: own.granted.conditions.clone(),
        origins: BTreeSet::from([own.origin.clone()]),
        reason: match is_used {
            true => StatementReason::Observed(evidence),
            false => StatementReason::Kept(kept.collect()),
        },
        mined: Vec::new(),
    })
}

fn evidence_of<'i>(
    principal: &Principal,
    evidence: &'i RightsizingEvidence<'_>,
) -> Cow<'i, PrincipalEvidence> {
    let found = evidence.of(&principal.arn);
    found.map_or_else(Cow::default, Cow::Borrowed)
}

/// Whether any statement has a condition that no original one has.
fn has_mined(documents: &[ProposedDocument]) -> bool {
    let mut statements = documents.iter().flat_map(|document| &document.statements);
    statements.any(|statement| !statement.mined.is_empty())
}

pub(super) fn denying(
    origin: Origin,
    statement: StatementView<'_>,
    granted: Granted,
) -> ProposedStatement {
    ProposedStatement {
        sid: String::new(),
        effect: Effect::Deny,
        actions: actions_of(statement),
        resources: granted.resources,
        conditions: granted.conditions,
        origins: BTreeSet::from([origin]),
        reason: StatementReason::Denies,
        mined: Vec::new(),
    }
}
