//! What a run goes by, what it can end in, and its start.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::ThreadPoolBuildError;
use retrial_cloudtrail::{Day, Limits};
use retrial_replay::{Assumptions, Replayer};
use retrial_storage::{Source, StorageError, Store};
use retrial_tables::{ReadError, TableError};

use crate::derive::DeriveOptions;
use crate::duplicates::RunProblem;
use crate::filter::Filter;
use crate::plan::{PlanError, PlanOptions, PlannedFile};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::shards::{ShardInputs, ShardProblem};
use crate::work::work;

/// A slice's decompressed JSON, as estimated from sizes: large enough that all cores have work and row
/// groups compress well, small enough that its rows fit in memory several times over. Of a run over a million
/// events, 12 MB more here are 40 MB more at the peak, and 1.4 % less Parquet.
pub const SLICE_BYTES: u64 = 18 << 20;

/// A batch's gzip: what a killed run loses at most.
pub const BATCH_BYTES: u64 = 1 << 30;

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
    /// What is derived at the end; nothing where it is `None`.
    pub derive: Option<DeriveOptions>,
    /// How many threads work; never changes the output.
    pub threads: usize,
    /// A local folder for what is too large for memory. What is put there is gone with the run.
    pub scratch: &'s Path,
    /// Once it is set, the run ends at the next slice with [`PipelineError::Stopped`].
    pub stop: &'s AtomicBool,
    /// Told how far the run is.
    pub progress: &'s Progress,
}

/// What a run is asked to do.
pub struct Options {
    /// Which log files to read.
    pub plan: PlanOptions,
    /// [`SLICE_BYTES`]. Slices decide the order of rows: a run that is gone on with needs the same.
    pub slice_bytes: u64,
    /// [`BATCH_BYTES`]. Batches decide which file a row is in.
    pub batch_bytes: u64,
}

impl Options {
    /// To read what a plan's options say, in slices and batches of the usual size.
    pub fn new(plan: PlanOptions) -> Self {
        Self {
            plan,
            slice_bytes: SLICE_BYTES,
            batch_bytes: BATCH_BYTES,
        }
    }
}

impl Run<'_> {
    pub(crate) fn open(&self, file: &PlannedFile) -> Result<Box<dyn Read + Send>, StorageError> {
        match self.sources.get(file.source) {
            Some(source) => source.open(&file.key),
            None => Ok(Box::new(io::empty())),
        }
    }

    /// Tells each source which of its files come next.
    pub(crate) fn announce<'p>(&self, next: impl Iterator<Item = &'p PlannedFile>) {
        let mut of_sources: Vec<Vec<(&str, u64)>> = vec![Vec::new(); self.sources.len()];
        for file in next {
            if let Some(files) = of_sources.get_mut(file.source) {
                files.push((&file.key, file.size));
            }
        }
        for (source, files) in self.sources.iter().zip(&of_sources) {
            source.announce(files);
        }
    }

    /// What it is made of and under.
    pub(crate) fn inputs(&self) -> ShardInputs {
        ShardInputs {
            sources: self.source_names(),
            snapshot_id: self.snapshot_id.to_owned(),
            mapping_version: self.mapping_version.to_owned(),
            strict: self.replayer.assumptions() == Assumptions::Refused,
        }
    }

    /// The sources by the names that they were given.
    pub(crate) fn source_names(&self) -> Vec<String> {
        let names = self.sources.iter().map(|source| source.location());
        names.map(str::to_owned).collect()
    }
}

/// How far a run is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
    records: AtomicU64,
    planned_files: AtomicU64,
    planned_bytes: AtomicU64,
}

impl Progress {
    pub(crate) fn file_done(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn records(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn planned(&self, files: u64, bytes: u64) {
        self.planned_files.fetch_add(files, Ordering::Relaxed);
        self.planned_bytes.fetch_add(bytes, Ordering::Relaxed);
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

    /// Log files of the plans so far: days are planned one at a time.
    pub fn planned_files(&self) -> u64 {
        self.planned_files.load(Ordering::Relaxed)
    }

    /// Their bytes as stored.
    pub fn planned_bytes(&self) -> u64 {
        self.planned_bytes.load(Ordering::Relaxed)
    }
}

/// Why a run cannot go on. What was committed before stands, and the same run goes on from there.
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
    /// An object's bytes could not be written.
    #[error("`{key}`: cannot write: {cause}")]
    Write {
        /// The object.
        key: String,
        /// Why.
        cause: io::Error,
    },
    /// Another writer has taken the output over: nothing of this one's counts from then on.
    #[error("another writer is at work on `{location}`: it was the first to write `{key}`")]
    Fenced {
        /// The output.
        location: String,
        /// What both wrote.
        key: String,
    },
    /// The output has objects and no manifest.
    #[error("`{location}` is not empty, and no output of retrial")]
    NotAnOutput {
        /// The output.
        location: String,
    },
    /// The output was made with another filter.
    #[error("{}", limited(before))]
    OtherFilter {
        /// The output.
        location: String,
        /// [`Filter::text`] of its first run.
        before: String,
    },
    /// The output's state is not as it was written.
    #[error("`{key}` is damaged at {place}: {cause}")]
    Damaged {
        /// The object.
        key: String,
        /// Where in it.
        place: String,
        /// What is wrong there.
        cause: String,
    },
    /// The manifest was written by another version of the program.
    #[error("the output's manifest has format {format}, which this version does not know")]
    OtherFormat {
        /// Its format.
        format: u32,
    },
    /// What an interrupted run left is to be finished first.
    #[error("a run was interrupted, and is to be finished first")]
    Interrupted,
    /// All that the output has would be pruned, and with it what the next run stands on.
    #[error("{}", last.map_or_else(|| "it has no delivery day".to_owned(), |day| format!("its last delivery day is {day}")))]
    PruneAll {
        /// Its last delivery day.
        last: Option<Day>,
    },
    /// The run was asked to stop, and did.
    #[error("stopped before the end")]
    Stopped,
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
    /// The output is one shard of another, or has shards that cannot be merged.
    #[error(transparent)]
    Shards(#[from] ShardProblem),
    /// The threads could not be started.
    #[error("cannot start the threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
}

/// What an output was made with.
fn limited(before: &str) -> String {
    match before {
        "" => "it was made without a filter".to_owned(),
        before => format!("it was made with the filter `{before}`"),
    }
}

impl PipelineError {
    /// An object that the manifest names is not there.
    pub(crate) fn lost(key: &str) -> Self {
        Self::Damaged {
            key: key.to_owned(),
            place: "its start".to_owned(),
            cause: "it is not there".to_owned(),
        }
    }
}

/// Brings an output up to date: what an interrupted run left, then what is new.
///
/// # Errors
/// Where the output or the scratch folder cannot be used, another writer took the output over, or the
/// run was stopped. A log file that cannot be read is none: it is in the report and in `rejects`.
pub fn analyze(
    run: &Run<'_>,
    store: &dyn Store,
    options: Options,
) -> Result<Report, PipelineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(run.threads)
        .build()?;
    let scratch = Scratch::new(run.scratch)?;
    pool.install(|| work(run, (store, &scratch), options))
}
