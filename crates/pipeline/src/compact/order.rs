//! How the rows of each table are merged: what comes first of those that are equal in the table's own
//! order, and what becomes one row.

use std::cmp::Ordering;

use retrial_tables::{
    ChangeRow, Changes, Coverage, CoverageRow, DecisionRow, Decisions, NeedRow, Needs, RejectRow,
    Rejects, SessionRow, Sessions, Table, Usage, UsageRow,
};

use crate::plan::PlannedFile;

/// A table whose files can be merged.
///
/// With [`Merged::tie`] the order of the rows follows from the rows: what is left equal is of one record,
/// and stays in the order that it has. It is the order that batches write: a row group is sorted, and of
/// equal rows those come first that the plan has first.
pub(super) trait Merged: Table {
    /// The order of rows that are equal in the table's.
    fn tie<'r>(a: &'r Self::Row<'r>, b: &'r Self::Row<'r>) -> Ordering;

    /// The row that neighbours become which count the same; `None` where they do not.
    fn sum<'r>(_a: &'r Self::Row<'r>, _b: &'r Self::Row<'r>) -> Option<Self::Row<'r>> {
        None
    }
}

/// Where a record is in the plan, as far as its log file's name tells.
fn by_place((file_a, index_a): (&str, u64), (file_b, index_b): (&str, u64)) -> Ordering {
    if file_a == file_b {
        return index_a.cmp(&index_b);
    }
    let planned = |file: &str| PlannedFile::new(0, file.to_owned(), 0);
    let (a, b) = (planned(file_a), planned(file_b));
    a.order().cmp(&b.order())
}

macro_rules! by_record {
    ($($table:ty, $row:ident;)*) => {$(
        impl Merged for $table {
            fn tie<'r>(a: &'r $row<'r>, b: &'r $row<'r>) -> Ordering {
                by_place((a.log_file, a.record_index), (b.log_file, b.record_index))
            }
        }
    )*};
}

by_record! {
    Decisions, DecisionRow;
    Sessions, SessionRow;
    Needs, NeedRow;
    Changes, ChangeRow;
}

impl Merged for Rejects {
    /// Its own order is that of the places.
    fn tie<'r>(a: &'r RejectRow<'r>, b: &'r RejectRow<'r>) -> Ordering {
        (a.event_id, a.reason, a.message, a.class, a.bytes)
            .cmp(&(b.event_id, b.reason, b.message, b.class, b.bytes))
    }
}

impl Merged for Usage {
    fn tie<'r>(a: &'r UsageRow<'r>, b: &'r UsageRow<'r>) -> Ordering {
        a.principal_type.cmp(&b.principal_type)
    }

    fn sum<'r>(a: &'r UsageRow<'r>, b: &'r UsageRow<'r>) -> Option<UsageRow<'r>> {
        let key = |row: &UsageRow<'r>| {
            (
                row.account_id,
                row.principal_arn,
                row.action,
                row.resource_arn,
                row.required,
                row.principal_type,
            )
        };
        // As in the query of the table: the least time, then the least id, null last.
        let first = |row: &UsageRow<'r>| {
            let (time, id) = (row.first_time, row.event_id);
            (time.is_none(), time, id.is_none(), id)
        };
        let earlier = if first(b) < first(a) { b } else { a };
        (key(a) == key(b)).then(|| UsageRow {
            calls: a.calls.saturating_add(b.calls),
            succeeded: a.succeeded.saturating_add(b.succeeded),
            denied: a.denied.saturating_add(b.denied),
            failed_after_authorization: a
                .failed_after_authorization
                .saturating_add(b.failed_after_authorization),
            failed: a.failed.saturating_add(b.failed),
            first_time: earlier.first_time,
            last_time: a.last_time.max(b.last_time),
            event_id: earlier.event_id,
            ..*a
        })
    }
}

impl Merged for Coverage {
    fn tie<'r>(a: &'r CoverageRow<'r>, b: &'r CoverageRow<'r>) -> Ordering {
        a.digest_state.cmp(&b.digest_state)
    }

    /// A log file is of one batch: the files add up.
    fn sum<'r>(a: &'r CoverageRow<'r>, b: &'r CoverageRow<'r>) -> Option<CoverageRow<'r>> {
        let key = |row: &CoverageRow<'r>| {
            (
                row.account_id,
                row.region,
                row.service,
                row.hour,
                row.digest_state,
            )
        };
        (key(a) == key(b)).then(|| CoverageRow {
            files: a.files.saturating_add(b.files),
            records: a.records.saturating_add(b.records),
            data_events: a.data_events.saturating_add(b.data_events),
            ..*a
        })
    }
}
