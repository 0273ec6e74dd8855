//! The folder: the conformance suite, and what only a folder can do to us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests may fail loudly"
)]

mod conformance;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use retrial_storage::{
    Child, Condition, Entry, Faults, FolderSource, FolderStore, Range, Source, Step, StorageError,
    Store, key,
};
use tempfile::TempDir;

fn write(root: &Path, key: &str, text: &str) {
    let mut path = root.to_owned();
    path.extend(key.split('/').map(|name| key::decode_name(name).unwrap()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn results(root: &Path) -> Vec<Result<String, StorageError>> {
    let source = FolderSource::open(root).unwrap();
    source
        .list(&Range::default())
        .map(|entry| entry.map(|entry| entry.key))
        .collect()
}

/// The listing, errors as their messages.
fn listing(root: &Path) -> Vec<String> {
    results(root)
        .into_iter()
        .map(|entry| entry.unwrap_or_else(|error| format!("! {error}")))
        .collect()
}

/// What a listing says, found level by level.
fn walked(root: &Path) -> Vec<String> {
    let source = FolderSource::open(root).unwrap();
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let mut inner = Vec::new();
        for child in source.children(&folder) {
            match child {
                Ok(Child::File(entry)) => found.push(entry.key),
                Ok(Child::Folder(key)) => inner.push(key),
                Err(error) => found.push(format!("! {error}")),
            }
        }
        folders.extend(inner.into_iter().rev());
    }
    found
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn the_folder_source_conforms() {
    let folder = TempDir::new().unwrap();
    for (key, text) in conformance::FILES {
        write(folder.path(), key, text);
    }
    conformance::source(&FolderSource::open(folder.path()).unwrap(), &[]);
}

#[test]
fn the_folder_store_conforms() {
    let folders = RefCell::new(Vec::new());
    conformance::store(&|| {
        let folder = TempDir::new().unwrap();
        let store = FolderStore::create(&folder.path().join("not/yet/there")).unwrap();
        folders.borrow_mut().push(folder);
        Box::new(store)
    });
}

#[test]
fn a_single_file_is_a_source() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "one%0A.json", "text");
    let path = folder.path().join("one\n.json");
    assert_eq!(listing(&path), ["one%0A.json"]);
    let source = FolderSource::open(&path).unwrap();
    let mut text = String::new();
    source
        .open("one%0A.json")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "text");
    assert!(source.open("other").err().unwrap().is_not_found());
    assert_eq!(source.folders("").unwrap(), [""; 0]);
    let children: Vec<Child> = source.children("").map(Result::unwrap).collect();
    let size = 4;
    let key = "one%0A.json".to_owned();
    assert_eq!(children, [Child::File(Entry { key, size })]);
    assert_eq!(source.children("one/").count(), 0);
    assert_eq!(source.size("one%0A.json").unwrap(), Some(4));
    let missing = FolderSource::open(&folder.path().join("none")).unwrap_err();
    assert!(
        missing.to_string().ends_with("/none`: not found"),
        "{missing}"
    );
}

#[cfg(unix)]
#[test]
fn names_of_any_bytes_have_keys_of_their_own() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = TempDir::new().unwrap();
    let names: [&[u8]; 7] = [
        b"\xff.gz", b"%FF.gz", b"a\nb", b"\x1b[2J", b"..x", b"...", b" ",
    ];
    for name in names {
        fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let source = FolderSource::open(folder.path()).unwrap();
    let keys = listing(folder.path());
    assert_eq!(
        keys,
        [" ", "%1B[2J", "%25FF.gz", "%FF.gz", "...", "..x", "a%0Ab"]
    );
    for key in keys {
        let mut content = Vec::new();
        source
            .open(&key)
            .unwrap()
            .read_to_end(&mut content)
            .unwrap();
        assert_eq!(key::encode_bytes(&content), key);
    }
}

/// A hint is no reason to wait, nor to fail.
#[cfg(unix)]
#[test]
fn announced_files_are_as_they_were() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "a/file.json", "content");
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let source = FolderSource::open(folder.path()).unwrap();
    let next = [("missing", 7), ("pipe", 7), ("a/file.json", 0), ("../x", 7)];
    source.announce(&next);
    source.announce(&next);
    let mut content = String::new();
    let mut file = source.open("a/file.json").unwrap();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_never_in_a_circle() {
    use std::os::unix::fs::symlink;

    let outside = TempDir::new().unwrap();
    write(outside.path(), "sub/far.json", "far");
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    write(root, "a/file.json", "x");
    symlink("a/file.json", root.join("b-link")).unwrap();
    symlink("nowhere", root.join("c-broken")).unwrap();
    symlink("..", root.join("a/up")).unwrap();
    symlink(".", root.join("d-self")).unwrap();
    symlink(outside.path(), root.join("e-out")).unwrap();
    symlink(root, outside.path().join("sub/back")).unwrap();
    let parent = root.parent().unwrap();
    symlink(parent, root.join("f-parent")).unwrap();
    let loops = "is a symbolic link to a folder that contains it";
    assert_eq!(
        listing(root),
        [
            "a/file.json".to_owned(),
            format!("! `a/up` {loops}"),
            "b-link".to_owned(),
            "! cannot list `c-broken`: not found".to_owned(),
            format!("! `d-self` {loops}"),
            format!("! `e-out/sub/back` {loops}"),
            "e-out/sub/far.json".to_owned(),
            format!("! `f-parent` {loops}"),
        ]
    );
    assert_eq!(
        FolderSource::open(root).unwrap().folders("").unwrap(),
        ["a/", "d-self/", "e-out/", "f-parent/"]
    );
    assert_eq!(sorted(walked(root)), sorted(listing(root)));
}

/// Two links in each of 40 folders to the next: 2⁴⁰ ways through.
#[cfg(unix)]
#[test]
fn links_that_multiply_are_cut() {
    use std::os::unix::fs::symlink;

    let folder = TempDir::new().unwrap();
    for level in 0..40 {
        let here = folder.path().join(level.to_string());
        fs::create_dir(&here).unwrap();
        for name in ["x", "y"] {
            symlink(format!("../{}", level + 1), here.join(name)).unwrap();
        }
    }
    fs::create_dir(folder.path().join("40")).unwrap();
    let cut = results(&folder.path().join("0"));
    assert_eq!(cut.len(), 512);
    let walked = walked(&folder.path().join("0"));
    assert_eq!(walked.len(), 512);
    let error = cut[0].as_ref().unwrap_err();
    assert_eq!(walked[0], format!("! {error}"));
    assert!(
        error
            .to_string()
            .ends_with("is a symbolic link to a folder, the 9th within another: not followed")
    );
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_said_and_the_listing_goes_on() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    for key in ["a/1", "b/2", "c/3"] {
        write(folder.path(), key, "x");
    }
    std::os::unix::net::UnixListener::bind(folder.path().join("a/socket")).unwrap();
    let closed = folder.path().join("b");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    let listing = listing(folder.path());
    let denied = fs::read_dir(&closed).is_err();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    // Root may read everything; then there is nothing to be denied.
    let second = if denied {
        "! cannot list `b/`: permission denied"
    } else {
        "b/2"
    };
    assert_eq!(
        listing,
        [
            "a/1",
            "! `a/socket` is neither a file nor a folder",
            second,
            "c/3"
        ]
    );
    let source = FolderSource::open(folder.path()).unwrap();
    for key in ["..", "../x/", "/etc/", "a/../"] {
        let error = source.children(key).next().unwrap().unwrap_err();
        assert!(matches!(error, StorageError::InvalidKey { .. }), "{key}");
    }
    let missing = source.children("none/").next().unwrap().unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    assert!(matches!(
        source.open("a/socket"),
        Err(StorageError::NotAFile { .. })
    ));
    assert!(matches!(
        source.open("a"),
        Err(StorageError::NotAFile { .. })
    ));
}

#[test]
fn a_hundred_thousand_files_list_quickly() {
    let folder = TempDir::new().unwrap();
    for index in 0..100_000 {
        fs::File::create(folder.path().join(format!("{index}.json.gz"))).unwrap();
    }
    let start = Instant::now();
    let source = FolderSource::open(folder.path()).unwrap();
    let keys: Vec<String> = source
        .list(&Range::default())
        .map(|entry| entry.unwrap().key)
        .collect();
    let elapsed = start.elapsed();
    assert_eq!(keys.len(), 100_000);
    assert!(keys.is_sorted());
    eprintln!("100,000 files listed in {elapsed:?}");
    // A second on an idle machine; the rest is for a busy one.
    assert!(elapsed.as_secs() < 5, "{elapsed:?}");
}

/// Fails the `nth` durable step, and notes all steps.
#[derive(Clone)]
struct FailNth {
    nth: usize,
    seen: Arc<AtomicUsize>,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl FailNth {
    fn new(nth: usize) -> Self {
        Self {
            nth,
            seen: Arc::default(),
            steps: Arc::default(),
        }
    }
}

impl Faults for FailNth {
    fn before(&self, step: Step, _key: &str) -> io::Result<()> {
        self.steps.lock().unwrap().push(step);
        if self.seen.fetch_add(1, Ordering::Relaxed) == self.nth {
            return Err(io::Error::other("planted"));
        }
        Ok(())
    }
}

/// A put, an upload, a delete and a clean-up, as a commit does them.
fn commit(store: &FolderStore) -> Result<(), StorageError> {
    store.put("state/checkpoint", b"new", Condition::Always)?;
    let mut upload = store.begin("data/part")?;
    // A write's error keeps the place.
    upload.write_all(&[7; 3_000_000]).map_err(|error| {
        let error: StorageError = error.downcast().unwrap();
        error
    })?;
    upload.complete()?;
    store.delete("state/old")?;
    store.clean()?;
    Ok(())
}

#[test]
fn a_fault_at_any_step_leaves_only_whole_objects() {
    let mut covered = Vec::new();
    for nth in 0.. {
        let folder = TempDir::new().unwrap();
        let root = folder.path();
        write(root, "state/checkpoint", "old");
        write(root, "state/old", "old");
        // A leftover of a dead writer.
        fs::write(root.join("state/.retrial-tmp-1-1"), "half").unwrap();
        let faults = FailNth::new(nth);
        let outcome =
            FolderStore::create_with_faults(root, faults.clone()).and_then(|store| commit(&store));
        covered = faults.steps.lock().unwrap().clone();
        if let Err(error) = &outcome {
            let failed = *covered.last().unwrap();
            assert_eq!(error.step(), Some(failed));
            assert!(error.is_retryable());
        }
        check_whole(root, outcome.is_ok());
        if outcome.is_ok() {
            break;
        }
    }
    for step in Step::DURABLE {
        assert!(covered.contains(&step), "{step:?} was never reached");
    }
}

#[track_caller]
fn check_whole(root: &Path, done: bool) {
    let store = FolderStore::open(root).unwrap();
    let keys: Vec<String> = store.list("").unwrap().into_iter().map(|e| e.key).collect();
    let checkpoint = store.read("state/checkpoint").unwrap().unwrap().bytes;
    assert!(checkpoint == b"old" || checkpoint == b"new");
    let part = store.read("data/part").unwrap();
    assert!(part.is_none_or(|object| object.bytes == [7; 3_000_000]));
    // The listing shows no leftovers, and a clean-up removes them.
    assert!(keys.iter().all(|key| !key.contains(".retrial-")));
    store.clean().unwrap();
    assert_eq!(store.clean().unwrap(), 0);
    if done {
        assert_eq!(keys, ["data/part", "state/checkpoint"]);
        assert_eq!(checkpoint, b"new");
    }
}

#[test]
fn an_upload_that_failed_once_never_appears() {
    let folder = TempDir::new().unwrap();
    let faults = |step, _: &str| match step {
        Step::UploadWrite => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    };
    struct Hook<F>(F);
    impl<F: Fn(Step, &str) -> io::Result<()> + Send + Sync> Faults for Hook<F> {
        fn before(&self, step: Step, key: &str) -> io::Result<()> {
            self.0(step, key)
        }
    }
    let store = FolderStore::create_with_faults(folder.path(), Hook(faults)).unwrap();
    let mut upload = store.begin("part").unwrap();
    let error = upload.write_all(&[0; 2 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(error.to_string(), "cannot write `part`: no storage space");
    assert!(upload.write_all(b"more").is_err());
    assert!(upload.complete().is_err());
    assert_eq!(store.list("").unwrap(), []);
    assert_eq!(store.clean().unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn an_output_that_cannot_be_written_fails_at_once() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "file", "");
    let error = FolderStore::create(&folder.path().join("file"))
        .err()
        .unwrap();
    assert!(
        error.to_string().starts_with("cannot create the folder `"),
        "{error}"
    );
    assert!(FolderStore::open(&folder.path().join("file")).is_err());
    assert!(FolderStore::open(&folder.path().join("none")).is_err());
}
