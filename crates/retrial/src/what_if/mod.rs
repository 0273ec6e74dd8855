//! `retrial what-if`: what a change of policies would have done to the calls of an output.

mod change;
mod json;
mod text;

use std::path::PathBuf;
use std::thread;

use clap::{Args, ValueEnum};
use retrial_cloudtrail::{Day, Timestamp};
use retrial_iam::{Catalogue, OverlayChange, Snapshot};
use retrial_pipeline::{
    PipelineError, WhatIfBasis, WhatIfReport, WhatIfRun, Window, what_if, what_if_table,
};
use retrial_replay::{Assumptions, ChangeEffect, Mapping, Replayer, WhatIf};
use serde_json::Value;

pub(crate) use self::change::Change;
use crate::Exit;
use crate::args::{Format, SnapshotArgs, moment};
use crate::derive::day;
use crate::error::ProgramError;
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
    pub(crate) as_of: Option<Day>,

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

/// A change to be tried, and how.
pub(crate) struct Trial<'a> {
    pub(crate) current: &'a Snapshot,
    pub(crate) change: &'a Change,
    pub(crate) mapping: &'a Mapping,
    pub(crate) assumptions: Assumptions,
    pub(crate) window: Window,
    pub(crate) now: Option<Timestamp>,
    pub(crate) threads: usize,
}

/// Where the differing calls go.
pub(crate) enum Table {
    /// To the table, under this day; else under the newest event date.
    Written(Option<Day>),
    /// Nowhere: the output is only read.
    Left,
}

impl Trial<'_> {
    /// Tries the change on the calls of an output.
    pub(crate) fn run(
        &self,
        (out, s3): (&Location, &S3Args),
        table: &Table,
    ) -> Result<WhatIfReport, ProgramError> {
        let output = out.output(s3)?;
        let replayer = |snapshot| {
            Replayer::new(
                Catalogue::bundled(),
                self.mapping,
                snapshot,
                self.assumptions,
            )
        };
        let run = WhatIfRun {
            worlds: WhatIf {
                current: replayer(self.current),
                changed: replayer(&self.change.changed),
                scope: &self.change.scope,
            },
            store: output.store.as_ref(),
            window: self.window,
            now: self.now,
            threads: self.threads,
        };
        let report = match table {
            Table::Left => what_if(&run, &output.state.0.files),
            Table::Written(as_of) => {
                let as_of = as_of.map(|day| day.to_string());
                let basis = WhatIfBasis {
                    snapshot_id: self.current.id(),
                    changed_snapshot_id: self.change.changed.id(),
                    mapping_version: self.mapping.version(),
                    as_of: as_of.as_deref(),
                };
                what_if_table(&run, output.state, basis)
            }
        };
        report.map_err(|cause| failed(out, cause))
    }

    /// The answer in words.
    pub(crate) fn text(&self, report: &WhatIfReport) -> String {
        text::text(report, &self.subject())
    }

    /// The answer as one JSON object.
    pub(crate) fn object(&self, report: &WhatIfReport) -> Value {
        json::object(report, &self.subject())
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            snapshot_id: self.current.id(),
            changed_snapshot_id: self.change.changed.id(),
            changes: &self.change.changes,
            now: self.now,
        }
    }
}

/// Whether a change does what it may not do.
pub(crate) fn fails(fail_on: &[FailOn], report: &WhatIfReport) -> bool {
    fail_on.iter().any(|effect| effect.is_met(report))
}

pub(crate) fn run(args: &WhatIfArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let (current, change) = Change::load(&args.snapshot.iam, &args.change, &printer)?;
    let mapping = Mapping::bundled(Catalogue::bundled())?;
    let trial = Trial {
        current: &current.snapshot,
        change: &change,
        mapping: &mapping,
        assumptions: args.snapshot.assumptions(),
        window: Window {
            since: args.since,
            until: args.until,
        },
        now: args.now,
        threads: threads(args),
    };
    let table = match args.no_table {
        true => Table::Left,
        false => Table::Written(args.as_of),
    };
    let report = trial.run((&args.out, &args.s3), &table)?;
    match args.format {
        Format::Text => printer.data(&trial.text(&report))?,
        Format::Json => printer.data(&format!("{}\n", trial.object(&report)))?,
    }
    Ok(if !current.whole || !change.whole {
        Exit::Incomplete
    } else if fails(&args.fail_on, &report) {
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

fn threads(args: &WhatIfArgs) -> usize {
    args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| cores.get()),
        |threads| threads.get(),
    )
}
