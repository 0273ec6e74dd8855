//! The sample as a folder: writing it, and comparing one with what would be written.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::{fs, io};

use flate2::read::MultiGzDecoder;

use crate::sample::Files;

/// The subfolders that hold nothing but what is made here.
const OURS: [&str; 2] = ["AWSLogs", "iam"];

/// Writes all files, and removes from our subfolders what is no longer made.
pub(crate) fn write(folder: &Path, files: &Files) -> io::Result<()> {
    for stale in stale(folder, files)? {
        fs::remove_file(folder.join(stale))?;
    }
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// One line for each file that is missing, too many, or holds something else. Compressed files are
/// compared by what they hold: another version of the compressor may write other bytes.
pub(crate) fn differences(folder: &Path, files: &Files) -> io::Result<Vec<String>> {
    let mut lines: Vec<String> = stale(folder, files)?
        .into_iter()
        .map(|path| format!("not made any more: `{path}`"))
        .collect();
    for (path, bytes) in files {
        match fs::read(folder.join(path)) {
            Ok(present) if content(path, &present)? == content(path, bytes)? => {}
            Ok(_) => lines.push(format!("differs: `{path}`")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                lines.push(format!("missing: `{path}`"))
            }
            Err(error) => return Err(error),
        }
    }
    Ok(lines)
}

fn content(path: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    if !path.ends_with(".gz") {
        return Ok(bytes.to_vec());
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text)?;
    Ok(text)
}

fn stale(folder: &Path, files: &Files) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for ours in OURS {
        walk(&folder.join(ours), ours, &mut found)?;
    }
    found.retain(|path| !files.contains_key(path));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => walk(&entry.path(), &path, found)?,
            false => drop(found.insert(path)),
        }
    }
    Ok(())
}
