//! `usage`: the GROUP BY of a batch's `decisions`, in bounded memory.
//!
//! Which rows count, and for what, is [`retrial_tables::Usage::SQL`]; this is that query over one
//! batch. Groups are held in a table in memory; when they come to [`GROUPS_BYTES`], they are written in
//! their order to a scratch file, and all is merged at the end: memory does not grow with the number of
//! distinct resources.

mod key;
mod sums;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufReader, BufWriter, Seek, Write};

use retrial_tables::{DecisionRow, UsageRow};
use twox_hash::XxHash3_64;

use crate::analyze::PipelineError;
use crate::dates::EventDate;
use crate::merge::{SortedSource, merge};
use crate::scratch::Scratch;
use key::{Group, date_of, push_key};
use sums::{Sums, read_group, write_group};

/// What the groups in memory may come to.
const GROUPS_BYTES: usize = 16 << 20;

/// What a group costs beside its texts: two allocations, and its place in a table that is at least
/// half full.
const GROUP_BYTES: usize = 2 * size_of::<(Box<[u8]>, Sums)>() + 32;

/// Scratch files beyond which they are made into one: each costs an open file and a buffer.
const SPILLS_MERGED: usize = 64;

/// Rows that are handed over at once, at most.
const CHUNK_ROWS: usize = 8192;

/// Bytes of keys at which fewer are.
const CHUNK_BYTES: usize = 4 << 20;

/// Receives the rows of a date, in order.
pub(crate) type EachChunk<'e> =
    &'e mut dyn FnMut(EventDate, &[UsageRow<'_>]) -> Result<(), PipelineError>;

/// The groups of a batch.
pub(crate) struct UsageGroups<'s> {
    scratch: &'s Scratch,
    caps: Caps,
    /// By encoded key.
    groups: HashMap<Box<[u8]>, Sums, SecretSeed>,
    bytes: usize,
    spilled: Vec<File>,
    /// The key at hand, kept for its allocation.
    key: Vec<u8>,
    held: Option<Held>,
}

#[derive(Clone, Copy)]
struct Caps {
    groups_bytes: usize,
    chunk_rows: usize,
}

/// Hashes with XXH3 and a seed of this process: the keys were written by whoever made the calls, and they
/// are long, for which the standard hash is slow.
#[derive(Clone, Copy)]
struct SecretSeed(u64);

/// The hash so far.
struct SeededHash(u64);

impl SecretSeed {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for SecretSeed {
    type Hasher = SeededHash;

    fn build_hasher(&self) -> SeededHash {
        SeededHash(self.0)
    }
}

impl Hasher for SeededHash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, bytes);
    }

    fn write_usize(&mut self, length: usize) {
        // Of the key's length: the key is hashed whole behind it.
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A required request of a denied call of which AWS named none: it counts if it is the only one.
struct Held {
    log_file: String,
    record_index: u64,
    /// Required requests of the call.
    asked: usize,
    key: Vec<u8>,
    sums: Sums,
}

/// A group with its encoded key.
type Summed = (Box<[u8]>, Sums);

impl<'s> UsageGroups<'s> {
    /// Of a batch that has no rows yet.
    pub(crate) fn new(scratch: &'s Scratch) -> Self {
        let caps = Caps {
            groups_bytes: GROUPS_BYTES,
            chunk_rows: CHUNK_ROWS,
        };
        Self::with_caps(scratch, caps)
    }

    fn with_caps(scratch: &'s Scratch, caps: Caps) -> Self {
        Self {
            scratch,
            caps,
            groups: HashMap::with_hasher(SecretSeed::new()),
            bytes: 0,
            spilled: Vec::new(),
            key: Vec::new(),
            held: None,
        }
    }

    /// Counts a row. The rows of one call come one after another.
    pub(crate) fn add(
        &mut self,
        date: EventDate,
        row: &DecisionRow<'_>,
    ) -> Result<(), PipelineError> {
        if row.copy || row.amends.is_some() {
            return Ok(());
        }
        let named = match (row.outcome, row.denied_action) {
            ("denied", None) => return self.hold(date, row),
            ("denied", named) => named,
            _ => row.action,
        };
        if let (Some(action), Some(named)) = (row.action, named)
            && action.eq_ignore_ascii_case(named)
        {
            let mut key = std::mem::take(&mut self.key);
            push_key(&mut key, date, &group_of(row, action));
            self.count(&key, Sums::of(row))?;
            self.key = key;
        }
        Ok(())
    }

    /// Hands over all rows: dates in order (`unknown` first), each date's in the order of the table.
    pub(crate) fn finish(mut self, each: EachChunk<'_>) -> Result<(), PipelineError> {
        self.settle()?;
        let mut chunk = Chunk {
            caps: self.caps,
            rows: Vec::new(),
            bytes: 0,
            each,
        };
        let groups = self.sorted_groups();
        self.merge(groups, &mut |group| chunk.push(group))?;
        chunk.hand_over()
    }

    /// The groups' memory, as estimated.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn hold(&mut self, date: EventDate, row: &DecisionRow<'_>) -> Result<(), PipelineError> {
        if row.required != Some(true) {
            return Ok(());
        }
        match &mut self.held {
            Some(held)
                if held.log_file == row.log_file && held.record_index == row.record_index =>
            {
                held.asked += 1;
            }
            _ => {
                self.settle()?;
                let mut key = Vec::new();
                if let Some(action) = row.action {
                    push_key(&mut key, date, &group_of(row, action));
                }
                self.held = Some(Held {
                    log_file: row.log_file.to_owned(),
                    record_index: row.record_index,
                    asked: 1,
                    key,
                    sums: Sums::of(row),
                });
            }
        }
        Ok(())
    }

    /// Counts what is held, now that its call is known whole.
    fn settle(&mut self) -> Result<(), PipelineError> {
        match self.held.take() {
            Some(held) if held.asked == 1 && !held.key.is_empty() => {
                self.count(&held.key, held.sums)
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, key: &[u8], sums: Sums) -> Result<(), PipelineError> {
        if let Some(known) = self.groups.get_mut(key) {
            known.add(sums);
            return Ok(());
        }
        self.bytes += GROUP_BYTES + key.len() + sums.text_bytes();
        self.groups.insert(key.into(), sums);
        if self.bytes >= self.caps.groups_bytes {
            self.spill()?;
        }
        Ok(())
    }

    fn sorted_groups(&mut self) -> Vec<Summed> {
        self.bytes = 0;
        let mut groups: Vec<Summed> = self.groups.drain().collect();
        groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        groups
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        let groups = self.sorted_groups();
        let mut run = SpilledRun::new(self.scratch)?;
        for group in &groups {
            run.write(group)?;
        }
        drop(groups);
        self.spilled.push(run.finish()?);
        if self.spilled.len() >= SPILLS_MERGED {
            let mut run = SpilledRun::new(self.scratch)?;
            self.merge(Vec::new(), &mut |group| run.write(&group))?;
            self.spilled.push(run.finish()?);
        }
        Ok(())
    }

    /// Merges all that was spilled and `groups`; equal keys come as one.
    fn merge(
        &mut self,
        groups: Vec<Summed>,
        each: &mut dyn FnMut(Summed) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let scratch = self.scratch;
        let mut sources: Vec<SortedSource<'_, Summed>> = Vec::new();
        for mut file in self.spilled.drain(..) {
            file.rewind().map_err(|cause| scratch.failed(cause))?;
            let mut file = BufReader::new(file);
            sources.push(Box::new(std::iter::from_fn(move || {
                let group = read_group(&mut file);
                group.map_err(|cause| scratch.failed(cause)).transpose()
            })));
        }
        sources.push(Box::new(groups.into_iter().map(Ok)));
        let mut last: Option<Summed> = None;
        merge(sources, |(key, sums)| {
            match &mut last {
                Some((last_key, last_sums)) if *last_key == key => last_sums.add(sums),
                _ => {
                    if let Some(done) = last.replace((key, sums)) {
                        each(done)?;
                    }
                }
            }
            Ok(())
        })?;
        last.map_or(Ok(()), each)
    }
}

fn group_of<'r>(row: &DecisionRow<'r>, action: &'r str) -> Group<&'r str> {
    Group {
        account_id: row.account_id,
        principal_arn: row.principal_arn,
        action,
        resource_arn: row.resource_arn,
        required: row.required == Some(true),
        principal_type: row.principal_type,
    }
}

/// Groups in order, in a scratch file.
struct SpilledRun<'s> {
    scratch: &'s Scratch,
    out: BufWriter<File>,
}

impl<'s> SpilledRun<'s> {
    fn new(scratch: &'s Scratch) -> Result<Self, PipelineError> {
        let out = BufWriter::with_capacity(1 << 16, scratch.file()?);
        Ok(Self { scratch, out })
    }

    fn write(&mut self, group: &Summed) -> Result<(), PipelineError> {
        write_group(&mut self.out, group).map_err(|cause| self.scratch.failed(cause))
    }

    fn finish(mut self) -> Result<File, PipelineError> {
        let flushed = self.out.flush();
        let file = flushed.and_then(|()| self.out.into_inner().map_err(io::Error::from));
        file.map_err(|cause| self.scratch.failed(cause))
    }
}

/// Groups of one date on their way out.
struct Chunk<'e> {
    caps: Caps,
    rows: Vec<Summed>,
    bytes: usize,
    each: EachChunk<'e>,
}

impl Chunk<'_> {
    fn push(&mut self, group: Summed) -> Result<(), PipelineError> {
        let date = date_of(&group.0);
        let full = self.rows.len() >= self.caps.chunk_rows || self.bytes >= CHUNK_BYTES;
        if full
            || self
                .rows
                .last()
                .is_some_and(|(last, _)| date_of(last) != date)
        {
            self.hand_over()?;
        }
        self.bytes += group.0.len();
        self.rows.push(group);
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), PipelineError> {
        let Some((first, _)) = self.rows.first() else {
            return Ok(());
        };
        let date = date_of(first);
        let groups: Vec<_> = self
            .rows
            .iter()
            .map(|(key, _)| Group::of_key(key))
            .collect();
        let rows: Vec<UsageRow<'_>> = groups
            .iter()
            .zip(&self.rows)
            .map(|(group, (_, sums))| usage_row(group, sums))
            .collect();
        (self.each)(date, &rows)?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn usage_row<'g>(group: &'g Group<Cow<'g, str>>, sums: &'g Sums) -> UsageRow<'g> {
    UsageRow {
        account_id: group.account_id.as_deref(),
        principal_arn: group.principal_arn.as_deref(),
        principal_type: group.principal_type.as_deref(),
        action: &group.action,
        resource_arn: group.resource_arn.as_deref(),
        required: group.required,
        calls: sums.calls,
        succeeded: sums.succeeded,
        denied: sums.denied,
        failed_after_authorization: sums.failed_after_authorization,
        failed: sums.failed,
        first_time: sums.first_time,
        last_time: sums.last_time,
        event_id: sums.event_id.as_deref(),
    }
}

#[cfg(test)]
mod tests;
