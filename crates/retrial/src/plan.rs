//! Which log files a run of `retrial analyze` reads: its options, and what they mean for the plan.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use retrial_cloudtrail::{Day, Timestamp};
use retrial_pipeline::{DayRange, LOOK_BACK_DAYS, PlanOptions};

use crate::args::FilterArgs;
use crate::error::ProgramError;

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// How many days before the last day that was read are listed again for files that came late
    ///
    /// Per account and region. A day that no run has read is listed however old it is. `--until` lists
    /// as many delivery days beyond its own.
    #[arg(long, value_name = "DAYS", default_value_t = LOOK_BACK_DAYS)]
    pub(crate) look_back: u32,

    /// Read exactly the files that this list names, instead of listing the sources; `-` is standard input
    ///
    /// A line is a file within a source (`s3://bucket/prefix/key`, `logs/key`), a key alone where there
    /// is only one source, or a line of an S3 Inventory in CSV. Files that were read before are still
    /// passed over.
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,

    /// Do these delivery days anew: `2026-11-02` or `2026-11-02..2026-11-05`; may be repeated
    ///
    /// What was made of their files is taken out of the output, and all files that are there now are
    /// read. A day of which no file is there any more stays as it is.
    #[arg(long, value_name = "DATES", conflicts_with = "recompute")]
    pub(crate) replace: Vec<DayRange>,

    /// Do all delivery days anew, as after a change of the snapshot or of the mapping
    ///
    /// Without it, the rows of files that were read before stay under the snapshot of their run; `retrial
    /// replay` says what another one makes of them. For some days there is `--replace`.
    #[arg(long)]
    pub(crate) recompute: bool,

    /// How many bytes of log files a commit holds
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) batch_bytes: Option<u64>,

    /// How many bytes of JSON are worked at once
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) slice_bytes: Option<u64>,
}

impl PlanArgs {
    /// The plan that is asked for.
    ///
    /// # Errors
    /// Where the list of files cannot be opened.
    pub(crate) fn options(
        &self,
        filter: &FilterArgs,
        excluded: Vec<Vec<String>>,
    ) -> Result<PlanOptions, ProgramError> {
        Ok(PlanOptions {
            since: filter.since.and_then(day_of),
            until: filter.until.and_then(day_before),
            look_back_days: self.look_back,
            replace: self.replace.clone(),
            recompute: self.recompute,
            excluded,
            files_from: self.files_from.as_deref().map(open_list).transpose()?,
            shard: None,
        })
    }
}

/// A record's log file is not delivered before the record's own day.
fn day_of(moment: Timestamp) -> Option<Day> {
    let date = moment.to_iso();
    let day: DayRange = date.get(..10)?.parse().ok()?;
    Some(day.first)
}

/// The last day of which a moment before `end` can be.
fn day_before(end: Timestamp) -> Option<Day> {
    day_of(Timestamp::from_micros(end.micros() - 1))
}

fn open_list(path: &Path) -> Result<Box<dyn BufRead + Send>, ProgramError> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(cause) => Err(ProgramError::FilesFrom {
            path: path.display().to_string(),
            cause,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_of_moments() {
        let check = |text: &str, first: &str, last: &str| {
            let days = Timestamp::parse(text)
                .map(|moment| [day_of(moment), day_before(moment)])
                .map(|days| days.map(|day| day.map(|day| day.to_string())));
            let expect = [first, last].map(|day| Some(day.to_owned()));
            assert_eq!(days, Some(expect), "{text}");
        };
        check("2026-11-02T00:00:00Z", "2026-11-02", "2026-11-01");
        check("2026-11-02T00:00:01Z", "2026-11-02", "2026-11-02");
        check("2026-11-02T23:59:59Z", "2026-11-02", "2026-11-02");
        check("1970-01-01T00:00:00Z", "1970-01-01", "1969-12-31");
    }
}
