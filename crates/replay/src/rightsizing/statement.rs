//! Statements of a proposal, each with the reason that it stands there.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{Effect, ResourcePattern, StatementView, without_variables};

use super::evidence::Seen;
use super::mine::MinedCondition;
use crate::permissions::{PermissionReason, PermissionState};
use crate::seen_call::earlier;

/// One statement of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedStatement {
    /// Its `Sid`, which says why it stands there, and names it in the certificate.
    pub sid: String,
    /// `Allow` or `Deny`.
    pub effect: Effect,
    /// `Action` or `NotAction`.
    pub actions: Element,
    /// `Resource` or `NotResource`.
    pub resources: Element,
    /// By operator, in the order of the original statement.
    pub conditions: Vec<Condition>,
    /// The statements that it is made of.
    pub origins: BTreeSet<Origin>,
    /// Why it stands there.
    pub reason: StatementReason,
    /// Those of its conditions that no original statement has.
    pub mined: Vec<MinedCondition>,
}

/// One operator of a `Condition`, with its keys and their values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The operator.
    pub operator: String,
    /// The keys and their values.
    pub keys: Vec<(String, Vec<String>)>,
}

/// An element, or its `Not…` twin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// `Action`, `Resource`
    These(Vec<String>),
    /// `NotAction`, `NotResource`
    AllBut(Vec<String>),
}

impl Element {
    /// Its values.
    pub fn values(&self) -> &[String] {
        match self {
            Self::These(values) | Self::AllBut(values) => values,
        }
    }
}

/// A statement of today's policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The managed policy's ARN, or `<principal ARN>#<name>` for an inline policy.
    pub policy: String,
    /// The statement's index, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<String>,
}

/// Why a statement stands in a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementReason {
    /// Requests of the window were allowed by it.
    Observed(Evidence),
    /// Requests of the window got through, and nobody can tell today whether this allows them.
    Undetermined(Evidence),
    /// Jobs of the window need it, and no record shows their use.
    Needed(Evidence),
    /// Kept without evidence: the actions, by the state that they are in.
    Kept(BTreeMap<KeptFor, Vec<String>>),
    /// Some of this and some of that, in a statement that is edited: what was used or needed, what is
    /// undetermined, and what is kept without evidence.
    Several(Evidence, Evidence, BTreeMap<KeptFor, Vec<String>>),
    /// It denies.
    Denies,
}

impl StatementReason {
    /// How its `Sid` begins.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Observed(_) => "Used",
            Self::Undetermined(_) => "Undetermined",
            Self::Needed(_) => "Needed",
            Self::Kept(_) => "Kept",
            Self::Several(..) => "Stays",
            Self::Denies => "Deny",
        }
    }
}

/// What stands behind a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Requests that it is there for.
    pub requests: u64,
    /// Jobs that need it.
    pub jobs: u64,
    /// The first and the last time, in microseconds since the epoch.
    pub times: (Option<i64>, Option<i64>),
    /// The event of one of them.
    pub event_id: Option<String>,
}

impl Evidence {
    pub(super) fn add(&mut self, seen: &Seen) {
        self.requests += seen.calls;
        self.jobs += seen.needs;
        self.times.0 = earlier(self.times.0, seen.first);
        self.times.1 = self.times.1.max(seen.last);
        if self.event_id.is_none() {
            self.event_id = seen.event_id.as_deref().map(str::to_owned);
        }
    }

    pub(super) fn merge(&mut self, other: Evidence) {
        self.requests += other.requests;
        self.jobs += other.jobs;
        self.times.0 = earlier(self.times.0, other.times.0);
        self.times.1 = self.times.1.max(other.times.1);
        self.event_id = self.event_id.take().or(other.event_id);
    }
}

/// Why actions are kept that nothing shows to be used, or not to be used otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptFor {
    /// Whether they are used: then it is for whatever else they are granted.
    pub used: bool,
    /// The state.
    pub state: PermissionState,
    /// Why they are in this state.
    pub reason: Option<PermissionReason>,
}

/// What a statement of today's policies grants, as a document of version `2012-10-17` says it.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) resources: Element,
    pub(super) patterns: Vec<ResourcePattern>,
    pub(super) conditions: Vec<Condition>,
    /// Whether the document has policy variables: whether it is of version `2012-10-17`.
    pub(super) has_variables: bool,
}

impl Granted {
    pub(super) fn of(statement: StatementView<'_>, has_variables: bool) -> Granted {
        let text = |text: &str| match has_variables {
            true => text.to_owned(),
            false => without_variables(text),
        };
        let values: Vec<String> = statement.resources().map(text).collect();
        let mut conditions: Vec<Condition> = Vec::new();
        for condition in statement.conditions() {
            let key = (
                condition.key().to_owned(),
                condition.values().map(text).collect(),
            );
            let operator = condition.operator();
            match conditions.iter_mut().find(|one| one.operator == operator) {
                Some(known) => known.keys.push(key),
                None => conditions.push(Condition {
                    operator: operator.to_owned(),
                    keys: vec![key],
                }),
            }
        }
        Granted {
            patterns: values
                .iter()
                .map(|text| ResourcePattern::new(text))
                .collect(),
            resources: match statement.is_not_resource() {
                true => Element::AllBut(values),
                false => Element::These(values),
            },
            conditions,
            has_variables,
        }
    }

    /// What of a pattern is granted, as patterns: itself, or what is granted that it may overlap. `None`:
    /// only the whole `NotResource` says it.
    pub(super) fn clip(&self, pattern: &str) -> Option<Vec<String>> {
        let wanted = ResourcePattern::new(pattern);
        match &self.resources {
            Element::AllBut(_) => {
                let apart = |excluded: &ResourcePattern| !excluded.may_overlap(&wanted);
                self.patterns
                    .iter()
                    .all(apart)
                    .then(|| vec![pattern.to_owned()])
            }
            Element::These(values) => {
                let mut granted = values.iter().zip(&self.patterns);
                if granted.any(|(_, granted)| wanted.is_within(granted)) {
                    return Some(vec![pattern.to_owned()]);
                }
                let granted = values.iter().zip(&self.patterns);
                let overlaps = granted.filter(|(_, granted)| granted.may_overlap(&wanted));
                Some(overlaps.map(|(value, _)| value.clone()).collect())
            }
        }
    }
}

/// Patterns without those that are within another one, sorted.
pub(super) fn least(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values.dedup();
    let patterns: Vec<ResourcePattern> = values
        .iter()
        .map(|text| ResourcePattern::new(text))
        .collect();
    let mut kept = Vec::new();
    for (place, (value, pattern)) in values.iter().zip(&patterns).enumerate() {
        let mut others = patterns.iter().enumerate();
        // Of two that stand for the same the first stays.
        let is_needless = others.any(|(other, wider)| {
            other != place
                && pattern.is_within(wider)
                && (!wider.is_within(pattern) || other < place)
        });
        if !is_needless {
            kept.push(value.clone());
        }
    }
    kept
}

impl ProposedStatement {
    /// Whether two differ in their actions alone.
    fn is_like(&self, other: &ProposedStatement) -> bool {
        self.effect == Effect::Allow
            && other.effect == Effect::Allow
            && self.resources == other.resources
            && self.conditions == other.conditions
            && self.reason.word() == other.reason.word()
            && matches!(
                (&self.actions, &other.actions),
                (Element::These(_), Element::These(_))
            )
    }

    /// Takes in one that differs in its actions alone; gives it back where it is another.
    pub(super) fn merge(&mut self, other: ProposedStatement) -> Option<ProposedStatement> {
        if !self.is_like(&other) {
            return Some(other);
        }
        if let (Element::These(ours), Element::These(theirs)) = (&mut self.actions, other.actions) {
            ours.extend(theirs);
            ours.sort_unstable();
            ours.dedup();
        }
        self.origins.extend(other.origins);
        for found in other.mined {
            match self.mined.iter_mut().find(|one| one.key == found.key) {
                Some(known) => {
                    known.early += found.early;
                    known.late += found.late;
                }
                None => self.mined.push(found),
            }
        }
        match (&mut self.reason, other.reason) {
            (StatementReason::Kept(ours), StatementReason::Kept(theirs)) => {
                for (why, actions) in theirs {
                    let known = ours.entry(why).or_default();
                    known.extend(actions);
                    known.sort_unstable();
                    known.dedup();
                }
            }
            (
                StatementReason::Observed(ours)
                | StatementReason::Undetermined(ours)
                | StatementReason::Needed(ours),
                StatementReason::Observed(theirs)
                | StatementReason::Undetermined(theirs)
                | StatementReason::Needed(theirs),
            ) => ours.merge(theirs),
            _ => {}
        }
        None
    }
}
