//! The writing side: where output goes.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use crate::error::StorageError;
use crate::source::Entry;

/// Names that begin so belong to the store itself: they are no keys, and no listing shows them.
pub const INTERNAL_PREFIX: &str = ".retrial-";

/// Names that begin so are unfinished writes.
pub const TEMPORARY_PREFIX: &str = ".retrial-tmp-";

/// What was stored under a key at one moment: opaque, only good for comparing.
///
/// A folder's version is a hash of the content, a bucket's is the ETag: equal content may have equal
/// versions. State that must notice "changed and changed back" carries a number of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a put may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Whatever is there.
    Always,
    /// Only where there is nothing.
    IfAbsent,
    /// Only where this version is still there.
    IfMatch(Version),
}

/// A small object, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its version, for [`Condition::IfMatch`].
    pub version: Version,
}

/// Where output goes. An object is never visible in part: it is there whole, or as it was before.
pub trait Store: Send + Sync {
    /// The objects whose keys begin with `prefix`, in byte order. Unfinished writes are not among
    /// them.
    ///
    /// # Errors
    /// Where any part of it cannot be listed: half a listing of the output would be taken for all.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError>;

    /// One object, whole; `None` where there is none.
    ///
    /// # Errors
    /// Where the key is invalid or the object cannot be read.
    fn read(&self, key: &str) -> Result<Option<Object>, StorageError>;

    /// An object's size; `None` where there is none.
    ///
    /// # Errors
    /// Where the key is invalid or access is refused.
    fn size(&self, key: &str) -> Result<Option<u64>, StorageError>;

    /// `length` bytes of an object from `offset`: fewer only where the object ends.
    ///
    /// # Errors
    /// Where the key is invalid, or the object is not there or cannot be read.
    fn read_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>, StorageError>;

    /// Where an object is, or would be, as a file of this machine, for reading it in place; `None` where
    /// the store has no such files.
    fn local_path(&self, _key: &str) -> Option<PathBuf> {
        None
    }

    /// Stores a small object by compare-and-swap, and makes it durable.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where the condition does not hold: nothing was changed. After any
    /// other error the object is as before **or** as asked for, never in between; who must know
    /// reads it again.
    fn put(&self, key: &str, bytes: &[u8], condition: Condition) -> Result<Version, StorageError>;

    /// Begins a large object. It replaces nothing: where `key` names an object by the time the upload
    /// is complete, [`Upload::complete`] fails.
    ///
    /// # Errors
    /// Where the key is invalid or nothing can be written there.
    fn begin(&self, key: &str) -> Result<Box<dyn Upload>, StorageError>;

    /// Deletes an object, durably. Deleting what is not there is done already.
    ///
    /// # Errors
    /// Where the key is invalid or the object cannot be deleted.
    fn delete(&self, key: &str) -> Result<(), StorageError>;

    /// Removes the unfinished writes that a crash left behind, and says how many. Those of a writer
    /// that is still alive are left alone.
    ///
    /// # Errors
    /// Where the root cannot be listed or a leftover not be removed.
    fn clean(&self) -> Result<u64, StorageError>;

    /// The root, printable, for messages.
    fn location(&self) -> &str;
}

/// A large object being written. Dropped without [`Upload::complete`], it leaves nothing visible.
pub trait Upload: Write + Send {
    /// Makes all that was written durable, then visible under its key, at once; gives its size.
    ///
    /// Create-only: of two writers of one key the second one loses, and nothing that was once
    /// complete is ever changed. Who means to replace an object deletes it first.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where the key names an object already: it stays as it is, and what
    /// was uploaded is dropped. After any other error the key shows nothing **or** the whole object,
    /// never a part. After a failed write it always fails, and the object does not appear.
    fn complete(self: Box<Self>) -> Result<u64, StorageError>;

    /// Gives up, and removes what was written.
    ///
    /// # Errors
    /// Where the leftover cannot be removed; [`Store::clean`] will.
    fn abort(self: Box<Self>) -> Result<(), StorageError>;
}
