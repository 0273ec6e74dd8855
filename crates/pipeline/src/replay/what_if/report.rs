//! What a change would have done, counted.

use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::Timestamp;
use retrial_iam::Layer;
use retrial_replay::{ChangeEffect, OwnedStatement, Reason};

use super::changed_call::{ChangedCall, OpenCall};
use crate::dates::{date_name, event_date};
use crate::report::MAX_GROUPS;

/// Sample resources and event ids that a group keeps.
const SAMPLES: usize = 3;
/// Keys and layers that a group names.
const MAX_OPEN: usize = 8;
/// Days that a group counts: whoever made the calls wrote their times.
const MAX_DAYS: usize = 4_000;

/// Calls of one principal and action that a change does the same to, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WhatIfKey {
    /// What the change does to them.
    pub effect: ChangeEffect,
    /// The caller's account; empty where the record does not show it.
    pub account_id: String,
    /// The principal; empty where the record does not show it.
    pub principal_arn: String,
    /// The action that is decided otherwise.
    pub action: String,
    /// The layer that blocks it with the change.
    pub layer: Option<Layer>,
    /// The statement that decides it with the change.
    pub statement: Option<OwnedStatement>,
    /// Why they are undetermined or not evaluated with the change.
    pub reason: Option<Reason>,
}

/// What is kept of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIfGroup {
    /// How many.
    pub calls: u64,
    /// The days of the calls, as `2026-11-02`.
    pub days: BTreeSet<String>,
    /// The statement that allowed the first of them without the change.
    pub allowed_before: Option<OwnedStatement>,
    /// Condition keys and layers that would determine what is undetermined.
    pub open: BTreeSet<String>,
    /// Some of the resources.
    pub resources: Vec<String>,
    /// Some of the calls' event ids.
    pub event_ids: Vec<String>,
}

/// What a change would have done. Reports of parts add up, in the order of the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIfReport {
    /// Calls of the window.
    pub calls: u64,
    /// Those among them that are resource owners' copies of other accounts' calls.
    pub copies: u64,
    /// Calls that the change could touch, and were therefore asked for.
    pub asked: u64,
    /// Calls that differ, by what the change does to them; copies apart.
    pub effects: BTreeMap<ChangeEffect, u64>,
    /// Copies that differ: the caller's account has the call too.
    pub changed_copies: u64,
    /// The calls that differ, copies apart.
    pub groups: BTreeMap<WhatIfKey, WhatIfGroup>,
    /// Such calls beyond [`MAX_GROUPS`] groups.
    pub not_listed: u64,
    /// Rows written to `what_if`; `None` where the table was not asked for.
    pub rows: Option<u64>,
    /// The folder they are in.
    pub as_of: Option<String>,
}

impl WhatIfReport {
    /// Calls that the change does this to.
    pub fn count_of(&self, effect: ChangeEffect) -> u64 {
        self.effects.get(&effect).copied().unwrap_or_default()
    }

    /// Counts a call whose rows are all here; gives it where it differs.
    pub(super) fn see(&mut self, open: OpenCall) -> Option<ChangedCall> {
        self.calls += 1;
        self.copies += u64::from(open.call.copy);
        if !open.is_touched() {
            return None;
        }
        self.asked += 1;
        let changed = open.close()?;
        self.count(&changed);
        Some(changed)
    }

    pub(super) fn count(&mut self, call: &ChangedCall) {
        if call.copy {
            self.changed_copies += 1;
            return;
        }
        *self.effects.entry(call.effect).or_default() += 1;
        self.add_group(key(call), group(call));
    }

    pub(super) fn merge(&mut self, later: WhatIfReport) {
        self.calls += later.calls;
        self.copies += later.copies;
        self.asked += later.asked;
        self.changed_copies += later.changed_copies;
        self.not_listed += later.not_listed;
        for (effect, calls) in later.effects {
            *self.effects.entry(effect).or_default() += calls;
        }
        for (key, group) in later.groups {
            self.add_group(key, group);
        }
    }

    fn add_group(&mut self, key: WhatIfKey, later: WhatIfGroup) {
        let full = self.groups.len() >= MAX_GROUPS;
        match self.groups.get_mut(&key) {
            Some(group) => group.merge(later),
            None if full => self.not_listed += later.calls,
            None => drop(self.groups.insert(key, later)),
        }
    }
}

impl WhatIfGroup {
    fn merge(&mut self, later: WhatIfGroup) {
        self.calls += later.calls;
        for day in later.days {
            if self.days.len() < MAX_DAYS {
                self.days.insert(day);
            }
        }
        self.allowed_before = self.allowed_before.take().or(later.allowed_before);
        for open in later.open {
            if self.open.len() < MAX_OPEN {
                self.open.insert(open);
            }
        }
        for resource in &later.resources {
            sample(&mut self.resources, resource);
        }
        for event_id in &later.event_ids {
            sample(&mut self.event_ids, event_id);
        }
    }
}

fn key(call: &ChangedCall) -> WhatIfKey {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let principal = call.principal_arn.as_deref();
    let in_arn = principal.and_then(|arn| arn.split(':').nth(4));
    let account = call.caller_account_id.as_deref().or(in_arn);
    let grounds = call.grounds.as_deref();
    let wanted = match call.effect {
        ChangeEffect::NewlyDenied => Some("Deny"),
        ChangeEffect::NewlyAllowed | ChangeEffect::NoLongerDenied => Some("Allow"),
        _ => None,
    };
    let statement = grounds.and_then(|grounds| {
        let mut statements = grounds.determined_by.iter();
        statements.find(|statement| Some(statement.effect) == wanted)
    });
    WhatIfKey {
        effect: call.effect,
        account_id: text(account.or(call.account_id.as_deref())),
        principal_arn: text(principal),
        action: text(call.action.as_deref().or(call.event_name.as_deref())),
        layer: grounds.and_then(|grounds| grounds.layer),
        statement: statement.cloned(),
        reason: call.answers.and_then(|(_, after)| after.reason),
    }
}

fn group(call: &ChangedCall) -> WhatIfGroup {
    let mut group = WhatIfGroup {
        calls: 1,
        days: event_date(call.event_time.map(Timestamp::from_micros))
            .map(|day| date_name(Some(day)))
            .into_iter()
            .collect(),
        ..WhatIfGroup::default()
    };
    if let Some(grounds) = call.grounds.as_deref() {
        let mut before = grounds.determined_by_before.iter();
        group.allowed_before = before
            .find(|statement| statement.effect == "Allow")
            .cloned();
        let keys = grounds
            .unknown_keys
            .iter()
            .map(|key| format!("the value of {key}"));
        let layers = grounds.unknown_layers.iter();
        let layers = layers.map(|layer| format!("the {} layer", layer.name()));
        let assumed = grounds
            .assumes
            .iter()
            .map(|it| format!("what was assumed: {it}"));
        let all = keys
            .chain(layers)
            .chain(assumed.filter(|_| call.effect == ChangeEffect::NewlyUndetermined));
        group.open = all.take(MAX_OPEN).collect();
    }
    sample(
        &mut group.resources,
        call.resource_arn.as_deref().unwrap_or_default(),
    );
    sample(
        &mut group.event_ids,
        call.event_id.as_deref().unwrap_or_default(),
    );
    group
}

fn sample(samples: &mut Vec<String>, text: &str) {
    if samples.len() < SAMPLES && !text.is_empty() && !samples.iter().any(|sample| sample == text) {
        samples.push(text.to_owned());
    }
}
