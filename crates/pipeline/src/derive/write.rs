//! Files of tables in `as_of` folders: written aside first, then named by their content.

use std::fs::File;
use std::io::{self, Write};

use bumpalo::Bump;
use retrial_storage::{Store, Upload};
use retrial_tables::{
    ActionSets, Findings, Permissions, ROW_GROUP_ROWS, RoleNeeds, Table, TableWriter,
};
use rustc_hash::FxHashSet;
use sha2::{Digest, Sha256};

use crate::analyze::PipelineError;
use crate::scratch::Scratch;

/// A table in `as_of` folders.
pub(crate) trait AsOfTable: Table {
    /// The same rows, lent for a shorter time.
    fn shorter<'s, 'b: 's>(rows: &'s [Self::Row<'b>]) -> &'s [Self::Row<'s>];
}

macro_rules! as_of_tables {
    ($($table:ident),*) => {
        $(impl AsOfTable for $table {
            fn shorter<'s, 'b: 's>(rows: &'s [Self::Row<'b>]) -> &'s [Self::Row<'s>] {
                rows
            }
        })*
    };
}
as_of_tables!(Permissions, ActionSets, Findings, RoleNeeds);

/// Texts of rows, each kept once.
///
/// # Memory
/// The distinct texts of the rows written: names of the snapshot and of the catalogue, mostly.
pub(crate) struct KeptTexts<'b> {
    arena: &'b Bump,
    known: FxHashSet<&'b str>,
}

impl<'b> KeptTexts<'b> {
    pub(crate) fn new(arena: &'b Bump) -> Self {
        Self {
            arena,
            known: FxHashSet::default(),
        }
    }

    pub(crate) fn keep(&mut self, text: &str) -> &'b str {
        if let Some(known) = self.known.get(text) {
            return known;
        }
        let kept: &'b str = self.arena.alloc_str(text);
        self.known.insert(kept);
        kept
    }
}

/// Writes the rows of one table, which come in its order.
///
/// # Memory
/// One row group.
pub(crate) struct AsOfWriter<'b, T: AsOfTable> {
    writer: TableWriter<T, HashedFile>,
    rows: Vec<T::Row<'b>>,
}

impl<'b, T: AsOfTable> AsOfWriter<'b, T> {
    pub(crate) fn new(scratch: &Scratch) -> Result<Self, PipelineError> {
        let file = HashedFile {
            file: scratch.file()?,
            hash: Sha256::new(),
        };
        Ok(Self {
            writer: TableWriter::new(file).map_err(failed::<T>)?,
            rows: Vec::new(),
        })
    }

    pub(crate) fn add(&mut self, row: T::Row<'b>) -> Result<(), PipelineError> {
        self.rows.push(row);
        if self.rows.len() >= ROW_GROUP_ROWS {
            self.end_row_group()?;
        }
        Ok(())
    }

    /// Writes rows that nobody keeps, as a row group of their own.
    pub(crate) fn write_rows<'r>(&mut self, rows: &[&'r T::Row<'r>]) -> Result<(), PipelineError> {
        self.writer.write(rows).map_err(failed::<T>)
    }

    /// Writes the rows that were added since the last row group.
    pub(crate) fn end_row_group(&mut self) -> Result<(), PipelineError> {
        let rows = std::mem::take(&mut self.rows);
        let lent: Vec<_> = T::shorter(&rows).iter().collect();
        self.writer.write(&lent).map_err(failed::<T>)
    }

    pub(crate) fn finish(mut self) -> Result<AsOfFile, PipelineError> {
        self.end_row_group()?;
        let written = self.writer.finish().map_err(failed::<T>)?;
        let HashedFile { file, hash } = written.output;
        let name = hash.finalize();
        Ok(AsOfFile {
            table: T::NAME,
            rows: written.rows,
            bytes: written.bytes,
            folder: T::FOLDER,
            name: name
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            file,
        })
    }
}

fn failed<T: Table>(cause: retrial_tables::TableError) -> PipelineError {
    PipelineError::Table {
        key: T::NAME.to_owned(),
        cause,
    }
}

/// A temporary file and the hash of what was written to it.
struct HashedFile {
    file: File,
    hash: Sha256,
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A complete file, not stored yet.
pub(crate) struct AsOfFile {
    pub(crate) table: &'static str,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    folder: &'static str,
    name: String,
    file: File,
}

impl AsOfFile {
    /// `permissions/as_of=2026-11-08/0123456789abcdef.parquet`
    pub(crate) fn key(&self, date: &str) -> String {
        let Self {
            table,
            folder,
            name,
            ..
        } = self;
        format!("{table}/{folder}={date}/{name}.parquet")
    }

    /// An object of it that is not there yet, to be completed.
    pub(crate) fn upload(
        &mut self,
        scratch: &Scratch,
        store: &dyn Store,
        key: &str,
    ) -> Result<Box<dyn Upload>, PipelineError> {
        scratch.upload(&mut self.file, store, key)
    }
}
