//! The pages of a row group's columns, decompressed with what other columns left behind.
//!
//! The Parquet library makes a compressor and a decompressor for each column of each row group; where row
//! groups are small, that was a sixth of what reading them and deriving from them took.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::chunks::Chunks;
use crate::workers::Workers;

/// As many as threads read at once.
static UNPACKERS: Workers<Unpacker> = Workers::new();

/// Made for the first page.
#[derive(Default)]
struct Unpacker(Option<Decompressor<'static>>);

impl Unpacker {
    /// Decompresses a page of a column whose pages come to `most` bytes: that is what a footer says, and a page
    /// has no more than 2 GB whatever it says.
    fn unpacked(&mut self, packed: &[u8], most: usize) -> Result<Bytes, ParquetError> {
        let size = get_frame_content_size(packed).ok().flatten();
        let size = size
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size <= most && i32::try_from(*size).is_ok())
            .ok_or_else(|| {
                ParquetError::General("a page has no size, or a wrong one".to_owned())
            })?;
        let decompressor = match self.0.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new()?,
        };
        let decompressor = self.0.insert(decompressor);
        Ok(Bytes::from(decompressor.decompress(packed, size)?))
    }
}

/// One row group, fetched; none where the file does not have it.
pub(super) struct Fetched<'m> {
    pub(super) chunks: Arc<Chunks>,
    pub(super) metadata: &'m ParquetMetaData,
    pub(super) row_group: Option<&'m RowGroupMetaData>,
}

impl RowGroups for Fetched<'_> {
    fn num_rows(&self) -> usize {
        let rows = self.row_group.map(RowGroupMetaData::num_rows);
        rows.and_then(|rows| usize::try_from(rows).ok())
            .unwrap_or_default()
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        let column = self
            .row_group
            .and_then(|row_group| row_group.columns().get(leaf));
        let pages = column
            .map(|column| Pages::new(self.chunks.clone(), column, self.num_rows()))
            .transpose()?;
        Ok(Box::new(Columns(pages)))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.row_group.into_iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The one column chunk that there is of a leaf.
struct Columns(Option<Pages>);

impl Iterator for Columns {
    type Item = Result<Box<dyn PageReader>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let pages = self.0.take()?;
        Some(Ok(Box::new(pages)))
    }
}

impl PageIterator for Columns {}

/// The pages of a column chunk.
struct Pages {
    /// Of the pages as they are in the file.
    packed: SerializedPageReader<Chunks>,
    /// What they come to, decompressed; `None` where they are not compressed as ours are: then the
    /// library has done it.
    most: Option<usize>,
}

impl Pages {
    fn new(
        chunks: Arc<Chunks>,
        column: &ColumnChunkMetaData,
        rows: usize,
    ) -> Result<Self, ParquetError> {
        let (column, most) = match column.compression() {
            Compression::ZSTD(_) => {
                let most = usize::try_from(column.uncompressed_size()).unwrap_or_default();
                let as_is = column.clone().into_builder();
                let as_is = as_is.set_compression(Compression::UNCOMPRESSED);
                (as_is.build()?, Some(most))
            }
            _ => (column.clone(), None),
        };
        Ok(Self {
            packed: SerializedPageReader::new(chunks, &column, rows, None)?,
            most,
        })
    }

    fn unpacked(&self, mut page: Page) -> Result<Page, ParquetError> {
        let Some(most) = self.most else {
            return Ok(page);
        };
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = UNPACKERS.with(|unpacker| unpacker.unpacked(buf, most))?;
            }
            // Of these a part is not compressed.
            Page::DataPageV2 { .. } => {
                let message = "a page of version 2".to_owned();
                return Err(ParquetError::General(message));
            }
        }
        Ok(page)
    }
}

impl Iterator for Pages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.packed.get_next_page()?;
        page.map(|page| self.unpacked(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.packed.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.packed.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.packed.at_record_boundary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_claims_too_much_is_refused() {
        // https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1: the magic number, a descriptor that announces
        // a size of 8 bytes, the size, a last block without content.
        let claiming = |size: u64| {
            let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
            frame.extend(size.to_le_bytes());
            frame.extend([1, 0, 0]);
            frame
        };
        let refused = |size, most| {
            let page = Unpacker::default().unpacked(&claiming(size), most);
            page.is_err()
        };
        assert!(!refused(0, 0));
        assert!(refused(1, 0));
        assert!(refused(1, 1));
        assert!(refused(1 << 31, usize::MAX));
        assert!(refused(1 << 62, usize::MAX));
    }
}
