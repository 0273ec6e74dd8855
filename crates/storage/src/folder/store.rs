//! A folder as a store.
//!
//! * **Whole or not at all**: bytes go to a temporary file in the final folder, which is made durable
//!   (fsync) and then renamed; the folder is made durable last, and with it those on the way to it.
//! * **Compare-and-swap**: a put reads, compares and renames while it holds an exclusive lock
//!   (`flock`) on `.retrial-lock` in the root. The kernel drops that lock when its holder dies, at
//!   whatever instant, so that a crash never leaves the store locked, which a lock *file*, held by
//!   existing, would do; and unlike `link(2)` it serves all three conditions alike. Deletions and
//!   renames of uploads take it too. It is held for one small write, never while an upload streams.
//! * A file system without locks (some network ones) refuses with an error; nothing is written there
//!   on trust.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::temporary::{self, Temporary, sync_folder};
use super::walk::{Internal, Walk};
use crate::at_once::{at_once, locked};
use crate::error::{KeyProblem, StorageError};
use crate::faults::{Faults, NoFaults, Step};
use crate::key;
use crate::source::{Entry, Range};
use crate::store::{Condition, INTERNAL_PREFIX, Object, Store, TEMPORARY_PREFIX, Upload, Version};

/// The file in the root whose lock orders all changes. It stays, and stays empty.
const LOCK_NAME: &str = ".retrial-lock";

/// How long a change waits for another writer's. A change takes milliseconds; who holds the lock for
/// this long is stopped or stuck, and saying so is better than waiting with it.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks again meanwhile.
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// How much of an upload is gathered before it is written: Parquet comes in pieces of all sizes.
const UPLOAD_BUFFER: usize = 1 << 20;

/// A folder as a store.
#[derive(Clone)]
pub struct FolderStore {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    location: String,
    faults: Box<dyn Faults>,
    /// Orders the changes of this store's threads, which would have to look at the file lock by turns.
    changes: Mutex<()>,
    /// Folders whose entries in their parents this store has made durable, and with them those of all folders on
    /// the way to them.
    durable: Mutex<BTreeSet<PathBuf>>,
}

/// The right to change something, until it is dropped.
struct Lock<'i> {
    _file: File,
    _changes: MutexGuard<'i, ()>,
}

impl FolderStore {
    /// The folder at `path`, created where it is missing. Fails at once where nothing can be
    /// written there.
    ///
    /// # Errors
    /// Where the folder cannot be created or written to.
    pub fn create(path: &Path) -> Result<Self, StorageError> {
        Self::create_with_faults(path, NoFaults)
    }

    /// [`FolderStore::create`] with a hook before each durable step.
    ///
    /// # Errors
    /// Where the folder cannot be created or written to.
    pub fn create_with_faults(
        path: &Path,
        faults: impl Faults + 'static,
    ) -> Result<Self, StorageError> {
        let location = key::encode_name(path.as_os_str());
        let failed = |cause| StorageError::io(Step::CreateFolder, &location, cause);
        faults.before(Step::CreateFolder, "").map_err(failed)?;
        fs::create_dir_all(path).map_err(failed)?;
        let store = Self::new(path, location, Box::new(faults));
        store
            .inner
            .open_lock()
            .map_err(|cause| StorageError::io(Step::PutCreate, &store.inner.location, cause))?;
        Ok(store)
    }

    /// The folder at `path`, which must be there: for reading.
    ///
    /// # Errors
    /// Where it is not a folder.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let location = key::encode_name(path.as_os_str());
        let metadata =
            fs::metadata(path).map_err(|cause| StorageError::io(Step::Open, &location, cause))?;
        if !metadata.is_dir() {
            let cause = io::ErrorKind::NotADirectory.into();
            return Err(StorageError::io(Step::Open, &location, cause));
        }
        Ok(Self::new(path, location, Box::new(NoFaults)))
    }

    fn new(path: &Path, location: String, faults: Box<dyn Faults>) -> Self {
        Self {
            inner: Arc::new(Inner {
                root: path.to_owned(),
                location,
                faults,
                changes: Mutex::new(()),
                durable: Mutex::default(),
            }),
        }
    }
}

impl Inner {
    /// Runs one durable step, behind its fault hook.
    fn step<T>(
        &self,
        step: Step,
        key: &str,
        run: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, StorageError> {
        self.faults
            .before(step, key)
            .and_then(|()| run())
            .map_err(|cause| StorageError::io(step, key, cause))
    }

    fn path(&self, key: &str) -> Result<PathBuf, StorageError> {
        let mut path = self.root.clone();
        for name in key::components(key)? {
            if name
                .as_encoded_bytes()
                .starts_with(INTERNAL_PREFIX.as_bytes())
            {
                return Err(StorageError::InvalidKey {
                    key: key.to_owned(),
                    problem: KeyProblem::Reserved,
                });
            }
            path.push(name);
        }
        Ok(path)
    }

    /// The folder that `path` is in, created where it is missing; [`Inner::make_durable`] sees to the rest.
    fn prepare_folder<'p>(&'p self, path: &'p Path, key: &str) -> Result<&'p Path, StorageError> {
        let folder = path.parent().unwrap_or(&self.root);
        let mut missing = Vec::new();
        let mut level = folder;
        while !level.is_dir() {
            missing.push(level);
            match level.parent() {
                Some(parent) if level != self.root => level = parent,
                _ => break,
            }
        }
        for level in missing.into_iter().rev() {
            self.step(Step::CreateFolder, key, || {
                locked(&self.durable).remove(level);
                match fs::create_dir(level) {
                    // Another thread or writer was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    other => other,
                }
            })?;
        }
        Ok(folder)
    }

    /// Makes the entry of `path` durable, and those of the folders on the way to it, which wait for the disk
    /// together. That a folder was there already says nothing: who made it may have died before it came to this.
    fn make_durable(&self, path: &Path) -> io::Result<()> {
        let mut level = path.parent().unwrap_or(&self.root);
        let mut entered = Vec::new();
        let mut folders = vec![level];
        {
            let durable = locked(&self.durable);
            while level != self.root && !durable.contains(level) {
                let Some(parent) = level.parent() else {
                    break;
                };
                entered.push(level.to_owned());
                folders.push(parent);
                level = parent;
            }
        }
        for synced in at_once(folders, sync_folder) {
            synced?;
        }
        locked(&self.durable).extend(entered);
        Ok(())
    }

    fn open_lock(&self) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.root.join(LOCK_NAME))
    }

    /// Takes the lock that orders all changes.
    fn lock(&self) -> io::Result<Lock<'_>> {
        let changes = locked(&self.changes);
        let file = self.open_lock()?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    return Ok(Lock {
                        _file: file,
                        _changes: changes,
                    });
                }
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if waited >= LOCK_PATIENCE => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "another writer holds the lock",
                    ));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(LOCK_PAUSE);
                    waited += LOCK_PAUSE;
                }
            }
        }
    }
}

impl Store for FolderStore {
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let inner = &self.inner;
        Walk::new(
            &inner.root,
            &inner.location,
            Range::under(prefix),
            Internal::Hidden,
        )
        .collect()
    }

    fn read(&self, key: &str) -> Result<Option<Object>, StorageError> {
        let path = self.inner.path(key)?;
        match found(fs::read(path)) {
            Ok(bytes) => Ok(bytes.map(|bytes| Object {
                version: version(&bytes),
                bytes,
            })),
            Err(cause) => Err(StorageError::io(Step::Read, key, cause)),
        }
    }

    fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        let path = self.inner.path(key)?;
        match found(fs::metadata(path)) {
            Ok(metadata) => Ok(metadata.filter(fs::Metadata::is_file).map(|m| m.len())),
            Err(cause) => Err(StorageError::io(Step::Read, key, cause)),
        }
    }

    fn read_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        let path = self.inner.path(key)?;
        let failed = |cause| StorageError::io(Step::Read, key, cause);
        let mut file = File::open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn local_path(&self, key: &str) -> Option<PathBuf> {
        self.inner.path(key).ok()
    }

    fn put(&self, key: &str, bytes: &[u8], condition: Condition) -> Result<Version, StorageError> {
        let inner = &self.inner;
        let path = inner.path(key)?;
        let lock = inner.step(Step::PutBegin, key, || inner.lock())?;
        let holds = match &condition {
            Condition::Always => true,
            Condition::IfAbsent => self.read(key)?.is_none(),
            Condition::IfMatch(expected) => self
                .read(key)?
                .is_some_and(|object| object.version == *expected),
        };
        if !holds {
            return Err(StorageError::Conflict {
                key: key.to_owned(),
            });
        }
        let folder = inner.prepare_folder(&path, key)?;
        let mut file = inner.step(Step::PutCreate, key, || Temporary::create(folder))?;
        inner.step(Step::PutWrite, key, || file.write_all(bytes))?;
        inner.step(Step::PutFsync, key, || file.sync())?;
        inner.step(Step::PutRename, key, || file.rename(&path))?;
        inner.step(Step::PutFolderFsync, key, || inner.make_durable(&path))?;
        drop(lock);
        Ok(version(bytes))
    }

    fn begin(&self, key: &str) -> Result<Box<dyn Upload>, StorageError> {
        let path = self.inner.path(key)?;
        let folder = self.inner.prepare_folder(&path, key)?;
        let file = self
            .inner
            .step(Step::UploadCreate, key, || Temporary::create(folder))?;
        Ok(Box::new(FolderUpload {
            inner: Arc::clone(&self.inner),
            key: key.to_owned(),
            path,
            file,
            buffer: Vec::new(),
            size: 0,
            failed: false,
        }))
    }

    fn delete(&self, key: &str) -> Result<(), StorageError> {
        let inner = &self.inner;
        let path = inner.path(key)?;
        let lock = inner.step(Step::Delete, key, || inner.lock())?;
        let removed = found(fs::remove_file(&path))
            .map_err(|cause| StorageError::io(Step::Delete, key, cause))?;
        if let (Some(()), Some(folder)) = (removed, path.parent()) {
            inner.step(Step::DeleteFolderFsync, key, || sync_folder(folder))?;
        }
        drop(lock);
        Ok(())
    }

    fn clean(&self) -> Result<u64, StorageError> {
        let inner = &self.inner;
        let mut removed = 0;
        let walk = Walk::new(
            &inner.root,
            &inner.location,
            Range::default(),
            Internal::Shown,
        );
        for entry in walk {
            let key = match entry {
                Ok(entry) => entry.key,
                // A living writer's file went while we looked.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            let name = key.rsplit('/').next().unwrap_or(&key);
            if name.starts_with(TEMPORARY_PREFIX) {
                let mut path = inner.root.clone();
                path.extend(key::components(&key)?);
                let was_leftover = inner.step(Step::Clean, &key, || temporary::clean(&path))?;
                removed += u64::from(was_leftover);
            }
        }
        Ok(removed)
    }

    fn location(&self) -> &str {
        &self.inner.location
    }
}

/// An object being written to a temporary file.
struct FolderUpload {
    inner: Arc<Inner>,
    key: String,
    path: PathBuf,
    file: Temporary,
    buffer: Vec<u8>,
    size: u64,
    /// A failed write may have left half a buffer behind: what follows would not be what was asked.
    failed: bool,
}

impl FolderUpload {
    fn write_buffer(&mut self) -> Result<(), StorageError> {
        if self.failed {
            let cause = io::Error::other("an earlier write failed");
            return Err(StorageError::io(Step::UploadWrite, &self.key, cause));
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.failed = true;
        let (file, buffer) = (&mut self.file, &self.buffer);
        self.inner
            .step(Step::UploadWrite, &self.key, || file.write_all(buffer))?;
        self.failed = false;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for FolderUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed || self.buffer.len() >= UPLOAD_BUFFER {
            self.write_buffer()?;
        }
        let room = UPLOAD_BUFFER.saturating_sub(self.buffer.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.buffer.extend_from_slice(taken);
        self.size += taken.len() as u64;
        Ok(taken.len())
    }

    /// Nothing: what counts is [`Upload::complete`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for FolderUpload {
    fn complete(mut self: Box<Self>) -> Result<u64, StorageError> {
        self.write_buffer()?;
        let Self {
            inner,
            key,
            path,
            mut file,
            size,
            ..
        } = *self;
        inner.step(Step::UploadFsync, &key, || file.sync())?;
        // Every change takes the lock, so that nothing can appear between the look and the rename.
        let renamed = inner.step(Step::UploadRename, &key, || {
            let _lock = inner.lock()?;
            match fs::symlink_metadata(&path) {
                Ok(_) => Ok(false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    file.rename(&path).map(|()| true)
                }
                Err(error) => Err(error),
            }
        })?;
        if !renamed {
            return Err(StorageError::Conflict { key });
        }
        inner.step(Step::UploadFolderFsync, &key, || inner.make_durable(&path))?;
        Ok(size)
    }

    fn abort(self: Box<Self>) -> Result<(), StorageError> {
        let Self { key, file, .. } = *self;
        file.remove()
            .map_err(|cause| StorageError::io(Step::Delete, &key, cause))
    }
}

/// The version of a content: its SHA-256.
fn version(bytes: &[u8]) -> Version {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        text.push_str(&format!("{byte:02x}"));
    }
    Version::new(text)
}

/// A missing file as a value.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
