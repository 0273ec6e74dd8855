//! What can go wrong in writing a table, and in reading one.

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

/// A file that could not be read as a table.
///
/// `Display` is the whole message on one line; `source()` is therefore empty.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Where the bytes come from refused. What it said is kept as it was.
    #[error("cannot read the table `{table}`: {cause}")]
    Read {
        /// The table's name.
        table: &'static str,
        /// The refusal.
        cause: io::Error,
    },
    /// No Parquet at all, or cut short.
    #[error("no whole Parquet file")]
    NotParquet,
    /// Parquet of somebody else's.
    #[error("a Parquet file that Retrial did not write")]
    NotOurs,
    /// A file of another table.
    #[error("a file of the table `{found}`, not of `{table}`")]
    OtherTable {
        /// The table that was asked for.
        table: &'static str,
        /// The file's.
        found: String,
    },
    /// Written in a format that this version does not know.
    #[error("format `{found}` of the table `{table}` is not known to this version of Retrial")]
    OtherFormat {
        /// The table's name.
        table: &'static str,
        /// The file's format.
        found: String,
    },
    /// A column is not what the table's is, or is one that this version does not know.
    #[error("column `{column}` of the table `{table}` is not known to this version of Retrial")]
    OtherColumn {
        /// The table's name.
        table: &'static str,
        /// The file's column.
        column: String,
    },
    /// A column was asked for that the table does not have.
    #[error("the table `{table}` has no column `{column}`")]
    NoSuchColumn {
        /// The table's name.
        table: &'static str,
        /// The column that was asked for.
        column: String,
    },
    /// The file contradicts itself.
    #[error("damaged file of the table `{table}`: {cause}")]
    Damaged {
        /// The table's name.
        table: &'static str,
        /// The contradiction, on one line.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ReadError {
    pub(crate) fn damaged(
        table: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged {
            table,
            cause: cause.into(),
        }
    }
}
