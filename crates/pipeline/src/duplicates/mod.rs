//! Duplicates: the same record, delivered again in another file, region, day or run.
//!
//! **The rule.** A record's key is its event id and recipient account. In the order of the plan, a
//! record is compared with the records that were *kept* and delivered within 7 days of it, earlier or
//! later (at most 10,080 minutes apart): where one has its key and its body, it is a [duplicate]; where
//! one has its key and another body, it is kept and flagged as a [conflict] (real collections repeat
//! placeholder ids thousands of times); else it is [new]. A duplicate is not remembered: it does not
//! extend the 7 days. A record without an event id is told from others by its body alone. So what
//! becomes of a record follows from keys, bodies, minutes and the order of the plan, never from where a
//! batch ends.
//!
//! Ids and bodies are compared by hash (XXH3; 96 and 64 bits).
//!
//! [duplicate]: Novelty::Duplicate
//! [conflict]: Novelty::Conflict
//! [new]: Novelty::New
//!
//! # How
//!
//! What was kept since the last commit is held in sorted levels in memory, and in sorted scratch files
//! beyond a quarter of a million records; a commit merges it into one sorted *run* in the store (24 bytes a record),
//! which the manifest names. A slice's fingerprints are sorted and looked up in all that is within
//! reach of their minutes; a filter for each run answers for most of them without reading. Runs are read
//! in place where the store is a local folder; from any other store each is copied to a scratch file
//! once.
//!
//! # Memory
//!
//! Besides the slice: at most 6 MiB of levels (and half of that again while some are merged) with a
//! filter of half a MiB; all filters of runs together 64 MiB (16 bits for each record; fewer where
//! there are more than 32 million: then more look-ups read in vain); for each run 64 KiB of cached
//! blocks and 24 bytes for each 340 entries. A test holds it to that.
//!
//! # Format of a run
//!
//! `_retrial/duplicates/<batch>`: all integers big-endian, entries in ascending order of their bytes.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `RETRIALD` |
//! | 4 | the format: 1 |
//! | 4 | the bytes of an entry: 24 |
//! | 24 each | entries: 12 of the id's hash, 8 of the body's hash, 4 of the minute of delivery (since the Unix epoch) |
//! | 8 | entries |
//! | 8 | entries that are records |
//! | 4, 4 | first and last minute |
//! | 8 | checksum of the entries: XXH3 (64 bits) of each 340 entries, seeded by that of the 340 before, at first 0 |
//! | 8 | XXH3 of the 32 bytes before |
//! | 8 | `RETRIALD` |
//!
//! The hash of an id is XXH3 (128 bits, the first 96 of them) of the event id, seeded by XXH3 of the
//! recipient account (seed 0x243f6a8885a308d3); without an event id, of the body's hash as 8 bytes
//! little-endian (seed 0x13198a2e03707344). The hash of a body is XXH3 (64 bits, seed 0) of the record's
//! text in the log file, 2⁶⁴−2 at most. Entries whose body is 2⁶⁴−1 are *marks* and stand for no
//! record: behind the entries of an id that has several, the first and the last minute of each 7-day
//! stretch (minute / 10,080) that has any.
//!
//! A run is read whole when it is opened: one that is torn, changed or foreign is an error that names
//! it. Without it nobody could say what is a duplicate; a new output is then the way.

mod filter;
mod fingerprint;
mod marks;
mod pending;
mod run;
mod slice;
mod sorted;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write};

use retrial_storage::{Store, Upload};
use serde::{Deserialize, Serialize};

use crate::analyze::PipelineError;
use crate::scratch::Scratch;
use filter::Filter;
pub(crate) use fingerprint::{ENTRY_BYTES, Fingerprint, body_hash};
use pending::{Merged, Pending, look_up};
use run::Run;
pub use run::RunProblem;
use slice::{Decided, Query, Seen, decide, sorted_queries};

/// 7 days in minutes: how far apart two deliveries of one record may be.
const WINDOW: u32 = 7 * 24 * 60;

/// How many look-ups go through all runs at once: so many stay in the processor's nearest cache.
const CHUNK_QUERIES: usize = 512;

/// How much of another store's object is read at once.
const COPY_BYTES: u64 = 8 << 20;

/// What a record is, given those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Novelty {
    /// The first of its key.
    New,
    /// The same record again.
    Duplicate,
    /// Another record under a known key.
    Conflict,
}

/// A committed run, as the manifest names it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// Its key in the store.
    pub key: String,
    /// Records in it.
    pub records: u64,
    /// The delivery day of the batch that wrote it.
    pub delivery_date: String,
    /// The first minute of delivery.
    pub first_minute: u32,
    /// The last minute of delivery.
    pub last_minute: u32,
}

/// Bounds of memory; they never change a result.
#[derive(Debug, Clone, Copy)]
struct Caps {
    /// Records of a batch that are held in memory.
    pending: usize,
    /// Bytes of all filters of runs.
    filter_bytes: u64,
}

impl Caps {
    const DEFAULT: Self = Self {
        // Larger days go through scratch files, each with a filter to ask: for a day of 1.4 million records that is no
        // more CPU than a million in memory, which would be 36 MiB at most and not 9.
        pending: 1 << 18,
        filter_bytes: 64 << 20,
    };

    /// No filter begins larger, so that room for it is soon made.
    fn run_filter_bytes(&self) -> u64 {
        self.filter_bytes / 4
    }
}

/// What was kept, as far back as it matters.
pub(crate) struct Duplicates<'s> {
    store: &'s dyn Store,
    scratch: &'s Scratch,
    caps: Caps,
    committed: Vec<Committed>,
    pending: Pending<'s>,
}

struct Committed {
    file: RunFile,
    run: Run,
}

impl<'s> Duplicates<'s> {
    /// With the committed `runs`, which are read once each.
    pub(crate) fn open(
        store: &'s dyn Store,
        runs: &[RunFile],
        scratch: &'s Scratch,
    ) -> Result<Self, PipelineError> {
        Self::open_with(store, runs, scratch, Caps::DEFAULT)
    }

    fn open_with(
        store: &'s dyn Store,
        runs: &[RunFile],
        scratch: &'s Scratch,
        caps: Caps,
    ) -> Result<Self, PipelineError> {
        let mut duplicates = Self {
            store,
            scratch,
            caps,
            committed: Vec::new(),
            pending: Pending::new(scratch, caps),
        };
        for file in runs {
            let run = duplicates.open_run(file)?;
            let file = file.clone();
            duplicates.committed.push(Committed { file, run });
            duplicates.fit_filters();
        }
        Ok(duplicates)
    }

    /// What each of a slice's records is, in the order of the plan; remembers those that are kept.
    pub(crate) fn check(
        &mut self,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<Novelty>, PipelineError> {
        let decided = self.decided(fingerprints)?;
        self.pending.remember(&decided.kept)?;
        self.fit_filters();
        Ok(decided.novelties)
    }

    /// What [`Duplicates::check`] would say; nothing is remembered.
    pub(crate) fn preview(
        &mut self,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<Novelty>, PipelineError> {
        Ok(self.decided(fingerprints)?.novelties)
    }

    fn decided(&mut self, fingerprints: &[Fingerprint]) -> Result<Decided, PipelineError> {
        let mut queries = sorted_queries(fingerprints);
        let minutes = || fingerprints.iter().map(|fingerprint| fingerprint.minute);
        let (Some(first), Some(last)) = (minutes().min(), minutes().max()) else {
            return Ok(decide(queries));
        };
        for queries in queries.chunks_mut(CHUNK_QUERIES) {
            self.pending.look_up(queries)?;
            for Committed { file, run } in &mut self.committed {
                if file.last_minute.saturating_add(WINDOW) >= first
                    && file.first_minute <= last.saturating_add(WINDOW)
                {
                    look_up(run, queries).map_err(|cause| PipelineError::Duplicates {
                        key: file.key.clone(),
                        problem: RunProblem::Read(cause),
                    })?;
                }
            }
        }
        Ok(decide(queries))
    }

    /// Writes what became known since the last commit as a run named `key`; `None` where nothing did.
    /// It counts once the manifest names it.
    pub(crate) fn commit(
        &mut self,
        key: &str,
        delivery_date: &str,
    ) -> Result<Option<RunFile>, PipelineError> {
        let records = self.pending.total();
        if records == 0 {
            return Ok(None);
        }
        let filter = Filter::new(records, self.caps.run_filter_bytes());
        let mut out = Output {
            upload: self.store.begin(key)?,
            copy: match self.store.local_path(key) {
                Some(_) => None,
                None => Some(self.scratch.file()?),
            },
            scratch: self.scratch,
        };
        let index = self.pending.write(Merged {
            out: &mut out,
            filter,
            failed: &|cause| PipelineError::Write {
                key: key.to_owned(),
                cause,
            },
        })?;
        let Output { upload, copy, .. } = out;
        upload.complete()?;
        let file = RunFile {
            key: key.to_owned(),
            records,
            delivery_date: delivery_date.to_owned(),
            first_minute: index.first_minute,
            last_minute: index.last_minute,
        };
        self.pending.clear();
        let local = copy.map_or_else(|| self.local(key), Ok)?;
        let run = Run::new(local, index);
        let committed = file.clone();
        self.committed.push(Committed { file, run });
        self.fit_filters();
        Ok(Some(committed))
    }

    /// Forgets the runs that no record delivered in `minute` or later can be compared with, and gives
    /// their keys. Who expects late deliveries passes a minute that is earlier by the look-back.
    pub(crate) fn retire(&mut self, minute: u32) -> Vec<String> {
        let retired = self.committed.extract_if(.., |run| {
            run.file.last_minute.saturating_add(WINDOW) < minute
        });
        retired.map(|run| run.file.key).collect()
    }

    /// Memory in use, but for a slice's own.
    #[cfg(test)]
    pub(crate) fn bytes(&mut self) -> u64 {
        let runs: u64 = self.committed.iter().map(|c| c.run.bytes()).sum();
        let filters: u64 = self.filters().map(|filter| filter.bytes()).sum();
        self.pending.bytes() + runs + filters
    }

    fn filters(&mut self) -> impl Iterator<Item = &mut Filter> {
        let committed = self.committed.iter_mut().map(|c| &mut c.run.index.filter);
        committed.chain(self.pending.filters())
    }

    /// Folds the largest filters until all keep to their cap.
    fn fit_filters(&mut self) {
        let cap = self.caps.filter_bytes;
        while self.filters().map(|filter| filter.bytes()).sum::<u64>() > cap {
            if let Some(largest) = self.filters().max_by_key(|filter| filter.bytes()) {
                largest.fold();
            }
        }
    }

    fn open_run(&self, file: &RunFile) -> Result<Run, PipelineError> {
        let problem = |problem| PipelineError::Duplicates {
            key: file.key.clone(),
            problem,
        };
        let filter = Filter::new(file.records, self.caps.run_filter_bytes());
        let run = Run::open(self.local(&file.key)?, filter).map_err(problem)?;
        if run.index.records != file.records {
            return Err(problem(RunProblem::Records {
                expected: file.records,
                found: run.index.records,
            }));
        }
        Ok(run)
    }

    /// A run as a local file.
    fn local(&self, key: &str) -> Result<File, PipelineError> {
        let unread = |cause| PipelineError::Duplicates {
            key: key.to_owned(),
            problem: RunProblem::Read(cause),
        };
        if let Some(path) = self.store.local_path(key) {
            return File::open(path).map_err(unread);
        }
        let missing = || unread(io::ErrorKind::NotFound.into());
        let size = self.store.size(key)?.ok_or_else(missing)?;
        let mut copy = self.scratch.file()?;
        let mut at = 0;
        while at < size {
            let bytes = self.store.read_range(key, at, COPY_BYTES.min(size - at))?;
            if bytes.is_empty() {
                return Err(unread(io::ErrorKind::UnexpectedEof.into()));
            }
            at += bytes.len() as u64;
            copy.write_all(&bytes)
                .map_err(|cause| self.scratch.failed(cause))?;
        }
        Ok(copy)
    }
}

/// A run on its way into the store, and into a copy where the store's cannot be read in place.
struct Output<'s> {
    upload: Box<dyn Upload>,
    copy: Option<File>,
    scratch: &'s Scratch,
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.upload.write_all(bytes)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(bytes)
                .map_err(|cause| io::Error::other(self.scratch.failed(cause)))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
