//! The run: plan in, tables and report out.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use bumpalo::Bump;
use rayon::ThreadPoolBuildError;
use retrial_cloudtrail::Limits;
use retrial_replay::Replayer;
use retrial_storage::{Source, StorageError, Store};
use retrial_tables::{ReadError, TableError};

use crate::batch::{Batch, Output};
use crate::duplicates::RunProblem;
use crate::filter::Filter;
use crate::plan::{Plan, PlanError, PlannedFile, slices};
use crate::report::Report;
use crate::slice::{OpenFile, read_round, unlisted_rows};

/// Everything that a run goes by.
pub struct Run<'s> {
    /// Where the log files are; [`PlannedFile::source`] is the index.
    pub sources: &'s [Box<dyn Source>],
    /// Decides.
    pub replayer: Replayer<'s>,
    /// Names the snapshot in every row.
    pub snapshot_id: &'s str,
    /// Names the mapping in every row.
    pub mapping_version: &'s str,
    /// Which records to look at.
    pub filter: Filter,
    /// Caps on what a single file may do.
    pub limits: Limits,
    /// How many threads work; never changes the output.
    pub threads: usize,
    /// Told how far the run is.
    pub progress: &'s Progress,
}

impl Run<'_> {
    pub(crate) fn open(&self, file: &PlannedFile) -> Result<Box<dyn Read + Send>, StorageError> {
        match self.sources.get(file.source) {
            Some(source) => source.open(&file.key),
            None => Ok(Box::new(io::empty())),
        }
    }
}

/// How far a run is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
    records: AtomicU64,
}

impl Progress {
    pub(crate) fn file_done(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn records(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Log files that were read to their end.
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Their bytes as stored.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records read.
    pub fn records_read(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
}

/// Why a run cannot go on. What was committed before stands.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The output refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A table's file could not be written.
    #[error("`{key}`: {cause}")]
    Table {
        /// The file.
        key: String,
        /// Why.
        cause: TableError,
    },
    /// A table's file could not be read.
    #[error("`{key}`: {cause}")]
    Read {
        /// The file.
        key: String,
        /// Why.
        cause: ReadError,
    },
    /// A table's last bytes could not be written.
    #[error("`{key}`: cannot write: {cause}")]
    Write {
        /// The file.
        key: String,
        /// Why.
        cause: io::Error,
    },
    /// A temporary file could not be made, written or read.
    #[error("scratch folder `{path}`: {cause}")]
    Scratch {
        /// The folder.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// What is remembered of earlier records cannot be used.
    #[error("`{key}`: {problem}")]
    Duplicates {
        /// The run of fingerprints.
        key: String,
        /// What is wrong with it.
        problem: RunProblem,
    },
    /// A plan could not be made or read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The threads could not be started.
    #[error("cannot start the threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
}

/// Works a plan into `store`, which holds nothing yet.
pub fn analyze(run: &Run<'_>, plan: &Plan, store: &dyn Store) -> Result<Report, PipelineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(run.threads)
        .build()?;
    let mut output = Output::new(store, run.snapshot_id, run.mapping_version);
    output.open()?;
    pool.install(|| work(run, plan, &mut output))
}

fn work<'r>(run: &Run<'_>, plan: &Plan, output: &mut Output<'r>) -> Result<Report, PipelineError> {
    let mut report = Report {
        set_aside: plan.set_aside,
        ..Report::default()
    };
    if !plan.unlisted().is_empty() {
        let arena = Bump::new();
        let mut rows = unlisted_rows(plan.unlisted(), &arena);
        report.merge(std::mem::take(&mut rows.report));
        let mut batch = output.batch();
        batch.write(&rows)?;
        output.commit(batch, &mut report)?;
    }
    for planned in plan.batches() {
        let mut batch = output.batch();
        for slice in slices(planned) {
            if batch.is_full() {
                let full = std::mem::replace(&mut batch, output.batch());
                output.commit(full, &mut report)?;
            }
            work_slice(run, slice, &mut batch, &mut report)?;
        }
        output.commit(batch, &mut report)?;
    }
    Ok(report)
}

/// Reads a slice in rounds: nearly always one; more where a file is larger than a part.
fn work_slice(
    run: &Run<'_>,
    slice: &[PlannedFile],
    batch: &mut Batch<'_>,
    report: &mut Report,
) -> Result<(), PipelineError> {
    let mut files: Vec<OpenFile<'_>> = slice.iter().map(OpenFile::new).collect();
    loop {
        let mut arenas: Vec<Bump> = files.iter().map(|_| Bump::new()).collect();
        let mut rows = read_round(run, &mut files, &mut arenas);
        report.merge(std::mem::take(&mut rows.report));
        batch.write(&rows)?;
        let (going_on, ended): (Vec<_>, Vec<_>) = files.into_iter().partition(OpenFile::has_more);
        ended
            .into_iter()
            .for_each(|file| batch.cover(file.into_coverage()));
        files = going_on;
        if files.is_empty() {
            return Ok(());
        }
    }
}
