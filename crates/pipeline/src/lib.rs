//! From log files to tables: the plan, slices, batches and the manifest.
//!
//! [`Planner`] gives the log files of one delivery day after the other; [`analyze()`] works them: each
//! *slice* (some tens of megabytes of JSON) is parsed and replayed by all cores, duplicates are left out,
//! calls are joined to the sessions that they were made in, and the rows are sorted and written as row
//! groups; each *batch* (a delivery day, or a gigabyte of gzip) is one file per table and date, and is
//! committed by the [`Manifest`]. What comes back is a [`Report`], whose books balance. [`replay()`] reads
//! what was written, and no log file. `README.md` beside this crate says what a crash can and cannot do.
//!
//! Invariant: the output's bytes follow from the plan, the snapshot, the mapping and the options that
//! change rows; never from the number of threads or from time.
//!
//! This crate decides nothing about a record: `retrial-replay` does.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )
)]

mod analyze;
mod batch;
mod compact;
mod coverage;
mod dates;
mod decide;
mod derive;
mod duplicates;
mod filter;
mod framing;
mod joins;
mod ledger;
mod manifest;
mod merge;
mod open_batch;
mod output;
mod output_status;
mod plan;
mod prune;
mod replay;
mod report;
mod retry;
mod role_needs;
mod rows;
mod scratch;
mod sessions;
mod shards;
mod slice;
mod stored_file;
mod texts;
mod usage;
mod waiting;
mod work;

pub use analyze::{BATCH_BYTES, Options, PipelineError, Progress, Run, SLICE_BYTES, analyze};
pub use compact::{Compact, Compacted};
pub use derive::{
    Derive, DeriveOptions, Derived, FindingOptions, Rightsize, Rightsized, RightsizingWindow,
    derive, rightsize,
};
pub use duplicates::{RunFile, RunProblem};
pub use filter::Filter;
pub use ledger::Ledger;
pub use manifest::{
    CurrentPlan, Header, MANIFEST_FORMAT, MANIFEST_KEY, Manifest, ManifestFile, WaitingRef,
};
pub use output_status::output_status;
pub use plan::{
    DayCount, DayPlan, DayRange, DayRangeError, DecidedBy, FilesFromProblem, Gap, Health,
    Interrupted, LOOK_BACK_DAYS, LeftOver, ListedObject, PlaceStatus, PlanError, PlanOptions,
    PlanProblem, PlanRef, PlannedBefore, PlannedFile, Planner, SetAside, Shard, ShardError, Status,
    StatusParts, Unlisted, status,
};
pub use prune::{Prune, Pruned};
pub use replay::{
    ChangeKey, ChangedCalls, Replay, ReplayReport, WhatIfBasis, WhatIfGroup, WhatIfKey,
    WhatIfReport, WhatIfRun, Window, replay, replay_each, what_if, what_if_table,
};
pub use report::{Books, EventKey, Group, GroupKey, MAX_GROUPS, OmissionKey, Report};
pub use retry::Unread;
pub use scratch::Scratch;
pub use shards::{
    RecordsRef, SHARDS_FOLDER, ShardInputs, ShardProblem, ShardState, merge_shards, shard_folder,
};
