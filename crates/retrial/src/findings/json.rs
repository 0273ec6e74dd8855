//! The findings as the one object that `--format json` prints. Its members are part of the program's
//! interface.

use std::collections::BTreeMap;

use retrial_cloudtrail::Timestamp;
use retrial_replay::{Finding, FindingReport, Hidden, Verdict};
use serde_json::{Map, Value, json};

use super::Subject;

pub(crate) fn object(report: &FindingReport, subject: &Subject<'_>) -> Value {
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    let matrix: Vec<Value> = report
        .matrix
        .iter()
        .map(|((outcome, decision), calls)| {
            json!({"outcome": outcome.name(), "decision": decision.name(), "calls": calls})
        })
        .collect();
    let contradictions: Vec<Value> = report
        .contradictions
        .iter()
        .map(|one| {
            json!({
                "principal_arn": one.principal_arn, "action": one.action, "calls": one.calls,
                "resources": one.resources, "event_ids": one.event_ids,
            })
        })
        .collect();
    let hidden = |is: fn(&Hidden) -> bool| {
        let hidden = report.findings.iter().filter_map(|one| one.hidden.as_ref());
        hidden.filter(|why| is(why)).count()
    };
    let (first, last) = report.window;
    json!({
        "as_of": subject.as_of,
        "snapshot": {
            "id": subject.snapshot.id(), "taken_at": time(subject.snapshot_time),
            "accounts": subject.snapshot.accounts().collect::<Vec<_>>(),
        },
        "min_window_days": subject.min_window,
        "calls": report.calls, "copies": report.copies,
        "first_time": time(first), "last_time": time(last),
        "verdicts": verdicts(&report.verdicts),
        "not_evaluated": report.not_evaluated.iter().map(|(reason, calls)| (reason.name().to_owned(), json!(calls))).collect::<Map<_, _>>(),
        "matrix": matrix,
        "error_rate": {
            "contradicted": report.contradicted(), "compared": report.compared(), "samples": contradictions,
        },
        "undetermined_by": report.undetermined_by,
        "findings": findings,
        "hidden": {
            "service_linked_role": hidden(|why| *why == Hidden::ServiceLinkedRole),
            "excluded": hidden(|why| matches!(why, Hidden::Excluded(_))),
            "expired_exclusions": report.expired_exclusions,
        },
        "administrators": report.administrators,
        "calls_in_no_finding": report.left_out,
        "filtered": report.filtered,
    })
}

fn verdicts(counts: &BTreeMap<Verdict, u64>) -> Map<String, Value> {
    let named = Verdict::ALL.into_iter().map(|verdict| {
        let calls = counts.get(&verdict).copied().unwrap_or_default();
        (verdict.name().to_owned(), json!(calls))
    });
    named.collect()
}

fn finding(finding: &Finding) -> Value {
    json!({
        "finding_id": finding.id(), "kind": finding.kind.name(), "severity": finding.severity.name(),
        "account_id": finding.account_id, "principal_arn": finding.principal_arn,
        "policy": finding.policy, "statement_index": finding.statement_index, "sid": finding.sid,
        "action": finding.action, "resource_arn": finding.resource_arn,
        "cause": finding.cause.map(|cause| cause.name()), "owner": finding.owner,
        "message": finding.message, "remedy": finding.remedy,
        "calls": finding.calls, "first_time": time(finding.first_time), "last_time": time(finding.last_time),
        "days": finding.days, "event_ids": finding.event_ids, "evidence": finding.details,
        "hidden": finding.hidden.as_ref().map(Hidden::text),
    })
}

fn time(micros: Option<i64>) -> Option<String> {
    micros.map(|micros| Timestamp::from_micros(micros).to_iso())
}
