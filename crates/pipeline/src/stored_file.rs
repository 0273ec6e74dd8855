//! A committed file, read by range.

use std::io;

use retrial_storage::{StorageError, Store};
use retrial_tables::{ReadAt, Table, TableReader};

use crate::analyze::PipelineError;

/// An object of the output whose length the manifest tells.
pub(crate) struct StoredFile<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) key: &'s str,
    pub(crate) bytes: u64,
}

impl<'s> StoredFile<'s> {
    /// Opens it as a file of a table, with these columns.
    pub(crate) fn table<T: Table>(
        self,
        columns: &[&str],
    ) -> Result<TableReader<T, StoredFile<'s>>, PipelineError> {
        let key = self.key;
        TableReader::open(self)
            .and_then(|reader| reader.with_columns(columns))
            .map_err(|cause| PipelineError::Read {
                key: key.to_owned(),
                cause,
            })
    }
}

impl ReadAt for StoredFile<'_> {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let length = (length as u64).min(self.bytes.saturating_sub(offset));
        self.store
            .read_range(self.key, offset, length)
            .map_err(|error: StorageError| io::Error::other(error))
    }
}
