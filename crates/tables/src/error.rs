//! What can go wrong in writing a table.

use std::io;

use parquet::errors::ParquetError;

/// A table that could not be written. The file that was being written is of no use any more.
///
/// `Display` is the whole message on one line; `source()` is therefore empty.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The `Write` refused. What it said is kept as it was.
    #[error("cannot write the table `{table}`: {cause}")]
    Write {
        /// The table's name.
        table: &'static str,
        /// The refusal.
        cause: io::Error,
    },
    /// The Parquet library refused.
    #[error("cannot encode the table `{table}`: {cause}")]
    Encode {
        /// The table's name.
        table: &'static str,
        /// The refusal.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Rows were handed in out of order, which the file's metadata would deny.
    #[error("row {row} of the table `{table}` is out of order")]
    NotSorted {
        /// The table's name.
        table: &'static str,
        /// The first row that is less than the one before it.
        row: usize,
    },
    /// More list items in one row group than Parquet can count.
    #[error("column `{column}` of the table `{table}` has too many items for one row group")]
    TooManyItems {
        /// The table's name.
        table: &'static str,
        /// The column's name.
        column: &'static str,
    },
}

impl TableError {
    pub(crate) fn encode(
        table: &'static str,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Encode {
            table,
            cause: Box::new(cause),
        }
    }

    /// A Parquet error, with the `Write`'s own one taken out of it again.
    pub(crate) fn parquet(table: &'static str, cause: ParquetError) -> Self {
        match cause {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(cause) => Self::Write {
                    table,
                    cause: *cause,
                },
                Err(cause) => Self::Encode { table, cause },
            },
            cause => Self::encode(table, cause),
        }
    }
}
