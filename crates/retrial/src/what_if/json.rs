//! What a change would have done, as one JSON object.

use retrial_pipeline::{WhatIfGroup, WhatIfKey, WhatIfReport};
use retrial_replay::{ChangeEffect, OwnedStatement};
use serde_json::{Map, Value, json};

use super::Subject;
use super::text::{by_account, by_policy};

pub(super) fn object(report: &WhatIfReport, subject: &Subject<'_>) -> Value {
    let changes: Vec<Value> = subject
        .changes
        .iter()
        .map(|change| {
            json!({
                "path": change.path, "entry": change.entry.name(), "id": change.id,
                "effect": change.effect.name(), "attached_to": change.concerns,
            })
        })
        .collect();
    let accounts: Vec<Value> = by_account(report)
        .into_iter()
        .map(|(account, counts)| {
            let mut counts = effects(|effect| counts.get(&effect).copied().unwrap_or_default());
            counts.insert("account_id".to_owned(), json!(account));
            Value::Object(counts)
        })
        .collect();
    let policies: Vec<Value> = by_policy(report)
        .into_iter()
        .map(|(policy, broken)| {
            json!({
                "policy": policy, "accounts": broken.accounts, "principals": broken.principals.len(),
                "calls": broken.calls,
            })
        })
        .collect();
    let groups: Vec<Value> = report
        .groups
        .iter()
        .map(|(key, group)| group_object(key, group))
        .collect();
    let table = report
        .as_of
        .as_ref()
        .map(|as_of| json!({"as_of": as_of, "rows": report.rows}));
    json!({
        "snapshot_id": subject.snapshot_id, "changed_snapshot_id": subject.changed_snapshot_id,
        "now": subject.now.map(|now| now.to_iso()), "changes": changes,
        "calls": report.calls, "copies": report.copies, "touched_calls": report.asked,
        "effects": effects(|effect| report.count_of(effect)),
        "accounts": accounts, "organization_policies": policies, "groups": groups,
        "not_listed": report.not_listed, "changed_copies": report.changed_copies, "table": table,
    })
}

fn effects(count: impl Fn(ChangeEffect) -> u64) -> Map<String, Value> {
    let named = ChangeEffect::ALL.map(|effect| (effect.name().to_owned(), json!(count(effect))));
    named.into_iter().collect()
}

fn group_object(key: &WhatIfKey, group: &WhatIfGroup) -> Value {
    json!({
        "effect": key.effect.name(), "account_id": key.account_id, "principal_arn": key.principal_arn,
        "action": key.action, "calls": group.calls, "days": group.days.len(),
        "first_day": group.days.first(), "last_day": group.days.last(),
        "layer": key.layer.map(|layer| layer.name()), "statement": key.statement.as_ref().map(statement),
        "allowed_before": group.allowed_before.as_ref().map(statement),
        "reason": key.reason.map(|reason| reason.name()), "waits_for": group.open,
        "resources": group.resources, "event_ids": group.event_ids,
    })
}

fn statement(statement: &OwnedStatement) -> Value {
    json!({
        "layer": statement.layer.name(), "policy": statement.policy, "index": statement.index,
        "sid": statement.sid, "effect": statement.effect,
    })
}
