//! Conditions that nobody wrote, and that all uses of an action meet.
//!
//! Only where it is asked for: what a window shows is no promise. A condition is proposed for what a
//! statement allows because of requests, where each of these requests had the key known with one value,
//! five of them at the most (`MAX_VALUES`), where the last fifth of the window has some of them and shows no
//! value that the first four fifths do not, and where the original statement has no condition on the key:
//! that one stays as it is. Where a job needs the action too, or where nobody can decide today whether
//! other requests are allowed by the statement, there is none: nothing tells their keys.

use std::collections::BTreeMap;

use super::evidence::{RightsizingEvidence, StatementPlace};
use super::maker::{Assigned, Maker};
use super::own::Own;
use super::statement::Condition;
use super::states::spelled;

/// The keys that conditions are looked for on: what tells the way in which a request came, or what it is about.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
pub const MINED_KEYS: [&str; 5] = [
    "aws:RequestedRegion",
    "aws:SourceVpce",
    "iam:PassedToService",
    "kms:ViaService",
    "s3:prefix",
];

/// More values than these are no rule.
pub(super) const MAX_VALUES: usize = 5;

/// Whether conditions are looked for.
#[derive(Debug, Clone, Copy)]
pub enum MineConditions<'i, 's> {
    /// None.
    No,
    /// Those that the evidence shows, which is that of the first four fifths of the window.
    Early,
    /// Those that the evidence shows and that this one, of the first four fifths, shows as well.
    Held(&'i RightsizingEvidence<'s>),
}

/// A condition that was found, and the requests behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinedCondition {
    /// The key.
    pub key: String,
    /// All values that it had.
    pub values: Vec<String>,
    /// Requests of the first four fifths of the window that met it: all there are.
    pub early: u64,
    /// Requests of the last fifth that met it: all there are.
    pub late: u64,
}

/// What requests show of the keys.
///
/// # Memory
/// `MAX_VALUES` values for each key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MinedKeys {
    requests: u64,
    keys: [MinedKey; MINED_KEYS.len()],
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct MinedKey {
    values: BTreeMap<Box<str>, u64>,
    is_none: bool,
}

impl MinedKeys {
    /// Takes in a request.
    pub(super) fn see(&mut self, context: &[(&str, &[&str])]) {
        self.requests += 1;
        for (mined, name) in self.keys.iter_mut().zip(MINED_KEYS) {
            let known = context
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            match known {
                // A variable in a condition would be filled in.
                Some((_, [value])) if !value.contains("${") => {
                    *mined.values.entry((*value).into()).or_default() += 1;
                    mined.bound();
                }
                _ => mined.none(),
            }
        }
    }

    /// Something uses it of which no key is known.
    pub(super) fn none(&mut self) {
        self.keys.iter_mut().for_each(MinedKey::none);
    }

    pub(super) fn merge(&mut self, other: &MinedKeys) {
        self.requests += other.requests;
        for (ours, theirs) in self.keys.iter_mut().zip(&other.keys) {
            if theirs.is_none {
                ours.none();
            }
            for (value, requests) in &theirs.values {
                *ours.values.entry(value.clone()).or_default() += requests;
            }
            ours.bound();
        }
    }
}

impl MinedKey {
    fn bound(&mut self) {
        if self.is_none || self.values.len() > MAX_VALUES {
            self.none();
        }
    }

    fn none(&mut self) {
        self.is_none = true;
        self.values.clear();
    }
}

impl Maker<'_, '_> {
    /// What conditions all requests meet that are allowed by a statement and ask for an action.
    pub(super) fn mined(
        &self,
        (place, own): (StatementPlace, &Own<'_>),
        assigned: &Assigned<'_>,
        action: &str,
    ) -> Vec<MinedCondition> {
        let (all, early) = match (&self.inputs.mine, &self.early) {
            (MineConditions::No, _) => return Vec::new(),
            (MineConditions::Early, _) => (&*self.evidence, None),
            (MineConditions::Held(_), early) => (&*self.evidence, Some(early)),
        };
        if assigned.contains_key(&(place, true, action.to_owned())) {
            return Vec::new();
        }
        // Also of those requests that other statements allow as well: these may leave them to this one.
        let of = |mined: &BTreeMap<super::evidence::UseKey, MinedKeys>| {
            let mut sum = MinedKeys::default();
            for (key, mined) in mined {
                let is_it = key.statements.contains(&place)
                    && spelled(&key.action, self.inputs.catalogue) == action;
                if is_it && !key.open {
                    sum.merge(mined);
                }
            }
            sum
        };
        let all = of(&all.mined);
        let early = early.map(|early| of(&early.mined));
        let mut found = Vec::new();
        for (number, key) in MINED_KEYS.into_iter().enumerate() {
            let (Some(mined), None) = (all.keys.get(number), own.condition_on(key)) else {
                continue;
            };
            let has_held = early.as_ref().is_none_or(|early| {
                let before = early.keys.get(number);
                all.requests > early.requests
                    && before.is_some_and(|before| before.values.keys().eq(mined.values.keys()))
            });
            if mined.values.is_empty() || !has_held {
                continue;
            }
            let before = early.as_ref().map_or(all.requests, |early| early.requests);
            found.push(MinedCondition {
                key: key.to_owned(),
                values: mined.values.keys().map(|value| value.to_string()).collect(),
                early: before,
                late: all.requests.saturating_sub(before),
            });
        }
        found
    }
}

impl Own<'_> {
    /// Whether the statement has a condition on a key already.
    fn condition_on(&self, key: &str) -> Option<&Condition> {
        let mut conditions = self.granted.conditions.iter();
        conditions.find(|condition| {
            let mut keys = condition.keys.iter();
            keys.any(|(own, _)| own.eq_ignore_ascii_case(key))
        })
    }
}

/// Conditions with those that were found.
pub(super) fn with_mined(conditions: &[Condition], mined: &[MinedCondition]) -> Vec<Condition> {
    const OPERATOR: &str = "StringEquals";
    let mut all = conditions.to_vec();
    for found in mined {
        let key = (found.key.clone(), found.values.clone());
        match all.iter_mut().find(|one| one.operator == OPERATOR) {
            Some(known) => known.keys.push(key),
            None => all.push(Condition {
                operator: OPERATOR.to_owned(),
                keys: vec![key],
            }),
        }
    }
    all
}
