//! The steps of a write, and a hook that a test hangs into each.
//!
//! What a crash leaves behind is decided between two steps. So that every such place can be tried,
//! the store calls [`Faults::before`] ahead of each of [`Step::DURABLE`]; a test returns an error
//! there (a full disk, a lost network) or ends the process.

use std::fmt;
use std::io;

/// One step of reading or writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Listing a folder.
    List,
    /// Opening a file for reading.
    Open,
    /// Reading an object.
    Read,
    /// Creating the root, or a folder on the way to a key.
    CreateFolder,
    /// A put, before anything is done: the lock is not yet taken.
    PutBegin,
    /// A put's condition holds; before the temporary file is created.
    PutCreate,
    /// Before its bytes are written.
    PutWrite,
    /// Before they are made durable.
    PutFsync,
    /// Before the object appears.
    PutRename,
    /// The object has appeared; before its entry is made durable, and those of the folders on the way.
    PutFolderFsync,
    /// Before an upload's temporary file is created.
    UploadCreate,
    /// Before a buffer's worth of an upload is written.
    UploadWrite,
    /// Before an upload's bytes are made durable.
    UploadFsync,
    /// Before an uploaded object appears.
    UploadRename,
    /// The uploaded object has appeared; before its entry is made durable, and those of the folders on the way.
    UploadFolderFsync,
    /// Before an object is deleted.
    Delete,
    /// The object is gone; before that is made durable.
    DeleteFolderFsync,
    /// Before a leftover temporary file is removed.
    Clean,
}

impl Step {
    /// The steps that [`Faults::before`] is called for, in the order of a put, an upload, a delete
    /// and a clean-up.
    pub const DURABLE: [Self; 15] = [
        Self::CreateFolder,
        Self::PutBegin,
        Self::PutCreate,
        Self::PutWrite,
        Self::PutFsync,
        Self::PutRename,
        Self::PutFolderFsync,
        Self::UploadCreate,
        Self::UploadWrite,
        Self::UploadFsync,
        Self::UploadRename,
        Self::UploadFolderFsync,
        Self::Delete,
        Self::DeleteFolderFsync,
        Self::Clean,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Open => "open",
            Self::Read => "read",
            Self::CreateFolder => "create the folder",
            Self::PutBegin => "lock",
            Self::PutCreate | Self::UploadCreate => "create",
            Self::PutWrite | Self::UploadWrite => "write",
            Self::PutFsync
            | Self::UploadFsync
            | Self::PutFolderFsync
            | Self::UploadFolderFsync
            | Self::DeleteFolderFsync => "make durable",
            Self::PutRename | Self::UploadRename => "rename",
            Self::Delete => "delete",
            Self::Clean => "remove the temporary file",
        })
    }
}

/// Called before each durable step.
pub trait Faults: Send + Sync {
    /// An error makes the step fail with it, as if the operating system had refused.
    ///
    /// # Errors
    /// Whatever fault is to be tried.
    fn before(&self, step: Step, key: &str) -> io::Result<()>;
}

/// What runs outside tests: no faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn before(&self, _step: Step, _key: &str) -> io::Result<()> {
        Ok(())
    }
}
