//! One output made by several machines: each works a shard of the log files, and a merge joins them.
//!
//! A shard ([`Shard`]) is an output of its own, under `shards/` in the folder of the output
//! that is to be. It is worked as any other; in addition it keeps the fingerprints of each log file's
//! records ([`records`]), duplicates among them.
//!
//! The merge ([`merge_shards()`]) goes through the delivery days, each one plan and one commit of the output,
//! and makes of the shards' rows what one run over all log files would have written. Two things about a
//! record can depend on other shards:
//!
//! * **Whether it is a duplicate.** The fingerprints of all shards are looked up anew, in the order of the
//!   whole day's plan.
//! * **Which session its call was made in.** Each call's access key is looked up among the sessions of its
//!   shard, and among those of all.
//!
//! A log file of which any record comes out otherwise, and one of which calls still waited when its shard
//! ended, is *read again*, whole, by the code that reads every log file; its rows in the shard's tables
//! are passed over. All other rows are taken over as they are. So there is no second way to decide a
//! record, and none to be wrong in.

mod day;
mod merge;
mod records;
mod rows;
mod set;

pub(crate) use day::Again;
pub use merge::merge_shards;
pub(crate) use records::{Recorded, RecordsLog};
pub use set::ShardProblem;

use serde::{Deserialize, Serialize};

use crate::plan::{SetAside, Shard};

/// Where the shards of an output stand in it.
pub const SHARDS_FOLDER: &str = "shards/";

/// Where a shard stands in the output that it is of.
pub fn shard_folder(shard: Shard) -> String {
    format!("{SHARDS_FOLDER}{}-of-{}", shard.index, shard.count)
}

/// What an output is that is one shard of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardState {
    /// Which.
    pub shard: Shard,
    /// What it is made of and under.
    pub inputs: ShardInputs,
    /// The fingerprints that its batches keep of each log file's records.
    pub records: Vec<RecordsRef>,
    /// What was set aside and is in no plan.
    pub set_aside: SetAside,
    /// Whether all of it was worked.
    pub complete: bool,
}

/// What must be the same for all shards of an output, and for their merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardInputs {
    /// The sources as the user gave them.
    pub sources: Vec<String>,
    /// The snapshot.
    pub snapshot_id: String,
    /// The mapping.
    pub mapping_version: String,
    /// Whether an allow that assumes anything is `undetermined`.
    pub strict: bool,
}

/// What a batch keeps of its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsRef {
    /// Its object.
    pub key: String,
    /// The delivery day of its log files.
    pub delivery_date: String,
}
