//! A file that is not there yet: written under a temporary name, renamed when it is whole.
//!
//! The name is in the folder of the final one, because a rename is atomic only within a file system.
//! The writer holds a lock on the file, which the kernel drops with the process: so
//! [`clean`] can tell a leftover from the work of a living writer.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::TEMPORARY_PREFIX;

/// Distinguishes the temporary files of one process; across processes the process id does. It
/// stands in no output.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// An open temporary file, removed when dropped unless it was renamed.
#[derive(Debug)]
pub(crate) struct Temporary {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// Creates one in `folder`.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{TEMPORARY_PREFIX}{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let temporary = Self {
                        file,
                        path,
                        renamed: false,
                    };
                    temporary.file.lock()?;
                    // Before it was locked, another writer that cleans up may have taken it for a leftover.
                    if temporary.path.try_exists()? {
                        return Ok(temporary);
                    }
                }
                // A leftover of an earlier process with the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives the file its final name, replacing what has it.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }

    /// Removes the file, and says if that failed; dropping it removes it silently.
    pub(crate) fn remove(mut self) -> io::Result<()> {
        // Whatever comes of it, the drop need not try again.
        self.renamed = true;
        fs::remove_file(&self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be removed now is invisible all the same, and left to `clean`.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a leftover; `false` where a living writer has it.
pub(crate) fn clean(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        // Its writer has just finished.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a folder's entries durable: a rename is only as durable as the folder that records it.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot flush a folder; NTFS journals its entries.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// A writer that cleans up may look at a file between its creation and its lock.
    #[test]
    fn what_was_created_is_not_cleaned_away() {
        const FILES: usize = 5_000;
        let folder = tempfile::tempdir().unwrap();
        let (folder, done) = (folder.path(), AtomicBool::new(false));
        let clean_all = || {
            while !done.load(Ordering::Relaxed) {
                for entry in fs::read_dir(folder).unwrap().flatten() {
                    let name = entry.file_name();
                    if name.to_string_lossy().starts_with(TEMPORARY_PREFIX) {
                        clean(&entry.path()).unwrap();
                    }
                }
            }
        };
        thread::scope(|scope| {
            scope.spawn(clean_all);
            let renamed = (0..FILES).try_for_each(|_| {
                let mut file = Temporary::create(folder)?;
                let to = folder.join("whole");
                file.rename(&to)?;
                fs::remove_file(&to)
            });
            done.store(true, Ordering::Relaxed);
            renamed.unwrap();
        });
    }
}
