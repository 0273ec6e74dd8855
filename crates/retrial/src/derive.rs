//! What is asked of the tables that are derived for a whole window. Hidden until `analyze` ends with them
//! unasked.

use clap::Args;
use retrial_cloudtrail::Day;
use retrial_pipeline::{DayRange, DeriveOptions};

#[derive(Debug, Args)]
pub(crate) struct DeriveArgs {
    /// The day that counts as today: `2026-11-08` [default: the newest event date]
    ///
    /// Later calls are left out of the window, and ages are counted from its end.
    #[arg(long, value_name = "DAY", value_parser = day, hide = true)]
    pub(crate) as_of: Option<Day>,

    /// A permission is called unused only if this many days of logs do not show its use
    #[arg(long, value_name = "DAYS", default_value_t = retrial_replay::MIN_WINDOW_DAYS, hide = true)]
    pub(crate) min_window: u64,

    /// Regions without log files count as observed: the trail records all Regions
    ///
    /// Without it, a multi-Region trail in the snapshot's `trails.json` says so, or nothing does.
    #[arg(long, hide = true)]
    pub(crate) assume_multi_region: bool,
}

impl DeriveArgs {
    pub(crate) fn options(&self) -> DeriveOptions {
        DeriveOptions {
            as_of: self.as_of,
            min_window_days: self.min_window,
            assume_multi_region: self.assume_multi_region,
            ..DeriveOptions::default()
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
