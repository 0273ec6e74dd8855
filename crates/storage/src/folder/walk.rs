//! Walking a folder, in byte order of keys.
//!
//! A folder sorts as its name with the `/` behind it, so that a depth-first walk is in order of the
//! whole keys (`a-b` comes before `a/c`, as in a bucket).
//!
//! Symbolic links are followed, to files and to folders. A link to a folder that contains it would
//! never end and is refused; links to folders within linked folders are followed to a depth of
//! [`MAX_LINKED_FOLDERS`].
//!
//! # Memory
//! The names of the folders on the path from the root to the current file, nothing else.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use crate::error::StorageError;
use crate::faults::Step;
use crate::key;
use crate::source::{self, Entry, Range};
use crate::store::INTERNAL_PREFIX;

/// How many symbolic links to folders are followed on the way to one file. Each link in a folder
/// multiplies what lies below it, so that a few well-placed ones could keep a walk busy for ever;
/// real trees have one or two.
pub(crate) const MAX_LINKED_FOLDERS: usize = 8;

/// Whether the walk shows the store's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Internal {
    /// Not shown.
    Hidden,
    /// Shown as any other.
    Shown,
}

/// A walk in progress.
pub(crate) struct Walk {
    root: PathBuf,
    /// For the root's own errors.
    location: String,
    range: Range,
    internal: Internal,
    started: bool,
    stack: Vec<Frame>,
}

/// One folder on the path.
struct Frame {
    path: PathBuf,
    /// Its key, with the `/`; empty for the root.
    key: String,
    /// How many of the folders up to here were reached by a link.
    links: usize,
    children: std::vec::IntoIter<Child>,
}

struct Child {
    /// The encoded name; a folder's ends in `/`.
    name: String,
    kind: Kind,
}

enum Kind {
    File,
    /// A link to a file has been looked at already.
    LinkedFile {
        size: u64,
    },
    Folder,
    LinkedFolder,
    Error(StorageError),
}

impl Walk {
    pub(crate) fn new(root: &Path, location: &str, range: Range, internal: Internal) -> Self {
        Self {
            root: root.to_owned(),
            location: location.to_owned(),
            range,
            internal,
            started: false,
            stack: Vec::new(),
        }
    }

    fn enter(&mut self, path: PathBuf, key: String, links: usize) -> Result<(), StorageError> {
        let children = self.children(&path, &key)?;
        self.stack.push(Frame {
            path,
            key,
            links,
            children: children.into_iter(),
        });
        Ok(())
    }

    /// The folder's children within the range, sorted.
    fn children(&self, path: &Path, folder: &str) -> Result<Vec<Child>, StorageError> {
        let place = if folder.is_empty() {
            &self.location
        } else {
            folder
        };
        let failed = |cause| StorageError::io(Step::List, place, cause);
        let mut children = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let child = match entry {
                Ok(entry) => child(&entry, folder),
                // It has no name to stand under: it comes first.
                Err(cause) => Child {
                    name: String::new(),
                    kind: Kind::Error(failed(cause)),
                },
            };
            if self.wants(folder, &child) {
                children.push(child);
            }
        }
        children.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(children)
    }

    fn wants(&self, folder: &str, child: &Child) -> bool {
        if self.internal == Internal::Hidden && child.name.starts_with(INTERNAL_PREFIX) {
            return false;
        }
        let key = format!("{folder}{}", child.name);
        match child.kind {
            Kind::Folder | Kind::LinkedFolder => self.range.touches_folder(&key),
            Kind::File | Kind::LinkedFile { .. } => self.range.contains(&key),
            // A broken link could be a folder: shown wherever either would be.
            Kind::Error(_) => self.range.contains(&key) || self.range.touches_folder(&key),
        }
    }

    /// Enters a linked folder, unless that never ends.
    fn enter_linked(
        &mut self,
        path: PathBuf,
        key: String,
        links: usize,
    ) -> Result<(), StorageError> {
        self.check_link(&path, &key, links)?;
        self.enter(path, key, links + 1)
    }

    /// Whether a linked folder may be entered.
    fn check_link(&self, path: &Path, key: &str, links: usize) -> Result<(), StorageError> {
        let name = || key.trim_end_matches('/').to_owned();
        if links >= MAX_LINKED_FOLDERS {
            return Err(StorageError::LinksTooDeep {
                key: name(),
                limit: MAX_LINKED_FOLDERS + 1,
            });
        }
        let failed = |cause| StorageError::io(Step::List, key, cause);
        let target = fs::canonicalize(path).map_err(failed)?;
        for frame in &self.stack {
            let folder = fs::canonicalize(&frame.path).map_err(failed)?;
            if folder.starts_with(&target) {
                return Err(StorageError::FolderLoop { key: name() });
            }
        }
        Ok(())
    }

    /// One child: a file's entry, or nothing where a folder was entered.
    fn visit(
        &mut self,
        child: Child,
        path: &Path,
        folder: &str,
        links: usize,
    ) -> Option<Result<Entry, StorageError>> {
        let key = format!("{folder}{}", child.name);
        let size = match child.kind {
            Kind::Error(error) => return Some(Err(error)),
            Kind::LinkedFile { size } => size,
            Kind::Folder => {
                let path = path.join(os_name(&child.name));
                return self.enter(path, key, links).err().map(Err);
            }
            Kind::LinkedFolder => {
                let path = path.join(os_name(&child.name));
                return self.enter_linked(path, key, links).err().map(Err);
            }
            Kind::File => match fs::symlink_metadata(path.join(os_name(&child.name))) {
                Ok(metadata) => metadata.len(),
                Err(cause) => return Some(Err(StorageError::io(Step::List, &key, cause))),
            },
        };
        Some(Ok(Entry { key, size }))
    }
}

impl Iterator for Walk {
    type Item = Result<Entry, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.started {
            self.started = true;
            if let Err(error) = self.enter(self.root.clone(), String::new(), 0) {
                return Some(Err(error));
            }
        }
        loop {
            let frame = self.stack.last_mut()?;
            let Some(child) = frame.children.next() else {
                self.stack.pop();
                continue;
            };
            let (path, key, links) = (frame.path.clone(), frame.key.clone(), frame.links);
            if let Some(item) = self.visit(child, &path, &key, links) {
                return Some(item);
            }
        }
    }
}

/// What stands directly in one folder.
pub(crate) struct Directly(Walk);

impl Directly {
    /// The content of `folder` (empty, or ending in `/`) below `root`.
    pub(crate) fn new(root: &Path, location: &str, folder: &str) -> Result<Self, StorageError> {
        let mut walk = Walk::new(root, location, Range::under(folder), Internal::Shown);
        let (mut path, mut key, mut links) = (root.to_owned(), String::new(), 0);
        // The folders on the way, so that a link back to one of them is known.
        for name in folder.split_terminator('/') {
            walk.stack.push(Frame {
                path: path.clone(),
                key: key.clone(),
                links,
                children: Vec::new().into_iter(),
            });
            path.push(os_name(name));
            key.push_str(name);
            key.push('/');
            links += usize::from(path.is_symlink());
        }
        walk.enter(path, key, links)?;
        Ok(Self(walk))
    }
}

impl Iterator for Directly {
    type Item = Result<source::Child, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self(walk) = self;
        let frame = walk.stack.last_mut()?;
        let child = frame.children.next()?;
        let (path, folder, links) = (frame.path.clone(), frame.key.clone(), frame.links);
        let key = format!("{folder}{}", child.name);
        match child.kind {
            Kind::Folder => Some(Ok(source::Child::Folder(key))),
            Kind::LinkedFolder => {
                let checked = walk.check_link(&path.join(os_name(&child.name)), &key, links);
                Some(checked.map(|()| source::Child::Folder(key)))
            }
            _ => {
                let file = walk.visit(child, &path, &folder, links)?;
                Some(file.map(source::Child::File))
            }
        }
    }
}

/// The file name behind an encoded name. Names here were encoded from real ones, so that decoding
/// succeeds; were it not to, the operating system would not find the name and say so.
fn os_name(name: &str) -> std::ffi::OsString {
    let name = name.trim_end_matches('/');
    key::decode_name(name).unwrap_or_else(|| name.into())
}

fn child(entry: &DirEntry, folder: &str) -> Child {
    let mut name = key::encode_name(&entry.file_name());
    let failed = |name: &str, cause| {
        Kind::Error(StorageError::io(
            Step::List,
            &format!("{folder}{name}"),
            cause,
        ))
    };
    let kind = match entry.file_type() {
        Err(cause) => failed(&name, cause),
        Ok(kind) if kind.is_file() => Kind::File,
        Ok(kind) if kind.is_dir() => Kind::Folder,
        Ok(kind) if kind.is_symlink() => match fs::metadata(entry.path()) {
            Err(cause) => failed(&name, cause),
            Ok(target) if target.is_file() => Kind::LinkedFile { size: target.len() },
            Ok(target) if target.is_dir() => Kind::LinkedFolder,
            Ok(_) => not_a_file(folder, &name),
        },
        Ok(_) => not_a_file(folder, &name),
    };
    if matches!(kind, Kind::Folder | Kind::LinkedFolder) {
        name.push('/');
    }
    Child { name, kind }
}

fn not_a_file(folder: &str, name: &str) -> Kind {
    Kind::Error(StorageError::NotAFile {
        key: format!("{folder}{name}"),
    })
}

/// The folders directly under `path`, as encoded names ending in `/`, sorted.
pub(crate) fn folder_names(path: &Path, folder: &str) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let child = child(&entry?, folder);
        if matches!(child.kind, Kind::Folder | Kind::LinkedFolder) {
            names.push(format!("{folder}{}", child.name));
        }
    }
    names.sort_unstable();
    Ok(names)
}
