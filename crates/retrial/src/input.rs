//! What the commands read: the snapshot, the sources and the plan.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use retrial_iam::{Catalogue, Snapshot, SnapshotFile};
use retrial_pipeline::Plan;
use retrial_storage::{FolderSource, Range, Source};

use crate::error::ProgramError;
use crate::printer::Printer;

/// A snapshot, and whether all of it could be read.
pub(crate) struct LoadedSnapshot {
    pub(crate) snapshot: Snapshot,
    pub(crate) whole: bool,
}

/// Reads a snapshot from one file or a folder; what could not be used of it is said on standard error.
pub(crate) fn snapshot(path: &Path, printer: &Printer) -> Result<LoadedSnapshot, ProgramError> {
    let name = path.display().to_string();
    let files = snapshot_files(path).map_err(|cause| ProgramError::SnapshotUnreadable {
        path: name.clone(),
        cause,
    })?;
    let borrowed: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect();
    let (snapshot, issues) = Snapshot::read(&borrowed, Catalogue::bundled())
        .map_err(|cause| ProgramError::Snapshot { path: name, cause })?;
    for issue in &issues {
        printer.warning(&format!("snapshot: {}: {}", issue.path, issue.message));
    }
    Ok(LoadedSnapshot {
        snapshot,
        whole: issues.is_empty(),
    })
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

/// Sources and the plan over them.
pub(crate) struct Planned {
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) plan: Plan,
}

/// The log files of all sources, in order, and what could not be listed. A snapshot that lies within a
/// source is no log.
pub(crate) fn plan(paths: &[PathBuf], iam: &Path) -> Result<Planned, ProgramError> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    let mut plan = Plan::default();
    for (index, path) in paths.iter().enumerate() {
        let source = FolderSource::open(path).map_err(|cause| ProgramError::Source {
            path: path.display().to_string(),
            cause,
        })?;
        let snapshot = key_within(path, iam);
        let is_snapshot = |key: &str| {
            let rest = snapshot
                .as_deref()
                .and_then(|snapshot| key.strip_prefix(snapshot));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        for entry in source.list(&Range::default()) {
            match entry {
                Ok(entry) if is_snapshot(&entry.key) => plan.set_aside.other += 1,
                Ok(entry) => plan.add(index, entry.key, entry.size),
                Err(error) => plan.add_unlisted(error),
            }
        }
        sources.push(Box::new(source));
    }
    plan.finish();
    Ok(Planned { sources, plan })
}

/// The key that `path` has in the folder `root`; `None` where it lies outside.
fn key_within(root: &Path, path: &Path) -> Option<String> {
    let (root, path) = (fs::canonicalize(root).ok()?, fs::canonicalize(path).ok()?);
    let inside = path.strip_prefix(root).ok()?;
    Some(inside.to_str()?.to_owned()).filter(|key| !key.is_empty())
}
