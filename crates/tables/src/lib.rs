//! What Retrial writes: the columns of every table, and Parquet.
//!
//! A [`Table`] ([`Decisions`], [`Changes`], …) has a plain, borrowed row ([`DecisionRow`], …) and one
//! list of [`Column`]s, which is the only place where a column stands: its name, type, whether it
//! can be null, one line of documentation, and how it is read from the row. The Parquet schema, the
//! page `crates/tables/README.md` and the checks of SQL elsewhere are all made from it ([`tables`]).
//!
//! A [`TableWriter`] turns sorted rows into the row groups of one Parquet file, in memory or into any
//! `Write`:
//!
//! ```
//! use retrial_tables::{RejectRow, Rejects, TableWriter};
//! # fn main() -> Result<(), retrial_tables::TableError> {
//! let row = RejectRow {
//!     log_file: "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/a.json.gz",
//!     record_index: Some(7),
//!     byte_offset: Some(13_290),
//!     event_id: None,
//!     reason: "truncated",
//!     message: "the file ends within a record",
//!     class: "permanent",
//!     bytes: Some(412),
//! };
//! let mut writer = TableWriter::<Rejects, Vec<u8>>::new(Vec::new())?;
//! writer.write(&[&row])?;
//! let written = writer.finish()?;
//! assert_eq!(written.rows, 1);
//! assert!(written.output.starts_with(b"PAR1"));
//! # Ok(())
//! # }
//! ```
//!
//! The tables are a frozen format: columns are added at the end, never renamed, retyped or given
//! another meaning. Row structs are free to change.
//!
//! A [`TableReader`] reads such a file back, from anything that gives bytes by range ([`ReadAt`]), a
//! row group at a time and only the columns that are asked for:
//!
//! ```
//! use retrial_tables::{RejectRow, Rejects, TableReader, TableWriter};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut writer = TableWriter::<Rejects, Vec<u8>>::new(Vec::new())?;
//! # writer.write(&[&RejectRow { log_file: "a.json.gz", ..RejectRow::default() }])?;
//! # let file = writer.finish()?.output;
//! let reader = TableReader::<Rejects, Vec<u8>>::open(file)?.with_columns(&["log_file"])?;
//! for row_group in 0..reader.row_groups() {
//!     for batch in reader.batches(row_group)? {
//!         batch?.with_rows(|rows| assert!(rows.iter().all(|row| row.log_file == "a.json.gz")));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Where a file lies (`event_date=…` folders, names, the manifest), when it is complete and who
//! reads it is left to the pipeline. Arrow and Parquet types stay inside this crate.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        reason = "tests may fail loudly"
    )
)]

mod chunk;
mod column;
mod copy;
mod delta;
mod dictionary;
mod error;
mod held;
mod hybrid;
mod leaf;
mod map;
mod reader;
mod rows;
mod schema;
mod shape;
mod table;
mod workers;
mod writer;

pub use column::{Column, ColumnType, DeterminedBy, Encoding, TextMap};
pub use copy::{copy_row, row_bytes};
pub use error::{ReadError, TableError};
pub use held::HeldRows;
pub use map::{Apart, Entries, TextListMap};
pub use reader::{BATCH_ROWS, Batch, Batches, ReadAt, TableReader};
pub use rows::changes::{ChangeRow, Changes};
pub use rows::coverage::{Coverage, CoverageRow};
pub use rows::decisions::{DecisionRow, Decisions};
pub use rows::findings::{FindingRow, Findings};
pub use rows::needs::{NeedRow, Needs};
pub use rows::permissions::{ActionSetRow, ActionSets, PermissionRow, Permissions};
pub use rows::rejects::{RejectRow, Rejects};
pub use rows::role_needs::{RoleNeedRow, RoleNeeds};
pub use rows::sessions::{SessionRow, Sessions};
pub use rows::usage::{Usage, UsageRow};
pub use rows::what_if::{WhatIfRow, WhatIfs};
pub use schema::{ColumnDescription, TableDescription, schema_markdown, tables};
pub use table::{SortKey, Table, sort_keys, sort_order};
pub use workers::Workers;
pub use writer::{
    COMPRESSION_LEVEL, CREATED_BY, FORMAT_VERSION, ROW_GROUP_ROWS, TableWriter, Written,
};
