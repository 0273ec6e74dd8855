//! The records that wait: calls whose session was issued by a record that may still come.
//!
//! First in, first out, in the order in which records were read. Their text waits, not their rows: a
//! record is decided once, when its horizon has passed.
//!
//! # Stored form
//! `_retrial/waiting/<batch>` is the whole queue as it stood at a commit: the line
//! `retrial waiting 1\n`, then the records, each as little-endian numbers and texts:
//! minute (u32), delivery day (i32, days since the Unix epoch; the least number for `unknown`), whether
//! it is flagged as a conflict (u8), its number in its log file (u64), the log file (u32 length, bytes),
//! the text (u32 length, bytes). The manifest says how many there are.
//!
//! # Memory
//! The oldest and the youngest [`BLOCK_BYTES`] of text; what is between them is in scratch files. And
//! a count for each minute that a record waits of.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use retrial_storage::Store;

use crate::analyze::PipelineError;
use crate::manifest::{WaitingRef, fenced};
use crate::scratch::Scratch;

/// What is kept in memory at each end of the queue.
const BLOCK_BYTES: usize = 4 << 20;

/// The blocks that share a scratch file: the file's space is given back when all of them were read.
const BLOCKS_A_FILE: usize = 64;

/// How long after a call the record may be delivered that issued its session.
pub(crate) const HORIZON_MINUTES: u32 = 15;

/// The first line of the stored form.
const MAGIC: &[u8] = b"retrial waiting 1\n";

/// The numbers before a record's texts.
const HEAD_BYTES: usize = 4 + 4 + 1 + 8 + 4;

/// A day that log files were delivered on: days since the Unix epoch; `None` where none is known.
pub(crate) type DeliveryDay = Option<i32>;

/// A record that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingRecord {
    /// When it was delivered: what its session's horizon is counted from.
    pub(crate) minute: u32,
    /// The day of the plan that it is from.
    pub(crate) delivery: DeliveryDay,
    /// Whether another record has its event id and another body.
    pub(crate) conflict: bool,
    pub(crate) record_index: u64,
    pub(crate) log_file: Arc<str>,
    pub(crate) text: Box<[u8]>,
}

impl WaitingRecord {
    fn bytes(&self) -> usize {
        HEAD_BYTES + self.log_file.len() + 4 + self.text.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.minute.to_le_bytes());
        out.extend(self.delivery.unwrap_or(i32::MIN).to_le_bytes());
        out.push(u8::from(self.conflict));
        out.extend(self.record_index.to_le_bytes());
        // A record is limited to megabytes, a key to kilobytes.
        out.extend((self.log_file.len() as u32).to_le_bytes());
        out.extend(self.log_file.as_bytes());
        out.extend((self.text.len() as u32).to_le_bytes());
        out.extend(&*self.text);
    }
}

/// Takes records off encoded bytes.
struct Decoder {
    /// The last log file's name, which the next record often shares.
    log_file: Arc<str>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            log_file: Arc::from(""),
        }
    }
}

impl Decoder {
    /// The first record and what is behind it; `None` where `bytes` ends before the record does.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> Option<(WaitingRecord, &'b [u8])> {
        let (minute, bytes) = bytes.split_first_chunk()?;
        let (delivery, bytes) = bytes.split_first_chunk()?;
        let ([conflict], bytes) = bytes.split_first_chunk()?;
        let (record_index, bytes) = bytes.split_first_chunk()?;
        let (log_file, bytes) = text(bytes)?;
        let (text, bytes) = text(bytes)?;
        if log_file != self.log_file.as_bytes() {
            self.log_file = String::from_utf8_lossy(log_file).into();
        }
        let delivery = i32::from_le_bytes(*delivery);
        let record = WaitingRecord {
            minute: u32::from_le_bytes(*minute),
            delivery: (delivery != i32::MIN).then_some(delivery),
            conflict: *conflict != 0,
            record_index: u64::from_le_bytes(*record_index),
            log_file: Arc::clone(&self.log_file),
            text: text.into(),
        };
        Some((record, bytes))
    }
}

/// A text with its length before it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk()?;
    bytes.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// One end of the queue.
#[derive(Default)]
struct End {
    records: VecDeque<WaitingRecord>,
    bytes: usize,
}

impl End {
    fn push(&mut self, record: WaitingRecord) {
        self.bytes += record.bytes();
        self.records.push_back(record);
    }

    fn pop(&mut self) -> Option<WaitingRecord> {
        let record = self.records.pop_front()?;
        self.bytes -= record.bytes();
        Some(record)
    }
}

/// Encoded records in a scratch file, [`BLOCKS_A_FILE`] of them at most.
struct SpillFile {
    file: File,
    /// The lengths of the blocks that were not read yet, the first of them at `read_at`.
    blocks: VecDeque<usize>,
    read_at: u64,
    written: usize,
    length: u64,
}

/// The queue.
pub(crate) struct Waiting<'s> {
    scratch: &'s Scratch,
    front: End,
    spilled: VecDeque<SpillFile>,
    back: End,
    records: u64,
    /// So many of them, the first ones, were read by another process.
    carried: u64,
    /// How many records wait of each minute.
    minutes: BTreeMap<u32, u64>,
    block_bytes: usize,
}

impl<'s> Waiting<'s> {
    /// An empty queue.
    pub(crate) fn new(scratch: &'s Scratch) -> Self {
        Self {
            scratch,
            front: End::default(),
            spilled: VecDeque::new(),
            back: End::default(),
            records: 0,
            carried: 0,
            minutes: BTreeMap::new(),
            block_bytes: BLOCK_BYTES,
        }
    }

    /// How many records wait.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// How many of them, the first ones, were read by another process, and are in its books.
    pub(crate) fn carried(&self) -> u64 {
        self.carried
    }

    /// Says how many of them were.
    pub(crate) fn with_carried(self, carried: u64) -> Self {
        Self { carried, ..self }
    }

    /// The earliest minute that a record waits of.
    pub(crate) fn earliest_minute(&self) -> Option<u32> {
        self.minutes.keys().next().copied()
    }

    /// Adds a record at the end.
    pub(crate) fn push(&mut self, record: WaitingRecord) -> Result<(), PipelineError> {
        self.records += 1;
        *self.minutes.entry(record.minute).or_default() += 1;
        self.back.push(record);
        if self.back.bytes >= self.block_bytes {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        let back = std::mem::take(&mut self.back);
        if self.front.records.is_empty() && self.spilled.is_empty() {
            self.front = back;
            return Ok(());
        }
        let mut block = Vec::with_capacity(back.bytes);
        for record in &back.records {
            record.encode(&mut block);
        }
        let room = self
            .spilled
            .back()
            .is_some_and(|file| file.written < BLOCKS_A_FILE);
        if !room {
            self.spilled.push_back(SpillFile {
                file: self.scratch.file()?,
                blocks: VecDeque::new(),
                read_at: 0,
                written: 0,
                length: 0,
            });
        }
        if let Some(spill) = self.spilled.back_mut() {
            spill
                .append(&block)
                .map_err(|cause| self.scratch.failed(cause))?;
        }
        Ok(())
    }

    /// The minute of the record that waits longest.
    pub(crate) fn first_minute(&mut self) -> Result<Option<u32>, PipelineError> {
        self.fill_front()?;
        Ok(self.front.records.front().map(|record| record.minute))
    }

    /// Takes the record that waits longest.
    pub(crate) fn pop(&mut self) -> Result<Option<WaitingRecord>, PipelineError> {
        self.fill_front()?;
        let Some(record) = self.front.pop() else {
            return Ok(None);
        };
        self.records -= 1;
        self.carried = self.carried.saturating_sub(1);
        if let Some(count) = self.minutes.get_mut(&record.minute) {
            *count -= 1;
            if *count == 0 {
                self.minutes.remove(&record.minute);
            }
        }
        Ok(Some(record))
    }

    fn fill_front(&mut self) -> Result<(), PipelineError> {
        if !self.front.records.is_empty() {
            return Ok(());
        }
        let Some(spill) = self.spilled.front_mut() else {
            self.front = std::mem::take(&mut self.back);
            return Ok(());
        };
        let block = spill.next().map_err(|cause| self.scratch.failed(cause))?;
        if spill.blocks.is_empty() {
            self.spilled.pop_front();
        }
        let mut decoder = Decoder::default();
        let mut bytes = block.as_slice();
        while let Some((record, rest)) = decoder.take(bytes) {
            self.front.push(record);
            bytes = rest;
        }
        Ok(())
    }

    /// Hands each record's encoded form on, in order, without taking it.
    fn each_block(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let mut block = Vec::new();
        for record in &self.front.records {
            record.encode(&mut block);
        }
        each(&block)?;
        for spill in &mut self.spilled {
            let mut at = spill.read_at;
            for length in spill.blocks.clone() {
                let block = spill
                    .read(at, length)
                    .map_err(|cause| self.scratch.failed(cause))?;
                each(&block)?;
                at += length as u64;
            }
        }
        block.clear();
        for record in &self.back.records {
            record.encode(&mut block);
        }
        each(&block)
    }

    /// Hands the records on, in order, without taking them: portions of `portion_bytes`, which follow
    /// from the records alone and not from where they are kept.
    pub(crate) fn each_portion(
        &mut self,
        portion_bytes: usize,
        each: &mut dyn FnMut(Vec<WaitingRecord>) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let mut decoder = Decoder::default();
        let (mut records, mut held) = (Vec::new(), 0);
        self.each_block(&mut |block| {
            let mut bytes = block;
            while let Some((record, rest)) = decoder.take(bytes) {
                held += record.bytes();
                records.push(record);
                bytes = rest;
                if held >= portion_bytes {
                    held = 0;
                    each(std::mem::take(&mut records))?;
                }
            }
            Ok(())
        })?;
        if records.is_empty() {
            return Ok(());
        }
        each(records)
    }

    /// Takes the records whose horizon has passed where files up to `read_to` were read, from the one
    /// that waits longest on; `portion_bytes` of them at most, or one.
    pub(crate) fn pop_passed(
        &mut self,
        read_to: u32,
        portion_bytes: usize,
    ) -> Result<Vec<WaitingRecord>, PipelineError> {
        let (mut records, mut held) = (Vec::new(), 0);
        while held < portion_bytes
            && let Some(minute) = self.first_minute()?
            && minute.saturating_add(HORIZON_MINUTES) < read_to
            && let Some(record) = self.pop()?
        {
            held += record.bytes();
            records.push(record);
        }
        Ok(records)
    }

    /// Drops the records of a delivery day that is to be read anew; says whether there were any.
    pub(crate) fn forget(&mut self, delivery: DeliveryDay) -> Result<bool, PipelineError> {
        let mut rest = Waiting::new(self.scratch);
        let before = self.records;
        loop {
            let carried = u64::from(self.carried > 0);
            let Some(record) = self.pop()? else { break };
            if record.delivery != delivery {
                rest.carried += carried;
                rest.push(record)?;
            }
        }
        *self = rest;
        Ok(self.records != before)
    }

    /// Stores the queue as an object of its own; nothing where it is empty.
    pub(crate) fn store(
        &mut self,
        store: &dyn Store,
        key: String,
    ) -> Result<Option<WaitingRef>, PipelineError> {
        if self.records == 0 {
            return Ok(None);
        }
        let mut upload = store.begin(&key)?;
        let failed = |cause| PipelineError::Write {
            key: key.clone(),
            cause,
        };
        upload.write_all(MAGIC).map_err(failed)?;
        self.each_block(&mut |block| upload.write_all(block).map_err(failed))?;
        upload.complete().map_err(|error| fenced(store, error))?;
        Ok(Some(WaitingRef {
            key,
            records: self.records,
        }))
    }

    /// The queue as it was stored.
    pub(crate) fn load(
        store: &dyn Store,
        scratch: &'s Scratch,
        stored: Option<&WaitingRef>,
    ) -> Result<Self, PipelineError> {
        let mut waiting = Self::new(scratch);
        let Some(WaitingRef { key, records }) = stored else {
            return Ok(waiting);
        };
        if store.read_range(key, 0, MAGIC.len() as u64)? != MAGIC {
            return Err(PipelineError::Damaged {
                key: key.clone(),
                place: "its start".to_owned(),
                cause: "it is no queue of waiting records".to_owned(),
            });
        }
        let mut decoder = Decoder::default();
        let mut offset = MAGIC.len() as u64;
        let mut held: Vec<u8> = Vec::new();
        loop {
            let more = store.read_range(key, offset, BLOCK_BYTES as u64)?;
            if more.is_empty() {
                break;
            }
            offset += more.len() as u64;
            held.extend(more);
            let mut bytes = held.as_slice();
            while let Some((record, rest)) = decoder.take(bytes) {
                waiting.push(record)?;
                bytes = rest;
            }
            held = bytes.to_vec();
        }
        if !held.is_empty() || waiting.records != *records {
            return Err(PipelineError::Damaged {
                key: key.clone(),
                place: format!("record {}", waiting.records),
                cause: format!("{records} records were stored"),
            });
        }
        waiting.carried = waiting.records;
        Ok(waiting)
    }
}

impl SpillFile {
    fn append(&mut self, block: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(block)?;
        self.length += block.len() as u64;
        self.blocks.push_back(block.len());
        self.written += 1;
        Ok(())
    }

    fn read(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut block = vec![0; length];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut block)?;
        Ok(block)
    }

    /// Takes the first block.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let length = self.blocks.pop_front().unwrap_or(0);
        let block = self.read(self.read_at, length)?;
        self.read_at += length as u64;
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use retrial_storage::FolderStore;

    use super::*;

    fn record(number: u32) -> WaitingRecord {
        WaitingRecord {
            minute: number / 3,
            delivery: number.is_multiple_of(2).then_some(20_000),
            conflict: number.is_multiple_of(5),
            record_index: u64::from(number),
            log_file: format!("file-{}", number / 4).into(),
            text: vec![b'x'; (number % 37) as usize].into(),
        }
    }

    fn drain(waiting: &mut Waiting<'_>) -> Vec<WaitingRecord> {
        let mut all = Vec::new();
        while let Some(record) = waiting.pop().unwrap() {
            all.push(record);
        }
        all
    }

    /// In and out in turns, with blocks so small that everything goes through the scratch file.
    #[test]
    fn first_in_first_out() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(&folder.path().join("scratch")).unwrap();
        let mut waiting = Waiting::new(&scratch);
        waiting.block_bytes = 200;
        let mut model = VecDeque::new();
        for number in 0..6_000 {
            waiting.push(record(number)).unwrap();
            model.push_back(record(number));
            if number % 3 == 0 {
                assert_eq!(
                    waiting.first_minute().unwrap(),
                    model.front().map(|r| r.minute)
                );
                assert_eq!(waiting.pop().unwrap(), model.pop_front());
            }
        }
        assert_eq!(waiting.records(), model.len() as u64);
        let mut seen = Vec::new();
        waiting
            .each_portion(1_000, &mut |portion| {
                seen.extend(portion);
                Ok(())
            })
            .unwrap();
        assert!(seen.iter().eq(model.iter()));
        assert!(drain(&mut waiting).iter().eq(model.iter()));
        assert_eq!(waiting.records(), 0);
    }

    #[test]
    fn stored_and_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(&folder.path().join("scratch")).unwrap();
        let store = FolderStore::create(&folder.path().join("out")).unwrap();
        let mut waiting = Waiting::new(&scratch);
        waiting.block_bytes = 500;
        for number in 0..1_000 {
            waiting.push(record(number)).unwrap();
        }
        waiting.pop().unwrap();
        let key = "_retrial/waiting/000001".to_owned();
        let stored = waiting.store(&store, key.clone()).unwrap().unwrap();
        assert_eq!(stored.records, 999);
        let mut loaded = Waiting::load(&store, &scratch, Some(&stored)).unwrap();
        assert_eq!(drain(&mut loaded), drain(&mut waiting));
        assert_eq!(waiting.store(&store, "never".to_owned()).unwrap(), None);

        let damaged = WaitingRef { key, records: 998 };
        let error = Waiting::load(&store, &scratch, Some(&damaged))
            .err()
            .unwrap();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }

    #[test]
    fn a_day_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(folder.path()).unwrap();
        let mut waiting = Waiting::new(&scratch);
        for number in 0..10 {
            waiting.push(record(number)).unwrap();
        }
        assert!(waiting.forget(Some(20_000)).unwrap());
        assert!(!waiting.forget(Some(20_000)).unwrap());
        let rest: Vec<u64> = drain(&mut waiting).iter().map(|r| r.record_index).collect();
        assert_eq!(rest, [1, 3, 5, 7, 9]);
    }
}
