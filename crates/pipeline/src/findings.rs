//! The evidence for findings out of an output: its calls, and the recorded writes.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_replay::{
    FindingBasis, FindingEvidence, FindingReport, Gather, RecordedChange, RecordedChanges,
};
use retrial_storage::Store;
use retrial_tables::{ChangeRow, Changes, Decisions, FindingRow, Findings, Table, sort_order};

use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::replay::{Replay, replay_calls};
use crate::stored_file::StoredFile;

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

/// The recorded writes of an output that can explain a difference.
///
/// # Errors
/// Where a committed file cannot be read.
pub fn recorded_changes(
    store: &dyn Store,
    files: &[ManifestFile],
) -> Result<Vec<RecordedChange>, PipelineError> {
    let mut changes = Vec::new();
    let superseded = |file: &&ManifestFile| {
        !files
            .iter()
            .any(|other| other.supersedes.contains(&file.key))
    };
    let of_changes = files
        .iter()
        .filter(|file| file.table == Changes::NAME)
        .filter(superseded);
    for file in of_changes {
        let failed = |cause| PipelineError::Read {
            key: file.key.clone(),
            cause,
        };
        let stored = StoredFile {
            store,
            key: &file.key,
            bytes: file.bytes,
        };
        let reader = stored.table::<Changes>(COLUMNS)?;
        for row_group in 0..reader.row_groups() {
            for batch in reader.batches(row_group).map_err(failed)? {
                batch.map_err(failed)?.with_rows(|rows| {
                    changes.extend(rows.iter().filter(is_evidence).map(recorded));
                });
            }
        }
    }
    Ok(changes)
}

fn is_evidence(row: &&ChangeRow<'_>) -> bool {
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

/// The evidence of all calls of an output.
///
/// # Errors
/// Where a committed file cannot be read.
pub fn finding_evidence<'s>(
    replay: &Replay<'s>,
    basis: FindingBasis<'s>,
) -> Result<FindingEvidence<'s>, PipelineError> {
    let mut evidence = FindingEvidence::new(basis);
    replay_calls(replay, &mut |seen| evidence.see(seen))?;
    Ok(evidence)
}

/// The newest event date of an output's calls.
pub fn newest_event_date(files: &[ManifestFile]) -> Option<&str> {
    files
        .iter()
        .filter(|file| file.table == Decisions::NAME && file.event_date != "unknown")
        .map(|file| file.event_date.as_str())
        .max()
}

/// The rows of the table `findings`, in its order.
pub fn finding_rows<'a>(
    report: &'a FindingReport,
    snapshot_id: &'a str,
    arena: &'a Bump,
) -> Vec<FindingRow<'a>> {
    let row = |finding: &'a retrial_replay::Finding| {
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
            evidence: evidence.into_bump_slice(),
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
