//! A folder, or a single file, as a source of log files.

use std::fs::{self, File};
use std::io::{self, Read};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::walk::{Directly, Internal, Walk, folder_names};
use crate::at_once::locked;
use crate::error::StorageError;
use crate::faults::Step;
use crate::key;
use crate::source::{Child, Children, Entry, Listing, Range, Source};

/// What the system is asked to read before it is opened: the log files of a few slices. Larger ones it reads
/// ahead by itself.
const AHEAD_BYTES: u64 = 8 << 20;

/// A folder with everything below it, or a single file.
#[derive(Debug)]
pub struct FolderSource {
    root: PathBuf,
    location: String,
    /// The key of a single file; `None` for a folder.
    single: Option<String>,
    /// The last file that the system was asked to read.
    asked: Mutex<Option<String>>,
}

impl FolderSource {
    /// The folder or file at `path`.
    ///
    /// # Errors
    /// Where nothing is there, it may not be looked at, or it is neither a file nor a folder.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let location = key::encode_name(path.as_os_str());
        let metadata =
            fs::metadata(path).map_err(|cause| StorageError::io(Step::Open, &location, cause))?;
        let single = if metadata.is_dir() {
            None
        } else if metadata.is_file() {
            // A path to a file has a last component: `..` and `/` are folders.
            path.file_name().map(key::encode_name)
        } else {
            return Err(StorageError::NotAFile { key: location });
        };
        Ok(Self {
            root: path.to_owned(),
            location,
            single,
            asked: Mutex::default(),
        })
    }

    fn path(&self, key: &str) -> Result<PathBuf, StorageError> {
        match &self.single {
            None => {
                let mut path = self.root.clone();
                path.extend(key::components(key)?);
                Ok(path)
            }
            Some(name) if name == key => Ok(self.root.clone()),
            Some(_) => Err(StorageError::io(
                Step::Open,
                key,
                io::ErrorKind::NotFound.into(),
            )),
        }
    }

    fn file(&self, key: &str) -> Result<File, StorageError> {
        let path = self.path(key)?;
        let failed = |cause| StorageError::io(Step::Open, key, cause);
        // Looked at first: opening a pipe would wait for a writer for ever.
        if !fs::metadata(&path).map_err(failed)?.is_file() {
            return Err(StorageError::NotAFile {
                key: key.to_owned(),
            });
        }
        File::open(&path).map_err(failed)
    }
}

/// Has the system read the first `bytes` of a file before anyone waits for them. It is a hint: where it is not
/// taken, nothing is lost.
#[cfg(target_os = "linux")]
fn read_ahead(file: &File, bytes: u64) {
    use rustix::fs::{Advice, fadvise};
    let _ = fadvise(file, 0, NonZeroU64::new(bytes), Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
fn read_ahead(_file: &File, _bytes: u64) {}

impl Source for FolderSource {
    fn list(&self, range: &Range) -> Listing {
        let Some(name) = &self.single else {
            let walk = Walk::new(&self.root, &self.location, range.clone(), Internal::Shown);
            return Box::new(walk);
        };
        if !range.contains(name) {
            return Box::new(std::iter::empty());
        }
        let entry = fs::metadata(&self.root)
            .map(|metadata| Entry {
                key: name.clone(),
                size: metadata.len(),
            })
            .map_err(|cause| StorageError::io(Step::List, name, cause));
        Box::new(std::iter::once(entry))
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        if self.single.is_some() {
            return Ok(Vec::new());
        }
        let (path, place) = match folder.strip_suffix('/') {
            None if folder.is_empty() => (self.root.clone(), self.location.as_str()),
            None => (self.path(folder)?, folder),
            Some(key) => (self.path(key)?, folder),
        };
        folder_names(&path, folder).map_err(|cause| StorageError::io(Step::List, place, cause))
    }

    fn children<'s>(&'s self, folder: &str) -> Children<'s> {
        if self.single.is_some() {
            let range = Range::under(folder);
            return Box::new(self.list(&range).map(|entry| entry.map(Child::File)));
        }
        // Only for the check that the key stays below the root.
        let checked = match folder.strip_suffix('/') {
            None if folder.is_empty() => Ok(()),
            None => self.path(folder).map(drop),
            Some(key) => self.path(key).map(drop),
        };
        match checked.and_then(|()| Directly::new(&self.root, &self.location, folder)) {
            Ok(children) => Box::new(children),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        match fs::metadata(self.path(key)?) {
            Ok(metadata) => Ok(Some(metadata.len()).filter(|_| metadata.is_file())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StorageError::io(Step::Open, key, cause)),
        }
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        Ok(Box::new(self.file(key)?))
    }

    fn announce(&self, next: &[(&str, u64)]) {
        let mut asked = locked(&self.asked);
        let is_last = |(key, _): &(&str, u64)| asked.as_deref() == Some(*key);
        let new = next.iter().position(is_last).map_or(0, |last| last + 1);
        let mut bytes: u64 = 0;
        for (place, (key, size)) in next.iter().enumerate() {
            bytes = bytes.saturating_add(*size);
            if bytes > AHEAD_BYTES {
                return;
            }
            if place < new {
                continue;
            }
            // What cannot be opened is said when it is asked for.
            if let Ok(file) = self.file(key) {
                read_ahead(&file, *size);
            }
            *asked = Some((*key).to_owned());
        }
    }

    fn location(&self) -> &str {
        &self.location
    }
}
