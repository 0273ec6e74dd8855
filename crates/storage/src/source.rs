//! The reading side: where log files are.

use std::io::Read;

use crate::error::StorageError;

/// A file or object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Relative to the root, `/`-separated, printable and unique: see [`crate::key`].
    pub key: String,
    /// Bytes, as listed.
    pub size: u64,
}

/// Which keys to list. The default is all of them.
///
/// A bucket answers both limits by itself (`Prefix`, `StartAfter`); a folder skips the subfolders
/// that lie outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Only keys that begin with this text (not necessarily a folder).
    pub prefix: String,
    /// Only keys after this one, in byte order.
    pub start_after: Option<String>,
}

impl Range {
    /// All keys that begin with `prefix`.
    pub fn under(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            start_after: None,
        }
    }

    /// Whether `key` lies inside.
    pub fn contains(&self, key: &str) -> bool {
        key.starts_with(&self.prefix) && self.start_after.as_deref().is_none_or(|after| key > after)
    }

    /// Whether a key that begins with `folder` (which ends in `/`) could lie inside.
    pub(crate) fn touches_folder(&self, folder: &str) -> bool {
        let prefix = folder.starts_with(&self.prefix) || self.prefix.starts_with(folder);
        let after = self
            .start_after
            .as_deref()
            .is_none_or(|after| folder > after || after.starts_with(folder));
        prefix && after
    }
}

/// A listing in progress.
pub type Listing = Box<dyn Iterator<Item = Result<Entry, StorageError>> + Send>;

/// Where log files are.
pub trait Source: Send + Sync {
    /// The files within `range`, lazily, in byte order of their keys.
    ///
    /// What cannot be listed (a subfolder without permission, a broken link) is an error in its
    /// place, with its key, and the listing goes on behind it.
    fn list(&self, range: &Range) -> Listing;

    /// The folders directly under `folder` (empty, or ending in `/`), each ending in `/`, in byte
    /// order: how a layout is discovered without listing everything in it.
    ///
    /// # Errors
    /// Where the folder cannot be listed.
    fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError>;

    /// Opens one file. Errors while reading it are the reader's; the caller knows the key.
    ///
    /// # Errors
    /// Where the key is not one of this source, or the file cannot be opened.
    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError>;

    /// The root, printable, for messages.
    fn location(&self) -> &str;
}
