//! What the commands read: the snapshot and the sources.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

use retrial_cloudtrail::{LogKey, LogKind};
use retrial_iam::{Catalogue, Snapshot, SnapshotFile, SnapshotIssue};
use retrial_pipeline::PlannedFile;
use retrial_replay::Trails;
use retrial_storage::{Child, Entry, Range, Source, StorageError};

use crate::error::ProgramError;
use crate::location::{Location, S3Args};
use crate::printer::Printer;

/// A snapshot, and whether all of it could be read.
pub(crate) struct LoadedSnapshot {
    pub(crate) snapshot: Snapshot,
    pub(crate) whole: bool,
}

/// Reads a snapshot from one file or a folder; what could not be used of it is said on standard error.
pub(crate) fn snapshot(path: &Path, printer: &Printer) -> Result<LoadedSnapshot, ProgramError> {
    let files = snapshot_files(path).map_err(|cause| ProgramError::SnapshotUnreadable {
        path: path.display().to_string(),
        cause,
    })?;
    let (loaded, issues) = snapshot_of(path, &files)?;
    warn(&issues, printer);
    Ok(loaded)
}

/// Says what could not be used of a snapshot.
pub(crate) fn warn(issues: &[SnapshotIssue], printer: &Printer) {
    for issue in issues {
        printer.warning(&format!("snapshot: {}: {}", issue.path, issue.message));
    }
}

/// The snapshot that files make, and what could not be used of it.
pub(crate) fn snapshot_of(
    path: &Path,
    files: &[(String, Vec<u8>)],
) -> Result<(LoadedSnapshot, Vec<SnapshotIssue>), ProgramError> {
    let name = path.display().to_string();
    let (snapshot, mut issues) = Snapshot::read(&borrowed(files), Catalogue::bundled())
        .map_err(|cause| ProgramError::Snapshot { path: name, cause })?;
    let (_, problems) = Trails::of(&snapshot);
    issues.extend(problems.into_iter().map(|problem| SnapshotIssue {
        path: problem.path,
        message: problem.message,
    }));
    let loaded = LoadedSnapshot {
        snapshot,
        whole: issues.is_empty(),
    };
    Ok((loaded, issues))
}

/// Files as the snapshot's reader and an overlay take them.
pub(crate) fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<SnapshotFile<'_>> {
    files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect()
}

/// The files of a snapshot over which a change was laid.
pub(crate) fn owned(files: Vec<(Cow<'_, str>, Cow<'_, [u8]>)>) -> Vec<(String, Vec<u8>)> {
    files
        .into_iter()
        .map(|(path, bytes)| (path.into_owned(), bytes.into_owned()))
        .collect()
}

/// The files of a snapshot folder by their paths in it, or the one file.
pub(crate) fn snapshot_files(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    if !fs::metadata(path)?.is_dir() {
        let name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        return Ok(vec![(name, fs::read(path)?)]);
    }
    let mut files = Vec::new();
    let mut folders = vec![(path.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let key = format!("{prefix}{name}");
            if fs::metadata(entry.path())?.is_dir() {
                folders.push((entry.path(), format!("{key}/")));
            } else {
                files.push((key, fs::read(entry.path())?));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The sources, and what is in them that is no log.
pub(crate) struct Sources {
    pub(crate) sources: Vec<Box<dyn Source>>,
    /// For each source the key of the snapshot that lies within it.
    pub(crate) excluded: Vec<Vec<String>>,
}

/// Opens the sources. A snapshot that lies within one is no log.
pub(crate) fn sources(
    (locations, s3): (&[Location], &S3Args),
    iam: &Path,
) -> Result<Sources, ProgramError> {
    let mut all = Sources {
        sources: Vec::new(),
        excluded: Vec::new(),
    };
    for location in locations {
        all.sources.push(location.source(s3)?);
        let excluded = match location {
            Location::Folder(path) => key_within(path, iam),
            Location::Bucket(_) => None,
        };
        all.excluded.push(excluded.into_iter().collect());
    }
    Ok(all)
}

impl Sources {
    /// Whether there is anything to read, as far as names tell, or anything that cannot be listed.
    pub(crate) fn hold_log_files(&self) -> bool {
        let mut sources = self.sources.iter().zip(&self.excluded);
        sources.any(|(source, excluded)| holds_log_file(source.as_ref(), excluded))
    }

    /// All log files, as far as names tell, in the order of their delivery; what cannot be listed is
    /// said on standard error.
    pub(crate) fn log_files(&self, printer: &Printer) -> Vec<PlannedFile> {
        let mut files = Vec::new();
        for file in self.list() {
            match file {
                Ok(file) => files.push(file),
                Err(error) => printer.warning(&error.to_string()),
            }
        }
        files.sort_by(|a, b| (a.minute(), &a.key).cmp(&(b.minute(), &b.key)));
        files
    }

    fn list(&self) -> impl Iterator<Item = Result<PlannedFile, StorageError>> {
        let sources = self.sources.iter().zip(&self.excluded).enumerate();
        sources.flat_map(|(index, (source, excluded))| {
            source
                .list(&Range::default())
                .filter_map(move |entry| match entry {
                    Ok(Entry { key, size }) if is_log(&key, excluded) => {
                        Some(Ok(PlannedFile::new(index, key, size)))
                    }
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
        })
    }
}

/// Whether a key is a log file's, as far as names tell.
fn is_log(key: &str, excluded: &[String]) -> bool {
    let is_excluded = excluded.iter().any(|excluded| {
        key.strip_prefix(excluded.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    LogKey::parse(key).kind == LogKind::Events && !is_excluded
}

/// Whether a log file, or anything that cannot be listed, is in a source. It looks into one folder after
/// the other, because in a bucket there may be years of other files before the first log file.
fn holds_log_file(source: &dyn Source, excluded: &[String]) -> bool {
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for child in source.children(&folder) {
            match child {
                Ok(Child::File(entry)) if is_log(&entry.key, excluded) => return true,
                Ok(Child::Folder(key)) if is_log(&format!("{key}a.json"), excluded) => {
                    folders.push(key);
                }
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    }
    false
}

/// The key that `path` has in the folder `root`; `None` where it lies outside.
fn key_within(root: &Path, path: &Path) -> Option<String> {
    let (root, path) = (fs::canonicalize(root).ok()?, fs::canonicalize(path).ok()?);
    let inside = path.strip_prefix(root).ok()?;
    Some(inside.to_str()?.to_owned()).filter(|key| !key.is_empty())
}
