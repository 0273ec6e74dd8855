//! `rejects`: what could not be read.

use crate::column::{Column, column};
use crate::table::Table;

/// The table `rejects`.
#[derive(Debug, Clone, Copy)]
pub struct Rejects;

/// A row of [`Rejects`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct RejectRow<'a> {
    pub log_file: &'a str,
    pub record_index: Option<u64>,
    pub byte_offset: Option<u64>,
    pub event_id: Option<&'a str>,
    pub reason: &'a str,
    pub message: &'a str,
    pub class: &'a str,
    pub bytes: Option<u64>,
}

impl Table for Rejects {
    type Row<'r> = RejectRow<'r>;
    const NAME: &'static str = "rejects";
    const DOC: &'static str = "One file or record that could not be read, and why.";
    const SORTED_BY: &'static [&'static str] = &["log_file", "record_index", "byte_offset"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            text,
            log_file,
            "the log file, relative to the source's root"
        ),
        column!(
            optional_integer,
            record_index,
            "the record's index in it, from 0; null where it is the file"
        ),
        column!(
            optional_integer,
            byte_offset,
            "where in the decompressed file it begins, or reading stopped"
        ),
        column!(
            optional_unique_text,
            event_id,
            "CloudTrail's `eventID`, where it could be read"
        ),
        column!(text, reason, "the kind of fault, as one word"),
        column!(text, message, "the fault in full"),
        column!(
            text,
            class,
            "`permanent` (its content) or `retryable` (access, network): the next run tries again"
        ),
        column!(
            optional_integer,
            bytes,
            "how many decompressed bytes were given up, where known"
        ),
    ];
}
