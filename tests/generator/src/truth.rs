//! What the program must find, stated by who made the record, never computed from policies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::record::{Caller, Draft};

/// What is to be said of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expect {
    pub(crate) verdict: &'static str,
    /// Why it is not evaluated, or undetermined.
    pub(crate) reason: Option<&'static str>,
}

pub(crate) const AGREES: Expect = Expect {
    verdict: "agrees",
    reason: None,
};
pub(crate) const WOULD_BE_DENIED: Expect = Expect {
    verdict: "would_be_denied",
    reason: None,
};
pub(crate) const WOULD_BE_ALLOWED: Expect = Expect {
    verdict: "would_be_allowed",
    reason: None,
};
pub(crate) const NOT_COMPARABLE: Expect = Expect {
    verdict: "not_comparable",
    reason: None,
};
pub(crate) const LAYERS_NOT_COLLECTED: Expect = undetermined("layers_not_collected");
pub(crate) const UNKNOWN_KEYS: Expect = undetermined("unknown_keys");
pub(crate) const UNDER_ASSUMPTION: Expect = undetermined("allowed_under_assumption");
pub(crate) const SERVICE: Expect = not_evaluated("service_principal");
pub(crate) const DELETED: Expect = not_evaluated("principal_deleted");
pub(crate) const RECREATED: Expect = not_evaluated("principal_recreated");
pub(crate) const NOT_IN_SNAPSHOT: Expect = not_evaluated("principal_not_in_snapshot");
pub(crate) const NOT_SHOWN: Expect = not_evaluated("caller_not_shown");
pub(crate) const NOT_AN_ACTION: Expect = not_evaluated("not_an_iam_action");
pub(crate) const UNMAPPED: Expect = not_evaluated("unmapped");
pub(crate) const ADDENDUM: Expect = not_evaluated("addendum");
pub(crate) const NO_PERMISSION: Expect = not_evaluated("no_permission_needed");
pub(crate) const NOTHING_REQUIRED: Expect = not_evaluated("no_required_request");

const fn undetermined(reason: &'static str) -> Expect {
    Expect {
        verdict: "undetermined",
        reason: Some(reason),
    }
}

const fn not_evaluated(reason: &'static str) -> Expect {
    Expect {
        verdict: "not_evaluated",
        reason: Some(reason),
    }
}

const VERDICTS: [&str; 6] = [
    "agrees",
    "would_be_denied",
    "would_be_allowed",
    "undetermined",
    "not_comparable",
    "not_evaluated",
];

/// Source, name, outcome, expectation.
type EventKey = (&'static str, &'static str, &'static str, Expect);

/// Counts of what was written.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    by_event: BTreeMap<EventKey, u64>,
    by_principal: BTreeMap<(String, &'static str), u64>,
    /// Records that came again and count no more than once.
    duplicate: u64,
    /// Records that are kept though their event id was seen with another body.
    conflicting: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, caller: &Caller, draft: &Draft, expect: Expect) {
        self.count_event(draft, expect);
        if let Some(arn) = &caller.principal_arn {
            *self
                .by_principal
                .entry((arn.clone(), expect.verdict))
                .or_default() += 1;
        }
    }

    /// Without the principal: a corpus has too many.
    pub(crate) fn count_event(&mut self, draft: &Draft, expect: Expect) {
        *self
            .by_event
            .entry((draft.source, draft.name, draft.outcome(), expect))
            .or_default() += 1;
    }

    pub(crate) fn duplicate(&mut self) {
        self.duplicate += 1;
    }

    pub(crate) fn conflicting(&mut self) {
        self.conflicting += 1;
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.duplicate += other.duplicate;
        self.conflicting += other.conflicting;
        for (key, calls) in &other.by_event {
            *self.by_event.entry(*key).or_default() += calls;
        }
        for (key, calls) in &other.by_principal {
            *self.by_principal.entry(key.clone()).or_default() += calls;
        }
    }

    /// All that were written, duplicates too.
    pub(crate) fn records(&self) -> u64 {
        self.kept() + self.duplicate
    }

    fn kept(&self) -> u64 {
        self.by_event.values().sum()
    }

    fn sums<'k>(
        &'k self,
        name: impl Fn(&'k EventKey) -> Option<&'static str>,
    ) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        for (key, calls) in &self.by_event {
            if let Some(name) = name(key) {
                *sums.entry(name).or_default() += calls;
            }
        }
        sums
    }

    /// The members `books`, `duplicates`, `verdicts`, `reasons`, `by_event` and `by_principal` of a truth file.
    pub(crate) fn json(&self) -> serde_json::Map<String, Value> {
        let mut verdicts = self.sums(|(_, _, _, expect)| Some(expect.verdict));
        for verdict in VERDICTS {
            verdicts.entry(verdict).or_default();
        }
        let not_evaluated = verdicts["not_evaluated"];
        let books = json!({
            "records_read": self.records(), "decided": self.kept() - not_evaluated, "not_evaluated": not_evaluated,
            "filtered": 0, "duplicate": self.duplicate, "rejected": 0,
        });
        let by_event: Vec<Value> = self.by_event.iter().map(event_row).collect();
        let by_principal: Vec<Value> = self
            .by_principal
            .iter()
            .map(|((arn, verdict), calls)| json!({"principal_arn": arn, "verdict": verdict, "calls": calls}))
            .collect();
        let mut members = serde_json::Map::new();
        members.insert("books".into(), books);
        members.insert(
            "duplicates".into(),
            json!({"kept": self.kept(), "duplicate": self.duplicate, "conflicting": self.conflicting}),
        );
        members.insert("verdicts".into(), json!(verdicts));
        members.insert(
            "reasons".into(),
            json!(self.sums(|(_, _, _, expect)| expect.reason)),
        );
        members.insert(
            "outcomes".into(),
            json!(self.sums(|(_, _, outcome, _)| Some(*outcome))),
        );
        members.insert("by_event".into(), json!(by_event));
        if !by_principal.is_empty() {
            members.insert("by_principal".into(), json!(by_principal));
        }
        members
    }
}

fn event_row(((source, name, outcome, expect), calls): (&EventKey, &u64)) -> Value {
    json!({
        "event_source": format!("{source}.amazonaws.com"), "event_name": name, "outcome": outcome,
        "verdict": expect.verdict, "reason": expect.reason, "calls": calls,
    })
}
