//! What can go wrong, where, and whether it is worth trying again.

use std::fmt;
use std::io;

use crate::faults::Step;

/// A step that failed, with the key it was for.
///
/// `Display` is the whole message on one line, the operating system's cause included; `source()` is
/// therefore empty, so that a printed chain does not say the cause twice.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system (or a fault hook) refused.
    #[error("cannot {step} `{key}`: {}", Cause(.cause))]
    Io {
        /// What was being done.
        step: Step,
        /// The key it was done to; for the root itself, the root's path.
        key: String,
        /// The refusal.
        cause: io::Error,
    },
    /// The key is not one of a thing below the root.
    #[error("`{key}` cannot be a key: {problem}")]
    InvalidKey {
        /// The key as given, escaped for display.
        key: String,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// The condition of a put did not hold, or an upload's key is taken: another writer was there.
    #[error("`{key}` was written by someone else in the meantime")]
    Conflict {
        /// The key of the put.
        key: String,
    },
    /// A symbolic link to a folder that contains the link.
    #[error("`{key}` is a symbolic link to a folder that contains it")]
    FolderLoop {
        /// The link's key.
        key: String,
    },
    /// Symbolic links to folders, nested too deep.
    #[error("`{key}` is a symbolic link to a folder, the {limit}th within another: not followed")]
    LinksTooDeep {
        /// The link's key.
        key: String,
        /// How many are followed.
        limit: usize,
    },
    /// A pipe, socket or device.
    #[error("`{key}` is neither a file nor a folder")]
    NotAFile {
        /// Its key.
        key: String,
    },
}

impl StorageError {
    pub(crate) fn io(step: Step, key: &str, cause: io::Error) -> Self {
        Self::Io {
            step,
            key: key.to_owned(),
            cause,
        }
    }

    /// The key the error is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Io { key, .. }
            | Self::InvalidKey { key, .. }
            | Self::Conflict { key }
            | Self::FolderLoop { key }
            | Self::LinksTooDeep { key, .. }
            | Self::NotAFile { key } => key,
        }
    }

    /// The step that failed, where it was one.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Io { step, .. } => Some(*step),
            _ => None,
        }
    }

    /// Whether a compare-and-swap lost against another writer.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the thing is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }

    /// Whether access was refused.
    pub fn is_access_denied(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether the same thing may succeed later, without its content being changed: access, network,
    /// space, a file that is not there yet. A conflict is not: who lost must look at what won.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { cause, .. } => !matches!(
                cause.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidFilename
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::Unsupported
            ),
            Self::InvalidKey { .. }
            | Self::Conflict { .. }
            | Self::FolderLoop { .. }
            | Self::LinksTooDeep { .. }
            | Self::NotAFile { .. } => false,
        }
    }
}

impl From<StorageError> for io::Error {
    /// For `Write` and `Read` implementations: keeps the place, which a bare `io::Error` lacks.
    fn from(error: StorageError) -> Self {
        let kind = match &error {
            StorageError::Io { cause, .. } => cause.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// `//`, a leading or trailing `/`, or nothing at all.
    #[error("it has an empty component")]
    EmptyComponent,
    /// `.` or `..`.
    #[error("it has a component `.` or `..`")]
    RelativeComponent,
    /// Not what [`crate::key::encode_name`] writes.
    #[error("it is not encoded as a key")]
    Encoding,
    /// An escaped `/` or NUL.
    #[error("it has an escaped separator")]
    Separator,
    /// A name that the store keeps for itself.
    #[error("the name is reserved")]
    Reserved,
}

/// An `io::Error` in house style: lower case, one line, no errno.
struct Cause<'a>(&'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        // `ErrorKind` has lower-case texts for what it knows; the system's own text is for the rest.
        let text = match (error.raw_os_error(), error.kind()) {
            (Some(_), io::ErrorKind::NotFound) => return f.write_str("not found"),
            (Some(_), kind) => match kind.to_string() {
                text if text.starts_with("uncategorized") || kind == io::ErrorKind::Other => {
                    error.to_string()
                }
                text => text,
            },
            (None, _) => error.to_string(),
        };
        f.write_str(&text.replace(char::is_control, " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_lower_case_line_with_the_place() {
        let denied = StorageError::io(Step::Open, "a/b", io::Error::from_raw_os_error(13));
        assert_eq!(denied.to_string(), "cannot open `a/b`: permission denied");
        assert!(denied.is_retryable());
        let missing = StorageError::io(Step::Open, "a/b", io::Error::from_raw_os_error(2));
        assert_eq!(missing.to_string(), "cannot open `a/b`: not found");
        assert!(missing.is_not_found());
        let hook = StorageError::io(Step::PutRename, "m", io::Error::other("planted\nfault"));
        assert_eq!(hook.to_string(), "cannot rename `m`: planted fault");
    }
}
