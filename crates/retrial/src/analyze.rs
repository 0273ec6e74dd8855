//! `retrial analyze`.

use std::env;
use std::sync::Arc;
use std::thread;

use retrial_cloudtrail::Limits;
use retrial_iam::Catalogue;
use retrial_pipeline::{
    BATCH_BYTES, Filter, Options, PipelineError, Progress, Report, Run, SLICE_BYTES,
};
use retrial_replay::{Assumptions, Mapping, Replayer};

use crate::Exit;
use crate::args::{AnalyzeArgs, FilterArgs, Format};
use crate::error::ProgramError;
use crate::input;
use crate::metrics::Metrics;
use crate::printer::Printer;
use crate::progress::Bar;
use crate::report_json;
use crate::shards;
use crate::signals;
use crate::summary::{self, Subject};

pub(crate) fn run(args: &AnalyzeArgs) -> Result<Exit, ProgramError> {
    let metrics = Metrics::begin();
    let printer = Printer::with_logs(args.quiet, args.logs.log_format);
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let loaded = input::snapshot(&args.snapshot.iam, &printer)?;
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
    let assumptions = if args.snapshot.strict {
        Assumptions::Refused
    } else {
        Assumptions::Named
    };
    // A part says nothing of the whole window.
    let derive = match args.no_findings || args.shards.shard.is_some() {
        true => None,
        false => {
            let findings = &args.derive.findings;
            let options = findings.options(&args.snapshot.iam, &loaded.snapshot)?;
            Some(args.derive.options(options))
        }
    };
    let progress = Arc::new(Progress::default());
    let scratch = env::temp_dir();
    let stop = signals::stop_flag().map_err(ProgramError::Signals)?;
    let run = Run {
        sources: &sources.sources,
        replayer: Replayer::new(catalogue, &mapping, &loaded.snapshot, assumptions),
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
    let subject = Subject {
        snapshot: &loaded.snapshot,
        mapping_version: mapping.version(),
        out: &out,
    };
    match args.format {
        Format::Text => printer.summary(&summary::text(&report, &subject))?,
        Format::Json => printer.data(&format!("{}\n", report_json::object(&report, &subject)))?,
    }
    Ok(if !loaded.whole || !report.rejects.is_empty() {
        Exit::Incomplete
    } else if has_too_many_unmapped(args, &report) {
        Exit::Threshold
    } else {
        Exit::Done
    })
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
