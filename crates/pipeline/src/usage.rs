//! `usage`: the GROUP BY of a batch's `decisions`, in bounded memory.
//!
//! Which rows count, and for what, is [`retrial_tables::Usage::SQL`]; this is that query over one
//! batch. Groups are held in a table in memory; when they come to [`GROUPS_BYTES`], they are written in
//! their order to a scratch file, and all is merged at the end: memory does not grow with the number of
//! distinct resources.

mod groups;
mod key;
mod sums;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};

use retrial_tables::{DecisionRow, UsageRow};

use crate::analyze::PipelineError;
use crate::dates::EventDate;
use crate::merge::{Joined, SortedSource, read_ahead};
use crate::scratch::Scratch;
use groups::Groups;
use key::{Group, date_of, push_key};
use sums::{Counted, Counts, Sums, read_group, write_group};

/// What the groups in memory may come to.
const GROUPS_BYTES: usize = 16 << 20;

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
    groups: Groups,
    spilled: Vec<File>,
    held: Option<Held>,
}

#[derive(Clone, Copy)]
struct Caps {
    groups_bytes: usize,
    chunk_rows: usize,
}

/// A required request of a denied call of which AWS named none: it counts if it is the only one.
struct Held {
    log_file: String,
    record_index: u64,
    /// Required requests of the call.
    asked: usize,
    /// The group's encoded key; empty where it counts for none.
    key: Vec<u8>,
    counts: Counts,
    event_id: Option<String>,
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
            groups: Groups::new(),
            spilled: Vec::new(),
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
            let sums = (Counts::of(row), row.event_id);
            self.count(date, &group_of(row, action), sums)?;
        }
        Ok(())
    }

    /// Hands over all rows: dates in order (`unknown` first), each date's in the order of the table.
    pub(crate) fn finish(mut self, each: EachChunk<'_>) -> Result<(), PipelineError> {
        self.settle()?;
        let groups = self.groups.take();
        if self.spilled.is_empty() {
            return hand_over(&groups, self.caps, each);
        }
        let mut chunks = Chunks {
            caps: self.caps,
            groups: self.merged(&groups)?,
            next: None,
        };
        read_ahead(|| chunks.next(), |chunk| hand_over_merged(&chunk, each))
    }

    /// The groups' memory.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.groups.bytes()
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
                    counts: Counts::of(row),
                    event_id: row.event_id.map(str::to_owned),
                });
            }
        }
        Ok(())
    }

    /// Counts what is held, now that its call is known whole.
    fn settle(&mut self) -> Result<(), PipelineError> {
        match self.held.take() {
            Some(held) if held.asked == 1 && !held.key.is_empty() => {
                let group = Group::of_key(&held.key);
                let sums = (held.counts, held.event_id.as_deref());
                self.count(date_of(&held.key), &group.borrowed(), sums)
            }
            _ => Ok(()),
        }
    }

    fn count(
        &mut self,
        date: EventDate,
        group: &Group<&str>,
        sums: Counted<'_>,
    ) -> Result<(), PipelineError> {
        self.groups.add(date, group, sums);
        if self.groups.bytes() >= self.caps.groups_bytes {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        let groups = self.groups.take();
        let mut run = SpilledRun::new(self.scratch)?;
        let mut key = Vec::new();
        for number in groups.order() {
            if let Some((date, group, sums)) = groups.group(number) {
                push_key(&mut key, date, &group);
                run.write(&key, sums)?;
            }
        }
        drop(groups);
        self.spilled.push(run.finish()?);
        if self.spilled.len() >= SPILLS_MERGED {
            let mut run = SpilledRun::new(self.scratch)?;
            let none = Groups::new();
            let mut merged = self.merged(&none)?;
            while let Some((key, sums)) = merged.next()? {
                run.write(&key, (sums.counts, sums.event_id.as_deref()))?;
            }
            drop(merged);
            self.spilled.push(run.finish()?);
        }
        Ok(())
    }

    /// All that was spilled and `groups`, in order; equal keys come as one.
    fn merged<'g>(&mut self, groups: &'g Groups) -> Result<Joined<'g, Summed>, PipelineError>
    where
        's: 'g,
    {
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
        let in_memory = groups.order().into_iter();
        let mut key = Vec::new();
        sources.push(Box::new(
            in_memory.filter_map(move |number| summed(groups, number, &mut key).map(Ok)),
        ));
        Joined::new(sources, |(last, sums), (key, more)| {
            if *last != key {
                return Some((key, more));
            }
            sums.add(more);
            None
        })
    }
}

/// A group as it would be spilled; `key` is kept for its allocation.
fn summed(groups: &Groups, number: u32, key: &mut Vec<u8>) -> Option<Summed> {
    let (date, group, (counts, event_id)) = groups.group(number)?;
    push_key(key, date, &group);
    let event_id = event_id.map(Box::from);
    Some((key.as_slice().into(), Sums { counts, event_id }))
}

/// Hands over the rows of groups that are all in memory.
fn hand_over(groups: &Groups, caps: Caps, each: EachChunk<'_>) -> Result<(), PipelineError> {
    let mut rows: Vec<UsageRow<'_>> = Vec::new();
    let (mut bytes, mut of_date) = (0, None);
    for (date, row) in groups
        .order()
        .into_iter()
        .filter_map(|number| groups.row(number))
    {
        let full = rows.len() >= caps.chunk_rows || bytes >= CHUNK_BYTES;
        if !rows.is_empty() && (full || of_date != date) {
            each(of_date, &rows)?;
            rows.clear();
            bytes = 0;
        }
        bytes += [Some(row.action), row.principal_arn, row.resource_arn]
            .iter()
            .flatten()
            .map(|text| text.len())
            .sum::<usize>();
        of_date = date;
        rows.push(row);
    }
    match rows.as_slice() {
        [] => Ok(()),
        rows => each(of_date, rows),
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

    fn write(&mut self, key: &[u8], sums: Counted<'_>) -> Result<(), PipelineError> {
        write_group(&mut self.out, key, sums).map_err(|cause| self.scratch.failed(cause))
    }

    fn finish(mut self) -> Result<File, PipelineError> {
        let flushed = self.out.flush();
        let file = flushed.and_then(|()| self.out.into_inner().map_err(io::Error::from));
        file.map_err(|cause| self.scratch.failed(cause))
    }
}

/// Merged groups, those of one date that are handed over together.
struct Chunks<'g> {
    caps: Caps,
    groups: Joined<'g, Summed>,
    /// What the last chunk had no room for.
    next: Option<Summed>,
}

impl Chunks<'_> {
    /// The next one; empty at the end.
    fn next(&mut self) -> Result<Vec<Summed>, PipelineError> {
        let mut chunk: Vec<Summed> = Vec::new();
        let mut bytes = 0;
        loop {
            let group = match self.next.take() {
                Some(group) => Some(group),
                None => self.groups.next()?,
            };
            let Some(group) = group else {
                return Ok(chunk);
            };
            let is_full = chunk.len() >= self.caps.chunk_rows || bytes >= CHUNK_BYTES;
            let last = chunk.last();
            if last.is_some_and(|(last, _)| is_full || date_of(last) != date_of(&group.0)) {
                self.next = Some(group);
                return Ok(chunk);
            }
            bytes += group.0.len();
            chunk.push(group);
        }
    }
}

/// Hands over the rows of a chunk.
fn hand_over_merged(chunk: &[Summed], each: EachChunk<'_>) -> Result<(), PipelineError> {
    let Some((first, _)) = chunk.first() else {
        return Ok(());
    };
    let groups: Vec<_> = chunk.iter().map(|(key, _)| Group::of_key(key)).collect();
    let rows: Vec<UsageRow<'_>> = groups
        .iter()
        .zip(chunk)
        .map(|(group, (_, sums))| {
            let sums = (sums.counts, sums.event_id.as_deref());
            group.borrowed().row(sums)
        })
        .collect();
    each(date_of(first), &rows)
}

#[cfg(test)]
mod tests;
