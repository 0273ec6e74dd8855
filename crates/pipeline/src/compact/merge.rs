//! Files of one table, merged into one that is sorted throughout.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{self, AtomicBool};

use bumpalo::Bump;
use retrial_storage::Store;
use retrial_tables::{ROW_GROUP_ROWS, TableWriter, Written, row_bytes, sort_order};

use super::order::Merged;
use super::run::{Input, Run};
use crate::analyze::PipelineError;
use crate::manifest::{ManifestFile, fenced};
use crate::scratch::Scratch;

/// What the runs that are merged at a time may take in memory. Where there are more, portions of them
/// are merged into scratch files first.
const RUNS_BYTES: u64 = 64 << 20;

/// The rows of a row group in memory: it ends with the row that they come to this with, so that where it
/// ends follows from the rows. The arena that they are in grows by doubling, and may take twice as much.
const ROW_GROUP_BYTES: usize = 24 << 20;

/// Bounds of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    pub(super) runs_bytes: u64,
    pub(super) row_group_bytes: usize,
    pub(super) row_group_rows: usize,
}

impl Caps {
    pub(super) const DEFAULT: Self = Self {
        runs_bytes: RUNS_BYTES,
        row_group_bytes: ROW_GROUP_BYTES,
        row_group_rows: ROW_GROUP_ROWS,
    };
}

/// What files are merged with.
#[derive(Clone, Copy)]
pub(super) struct Merger<'r> {
    pub(super) store: &'r dyn Store,
    pub(super) scratch: &'r Scratch,
    pub(super) stop: &'r AtomicBool,
    pub(super) caps: Caps,
}

impl<'r> Merger<'r> {
    /// Merges committed files into a new object, and gives its rows and bytes.
    ///
    /// # Memory
    /// What [`Caps`] say, and the row group that is written.
    pub(super) fn merge<T: Merged>(
        self,
        files: &[&'r ManifestFile],
        key: &str,
    ) -> Result<(u64, u64), PipelineError> {
        let mut runs: Vec<Run<'r, T>> = Vec::new();
        for file in files {
            runs.extend(Run::of_file(self.store, file)?);
        }
        while self.portion(&runs) < runs.len() {
            let mut fewer = Vec::new();
            while !runs.is_empty() {
                let rest = runs.split_off(self.portion(&runs));
                let portion = std::mem::replace(&mut runs, rest);
                fewer.push(self.merge_portion(portion, key)?);
            }
            runs = fewer;
        }
        let written = self.write::<T, _>(runs, self.store.begin(key)?, key)?;
        let bytes = written.output.complete();
        Ok((
            written.rows,
            bytes.map_err(|error| fenced(self.store, error))?,
        ))
    }

    /// How many of the runs are merged at a time: two at least, of as many.
    fn portion<T: Merged>(self, runs: &[Run<'_, T>]) -> usize {
        let mut bytes: u64 = 0;
        let fits = runs.iter().take_while(|run| {
            bytes = bytes.saturating_add(run.bytes());
            bytes <= self.caps.runs_bytes
        });
        fits.count().max(2).min(runs.len())
    }

    /// Neighbours become one run, so that equal rows stay in their order.
    fn merge_portion<T: Merged>(
        self,
        mut runs: Vec<Run<'r, T>>,
        key: &str,
    ) -> Result<Run<'r, T>, PipelineError> {
        if runs.len() == 1
            && let Some(run) = runs.pop()
        {
            return Ok(run);
        }
        let output = BufWriter::new(self.scratch.file()?);
        let written = self.write::<T, _>(runs, output, key)?;
        let file = written.output.into_inner().map_err(io::Error::from);
        let file = file.map_err(|cause| self.scratch.failed(cause))?;
        Run::open(Input::Scratch(file, written.bytes), key)
    }

    fn write<T: Merged, W: Write + Send>(
        self,
        mut runs: Vec<Run<'r, T>>,
        output: W,
        key: &str,
    ) -> Result<Written<W>, PipelineError> {
        let failed = |cause| PipelineError::Table {
            key: key.to_owned(),
            cause,
        };
        let mut writer = TableWriter::<T, W>::new(output).map_err(failed)?;
        loop {
            if self.stop.load(atomic::Ordering::Relaxed) {
                return Err(PipelineError::Stopped);
            }
            let arena = Bump::new();
            let rows = self.row_group(&mut runs, &arena)?;
            if rows.is_empty() {
                return writer.finish().map_err(failed);
            }
            writer.write(&rows).map_err(failed)?;
        }
    }

    /// The rows of the next row group; none at the end.
    fn row_group<'a, T: Merged>(
        self,
        runs: &mut [Run<'r, T>],
        arena: &'a Bump,
    ) -> Result<Vec<&'a T::Row<'a>>, PipelineError> {
        let mut queues = Vec::with_capacity(runs.len());
        let mut heads: BinaryHeap<Reverse<Head<'a, T>>> = BinaryHeap::with_capacity(runs.len());
        for (number, run) in runs.iter_mut().enumerate() {
            let queue = run.next_rows(arena)?;
            let head = queue.front().map(|row| Reverse(Head { row: *row, number }));
            heads.extend(head);
            queues.push(queue);
        }
        let mut group = RowGroup::<T>::new(self.caps);
        while let Some(mut least) = heads.peek_mut() {
            let Reverse(Head { row, number }) = *least;
            if !group.take(row, arena) {
                break;
            }
            let (Some(run), Some(queue)) = (runs.get_mut(number), queues.get_mut(number)) else {
                break;
            };
            run.take();
            queue.pop_front();
            if queue.is_empty() {
                *queue = run.next_rows(arena)?;
            }
            match queue.front() {
                Some(row) => *least = Reverse(Head { row: *row, number }),
                None => drop(PeekMut::pop(least)),
            }
        }
        Ok(group.rows)
    }
}

/// The first row of a run that was not taken.
struct Head<'a, T: Merged> {
    row: &'a T::Row<'a>,
    number: usize,
}

impl<T: Merged> Clone for Head<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Merged> Copy for Head<'_, T> {}

impl<T: Merged> Ord for Head<'_, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        sort_order::<T>(self.row, other.row)
            .then_with(|| T::tie(self.row, other.row))
            .then(self.number.cmp(&other.number))
    }
}

impl<T: Merged> PartialOrd for Head<'_, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Merged> PartialEq for Head<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Merged> Eq for Head<'_, T> {}

/// A row group in the making.
struct RowGroup<'a, T: Merged> {
    caps: Caps,
    rows: Vec<&'a T::Row<'a>>,
    /// Those of all rows but the last, which may still become another.
    bytes: usize,
}

impl<'a, T: Merged> RowGroup<'a, T> {
    fn new(caps: Caps) -> Self {
        Self {
            caps,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a row, unless it is to begin the next row group.
    fn take(&mut self, row: &'a T::Row<'a>, arena: &'a Bump) -> bool {
        if let Some(last) = self.rows.last_mut() {
            if let Some(sum) = T::sum(last, row) {
                *last = arena.alloc(sum);
                return true;
            }
            let bytes = self.bytes + row_bytes::<T>(last);
            if self.rows.len() >= self.caps.row_group_rows || bytes >= self.caps.row_group_bytes {
                return false;
            }
            self.bytes = bytes;
        }
        self.rows.push(row);
        true
    }
}
