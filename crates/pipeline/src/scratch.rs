//! Local temporary files, for what is too large for memory and belongs to one run alone.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use retrial_storage::key::encode_name;
use retrial_storage::{Store, Upload};

use crate::analyze::PipelineError;
use crate::manifest::fenced;

/// A local folder for temporary files.
///
/// The files have no names (or, where the system wants one, lose it when they are closed), so that
/// nothing is left behind, however the process ends.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// The folder at `folder`, created where it is missing. Fails at once where no file can be made
    /// there.
    ///
    /// # Errors
    /// [`PipelineError::Scratch`], which names the folder.
    pub fn new(folder: &Path) -> Result<Self, PipelineError> {
        let scratch = Self {
            folder: folder.to_owned(),
        };
        fs::create_dir_all(folder).map_err(|cause| scratch.failed(cause))?;
        scratch.file()?;
        Ok(scratch)
    }

    /// A new, empty file for writing and reading. It is gone when it is dropped.
    pub(crate) fn file(&self) -> Result<File, PipelineError> {
        tempfile::tempfile_in(&self.folder).map_err(|cause| self.failed(cause))
    }

    /// Makes an object of all of a file.
    pub(crate) fn store(
        &self,
        file: &mut File,
        store: &dyn Store,
        key: &str,
    ) -> Result<(), PipelineError> {
        let upload = self.upload(file, store, key)?;
        upload.complete().map_err(|error| fenced(store, error))?;
        Ok(())
    }

    /// An object of all of a file, to be completed.
    pub(crate) fn upload(
        &self,
        file: &mut File,
        store: &dyn Store,
        key: &str,
    ) -> Result<Box<dyn Upload>, PipelineError> {
        /// At a time.
        const BYTES: usize = 1 << 20;
        file.rewind().map_err(|cause| self.failed(cause))?;
        let mut upload = store.begin(key)?;
        let mut buffer = vec![0; BYTES];
        loop {
            let read = file.read(&mut buffer);
            let read = read.map_err(|cause| self.failed(cause))?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            upload
                .write_all(bytes)
                .map_err(|cause| PipelineError::Write {
                    key: key.to_owned(),
                    cause,
                })?;
        }
        Ok(upload)
    }

    /// The error for what failed with one of the files.
    pub(crate) fn failed(&self, cause: io::Error) -> PipelineError {
        PipelineError::Scratch {
            path: encode_name(self.folder.as_os_str()),
            cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let scratch = Scratch::new(&inner).unwrap();
        let mut file = scratch.file().unwrap();
        file.write_all(b"held").unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "held");
        drop(file);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 0);
    }

    #[test]
    fn an_error_names_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"").unwrap();
        let error = Scratch::new(&path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
