//! What a run counts: the books, the verdicts and what stands behind them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use retrial_iam::Decision;
use retrial_replay::{Call, Omission, Outcome, Reason, Verdict};
use retrial_tables::DecisionRow;

use crate::dates::Dated;
use crate::derive::Derived;
use crate::ledger::Ledger;
use crate::plan::{DayRange, SetAside};

/// Groups of a kind beyond this many are counted together, so that hostile names cannot fill memory.
pub const MAX_GROUPS: usize = 20_000;

/// Sample resources and event ids that a group keeps.
const SAMPLES: usize = 3;

/// Where every record went. `records_read` is the sum of the rest, on every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Books {
    /// Records found in log files, whole or broken.
    pub records_read: u64,
    /// Calls with a decision.
    pub decided: u64,
    /// Records without one, each with its reason.
    pub not_evaluated: u64,
    /// Left out on purpose.
    pub filtered: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Could not be read.
    pub rejected: u64,
}

impl Books {
    /// Records that were kept: those that the mapping was asked about.
    pub fn kept(&self) -> u64 {
        self.decided + self.not_evaluated
    }

    /// Whether every record that was read went somewhere.
    pub fn balance(&self) -> bool {
        self.records_read
            == self.decided + self.not_evaluated + self.filtered + self.duplicate + self.rejected
    }
}

/// Calls of one principal and action whose verdict differs from the record, or could.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// How many calls.
    pub calls: u64,
    /// The layer that blocks.
    pub layer: Option<String>,
    /// The first denying statement: policy and `Sid` or index.
    pub statement: Option<String>,
    /// Some of the resources.
    pub resources: Vec<String>,
    /// Some of the calls' event ids.
    pub event_ids: Vec<String>,
}

/// What a [`Group`] is a group of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// `WouldBeDenied` or `WouldBeAllowed`.
    pub verdict: Verdict,
    /// The principal.
    pub principal_arn: String,
    /// The action that decided.
    pub action: String,
}

/// An event: what the mapping looks up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventKey {
    /// `eventSource`
    pub event_source: String,
    /// `eventName`
    pub event_name: String,
}

/// Whose records of which event leave out some of their requests, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OmissionKey {
    /// The principal; empty where the record shows none.
    pub principal_arn: String,
    /// The event.
    pub event: EventKey,
    /// What is left out.
    pub omission: Omission,
}

/// What a call came to: what its rows in `decisions` say by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallFacts {
    pub(crate) outcome: Outcome,
    pub(crate) decision: Option<Decision>,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<Reason>,
    pub(crate) omission: Option<Omission>,
}

impl CallFacts {
    pub(crate) fn of(call: &Call<'_>) -> Self {
        Self {
            outcome: call.outcome,
            decision: call.decision,
            verdict: call.verdict,
            reason: call.reason,
            omission: call.omission,
        }
    }
}

/// Everything that a run reports. Reports of parts add up.
#[derive(Debug, Default)]
pub struct Report {
    /// What was derived at the end.
    pub derived: Derived,
    /// Log files read, whole or in part.
    pub files: u64,
    /// Their bytes as stored.
    pub bytes: u64,
    /// Files that were left out for their kind.
    pub set_aside: SetAside,
    /// Files of which something could not be read, records apart.
    pub files_rejected: u64,
    /// The books.
    pub books: Books,
    /// Records by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Records by the reason of `not_evaluated` and `undetermined`.
    pub reasons: BTreeMap<(Verdict, Reason), u64>,
    /// Decided calls by outcome and decision.
    pub outcomes: BTreeMap<(Outcome, Decision), u64>,
    /// Records by service (`eventSource`) and verdict.
    pub services: BTreeMap<String, BTreeMap<Verdict, u64>>,
    /// Firm differences.
    pub differences: BTreeMap<GroupKey, Group>,
    /// Differing calls of service-linked roles, whose policies are AWS's and not for a person to change.
    pub service_linked_differences: u64,
    /// Differing calls beyond [`MAX_GROUPS`].
    pub differences_not_listed: u64,
    /// Undetermined calls by what would determine them.
    pub undetermined_by: BTreeMap<String, u64>,
    /// Calls that are allowed only as long as these layers do not object.
    pub assumed: BTreeMap<String, u64>,
    /// Layers that AWS's own denials named, though the snapshot does not hold them.
    pub layers_named_by_aws: BTreeMap<String, u64>,
    /// Records of events that the mapping does not know.
    pub unmapped: Ledger<EventKey>,
    /// Records that leave out some of their requests: the resources and keys that these would give are
    /// unknown.
    pub omissions: Ledger<OmissionKey>,
    /// Copies of other accounts' calls among the decided.
    pub copies: u64,
    /// What was to be done anew ([`PlanOptions::replace`](crate::PlanOptions::replace)) and was not, since
    /// no log file of it is there: days of which the output has rows, which stay, and ranges of which no
    /// day was found.
    pub not_replaced: Vec<DayRange>,
    /// Rejects by reason.
    pub rejects: BTreeMap<Cow<'static, str>, u64>,
    /// Rejects that the next run could heal.
    pub retryable: u64,
    /// Records that an earlier run, or the part of this one before it was interrupted, had read, and
    /// that this process decided: not in the books, which are of what it read itself.
    pub redecided: u64,
    /// Records that this run decided with what is known, and that the next one decides again: the
    /// record that issued their session may still come.
    pub waiting: u64,
    /// Batches of the interrupted plan that were committed before this process went on with it: what
    /// they hold is in the output and not in this report.
    pub resumed_batches: u64,
    /// Log files that were found and had been read by earlier runs.
    pub read_before: u64,
    /// Log files that a day's earlier plans list, and that are not there any more: done anew, the day
    /// is without them.
    pub gone: u64,
    /// Batches committed.
    pub batches: u64,
    /// Records that have another's event id and account, and another body.
    pub conflicts: u64,
    /// Rows written, by table.
    pub rows: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Counts a kept record by its rows in `decisions`, of which each has at least one.
    pub(crate) fn count(&mut self, facts: CallFacts, rows: &[Dated<DecisionRow<'_>>]) {
        let Some((_, call)) = rows.first() else {
            return;
        };
        let rows = || rows.iter().map(|(_, row)| row);
        match facts.decision {
            Some(decision) => {
                self.books.decided += 1;
                *self.outcomes.entry((facts.outcome, decision)).or_default() += 1;
                self.copies += u64::from(call.copy);
            }
            None => self.books.not_evaluated += 1,
        }
        *self.verdicts.entry(facts.verdict).or_default() += 1;
        if let Some(reason) = facts.reason {
            *self.reasons.entry((facts.verdict, reason)).or_default() += 1;
        }
        self.count_service(call.event_source.unwrap_or_default(), facts.verdict);
        match facts.verdict {
            Verdict::WouldBeDenied | Verdict::WouldBeAllowed if !call.copy => {
                self.count_difference(facts.verdict, call, rows())
            }
            Verdict::Undetermined => add(
                &mut self.undetermined_by,
                &what_would_determine(facts.reason, rows()),
            ),
            Verdict::NotEvaluated if facts.reason == Some(Reason::Unmapped) => {
                self.unmapped.add(event_of(call), 1)
            }
            _ => {}
        }
        if let Some(omission) = facts.omission {
            let key = OmissionKey {
                principal_arn: call.principal_arn.unwrap_or_default().to_owned(),
                event: event_of(call),
                omission,
            };
            self.omissions.add(key, 1);
        }
        if facts.decision == Some(Decision::Allowed) {
            for assumption in assumed(rows()) {
                add(&mut self.assumed, assumption);
            }
        }
        if let Some(layer) = call.denied_layer {
            match self.layers_named_by_aws.get_mut(layer) {
                Some(calls) => *calls += 1,
                None => drop(self.layers_named_by_aws.insert(layer.to_owned(), 1)),
            }
        }
    }

    fn count_service(&mut self, service: &str, verdict: Verdict) {
        if let Some(verdicts) = self.services.get_mut(service) {
            *verdicts.entry(verdict).or_default() += 1;
            return;
        }
        let name = if self.services.len() < MAX_GROUPS {
            service
        } else {
            "(others)"
        };
        let verdicts = self.services.entry(name.to_owned()).or_default();
        *verdicts.entry(verdict).or_default() += 1;
    }

    fn count_difference<'c>(
        &mut self,
        verdict: Verdict,
        call: &DecisionRow<'_>,
        mut rows: impl Iterator<Item = &'c DecisionRow<'c>>,
    ) {
        let principal_arn = call.principal_arn.unwrap_or_default();
        if principal_arn.contains(":role/aws-service-role/") {
            self.service_linked_differences += 1;
            return;
        }
        // The required request that made the call's decision.
        let deciding =
            rows.find(|row| row.required == Some(true) && row.decision == row.call_decision);
        let key = GroupKey {
            verdict,
            principal_arn: principal_arn.to_owned(),
            action: deciding
                .and_then(|row| row.action)
                .unwrap_or_default()
                .to_owned(),
        };
        if self.differences.len() >= MAX_GROUPS && !self.differences.contains_key(&key) {
            self.differences_not_listed += 1;
            return;
        }
        let group = self.differences.entry(key).or_default();
        group.calls += 1;
        if let Some(row) = deciding {
            if group.calls == 1 {
                group.layer = row.layer.map(str::to_owned);
                group.statement = row
                    .determined_by
                    .first()
                    .map(|statement| match statement.sid {
                        Some(sid) => format!("{} {sid}", statement.policy),
                        None => format!("{} statement {}", statement.policy, statement.index),
                    });
            }
            sample(&mut group.resources, row.resource_arn.unwrap_or_default());
        }
        sample(&mut group.event_ids, call.event_id.unwrap_or_default());
    }

    /// Adds the report of a later part.
    pub(crate) fn merge(&mut self, later: Report) {
        self.files += later.files;
        self.bytes += later.bytes;
        self.set_aside.merge(later.set_aside);
        self.files_rejected += later.files_rejected;
        self.books.records_read += later.books.records_read;
        self.books.decided += later.books.decided;
        self.books.not_evaluated += later.books.not_evaluated;
        self.books.filtered += later.books.filtered;
        self.books.duplicate += later.books.duplicate;
        self.books.rejected += later.books.rejected;
        self.copies += later.copies;
        self.retryable += later.retryable;
        self.differences_not_listed += later.differences_not_listed;
        self.service_linked_differences += later.service_linked_differences;
        self.redecided += later.redecided;
        self.waiting += later.waiting;
        self.resumed_batches += later.resumed_batches;
        self.batches += later.batches;
        self.read_before += later.read_before;
        self.gone += later.gone;
        self.conflicts += later.conflicts;
        self.not_replaced.extend(later.not_replaced);
        sum(&mut self.verdicts, later.verdicts);
        sum(&mut self.reasons, later.reasons);
        sum(&mut self.outcomes, later.outcomes);
        sum(&mut self.undetermined_by, later.undetermined_by);
        sum(&mut self.assumed, later.assumed);
        sum(&mut self.layers_named_by_aws, later.layers_named_by_aws);
        self.unmapped.merge(later.unmapped);
        self.omissions.merge(later.omissions);
        sum(&mut self.rejects, later.rejects);
        sum(&mut self.rows, later.rows);
        for (service, verdicts) in later.services {
            sum(self.services.entry(service).or_default(), verdicts);
        }
        for (key, group) in later.differences {
            self.merge_group(key, group);
        }
    }

    fn merge_group(&mut self, key: GroupKey, later: Group) {
        let full = self.differences.len() >= MAX_GROUPS;
        match self.differences.get_mut(&key) {
            Some(group) => {
                group.calls += later.calls;
                later
                    .resources
                    .iter()
                    .for_each(|resource| sample(&mut group.resources, resource));
                later
                    .event_ids
                    .iter()
                    .for_each(|id| sample(&mut group.event_ids, id));
            }
            None if full => self.differences_not_listed += later.calls,
            None => drop(self.differences.insert(key, later)),
        }
    }
}

fn event_of(call: &DecisionRow<'_>) -> EventKey {
    EventKey {
        event_source: call.event_source.unwrap_or_default().to_owned(),
        event_name: call.event_name.unwrap_or_default().to_owned(),
    }
}

/// What the required requests assume, each once.
fn assumed<'c>(rows: impl Iterator<Item = &'c DecisionRow<'c>>) -> Vec<&'c str> {
    let mut assumed: Vec<&str> = rows
        .filter(|row| row.required == Some(true))
        .flat_map(|row| row.assumes.iter().copied())
        .collect();
    assumed.sort_unstable();
    assumed.dedup();
    assumed
}

/// In one phrase, what an undetermined call waits for.
fn what_would_determine<'c>(
    reason: Option<Reason>,
    rows: impl Iterator<Item = &'c DecisionRow<'c>> + Clone,
) -> String {
    let undetermined = rows.clone().find(|row| {
        row.required == Some(true) && row.decision == Some(Decision::Undetermined.name())
    });
    match (reason, undetermined) {
        (Some(Reason::UnknownKeys), Some(row)) => {
            format!("the value of {}", row.unknown_keys.join(", "))
        }
        (Some(Reason::LayersNotCollected), Some(row)) => {
            let action = row.action.unwrap_or_default();
            let service = action.split(':').next().unwrap_or_default();
            format!(
                "the {} layer of {service}",
                row.unknown_layers.join(" and ")
            )
        }
        (Some(Reason::AllowedUnderAssumption), _) => {
            format!("what was assumed: {}", assumed(rows).join(", "))
        }
        (Some(Reason::GuessedMapping), _) => {
            "a confirmed mapping (the resource or action was guessed)".to_owned()
        }
        (Some(Reason::SpellingsDisagree), _) => "the spelling of the resource's ARN".to_owned(),
        _ => "nothing that a snapshot holds".to_owned(),
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    let full = counts.len() >= MAX_GROUPS;
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None if full => *counts.entry("(others)".to_owned()).or_default() += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

fn sum<K: Ord>(counts: &mut BTreeMap<K, u64>, later: BTreeMap<K, u64>) {
    for (key, count) in later {
        *counts.entry(key).or_default() += count;
    }
}

fn sample(samples: &mut Vec<String>, text: &str) {
    if samples.len() < SAMPLES && !text.is_empty() && !samples.iter().any(|sample| sample == text) {
        samples.push(text.to_owned());
    }
}
