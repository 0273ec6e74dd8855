//! One slice: its log files read, parsed and replayed by all cores, a bounded part at a time.
//!
//! A part is read in two passes over its files, both parallel. The first ([`read_round`]) reads and
//! parses, and replays what it can; between the two, in the order of the plan, it is found out which
//! records are duplicates and which sessions were issued. The second ([`settle_round`]) drops the
//! duplicates, counts the others, and decides what had to wait for a session of the same slice.

use std::collections::BTreeMap;
use std::io::Read;

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_cloudtrail::{
    FileKind, Framed, LogFileReader, Part, PartBudget, ReadBuffers, Record, Reject, RejectScope,
    Timestamp,
};
use retrial_replay::{Caller, issued_session, session_key};
use retrial_storage::StorageError;
use retrial_tables::{RejectRow, SessionRow};

use crate::analyze::Run;
use crate::coverage::{CellOf, FileCoverage};
use crate::dates::{Dated, event_date};
use crate::decide::{Decided, Knowledge, Rows, Worker};
use crate::duplicates::{Fingerprint, Novelty, body_hash};
use crate::plan::PlannedFile;
use crate::report::Report;
use crate::retry::{Retry, class};
use crate::rows::{Origin, session_row};
use crate::shards::Recorded;
use crate::texts::Texts;

/// What one file contributes to a slice at most; a larger file goes on in further rounds, so that one
/// file, however large or however it was made, never decides how much memory a run needs.
const FILE_PART: PartBudget = PartBudget {
    bytes: 64 << 20,
    records: 50_000,
};

const MICROS_A_MINUTE: i64 = 60_000_000;

/// A log file being read.
pub(crate) struct OpenFile<'p> {
    file: &'p PlannedFile,
    /// Its place in the plan.
    place: usize,
    /// `None` before it is opened and once it is at its end.
    reader: Option<LogFileReader<Box<dyn Read + Send>>>,
    started: bool,
    coverage: FileCoverage,
}

impl<'p> OpenFile<'p> {
    pub(crate) fn new(place: usize, file: &'p PlannedFile) -> Self {
        Self {
            file,
            place,
            reader: None,
            started: false,
            coverage: FileCoverage::default(),
        }
    }

    /// Its place in the plan.
    pub(crate) fn place(&self) -> usize {
        self.place
    }

    /// The file.
    pub(crate) fn planned(&self) -> &'p PlannedFile {
        self.file
    }

    /// Whether anything is left to be read.
    pub(crate) fn has_more(&self) -> bool {
        self.reader.is_some()
    }

    /// Adds what a part of it covers.
    pub(crate) fn cover(&mut self, part: FileCoverage) {
        self.coverage.add_part(part);
    }

    /// What the whole file covers.
    pub(crate) fn into_coverage(self) -> FileCoverage {
        self.coverage
    }
}

/// Why the storage did not deliver a file: a later run may have it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) place: usize,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// What one part of one file contributes.
#[derive(Default)]
pub(crate) struct FilePart<'f> {
    pub(crate) items: Vec<Item>,
    pub(crate) rows: Rows<'f>,
    /// What the second pass decided.
    pub(crate) late: Rows<'f>,
    pub(crate) sessions: Vec<Dated<SessionRow<'f>>>,
    pub(crate) rejects: Vec<Dated<RejectRow<'f>>>,
    pub(crate) report: Report,
    pub(crate) coverage: FileCoverage,
    pub(crate) log_file: &'f str,
    /// The storage failed: nothing else is in the part where it is the file's first one.
    pub(crate) failure: Option<Failure>,
    /// Whether rows of the file's earlier parts are in the batch already.
    pub(crate) is_later: bool,
}

/// A record of a part, neither filtered nor rejected.
pub(crate) struct Item {
    pub(crate) minute: u32,
    pub(crate) fate: Fate,
    /// The session that it issued, in [`FilePart::sessions`].
    pub(crate) session: Option<usize>,
    pub(crate) conflict: bool,
    fingerprint: Option<Fingerprint>,
    cell: Option<CellOf>,
}

impl Item {
    /// Its fingerprint and what it was found to be; `None` of a filtered record.
    pub(crate) fn recorded(&self) -> Option<Recorded> {
        let novelty = match (&self.fate, self.conflict) {
            (Fate::Dropped, _) => Novelty::Duplicate,
            (_, true) => Novelty::Conflict,
            (_, false) => Novelty::New,
        };
        Some(Recorded {
            fingerprint: self.fingerprint?,
            novelty,
        })
    }
}

/// What became of a record.
pub(crate) enum Fate {
    /// Decided in the first pass: its rows are in [`FilePart::rows`].
    Decided(Decided),
    /// It needs a session that was not known in the first pass.
    Held {
        /// Its text: not in an arena, since most of what is held is moved on to the queue.
        text: Box<[u8]>,
        /// Its number in the file.
        record_index: u64,
    },
    /// Decided in the second pass: its rows are in [`FilePart::late`].
    Late(Decided),
    /// A duplicate, or a filtered record of which only the session that it issued counts.
    Dropped,
}

/// What the files of a round are read with.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'r, 'f> {
    pub(crate) run: &'r Run<'f>,
    pub(crate) known: Knowledge<'r>,
    /// Files that are known to fail in their middle: they are not opened.
    pub(crate) failing: &'r BTreeMap<usize, Failure>,
    /// What could not be read by earlier runs.
    pub(crate) retry: &'r Retry,
}

impl Reading<'_, '_> {
    /// Whether an earlier run could not read a file either.
    fn was_tried(&self, file: &PlannedFile) -> bool {
        let names = self.run.source_names();
        let source = names.get(file.source).map_or("", String::as_str);
        self.retry.was_tried(source, &file.key)
    }
}

/// Reads the next part of each file. The rows live in `arenas`, one per file.
pub(crate) fn read_round<'f>(
    reading: Reading<'_, 'f>,
    files: &mut [OpenFile<'_>],
    arenas: &'f mut [Bump],
) -> Vec<FilePart<'f>> {
    files
        .par_iter_mut()
        .zip(arenas.par_iter_mut())
        .map_init(PartWorker::default, |worker, (file, arena)| {
            read_part(reading, worker, file, arena)
        })
        .collect()
}

/// The fingerprints of a round, in the order of the plan.
pub(crate) fn fingerprints(parts: &[FilePart<'_>]) -> Vec<Fingerprint> {
    parts
        .iter()
        .flat_map(|part| part.items.iter().filter_map(|item| item.fingerprint))
        .collect()
}

/// Marks duplicates and conflicts, which come in the order of [`fingerprints`].
pub(crate) fn mark(parts: &mut [FilePart<'_>], novelties: Vec<Novelty>) {
    let mut novelties = novelties.into_iter();
    for part in parts {
        for item in &mut part.items {
            match item.fingerprint.and_then(|_| novelties.next()) {
                Some(Novelty::Duplicate) => {
                    item.fate = Fate::Dropped;
                    item.session = None;
                    item.cell = None;
                    part.report.books.duplicate += 1;
                }
                Some(Novelty::Conflict) => {
                    item.conflict = true;
                    part.report.conflicts += 1;
                }
                Some(Novelty::New) | None => {}
            }
        }
    }
}

/// Counts what was kept and decides what was held and can be by now.
pub(crate) fn settle_round<'f>(
    run: &Run<'f>,
    known: Knowledge<'_>,
    parts: &mut [FilePart<'f>],
    arenas: &'f mut [Bump],
) {
    parts
        .par_iter_mut()
        .zip(arenas.par_iter_mut())
        .for_each_init(Worker::default, |worker, (part, arena)| {
            settle_part(run, known, worker, part, arena);
        });
}

fn settle_part<'f>(
    run: &Run<'f>,
    known: Knowledge<'_>,
    worker: &mut Worker<'f>,
    part: &mut FilePart<'f>,
    arena: &'f Bump,
) {
    for item in &mut part.items {
        if let Some(cell) = item.cell {
            part.coverage.count(cell);
        }
        match &item.fate {
            Fate::Decided(decided) => {
                if item.conflict {
                    part.rows.mark_conflict(decided);
                }
                let rows = part.rows.decisions_of(decided);
                part.report.count(decided.facts, rows);
            }
            Fate::Held { text, record_index } => {
                let origin = Origin {
                    log_file: part.log_file,
                    record_index: *record_index,
                    conflict: item.conflict,
                };
                let decided = worker.decide(
                    run,
                    known,
                    (text, item.minute),
                    origin,
                    &mut part.late,
                    arena,
                );
                if let Some(decided) = decided {
                    part.report
                        .count(decided.facts, part.late.decisions_of(&decided));
                    item.fate = Fate::Late(decided);
                }
            }
            Fate::Late(_) | Fate::Dropped => {}
        }
    }
}

/// What a thread keeps from one file to the next.
#[derive(Default)]
struct PartWorker<'s> {
    worker: Worker<'s>,
    /// Of the last file that was read to its end.
    buffers: Option<ReadBuffers>,
}

fn read_part<'f>(
    reading: Reading<'_, 'f>,
    worker: &mut PartWorker<'f>,
    open: &mut OpenFile<'_>,
    arena: &'f Bump,
) -> FilePart<'f> {
    let Reading { run, failing, .. } = reading;
    let buffers = worker.buffers.take();
    let log_file = arena.alloc_str(&open.file.key);
    let mut reader = PartReader {
        reading,
        arena,
        minute: open.file.minute(),
        place: open.place,
        part: FilePart {
            log_file,
            is_later: open.started,
            ..FilePart::default()
        },
        worker: &mut worker.worker,
    };
    let first = !open.started;
    open.started = true;
    if first {
        reader.part.report.files = 1;
        reader.part.report.bytes = open.file.size;
        if let Some(failure) = failing.get(&open.place) {
            reader.fail(failure.clone());
            return reader.part;
        }
        match run.open(open.file) {
            Ok(body) => {
                let buffers = buffers.unwrap_or_default();
                open.reader = Some(LogFileReader::with_buffers(body, run.limits, buffers));
            }
            Err(error) => {
                let gone = error.is_not_found() && reading.was_tried(open.file);
                reader.unopened(&error, gone);
            }
        }
    }
    let Some(body) = &mut open.reader else {
        return reader.part;
    };
    let end = body.read_part(FILE_PART, &mut |framed| reader.take(framed));
    let mut part = reader.part;
    if let Part::End(kind) = end {
        worker.buffers = open.reader.take().map(LogFileReader::into_buffers);
        set_aside(&mut part.report, kind);
        run.progress.file_done(open.file.size);
    }
    if first && let Some(failure) = part.failure.take() {
        part = failed_part(part, failure);
    }
    run.progress.records(part.report.books.records_read);
    part
}

/// A file that turned out to be of another kind, and yielded nothing, is set aside like one whose
/// name says so.
fn set_aside(report: &mut Report, kind: FileKind) {
    let aside = &mut report.set_aside;
    match kind {
        FileKind::Digest => aside.digest += 1,
        FileKind::Notification => aside.notification += 1,
        _ => return,
    }
    report.files = 0;
    report.bytes = 0;
}

/// Where the storage failed, the whole file is to be read again by a later run: what came out of it
/// so far would then be there twice.
fn failed_part<'f>(part: FilePart<'f>, failure: Failure) -> FilePart<'f> {
    let mut report = Report {
        files: part.report.files,
        bytes: part.report.bytes,
        ..Report::default()
    };
    count_failure(&mut report, failure.reason);
    FilePart {
        report,
        log_file: part.log_file,
        failure: Some(failure),
        is_later: part.is_later,
        ..FilePart::default()
    }
}

/// Counts something that the storage refused, now.
pub(crate) fn count_failure(report: &mut Report, reason: &'static str) {
    report.files_rejected += 1;
    report.retryable += 1;
    *report.rejects.entry(reason.into()).or_default() += 1;
}

/// One part of one file, as it is read.
struct PartReader<'f, 'r> {
    reading: Reading<'r, 'f>,
    arena: &'f Bump,
    /// When the file was delivered.
    minute: Option<u32>,
    place: usize,
    part: FilePart<'f>,
    worker: &'r mut Worker<'f>,
}

impl PartReader<'_, '_> {
    fn take(&mut self, framed: Framed<'_>) {
        match framed {
            Framed::Record {
                index,
                offset,
                text,
            } => self.record(index, offset, text),
            Framed::Rejected(reject) => self.reject(&reject),
        }
    }

    fn record(&mut self, index: u64, offset: u64, text: &mut [u8]) {
        let Self {
            reading,
            arena,
            minute,
            part,
            worker,
            ..
        } = self;
        // Parsing unescapes the text in place.
        let body = body_hash(text);
        worker.text.clear();
        worker.text.extend_from_slice(text);
        let Worker {
            parser,
            scratch,
            call: call_arena,
            text: original,
            texts,
        } = &mut **worker;
        call_arena.reset();
        let mut taker = RecordTaker {
            reading: *reading,
            arena,
            call_arena,
            scratch,
            texts,
            part,
            file_minute: *minute,
            body,
            original,
            index,
        };
        let parsed = parser.parse(text, |record| taker.take(record));
        if let Err(error) = parsed {
            self.reject(&Reject::of_record(offset, index, error));
        }
    }

    fn reject(&mut self, reject: &Reject) {
        if reject.reason.is_retryable() {
            self.part.failure = Some(Failure {
                place: self.place,
                reason: reject.reason.code(),
                message: reject.reason.to_string(),
            });
            return;
        }
        let report = &mut self.part.report;
        match reject.reason.scope() {
            RejectScope::Record => {
                report.books.records_read += 1;
                report.books.rejected += 1;
            }
            RejectScope::File => report.files_rejected += 1,
        }
        *report
            .rejects
            .entry(reject.reason.code().into())
            .or_default() += 1;
        let row = RejectRow {
            log_file: self.part.log_file,
            record_index: reject.record_index,
            byte_offset: reject.offset,
            event_id: None,
            reason: reject.reason.code(),
            message: self.arena.alloc_str(&reject.reason.to_string()),
            class: class(false),
            bytes: None,
        };
        self.part.rejects.push((None, row));
    }

    /// A file that was not there for an earlier run, and is not there now, is `gone` for good.
    fn unopened(&mut self, error: &StorageError, gone: bool) {
        let reason = if gone {
            "deleted_file"
        } else {
            "unreadable_file"
        };
        if error.is_retryable() && !gone {
            self.fail(Failure {
                place: self.place,
                reason,
                message: error.to_string(),
            });
            return;
        }
        self.part.report.files_rejected += 1;
        *self.part.report.rejects.entry(reason.into()).or_default() += 1;
        let row = RejectRow {
            log_file: self.part.log_file,
            record_index: None,
            byte_offset: None,
            event_id: None,
            reason,
            message: self.arena.alloc_str(&error.to_string()),
            class: class(false),
            bytes: None,
        };
        self.part.rejects.push((None, row));
    }

    fn fail(&mut self, failure: Failure) {
        self.part = failed_part(std::mem::take(&mut self.part), failure);
    }
}

/// One record, parsed.
struct RecordTaker<'f, 'r> {
    reading: Reading<'r, 'f>,
    arena: &'f Bump,
    call_arena: &'r Bump,
    scratch: &'r mut retrial_iam::Scratch<'f>,
    texts: &'r Texts<'f>,
    part: &'r mut FilePart<'f>,
    file_minute: Option<u32>,
    body: u64,
    /// The record's text as it was before it was parsed.
    original: &'r [u8],
    index: u64,
}

impl<'f> RecordTaker<'f, '_> {
    fn take(&mut self, record: &Record<'_>) {
        self.part.report.books.records_read += 1;
        let minute = self
            .file_minute
            .unwrap_or_else(|| minute(record.event_time));
        let session = self.session(record);
        let run = self.reading.run;
        if !run.filter.passes(record) {
            return self.filtered(minute, session);
        }
        let known =
            session_key(record).map_or(Some(None), |key| self.reading.known.of(key, minute));
        match known {
            Some(session_known) => {
                let call = run.replayer.replay(
                    record,
                    crate::decide::knowledge(session_known),
                    self.call_arena,
                    self.scratch,
                );
                let account = record.recipient_account_id.or(call.caller.account);
                if !run.filter.passes_caller(account, call.caller.principal_arn) {
                    return self.filtered(minute, session);
                }
                let origin = Origin {
                    log_file: self.part.log_file,
                    record_index: self.index,
                    conflict: false,
                };
                let texts = (self.texts, self.arena);
                let decided = self.part.rows.add(run, record, &call, origin, texts);
                self.keep(record, account, minute, Fate::Decided(decided), session);
            }
            None => {
                let caller = Caller::of(record, self.call_arena);
                let account = record.recipient_account_id.or(caller.account);
                if !run.filter.passes_caller(account, caller.principal_arn) {
                    return self.filtered(minute, session);
                }
                let fate = Fate::Held {
                    text: self.original.into(),
                    record_index: self.index,
                };
                self.keep(record, account, minute, fate, session);
            }
        }
    }

    /// The session that the record issued: also where the record itself is filtered, since it is the
    /// calls of others that it speaks of.
    fn session(&mut self, record: &Record<'_>) -> Option<usize> {
        let issued = issued_session(record, self.call_arena)?;
        let row = session_row(
            record,
            &issued,
            (self.part.log_file, self.index),
            self.arena,
        );
        let number = self.part.sessions.len();
        let date = event_date(record.event_time);
        self.part.sessions.push((date, row));
        Some(number)
    }

    fn filtered(&mut self, minute: u32, session: Option<usize>) {
        self.part.report.books.filtered += 1;
        if session.is_some() {
            self.part.items.push(Item {
                minute,
                fate: Fate::Dropped,
                session,
                conflict: false,
                fingerprint: None,
                cell: None,
            });
        }
    }

    fn keep(
        &mut self,
        record: &Record<'_>,
        account: Option<&str>,
        minute: u32,
        fate: Fate,
        session: Option<usize>,
    ) {
        let date = event_date(record.event_time);
        self.part.items.push(Item {
            minute,
            fate,
            session,
            conflict: false,
            fingerprint: Some(Fingerprint::new(
                record.event_id,
                record.recipient_account_id,
                self.body,
                minute,
            )),
            cell: Some(self.part.coverage.cell(record, date, account)),
        });
    }
}

/// The minute of a record of a file without any date.
fn minute(time: Option<Timestamp>) -> u32 {
    let minutes = time.map_or(0, |time| time.micros().div_euclid(MICROS_A_MINUTE));
    u32::try_from(minutes).unwrap_or(0)
}
