//! Sorted rows into Parquet.

use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_schema::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};
use rayon::prelude::*;

use crate::chunk::{Chunk, ChunkEncoder};
use crate::column::Column;
use crate::error::TableError;
use crate::leaf::{Leaf, Part};
use crate::table::{Table, sort_columns, sort_order};
use crate::workers::Workers;

/// The most rows of one row group. A slice of the pipeline (some 10,000 rows of `decisions`) is one; the limit
/// bounds the memory of whoever reads a file, a row group at a time.
pub const ROW_GROUP_ROWS: usize = 1 << 16;

/// The zstd level. Level 3 made `decisions` 5 % smaller and writing it nearly a tenth dearer (example
/// `throughput`): once dictionaries have taken the repetition out, there is little left to find.
pub const COMPRESSION_LEVEL: i32 = 1;

/// The rows that are taken apart into columns together: few enough to stay in the cache.
const ENCODE_ROWS: usize = 256;

/// Values after which a column's page ends: few enough for a reader to hold one of each column.
const PAGE_VALUES: usize = 1 << 18;

/// As many as threads encode at once: a megabyte each, and many files are open.
static ENCODERS: Workers<ChunkEncoder> = Workers::new();

/// The version of the tables' format, in every file's metadata as `retrial.format`.
pub const FORMAT_VERSION: &str = "1";

/// The writer's name in every file: constant, so that equal rows give equal bytes from build to
/// build, and in the form that parquet-java parses (it distrusts the statistics of others).
pub const CREATED_BY: &str = "retrial version 1.0.0 (build 1)";

/// Writes one file of table `T`: each call of [`TableWriter::write`] gives one row group, or several
/// of at most [`ROW_GROUP_ROWS`].
///
/// Columns are encoded and compressed in parallel, in the rayon pool that `write` is called in. The
/// bytes depend on the rows and on where the calls cut them, never on the number of threads.
///
/// A file is not one until [`TableWriter::finish`]; after an error it never will be.
///
/// # Memory
/// While a row group is written: for each of its values a number of 4 bytes and a byte or two of levels,
/// for each distinct text where it lies, and its encoded columns (about what they will take in the file).
/// Between calls: the row groups' statistics, some 10 KB each.
pub struct TableWriter<T: Table, W: Write + Send> {
    file: SerializedFileWriter<Sink<W>>,
    rows: u64,
    row_groups: usize,
    table: PhantomData<fn() -> T>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<W> {
    /// What the file was written to.
    pub output: W,
    /// Its rows.
    pub rows: u64,
    /// Its row groups.
    pub row_groups: usize,
    /// Its size.
    pub bytes: u64,
}

impl<T: Table, W: Write + Send> TableWriter<T, W> {
    /// Begins a file in `output`.
    ///
    /// # Errors
    /// Where `output` refuses the first bytes.
    pub fn new(output: W) -> Result<Self, TableError> {
        let failed = |error| TableError::parquet(T::NAME, error);
        let fields: Vec<_> = T::COLUMNS.iter().map(Column::field).collect();
        let schema = Schema::new(fields);
        let parquet_schema = ArrowSchemaConverter::new()
            .schema_root(T::NAME)
            .convert(&schema)
            .map_err(failed)?;
        let properties = properties::<T>(&parquet_schema).map_err(failed)?;
        let output = Sink {
            output: Some(output),
            bytes: 0,
        };
        let root = parquet_schema.root_schema_ptr();
        let file = SerializedFileWriter::new(output, root, Arc::new(properties)).map_err(failed)?;
        Ok(Self {
            file,
            rows: 0,
            row_groups: 0,
            table: PhantomData,
        })
    }

    /// Writes rows, which are sorted by [`sort_order`]. None is no row group.
    ///
    /// # Errors
    /// Where the rows are out of order (nothing was written then of their row group), or `output` refuses.
    pub fn write<'r>(&mut self, rows: &[&'r T::Row<'r>]) -> Result<(), TableError> {
        let mut before = None;
        for (number, group) in rows.chunks(ROW_GROUP_ROWS).enumerate() {
            self.write_row_group(group, (before, number * ROW_GROUP_ROWS))?;
            before = group.last().copied();
        }
        Ok(())
    }

    /// Writes rows that come behind a row, as a row group; the first of them has a number for an error.
    fn write_row_group<'r>(
        &mut self,
        rows: &[&'r T::Row<'r>],
        (mut before, first): (Option<&'r T::Row<'r>>, usize),
    ) -> Result<(), TableError> {
        let failed = |error| TableError::parquet(T::NAME, error);
        let mut work: Vec<Work<'r, T>> = T::COLUMNS
            .iter()
            .flat_map(|column| {
                Part::of(column.cells())
                    .iter()
                    .map(move |part| (column, *part))
            })
            .zip(self.file.schema_descr().columns())
            .enumerate()
            .map(|(place, ((column, part), descriptor))| Work {
                place,
                column,
                part,
                descriptor: descriptor.clone(),
                leaf: Leaf::new(column, part, rows.len()),
            })
            .collect();
        // Maps and lists take longest: begun last, one thread would end them alone.
        work.sort_by_key(|work| !work.column.kind().is_nested());
        // Rows outside, columns inside: a row is fetched into the cache once, not once per column.
        for (number, rows) in rows.chunks(ENCODE_ROWS).enumerate() {
            for (at, row) in rows.iter().enumerate() {
                if before.is_some_and(|before| sort_order::<T>(before, row).is_gt()) {
                    return Err(TableError::NotSorted {
                        table: T::NAME,
                        row: first + number * ENCODE_ROWS + at,
                    });
                }
                before = Some(row);
            }
            work.par_iter_mut()
                .with_max_len(1)
                .for_each(|work| work.push(rows));
        }
        let mut encoded = work
            .into_par_iter()
            .with_max_len(1)
            .map(|work| ENCODERS.with(|encoder| work.close(encoder)))
            .collect::<Result<Vec<_>, TableError>>()?;
        encoded.sort_unstable_by_key(|(place, _)| *place);

        let mut row_group = self.file.next_row_group().map_err(failed)?;
        for (_, Chunk { bytes, close }) in encoded {
            row_group.append_column(&bytes, close).map_err(failed)?;
        }
        row_group.close().map_err(failed)?;
        self.row_groups += 1;
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// The rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes handed to the output so far; the last few may still be buffered.
    pub fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Ends the file and gives the output back. A file without rows is a valid one.
    ///
    /// # Errors
    /// Where `output` refuses.
    pub fn finish(mut self) -> Result<Written<W>, TableError> {
        let failed = |error| TableError::parquet(T::NAME, error);
        // `into_inner` of the Parquet writer would turn the output's refusal into text.
        self.file.finish().map_err(failed)?;
        let sink = self.file.inner_mut();
        let output = sink.output.take().ok_or_else(taken).map_err(|cause| {
            let table = T::NAME;
            TableError::Write { table, cause }
        })?;
        Ok(Written {
            output,
            rows: self.rows,
            row_groups: self.row_groups,
            bytes: sink.bytes,
        })
    }
}

/// One leaf of one row group, to be encoded.
struct Work<'r, T: Table> {
    place: usize,
    column: &'static Column<T>,
    part: Part,
    descriptor: ColumnDescPtr,
    leaf: Leaf<'r>,
}

impl<'r, T: Table> Work<'r, T> {
    fn push(&mut self, rows: &[&'r T::Row<'r>]) {
        self.leaf.push((self.column.cells(), self.part), rows);
        let begin = self.leaf.pages.last().map_or(0, |page| page.slots);
        if self.leaf.slots() - begin >= PAGE_VALUES {
            self.leaf.end_page();
        }
    }

    fn close(mut self, encoder: &mut ChunkEncoder) -> Result<(usize, Chunk), TableError> {
        self.leaf.end_page();
        let table = T::NAME;
        if i32::try_from(self.leaf.slots()).is_err() {
            let column = self.column.name();
            return Err(TableError::TooManyItems { table, column });
        }
        let chunk = encoder
            .encode(self.leaf, &self.descriptor)
            .map_err(|error| TableError::parquet(table, error))?;
        Ok((self.place, chunk))
    }
}

fn properties<T: Table>(schema: &SchemaDescriptor) -> Result<WriterProperties, ParquetError> {
    let metadata = vec![
        KeyValue::new("retrial.table".to_owned(), T::NAME.to_owned()),
        KeyValue::new("retrial.format".to_owned(), FORMAT_VERSION.to_owned()),
    ];
    let builder = WriterProperties::builder()
        // Version 1 pages: what every engine reads. How values are encoded in them is the chunks' affair.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(metadata))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(COMPRESSION_LEVEL)?))
        // A row group has a page or two of each column: what an index says, its statistics say.
        .set_offset_index_disabled(true)
        .set_sorting_columns(Some(sorting_columns::<T>(schema)));
    Ok(builder.build())
}

/// The order of the rows, for readers that make use of it.
fn sorting_columns<T: Table>(schema: &SchemaDescriptor) -> Vec<SortingColumn> {
    sort_columns::<T>()
        .filter_map(|(_, column)| {
            let leaf = (0..schema.num_columns())
                .find(|leaf| schema.get_column_root(*leaf).name() == column.name())?;
            Some(SortingColumn {
                column_idx: i32::try_from(leaf).ok()?,
                descending: false,
                nulls_first: true,
            })
        })
        .collect()
}

/// The output until it is given back, and the bytes that went to it, footer included.
struct Sink<W> {
    output: Option<W>,
    bytes: u64,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.as_mut().ok_or_else(taken)?.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.as_mut().ok_or_else(taken)?.flush()
    }
}

fn taken() -> io::Error {
    io::Error::other("the file is finished")
}
