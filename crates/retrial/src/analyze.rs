//! `retrial analyze`.

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use retrial_cloudtrail::Limits;
use retrial_iam::Catalogue;
use retrial_pipeline::{
    Filter, MANIFEST_KEY, Options, PipelineError, PlanOptions, Progress, Run, analyze,
};
use retrial_replay::{Assumptions, Mapping, Replayer};
use retrial_storage::{FolderStore, Store};

use crate::Exit;
use crate::args::{AnalyzeArgs, FilterArgs, Format};
use crate::error::ProgramError;
use crate::input;
use crate::printer::Printer;
use crate::progress::Bar;
use crate::report_json;
use crate::summary::{self, Subject};

pub(crate) fn run(args: &AnalyzeArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(args.quiet);
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let loaded = input::snapshot(&args.snapshot.iam, &printer)?;
    let sources = input::sources(&args.sources, &args.snapshot.iam)?;
    if !is_output(&args.out) && !sources.hold_log_files() {
        let path = args
            .sources
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(" ");
        return Err(ProgramError::NoLogFiles { path });
    }
    let out = args.out.display().to_string();
    let store = FolderStore::create(&args.out).map_err(|cause| ProgramError::Output {
        path: out.clone(),
        cause,
    })?;
    let assumptions = if args.snapshot.strict {
        Assumptions::Refused
    } else {
        Assumptions::Named
    };
    let progress = Arc::new(Progress::default());
    let (scratch, stop) = (env::temp_dir(), AtomicBool::new(false));
    let run = Run {
        sources: &sources.sources,
        replayer: Replayer::new(catalogue, &mapping, &loaded.snapshot, assumptions),
        snapshot_id: loaded.snapshot.id(),
        mapping_version: mapping.version(),
        filter: filter(&args.filter),
        limits: Limits::default(),
        threads: threads(args),
        scratch: &scratch,
        stop: &stop,
        progress: &progress,
    };
    let options = Options::new(PlanOptions {
        excluded: sources.excluded.clone(),
        ..PlanOptions::default()
    });
    let report = {
        let _bar = Bar::start(&progress, args.quiet);
        analyze(&run, &store, options).map_err(|cause| output_error(&out, cause))?
    };
    let subject = Subject {
        snapshot: &loaded.snapshot,
        mapping_version: mapping.version(),
        out: &out,
    };
    match args.format {
        Format::Text => printer.summary(&summary::text(&report, &subject))?,
        Format::Json => printer.data(&format!("{}\n", report_json::object(&report, &subject)))?,
    }
    let whole = loaded.whole && report.rejects.is_empty();
    Ok(if whole { Exit::Done } else { Exit::Incomplete })
}

/// Whether there is an output already.
fn is_output(path: &Path) -> bool {
    FolderStore::open(path).is_ok_and(|store| matches!(store.size(MANIFEST_KEY), Ok(Some(_))))
}

fn output_error(path: &str, cause: PipelineError) -> ProgramError {
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
