//! What a run's plan goes by.

use std::io::BufRead;

use retrial_cloudtrail::Day;

use super::days::DayRange;
use super::file::PlannedFile;
use super::shard::Shard;
use super::stored::PlanRef;

/// How long after its delivery day a log file may still appear. CloudTrail delivers within minutes,
/// but delivers again for days where a bucket refused (30 days at most), and copies between buckets
/// lag; a week covers what happens, and one listing for each day of it costs little.
pub const LOOK_BACK_DAYS: u32 = 7;

/// What a run's plan goes by. The default plans all that was not read before.
pub struct PlanOptions {
    /// The first delivery day to list.
    pub since: Option<Day>,
    /// The last day asked for; delivery days are listed until [`PlanOptions::look_back_days`] after
    /// it, because records come late.
    pub until: Option<Day>,
    /// How many days before a place's last planned one are listed again.
    pub look_back_days: u32,
    /// Delivery days that are planned whole, whatever was read of them before.
    pub replace: Vec<DayRange>,
    /// All delivery days are planned whole.
    pub recompute: bool,
    /// For each source the keys (of files, or of folders with all that is in them) that hold no logs:
    /// a snapshot within the source.
    pub excluded: Vec<Vec<String>>,
    /// Exactly these files, instead of what the sources list; see `files_from.rs` for the lines.
    pub files_from: Option<Box<dyn BufRead + Send>>,
    /// Only the files of this shard; all where it is `None`.
    pub shard: Option<Shard>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            since: None,
            until: None,
            look_back_days: LOOK_BACK_DAYS,
            replace: Vec::new(),
            recompute: false,
            excluded: Vec::new(),
            files_from: None,
            shard: None,
        }
    }
}

/// What earlier runs of the output leave behind for the next plan, as its manifest has it.
#[derive(Debug, Clone, Default)]
pub struct PlannedBefore {
    /// The completed plans. An interrupted one is finished before anything new is planned.
    pub plans: Vec<PlanRef>,
    /// Earlier delivery days were pruned: they count as done.
    pub pruned_before: Option<Day>,
    /// Files that are to be read again, whenever they were delivered.
    pub retry: Vec<PlannedFile>,
}
