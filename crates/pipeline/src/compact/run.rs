//! Rows in order, out of a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use bumpalo::Bump;
use retrial_storage::Store;
use retrial_tables::{Batch, Batches, ReadAt, Table, TableReader, copy_row};

use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::stored_file::StoredFile;

/// What a run takes in memory beside its row group: the rows that were decoded and copied.
const ROWS_BYTES: u64 = 2 << 20;

/// Where a file lies.
pub(super) enum Input<'s> {
    /// It is committed.
    Stored(StoredFile<'s>),
    /// It is a merge that is to be merged further.
    Scratch(File, u64),
}

impl ReadAt for Input<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Stored(file) => file.len(),
            Self::Scratch(_, bytes) => *bytes,
        }
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Stored(file) => file.read_at(offset, length),
            Self::Scratch(file, _) => {
                let mut file = file;
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = Vec::new();
                file.take(length as u64).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// Row groups of a file, one behind the other, whose rows are in order.
///
/// # Memory
/// The row group at hand as it is in the file, and one batch of its rows.
pub(super) struct Run<'s, T: Table> {
    reader: Rc<TableReader<T, Input<'s>>>,
    key: Rc<str>,
    row_groups: Range<usize>,
    batches: Option<Batches<T>>,
    batch: Option<Batch<T>>,
    /// How many rows of the batch were taken.
    taken: usize,
}

impl<'s, T: Table> Run<'s, T> {
    /// The runs of a committed file. A batch's file is in order within each row group; one that was
    /// merged is throughout.
    pub(super) fn of_file(
        store: &'s dyn Store,
        file: &'s ManifestFile,
    ) -> Result<Vec<Self>, PipelineError> {
        let input = Input::Stored(StoredFile {
            store,
            key: &file.key,
            bytes: file.bytes,
        });
        let whole = Self::open(input, &file.key)?;
        if !file.supersedes.is_empty() {
            return Ok(vec![whole]);
        }
        let parts = whole.row_groups.clone().map(|row_group| Self {
            reader: Rc::clone(&whole.reader),
            key: Rc::clone(&whole.key),
            row_groups: row_group..row_group + 1,
            batches: None,
            batch: None,
            taken: 0,
        });
        Ok(parts.collect())
    }

    /// A file that is in order throughout.
    pub(super) fn open(input: Input<'s>, key: &str) -> Result<Self, PipelineError> {
        let reader = TableReader::open(input).map_err(|cause| PipelineError::Read {
            key: key.to_owned(),
            cause,
        })?;
        Ok(Self {
            row_groups: 0..reader.row_groups(),
            reader: Rc::new(reader),
            key: key.into(),
            batches: None,
            batch: None,
            taken: 0,
        })
    }

    /// What it takes in memory while it is read.
    pub(super) fn bytes(&self) -> u64 {
        let row_groups = self.row_groups.clone();
        let largest = row_groups.map(|row_group| self.reader.row_group_bytes(row_group));
        largest.max().unwrap_or_default().saturating_add(ROWS_BYTES)
    }

    /// The next rows that were not taken; none at the end.
    pub(super) fn next_rows<'a>(
        &mut self,
        arena: &'a Bump,
    ) -> Result<VecDeque<&'a T::Row<'a>>, PipelineError> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| self.taken == batch.len())
        {
            if !self.next_batch()? {
                return Ok(VecDeque::new());
            }
        }
        let taken = self.taken;
        Ok(self.batch.as_ref().map_or_else(VecDeque::new, |batch| {
            batch.with_rows(|rows| {
                let rest = rows.iter().skip(taken);
                rest.map(|row| copy_row::<T>(row, arena)).collect()
            })
        }))
    }

    /// The next row was taken.
    pub(super) fn take(&mut self) {
        self.taken += 1;
    }

    fn next_batch(&mut self) -> Result<bool, PipelineError> {
        self.taken = 0;
        self.batch = None;
        let failed = |cause| PipelineError::Read {
            key: self.key.as_ref().to_owned(),
            cause,
        };
        loop {
            if let Some(batch) = self.batches.as_mut().and_then(Iterator::next) {
                self.batch = Some(batch.map_err(failed)?);
                return Ok(true);
            }
            // The row group that was read is given back before the next one is fetched.
            self.batches = None;
            let Some(row_group) = self.row_groups.next() else {
                return Ok(false);
            };
            self.batches = Some(self.reader.batches(row_group).map_err(failed)?);
        }
    }
}
