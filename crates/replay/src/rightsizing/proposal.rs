//! From evidence and states to the proposal for one principal.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{
    AttachedPolicy, Catalogue, Effect, PolicySource, Principal, PrincipalKind, ResourcePattern,
    StatementView, acts_on,
};

use super::document::{MAX_ATTACHED_POLICIES, ProposedDocument, documents};
use super::evidence::{
    PrincipalEvidence, Resources, RightsizingEvidence, Seen, StatementPlace, UseKey,
};
use super::fold::Folding;
use super::generalise::{FIRST_STEP, LAST_STEP};
use super::statement::{
    Element, Evidence, Granted, KeptFor, Origin, ProposedStatement, StatementReason, least,
};
use super::states::{ActionState, PermissionStates, State, spelled};
use crate::permissions::PermissionState;

/// How many patterns an action may have in a statement, from the proposal that has room to the one that
/// hardly fits: with none, what is granted stands there.
const BOUNDS: [usize; 5] = [12, 6, 3, 1, 0];

/// What a proposal is made of.
#[derive(Clone, Copy)]
pub struct RightsizingInputs<'i, 's> {
    /// The actions.
    pub catalogue: &'s Catalogue,
    /// What was used.
    pub evidence: &'i RightsizingEvidence<'s>,
    /// What is to be said of the rest.
    pub states: &'i PermissionStates,
    /// What nobody could have seen goes, too.
    pub drop_unobservable: bool,
}

/// New policies in the place of what a user or role has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The user or role, with its path.
    pub principal_arn: String,
    /// User or role.
    pub kind: PrincipalKind,
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its calls that got through.
    pub calls: u64,
    /// Those among them that today's policies deny: a proposal does not bring them back.
    pub denied_today: u64,
    /// The new policies; none where nothing is to stay.
    pub documents: Vec<ProposedDocument>,
    /// The policies whose place they take: ARNs of managed ones, `<principal ARN>#<name>` of inline ones.
    pub replaced: Vec<String>,
    /// What stays as it is.
    pub left: Vec<LeftPolicy>,
    /// What goes.
    pub dropped: Vec<DroppedActions>,
    /// How many actions were used of those that stay, and are narrowed to the used resources.
    pub narrowed: u64,
    /// How many patterns an action may have in a statement; `None` where only whole statements went,
    /// because nothing less fits into the quotas.
    pub bound: Option<usize>,
}

/// A policy that a proposal leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftPolicy {
    /// Its id.
    pub policy: String,
    /// Why.
    pub why: WhyLeft,
}

/// Why a policy is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyLeft {
    /// It comes from a group, and others have it too.
    OfAGroup,
    /// Its document was not collected or cannot be read: nobody knows what it allows.
    NotKnown,
}

/// Actions that are allowed today and not in the proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedActions {
    /// The statement that allows them.
    pub origin: Origin,
    /// The state that they are in.
    pub state: State,
    /// The actions.
    pub actions: Vec<String>,
}

/// Why there is no proposal for a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoProposal {
    /// AWS alone changes the policies of service-linked roles.
    ServiceLinked,
    /// The policies of such a role are those of its permission set in IAM Identity Center.
    PermissionSet,
    /// It has no policies of its own.
    NoPolicies,
    /// An inline policy of it cannot be read: nobody knows what to put in its place.
    Unreadable,
    /// Nothing goes: all that it is allowed was used, or is kept.
    NothingGoes,
    /// Nothing that fits into IAM's quotas was found.
    DoesNotFit,
}

/// One `Allow` statement of the principal's own policies.
struct Own<'s> {
    origin: Origin,
    statement: StatementView<'s>,
    granted: Granted,
    /// Its actions that stay whole.
    kept: BTreeMap<KeptFor, BTreeSet<String>>,
    all_kept: BTreeSet<String>,
    /// Its actions that have no resource to act on, or whose service has ended.
    dead: BTreeSet<String>,
    dropped: BTreeMap<State, BTreeSet<String>>,
}

/// Requests of one principal, with the same resource.
struct Entry<'e> {
    action: String,
    key: &'e UseKey,
    step: u8,
    pattern: &'e Option<String>,
    seen: &'e Seen,
}

/// What a statement is to allow because of requests: by action, the resources.
type Assigned<'e> = BTreeMap<(StatementPlace, bool, String), Vec<&'e Entry<'e>>>;

/// Makes a proposal.
///
/// # Errors
/// Where there is none to make.
pub fn propose(
    inputs: &RightsizingInputs<'_, '_>,
    principal: &Principal,
) -> Result<Proposal, NoProposal> {
    if principal.is_service_linked() {
        return Err(NoProposal::ServiceLinked);
    }
    if principal.is_of_permission_set() {
        return Err(NoProposal::PermissionSet);
    }
    let maker = Maker::new(inputs, principal);
    let is_inline = |left: &LeftPolicy| left.why == WhyLeft::NotKnown && left.policy.contains('#');
    if maker.left.iter().any(is_inline) {
        return Err(NoProposal::Unreadable);
    }
    if maker.replaced.is_empty() {
        return Err(NoProposal::NoPolicies);
    }
    maker.make()
}

struct Maker<'i, 's> {
    inputs: &'i RightsizingInputs<'i, 's>,
    principal: &'i Principal,
    own: BTreeMap<StatementPlace, Own<'i>>,
    denies: Vec<ProposedStatement>,
    replaced: Vec<String>,
    left: Vec<LeftPolicy>,
    /// The places of policies that are left.
    left_places: BTreeSet<usize>,
}

impl<'i, 's> Maker<'i, 's> {
    fn new(inputs: &'i RightsizingInputs<'i, 's>, principal: &'i Principal) -> Self {
        let mut maker = Maker {
            inputs,
            principal,
            own: BTreeMap::new(),
            denies: Vec::new(),
            replaced: Vec::new(),
            left: Vec::new(),
            left_places: BTreeSet::new(),
        };
        for (place, attached) in principal.identity.iter().enumerate() {
            maker.policy(place, attached);
        }
        maker
    }

    fn policy(&mut self, place: usize, attached: &'i AttachedPolicy) {
        let why = match (&attached.source, &attached.policy) {
            (PolicySource::Group(_), _) => Some(WhyLeft::OfAGroup),
            (_, Err(_)) => Some(WhyLeft::NotKnown),
            _ => None,
        };
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
            let key = (&*self.principal.arn, &*attached.id, statement.index());
            let states = self.inputs.states.of(key, self.inputs.catalogue);
            let own = Own::new((origin, statement, granted), &states, self.inputs);
            self.own.insert((place, statement.index()), own);
        }
    }

    fn make(self) -> Result<Proposal, NoProposal> {
        let none = PrincipalEvidence::default();
        let evidence = self
            .inputs
            .evidence
            .of(&self.principal.arn)
            .unwrap_or(&none);
        let entries = self.entries(evidence);
        let assigned = self.assigned(&entries);
        let slots = MAX_ATTACHED_POLICIES.saturating_sub(self.slots_taken());
        let mut fitting = None;
        for bound in BOUNDS {
            let statements = self.statements(&assigned, Some(bound));
            if let Ok(documents) = documents(statements)
                && documents.len() <= slots
            {
                fitting = Some((Some(bound), documents));
                break;
            }
        }
        let (bound, documents) = match fitting {
            Some(fitting) => fitting,
            None => {
                let found = documents_of_whole(self.statements(&assigned, None), slots);
                (None, found.ok_or(NoProposal::DoesNotFit)?)
            }
        };
        let dropped = self.dropped(bound.is_none(), &assigned);
        let narrowed = bound.map_or(0, |bound| self.narrowed(&assigned, bound));
        if dropped.is_empty() && narrowed == 0 {
            return Err(NoProposal::NothingGoes);
        }
        Ok(Proposal {
            principal_arn: self.principal.arn.clone(),
            kind: self.principal.kind,
            account: self.principal.account.clone(),
            name: self.principal.name.clone(),
            calls: evidence.calls,
            denied_today: evidence.denied_today,
            documents,
            narrowed,
            replaced: self.replaced,
            left: self.left,
            dropped,
            bound,
        })
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
        left.filter(|left| left.why == WhyLeft::NotKnown && !left.policy.contains('#'))
            .count()
    }

    fn entries<'e>(&self, evidence: &'e PrincipalEvidence) -> Vec<Entry<'e>> {
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
    fn assigned<'e>(&self, entries: &'e [Entry<'e>]) -> Assigned<'e> {
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
        let mut groups: BTreeMap<(&str, Element), (Vec<String>, Evidence)> = BTreeMap::new();
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
            let group = groups.entry((word, resources)).or_default();
            group.0.push(action.clone());
            entries.iter().for_each(|entry| group.1.add(entry.seen));
        }
        let statement = |((word, resources), (actions, evidence)): (_, (Vec<String>, Evidence))| {
            ProposedStatement {
                sid: String::new(),
                effect: Effect::Allow,
                actions: Element::These(actions),
                resources,
                conditions: own.granted.conditions.clone(),
                origins: BTreeSet::from([own.origin.clone()]),
                reason: match word {
                    "undetermined" => StatementReason::Undetermined(evidence),
                    "needed" => StatementReason::Needed(evidence),
                    _ => StatementReason::Observed(evidence),
                },
            }
        };
        groups.into_iter().map(statement).collect()
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
    fn resources(&self, own: &Own<'_>, entries: &[&Entry<'_>], bound: usize) -> Element {
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
    })
}

fn documents_of_whole(
    statements: Vec<ProposedStatement>,
    slots: usize,
) -> Option<Vec<ProposedDocument>> {
    let documents = documents(statements).ok()?;
    (documents.len() <= slots).then_some(documents)
}

fn denying(origin: Origin, statement: StatementView<'_>, granted: Granted) -> ProposedStatement {
    ProposedStatement {
        sid: String::new(),
        effect: Effect::Deny,
        actions: actions_of(statement),
        resources: granted.resources,
        conditions: granted.conditions,
        origins: BTreeSet::from([origin]),
        reason: StatementReason::Denies,
    }
}

fn actions_of(statement: StatementView<'_>) -> Element {
    let actions = statement.actions().map(str::to_owned).collect();
    match statement.is_not_action() {
        true => Element::AllBut(actions),
        false => Element::These(actions),
    }
}

impl<'s> Own<'s> {
    fn new(
        (origin, statement, granted): (Origin, StatementView<'s>, Granted),
        states: &BTreeMap<String, ActionState>,
        inputs: &RightsizingInputs<'_, '_>,
    ) -> Self {
        let mut own = Own {
            origin,
            statement,
            granted,
            kept: BTreeMap::new(),
            all_kept: BTreeSet::new(),
            dead: BTreeSet::new(),
            dropped: BTreeMap::new(),
        };
        for (action, found) in states {
            let used = found.state.0 == PermissionState::Used;
            let goes = match found.otherwise.0 {
                PermissionState::Unused | PermissionState::Blocked => true,
                PermissionState::Unobservable => inputs.drop_unobservable,
                _ => false,
            };
            let is_of_the_past = is_retired(action, inputs.catalogue);
            if !used && (is_of_the_past || !own.is_live(action, inputs.catalogue)) {
                own.dead.insert(action.clone());
            } else if goes {
                let state = if used { found.state } else { found.otherwise };
                own.dropped.entry(state).or_default().insert(action.clone());
            } else {
                let why = KeptFor {
                    used,
                    state: found.otherwise.0,
                    reason: found.otherwise.1,
                };
                own.all_kept.insert(action.clone());
                own.kept.entry(why).or_default().insert(action.clone());
            }
        }
        own
    }

    /// The used actions that are narrowed; they stand in `dropped` as used.
    fn narrowed(&self) -> BTreeSet<&String> {
        let used = self.dropped.iter();
        used.filter(|((state, _), _)| *state == PermissionState::Used)
            .flat_map(|(_, actions)| actions)
            .collect()
    }

    /// Whether any of its resources is one that the action acts on.
    fn is_live(&self, action: &str, catalogue: &Catalogue) -> bool {
        match &self.granted.resources {
            Element::AllBut(_) => true,
            Element::These(values) => values.iter().any(|value| suits(action, value, catalogue)),
        }
    }

    /// Those of its resources that an action acts on.
    fn suited(&self, action: &str, catalogue: &Catalogue) -> Element {
        let Element::These(values) = &self.granted.resources else {
            return self.granted.resources.clone();
        };
        let suited: Vec<String> = values
            .iter()
            .filter(|value| suits(action, value, catalogue))
            .cloned()
            .collect();
        match suited.is_empty() {
            true => self.granted.resources.clone(),
            false => Element::These(suited),
        }
    }

    /// Whether `*` is among its resources.
    fn grants_all(&self) -> bool {
        matches!(&self.granted.resources, Element::These(values) if values.iter().any(|one| one == "*"))
    }

    /// Whether any of what was used may be granted by it.
    fn may_grant(&self, entry: &Entry<'_>) -> bool {
        let clipped = entry.pattern.as_deref().map(|used| self.granted.clip(used));
        !matches!(clipped, Some(Some(values)) if values.is_empty())
    }

    /// Those of its resources that an action acts on, or was used on all the same.
    fn reached(&self, entries: &[&Entry<'_>], catalogue: &Catalogue) -> Element {
        let Element::These(values) = &self.granted.resources else {
            return self.granted.resources.clone();
        };
        let used: Option<Vec<ResourcePattern>> = entries
            .iter()
            .map(|entry| Some(ResourcePattern::new(entry.pattern.as_deref()?)))
            .collect();
        let action = entries.first().map_or("", |entry| &entry.action);
        let is_reached = |value: &String, pattern: &ResourcePattern| {
            suits(action, value, catalogue)
                || used
                    .as_ref()
                    .is_none_or(|used| used.iter().any(|used| used.may_overlap(pattern)))
        };
        let reached = values.iter().zip(&self.granted.patterns);
        let reached = reached.filter(|(value, pattern)| is_reached(value, pattern));
        Element::These(reached.map(|(value, _)| value.clone()).collect())
    }

    fn actions(&self) -> Element {
        actions_of(self.statement)
    }
}

/// Whether the catalogue knows no type of resource that the action acts on.
fn is_of_no_type(action: &str, catalogue: &Catalogue) -> bool {
    let known = catalogue.action_named(action);
    known.is_some_and(|action| catalogue.resource_types(action).next().is_none())
}

/// Whether AWS has ended the service: nothing of it can be used any more.
fn is_retired(action: &str, catalogue: &Catalogue) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    let known = catalogue.service(service);
    known.is_some_and(|service| service.retired.is_some())
}

fn suits(action: &str, resource: &str, catalogue: &Catalogue) -> bool {
    let known = catalogue.action_named(action);
    known.is_none_or(|action| acts_on(catalogue, action, resource))
}
