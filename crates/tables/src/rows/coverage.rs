//! `coverage`: what the trail saw, hour by hour, and where it is blind.

use crate::column::{Column, column};
use crate::table::Table;

/// The table `coverage`.
#[derive(Debug, Clone, Copy)]
pub struct Coverage;

/// A row of [`Coverage`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct CoverageRow<'a> {
    pub account_id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub service: Option<&'a str>,
    pub hour: Option<i64>,
    pub files: u64,
    pub records: u64,
    pub data_events: u64,
    pub digest_state: Option<&'a str>,
}

impl Table for Coverage {
    type Row<'r> = CoverageRow<'r>;
    const NAME: &'static str = "coverage";
    const DOC: &'static str = "One account × region × service × hour. A batch adds its own rows for \
        an hour: sum them.";
    const SORTED_BY: &'static [&'static str] = &["account_id", "region", "service", "hour"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded the calls (`recipientAccountId`)"
        ),
        column!(optional_text, region, "`awsRegion`"),
        column!(optional_text, service, "`eventSource`"),
        column!(
            optional_timestamp,
            hour,
            "the hour of the event times, at its beginning"
        ),
        column!(integer, files, "log files with such records"),
        column!(integer, records, "records"),
        column!(integer, data_events, "data events among them"),
        column!(
            optional_text,
            digest_state,
            "what the digest files say of this hour; null where none was looked at"
        ),
    ];
}
