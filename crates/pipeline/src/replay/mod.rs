//! Replaying the table `decisions`: what another snapshot makes of the same calls, without the log
//! files.
//!
//! Dates are worked one after the other, each with the sessions that its calls may have joined; the row
//! groups of a date by all cores. Of a call only the verdict is asked for, and equal questions (principal,
//! session, action, resource, and those keys of the context that any policy reads) are evaluated once.
//! What the mapping took from the snapshot of then (the path of a role, the owner of a bucket) stays as
//! it is in the rows.
//!
//! # Memory
//! The sessions of a date and the days before it, the footers of its files, and per thread some rows and
//! a bounded [`Memo`]. Calls without a date are the exception: any session may be theirs.

mod part;
mod report;
mod rows;
mod what_if;

use std::collections::BTreeSet;

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_cloudtrail::Timestamp;
use retrial_iam::Scratch;
use retrial_replay::{Memo, Replayed, Replayer};
use retrial_storage::Store;
use retrial_tables::{Column, DecisionRow, Decisions, ReadError, Table, TableReader, Workers};

use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::sessions::{SessionFiles, Sessions};
use crate::stored_file::StoredFile;

pub use report::{ChangeKey, ChangedCalls, ReplayReport};
pub use what_if::{
    WhatIfBasis, WhatIfGroup, WhatIfKey, WhatIfReport, WhatIfRun, what_if, what_if_table,
};

use part::{Joiner, Part};
pub(crate) use rows::{call_of, known, question_of};

/// What a thread remembers of answers, in bytes.
const MEMO_BYTES: usize = 16 << 20;

/// Which calls to replay; the default is all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Only calls from this moment on.
    pub since: Option<Timestamp>,
    /// Only calls before this moment.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether a call of this time (microseconds) is in it; one without a time is in the whole only.
    fn has(&self, time: Option<i64>) -> bool {
        let since = self.since.map(Timestamp::micros);
        let until = self.until.map(Timestamp::micros);
        match time {
            Some(time) => {
                since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until)
            }
            None => since.is_none() && until.is_none(),
        }
    }

    /// Whether the folder of a date can hold such calls; `unknown` also holds times that no folder is
    /// made for.
    fn has_date(&self, date: &str) -> bool {
        midnight(date).is_none_or(|begin| {
            let end = begin + MICROS_PER_DAY;
            self.since.is_none_or(|since| end > since.micros())
                && self.until.is_none_or(|until| begin < until.micros())
        })
    }
}

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How long before a call its session can have been issued, in days: 36 hours, as long again for the
/// session of a role chain, and what a day's beginning adds.
const SESSION_DAYS: i64 = 4;

/// The first moment of `2026-11-02`, in microseconds; `None` for `unknown`.
fn midnight(date: &str) -> Option<i64> {
    Timestamp::parse(&format!("{date}T00:00:00Z")).map(Timestamp::micros)
}

/// The replay of an output.
pub struct Replay<'s> {
    /// Decides, under the other snapshot.
    pub replayer: Replayer<'s>,
    /// Where the output is.
    pub store: &'s dyn Store,
    /// Its committed files.
    pub files: &'s [ManifestFile],
    /// Which calls.
    pub window: Window,
    /// How many threads work; never changes the report.
    pub threads: usize,
}

/// Replays the calls of an output.
///
/// # Errors
/// Where a committed file cannot be read.
pub fn replay(replay: &Replay<'_>) -> Result<ReplayReport, PipelineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(replay.threads)
        .build()?;
    pool.install(|| {
        let mut report = ReplayReport::default();
        for date in replay.dates() {
            replay.date(date, &mut report)?;
        }
        Ok(report)
    })
}

/// Replays the calls of an output one after the other, and shows each with all its rows' columns and all
/// that was found: what stands behind the verdicts, where [`replay()`] counts them.
///
/// A call whose rows are spread over two batches of rows is shown in two parts.
///
/// # Errors
/// Where a committed file cannot be read.
pub fn replay_each(
    replay: &Replay<'_>,
    show: &mut dyn FnMut(&[DecisionRow<'_>], &Replayed<'_>),
) -> Result<(), PipelineError> {
    let columns: Vec<&str> = Decisions::COLUMNS.iter().map(Column::name).collect();
    for date in replay.dates() {
        let sessions = replay.sessions(date)?;
        for table in replay.open(date, &columns)? {
            for row_group in 0..table.reader.row_groups() {
                each_call((&table, row_group), |rows, _, (arena, scratch)| {
                    if let Some((call, session)) = rows::question(replay, rows, &sessions, arena)? {
                        let replayer = replay.replayer;
                        show(
                            rows,
                            &replayer.replay_recorded(&call, session, arena, scratch),
                        );
                    }
                    Ok(())
                })?;
            }
        }
    }
    Ok(())
}

/// A file of `decisions`, opened.
pub(crate) struct OpenTable<'s> {
    key: &'s str,
    pub(crate) reader: TableReader<Decisions, StoredFile<'s>>,
}

impl OpenTable<'_> {
    pub(crate) fn failed(&self, cause: ReadError) -> PipelineError {
        PipelineError::Read {
            key: self.key.to_owned(),
            cause,
        }
    }
}

/// The answers that a thread gave before.
struct Remembered<'x>(Memo<'x>);

impl Default for Remembered<'_> {
    fn default() -> Self {
        Self(Memo::new(MEMO_BYTES))
    }
}

impl<'s> Replay<'s> {
    /// The files of a table that count.
    pub(crate) fn files(&self, table: &'static str) -> impl Iterator<Item = &'s ManifestFile> {
        let superseded: BTreeSet<&str> = self
            .files
            .iter()
            .flat_map(|file| file.supersedes.iter().map(String::as_str))
            .collect();
        self.files
            .iter()
            .filter(move |file| file.table == table && !superseded.contains(file.key.as_str()))
    }

    /// The event dates of the window, ascending.
    pub(crate) fn dates(&self) -> BTreeSet<&'s str> {
        self.files(Decisions::NAME)
            .map(|file| file.event_date.as_str())
            .filter(|date| self.window.has_date(date))
            .collect()
    }

    fn date(&self, date: &str, report: &mut ReplayReport) -> Result<(), PipelineError> {
        let tables = self.open(date, rows::COLUMNS)?;
        report.snapshots.extend(self.snapshots(date));
        let sessions = self.sessions(date)?;
        let groups: Vec<(&OpenTable<'s>, usize)> = tables
            .iter()
            .flat_map(|table| (0..table.reader.row_groups()).map(move |group| (table, group)))
            .collect();
        let mut joiner = Joiner::new(report);
        let workers = Workers::<Remembered<'_>>::default();
        // So many at a time that their parts do not pile up.
        for groups in groups.chunks(rayon::current_num_threads() * 4) {
            let parts: Vec<Part> = groups
                .par_iter()
                .map(|group| {
                    workers.with(|Remembered(memo)| self.judge_group(*group, &sessions, memo))
                })
                .collect::<Result<_, _>>()?;
            parts.into_iter().for_each(|part| joiner.add(part));
        }
        joiner.finish();
        Ok(())
    }

    /// The files of a date.
    pub(crate) fn of_date(&self, date: &str) -> impl Iterator<Item = &'s ManifestFile> {
        self.files(Decisions::NAME)
            .filter(move |file| file.event_date == date)
    }

    fn snapshots(&self, date: &str) -> impl Iterator<Item = String> {
        self.of_date(date)
            .flat_map(|file| file.snapshot_ids.iter().cloned())
    }

    fn open(&self, date: &str, columns: &[&str]) -> Result<Vec<OpenTable<'s>>, PipelineError> {
        let mut tables = Vec::new();
        for file in self.of_date(date) {
            tables.push(self.open_file(file, columns)?);
        }
        Ok(tables)
    }

    pub(crate) fn open_file(
        &self,
        file: &'s ManifestFile,
        columns: &[&str],
    ) -> Result<OpenTable<'s>, PipelineError> {
        let stored = StoredFile {
            store: self.store,
            key: &file.key,
            bytes: file.bytes,
        };
        Ok(OpenTable {
            key: &file.key,
            reader: stored.table::<Decisions>(columns)?,
        })
    }

    /// The sessions that the calls of a date may have joined.
    pub(crate) fn sessions(&self, date: &str) -> Result<Sessions, PipelineError> {
        let of_calls = midnight(date);
        let may_be_joined = |file: &&ManifestFile| match (midnight(&file.event_date), of_calls) {
            (Some(issued), Some(called)) => {
                let earliest = called - SESSION_DAYS * MICROS_PER_DAY;
                (earliest..=called + MICROS_PER_DAY).contains(&issued)
            }
            _ => true,
        };
        let files: Vec<ManifestFile> = self
            .files(retrial_tables::Sessions::NAME)
            .filter(may_be_joined)
            .cloned()
            .collect();
        let mut sessions = Sessions::default();
        let files = SessionFiles {
            store: self.store,
            files: files.iter().collect(),
        };
        sessions.load(&[files], 0)?;
        Ok(sessions)
    }

    fn judge_group<'x>(
        &self,
        group: (&OpenTable<'_>, usize),
        sessions: &'x Sessions,
        memo: &mut Memo<'x>,
    ) -> Result<Part, PipelineError> {
        let mut part = Part::default();
        each_call(group, |rows, at_edge, (arena, scratch)| {
            let seen = rows::judge(self, rows, (sessions, &mut *memo), (arena, scratch))?;
            if let Some(seen) = seen {
                part.add(&seen, at_edge);
            }
            Ok(())
        })?;
        Ok(part)
    }
}

/// Hands over the rows of each call of a row group. A call at the edge of a batch can have further
/// rows, in the batch before or after.
pub(crate) fn each_call<'s>(
    (table, row_group): (&OpenTable<'_>, usize),
    mut see: impl FnMut(&[DecisionRow<'_>], bool, (&Bump, &mut Scratch<'s>)) -> Result<(), ReadError>,
) -> Result<(), PipelineError> {
    let failed = |cause: ReadError| PipelineError::Read {
        key: table.key.to_owned(),
        cause,
    };
    let mut scratch = Scratch::default();
    let mut arena = Bump::new();
    for batch in table.reader.batches(row_group).map_err(failed)? {
        batch.map_err(failed)?.with_rows(|batch| {
            let mut calls = batch.chunk_by(is_same_call).peekable();
            let mut at_beginning = true;
            while let Some(rows) = calls.next() {
                let at_edge = std::mem::take(&mut at_beginning) || calls.peek().is_none();
                arena.reset();
                see(rows, at_edge, (&arena, &mut scratch)).map_err(failed)?;
            }
            Ok::<(), PipelineError>(())
        })?;
    }
    Ok(())
}

pub(crate) fn is_same_call(left: &DecisionRow<'_>, right: &DecisionRow<'_>) -> bool {
    left.record_index == right.record_index && left.log_file == right.log_file
}
