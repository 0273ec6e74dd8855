//! The findings that are shown, as SARIF 2.1.0, the worst first.
//!
//! GitHub refuses more than 25,000 results in a run and shows the first 5,000
//! (<https://docs.github.com/en/code-security/code-scanning/troubleshooting-sarif-uploads/results-exceed-limit>),
//! so there are no more than those; what is left out is said in the run's properties.

use std::path::Path;

use retrial_replay::{Finding, FindingKind, FindingReport, FindingSeverity};
use serde_json::{Value, json};

use super::Subject;
use crate::lint::uri;
use crate::printer::printable;

const MOST_RESULTS: usize = 5_000;
/// Characters of a message: the file may have 10 MB, compressed.
const LONGEST_MESSAGE: usize = 1_000;

pub(crate) fn log(report: &FindingReport, subject: &Subject<'_>) -> Value {
    let rules: Vec<Value> = FindingKind::ALL
        .iter()
        .map(|kind| json!({"id": kind.name(), "shortDescription": {"text": kind.summary()}}))
        .collect();
    let shown: Vec<&Finding> = report.shown().collect();
    let results: Vec<Value> = shown
        .iter()
        .take(MOST_RESULTS)
        .map(|finding| result(finding, subject.iam))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "retrial", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {
                "asOf": subject.as_of,
                "findings": shown.len(),
                "leftOut": shown.len().saturating_sub(MOST_RESULTS),
                "contradicted": report.contradicted(),
                "compared": report.compared(),
            },
        }],
    })
}

fn result(finding: &Finding, iam: &Path) -> Value {
    let rule_index = FindingKind::ALL
        .iter()
        .position(|kind| *kind == finding.kind);
    let id = finding.id();
    let mut message = plain(&format!("{}. {}", finding.message, finding.remedy));
    if let Some((cut, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(cut);
    }
    let about = [&finding.policy, &finding.principal_arn];
    let logical: Vec<Value> = about
        .into_iter()
        .flatten()
        .map(|name| json!({"fullyQualifiedName": printable(name)}))
        .collect();
    json!({
        "ruleId": finding.kind.name(), "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": {"text": message},
        "locations": [{
            // Findings are about policies; the snapshot is the file that has them.
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&iam.display().to_string())},
                "region": {"startLine": 1},
            },
            "logicalLocations": logical,
        }],
        "partialFingerprints": {"primaryLocationLineHash": format!("{id}:1"), "retrialFindingId/v1": id},
        "properties": {"severity": finding.severity.name(), "calls": finding.calls, "owner": finding.owner},
    })
}

/// Text that others wrote, so that it holds no link (`[text](target)`) and drives no viewer.
fn plain(text: &str) -> String {
    let printable = printable(text).replace('\\', "\\\\");
    printable.replace('[', "\\[").replace(']', "\\]")
}

fn level(severity: FindingSeverity) -> &'static str {
    match severity {
        FindingSeverity::High => "error",
        FindingSeverity::Medium => "warning",
        FindingSeverity::Low | FindingSeverity::Information => "note",
    }
}
