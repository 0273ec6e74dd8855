//! Why a plan cannot be made or read.

use serde_json::Error as JsonError;

/// Why a plan cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A stored plan is not what was written.
    #[error("the stored plan `{key}` is damaged: line {line}: {problem}")]
    Damaged {
        /// The plan's key.
        key: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: PlanProblem,
    },
    /// A completed plan's object is not there.
    #[error("the stored plan `{key}` is missing")]
    Missing {
        /// The plan's key.
        key: String,
    },
    /// A stored plan reads from a source that this run was not given.
    #[error("the interrupted plan `{key}` reads from `{source_name}`, which was not given")]
    SourceNotGiven {
        /// The plan's key.
        key: String,
        /// The source, as the user of the interrupted run gave it.
        source_name: String,
    },
    /// A line of a list of files is none.
    #[error("line {line} of the list of files: {problem}")]
    FilesFrom {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: FilesFromProblem,
    },
}

/// What is wrong with a line of a stored plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanProblem {
    /// Not the JSON of such a line.
    #[error("{0}")]
    Json(JsonError),
    /// Another version of the form.
    #[error("its form is {0}, which this version does not know")]
    Format(u32),
    /// A delivery date that is none.
    #[error("`{0}` is no delivery date")]
    DeliveryDate(String),
    /// A file in a source that the header does not name.
    #[error("the header names no source {0}")]
    NoSource(usize),
    /// Files are missing, or too many.
    #[error("{found} files instead of {expected}")]
    Files {
        /// As the header says.
        expected: u64,
        /// As there are.
        found: u64,
    },
    /// The sizes do not add up.
    #[error("{found} bytes instead of {expected}")]
    Bytes {
        /// As the header says.
        expected: u64,
        /// As there are.
        found: u64,
    },
    /// The last line does not end.
    #[error("it is cut off")]
    CutOff,
}

/// What is wrong with a line of a list of files.
#[derive(Debug, thiserror::Error)]
pub enum FilesFromProblem {
    /// The list cannot be read.
    #[error("cannot read: {0}")]
    Read(std::io::Error),
    /// Longer than any key.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
    /// A line of an inventory that is not `"bucket","key"[,"size"]`.
    #[error("it is no line of an inventory: a bucket, a key and perhaps a size")]
    NotInventory,
    /// A percent sign without two hexadecimal digits, in an inventory, which encodes its keys.
    #[error("its key is not URL-encoded")]
    Encoding,
    /// In none of the sources.
    #[error("`{0}` is in none of the given sources")]
    InNoSource(String),
    /// A key alone, which could be of any source.
    #[error("`{0}` may be in any of the given sources: name the source before the key")]
    WhichSource(String),
    /// The key names no file below a root.
    #[error("`{0}` names no file")]
    NoFile(String),
}
