//! The parts of a file that one row group is read from, in memory, for the Parquet library.

use bytes::Bytes;
use bytes::buf::{Buf, Reader};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Parts of a file, by their places in it.
pub(super) struct Chunks {
    /// The whole file's length.
    pub(super) length: u64,
    pub(super) parts: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// What is there from `start` to the end of its part.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        self.parts
            .iter()
            .find_map(|(offset, bytes)| {
                let within = usize::try_from(start.checked_sub(*offset)?).ok()?;
                (within <= bytes.len()).then(|| bytes.slice(within..))
            })
            .ok_or_else(|| ParquetError::EOF(format!("nothing is known of byte {start}")))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "{length} bytes from byte {start} reach beyond their column"
            )));
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}
