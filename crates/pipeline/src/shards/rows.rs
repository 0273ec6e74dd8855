//! Rows of the shards' tables, taken over.

use std::collections::BTreeSet;

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_iam::Decision;
use retrial_replay::{Outcome, Reason, Verdict};
use retrial_storage::Store;
use retrial_tables::{
    Changes, DecisionRow, Decisions, Needs, Rejects, Sessions, Table, TableReader, copy_row,
};

use crate::analyze::PipelineError;
use crate::dates::{Dated, EventDate};
use crate::manifest::ManifestFile;
use crate::plan::{day_number, parse_delivery_date};
use crate::report::{CallFacts, Report};
use crate::stored_file::StoredFile;

/// A table whose rows are of a log file.
pub(super) trait OfLogFile: Table {
    /// The log file.
    fn log_file<'r>(row: &Self::Row<'r>) -> &'r str;
}

macro_rules! of_log_file {
    ($($table:ty),*) => {$(
        impl OfLogFile for $table {
            fn log_file<'r>(row: &Self::Row<'r>) -> &'r str {
                row.log_file
            }
        }
    )*};
}

of_log_file!(Decisions, Sessions, Changes, Needs, Rejects);

/// A row group of a shard's file.
pub(super) struct RowGroup<'r, T: Table> {
    reader: std::sync::Arc<TableReader<T, StoredFile<'r>>>,
    key: &'r str,
    date: EventDate,
    number: usize,
}

/// What a report counts of a call.
pub(super) const COUNTED: &[&str] = &[
    "event_id",
    "event_source",
    "event_name",
    "principal_arn",
    "denied_layer",
    "action",
    "resource_arn",
    "required",
    "outcome",
    "decision",
    "call_decision",
    "verdict",
    "reason",
    "layer",
    "determined_by",
    "unknown_keys",
    "unknown_layers",
    "assumes",
    "copy",
    "log_file",
    "record_index",
];

/// The row groups of a file: these columns of them, or all.
pub(super) fn row_groups<'r, T: Table>(
    store: &'r dyn Store,
    file: &'r ManifestFile,
    columns: Option<&[&str]>,
) -> Result<Vec<RowGroup<'r, T>>, PipelineError> {
    let stored = StoredFile {
        store,
        key: &file.key,
        bytes: file.bytes,
    };
    let failed = |cause| PipelineError::Read {
        key: file.key.clone(),
        cause,
    };
    let mut reader = TableReader::open(stored).map_err(failed)?;
    if let Some(columns) = columns {
        reader = reader.with_columns(columns).map_err(failed)?;
    }
    let reader = std::sync::Arc::new(reader);
    let date = parse_delivery_date(&file.event_date).flatten();
    let groups = (0..reader.row_groups()).map(|number| RowGroup {
        reader: std::sync::Arc::clone(&reader),
        key: &file.key,
        date: date.map(day_number),
        number,
    });
    Ok(groups.collect())
}

/// The rows of some row groups but for those of some log files, each group's in its arena.
pub(super) fn read<'a, T: OfLogFile>(
    groups: &[RowGroup<'_, T>],
    without: &BTreeSet<&str>,
    arenas: &'a mut [Bump],
) -> Result<Vec<Vec<Dated<T::Row<'a>>>>, PipelineError>
where
    for<'r> T::Row<'r>: Send,
{
    groups
        .par_iter()
        .zip(arenas.par_iter_mut())
        .map(|(group, arena)| {
            let arena: &'a Bump = arena;
            let failed = |cause| PipelineError::Read {
                key: group.key.to_owned(),
                cause,
            };
            let mut rows = Vec::new();
            for batch in group.reader.batches(group.number).map_err(failed)? {
                batch.map_err(failed)?.with_rows(|batch| {
                    let kept = batch
                        .iter()
                        .filter(|row| !without.contains(T::log_file(row)));
                    rows.extend(kept.map(|row| (group.date, *copy_row::<T>(row, arena))));
                });
            }
            Ok(rows)
        })
        .collect()
}

/// Counts calls by their rows in `decisions`, which stand side by side.
#[derive(Default)]
pub(super) struct Counter {
    /// The last call that was counted.
    last: Option<(String, u64)>,
}

impl Counter {
    /// Counts the calls of a row group.
    pub(super) fn count(
        &mut self,
        rows: &[Dated<DecisionRow<'_>>],
        report: &mut Report,
    ) -> Result<(), PipelineError> {
        let same = |(_, a): &Dated<DecisionRow<'_>>, (_, b): &Dated<DecisionRow<'_>>| {
            a.record_index == b.record_index && a.log_file == b.log_file
        };
        for call in rows.chunk_by(same) {
            let Some((_, row)) = call.first() else {
                continue;
            };
            // A file's row group may have ended in the middle of a call.
            let is_last = self.last.as_ref().is_some_and(|(log_file, record_index)| {
                log_file == row.log_file && *record_index == row.record_index
            });
            if !is_last {
                report.count(facts(row)?, call);
            }
        }
        if let Some((_, row)) = rows.last() {
            self.last = Some((row.log_file.to_owned(), row.record_index));
        }
        Ok(())
    }
}

/// What a call came to. What its record left out is not in its rows.
fn facts(row: &DecisionRow<'_>) -> Result<CallFacts, PipelineError> {
    let unknown = |column: &str, name: &str| PipelineError::Damaged {
        key: row.log_file.to_owned(),
        place: format!("record {}", row.record_index),
        cause: format!("`{name}` is no {column}"),
    };
    Ok(CallFacts {
        outcome: Outcome::of_name(row.outcome).ok_or_else(|| unknown("outcome", row.outcome))?,
        decision: match row.call_decision {
            Some(name) => Some(Decision::of_name(name).ok_or_else(|| unknown("decision", name))?),
            None => None,
        },
        verdict: Verdict::of_name(row.verdict).ok_or_else(|| unknown("verdict", row.verdict))?,
        reason: match row.reason {
            Some(name) => Some(Reason::of_name(name).ok_or_else(|| unknown("reason", name))?),
            None => None,
        },
        omission: None,
    })
}
