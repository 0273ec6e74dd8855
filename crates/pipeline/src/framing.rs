//! The first pass over a slice: log files as the texts of their records, and the sessions that were issued
//! in them.
//!
//! A record can be replayed once it is known what its session is limited by, and that may stand in any
//! record of the slice. So the texts are kept until all are there; only those that may have issued a
//! session are parsed here.

use std::collections::BTreeMap;
use std::io::Read;

use bumpalo::Bump;
use memchr::memchr;
use memchr::memmem::Finder;
use rayon::prelude::*;
use retrial_cloudtrail::{
    FileKind, Framed, LogFileReader, Part, PartBudget, ReadBuffers, Record, RecordParser, Reject,
};
use retrial_replay::{Caller, issued_session};
use retrial_storage::StorageError;
use retrial_tables::{RejectRow, SessionRow, Workers};

use crate::analyze::Run;
use crate::coverage::FileCoverage;
use crate::dates::{Dated, event_date};
use crate::duplicates::{Fingerprint, body_hash};
use crate::plan::PlannedFile;
use crate::report::Report;
use crate::retry::{Retry, class};
use crate::rows::session_row;
use crate::slice::{Failure, FilePart, failed_part};

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

/// One part of one file, read and not yet parsed.
pub(crate) struct FramedPart<'f> {
    /// What is known of it so far.
    pub(crate) part: FilePart<'f>,
    /// The texts of its records, one behind the other.
    pub(crate) text: Vec<u8>,
    /// What it holds, in order.
    pub(crate) unread: Vec<Unread>,
    /// The sessions that were issued in it, in order.
    pub(crate) issued: Vec<Issued<'f>>,
}

/// What a file yields.
pub(crate) enum Unread {
    /// A record, whose text is the next in [`FramedPart::text`].
    Record {
        index: u64,
        offset: u64,
        length: usize,
    },
    /// What could not be read.
    Rejected(Reject),
}

/// A session that a record issued.
pub(crate) struct Issued<'f> {
    /// The record's number in [`FramedPart::unread`].
    pub(crate) unread: usize,
    pub(crate) minute: u32,
    pub(crate) row: Dated<SessionRow<'f>>,
    /// The record's; `None` where it is filtered, whoever else delivers it.
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// What the files of a round are read with.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'r, 'f> {
    pub(crate) run: &'r Run<'f>,
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

/// Reads the next part of each file. Session rows live in `arenas`, one per file.
pub(crate) fn read_round<'f>(
    reading: Reading<'_, 'f>,
    files: &mut [OpenFile<'_>],
    arenas: &'f mut [Bump],
) -> Vec<FramedPart<'f>> {
    let workers = Workers::<ReadWorker>::default();
    // A file at a time: whoever has none left waits for one at most.
    files
        .par_iter_mut()
        .zip(arenas.par_iter_mut())
        .with_max_len(1)
        .map(|(file, arena)| workers.with(|worker| read_part(reading, worker, file, arena)))
        .collect()
}

/// The fingerprints of the records of a round that issued sessions, in the order of the plan.
pub(crate) fn issuing(framed: &[FramedPart<'_>]) -> Vec<Fingerprint> {
    framed
        .iter()
        .flat_map(|framed| framed.issued.iter().filter_map(|issued| issued.fingerprint))
        .collect()
}

/// The minute of a record: that of its file's delivery, or its own where the file has no date.
pub(crate) fn minute_of(record: &Record<'_>, delivered: Option<u32>) -> u32 {
    delivered.unwrap_or_else(|| {
        let time = record.event_time;
        let minutes = time.map_or(0, |time| time.micros().div_euclid(MICROS_A_MINUTE));
        u32::try_from(minutes).unwrap_or(0)
    })
}

/// What a thread keeps from one file to the next.
struct ReadWorker {
    parser: RecordParser,
    /// What one record needs; emptied before the next.
    record: Bump,
    signs: Signs,
    /// Of the last file that was read to its end.
    buffers: Option<ReadBuffers>,
}

impl Default for ReadWorker {
    fn default() -> Self {
        Self {
            parser: RecordParser::new(),
            record: Bump::new(),
            signs: Signs::new(),
            buffers: None,
        }
    }
}

/// What tells that a record may have issued a session, without parsing it.
struct Signs {
    source: Finder<'static>,
    escape: Finder<'static>,
}

impl Signs {
    fn new() -> Self {
        Self {
            source: Finder::new("sts.amazonaws.com"),
            // In JSON, and in JSON within its strings, a letter is written as itself or as an escape of
            // this kind.
            escape: Finder::new("\\u"),
        }
    }

    fn may_issue(&self, text: &[u8]) -> bool {
        let has_escape = || memchr(b'\\', text).is_some() && self.escape.find(text).is_some();
        self.source.find(text).is_some() || has_escape()
    }
}

fn read_part<'f>(
    reading: Reading<'_, 'f>,
    worker: &mut ReadWorker,
    open: &mut OpenFile<'_>,
    arena: &'f Bump,
) -> FramedPart<'f> {
    let Reading { run, failing, .. } = reading;
    let log_file = arena.alloc_str(&open.file.key);
    let mut framing = Framing {
        run,
        arena,
        framed: FramedPart {
            part: FilePart {
                log_file,
                minute: open.file.minute(),
                is_later: open.started,
                ..FilePart::default()
            },
            text: Vec::new(),
            unread: Vec::new(),
            issued: Vec::new(),
        },
        place: open.place,
        worker,
    };
    let first = !open.started;
    open.started = true;
    if first {
        framing.framed.part.report.files = 1;
        framing.framed.part.report.bytes = open.file.size;
        if let Some(failure) = failing.get(&open.place) {
            framing.fail(failure.clone());
            return framing.framed;
        }
        match run.open(open.file) {
            Ok(body) => {
                let buffers = framing.worker.buffers.take().unwrap_or_default();
                open.reader = Some(LogFileReader::with_buffers(body, run.limits, buffers));
            }
            Err(error) => {
                let gone = error.is_not_found() && reading.was_tried(open.file);
                framing.unopened(&error, gone);
            }
        }
    }
    let Some(body) = &mut open.reader else {
        return framing.framed;
    };
    let bytes = open.file.estimated_bytes().min(FILE_PART.bytes);
    framing
        .framed
        .text
        .reserve_exact(usize::try_from(bytes).unwrap_or(0));
    let end = body.read_part(FILE_PART, &mut |framed| framing.take(framed));
    if let Part::End(kind) = end {
        framing.worker.buffers = open.reader.take().map(LogFileReader::into_buffers);
        set_aside(&mut framing.framed.part.report, kind);
        run.progress.file_done(open.file.size);
    }
    if first && let Some(failure) = framing.framed.part.failure.take() {
        framing.fail(failure);
    }
    framing.framed
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

/// One part of one file, as it is read.
struct Framing<'f, 'r> {
    run: &'r Run<'f>,
    arena: &'f Bump,
    framed: FramedPart<'f>,
    place: usize,
    worker: &'r mut ReadWorker,
}

impl Framing<'_, '_> {
    fn take(&mut self, framed: Framed<'_>) {
        match framed {
            Framed::Record {
                index,
                offset,
                text,
            } => {
                if self.worker.signs.may_issue(text) {
                    self.issued(index, text);
                }
                self.framed.text.extend_from_slice(text);
                self.framed.unread.push(Unread::Record {
                    index,
                    offset,
                    length: text.len(),
                });
            }
            Framed::Rejected(reject) if reject.reason.is_retryable() => {
                self.framed.part.failure = Some(Failure {
                    place: self.place,
                    reason: reject.reason.code(),
                    message: reject.reason.to_string(),
                });
            }
            Framed::Rejected(reject) => self.framed.unread.push(Unread::Rejected(reject)),
        }
    }

    /// The session that a record issued: also where the record itself is filtered, since it is the
    /// calls of others that it speaks of.
    fn issued(&mut self, index: u64, text: &[u8]) {
        let Self {
            run,
            arena,
            framed,
            worker,
            ..
        } = self;
        let ReadWorker {
            parser,
            record: record_arena,
            ..
        } = &mut **worker;
        record_arena.reset();
        let body = body_hash(text);
        // One that cannot be parsed is rejected when it is decided.
        let _ = parser.parse(text, |record| {
            let Some(issued) = issued_session(record, record_arena) else {
                return;
            };
            let minute = minute_of(record, framed.part.minute);
            let caller = Caller::of(record, record_arena);
            let account = record.recipient_account_id.or(caller.account);
            let passes = run.filter.passes(record)
                && run.filter.passes_caller(account, caller.principal_arn);
            let (id, recipient) = (record.event_id, record.recipient_account_id);
            let row = session_row(record, &issued, (framed.part.log_file, index), arena);
            framed.issued.push(Issued {
                unread: framed.unread.len(),
                minute,
                row: (event_date(record.event_time), row),
                fingerprint: passes.then(|| Fingerprint::new(id, recipient, body, minute)),
            });
        });
    }

    /// A file that was not there for an earlier run, and is not there now, is `gone` for good.
    fn unopened(&mut self, error: &StorageError, gone: bool) {
        let reason = if gone {
            "deleted_file"
        } else {
            "unreadable_file"
        };
        if error.is_retryable() && !gone {
            return self.fail(Failure {
                place: self.place,
                reason,
                message: error.to_string(),
            });
        }
        let part = &mut self.framed.part;
        part.report.files_rejected += 1;
        *part.report.rejects.entry(reason.into()).or_default() += 1;
        let row = RejectRow {
            log_file: part.log_file,
            record_index: None,
            byte_offset: None,
            event_id: None,
            reason,
            message: self.arena.alloc_str(&error.to_string()),
            class: class(false),
            bytes: None,
        };
        part.rejects.push((None, row));
    }

    /// Nothing of the file counts.
    fn fail(&mut self, failure: Failure) {
        let part = std::mem::take(&mut self.framed.part);
        self.framed = FramedPart {
            part: failed_part(part, failure),
            text: Vec::new(),
            unread: Vec::new(),
            issued: Vec::new(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_issue_a_session_is_told_however_it_is_written() {
        let check = |text: &str, expect| {
            assert_eq!(Signs::new().may_issue(text.as_bytes()), expect, "{text}");
        };
        check(r#"{"eventSource":"sts.amazonaws.com"}"#, true);
        check(r#"{"eventSource":"\u0073ts.amazonaws.com"}"#, true);
        check(
            r#"{"message":"{\"eventSource\":\"sts.amazonaws.com\"}"}"#,
            true,
        );
        check(
            r#"{"message":"{\"eventSource\":\"\\u0073ts.amazonaws.com\"}"}"#,
            true,
        );
        check(r#"{"eventSource":"s3.amazonaws.com"}"#, false);
    }
}
