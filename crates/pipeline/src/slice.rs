//! One slice: its log files read, parsed and replayed by all cores, a bounded part at a time.

use std::io::Read;

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_cloudtrail::{
    FileKind, Framed, LogFileReader, Part, PartBudget, ReadBuffers, RecordParser, Reject,
    RejectReason, RejectScope,
};
use retrial_iam::Scratch;
use retrial_replay::SessionKnowledge;
use retrial_storage::StorageError;
use retrial_tables::{ChangeRow, DecisionRow, RejectRow};

use crate::analyze::Run;
use crate::coverage::Coverage;
use crate::dates::{EventDate, event_date};
use crate::plan::PlannedFile;
use crate::report::Report;
use crate::rows::RowPlace;

/// What one file contributes to a slice at most; a larger file goes on in further rounds, so that one
/// file, however large or however it was made, never decides how much memory a run needs.
const FILE_PART: PartBudget = PartBudget {
    bytes: 64 << 20,
    records: 50_000,
};

/// A row and the date whose folder it goes to.
pub(crate) type Dated<T> = (EventDate, T);

/// A log file being read.
pub(crate) struct OpenFile<'p> {
    file: &'p PlannedFile,
    /// `None` before it is opened and once it is at its end.
    reader: Option<LogFileReader<Box<dyn Read + Send>>>,
    started: bool,
    coverage: Coverage,
}

impl<'p> OpenFile<'p> {
    pub(crate) fn new(file: &'p PlannedFile) -> Self {
        Self {
            file,
            reader: None,
            started: false,
            coverage: Coverage::default(),
        }
    }

    /// Whether anything is left to be read.
    pub(crate) fn has_more(&self) -> bool {
        self.reader.is_some()
    }

    /// What the whole file covers.
    pub(crate) fn into_coverage(self) -> Coverage {
        self.coverage
    }
}

/// What the files of a round contribute, in their order.
#[derive(Default)]
pub(crate) struct Rows<'f> {
    pub(crate) decisions: Vec<Dated<DecisionRow<'f>>>,
    pub(crate) changes: Vec<Dated<ChangeRow<'f>>>,
    pub(crate) rejects: Vec<Dated<RejectRow<'f>>>,
    pub(crate) report: Report,
}

/// Reads the next part of each file. The rows live in `arenas`, one per file.
pub(crate) fn read_round<'f>(
    run: &Run<'f>,
    files: &mut [OpenFile<'_>],
    arenas: &'f mut [Bump],
) -> Rows<'f> {
    let parts: Vec<Rows<'f>> = files
        .par_iter_mut()
        .zip(arenas.par_iter_mut())
        .map_init(Worker::default, |worker, (file, arena)| {
            read_part(run, worker, file, arena)
        })
        .collect();
    let mut all = Rows::default();
    for part in parts {
        all.decisions.extend(part.decisions);
        all.changes.extend(part.changes);
        all.rejects.extend(part.rejects);
        all.report.merge(part.report);
    }
    all
}

/// What a thread keeps from one file to the next.
#[derive(Default)]
struct Worker<'s> {
    parser: RecordParser,
    scratch: Scratch<'s>,
    /// What one call needs; emptied before the next.
    call: Bump,
    /// Of the last file that was read to its end.
    buffers: Option<ReadBuffers>,
}

fn read_part<'f>(
    run: &Run<'f>,
    worker: &mut Worker<'f>,
    open: &mut OpenFile<'_>,
    arena: &'f Bump,
) -> Rows<'f> {
    let buffers = worker.buffers.take();
    let log_file = arena.alloc_str(&open.file.key);
    let mut part = FilePart {
        run,
        arena,
        log_file,
        rows: Rows::default(),
        coverage: Coverage::default(),
        failed: false,
        worker,
    };
    let first = !open.started;
    open.started = true;
    if first {
        part.rows.report.files = 1;
        part.rows.report.bytes = open.file.size;
        match run.open(open.file) {
            Ok(body) => {
                let buffers = buffers.unwrap_or_default();
                open.reader = Some(LogFileReader::with_buffers(body, run.limits, buffers));
            }
            Err(error) => part.unopened(&error),
        }
    }
    let Some(reader) = &mut open.reader else {
        return part.rows;
    };
    let end = reader.read_part(FILE_PART, &mut |framed| part.take(framed));
    if let Part::End(kind) = end {
        part.worker.buffers = open.reader.take().map(LogFileReader::into_buffers);
        part.end(kind);
        run.progress.file_done(open.file.size);
    }
    if part.failed && first {
        part.forget_all_but_the_failure();
    }
    run.progress.records(part.rows.report.books.records_read);
    let FilePart { rows, coverage, .. } = part;
    open.coverage.add_part(coverage);
    rows
}

/// The rows for what could not even be listed.
pub(crate) fn unlisted_rows<'f>(unlisted: &[StorageError], arena: &'f Bump) -> Rows<'f> {
    let mut rows = Rows::default();
    for error in unlisted {
        let row = storage_reject(
            arena.alloc_str(error.key()),
            error,
            "unlisted_folder",
            arena,
            &mut rows.report,
        );
        rows.rejects.push((None, row));
    }
    rows
}

/// The reject of something that the storage refused as a whole.
fn storage_reject<'f>(
    log_file: &'f str,
    error: &StorageError,
    reason: &'static str,
    arena: &'f Bump,
    report: &mut Report,
) -> RejectRow<'f> {
    report.files_rejected += 1;
    *report.rejects.entry(reason).or_default() += 1;
    report.retryable += u64::from(error.is_retryable());
    RejectRow {
        log_file,
        record_index: None,
        byte_offset: None,
        event_id: None,
        reason,
        message: arena.alloc_str(&error.to_string()),
        class: class(error.is_retryable()),
        bytes: None,
    }
}

fn class(retryable: bool) -> &'static str {
    if retryable { "retryable" } else { "permanent" }
}

/// One part of one file, as it is read.
struct FilePart<'f, 'r> {
    run: &'r Run<'f>,
    arena: &'f Bump,
    log_file: &'f str,
    rows: Rows<'f>,
    coverage: Coverage,
    /// Whether the storage stopped delivering.
    failed: bool,
    worker: &'r mut Worker<'f>,
}

impl FilePart<'_, '_> {
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
            run,
            arena,
            log_file,
            rows,
            coverage,
            worker,
            ..
        } = self;
        let (run, arena, log_file) = (*run, *arena, *log_file);
        let Worker {
            parser,
            scratch,
            call: call_arena,
            ..
        } = &mut **worker;
        call_arena.reset();
        let parsed = parser.parse(text, |record| {
            if !run.filter.passes(record) {
                return rows.report.count_filtered();
            }
            let call = run
                .replayer
                .replay(record, SessionKnowledge::NotSeen, call_arena, scratch);
            let account = record.recipient_account_id.or(call.caller.account);
            if !run.filter.passes_caller(account, call.caller.principal_arn) {
                return rows.report.count_filtered();
            }
            rows.report.count(record, &call);
            let date = event_date(record.event_time);
            coverage.count(record, date, account);
            let place = RowPlace {
                arena,
                log_file,
                record_index: index,
                snapshot_id: run.snapshot_id,
                mapping_version: run.mapping_version,
                record,
                call: &call,
            };
            place.decisions(|row| rows.decisions.push((date, row)));
            if let Some(change) = place.change() {
                rows.changes.push((date, change));
            }
        });
        if let Err(error) = parsed {
            self.reject(&Reject::of_record(offset, index, error));
        }
    }

    fn reject(&mut self, reject: &Reject) {
        let report = &mut self.rows.report;
        match reject.reason.scope() {
            RejectScope::Record => {
                report.books.records_read += 1;
                report.books.rejected += 1;
            }
            RejectScope::File => report.files_rejected += 1,
        }
        *report.rejects.entry(reject.reason.code()).or_default() += 1;
        report.retryable += u64::from(reject.reason.is_retryable());
        self.failed |= matches!(reject.reason, RejectReason::Read(_));
        let row = RejectRow {
            log_file: self.log_file,
            record_index: reject.record_index,
            byte_offset: reject.offset,
            event_id: None,
            reason: reject.reason.code(),
            message: self.arena.alloc_str(&reject.reason.to_string()),
            class: class(reject.reason.is_retryable()),
            bytes: None,
        };
        self.rows.rejects.push((None, row));
    }

    fn unopened(&mut self, error: &StorageError) {
        let row = storage_reject(
            self.log_file,
            error,
            "unreadable_file",
            self.arena,
            &mut self.rows.report,
        );
        self.rows.rejects.push((None, row));
    }

    /// A file that turned out to be of another kind, and yielded nothing, is set aside like one whose
    /// name says so.
    fn end(&mut self, kind: FileKind) {
        let aside = &mut self.rows.report.set_aside;
        match kind {
            FileKind::Digest => aside.digest += 1,
            FileKind::Notification => aside.notification += 1,
            _ => return,
        }
        self.rows.report.files = 0;
        self.rows.report.bytes = 0;
    }

    /// Where the storage failed, the whole file is to be read again by a later run: what came out of it
    /// so far would then be there twice.
    fn forget_all_but_the_failure(&mut self) {
        let rejects = std::mem::take(&mut self.rows.rejects);
        let (files, bytes) = (self.rows.report.files, self.rows.report.bytes);
        self.rows = Rows::default();
        self.coverage = Coverage::default();
        self.rows.rejects = rejects
            .into_iter()
            .filter(|(_, row)| row.class == "retryable")
            .collect();
        let report = &mut self.rows.report;
        (report.files, report.bytes, report.files_rejected) = (files, bytes, 1);
        report.retryable = self.rows.rejects.len() as u64;
        report.rejects.insert(
            RejectReason::Read(std::io::ErrorKind::Other.into()).code(),
            report.retryable,
        );
    }
}
