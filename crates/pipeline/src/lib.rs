//! From log files to tables: the plan, slices, batches and the manifest.
//!
//! [`Plan`] holds the run's log files in their order; [`analyze()`] works it: each *slice* (some tens of
//! megabytes of JSON) is parsed and replayed by all cores, its rows sorted and written as row groups;
//! each *batch* (a delivery day, or a gigabyte of gzip) is one file per table and date, and is
//! committed by the manifest. What comes back is a [`Report`], whose books balance.
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
mod coverage;
mod dates;
mod decide;
mod duplicates;
mod filter;
mod joins;
mod manifest;
mod merge;
mod open_batch;
mod output;
mod plan;
mod replay;
mod report;
mod retry;
mod rows;
mod scratch;
mod sessions;
mod slice;
mod stored_file;
mod usage;
mod waiting;
mod work;

pub use analyze::{BATCH_BYTES, Options, PipelineError, Progress, Run, SLICE_BYTES, analyze};
pub use duplicates::{RunFile, RunProblem};
pub use filter::Filter;
pub use manifest::{
    CurrentPlan, Header, MANIFEST_FORMAT, MANIFEST_KEY, Manifest, ManifestFile, WaitingRef,
};
pub use plan::{
    DayCount, DayPlan, DayRange, DayRangeError, FilesFromProblem, Gap, Health, Interrupted,
    LOOK_BACK_DAYS, LeftOver, ListedObject, PlaceStatus, PlanError, PlanOptions, PlanProblem,
    PlanRef, PlannedBefore, PlannedFile, Planner, SetAside, Status, StatusParts, Unlisted, status,
};
pub use replay::{ChangeKey, ChangedCalls, Replay, ReplayReport, Window, replay, replay_each};
pub use report::{Books, Group, GroupKey, MAX_GROUPS, Report};
pub use retry::Unread;
pub use scratch::Scratch;
