//! A report as the one object that `--format json` prints. Its members are part of the program's
//! interface.

use std::collections::BTreeMap;

use retrial_pipeline::{Group, GroupKey, Report};
use retrial_replay::{FindingSeverity, PermissionState, Verdict};
use serde_json::{Map, Value, json};

use crate::summary::Subject;

/// The object; `what_if` is what came of the change that was tried behind the run, if any was.
pub(crate) fn object(report: &Report, subject: &Subject<'_>, what_if: Option<Value>) -> Value {
    let books = &report.books;
    let by_name = |counts: &BTreeMap<Verdict, u64>| -> Map<String, Value> {
        Verdict::ALL
            .into_iter()
            .map(|verdict| {
                (
                    verdict.name().to_owned(),
                    json!(counts.get(&verdict).copied().unwrap_or(0)),
                )
            })
            .collect()
    };
    let reasons = |wanted: Verdict| -> Map<String, Value> {
        report
            .reasons
            .iter()
            .filter(|((verdict, _), _)| *verdict == wanted)
            .map(|((_, reason), count)| (reason.name().to_owned(), json!(count)))
            .collect()
    };
    let differences: Vec<Value> = report
        .differences
        .iter()
        .map(|(key, group)| difference(key, group))
        .collect();
    let outcomes: Vec<Value> = report
        .outcomes
        .iter()
        .map(|((outcome, decision), calls)| json!({"outcome": outcome.name(), "decision": decision.name(), "calls": calls}))
        .collect();
    let unmapped: Vec<Value> =
        report.unmapped.listed().map(|(event, records)| json!({"event_source": event.event_source, "event_name": event.event_name, "records": records})).collect();
    let omissions: Vec<Value> = report
        .omissions
        .listed()
        .map(|(key, records)| {
            json!({
                "principal_arn": key.principal_arn, "event_source": key.event.event_source, "event_name": key.event.event_name,
                "omission": key.omission.name(), "records": records,
            })
        })
        .collect();
    json!({
        "books": {
            "records_read": books.records_read, "decided": books.decided, "not_evaluated": books.not_evaluated,
            "filtered": books.filtered, "duplicate": books.duplicate, "rejected": books.rejected,
        },
        "verdicts": by_name(&report.verdicts),
        "not_evaluated": reasons(Verdict::NotEvaluated),
        "undetermined": reasons(Verdict::Undetermined),
        "undetermined_by": report.undetermined_by,
        "outcomes": outcomes,
        "services": report.services.iter().map(|(service, counts)| (service.clone(), Value::Object(by_name(counts)))).collect::<Map<_, _>>(),
        "differences": differences,
        "differences_not_listed": report.differences_not_listed,
        "service_linked_differences": report.service_linked_differences,
        "assumed": report.assumed,
        "layers_named_by_aws": report.layers_named_by_aws,
        "unmapped": unmapped,
        "unmapped_not_listed": report.unmapped.not_listed(),
        "unmapped_records": report.unmapped.total(),
        "omissions": omissions,
        "omissions_not_listed": report.omissions.not_listed(),
        "copies": report.copies,
        "rejects": report.rejects,
        "retryable_rejects": report.retryable,
        "files": {
            "read": report.files, "bytes": report.bytes, "rejected": report.files_rejected,
            "set_aside": {
                "digest": report.set_aside.digest, "insight": report.set_aside.insight,
                "notification": report.set_aside.notification, "other": report.set_aside.other,
            },
        },
        "conflicts": report.conflicts,
        "waiting": report.waiting,
        "redecided": report.redecided,
        "resumed_batches": report.resumed_batches,
        "batches": report.batches,
        "files_read_before": report.read_before,
        "files_gone": report.gone,
        "not_replaced": report.not_replaced.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "rows": report.rows,
        "permissions": permissions(report),
        "findings": findings(report),
        "snapshot": {"id": subject.snapshot.id(), "taken_at": subject.snapshot.taken_at(), "accounts": subject.snapshot.accounts().collect::<Vec<_>>()},
        "mapping_version": subject.mapping_version,
        "what_if": what_if,
    })
}

/// Actions of all principals, by state; null where nothing was derived.
fn permissions(report: &Report) -> Value {
    let Some(as_of) = &report.derived.as_of else {
        return Value::Null;
    };
    let states = PermissionState::ALL.map(|state| {
        let actions = report.derived.permissions.get(&state);
        (state.name().to_owned(), json!(actions.unwrap_or(&0)))
    });
    json!({"as_of": as_of, "states": states.into_iter().collect::<Map<_, _>>()})
}

/// How many findings are shown, by severity; null where nothing was derived.
fn findings(report: &Report) -> Value {
    let Some(as_of) = &report.derived.as_of else {
        return Value::Null;
    };
    let findings = &report.derived.findings;
    let severities = FindingSeverity::ALL.map(|severity| {
        let of_severity = findings.shown().filter(|one| one.severity == severity);
        (severity.name().to_owned(), json!(of_severity.count()))
    });
    let hidden = findings.findings.len() - findings.shown().count();
    json!({
        "as_of": as_of, "severities": severities.into_iter().collect::<Map<_, _>>(), "hidden": hidden,
        "compared": findings.compared(), "contradicted": findings.contradicted(),
    })
}

fn difference(key: &GroupKey, group: &Group) -> Value {
    json!({
        "verdict": key.verdict.name(), "principal_arn": key.principal_arn, "action": key.action, "calls": group.calls,
        "layer": group.layer, "statement": group.statement, "resources": group.resources, "event_ids": group.event_ids,
    })
}
