//! Files that were not found in the order of their delivery days, brought into it.
//!
//! # Memory
//! Up to [`HELD_BYTES`] of keys, then sorted runs in scratch files, of which at most [`MAX_RUNS`] are
//! open at once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use super::days::DayNumber;
use super::file::PlannedFile;
use crate::analyze::PipelineError;
use crate::scratch::Scratch;

/// What is held in memory before it goes to a scratch file: about 300,000 files, more than nearly any
/// folder of exports has.
const HELD_BYTES: usize = 64 << 20;

/// Beyond this many runs they are merged into one: each costs an open file and a buffer.
const MAX_RUNS: usize = 64;

/// No key is longer: neither S3's (1,024 bytes) nor a folder's, encoded. A scratch file that says
/// otherwise is damaged.
const MAX_KEY: u32 = 1 << 20;

/// What one held file costs beside its key.
const FILE_BYTES: usize = size_of::<PlannedFile>();

/// Takes files in any order.
pub(crate) struct FileSorter<'r> {
    scratch: &'r Scratch,
    held: Vec<PlannedFile>,
    held_bytes: usize,
    limit: usize,
    runs: Vec<File>,
}

impl<'r> FileSorter<'r> {
    pub(crate) fn new(scratch: &'r Scratch) -> Self {
        Self::with_limit(scratch, HELD_BYTES)
    }

    fn with_limit(scratch: &'r Scratch, limit: usize) -> Self {
        Self {
            scratch,
            held: Vec::new(),
            held_bytes: 0,
            limit,
            runs: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, file: PlannedFile) -> Result<(), PipelineError> {
        self.held_bytes += FILE_BYTES + file.key.len();
        self.held.push(file);
        if self.held_bytes >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        if self.runs.len() >= MAX_RUNS {
            let runs = std::mem::take(&mut self.runs);
            let merged = SortedFiles::open(self.scratch, runs, Vec::new())?;
            let run = self.write(merged)?;
            self.runs.push(run);
        }
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let sorted = SortedFiles::open(self.scratch, Vec::new(), held)?;
        let run = self.write(sorted)?;
        self.runs.push(run);
        Ok(())
    }

    fn write(&self, mut files: SortedFiles<'r>) -> Result<File, PipelineError> {
        let failed = |cause| self.scratch.failed(cause);
        let mut run = BufWriter::new(self.scratch.file()?);
        while let Some(file) = files.next()? {
            write_file(&mut run, &file).map_err(failed)?;
        }
        let mut run = run
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        run.rewind().map_err(failed)?;
        Ok(run)
    }

    /// Ends the taking.
    pub(crate) fn finish(self) -> Result<SortedFiles<'r>, PipelineError> {
        SortedFiles::open(self.scratch, self.runs, self.held)
    }
}

fn write_file(run: &mut impl Write, file: &PlannedFile) -> io::Result<()> {
    let number = |number: usize| u32::try_from(number).map_err(io::Error::other);
    run.write_all(&number(file.source)?.to_le_bytes())?;
    run.write_all(&file.size.to_le_bytes())?;
    run.write_all(&number(file.key.len())?.to_le_bytes())?;
    run.write_all(file.key.as_bytes())
}

fn read_file(run: &mut impl Read) -> io::Result<Option<PlannedFile>> {
    let mut source = [0; 4];
    // A run ends between two files, nowhere else.
    if run.read(source.get_mut(..1).unwrap_or_default())? == 0 {
        return Ok(None);
    }
    run.read_exact(source.get_mut(1..).unwrap_or_default())?;
    let (mut size, mut length) = ([0; 8], [0; 4]);
    run.read_exact(&mut size)?;
    run.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MAX_KEY {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut key = String::new();
    run.take(u64::from(length)).read_to_string(&mut key)?;
    if key.len() as u64 != u64::from(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let source = usize::try_from(u32::from_le_bytes(source)).map_err(io::Error::other)?;
    Ok(Some(PlannedFile::new(
        source,
        key,
        u64::from_le_bytes(size),
    )))
}

/// Files by delivery day (those without first), stamp, source and key.
pub(crate) struct SortedFiles<'r> {
    scratch: &'r Scratch,
    runs: Vec<Run>,
    /// The next file of each run that has one, the least on top.
    heads: BinaryHeap<Head>,
}

enum Run {
    Memory(std::vec::IntoIter<PlannedFile>),
    Disk(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<PlannedFile>> {
        match self {
            Self::Memory(files) => Ok(files.next()),
            Self::Disk(file) => read_file(file),
        }
    }
}

struct Head {
    file: PlannedFile,
    run: usize,
}

impl Ord for Head {
    /// Turned around, because the heap's top is its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let of = |head: &Self| head.run;
        let by_file = other.file.order_of_days().cmp(&self.file.order_of_days());
        by_file.then_with(|| of(other).cmp(&of(self)))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl<'r> SortedFiles<'r> {
    fn open(
        scratch: &'r Scratch,
        runs: Vec<File>,
        mut held: Vec<PlannedFile>,
    ) -> Result<Self, PipelineError> {
        held.sort_unstable_by(|a, b| a.order_of_days().cmp(&b.order_of_days()));
        let disk = runs.into_iter().map(|run| Run::Disk(BufReader::new(run)));
        let mut sorted = Self {
            scratch,
            runs: disk.chain([Run::Memory(held.into_iter())]).collect(),
            heads: BinaryHeap::new(),
        };
        for run in 0..sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }

    fn advance(&mut self, run: usize) -> Result<(), PipelineError> {
        let next = self.runs.get_mut(run).map_or(Ok(None), Run::next);
        let next = next.map_err(|cause| self.scratch.failed(cause))?;
        self.heads.extend(next.map(|file| Head { file, run }));
        Ok(())
    }

    /// The delivery day of the next file; the outer `None` where there is none.
    pub(crate) fn next_day(&self) -> Option<Option<DayNumber>> {
        Some(self.heads.peek()?.file.day_number())
    }

    pub(crate) fn next(&mut self) -> Result<Option<PlannedFile>, PipelineError> {
        let Some(Head { file, run }) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(run)?;
        Ok(Some(file))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(files: &[PlannedFile], limit: usize) -> Vec<PlannedFile> {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(folder.path()).unwrap();
        let mut sorter = FileSorter::with_limit(&scratch, limit);
        for file in files {
            sorter.push(file.clone()).unwrap();
        }
        assert!(sorter.runs.len() <= MAX_RUNS + 1);
        let mut sorted = sorter.finish().unwrap();
        let mut found = Vec::new();
        while let Some(day) = sorted.next_day() {
            let file = sorted.next().unwrap().unwrap();
            assert_eq!(file.day_number(), day);
            found.push(file);
        }
        assert_eq!(sorted.next().unwrap(), None);
        found
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-c]{0,3}\\.json",
            (1u8..4, 0u8..3, "[A-C]{1,2}")
                .prop_map(|(day, hour, name)| format!("x_2026110{day}T0{hour}00Z_{name}.json")),
            (1u8..4, "[a-c]").prop_map(|(day, name)| format!("2026/11/0{day}/{name}.json")),
        ]
    }

    proptest! {
        #[test]
        fn however_little_is_held_the_order_is_the_same(
            files in prop::collection::vec((0usize..3, key(), 0u64..9), 0..200),
            limit in prop_oneof![Just(1), Just(400), Just(3_000), Just(usize::MAX)],
        ) {
            let files: Vec<PlannedFile> = files
                .into_iter()
                .map(|(source, key, size)| PlannedFile::new(source, key, size))
                .collect();
            let mut expected = files.clone();
            expected.sort_by_key(|file| {
                (file.day(), file.minute(), file.source, file.key.clone())
            });
            let place = |files: &[PlannedFile]| -> Vec<_> {
                files.iter().map(|file| (file.source, file.key.clone())).collect()
            };
            let found = sorted(&files, limit);
            prop_assert_eq!(place(&found), place(&expected));
            prop_assert_eq!(sizes(&found), sizes(&files));
        }
    }

    fn sizes(files: &[PlannedFile]) -> u64 {
        files.iter().map(|file| file.size).sum()
    }

    #[test]
    fn a_damaged_scratch_file_is_an_error() {
        let file = PlannedFile::new(1, "a/b.json".to_owned(), 7);
        let mut bytes = Vec::new();
        write_file(&mut bytes, &file).unwrap();
        assert_eq!(read_file(&mut bytes.as_slice()).unwrap(), Some(file));
        for end in 1..bytes.len() {
            assert!(read_file(&mut &bytes[..end]).is_err(), "{end}");
        }
        bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read_file(&mut bytes.as_slice()).is_err());
    }
}
