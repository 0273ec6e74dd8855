//! The pass over the calls of a window: row groups by all cores, each call whole.

use std::sync::atomic::Ordering;

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_iam::Scratch;
use retrial_replay::{EVALUATOR_VERSION, Gather, RecordedCall, Replayed, SeenCall, Verdict};
use retrial_storage::Store;
use retrial_tables::{DecisionRow, ReadError, Table};

use super::stored::{COLUMNS, COLUMNS_OF_A_REPLAY, is_strict, kept, replayed};
use super::{AsOf, Derive};
use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::replay::{
    OpenTable, Replay, Window, call_of, each_call, is_same_call, known, question_of,
};
use crate::sessions::Sessions;
use crate::stored_file::StoredFile;

/// Where the tables of a window are read from.
pub(super) struct Source<'s> {
    pub(super) derive: &'s Derive<'s>,
    pub(super) store: &'s dyn Store,
    pub(super) files: &'s [ManifestFile],
    pub(super) window: &'s AsOf,
}

/// What was gathered from one row group, but for its first and its last call, which may go on in others.
struct Part<'k, G> {
    head: Vec<DecisionRow<'k>>,
    gathered: G,
    open: Vec<DecisionRow<'k>>,
}

/// A file of `decisions`, and whether what is stored in it is what would be found again.
struct OpenFile<'s> {
    table: OpenTable<'s>,
    stands: bool,
}

impl<'s> Source<'s> {
    /// Shows every call of the window to a gatherer, and gives what it gathered. Of calls that need not be decided
    /// again it is shown what stands in `columns`, some of [`COLUMNS`] and [`COLUMNS_OF_A_REPLAY`].
    pub(super) fn gather<G: Gather>(
        &self,
        columns: &[&str],
        new: impl Fn() -> G + Sync,
    ) -> Result<G, PipelineError> {
        let replay = self.replay();
        let mut gathered = new();
        let dates = replay.dates();
        for date in dates.into_iter().filter(|date| self.window.has_date(date)) {
            let files = self.open((&replay, date), columns)?;
            self.date((&replay, date), &files, &new, &mut gathered)?;
        }
        Ok(gathered)
    }

    fn replay(&self) -> Replay<'s> {
        Replay {
            replayer: self.derive.replayer,
            store: self.store,
            files: self.files,
            window: Window::default(),
            threads: self.derive.threads,
        }
    }

    fn date<G: Gather>(
        &self,
        (replay, date): (&Replay<'s>, &str),
        files: &[OpenFile<'s>],
        new: &(impl Fn() -> G + Sync),
        gathered: &mut G,
    ) -> Result<(), PipelineError> {
        let sessions = match files.iter().all(|file| file.stands) {
            true => Sessions::default(),
            false => replay.sessions(date)?,
        };
        let groups: Vec<(&OpenFile<'s>, usize)> = files
            .iter()
            .flat_map(|file| (0..file.table.reader.row_groups()).map(move |group| (file, group)))
            .collect();
        let mut arenas: Vec<Bump> = groups.iter().map(|_| Bump::new()).collect();
        let mut scratch = Scratch::default();
        // The call that may go on, and the file that it is in.
        let mut pending: (Vec<DecisionRow<'_>>, Option<&OpenFile<'s>>) = (Vec::new(), None);
        let mut arenas = arenas.as_mut_slice();
        // So many at a time that their parts do not pile up.
        let stop = self.derive.stop;
        for groups in groups.chunks(rayon::current_num_threads()) {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(PipelineError::Stopped);
            }
            let (of_groups, rest) = std::mem::take(&mut arenas).split_at_mut(groups.len());
            arenas = rest;
            let parts: Vec<Part<'_, G>> = groups
                .par_iter()
                .zip(of_groups)
                .map(|(group, arena)| self.group(*group, (&sessions, &*arena), new()))
                .collect::<Result<_, _>>()?;
            for (part, (file, _)) in parts.into_iter().zip(groups) {
                if !is_same(&pending.0, &part.head) {
                    self.see_kept((&pending, &sessions), gathered, &mut scratch)?;
                    pending = (Vec::new(), Some(file));
                }
                pending.0.extend(&part.head);
                gathered.merge(part.gathered);
                if !part.open.is_empty() {
                    self.see_kept((&pending, &sessions), gathered, &mut scratch)?;
                    pending = (part.open, Some(file));
                }
            }
        }
        self.see_kept((&pending, &sessions), gathered, &mut scratch)
    }

    fn see_kept<G: Gather>(
        &self,
        ((rows, file), sessions): (&(Vec<DecisionRow<'_>>, Option<&OpenFile<'s>>), &Sessions),
        gathered: &mut G,
        scratch: &mut Scratch<'s>,
    ) -> Result<(), PipelineError> {
        let Some(file) = file.filter(|_| !rows.is_empty()) else {
            return Ok(());
        };
        let seer = Seer {
            source: self,
            file,
            sessions,
        };
        let arena = Bump::new();
        seer.see(rows, gathered, (&arena, scratch))
            .map_err(|cause| file.table.failed(cause))
    }

    fn open(
        &self,
        (replay, date): (&Replay<'s>, &str),
        columns: &[&str],
    ) -> Result<Vec<OpenFile<'s>>, PipelineError> {
        let snapshot_id = self.derive.replayer.snapshot().id();
        let strict = is_strict(self.derive.replayer.assumptions());
        let mut files = Vec::new();
        for file in replay.of_date(date) {
            let stands = file.snapshot_ids == [snapshot_id]
                && file.mapping_versions == [self.derive.mapping_version]
                && file.evaluator_versions == [EVALUATOR_VERSION]
                && file.strict == strict;
            let columns = match stands {
                true => columns.to_vec(),
                false => [COLUMNS, COLUMNS_OF_A_REPLAY].concat(),
            };
            let table = replay.open_file(file, &columns)?;
            files.push(OpenFile { table, stands });
        }
        Ok(files)
    }

    fn group<'k, G: Gather>(
        &self,
        (file, row_group): (&OpenFile<'s>, usize),
        (sessions, arena): (&Sessions, &'k Bump),
        mut gathered: G,
    ) -> Result<Part<'k, G>, PipelineError> {
        let seer = Seer {
            source: self,
            file,
            sessions,
        };
        let mut head: Option<Vec<DecisionRow<'k>>> = None;
        let mut open: Vec<DecisionRow<'k>> = Vec::new();
        let failed = |cause| file.table.failed(cause);
        each_call(
            (&file.table, row_group),
            |rows, at_edge, (call_arena, scratch)| {
                if !is_same(&open, rows) && !open.is_empty() {
                    let closed = std::mem::take(&mut open);
                    match head {
                        None => head = Some(closed),
                        Some(_) => seer.see(&closed, &mut gathered, (call_arena, scratch))?,
                    }
                }
                match at_edge {
                    true => open.extend(rows.iter().map(|row| kept(row, arena))),
                    false => seer.see(rows, &mut gathered, (call_arena, scratch))?,
                }
                Ok(())
            },
        )
        .map_err(|error| match error {
            PipelineError::Read { cause, .. } => failed(cause),
            error => error,
        })?;
        let (head, open) = match head {
            Some(head) => (head, open),
            None => (open, Vec::new()),
        };
        Ok(Part {
            head,
            gathered,
            open,
        })
    }

    /// Hands over every row of a table's files of the window.
    pub(super) fn each_row<T: Table>(
        &self,
        columns: &[&str],
        see: &mut dyn FnMut(&T::Row<'_>),
    ) -> Result<(), PipelineError> {
        let replay = self.replay();
        for file in replay
            .files(T::NAME)
            .filter(|file| self.window.has_date(&file.event_date))
        {
            let failed = |cause| PipelineError::Read {
                key: file.key.clone(),
                cause,
            };
            let stored = StoredFile {
                store: self.store,
                key: &file.key,
                bytes: file.bytes,
            };
            let reader = stored.table::<T>(columns)?;
            for row_group in 0..reader.row_groups() {
                for batch in reader.batches(row_group).map_err(failed)? {
                    let batch = batch.map_err(failed)?;
                    batch.with_rows(|rows| rows.iter().for_each(&mut *see));
                }
            }
        }
        Ok(())
    }
}

fn is_same(one: &[DecisionRow<'_>], other: &[DecisionRow<'_>]) -> bool {
    match (one.first(), other.first()) {
        (Some(one), Some(other)) => is_same_call(one, other),
        _ => false,
    }
}

/// Shows calls out of the rows of one file.
struct Seer<'r, 's> {
    source: &'r Source<'s>,
    file: &'r OpenFile<'s>,
    sessions: &'r Sessions,
}

impl<'s> Seer<'_, 's> {
    fn see<'a, G: Gather>(
        &self,
        rows: &[DecisionRow<'a>],
        gathered: &mut G,
        (arena, scratch): (&'a Bump, &mut Scratch<'s>),
    ) -> Result<(), ReadError>
    where
        's: 'a,
    {
        let Some(row) = rows
            .first()
            .filter(|row| self.source.window.has(row.event_time))
        else {
            return Ok(());
        };
        let (call, replayed) = self.replayed(rows, (arena, scratch))?;
        gathered.see(&SeenCall {
            event_id: row.event_id,
            event_time: row.event_time,
            account_id: row.account_id,
            region: row.region,
            access_key_id: row.access_key_id,
            source_ip: row.source_ip,
            error_code: row.error_code,
            denied_action: row.denied_action,
            denied_layer: row.denied_layer,
            log_file: row.log_file,
            record_index: row.record_index,
            copy: row.copy,
            before: known(Verdict::of_name(row.verdict), "verdict", row.verdict)?,
            call: &call,
            replayed: &replayed,
        });
        Ok(())
    }

    fn replayed<'a>(
        &self,
        rows: &[DecisionRow<'a>],
        (arena, scratch): (&'a Bump, &mut Scratch<'s>),
    ) -> Result<(RecordedCall<'a>, Replayed<'a>), ReadError>
    where
        's: 'a,
    {
        if self.file.stands {
            let call = call_of(rows, arena)?;
            let replayed = replayed(rows, call.requests, arena)?;
            return Ok((call, replayed));
        }
        let (call, session) = question_of(rows, self.sessions, arena)?;
        let replayer = self.source.derive.replayer;
        let replayed = replayer.replay_recorded(&call, session, arena, scratch);
        Ok((call, replayed))
    }
}
