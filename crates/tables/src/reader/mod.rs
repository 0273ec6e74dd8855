//! Rows out of Parquet.

mod batch;
mod chunks;
mod pages;
#[cfg(test)]
mod tests;

use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
};
use parquet::arrow::{ArrowSchemaConverter, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};

use crate::column::Column;
use crate::error::ReadError;
use crate::table::Table;
use crate::writer::FORMAT_VERSION;

pub use batch::Batch;
use chunks::Chunks;
use pages::Fetched;

/// The most rows that are lent at a time: few enough for rows and texts to stay in the cache.
pub const BATCH_ROWS: usize = 1024;

/// Parts of a row group that are this near to each other are fetched together.
const FETCH_GAP: u64 = 64 << 10;

/// The last bytes of every Parquet file: the footer's length and the magic.
const TAIL: usize = 8;

/// Something that gives bytes by range: a file, an object, memory.
pub trait ReadAt {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `length` bytes from `offset`; fewer only where the end comes first.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..))
            .unwrap_or_default();
        Ok(rest.get(..length).unwrap_or(rest).to_vec())
    }
}

/// Reads one file of table `T`.
///
/// Columns that the file does not have, because it was written before they were added, give the
/// row's default: null, false, nothing. Row groups may be read by several threads at the same time.
///
/// # Memory
/// For each row group that is being read: its columns (those asked for) as they are in the file, one
/// decompressed page and dictionary of each, and [`BATCH_ROWS`] rows.
pub struct TableReader<T: Table, R: ReadAt> {
    source: R,
    metadata: ArrowReaderMetadata,
    /// Which of the table's columns are read: their places in the file.
    columns: Vec<usize>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table, R: ReadAt> TableReader<T, R> {
    /// Opens a file: reads its footer and checks that it is one of this table's.
    ///
    /// # Errors
    /// Where it is not, where it is damaged, or where it cannot be read.
    pub fn open(source: R) -> Result<Self, ReadError> {
        let metadata = footer::<T>(&source)?;
        check_origin::<T>(&metadata)?;
        let columns = check_columns::<T>(&metadata)?;
        check_places::<T>(&metadata, source.len())?;
        let fields: Vec<_> = T::COLUMNS
            .iter()
            .take(columns)
            .map(Column::field_of_views)
            .collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let metadata =
            ArrowReaderMetadata::try_new(Arc::new(metadata), options).map_err(damaged::<T>)?;
        Ok(Self {
            source,
            metadata,
            columns: (0..columns).collect(),
            table: PhantomData,
        })
    }

    /// Reads these columns only; the others give the row's default.
    ///
    /// # Errors
    /// Where the table has no such column.
    pub fn with_columns(mut self, names: &[&str]) -> Result<Self, ReadError> {
        let places: Vec<usize> = names
            .iter()
            .map(|name| {
                T::COLUMNS
                    .iter()
                    .position(|column| column.name() == *name)
                    .ok_or_else(|| ReadError::NoSuchColumn {
                        table: T::NAME,
                        column: (*name).to_owned(),
                    })
            })
            .collect::<Result<_, _>>()?;
        self.columns.retain(|place| places.contains(place));
        Ok(self)
    }

    /// How many row groups the file has.
    pub fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// What reading a row group whole takes, about: its columns as they are in the file, and decompressed.
    pub fn row_group_bytes(&self, row_group: usize) -> u64 {
        let groups = self.metadata.metadata().row_groups();
        groups.get(row_group).map_or(0, |group| {
            let bytes = group
                .compressed_size()
                .saturating_add(group.total_byte_size());
            u64::try_from(bytes).unwrap_or_default()
        })
    }

    /// How many rows the file has.
    pub fn rows(&self) -> u64 {
        let rows = self.metadata.metadata().file_metadata().num_rows();
        u64::try_from(rows).unwrap_or_default()
    }

    /// The rows of one row group, in their order, some at a time. One that is not there has none.
    ///
    /// # Errors
    /// Where the row group cannot be fetched or is damaged.
    pub fn batches(&self, row_group: usize) -> Result<Batches<T>, ReadError> {
        let schema = self.metadata.parquet_schema();
        let mask = ProjectionMask::roots(schema, self.columns.iter().copied());
        let chunks = self.fetch(row_group, &mask)?;
        let fields = Some(self.metadata.schema().fields());
        let levels = parquet_to_arrow_field_levels(schema, mask, fields).map_err(damaged::<T>)?;
        let metadata = self.metadata.metadata();
        let group = metadata.row_groups().get(row_group);
        let fetched = Fetched {
            chunks: Arc::new(chunks),
            metadata,
            row_group: group,
        };
        let reader = || {
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &fetched, BATCH_ROWS, None)
        };
        let reader = caught::<T, _>(reader)?.map_err(damaged::<T>)?;
        Ok(Batches {
            reader: Some(reader),
            columns: self.columns.clone(),
            missing: group.map_or(0, |group| group.num_rows()),
            table: PhantomData,
        })
    }

    fn fetch(&self, row_group: usize, mask: &ProjectionMask) -> Result<Chunks, ReadError> {
        let mut parts = Vec::new();
        for range in wanted(self.metadata.metadata(), row_group, mask) {
            let length = usize::try_from(range.end - range.start)
                .map_err(|error| ReadError::damaged(T::NAME, error))?;
            let bytes = read::<T>(&self.source, range.start, length)?;
            parts.push((range.start, Bytes::from(bytes)));
        }
        Ok(Chunks {
            length: self.source.len(),
            parts,
        })
    }
}

/// The rows of a row group, [`BATCH_ROWS`] at a time.
pub struct Batches<T: Table> {
    /// `None` once nothing more is to be had.
    reader: Option<ParquetRecordBatchReader>,
    columns: Vec<usize>,
    /// How many rows the footer says are still to come.
    missing: i64,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Iterator for Batches<T> {
    type Item = Result<Batch<T>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let batch = match caught::<T, _>(|| reader.next()) {
            Ok(Some(Ok(batch))) => batch,
            // Damaged pages can end early without a word.
            Ok(None) => {
                self.reader = None;
                return (self.missing != 0).then(|| Err(wrong_rows::<T>()));
            }
            Ok(Some(Err(error))) => {
                self.reader = None;
                return Some(Err(ReadError::damaged(T::NAME, error)));
            }
            Err(error) => {
                self.reader = None;
                return Some(Err(error));
            }
        };
        let rows = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        self.missing = self.missing.saturating_sub(rows);
        Some(Batch::new(&batch, &self.columns))
    }
}

/// Decodes, with a panic of the decoder's as an error: some damage of a page it meets with an assertion.
fn caught<T: Table, R>(decode: impl FnOnce() -> R) -> Result<R, ReadError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .map_err(|_| ReadError::damaged(T::NAME, "its pages cannot be decoded"))
}

fn wrong_rows<T: Table>() -> ReadError {
    ReadError::damaged(T::NAME, "it has other rows than its footer says")
}

fn damaged<T: Table>(error: ParquetError) -> ReadError {
    ReadError::damaged(T::NAME, error)
}

/// Exactly these bytes.
fn read<T: Table>(source: &impl ReadAt, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
    let table = T::NAME;
    let bytes = source
        .read_at(offset, length)
        .map_err(|cause| ReadError::Read { table, cause })?;
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err(ReadError::damaged(
            table,
            format!("{length} bytes from byte {offset} are not all there"),
        )),
    }
}

/// See <https://parquet.apache.org/docs/file-format/>.
fn footer<T: Table>(source: &impl ReadAt) -> Result<ParquetMetaData, ReadError> {
    let before_tail = source
        .len()
        .checked_sub(TAIL as u64)
        .ok_or(ReadError::NotParquet)?;
    let tail = read::<T>(source, before_tail, TAIL)?;
    let tail = tail
        .first_chunk::<TAIL>()
        .and_then(|tail| FooterTail::try_new(tail).ok())
        .filter(|tail| !tail.is_encrypted_footer())
        .ok_or(ReadError::NotParquet)?;
    let length = tail.metadata_length();
    let start = before_tail
        .checked_sub(length as u64)
        .ok_or(ReadError::NotParquet)?;
    let footer = read::<T>(source, start, length)?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(damaged::<T>)
}

/// Whether the writer was ours, and the table this one.
fn check_origin<T: Table>(metadata: &ParquetMetaData) -> Result<(), ReadError> {
    let entry = |name: &str| {
        let entries = metadata.file_metadata().key_value_metadata()?;
        let entry = entries.iter().find(|entry| entry.key == name)?;
        entry.value.as_deref()
    };
    let table = entry("retrial.table").ok_or(ReadError::NotOurs)?;
    let format = entry("retrial.format").ok_or(ReadError::NotOurs)?;
    if table != T::NAME {
        return Err(ReadError::OtherTable {
            table: T::NAME,
            found: table.escape_debug().to_string(),
        });
    }
    if format != FORMAT_VERSION {
        return Err(ReadError::OtherFormat {
            table: T::NAME,
            found: format.escape_debug().to_string(),
        });
    }
    Ok(())
}

/// How many of the table's columns the file has. Columns are only ever added at the end, so an older
/// file has the first ones; it can have none that the table does not know.
fn check_columns<T: Table>(metadata: &ParquetMetaData) -> Result<usize, ReadError> {
    let fields: Vec<_> = T::COLUMNS.iter().map(Column::field).collect();
    let expected = ArrowSchemaConverter::new()
        .schema_root(T::NAME)
        .convert(&Schema::new(fields))
        .map_err(damaged::<T>)?;
    let expected = expected.root_schema().get_fields();
    let found = metadata.file_metadata().schema_descr();
    let found = found.root_schema().get_fields();
    let other = found
        .iter()
        .enumerate()
        .find(|(place, field)| expected.get(*place) != Some(field));
    match other {
        None => Ok(found.len()),
        Some((_, field)) => Err(ReadError::OtherColumn {
            table: T::NAME,
            column: field.name().escape_debug().to_string(),
        }),
    }
}

/// Whether all that the footer speaks of lies within the file: the Parquet library takes it for
/// granted.
fn check_places<T: Table>(metadata: &ParquetMetaData, length: u64) -> Result<(), ReadError> {
    let leaves = metadata.file_metadata().schema_descr().num_columns();
    let rows = metadata
        .row_groups()
        .iter()
        .try_fold(0_i64, |rows, group| rows.checked_add(group.num_rows()));
    if rows != Some(metadata.file_metadata().num_rows()) {
        return Err(wrong_rows::<T>());
    }
    for group in metadata.row_groups() {
        let whole = group.num_rows() >= 0
            && group.num_columns() == leaves
            && group.columns().iter().all(|column| {
                let start = column
                    .dictionary_page_offset()
                    .unwrap_or(column.data_page_offset());
                let end = start.checked_add(column.compressed_size());
                start >= 0
                    && column.data_page_offset() >= start
                    && column.compressed_size() >= 0
                    && column.num_values() >= 0
                    && end
                        .and_then(|end| u64::try_from(end).ok())
                        .is_some_and(|end| end <= length)
            });
        if !whole {
            return Err(ReadError::damaged(
                T::NAME,
                "its footer speaks of more than there is",
            ));
        }
    }
    Ok(())
}

/// The ranges of the file to fetch, ascending, near ones joined.
fn wanted(metadata: &ParquetMetaData, row_group: usize, mask: &ProjectionMask) -> Vec<Range<u64>> {
    let Some(group) = metadata.row_groups().get(row_group) else {
        return Vec::new();
    };
    let mut ranges: Vec<Range<u64>> = group
        .columns()
        .iter()
        .enumerate()
        .filter(|(leaf, _)| mask.leaf_included(*leaf))
        .map(|(_, column)| {
            let (start, length) = column.byte_range();
            start..start + length
        })
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(FETCH_GAP) => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    joined
}
