//! A folder, or a single file, as a source of log files.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::walk::{Directly, Internal, Walk, folder_names};
use crate::error::StorageError;
use crate::faults::Step;
use crate::key;
use crate::source::{Child, Children, Entry, Listing, Range, Source};

/// A folder with everything below it, or a single file.
#[derive(Debug, Clone)]
pub struct FolderSource {
    root: PathBuf,
    location: String,
    /// The key of a single file; `None` for a folder.
    single: Option<String>,
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
}

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
        let path = self.path(key)?;
        let failed = |cause| StorageError::io(Step::Open, key, cause);
        // Looked at first: opening a pipe would wait for a writer for ever.
        if !fs::metadata(&path).map_err(failed)?.is_file() {
            return Err(StorageError::NotAFile {
                key: key.to_owned(),
            });
        }
        Ok(Box::new(File::open(&path).map_err(failed)?))
    }

    fn location(&self) -> &str {
        &self.location
    }
}
