//! `retrial analyze`.

use std::env;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread;

use retrial_cloudtrail::{Limits, Timestamp};
use retrial_iam::Catalogue;
use retrial_pipeline::{
    BATCH_BYTES, Filter, Options, PipelineError, Progress, Report, Run, SLICE_BYTES, WhatIfReport,
    Window,
};
use retrial_replay::Replayer;

use crate::Exit;
use crate::args::{AnalyzeArgs, FilterArgs, Format};
use crate::error::ProgramError;
use crate::findings;
use crate::input::{self, LoadedSnapshot};
use crate::metrics::Metrics;
use crate::printer::Printer;
use crate::progress::Bar;
use crate::report_json;
use crate::shards;
use crate::signals;
use crate::summary::{self, Subject};
use crate::what_if::{self, Change, Table, Trial};

const MICROS_A_DAY: i64 = 86_400_000_000;

pub(crate) fn run(args: &AnalyzeArgs) -> Result<Exit, ProgramError> {
    let metrics = Metrics::begin();
    let printer = Printer::with_logs(args.quiet, args.logs.log_format);
    // A part says nothing of the whole window.
    let derives = !args.no_findings && args.shards.shard.is_none();
    let iam = Some(&*args.snapshot.iam).filter(|_| derives);
    let ((loaded, change), beside) =
        findings::beside(threads(args), iam, || snapshots(args, &printer))?;
    // The end of the process frees them in one go.
    let mapping = ManuallyDrop::new(beside.mapping);
    let (loaded, change) = (ManuallyDrop::new(loaded), ManuallyDrop::new(change));
    let sources = input::sources((&args.sources, &args.s3), &args.snapshot.iam)?;
    let plan = args.plan.options(&args.filter, sources.excluded.clone())?;
    if args.plan.files_from.is_none() && !args.out.is_output(&args.s3)? && !sources.hold_log_files()
    {
        let path = args
            .sources
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        return Err(ProgramError::NoLogFiles { path });
    }
    let out = args.out.to_string();
    let assumptions = args.snapshot.assumptions();
    let derive = match derives {
        true => {
            let findings = &args.derive.findings;
            let options = findings.options(&loaded.snapshot, beside.dead_statements)?;
            Some(args.derive.options(options))
        }
        false => None,
    };
    let progress = Arc::new(Progress::default());
    let scratch = env::temp_dir();
    let stop = signals::stop_flag().map_err(ProgramError::Signals)?;
    let run = Run {
        sources: &sources.sources,
        replayer: Replayer::new(
            Catalogue::bundled(),
            &mapping,
            &loaded.snapshot,
            assumptions,
        ),
        snapshot_id: loaded.snapshot.id(),
        mapping_version: mapping.version(),
        filter: filter(&args.filter),
        limits: Limits::default(),
        derive,
        threads: threads(args),
        scratch: &scratch,
        stop: &stop,
        progress: &progress,
    };
    let options = Options {
        plan,
        slice_bytes: args.plan.slice_bytes.unwrap_or(SLICE_BYTES),
        batch_bytes: args.plan.batch_bytes.unwrap_or(BATCH_BYTES),
    };
    let report = {
        let _bar = Bar::start(&progress, args.quiet);
        shards::work(&run, (&args.out, &args.s3, &args.shards), options)
    };
    let rows = report.as_ref().map(|report| report.rows.values().sum());
    metrics.end(&progress, rows.ok());
    let report = report?;
    for days in &report.not_replaced {
        printer.warning(&format!(
            "--replace {days}: no log file of it is there, so that it stays as it is"
        ));
    }
    let trial = change.as_ref().map(|change| Trial {
        current: &loaded.snapshot,
        change,
        mapping: &mapping,
        assumptions,
        window: window(args),
        now: None,
        threads: threads(args),
    });
    let tried = match &trial {
        Some(trial) => {
            let table = Table::Written(args.derive.as_of);
            Some((trial, trial.run((&args.out, &args.s3), &table)?))
        }
        None => None,
    };
    let subject = Subject {
        snapshot: &loaded.snapshot,
        mapping_version: mapping.version(),
        out: &out,
    };
    print(args.format, &printer, (&report, &subject), tried.as_ref())?;
    let is_whole = loaded.whole && change.as_ref().is_none_or(|change| change.whole);
    let is_failed = tried.is_some_and(|(_, report)| what_if::fails(&args.what_if.fail_on, &report));
    Ok(if !is_whole || !report.rejects.is_empty() {
        Exit::Incomplete
    } else if is_failed || has_too_many_unmapped(args, &report) {
        Exit::Threshold
    } else {
        Exit::Done
    })
}

/// The snapshot, and the change of it that is to be tried.
fn snapshots(
    args: &AnalyzeArgs,
    printer: &Printer,
) -> Result<(LoadedSnapshot, Option<Change>), ProgramError> {
    let iam = &args.snapshot.iam;
    match &args.what_if.change {
        None => Ok((input::snapshot(iam, printer)?, None)),
        Some(change) => {
            let (loaded, change) = Change::load(iam, change, printer)?;
            Ok((loaded, Some(change)))
        }
    }
}

/// The calls that a change is tried on: as for everything derived, none after the day of today.
fn window(args: &AnalyzeArgs) -> Window {
    Window {
        since: None,
        until: args.derive.as_of.map(|day| {
            let begin = day.begin().micros();
            Timestamp::from_micros(begin + MICROS_A_DAY)
        }),
    }
}

/// Prints what came of the run, and of the change that was tried behind it.
fn print(
    format: Format,
    printer: &Printer,
    (report, subject): (&Report, &Subject<'_>),
    tried: Option<&(&Trial<'_>, WhatIfReport)>,
) -> io::Result<()> {
    match format {
        Format::Text => {
            let tried = tried.map(|(trial, report)| format!("\nwhat if: {}", trial.text(report)));
            let summary = summary::text(report, subject);
            printer.summary(&format!("{summary}{}", tried.unwrap_or_default()))
        }
        Format::Json => {
            let tried = tried.map(|(trial, report)| trial.object(report));
            let object = report_json::object(report, subject, tried);
            printer.data(&format!("{object}\n"))
        }
    }
}

fn has_too_many_unmapped(args: &AnalyzeArgs, report: &Report) -> bool {
    let (unmapped, kept) = (report.unmapped.total(), report.books.kept());
    args.max_unmapped
        .is_some_and(|share| share.is_passed(unmapped, kept))
}

pub(crate) fn output_error(path: &str, cause: PipelineError) -> ProgramError {
    let path = path.to_owned();
    match cause {
        PipelineError::NotAnOutput { .. } => ProgramError::OutputNotEmpty { path },
        PipelineError::Stopped => ProgramError::Stopped { path },
        cause => ProgramError::Pipeline { path, cause },
    }
}

fn filter(args: &FilterArgs) -> Filter {
    Filter {
        accounts: args.accounts.clone(),
        regions: args.regions.clone(),
        principals: args.principals.clone(),
        services: args.services.clone(),
        since: args.since,
        until: args.until,
    }
}

fn threads(args: &AnalyzeArgs) -> usize {
    args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| cores.get()),
        |threads| threads.get(),
    )
}
