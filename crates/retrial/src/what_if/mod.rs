//! `retrial what-if`: what a change of policies would have done to the calls of an output.

mod json;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueEnum};
use retrial_cloudtrail::Timestamp;
use retrial_iam::{
    Catalogue, ChangeScope, OverlayChange, Snapshot, SnapshotFile, SnapshotIssue, overlay,
};
use retrial_pipeline::{
    DayRange, PipelineError, WhatIfBasis, WhatIfReport, WhatIfRun, Window, what_if, what_if_table,
};
use retrial_replay::{Assumptions, ChangeEffect, Mapping, Replayer, WhatIf};

use crate::Exit;
use crate::args::{Format, SnapshotArgs, moment};
use crate::error::ProgramError;
use crate::input::{self, LoadedSnapshot};
use crate::location::{self, Location, S3Args};
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct WhatIfArgs {
    /// The output of `retrial analyze`, whose tables are read: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// The change: a folder with files of a snapshot that hold only what changes, or one such file
    #[arg(long, value_name = "CHANGE")]
    pub(crate) change: PathBuf,

    /// Exit with 1 if the change does this to any call, copies apart; may be repeated
    #[arg(long, value_name = "EFFECT", value_enum, value_delimiter = ',')]
    pub(crate) fail_on: Vec<FailOn>,

    /// Only calls from this moment on: `2026-11-02` or `2026-11-02T09:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,

    /// Only calls before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,

    /// Ask conditions on the time (aws:CurrentTime, aws:EpochTime) with this moment, on both sides
    ///
    /// By default each call is asked with its own.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) now: Option<Timestamp>,

    /// The day under which the table keeps the differing calls [default: the newest event date]
    ///
    /// They take the place of those that an earlier change left under the same day.
    #[arg(long, value_name = "DATE", value_parser = day, conflicts_with = "no_table")]
    pub(crate) as_of: Option<String>,

    /// Write no table: the output is only read
    #[arg(long)]
    pub(crate) no_table: bool,

    /// How many threads to use; the answer is the same whatever their number [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

/// What a change may not do to any call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A call that got through would be denied
    NewlyDenied,
    /// A call that was denied would be allowed
    NewlyAllowed,
    /// Nobody could know any more
    NewlyUndetermined,
    /// The call's principal would be gone
    NoLongerEvaluated,
    /// Any decision or verdict would be another
    Any,
}

impl FailOn {
    fn is_met(self, report: &WhatIfReport) -> bool {
        let any = |effect| report.count_of(effect) > 0;
        match self {
            Self::NewlyDenied => any(ChangeEffect::NewlyDenied),
            Self::NewlyAllowed => any(ChangeEffect::NewlyAllowed),
            Self::NewlyUndetermined => any(ChangeEffect::NewlyUndetermined),
            Self::NoLongerEvaluated => any(ChangeEffect::NoLongerEvaluated),
            Self::Any => ChangeEffect::ALL.into_iter().any(any),
        }
    }
}

/// What is told of a change, beside what it would have done.
struct Subject<'a> {
    snapshot_id: &'a str,
    changed_snapshot_id: &'a str,
    changes: &'a [OverlayChange],
    now: Option<Timestamp>,
}

pub(crate) fn run(args: &WhatIfArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let change = Change::load(&args.snapshot.iam, &args.change, &printer)?;
    let output = args.out.output(&args.s3)?;
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let assumptions = match args.snapshot.strict {
        true => Assumptions::Refused,
        false => Assumptions::Named,
    };
    let replayer = |snapshot| Replayer::new(catalogue, &mapping, snapshot, assumptions);
    let run = WhatIfRun {
        worlds: WhatIf {
            current: replayer(&change.current.snapshot),
            changed: replayer(&change.changed),
            scope: &change.scope,
        },
        store: output.store.as_ref(),
        window: Window {
            since: args.since,
            until: args.until,
        },
        now: args.now,
        threads: threads(args),
    };
    let subject = Subject {
        snapshot_id: change.current.snapshot.id(),
        changed_snapshot_id: change.changed.id(),
        changes: &change.changes,
        now: args.now,
    };
    let report = if args.no_table {
        what_if(&run, &output.state.0.files)
    } else {
        let basis = WhatIfBasis {
            snapshot_id: subject.snapshot_id,
            changed_snapshot_id: subject.changed_snapshot_id,
            mapping_version: mapping.version(),
            as_of: args.as_of.as_deref(),
        };
        what_if_table(&run, output.state, basis)
    };
    let report = report.map_err(|cause| failed(&args.out, cause))?;
    match args.format {
        Format::Text => printer.data(&text::text(&report, &subject))?,
        Format::Json => printer.data(&format!("{}\n", json::object(&report, &subject)))?,
    }
    Ok(if !change.current.whole || !change.whole {
        Exit::Incomplete
    } else if args.fail_on.iter().any(|fail_on| fail_on.is_met(&report)) {
        Exit::Threshold
    } else {
        Exit::Done
    })
}

fn failed(out: &Location, cause: PipelineError) -> ProgramError {
    let path = out.to_string();
    match cause {
        PipelineError::Read { .. } => ProgramError::OutputUnreadable { path, cause },
        cause => ProgramError::Pipeline { path, cause },
    }
}

/// A change and both snapshots.
struct Change {
    current: LoadedSnapshot,
    changed: Snapshot,
    /// Whether the change leaves nothing that cannot be read.
    whole: bool,
    changes: Vec<OverlayChange>,
    scope: ChangeScope,
}

impl Change {
    fn load(iam: &Path, change: &Path, printer: &Printer) -> Result<Change, ProgramError> {
        let path = change.display().to_string();
        let base =
            input::snapshot_files(iam).map_err(|cause| ProgramError::SnapshotUnreadable {
                path: iam.display().to_string(),
                cause,
            })?;
        let (current, issues) = input::snapshot_of(iam, &base)?;
        input::warn(&issues, printer);
        let change = input::snapshot_files(change).map_err(|cause| {
            let path = path.clone();
            ProgramError::ChangeUnreadable { path, cause }
        })?;
        let laid = overlay(&borrowed(&base), &borrowed(&change));
        let laid = laid.map_err(|cause| ProgramError::Change {
            path,
            cause: Box::new(cause),
        })?;
        let files: Vec<(String, Vec<u8>)> = laid
            .files
            .into_iter()
            .map(|(path, bytes)| (path.into_owned(), bytes.into_owned()))
            .collect();
        let (changed, after) = input::snapshot_of(iam, &files)?;
        let known: BTreeSet<String> = issues.iter().map(without_place).collect();
        let new: Vec<SnapshotIssue> = after
            .into_iter()
            .filter(|issue| !known.contains(&without_place(issue)))
            .map(|issue| SnapshotIssue {
                message: format!("with the change: {}", issue.message),
                ..issue
            })
            .collect();
        input::warn(&new, printer);
        Ok(Change {
            current,
            changed: changed.snapshot,
            whole: new.is_empty(),
            changes: laid.changes,
            scope: laid.scope,
        })
    }
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<SnapshotFile<'_>> {
    files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect()
}

/// What is wrong with a snapshot, wherever it stands: a change moves what it leaves alone.
fn without_place(issue: &SnapshotIssue) -> String {
    issue
        .message
        .replace(|character: char| character.is_ascii_digit(), "")
}

fn threads(args: &WhatIfArgs) -> usize {
    args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| cores.get()),
        |threads| threads.get(),
    )
}

/// `2026-11-02`
fn day(text: &str) -> Result<String, String> {
    match text.parse::<DayRange>() {
        Ok(range) if range.first == range.last => Ok(range.first.to_string()),
        _ => Err("expected a date such as `2026-11-02`".to_owned()),
    }
}
