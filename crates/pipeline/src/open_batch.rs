//! A batch at work: slice by slice, each in rounds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

use bumpalo::Bump;
use retrial_tables::RejectRow;

use crate::analyze::{PipelineError, Run};
use crate::batch::{Batch, KeptRows};
use crate::coverage::FileCoverage;
use crate::dates::Dated;
use crate::decide::{DecidedChunk, Knowledge, decide_waiting};
use crate::framing::{OpenFile, Reading, issuing, read_round};
use crate::joins::Joins;
use crate::plan::{DayPlan, PlannedFile, day_number};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::shards::{Again, RecordsLog};
use crate::slice::{Failure, Fate, FilePart, count_round, decide_round, fingerprints, mark};
use crate::waiting::DeliveryDay;

/// The text of waiting records that is decided at a time.
const WAITING_BYTES: usize = 16 << 20;

/// Log files that their sources are told of before they are read: those of many slices.
const ANNOUNCED: usize = 4_096;

/// Up to which minute all files were read, before and after some of them are.
#[derive(Clone, Copy)]
struct ReadTo {
    before: u32,
    after: u32,
}

/// What every batch of a run is worked with.
#[derive(Clone, Copy)]
pub(crate) struct Workplace<'r> {
    pub(crate) run: &'r Run<'r>,
    pub(crate) scratch: &'r Scratch,
    pub(crate) slice_bytes: u64,
    pub(crate) batch_bytes: u64,
    /// Whether batches keep what their records are, for a merge.
    pub(crate) keeps_records: bool,
}

/// What a batch came to, before it is committed.
pub(crate) struct Worked<'r> {
    pub(crate) batch: Batch<'r>,
    pub(crate) report: Report,
    /// The log files that the storage refused.
    pub(crate) failures: Vec<Failure>,
    pub(crate) records: Option<RecordsLog<'r>>,
}

/// A plan at work.
#[derive(Clone, Copy)]
pub(crate) struct Day<'p> {
    pub(crate) files: &'p [PlannedFile],
    pub(crate) delivery: DeliveryDay,
}

impl<'p> Day<'p> {
    pub(crate) fn of(plan: &'p DayPlan) -> Self {
        Self {
            files: &plan.files,
            delivery: plan.day.map(day_number),
        }
    }

    /// Up to which minute all files were read when those before `end` were: nothing is known where
    /// files have no date.
    pub(crate) fn read_to(&self, end: usize) -> u32 {
        let next = self.files.get(end).or(self.files.last());
        next.and_then(PlannedFile::minute).unwrap_or(0)
    }

    /// Where the files from the range's first on come to `bytes`: behind one at least.
    fn cut(&self, range: Range<usize>, bytes: u64, size: impl Fn(&PlannedFile) -> u64) -> usize {
        let mut total: u64 = 0;
        let files = self.files.get(range.clone()).unwrap_or_default();
        for (at, file) in range.clone().zip(files) {
            total = total.saturating_add(size(file));
            if total >= bytes {
                return at + 1;
            }
        }
        range.end
    }
}

/// A batch at work. Dropped, it leaves nothing in the output; what it did to the [`Joins`] is undone by
/// [`Joins::reopen`].
pub(crate) struct OpenBatch<'w, 'r> {
    place: Workplace<'r>,
    joins: &'w mut Joins<'r>,
    batch: Batch<'r>,
    report: Report,
    failures: Vec<Failure>,
    records: Option<RecordsLog<'r>>,
}

impl<'w, 'r> OpenBatch<'w, 'r> {
    pub(crate) fn new(place: Workplace<'r>, joins: &'w mut Joins<'r>, batch: Batch<'r>) -> Self {
        Self {
            place,
            joins,
            batch,
            report: Report::default(),
            failures: Vec::new(),
            records: None,
        }
    }

    /// What it came to.
    pub(crate) fn into_worked(self) -> Worked<'r> {
        Worked {
            batch: self.batch,
            report: self.report,
            failures: self.failures,
            records: self.records,
        }
    }

    /// What it counts.
    pub(crate) fn report(&mut self) -> &mut Report {
        &mut self.report
    }

    /// Adds what a log file covers that another process has read.
    pub(crate) fn cover(&mut self, file: FileCoverage) {
        self.batch.cover(file);
    }

    /// Writes rows that another process has made, of the batch's own delivery day.
    pub(crate) fn take_over(&mut self, rows: KeptRows<'_>) -> Result<(), PipelineError> {
        self.batch.write(self.batch.place.delivery, rows)
    }

    /// An error where the run was asked to stop.
    pub(crate) fn check_stop(&self) -> Result<(), PipelineError> {
        match self.place.run.stop.load(Ordering::Relaxed) {
            true => Err(PipelineError::Stopped),
            false => Ok(()),
        }
    }

    /// Works a day's files from `begin` on, until the batch is full or the day ends, and says where.
    /// The other end is a file that failed in its middle.
    pub(crate) fn work(
        &mut self,
        day: Day<'_>,
        begin: usize,
        failing: &BTreeMap<usize, Failure>,
    ) -> Result<Result<usize, Failure>, PipelineError> {
        let all = begin..day.files.len();
        let batch_end = day.cut(all, self.place.batch_bytes, |file| file.size);
        let mut at = begin;
        while at < batch_end && !self.batch.is_full() {
            self.check_stop()?;
            let known = |(place, file)| (!failing.contains_key(&place)).then_some(file);
            let next = (at..).zip(day.files.get(at..).unwrap_or_default());
            self.place
                .run
                .announce(next.filter_map(known).take(ANNOUNCED));
            let rest = at..batch_end;
            let end = day.cut(rest, self.place.slice_bytes, PlannedFile::estimated_bytes);
            if let Some(failure) = self.slice(day, at..end, failing)? {
                return Ok(Err(failure));
            }
            at = end;
        }
        Ok(Ok(at))
    }

    /// Works a slice in rounds: nearly always one; more where a file is larger than a part. Gives a
    /// file that failed in a later one.
    fn slice(
        &mut self,
        day: Day<'_>,
        slice: Range<usize>,
        failing: &BTreeMap<usize, Failure>,
    ) -> Result<Option<Failure>, PipelineError> {
        let in_slice = day.files.get(slice.clone()).unwrap_or_default();
        let files = slice
            .clone()
            .zip(in_slice)
            .map(|(place, file)| OpenFile::new(place, file))
            .collect();
        let times = ReadTo {
            before: day.read_to(slice.start),
            after: day.read_to(slice.end),
        };
        self.rounds((day.delivery, times), files, failing, None)
    }

    /// Reads log files again of which it is known what each of their records is. Gives one that failed.
    pub(crate) fn again(
        &mut self,
        day: Day<'_>,
        again: &mut Again,
    ) -> Result<Option<Failure>, PipelineError> {
        let read_to = day.read_to(day.files.len());
        let times = ReadTo {
            before: read_to,
            after: read_to,
        };
        let mut files: Vec<OpenFile<'_>> = Vec::new();
        let mut bytes = 0;
        let places: Vec<usize> = again.files.keys().copied().collect();
        let last = places.last().copied();
        self.place.run.announce(
            places
                .iter()
                .filter_map(|place| day.files.get(*place))
                .take(ANNOUNCED),
        );
        for place in places {
            let Some(file) = day.files.get(place) else {
                continue;
            };
            bytes += file.estimated_bytes();
            files.push(OpenFile::new(place, file));
            if bytes < self.place.slice_bytes && last != Some(place) {
                continue;
            }
            bytes = 0;
            self.check_stop()?;
            let files = std::mem::take(&mut files);
            let day = (day.delivery, times);
            let failed = self.rounds(day, files, &BTreeMap::new(), Some(&mut *again))?;
            if failed.is_some() {
                return Ok(failed);
            }
        }
        // What has waited since an earlier day, and waits no longer.
        self.write(day.delivery, read_to, &[])?;
        Ok(None)
    }

    /// Reads log files in rounds. Gives a file that failed in a later one; where it is known what the
    /// records are, also one that failed in its first.
    fn rounds(
        &mut self,
        (delivery, times): (DeliveryDay, ReadTo),
        mut files: Vec<OpenFile<'_>>,
        failing: &BTreeMap<usize, Failure>,
        mut again: Option<&mut Again>,
    ) -> Result<Option<Failure>, PipelineError> {
        if self.place.keeps_records && self.records.is_none() {
            self.records = Some(RecordsLog::new(self.place.scratch)?);
        }
        while !files.is_empty() {
            let mut session_arenas: Vec<Bump> = files.iter().map(|_| Bump::new()).collect();
            let mut arenas: Vec<Bump> = files.iter().map(|_| Bump::new()).collect();
            let run = self.place.run;
            let reading = Reading {
                run,
                failing,
                retry: &self.joins.retry,
            };
            let framed = read_round(reading, &mut files, &mut session_arenas);
            let failed = framed
                .iter()
                .map(|framed| &framed.part)
                .find(|part| (part.is_later || again.is_some()) && part.failure.is_some());
            if let Some(part) = failed {
                return Ok(part.failure.clone());
            }
            let is_last = !files.iter().any(OpenFile::has_more);
            let read_to = if is_last { times.after } else { times.before };
            // Where records are read again, all sessions are known.
            if again.is_none() {
                // The same record has the same body: whether it is there twice, the records that issued
                // sessions tell among themselves.
                let novelties = self.joins.duplicates.preview(&issuing(&framed))?;
                self.joins.add_sessions(&framed, novelties);
            }
            let mut parts = decide_round(run, self.knowledge(read_to), framed, &mut arenas);
            let novelties = match &mut again {
                None => self.joins.duplicates.check(&fingerprints(&parts))?,
                Some(again) => again.take(&files, &parts)?,
            };
            mark(&mut parts, novelties);
            count_round(&mut parts);
            self.joins.hold(delivery, &mut parts)?;
            self.write(delivery, read_to, &parts)?;
            if let Some(records) = &mut self.records {
                for (file, part) in files.iter().zip(&parts) {
                    records.add(file.planned(), part)?;
                }
            }
            for (file, part) in files.iter_mut().zip(parts) {
                file.cover(part.coverage);
                self.report.merge(part.report);
                self.failures.extend(part.failure);
            }
            let (going_on, ended): (Vec<_>, Vec<_>) =
                files.into_iter().partition(OpenFile::has_more);
            for file in ended {
                self.batch.cover(file.into_coverage());
            }
            files = going_on;
        }
        Ok(None)
    }

    fn knowledge(&self, read_to: u32) -> Knowledge<'_> {
        Knowledge {
            sessions: &self.joins.sessions,
            read_to,
        }
    }

    /// Writes the rows of a round, and of the waiting records whose horizon has passed by its end.
    fn write(
        &mut self,
        delivery: DeliveryDay,
        read_to: u32,
        parts: &[FilePart<'_>],
    ) -> Result<(), PipelineError> {
        let mut parts = Some(parts);
        loop {
            let carried = self.joins.waiting.carried();
            let mut passed = self.joins.waiting.pop_passed(read_to, WAITING_BYTES)?;
            let mut arenas = Vec::new();
            let sessions = &self.joins.sessions;
            let chunks = decide_waiting(
                self.place.run,
                sessions,
                (&mut passed, carried),
                &mut arenas,
            );
            let mut rows: BTreeMap<DeliveryDay, KeptRows<'_>> = BTreeMap::new();
            keep_chunks(&chunks, &mut rows);
            // They come with the first portion, behind it: it was read before them.
            if let Some(parts) = parts.take() {
                let of_day = rows.entry(delivery).or_default();
                parts.iter().for_each(|part| keep_part(part, of_day));
            }
            for (delivery, rows) in rows {
                self.batch.write(delivery, rows)?;
            }
            for chunk in chunks {
                self.report.merge(chunk.report);
            }
            if passed.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes all that waits, as far as it can be decided, and all that could not be read.
    pub(crate) fn write_tail(&mut self) -> Result<(), PipelineError> {
        let delivery = self.batch.place.delivery;
        let rejects: Vec<Dated<RejectRow<'_>>> = self
            .joins
            .retry
            .unread
            .iter()
            .map(|unread| (None, unread.row()))
            .collect();
        if !rejects.is_empty() {
            let rows = KeptRows {
                rejects: rejects.iter().collect(),
                ..KeptRows::default()
            };
            self.batch.write(delivery, rows)?;
        }
        let mut carried = self.joins.waiting.carried();
        let (run, batch, report) = (self.place.run, &mut self.batch, &mut self.report);
        let sessions = &self.joins.sessions;
        self.joins
            .waiting
            .each_portion(WAITING_BYTES, &mut |mut records| {
                let mut arenas = Vec::new();
                let chunks = decide_waiting(run, sessions, (&mut records, carried), &mut arenas);
                carried = carried.saturating_sub(records.len() as u64);
                let mut rows: BTreeMap<DeliveryDay, KeptRows<'_>> = BTreeMap::new();
                keep_chunks(&chunks, &mut rows);
                for (delivery, rows) in rows {
                    batch.write(delivery, rows)?;
                }
                for chunk in chunks {
                    report.merge(chunk.report);
                }
                Ok(())
            })
    }
}

/// The kept rows of a file's part, in the order of its records.
fn keep_part<'x>(part: &'x FilePart<'x>, kept: &mut KeptRows<'x>) {
    for item in &part.items {
        match &item.fate {
            Fate::Decided(decided) => kept.add(&part.rows, decided),
            Fate::Held { .. } | Fate::Dropped => {}
        }
        let session = item.session.and_then(|session| part.sessions.get(session));
        kept.sessions.extend(session);
    }
    kept.rejects.extend(&part.rejects);
}

fn keep_chunks<'x>(chunks: &'x [DecidedChunk<'x>], rows: &mut BTreeMap<DeliveryDay, KeptRows<'x>>) {
    for chunk in chunks {
        for (delivery, decided) in &chunk.records {
            rows.entry(*delivery).or_default().add(&chunk.rows, decided);
        }
    }
}
