//! What a replay of the tables finds.

use std::collections::{BTreeMap, BTreeSet};

use retrial_replay::{Reason, Verdict};

use super::rows::Seen;
use crate::report::MAX_GROUPS;

/// Sample resources and event ids that a group keeps.
const SAMPLES: usize = 3;

/// Calls of one principal and action whose verdict is another now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeKey {
    /// The verdict in the table.
    pub before: Verdict,
    /// The verdict now.
    pub after: Verdict,
    /// The principal; empty where the record does not show it.
    pub principal_arn: String,
    /// The action whose decision is another now.
    pub action: String,
}

/// What is kept of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangedCalls {
    /// How many.
    pub calls: u64,
    /// Why the first of them is `undetermined` or `not_evaluated` now.
    pub reason: Option<Reason>,
    /// Some of the resources.
    pub resources: Vec<String>,
    /// Some of the calls' event ids.
    pub event_ids: Vec<String>,
}

/// What a replay found. Reports of parts add up, in the order of the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// The snapshots that the tables stand on.
    pub snapshots: BTreeSet<String>,
    /// Calls replayed.
    pub calls: u64,
    /// The verdicts in the tables.
    pub before: BTreeMap<Verdict, u64>,
    /// The verdicts now.
    pub after: BTreeMap<Verdict, u64>,
    /// Calls of which some request is decided otherwise and the verdict is the same.
    pub same_verdict: u64,
    /// The calls whose verdict is another.
    pub changed: BTreeMap<ChangeKey, ChangedCalls>,
    /// Such calls beyond [`MAX_GROUPS`] groups.
    pub changed_not_listed: u64,
    /// Such calls in resource owners' copies of other accounts' records: the caller's account has them
    /// too.
    pub changed_copies: u64,
}

impl ReplayReport {
    /// How many calls have another verdict, copies apart.
    pub fn changed_calls(&self) -> u64 {
        let listed: u64 = self.changed.values().map(|group| group.calls).sum();
        listed + self.changed_not_listed
    }

    pub(super) fn count(&mut self, seen: &Seen<'_>) {
        let (_, after, reason) = seen.judgement.verdict(seen.outcome);
        self.calls += 1;
        *self.before.entry(seen.before).or_default() += 1;
        *self.after.entry(after).or_default() += 1;
        if seen.before == after {
            self.same_verdict += u64::from(seen.differs);
            return;
        }
        if seen.copy {
            self.changed_copies += 1;
            return;
        }
        let key = ChangeKey {
            before: seen.before,
            after,
            principal_arn: seen.principal_arn.to_owned(),
            action: seen.action.to_owned(),
        };
        let mut calls = ChangedCalls {
            calls: 1,
            reason,
            ..ChangedCalls::default()
        };
        sample(&mut calls.resources, seen.resource_arn);
        sample(&mut calls.event_ids, seen.event_id);
        self.add_group(key, calls);
    }

    pub(super) fn merge(&mut self, later: ReplayReport) {
        self.snapshots.extend(later.snapshots);
        self.calls += later.calls;
        self.same_verdict += later.same_verdict;
        self.changed_not_listed += later.changed_not_listed;
        self.changed_copies += later.changed_copies;
        for (verdict, calls) in later.before {
            *self.before.entry(verdict).or_default() += calls;
        }
        for (verdict, calls) in later.after {
            *self.after.entry(verdict).or_default() += calls;
        }
        for (key, group) in later.changed {
            self.add_group(key, group);
        }
    }

    fn add_group(&mut self, key: ChangeKey, later: ChangedCalls) {
        let full = self.changed.len() >= MAX_GROUPS;
        match self.changed.get_mut(&key) {
            Some(group) => {
                group.calls += later.calls;
                for resource in &later.resources {
                    sample(&mut group.resources, resource);
                }
                for event_id in &later.event_ids {
                    sample(&mut group.event_ids, event_id);
                }
            }
            None if full => self.changed_not_listed += later.calls,
            None => drop(self.changed.insert(key, later)),
        }
    }
}

fn sample(samples: &mut Vec<String>, text: &str) {
    if samples.len() < SAMPLES && !text.is_empty() && !samples.iter().any(|sample| sample == text) {
        samples.push(text.to_owned());
    }
}
