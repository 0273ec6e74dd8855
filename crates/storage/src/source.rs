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

/// What stands directly in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Child {
    /// A file.
    File(Entry),
    /// A folder's key, with the `/` at its end.
    Folder(String),
}

/// A folder's content, one level of it, in progress.
pub type Children<'s> = Box<dyn Iterator<Item = Result<Child, StorageError>> + Send + 's>;

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

    /// What stands directly in `folder` (empty, or ending in `/`), lazily, in byte order: how a layout
    /// is walked level by level. A folder that could not be entered without end (a link to what
    /// contains it) is an error in its place, as in [`Source::list`].
    ///
    /// A source whose listings stop at a delimiter answers this better than by [`Source::list`], which
    /// the default goes by: one listing more for each folder.
    fn children<'s>(&'s self, folder: &str) -> Children<'s> {
        Box::new(ListedChildren {
            source: self,
            folder: folder.to_owned(),
            listing: self.list(&Range::under(folder)),
            last_folder: None,
        })
    }

    /// A file's size; `None` where there is no such file.
    ///
    /// # Errors
    /// Where it may not be looked at.
    fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        // Of the keys that begin with this one it is the first.
        let first = self.list(&Range::under(key)).next().transpose()?;
        Ok(first.filter(|entry| entry.key == key).map(|e| e.size))
    }

    /// Opens one file. Errors while reading it are the reader's; the caller knows the key.
    ///
    /// # Errors
    /// Where the key is not one of this source, or the file cannot be opened.
    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError>;

    /// Says which files will be opened next, in about this order, with their sizes as listed. A source
    /// that waits for a network fetches them ahead, as far as its memory for that goes, and lets go what was
    /// announced before and is not among them; one that waits for a disk has the system read them.
    fn announce(&self, _next: &[(&str, u64)]) {}

    /// The root, printable, for messages.
    fn location(&self) -> &str;
}

/// [`Source::children`] by way of listings, each begun behind the folder that the last one met.
struct ListedChildren<'s, S: ?Sized> {
    source: &'s S,
    folder: String,
    listing: Listing,
    last_folder: Option<String>,
}

impl<S: Source + ?Sized> ListedChildren<'_, S> {
    /// The folder directly in this one that `key` is in; `None` for what stands here itself.
    fn folder_of(&self, key: &str) -> Option<String> {
        let (name, _) = key
            .strip_prefix(&self.folder)?
            .trim_end_matches('/')
            .split_once('/')?;
        Some(format!("{}{name}/", self.folder))
    }
}

impl<S: Source + ?Sized> Iterator for ListedChildren<'_, S> {
    type Item = Result<Child, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let item = self.listing.next()?;
            let key = match &item {
                Ok(entry) => entry.key.as_str(),
                Err(error) => error.key(),
            };
            let Some(child) = self.folder_of(key) else {
                return Some(item.map(Child::File));
            };
            if self.last_folder.as_ref() != Some(&child) {
                // The last character there is: what stands behind it in the folder is skipped above.
                let after = format!("{child}{}", char::MAX);
                self.listing = self.source.list(&Range {
                    prefix: self.folder.clone(),
                    start_after: Some(after),
                });
                self.last_folder = Some(child.clone());
                return Some(Ok(Child::Folder(child)));
            }
        }
    }
}
