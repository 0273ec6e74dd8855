//! What a shard keeps of each log file's records, for the merge.
//!
//! `_retrial/records/<batch>` is a sequence of parts of log files (most have one), in the order in which
//! they were read. Each is, with little-endian numbers: the length of its head (u32), how many entries it
//! has (u32), the head (JSON), and the entries: a record's fingerprint (24 bytes, as in the runs of
//! fingerprints), then what it was found to be in the shard (0 new, 1 a duplicate, 2 a conflict).
//! Records that were rejected or filtered have none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use retrial_storage::Store;
use serde::{Deserialize, Serialize};

use crate::analyze::PipelineError;
use crate::coverage::{CellLine, FileCoverage};
use crate::duplicates::{ENTRY_BYTES, Fingerprint, Novelty};
use crate::plan::{PlannedFile, SetAside};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::slice::FilePart;

/// An entry: a fingerprint, and what it was found to be.
const RECORD_BYTES: usize = ENTRY_BYTES + 1;

/// How much of an object is read at once.
const COPY_BYTES: u64 = 8 << 20;

/// A record, and what it was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) novelty: Novelty,
}

impl Recorded {
    fn write(self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.fingerprint.to_bytes())?;
        out.write_all(&[match self.novelty {
            Novelty::New => 0,
            Novelty::Duplicate => 1,
            Novelty::Conflict => 2,
        }])
    }

    fn read(bytes: &[u8; RECORD_BYTES]) -> io::Result<Self> {
        let (fingerprint, rest) = bytes
            .split_first_chunk()
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let novelty = match rest {
            [0] => Novelty::New,
            [1] => Novelty::Duplicate,
            [2] => Novelty::Conflict,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        Ok(Self {
            fingerprint: Fingerprint::from_bytes(fingerprint),
            novelty,
        })
    }
}

/// What a part of a log file counts, its records that were kept apart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    files: u64,
    bytes: u64,
    files_rejected: u64,
    records_read: u64,
    filtered: u64,
    rejected: u64,
    set_aside: SetAside,
    rejects: BTreeMap<String, u64>,
}

impl Counts {
    fn of(report: &Report) -> Self {
        let rejects = report.rejects.iter();
        Self {
            files: report.files,
            bytes: report.bytes,
            files_rejected: report.files_rejected,
            records_read: report.books.records_read,
            filtered: report.books.filtered,
            rejected: report.books.rejected,
            set_aside: report.set_aside,
            rejects: rejects
                .map(|(reason, count)| (reason.to_string(), *count))
                .collect(),
        }
    }

    /// Adds them to a report.
    pub(crate) fn add_to(&self, report: &mut Report) {
        report.files += self.files;
        report.bytes += self.bytes;
        report.files_rejected += self.files_rejected;
        report.books.records_read += self.records_read;
        report.books.filtered += self.filtered;
        report.books.rejected += self.rejected;
        report.set_aside.merge(self.set_aside);
        for (reason, count) in &self.rejects {
            let reason = Cow::Owned(reason.clone());
            *report.rejects.entry(reason).or_default() += count;
        }
    }
}

/// What stands before a part's entries.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    source: usize,
    key: String,
    counts: Counts,
    duplicate: u64,
    conflict: u64,
    cells: Vec<CellLine>,
}

/// What an open batch keeps of its records.
pub(crate) struct RecordsLog<'s> {
    scratch: &'s Scratch,
    file: BufWriter<File>,
}

impl<'s> RecordsLog<'s> {
    pub(crate) fn new(scratch: &'s Scratch) -> Result<Self, PipelineError> {
        Ok(Self {
            scratch,
            file: BufWriter::new(scratch.file()?),
        })
    }

    /// Adds a part of a log file, once its duplicates are known and its kept records counted.
    pub(crate) fn add(
        &mut self,
        file: &PlannedFile,
        part: &FilePart<'_>,
    ) -> Result<(), PipelineError> {
        if part.failure.is_some() {
            return Ok(());
        }
        let head = Head {
            source: file.source,
            key: file.key.clone(),
            counts: Counts::of(&part.report),
            duplicate: part.report.books.duplicate,
            conflict: part.report.conflicts,
            cells: part.coverage.lines(),
        };
        let head = serde_json::json!(head).to_string();
        let recorded = || part.items.iter().filter_map(|item| item.recorded());
        let mut write = || {
            let numbers = [head.len(), recorded().count()];
            for number in numbers {
                let number = u32::try_from(number).map_err(io::Error::other)?;
                self.file.write_all(&number.to_le_bytes())?;
            }
            self.file.write_all(head.as_bytes())?;
            recorded().try_for_each(|record| record.write(&mut self.file))
        };
        write().map_err(|cause| self.scratch.failed(cause))
    }

    /// Stores it as an object.
    pub(crate) fn store(self, store: &dyn Store, key: &str) -> Result<(), PipelineError> {
        let file = self.file.into_inner();
        let mut file = file.map_err(|error| self.scratch.failed(error.into_error()))?;
        self.scratch.store(&mut file, store, key)
    }
}

/// A part of a log file, as it is found again.
#[derive(Debug, Clone)]
struct PartPlace {
    object: usize,
    entries_at: u64,
    entries: u32,
}

/// What is known of a log file.
#[derive(Debug, Default)]
pub(crate) struct FileRecords {
    parts: Vec<PartPlace>,
    counts: Vec<Counts>,
    duplicate: u64,
    conflict: u64,
    cells: Vec<Vec<CellLine>>,
}

impl FileRecords {
    /// How many of its records are duplicates or conflicts.
    pub(crate) fn of(&self, novelty: Novelty) -> u64 {
        match novelty {
            Novelty::New => 0,
            Novelty::Duplicate => self.duplicate,
            Novelty::Conflict => self.conflict,
        }
    }

    pub(crate) fn counts(&self) -> &[Counts] {
        &self.counts
    }

    /// What the whole file covers.
    pub(crate) fn coverage(&self) -> FileCoverage {
        let mut coverage = FileCoverage::default();
        for cells in &self.cells {
            coverage.add_part(FileCoverage::of_lines(cells));
        }
        coverage
    }
}

/// What the shards keep of a delivery day's log files, in local files.
///
/// # Memory
/// Of each log file its key and what it counts; the entries are read when they are asked for.
#[derive(Default)]
pub(crate) struct DayRecords {
    objects: Vec<(String, File)>,
    files: BTreeMap<(usize, String), FileRecords>,
}

impl DayRecords {
    /// Adds an object.
    pub(crate) fn add(
        &mut self,
        store: &dyn Store,
        scratch: &Scratch,
        key: &str,
    ) -> Result<(), PipelineError> {
        let mut copy = copy_of(store, scratch, key)?;
        let object = self.objects.len();
        let damaged = |at: u64, cause: io::Error| PipelineError::Damaged {
            key: key.to_owned(),
            place: format!("byte {at}"),
            cause: cause.to_string(),
        };
        let length = copy
            .seek(SeekFrom::End(0))
            .map_err(|cause| damaged(0, cause))?;
        copy.rewind().map_err(|cause| damaged(0, cause))?;
        let mut reader = BufReader::new(copy);
        let mut at = 0;
        while at < length {
            let (head, part) =
                read_part(&mut reader, (object, at), length).map_err(|cause| damaged(at, cause))?;
            at = part.entries_at + u64::from(part.entries) * RECORD_BYTES as u64;
            let file = self.files.entry((head.source, head.key)).or_default();
            file.parts.push(part);
            file.counts.push(head.counts);
            file.duplicate += head.duplicate;
            file.conflict += head.conflict;
            file.cells.push(head.cells);
        }
        self.objects.push((key.to_owned(), reader.into_inner()));
        Ok(())
    }

    /// What is known of a log file; `None` where its shard could not read it.
    pub(crate) fn file(&self, file: &PlannedFile) -> Option<&FileRecords> {
        self.files.get(&(file.source, file.key.clone()))
    }

    /// The records of a log file, in their order.
    pub(crate) fn records(&self, file: &FileRecords) -> Result<Vec<Recorded>, PipelineError> {
        let mut records = Vec::new();
        for part in &file.parts {
            let Some((key, object)) = self.objects.get(part.object) else {
                continue;
            };
            read_entries(object, part, &mut records).map_err(|cause| PipelineError::Damaged {
                key: key.clone(),
                place: format!("byte {}", part.entries_at),
                cause: cause.to_string(),
            })?;
        }
        Ok(records)
    }
}

fn read_entries(mut object: &File, part: &PartPlace, out: &mut Vec<Recorded>) -> io::Result<()> {
    object.seek(SeekFrom::Start(part.entries_at))?;
    let mut bytes = vec![0; part.entries as usize * RECORD_BYTES];
    object.read_exact(&mut bytes)?;
    let (entries, _) = bytes.as_chunks::<RECORD_BYTES>();
    for entry in entries {
        out.push(Recorded::read(entry)?);
    }
    Ok(())
}

/// Reads the head of the part that begins at a place, and passes over its entries.
fn read_part(
    reader: &mut BufReader<File>,
    (object, at): (usize, u64),
    length: u64,
) -> io::Result<(Head, PartPlace)> {
    let mut numbers = [[0; 4]; 2];
    for number in &mut numbers {
        reader.read_exact(number)?;
    }
    let [head, entries] = numbers.map(u32::from_le_bytes);
    let entries_at = at + 8 + u64::from(head);
    let entries_bytes = u64::from(entries) * RECORD_BYTES as u64;
    if entries_at + entries_bytes > length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut json = vec![0; head as usize];
    reader.read_exact(&mut json)?;
    let head = serde_json::from_slice(&json)?;
    reader.seek_relative(i64::try_from(entries_bytes).map_err(io::Error::other)?)?;
    let part = PartPlace {
        object,
        entries_at,
        entries,
    };
    Ok((head, part))
}

/// An object of the store as a local file.
fn copy_of(store: &dyn Store, scratch: &Scratch, key: &str) -> Result<File, PipelineError> {
    let size = store.size(key)?.ok_or_else(|| PipelineError::lost(key))?;
    let mut copy = scratch.file()?;
    let mut at = 0;
    while at < size {
        let bytes = store.read_range(key, at, COPY_BYTES.min(size - at))?;
        if bytes.is_empty() {
            return Err(PipelineError::lost(key));
        }
        at += bytes.len() as u64;
        copy.write_all(&bytes)
            .map_err(|cause| scratch.failed(cause))?;
    }
    Ok(copy)
}
