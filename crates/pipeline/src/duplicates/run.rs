//! A run: fingerprints in their order, in a file. Its form is described in [`super`].

use std::fs::File;
use std::io::{self, Write};

use twox_hash::XxHash3_64;

use super::filter::Filter;
use super::fingerprint::{ENTRY_BYTES, Fingerprint};
use super::marks::Marks;
use super::sorted::Sorted;

const MAGIC: [u8; 8] = *b"RETRIALD";
const FORMAT: u32 = 1;
const HEAD_BYTES: usize = 16;
const FOOT_BYTES: usize = 48;

/// Entries in a block, which is what the checksum is taken over and what a look-up reads: 8,160 bytes.
const BLOCK_ENTRIES: usize = 340;
const BLOCK_BYTES: usize = BLOCK_ENTRIES * ENTRY_BYTES;

/// Blocks that a run keeps in memory: look-ups come in order, so that few are needed again.
const CACHED_BLOCKS: usize = 8;

/// Blocks that are read at once where a run is read whole.
const READ_BLOCKS: u64 = 16;

/// Why a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunProblem {
    /// The operating system refused.
    #[error("cannot read: {}", .0.kind())]
    Read(io::Error),
    /// It does not begin as a run does.
    #[error("not a run of fingerprints")]
    Foreign,
    /// It was written by another version.
    #[error("its format is {0}, which this version does not know")]
    Format(u32),
    /// It does not end as a run does.
    #[error("it is cut short or has been added to")]
    Torn,
    /// Its content has been changed.
    #[error("its checksum does not match its content")]
    Checksum,
    /// It was not written by what writes runs.
    #[error("its entries are not in order")]
    Order,
    /// It is not the run that the manifest means.
    #[error("it has {found} records, and {expected} by the manifest")]
    Records {
        /// What the manifest says.
        expected: u64,
        /// What the run says.
        found: u64,
    },
}

/// What is known of a run without reading its entries.
#[derive(Debug)]
pub(super) struct Index {
    /// Entries, marks among them.
    entries: u64,
    /// Entries that are records.
    pub(super) records: u64,
    pub(super) first_minute: u32,
    pub(super) last_minute: u32,
    /// The first entry of each block.
    fences: Vec<Fingerprint>,
    pub(super) filter: Filter,
}

impl Index {
    fn new(filter: Filter) -> Self {
        Self {
            entries: 0,
            records: 0,
            first_minute: u32::MAX,
            last_minute: 0,
            fences: Vec::new(),
            filter,
        }
    }

    fn add(&mut self, entry: &Fingerprint) {
        if self.entries.is_multiple_of(BLOCK_ENTRIES as u64) {
            self.fences.push(*entry);
        }
        self.entries += 1;
        if !entry.is_mark() {
            self.records += 1;
            self.first_minute = self.first_minute.min(entry.minute);
            self.last_minute = self.last_minute.max(entry.minute);
            self.filter.insert(entry);
        }
    }

    /// Everything behind the entries but its own checksum and the magic.
    fn foot(&self, checksum: u64) -> Vec<u8> {
        let mut foot = Vec::with_capacity(FOOT_BYTES);
        foot.extend(self.entries.to_be_bytes());
        foot.extend(self.records.to_be_bytes());
        foot.extend(self.first_minute.to_be_bytes());
        foot.extend(self.last_minute.to_be_bytes());
        foot.extend(checksum.to_be_bytes());
        foot.extend(XxHash3_64::oneshot(&foot).to_be_bytes());
        foot.extend(MAGIC);
        foot
    }
}

fn head() -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend(MAGIC);
    head.extend(FORMAT.to_be_bytes());
    head.extend((ENTRY_BYTES as u32).to_be_bytes());
    head
}

/// Writes a run, entry by entry in their order. It adds the marks.
pub(super) struct RunWriter<'w> {
    blocks: BlockWriter<'w>,
    marks: Marks,
}

/// What makes blocks of entries.
struct BlockWriter<'w> {
    out: &'w mut dyn Write,
    block: Vec<u8>,
    checksum: u64,
    index: Index,
}

impl<'w> RunWriter<'w> {
    pub(super) fn new(out: &'w mut dyn Write, filter: Filter) -> io::Result<Self> {
        out.write_all(&head())?;
        Ok(Self {
            blocks: BlockWriter {
                out,
                block: Vec::with_capacity(BLOCK_BYTES),
                checksum: 0,
                index: Index::new(filter),
            },
            marks: Marks::default(),
        })
    }

    pub(super) fn write(&mut self, record: &Fingerprint) -> io::Result<()> {
        let Self { blocks, marks } = self;
        marks.take(record, |mark| blocks.write(&mark))?;
        blocks.write(record)
    }

    pub(super) fn finish(mut self) -> io::Result<Index> {
        let Self { blocks, marks } = &mut self;
        marks.end(|mark| blocks.write(&mark))?;
        blocks.write_block()?;
        let foot = blocks.index.foot(blocks.checksum);
        blocks.out.write_all(&foot)?;
        Ok(self.blocks.index)
    }
}

impl BlockWriter<'_> {
    fn write(&mut self, entry: &Fingerprint) -> io::Result<()> {
        self.index.add(entry);
        self.block.extend(entry.to_bytes());
        if self.block.len() >= BLOCK_BYTES {
            self.write_block()?;
        }
        Ok(())
    }

    fn write_block(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.checksum = chained(self.checksum, &self.block);
            self.out.write_all(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }
}

/// The checksum over one block more.
fn chained(checksum: u64, block: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(checksum, block)
}

/// A run that is open.
pub(super) struct Run {
    file: File,
    pub(super) index: Index,
    /// By block number modulo [`CACHED_BLOCKS`].
    cache: [Option<(u64, Vec<u8>)>; CACHED_BLOCKS],
}

impl Run {
    /// A run that was written a moment ago.
    pub(super) fn new(file: File, index: Index) -> Self {
        Self {
            file,
            index,
            cache: Default::default(),
        }
    }

    /// A run that was written at some time: it is read whole once, to check it.
    pub(super) fn open(file: File, filter: Filter) -> Result<Self, RunProblem> {
        let length = file.metadata().map_err(RunProblem::Read)?.len();
        let mut start = [0; HEAD_BYTES];
        let head_length = usize::try_from(length).map_or(HEAD_BYTES, |n| n.min(HEAD_BYTES));
        let read = start.get_mut(..head_length).unwrap_or_default();
        read_at(&file, read, 0).map_err(RunProblem::Read)?;
        let [m0, m1, m2, m3, m4, m5, m6, m7, f0, f1, f2, f3, ..] = start;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != MAGIC {
            return Err(RunProblem::Foreign);
        }
        match u32::from_be_bytes([f0, f1, f2, f3]) {
            FORMAT => {}
            _ if length < HEAD_BYTES as u64 => return Err(RunProblem::Torn),
            format => return Err(RunProblem::Format(format)),
        }
        let entry_bytes = length
            .checked_sub((HEAD_BYTES + FOOT_BYTES) as u64)
            .filter(|bytes| bytes.is_multiple_of(ENTRY_BYTES as u64))
            .ok_or(RunProblem::Torn)?;
        let mut foot = [0; FOOT_BYTES];
        read_at(&file, &mut foot, length - FOOT_BYTES as u64).map_err(RunProblem::Read)?;
        if !foot.ends_with(&MAGIC) {
            return Err(RunProblem::Torn);
        }
        let mut run = Self::new(file, Index::new(filter));
        run.check(entry_bytes / ENTRY_BYTES as u64, &foot)?;
        Ok(run)
    }

    /// Reads all entries into the index, and compares what comes out with the foot.
    fn check(&mut self, entries: u64, foot: &[u8; FOOT_BYTES]) -> Result<(), RunProblem> {
        let Self { file, index, .. } = self;
        let mut checksum = 0;
        let mut previous = None;
        let mut in_order = true;
        let mut at = 0;
        let mut chunk = Vec::new();
        while at < entries {
            let count = (entries - at).min(READ_BLOCKS * BLOCK_ENTRIES as u64);
            read_entries(file, &mut chunk, at, count).map_err(RunProblem::Read)?;
            for block in chunk.chunks(BLOCK_BYTES) {
                checksum = chained(checksum, block);
            }
            for entry in chunk.as_chunks::<ENTRY_BYTES>().0 {
                let entry = Fingerprint::from_bytes(entry);
                in_order &= previous < Some(entry);
                previous = Some(entry);
                index.add(&entry);
            }
            at += count;
        }
        if index.foot(checksum) != foot {
            return Err(RunProblem::Checksum);
        }
        if !in_order {
            return Err(RunProblem::Order);
        }
        Ok(())
    }

    /// All records in order, without the marks.
    pub(super) fn records(&self) -> impl Iterator<Item = io::Result<Fingerprint>> {
        let step = READ_BLOCKS * BLOCK_ENTRIES as u64;
        let chunks = (0..self.index.entries.div_ceil(step)).map(move |chunk| {
            let at = chunk * step;
            let mut bytes = Vec::new();
            let count = (self.index.entries - at).min(step);
            read_entries(&self.file, &mut bytes, at, count)?;
            Ok(bytes)
        });
        chunks.flat_map(|chunk: io::Result<Vec<u8>>| {
            let (bytes, error) = match chunk {
                Ok(bytes) => (bytes, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            let mut at = 0;
            let entries = std::iter::from_fn(move || {
                let entry = bytes.as_chunks::<ENTRY_BYTES>().0.get(at)?;
                at += 1;
                Some(Ok(Fingerprint::from_bytes(entry)))
            });
            entries
                .filter(|entry| !entry.as_ref().is_ok_and(Fingerprint::is_mark))
                .chain(error.map(Err))
        })
    }

    /// Memory, but for the filter's.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let cached: usize = self.cache.iter().flatten().map(|(_, b)| b.len()).sum();
        (cached + size_of_val(self.index.fences.as_slice())) as u64
    }

    fn block(&mut self, number: u64) -> io::Result<&[[u8; ENTRY_BYTES]]> {
        let slot = (number % CACHED_BLOCKS as u64) as usize;
        let Some(cached) = self.cache.get_mut(slot) else {
            return Ok(&[]);
        };
        let mut bytes = match cached.take() {
            Some((of, bytes)) if of == number => {
                return Ok(cached.insert((of, bytes)).1.as_chunks().0);
            }
            other => other.map(|(_, bytes)| bytes).unwrap_or_default(),
        };
        let at = number * BLOCK_ENTRIES as u64;
        let count = self.index.entries.saturating_sub(at);
        let count = count.min(BLOCK_ENTRIES as u64);
        read_entries(&self.file, &mut bytes, at, count)?;
        Ok(cached.insert((number, bytes)).1.as_chunks().0)
    }
}

impl Sorted for Run {
    fn seek(&mut self, target: &Fingerprint) -> io::Result<Option<Fingerprint>> {
        let fences = &self.index.fences;
        // The block that begins before the target has its place, or ends before it.
        let next = fences.partition_point(|fence| fence < target) as u64;
        if let Some(before) = next.checked_sub(1) {
            let target = target.to_bytes();
            let block = self.block(before)?;
            let place = block.partition_point(|entry| *entry < target);
            if let Some(found) = block.get(place) {
                return Ok(Some(Fingerprint::from_bytes(found)));
            }
        }
        let fences = &self.index.fences;
        Ok(usize::try_from(next)
            .ok()
            .and_then(|next| fences.get(next))
            .copied())
    }
}

fn read_entries(file: &File, bytes: &mut Vec<u8>, at: u64, count: u64) -> io::Result<()> {
    bytes.resize(count as usize * ENTRY_BYTES, 0);
    read_at(file, bytes, HEAD_BYTES as u64 + at * ENTRY_BYTES as u64)
}

/// Fills `bytes` from `offset`.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from `offset`. It moves the file's place, which nothing else goes by.
#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
