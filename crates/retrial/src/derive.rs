//! What permissions, findings and role needs are derived by.

use clap::Args;
use retrial_cloudtrail::Day;
use retrial_pipeline::{DayRange, DeriveOptions, FindingOptions};

use crate::findings::FindingArgs;

#[derive(Debug, Args)]
#[command(next_help_heading = "Findings")]
pub(crate) struct DeriveArgs {
    /// The day that counts as today: `2026-11-08` [default: the newest day of the calls]
    ///
    /// Later calls are left out, and ages are counted from its end.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) as_of: Option<Day>,

    /// Call unused only what went unused for so many days
    #[arg(long, value_name = "DAYS", default_value_t = retrial_replay::MIN_WINDOW_DAYS)]
    pub(crate) min_window: u64,

    /// Regions without log files count as observed: the trail records all Regions
    ///
    /// Without it, a multi-Region trail in the snapshot's `trails.json` says so, or nothing does.
    #[arg(long)]
    pub(crate) assume_multi_region: bool,

    #[command(flatten)]
    pub(crate) findings: FindingArgs,
}

impl DeriveArgs {
    pub(crate) fn options(&self, findings: FindingOptions) -> DeriveOptions {
        DeriveOptions {
            as_of: self.as_of,
            min_window_days: self.min_window,
            assume_multi_region: self.assume_multi_region,
            findings,
        }
    }
}

pub(crate) fn day(text: &str) -> Result<Day, String> {
    let range: DayRange = text.parse().map_err(|_| expected())?;
    match range.first == range.last {
        true => Ok(range.first),
        false => Err(expected()),
    }
}

fn expected() -> String {
    "expected a day such as `2026-11-08`".to_owned()
}
