//! What became known since the last commit.

use std::io::{self, Write};

use super::filter::Filter;
use super::fingerprint::Fingerprint;
use super::run::{Index, Run, RunWriter};
use super::sorted::{Level, find};
use super::{Caps, Query, Seen};
use crate::analyze::PipelineError;
use crate::merge::{SortedSource, merge};
use crate::scratch::Scratch;

/// Levels of about one size that are made into one: few, because each is searched for what is known
/// already; not two, because each merge copies all of them.
const LEVELS_MERGED: usize = 4;

/// Spilled runs of about one size that are made into one: a batch seldom has so many; one made of
/// hostile files may have hundreds.
const SPILLS_MERGED: usize = 8;

/// The records that were kept since the last commit: sorted levels in memory, and, beyond a cap, sorted runs in scratch files.
pub(super) struct Pending<'s> {
    scratch: &'s Scratch,
    caps: Caps,
    levels: Vec<Level>,
    /// Over all levels.
    filter: Filter,
    /// Records in the levels.
    records: usize,
    spilled: Vec<Spilled>,
}

struct Spilled {
    run: Run,
    /// How often its records have been merged.
    merges: u32,
}

impl<'s> Pending<'s> {
    pub(super) fn new(scratch: &'s Scratch, caps: Caps) -> Self {
        Self {
            scratch,
            caps,
            levels: Vec::new(),
            filter: Filter::new(caps.pending as u64, caps.run_filter_bytes()),
            records: 0,
            spilled: Vec::new(),
        }
    }

    /// Looks the queries up, which are in order.
    pub(super) fn look_up(&mut self, queries: &mut [Query]) -> Result<(), PipelineError> {
        let failed = |cause| self.scratch.failed(cause);
        for query in queries.iter_mut() {
            if self.filter.may_have(&query.fingerprint) {
                for level in &mut self.levels {
                    let seen = find(level, &query.fingerprint).map_err(failed)?;
                    query.seen = query.seen.max(seen);
                    if seen == Seen::Record {
                        break;
                    }
                }
            }
        }
        for spilled in &mut self.spilled {
            look_up(&mut spilled.run, queries).map_err(failed)?;
        }
        Ok(())
    }

    /// Adds kept records, in order.
    pub(super) fn remember(&mut self, records: &[Fingerprint]) -> Result<(), PipelineError> {
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            self.filter.insert(record);
        }
        self.records += records.len();
        self.levels.push(Level::new(records));
        self.merge_levels();
        if self.records >= self.caps.pending {
            self.spill()?;
        }
        Ok(())
    }

    fn merge_levels(&mut self) {
        // A level larger than a quarter of all is left alone, so that merging never doubles memory.
        let most = self.caps.pending / 4;
        while let Some(last) = self.levels.last().map(Level::len) {
            let similar = self.levels.iter().rev();
            let similar = similar.take_while(|level| level.len() <= 2 * last);
            let (count, total) = similar.fold((0, 0), |(count, total), level| {
                (count + 1, total + level.len())
            });
            if count < LEVELS_MERGED || total > most {
                break;
            }
            let parts = self.levels.split_off(self.levels.len() - count);
            self.levels.push(Level::merged(parts));
        }
    }

    /// Records of the batch.
    pub(super) fn total(&self) -> u64 {
        let spilled: u64 = self.spilled.iter().map(|s| s.run.index.records).sum();
        spilled + self.records as u64
    }

    /// Writes all of the batch as one run.
    pub(super) fn write(&self, run: Merged<'_>) -> Result<Index, PipelineError> {
        self.merge(&self.levels, &self.spilled, run)
    }

    /// Forgets the batch.
    pub(super) fn clear(&mut self) {
        self.levels.clear();
        self.filter.clear();
        self.records = 0;
        self.spilled.clear();
    }

    pub(super) fn filters(&mut self) -> impl Iterator<Item = &mut Filter> {
        self.spilled.iter_mut().map(|s| &mut s.run.index.filter)
    }

    /// Memory, but for the filters of spilled runs.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let entries: usize = self.levels.iter().map(Level::len).sum();
        let spilled: u64 = self.spilled.iter().map(|s| s.run.bytes()).sum();
        (entries * size_of::<Fingerprint>()) as u64 + self.filter.bytes() + spilled
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        let levels = std::mem::take(&mut self.levels);
        let run = self.merge_to_scratch(&levels, &[])?;
        drop(levels);
        self.filter.clear();
        self.records = 0;
        self.spilled.push(Spilled { run, merges: 0 });
        self.merge_spilled()
    }

    fn merge_spilled(&mut self) -> Result<(), PipelineError> {
        while let Some(merges) = self.spilled.last().map(|last| last.merges) {
            let same = self.spilled.iter().rev();
            let same = same.take_while(|spilled| spilled.merges == merges).count();
            if same < SPILLS_MERGED {
                break;
            }
            let parts = self.spilled.split_off(self.spilled.len() - same);
            let run = self.merge_to_scratch(&[], &parts)?;
            let merges = merges + 1;
            self.spilled.push(Spilled { run, merges });
        }
        Ok(())
    }

    fn merge_to_scratch(
        &self,
        levels: &[Level],
        spilled: &[Spilled],
    ) -> Result<Run, PipelineError> {
        let mut file = self.scratch.file()?;
        let in_levels: usize = levels.iter().map(Level::len).sum();
        let in_spilled: u64 = spilled.iter().map(|s| s.run.index.records).sum();
        let filter = Filter::new(in_levels as u64 + in_spilled, self.caps.run_filter_bytes());
        let run = Merged {
            out: &mut file,
            filter,
            failed: &|cause| self.scratch.failed(cause),
        };
        let index = self.merge(levels, spilled, run)?;
        Ok(Run::new(file, index))
    }

    fn merge(
        &self,
        levels: &[Level],
        spilled: &[Spilled],
        run: Merged<'_>,
    ) -> Result<Index, PipelineError> {
        let Merged {
            out,
            filter,
            failed,
        } = run;
        let unread = |cause| self.scratch.failed(cause);
        let levels = levels
            .iter()
            .map(|level| Box::new(level.records().map(Ok)) as SortedSource<'_, _>);
        let spilled = spilled.iter().map(|spilled| {
            let records = spilled.run.records();
            Box::new(records.map(|record| record.map_err(unread))) as SortedSource<'_, _>
        });
        let mut writer = RunWriter::new(out, filter).map_err(failed)?;
        merge(levels.chain(spilled).collect(), |record| {
            writer.write(&record).map_err(failed)
        })?;
        writer.finish().map_err(failed)
    }
}

/// Where merged records go, and what an error there is.
pub(super) struct Merged<'m> {
    pub(super) out: &'m mut dyn Write,
    pub(super) filter: Filter,
    pub(super) failed: &'m dyn Fn(io::Error) -> PipelineError,
}

/// Looks the queries up, which are in order.
pub(super) fn look_up(run: &mut Run, queries: &mut [Query]) -> io::Result<()> {
    for query in queries {
        let may_have = run.index.filter.may_have(&query.fingerprint);
        if may_have && query.seen != Seen::Record {
            let seen = find(run, &query.fingerprint)?;
            query.seen = query.seen.max(seen);
        }
    }
    Ok(())
}
