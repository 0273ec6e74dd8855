//! `retrial analyze`.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use retrial_cloudtrail::Limits;
use retrial_iam::Catalogue;
use retrial_pipeline::{Filter, Progress, Run, analyze};
use retrial_replay::{Assumptions, Mapping, Replayer};
use retrial_storage::{FolderStore, Store};

use crate::Exit;
use crate::args::{AnalyzeArgs, FilterArgs, Format};
use crate::error::ProgramError;
use crate::input::{self, Planned};
use crate::printer::Printer;
use crate::progress::Bar;
use crate::report_json;
use crate::summary::{self, Subject};

pub(crate) fn run(args: &AnalyzeArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(args.quiet);
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let loaded = input::snapshot(&args.snapshot.iam, &printer)?;
    let Planned { sources, plan } = input::plan(&args.sources, &args.snapshot.iam)?;
    if plan.files().is_empty() && plan.unlisted().is_empty() {
        let path = args
            .sources
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(" ");
        return Err(ProgramError::NoLogFiles { path });
    }
    let out = args.out.display().to_string();
    let store = open_output(&args.out, &out)?;
    let assumptions = if args.snapshot.strict {
        Assumptions::Refused
    } else {
        Assumptions::Named
    };
    let progress = Arc::new(Progress::default());
    let run = Run {
        sources: &sources,
        replayer: Replayer::new(catalogue, &mapping, &loaded.snapshot, assumptions),
        snapshot_id: loaded.snapshot.id(),
        mapping_version: mapping.version(),
        filter: filter(&args.filter),
        limits: Limits::default(),
        threads: threads(args),
        progress: &progress,
    };
    let report = {
        let _bar = Bar::start(&plan, &progress, args.quiet);
        analyze(&run, &plan, &store).map_err(|cause| ProgramError::Pipeline {
            path: out.clone(),
            cause,
        })?
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

/// The output is opened before the work begins: an hour's work for a folder that cannot be written
/// helps nobody.
fn open_output(path: &Path, name: &str) -> Result<FolderStore, ProgramError> {
    let failed = |cause| ProgramError::Output {
        path: name.to_owned(),
        cause,
    };
    let store = FolderStore::create(path).map_err(failed)?;
    if !store.list("").map_err(failed)?.is_empty() {
        return Err(ProgramError::OutputNotEmpty {
            path: name.to_owned(),
        });
    }
    Ok(store)
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
