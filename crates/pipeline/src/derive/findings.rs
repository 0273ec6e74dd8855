//! Findings: the recorded writes that explain differences, and the rows of the table.

use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_replay::{
    DeadStatement, Exclusions, Finding, FindingReport, RecordedChange, RecordedChanges,
};
use retrial_tables::{
    ChangeRow, Changes, FindingRow, Findings, TextListMap, row_bytes, sort_order,
};

use super::pass::Source;
use super::write::{AsOfFile, AsOfWriter};
use crate::analyze::PipelineError;
use crate::scratch::Scratch;

/// The columns that a recorded write is told by.
const COLUMNS: &[&str] = &[
    "event_id",
    "event_time",
    "account_id",
    "event_name",
    "outcome",
    "kind",
    "target_arn",
    "policy_arn",
    "policy_name",
];

/// What findings are derived by, beside what permissions are.
#[derive(Debug, Clone, Default)]
pub struct FindingOptions {
    /// When the snapshot was taken, in microseconds since the epoch, where known.
    pub snapshot_time: Option<i64>,
    /// The keys of the tag that names a principal's owner.
    pub owner_tags: Vec<String>,
    /// Statements of the snapshot that can apply to no request.
    pub dead_statements: Vec<DeadStatement>,
    /// What reports are not to show.
    pub exclusions: Arc<Exclusions>,
}

/// The recorded writes of the window that can explain a difference.
pub(super) fn recorded_changes(
    source: &Source<'_>,
    snapshot_time: Option<i64>,
) -> Result<RecordedChanges, PipelineError> {
    let mut changes = Vec::new();
    source.each_row::<Changes>(COLUMNS, &mut |row| {
        if is_evidence(row) {
            changes.push(recorded(row));
        }
    })?;
    Ok(RecordedChanges::new(changes, snapshot_time))
}

fn is_evidence(row: &ChangeRow<'_>) -> bool {
    row.outcome == "succeeded" && RecordedChanges::is_evidence(row.kind)
}

fn recorded(row: &ChangeRow<'_>) -> RecordedChange {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    RecordedChange {
        event_id: owned(row.event_id),
        event_time: row.event_time,
        account_id: owned(row.account_id),
        event_name: owned(row.event_name),
        kind: row.kind.to_owned(),
        target: owned(row.target_arn),
        policy_arn: owned(row.policy_arn),
        policy_name: owned(row.policy_name),
    }
}

/// What the findings of a row group come to, about: evidence is long, and a column is encoded, and compressed,
/// in one piece.
const ROW_GROUP_BYTES: usize = 4 << 20;

/// The rows of the table `findings`, in its order.
fn finding_rows<'a>(
    report: &'a FindingReport,
    snapshot_id: &'a str,
    arena: &'a Bump,
) -> Vec<FindingRow<'a>> {
    let row = |finding: &'a Finding| {
        let texts = |texts: &'a [String]| -> &'a [&'a str] {
            arena.alloc_slice_fill_iter(texts.iter().map(String::as_str))
        };
        let mut evidence = BumpVec::with_capacity_in(finding.details.len(), arena);
        for (name, entries) in &finding.details {
            evidence.push((*name, texts(entries)));
        }
        FindingRow {
            finding_id: arena.alloc_str(&finding.id()),
            kind: finding.kind.name(),
            severity: finding.severity.name(),
            account_id: finding.account_id.as_deref(),
            principal_arn: finding.principal_arn.as_deref(),
            policy: finding.policy.as_deref(),
            statement_index: finding.statement_index.map(u64::from),
            sid: finding.sid.as_deref(),
            action: finding.action.as_deref(),
            resource_arn: finding.resource_arn.as_deref(),
            cause: finding.cause.map(|cause| cause.name()),
            owner: finding.owner.as_deref(),
            message: &finding.message,
            remedy: &finding.remedy,
            calls: finding.calls,
            first_time: finding.first_time,
            last_time: finding.last_time,
            days: finding.days,
            event_ids: texts(&finding.event_ids),
            evidence: TextListMap::Pairs(evidence.into_bump_slice()),
            hidden: finding
                .hidden
                .as_ref()
                .map(|hidden| &*arena.alloc_str(&hidden.text())),
            snapshot_id,
        }
    };
    let mut rows: Vec<FindingRow<'a>> = report.findings.iter().map(row).collect();
    #[expect(
        clippy::redundant_closure,
        reason = "the function alone wants both rows to live equally long"
    )]
    rows.sort_by(|left, right| sort_order::<Findings>(left, right));
    rows
}

/// Writes the table.
pub(super) fn write(
    report: &FindingReport,
    snapshot_id: &str,
    scratch: &Scratch,
) -> Result<AsOfFile, PipelineError> {
    let arena = Bump::new();
    let mut writer = AsOfWriter::<Findings>::new(scratch)?;
    let mut bytes = 0;
    for row in finding_rows(report, snapshot_id, &arena) {
        bytes += row_bytes::<Findings>(&row);
        writer.add(row)?;
        if bytes >= ROW_GROUP_BYTES {
            writer.end_row_group()?;
            bytes = 0;
        }
    }
    writer.finish()
}
