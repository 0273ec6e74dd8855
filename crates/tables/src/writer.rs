//! Sorted rows into Parquet.

use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use rayon::prelude::*;

use crate::arrays::array;
use crate::column::{Column, Encoding};
use crate::error::TableError;
use crate::table::{Table, sort_columns, sort_order};

/// The most rows of one row group. A slice of the pipeline (20,000 to 60,000 rows) is one; the limit
/// bounds the memory of whoever reads a file, a row group at a time.
pub const ROW_GROUP_ROWS: usize = 1 << 16;

/// The zstd level. Level 3 made `decisions` 5 % smaller and writing it nearly a tenth dearer (example
/// `throughput`): once dictionaries have taken the repetition out, there is little left to find.
pub const COMPRESSION_LEVEL: i32 = 1;

/// The rows that become Arrow arrays together on their way into a row group: few enough for rows and
/// arrays to stay in the cache, and for the allocator to hand the same memory out again.
const ENCODE_ROWS: usize = 2048;

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
/// While a row group is written: its encoded columns (about what it will take in the file), plus, for
/// each thread, some thousand rows of one column as Arrow arrays and one dictionary of up to 1 MB. Between calls: the
/// row groups' statistics, some 10 KB each.
pub struct TableWriter<T: Table, W: Write + Send> {
    file: SerializedFileWriter<Sink<W>>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
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
        let schema = Arc::new(Schema::new(fields));
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
        let factory = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&schema));
        Ok(Self {
            file,
            factory,
            schema,
            rows: 0,
            row_groups: 0,
            table: PhantomData,
        })
    }

    /// Writes rows, which are sorted by [`sort_order`]. None is no row group.
    ///
    /// # Errors
    /// Where the rows are out of order (nothing was written then), or `output` refuses.
    pub fn write<'r>(&mut self, rows: &[&'r T::Row<'r>]) -> Result<(), TableError> {
        let ordered = |pair: &[&'r T::Row<'r>]| match pair {
            [a, b] => sort_order::<T>(a, b).is_le(),
            _ => true,
        };
        if let Some(index) = rows.windows(2).position(|pair| !ordered(pair)) {
            return Err(TableError::NotSorted {
                table: T::NAME,
                row: index + 1,
            });
        }
        for rows in rows.chunks(ROW_GROUP_ROWS) {
            self.write_row_group(rows)?;
        }
        Ok(())
    }

    fn write_row_group<'r>(&mut self, rows: &[&'r T::Row<'r>]) -> Result<(), TableError> {
        let failed = |error| TableError::parquet(T::NAME, error);
        let mut writers = self
            .factory
            .create_column_writers(self.row_groups)
            .map_err(failed)?
            .into_iter();
        let mut work: Vec<Work<T>> = Vec::with_capacity(T::COLUMNS.len());
        for (place, column) in T::COLUMNS.iter().enumerate() {
            let leaves = writers.by_ref().take(column.kind().leaves()).collect();
            work.push(Work {
                place,
                column,
                leaves,
            });
        }
        // Maps and lists take longest: begun last, one thread would end them alone.
        work.sort_by_key(|work| !work.column.kind().is_nested());
        // Rows outside, columns inside: a row is fetched into the cache once, not once per column.
        let schema = &self.schema;
        for rows in rows.chunks(ENCODE_ROWS) {
            work.par_iter_mut()
                .with_max_len(1)
                .try_for_each(|work| work.encode(schema, rows))?;
        }
        let mut encoded = work
            .into_par_iter()
            .with_max_len(1)
            .map(|work| Ok((work.place, work.close()?)))
            .collect::<Result<Vec<_>, TableError>>()?;
        encoded.sort_unstable_by_key(|(place, _)| *place);

        let mut row_group = self.file.next_row_group().map_err(failed)?;
        for chunk in encoded.into_iter().flat_map(|(_, chunks)| chunks) {
            chunk.append_to_row_group(&mut row_group).map_err(failed)?;
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

/// One column of one row group, to be encoded.
struct Work<T: Table> {
    place: usize,
    column: &'static Column<T>,
    leaves: Vec<ArrowColumnWriter>,
}

impl<T: Table> Work<T> {
    fn encode<'r>(&mut self, schema: &Schema, rows: &[&'r T::Row<'r>]) -> Result<(), TableError> {
        let failed = |error| TableError::parquet(T::NAME, error);
        let array = array(self.column, rows)?;
        let leaves = compute_leaves(schema.field(self.place), &array).map_err(failed)?;
        self.leaves
            .par_iter_mut()
            .zip(leaves)
            .with_max_len(1)
            .try_for_each(|(writer, leaf)| writer.write(&leaf))
            .map_err(failed)
    }

    fn close(self) -> Result<Vec<ArrowColumnChunk>, TableError> {
        let close = |writer: ArrowColumnWriter| writer.close();
        let chunks: Result<_, ParquetError> = self.leaves.into_iter().map(close).collect();
        chunks.map_err(|error| TableError::parquet(T::NAME, error))
    }
}

fn properties<T: Table>(schema: &SchemaDescriptor) -> Result<WriterProperties, ParquetError> {
    let metadata = vec![
        KeyValue::new("retrial.table".to_owned(), T::NAME.to_owned()),
        KeyValue::new("retrial.format".to_owned(), FORMAT_VERSION.to_owned()),
    ];
    let mut builder = WriterProperties::builder()
        // Version 1 pages: what every engine reads. The encodings below are understood in both.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(metadata))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(COMPRESSION_LEVEL)?))
        .set_sorting_columns(Some(sorting_columns::<T>(schema)));
    for (leaf, descriptor) in schema.columns().iter().enumerate() {
        let root = schema.get_column_root(leaf).name();
        if let Some(column) = T::COLUMNS.iter().find(|column| column.name() == root) {
            builder = column_properties(builder, column, descriptor.path());
        }
    }
    Ok(builder.build())
}

fn column_properties<T: Table>(
    builder: WriterPropertiesBuilder,
    column: &Column<T>,
    path: &parquet::schema::types::ColumnPath,
) -> WriterPropertiesBuilder {
    // The least and greatest of all values in all maps says nothing that a reader could use.
    let statistics = if column.kind().is_nested() {
        EnabledStatistics::None
    } else {
        EnabledStatistics::Page
    };
    let builder = builder.set_column_statistics_enabled(path.clone(), statistics);
    match column.encoding() {
        Encoding::Dictionary => builder,
        Encoding::Plain => builder.set_column_dictionary_enabled(path.clone(), false),
        Encoding::Delta => builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path.clone(), ParquetEncoding::DELTA_BINARY_PACKED),
    }
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
