//! From a record to rows: replay, and what it needs; the records that waited among them.

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_cloudtrail::{Record, RecordParser};
use retrial_iam::Scratch;
use retrial_replay::{Call, KnownCaller, KnownCallers, Session, SessionKnowledge, session_key};
use retrial_tables::{ChangeRow, DecisionRow, NeedRow, Workers};

use crate::analyze::Run;
use crate::dates::{Dated, event_date};
use crate::report::{CallFacts, Report};
use crate::rows::{Origin, RowPlace};
use crate::sessions::{Found, Sessions};
use crate::texts::{Keeping, Texts};
use crate::waiting::{DeliveryDay, WaitingRecord};

/// The waiting records that one thread decides at a time. It must not follow from the number of
/// threads: rows keep its order.
const CHUNK_RECORDS: usize = 256;

/// What is known of sessions, and up to which moment log files have been read.
#[derive(Clone, Copy)]
pub(crate) struct Knowledge<'k> {
    pub(crate) sessions: &'k Sessions,
    /// Every file that was delivered before this minute has been read.
    pub(crate) read_to: u32,
}

impl<'k> Knowledge<'k> {
    /// The session of an access key that was used at `minute`: `Some(None)` where its issuing record
    /// will not come any more, `None` where it still may.
    pub(crate) fn of(&self, access_key_id: &str, minute: u32) -> Option<Option<&'k Session>> {
        match self.sessions.find(access_key_id, minute, self.read_to) {
            Found::Known(session) => Some(Some(session)),
            Found::Never => Some(None),
            Found::NotYet => None,
        }
    }
}

/// In replay's words.
pub(crate) fn knowledge(session: Option<&Session>) -> SessionKnowledge<'_> {
    session.map_or(SessionKnowledge::NotSeen, SessionKnowledge::Known)
}

/// What a thread needs for a record; kept from one to the next.
#[derive(Default)]
pub(crate) struct Worker<'s, 'x> {
    pub(crate) parser: RecordParser,
    pub(crate) scratch: Scratch<'s>,
    /// What one call needs; emptied before the next.
    pub(crate) call: Bump,
    /// What rows have in common; of the arenas of one round.
    pub(crate) texts: Texts<'s>,
    pub(crate) callers: KnownCallers<'s, 's, 'x>,
}

/// Rows of many records.
#[derive(Default)]
pub(crate) struct Rows<'f> {
    pub(crate) decisions: Vec<Dated<DecisionRow<'f>>>,
    pub(crate) changes: Vec<Dated<ChangeRow<'f>>>,
    pub(crate) needs: Vec<Dated<NeedRow<'f>>>,
}

/// A decided record: what it came to, and where its rows are in its [`Rows`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decided {
    pub(crate) facts: CallFacts,
    first: usize,
    end: usize,
    change: Option<usize>,
    first_need: usize,
    end_needs: usize,
}

impl<'f> Rows<'f> {
    /// Makes room for the rows of so many records, most of which have one: growing copies long rows.
    pub(crate) fn reserve(&mut self, records: usize) {
        self.decisions.reserve(records + records / 4);
    }

    /// Adds the rows of a replayed record.
    pub(crate) fn add(
        &mut self,
        run: &Run<'f>,
        record: &Record<'_>,
        (call, known): (&Call<'_>, Option<KnownCaller<'f>>),
        origin: Origin<'f>,
        (Keeping(texts, arena), callers): (Keeping<'f, '_>, &mut KnownCallers<'f, 'f, '_>),
    ) -> Decided {
        let date = event_date(record.event_time);
        let place = RowPlace {
            arena,
            texts,
            origin,
            snapshot_id: run.snapshot_id,
            mapping_version: run.mapping_version,
            record,
            call,
            known,
        };
        let first = self.decisions.len();
        place.decisions(callers, |row| self.decisions.push((date, row)));
        let change = place.change().map(|row| {
            self.changes.push((date, row));
            self.changes.len() - 1
        });
        let first_need = self.needs.len();
        place.needs(|row| self.needs.push((date, row)));
        Decided {
            facts: CallFacts::of(call),
            first,
            end: self.decisions.len(),
            change,
            first_need,
            end_needs: self.needs.len(),
        }
    }

    pub(crate) fn mark_conflict(&mut self, decided: &Decided) {
        let rows = self.decisions.get_mut(decided.first..decided.end);
        for (_, row) in rows.unwrap_or_default() {
            row.conflict = true;
        }
    }

    /// A record's rows in `decisions`.
    pub(crate) fn decisions_of(&self, decided: &Decided) -> &[Dated<DecisionRow<'f>>] {
        self.decisions
            .get(decided.first..decided.end)
            .unwrap_or_default()
    }

    /// Its rows in `needs`.
    pub(crate) fn needs_of(&self, decided: &Decided) -> &[Dated<NeedRow<'f>>] {
        self.needs
            .get(decided.first_need..decided.end_needs)
            .unwrap_or_default()
    }

    /// Its row in `changes`.
    pub(crate) fn change_of(&self, decided: &Decided) -> Option<&Dated<ChangeRow<'f>>> {
        self.changes.get(decided.change?)
    }
}

impl<'f, 'x> Worker<'f, 'x> {
    /// Decides a held record, unless the record that issued its session may still come.
    pub(crate) fn decide(
        &mut self,
        run: &Run<'f>,
        known: Knowledge<'x>,
        (text, minute): (&[u8], u32),
        origin: Origin<'f>,
        rows: &mut Rows<'f>,
        arena: &'f Bump,
    ) -> Option<Decided> {
        self.call.reset();
        let Self {
            parser,
            scratch,
            call: call_arena,
            texts,
            callers,
        } = self;
        let parsed = parser.parse(text, |record| {
            let session = match session_key(record) {
                Some(key) => known.of(key, minute)?,
                None => None,
            };
            let keeping = Keeping(texts, arena);
            let (call, caller) = run.replayer.replay_known(
                (record, knowledge(session)),
                (call_arena, scratch),
                (callers, &keeping),
            );
            let keeping = (keeping, &mut *callers);
            Some(rows.add(run, record, (&call, caller), origin, keeping))
        });
        // It was parsed before it was held: the same text parses again.
        parsed.ok().flatten()
    }
}

/// Waiting records, decided.
pub(crate) struct DecidedChunk<'f> {
    pub(crate) rows: Rows<'f>,
    /// Each with the day that it was delivered on.
    pub(crate) records: Vec<(DeliveryDay, Decided)>,
    pub(crate) report: Report,
}

/// Decides records that waited, with what is known. `carried` of them, from the first on, were read by
/// another process: they are not in this one's books. Their texts are taken.
pub(crate) fn decide_waiting<'f>(
    run: &Run<'f>,
    sessions: &Sessions,
    (records, carried): (&mut [WaitingRecord], u64),
    arenas: &'f mut Vec<Bump>,
) -> Vec<DecidedChunk<'f>> {
    let known = Knowledge {
        sessions,
        read_to: u32::MAX,
    };
    arenas.clear();
    arenas.resize_with(records.len().div_ceil(CHUNK_RECORDS), Bump::new);
    let workers = Workers::<Worker<'f, '_>>::default();
    records
        .par_chunks_mut(CHUNK_RECORDS)
        .zip(arenas.par_iter_mut())
        .enumerate()
        .map(|(number, (records, arena))| {
            let before = (number * CHUNK_RECORDS) as u64;
            let chunk = (records, carried.saturating_sub(before));
            workers.with(|worker| decide_chunk((run, known), worker, chunk, arena))
        })
        .collect()
}

/// Decides a chunk of them, of which the first `carried` ones were read by another process.
fn decide_chunk<'f, 'x>(
    (run, known): (&Run<'f>, Knowledge<'x>),
    worker: &mut Worker<'f, 'x>,
    (records, carried): (&mut [WaitingRecord], u64),
    arena: &'f Bump,
) -> DecidedChunk<'f> {
    let mut chunk = DecidedChunk {
        rows: Rows::default(),
        records: Vec::with_capacity(records.len()),
        report: Report::default(),
    };
    chunk.rows.reserve(records.len());
    let mut log_file = "";
    for (at, record) in (0..).zip(records) {
        if log_file != &*record.log_file {
            log_file = arena.alloc_str(&record.log_file);
        }
        let origin = Origin {
            log_file,
            record_index: record.record_index,
            conflict: record.conflict,
        };
        // The text goes as its rows come.
        let text = std::mem::take(&mut record.text);
        let text = (&*text, record.minute);
        let rows = &mut chunk.rows;
        let Some(decided) = worker.decide(run, known, text, origin, rows, arena) else {
            continue;
        };
        if at < carried {
            chunk.report.redecided += 1;
        } else {
            chunk
                .report
                .count(decided.facts, chunk.rows.decisions_of(&decided));
        }
        chunk.records.push((record.delivery, decided));
    }
    chunk
}
