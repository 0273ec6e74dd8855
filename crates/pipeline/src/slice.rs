//! One slice: its log files read, parsed and replayed by all cores, a bounded part at a time.
//!
//! A part is gone through in two passes, both parallel. The first ([`crate::framing::read_round`])
//! reads the files and finds the sessions that they issued; it keeps the records as text. The second
//! ([`decide_round`]) parses and replays each record, once: by then it is known which session it has, or
//! that this cannot be known yet. Behind it, in the order of the plan, it is found out which records are
//! duplicates ([`mark`]), and the others are counted ([`count_round`]).

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_cloudtrail::{Record, Reject, RejectScope};
use retrial_replay::{Caller, KnownCallers, session_key};
use retrial_tables::{RejectRow, SessionRow, Workers};

use crate::analyze::Run;
use crate::coverage::{CellOf, FileCoverage};
use crate::dates::{Dated, event_date};
use crate::decide::{Decided, Knowledge, Rows, Worker, knowledge};
use crate::duplicates::{Fingerprint, Novelty, body_hash};
use crate::framing::{FramedPart, Unread, minute_of};
use crate::report::Report;
use crate::retry::class;
use crate::rows::Origin;
use crate::shards::Recorded;
use crate::texts::{Keeping, Texts};

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
    pub(crate) sessions: Vec<Dated<SessionRow<'f>>>,
    pub(crate) rejects: Vec<Dated<RejectRow<'f>>>,
    pub(crate) report: Report,
    pub(crate) coverage: FileCoverage,
    pub(crate) log_file: &'f str,
    /// When the file was delivered.
    pub(crate) minute: Option<u32>,
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
    /// Its rows are in [`FilePart::rows`].
    Decided(Decided),
    /// The record that issued its session may still come.
    Held {
        /// Its text: not in an arena, since it is moved on to the queue.
        text: Box<[u8]>,
        /// Its number in the file.
        record_index: u64,
    },
    /// A duplicate, or a filtered record of which only the session that it issued counts.
    Dropped,
}

/// Parses and replays the records of a round. The rows live in `arenas`, one per part.
pub(crate) fn decide_round<'f, 'x>(
    run: &Run<'f>,
    known: Knowledge<'x>,
    framed: Vec<FramedPart<'f>>,
    arenas: &'f mut [Bump],
) -> Vec<FilePart<'f>> {
    let workers = Workers::<Worker<'f, 'x>>::default();
    // A file at a time: whoever has none left waits for one at most.
    framed
        .into_par_iter()
        .zip(arenas.par_iter_mut())
        .with_max_len(1)
        .map(|(framed, arena)| {
            workers.with(|worker| decide_part((run, known), worker, framed, arena))
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

/// Counts what was kept.
pub(crate) fn count_round(parts: &mut [FilePart<'_>]) {
    parts.par_iter_mut().for_each(|part| {
        for item in &part.items {
            if let Some(cell) = item.cell {
                part.coverage.count(cell);
            }
            if let Fate::Decided(decided) = &item.fate {
                if item.conflict {
                    part.rows.mark_conflict(decided);
                }
                let rows = part.rows.decisions_of(decided);
                part.report.count(decided.facts, rows);
            }
        }
    });
}

fn decide_part<'f, 'x>(
    (run, known): (&Run<'f>, Knowledge<'x>),
    worker: &mut Worker<'f, 'x>,
    framed: FramedPart<'f>,
    arena: &'f Bump,
) -> FilePart<'f> {
    let FramedPart {
        mut part,
        text,
        unread,
        issued,
    } = framed;
    let mut sessions = issued.iter().map(|issued| issued.unread).peekable();
    part.sessions = issued.iter().map(|issued| issued.row).collect();
    part.items.reserve_exact(unread.len());
    part.rows.reserve(unread.len());
    let mut deciding = Deciding {
        run,
        known,
        arena,
        part,
        worker,
    };
    let mut rest = text.as_slice();
    let mut session = 0;
    for (number, unread) in unread.into_iter().enumerate() {
        match unread {
            Unread::Record {
                index,
                offset,
                length,
            } => {
                let Some((text, behind)) = rest.split_at_checked(length) else {
                    break;
                };
                rest = behind;
                let issued = sessions.next_if_eq(&number).map(|_| session);
                session += usize::from(issued.is_some());
                deciding.record((index, offset), text, issued);
            }
            Unread::Rejected(reject) => deciding.reject(&reject),
        }
    }
    let mut part = deciding.part;
    part.rows.decisions.shrink_to_fit();
    part.rows.needs.shrink_to_fit();
    run.progress.records(part.report.books.records_read);
    part
}

/// Where the storage failed, the whole file is to be read again by a later run: what came out of it
/// so far would then be there twice.
pub(crate) fn failed_part<'f>(part: FilePart<'f>, failure: Failure) -> FilePart<'f> {
    let mut report = Report {
        files: part.report.files,
        bytes: part.report.bytes,
        ..Report::default()
    };
    count_failure(&mut report, failure.reason);
    FilePart {
        report,
        log_file: part.log_file,
        minute: part.minute,
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

/// One part of one file, as it is decided.
struct Deciding<'f, 'r, 'x> {
    run: &'r Run<'f>,
    known: Knowledge<'x>,
    arena: &'f Bump,
    part: FilePart<'f>,
    worker: &'r mut Worker<'f, 'x>,
}

impl Deciding<'_, '_, '_> {
    /// Takes a record, and the number of the session that it issued.
    fn record(&mut self, (index, offset): (u64, u64), text: &[u8], session: Option<usize>) {
        let Self {
            run,
            known,
            arena,
            part,
            worker,
        } = self;
        let body = body_hash(text);
        let Worker {
            parser,
            scratch,
            call: call_arena,
            texts,
            callers,
        } = &mut **worker;
        call_arena.reset();
        let mut taker = RecordTaker {
            run,
            known: *known,
            arena,
            call_arena,
            scratch,
            texts,
            callers,
            part,
            body,
            text,
            index,
            session,
        };
        let parsed = parser.parse(text, |record| taker.take(record));
        if let Err(error) = parsed {
            self.reject(&Reject::of_record(offset, index, error));
        }
    }

    fn reject(&mut self, reject: &Reject) {
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
}

/// One record, parsed.
struct RecordTaker<'f, 'r, 'x> {
    run: &'r Run<'f>,
    known: Knowledge<'x>,
    arena: &'f Bump,
    call_arena: &'r Bump,
    scratch: &'r mut retrial_iam::Scratch<'f>,
    texts: &'r Texts<'f>,
    callers: &'r mut KnownCallers<'f, 'f, 'x>,
    part: &'r mut FilePart<'f>,
    body: u64,
    /// The record's text.
    text: &'r [u8],
    index: u64,
    /// The session that it issued.
    session: Option<usize>,
}

impl RecordTaker<'_, '_, '_> {
    fn take(&mut self, record: &Record<'_>) {
        self.part.report.books.records_read += 1;
        let minute = minute_of(record, self.part.minute);
        let run = self.run;
        if !run.filter.passes(record) {
            return self.filtered(minute);
        }
        let known = session_key(record).map_or(Some(None), |key| self.known.of(key, minute));
        match known {
            Some(session) => {
                let keeping = Keeping(self.texts, self.arena);
                let (call, caller) = run.replayer.replay_known(
                    (record, knowledge(session)),
                    (self.call_arena, self.scratch),
                    (self.callers, &keeping),
                );
                let account = record.recipient_account_id.or(call.caller.account);
                if !run.filter.passes_caller(account, call.caller.principal_arn) {
                    return self.filtered(minute);
                }
                let origin = Origin {
                    log_file: self.part.log_file,
                    record_index: self.index,
                    conflict: false,
                };
                let call = (&call, caller);
                let keeping = (keeping, &mut *self.callers);
                let decided = self.part.rows.add(run, record, call, origin, keeping);
                self.keep(record, account, minute, Fate::Decided(decided));
            }
            None => {
                let caller = Caller::of(record, self.call_arena);
                let account = record.recipient_account_id.or(caller.account);
                if !run.filter.passes_caller(account, caller.principal_arn) {
                    return self.filtered(minute);
                }
                let fate = Fate::Held {
                    text: self.text.into(),
                    record_index: self.index,
                };
                self.keep(record, account, minute, fate);
            }
        }
    }

    /// The session that it issued counts all the same: it is the calls of others that it speaks of.
    fn filtered(&mut self, minute: u32) {
        self.part.report.books.filtered += 1;
        let session = self.session;
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

    fn keep(&mut self, record: &Record<'_>, account: Option<&str>, minute: u32, fate: Fate) {
        let date = event_date(record.event_time);
        self.part.items.push(Item {
            minute,
            fate,
            session: self.session,
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
