//! What could not be read: the reason and the place.

use std::io;

use crate::RecordError;

/// A record, or the rest of a file, that could not be read.
#[derive(Debug)]
pub struct Reject {
    /// Where, in bytes of the decompressed file: where the record begins, else where the file
    /// breaks.
    pub offset: Option<u64>,
    /// The record's number in the file, from 0: the broken one, or the one in which the file
    /// breaks.
    pub record_index: Option<u64>,
    /// Why.
    pub reason: RejectReason,
}

/// What a reject takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectScope {
    /// One record: counted as read and rejected. The records around it stand.
    Record,
    /// Something else than one whole record: a file, its rest, or documents without records.
    /// The records before it stand.
    File,
}

/// What was open where the bytes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unterminated {
    /// a string
    String,
    /// a record
    Record,
    /// a list of records
    List,
    /// an object around the records
    Document,
}

/// Why a record or a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RejectReason {
    /// The content is not JSON from the start.
    #[error("not JSON: the content begins with byte 0x{byte:02x}")]
    NotJson {
        /// the first byte
        byte: u8,
    },
    /// JSON, but no log file: a manifest, a configuration, …
    #[error("{documents} JSON document(s) that hold no CloudTrail records")]
    NoRecords {
        /// how many of them, one after the other
        documents: u64,
    },
    /// The file ends before its JSON does.
    #[error("the file ends within a {}", .inside.word())]
    Unterminated {
        /// what was open
        inside: Unterminated,
    },
    /// Between two records, members or documents stands what does not belong there.
    #[error("unexpected byte 0x{byte:02x} between records")]
    Garbage {
        /// the first of it
        byte: u8,
    },
    /// An item of a list of records that is no object.
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// A record beyond [`crate::Limits::record_bytes`].
    #[error("the record is larger than {limit} bytes")]
    RecordTooLarge {
        /// the limit
        limit: u64,
    },
    /// A record beyond [`crate::Limits::depth`].
    #[error("the record nests deeper than {limit} levels")]
    RecordTooDeep {
        /// the limit
        limit: u64,
    },
    /// A well-framed record that could not be parsed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// More broken records than [`crate::Limits::rejects`]; the file is given up.
    #[error("more than {limit} broken records: the rest of the file is not read")]
    TooManyRejects {
        /// the limit
        limit: u64,
    },
    /// The gzip stream ends too early.
    #[error("the gzip stream is cut off")]
    GzipTruncated,
    /// The gzip stream is damaged.
    #[error("the gzip stream is damaged")]
    GzipCorrupt,
    /// The gzip stream's checksum or length does not match; its records were read all the same.
    #[error("the gzip checksum does not match the content")]
    GzipChecksum,
    /// Bytes behind the gzip stream; its records were read.
    #[error("bytes that are not gzip follow the gzip stream")]
    GzipTrailingBytes,
    /// More than [`crate::Limits::decompressed_bytes`].
    #[error("the file decompresses to more than {limit} bytes: its rest is not read")]
    FileTooLarge {
        /// the limit
        limit: u64,
    },
    /// Compressed beyond [`crate::Limits::ratio`]: made to exhaust whoever reads it.
    #[error("the file decompresses to more than {limit} times its size: its rest is not read")]
    RatioTooHigh {
        /// the limit
        limit: u64,
    },
    /// The storage did not deliver; nothing is known about the content.
    #[error("reading failed: {0}")]
    Read(io::Error),
}

impl Unterminated {
    fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Record => "record",
            Self::List => "list of records",
            Self::Document => "JSON document",
        }
    }
}

impl Reject {
    /// A reject of the record with this index, which begins at `offset`.
    pub fn of_record(offset: u64, record_index: u64, reason: impl Into<RejectReason>) -> Self {
        Self {
            offset: Some(offset),
            record_index: Some(record_index),
            reason: reason.into(),
        }
    }
}

impl RejectReason {
    /// The stable name of the reason, for tables.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "not_json",
            Self::NoRecords { .. } => "no_records",
            Self::Unterminated { inside } => match inside {
                Unterminated::String => "unterminated_string",
                Unterminated::Record => "unterminated_record",
                Unterminated::List => "unterminated_list",
                Unterminated::Document => "unterminated_document",
            },
            Self::Garbage { .. } => "garbage_between_records",
            Self::NotAnObject => RecordError::NotAnObject.code(),
            Self::RecordTooLarge { .. } => RecordError::TooLarge.code(),
            Self::RecordTooDeep { limit } => RecordError::TooDeep { limit: *limit }.code(),
            Self::Record(error) => error.code(),
            Self::TooManyRejects { .. } => "too_many_rejects",
            Self::GzipTruncated => "gzip_truncated",
            Self::GzipCorrupt => "gzip_corrupt",
            Self::GzipChecksum => "gzip_checksum",
            Self::GzipTrailingBytes => "gzip_trailing_bytes",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::RatioTooHigh { .. } => "compression_ratio_too_high",
            Self::Read(_) => "read_failed",
        }
    }

    /// What the reject takes away.
    pub fn scope(&self) -> RejectScope {
        match self {
            Self::NotAnObject
            | Self::RecordTooLarge { .. }
            | Self::RecordTooDeep { .. }
            | Self::Record(_) => RejectScope::Record,
            _ => RejectScope::File,
        }
    }

    /// Whether another attempt may read it: the storage failed, not the content. The whole file
    /// is to be read again, then, and what came out of it so far forgotten.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Read(_))
    }
}
