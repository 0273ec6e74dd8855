//! Black-box tests of the program: what a user sees, with real parts (DuckDB reads the Parquet).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests may fail loudly"
)]

mod broken;
mod buckets;
mod command_line;
mod compact;
mod contents;
mod corpus;
mod daily;
mod dashboards;
mod duplicates;
mod explain;
mod findings;
mod hostile;
mod house;
mod kill;
mod lint;
mod logs;
mod map;
mod needs;
mod permissions;
mod public_records;
mod readme;
mod reference_log;
mod replay;
mod rightsize;
mod rightsize_edits;
mod rightsize_shared;
mod s3;
mod sample_logs;
mod sessions;
mod shards;
mod simulate;
mod support;
mod usage;
mod what_if;
