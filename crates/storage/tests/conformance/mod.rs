//! What every source and every store must do, whatever is behind it.
//!
//! A new kind calls [`source`] and [`store`] with a way to make an empty one, and is held to the same
//! words as the folder.

use std::io::{Read, Write};

use retrial_storage::{
    Child, Condition, Listing, Range, Source, StorageError, Store, TEMPORARY_PREFIX,
};

/// Files that every source is made with: keys and contents.
pub(crate) const FILES: [(&str, &str); 6] = [
    ("AWSLogs/111122223333/a.json.gz", "a"),
    ("AWSLogs/111122223333/b.json.gz", "bb"),
    // In byte order of whole keys `-` comes before `/`.
    ("AWSLogs-old/c.json.gz", "ccc"),
    ("empty", ""),
    ("é 😀.json", "é"),
    ("with%25percent%0Aand newline", "x"),
];

/// The suite for a source that holds [`FILES`]. A server may order otherwise than S3 does: listings
/// that start after one of `unordered` are then left out.
pub(crate) fn source(source: &dyn Source, unordered: &[&str]) {
    let mut expected: Vec<(String, u64)> = FILES
        .iter()
        .map(|(key, text)| ((*key).to_owned(), text.len() as u64))
        .collect();
    expected.sort();
    assert_eq!(
        listed(source, &Range::default()),
        expected,
        "all, in byte order"
    );
    assert_eq!(
        listed(source, &Range::default()),
        expected,
        "the same again"
    );
    ranges(source, &expected, unordered);

    assert_eq!(source.folders("").unwrap(), ["AWSLogs-old/", "AWSLogs/"]);
    assert_eq!(
        source.folders("AWSLogs/").unwrap(),
        ["AWSLogs/111122223333/"]
    );
    assert_eq!(
        source.folders("AWSLogs/111122223333/").unwrap(),
        [""; 0] as [&str; 0]
    );

    levels(source);
    if unordered.is_empty() {
        levels(&ByListing(source));
    }
    for (key, text) in FILES {
        assert_eq!(source.size(key).unwrap(), Some(text.len() as u64));
        assert_eq!(
            ByListing(source).size(key).unwrap(),
            Some(text.len() as u64)
        );
        let mut content = String::new();
        source
            .open(key)
            .unwrap()
            .read_to_string(&mut content)
            .unwrap();
        assert_eq!(content, text);
    }
    for key in ["", "..", "../x", "/etc/passwd", "a//b", "a\nb", "%41"] {
        let error = source.open(key).err().unwrap();
        assert!(
            matches!(error, StorageError::InvalidKey { .. }),
            "{key:?}: {error}"
        );
    }
    let missing = source.open("not/there").err().unwrap();
    assert!(missing.is_not_found() && missing.is_retryable());
    assert_eq!(missing.to_string(), "cannot open `not/there`: not found");
}

/// A source that leaves to the trait what it can.
struct ByListing<'s>(&'s dyn Source);

impl Source for ByListing<'_> {
    fn list(&self, range: &Range) -> Listing {
        self.0.list(range)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        self.0.folders(folder)
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        self.0.open(key)
    }

    fn location(&self) -> &str {
        self.0.location()
    }
}

/// [`FILES`] level by level.
fn levels(source: &dyn Source) {
    let children = |folder: &str| -> Vec<String> {
        let children = source.children(folder).map(|child| match child.unwrap() {
            Child::File(entry) => format!("{} {}", entry.key, entry.size),
            Child::Folder(key) => key,
        });
        children.collect()
    };
    assert_eq!(
        children(""),
        [
            "AWSLogs-old/",
            "AWSLogs/",
            "empty 0",
            "with%25percent%0Aand newline 1",
            "é 😀.json 2"
        ]
    );
    assert_eq!(children("AWSLogs/"), ["AWSLogs/111122223333/"]);
    assert_eq!(
        children("AWSLogs/111122223333/"),
        [
            "AWSLogs/111122223333/a.json.gz 1",
            "AWSLogs/111122223333/b.json.gz 2"
        ]
    );
    for key in ["AWSLogs", "AWSLogs/111122223333/a", "nothing"] {
        assert_eq!(source.size(key).unwrap(), None, "{key}");
    }
}

fn ranges(source: &dyn Source, expected: &[(String, u64)], unordered: &[&str]) {
    let prefixes = [
        "",
        "A",
        "AWSLogs",
        "AWSLogs/",
        "AWSLogs/111122223333/b",
        "z",
    ];
    let afters = [
        None,
        Some(""),
        Some("AWSLogs/111122223333/a.json.gz"),
        Some("AWSLogs-old/zzz"),
        Some("empty"),
        Some("zzzz"),
    ];
    for prefix in prefixes {
        for after in afters {
            if after.is_some_and(|after| unordered.contains(&after)) {
                continue;
            }
            let range = Range {
                prefix: prefix.to_owned(),
                start_after: after.map(str::to_owned),
            };
            let within: Vec<_> = expected
                .iter()
                .filter(|(key, _)| {
                    key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a)
                })
                .cloned()
                .collect();
            assert_eq!(listed(source, &range), within, "{range:?}");
        }
    }
}

fn listed(source: &dyn Source, range: &Range) -> Vec<(String, u64)> {
    source
        .list(range)
        .map(|entry| entry.map(|entry| (entry.key, entry.size)).unwrap())
        .collect()
}

/// The suite for a store; `make` gives an empty one each time.
pub(crate) fn store(make: &dyn Fn() -> Box<dyn Store>) {
    puts(&*make());
    conditions(&*make());
    uploads(&*make());
    uploads_create(&*make());
    uploads_race(&*make());
    unfinished(&*make());
    listings(&*make());
    keys(&*make());
    swaps(&*make());
}

fn puts(store: &dyn Store) {
    assert_eq!(store.read("a/b").unwrap(), None);
    assert_eq!(store.size("a/b").unwrap(), None);
    let first = store.put("a/b", b"one", Condition::Always).unwrap();
    let object = store.read("a/b").unwrap().unwrap();
    assert_eq!(
        (object.bytes.as_slice(), &object.version),
        (&b"one"[..], &first)
    );
    let second = store.put("a/b", b"", Condition::Always).unwrap();
    assert_ne!(first, second);
    assert_eq!(store.size("a/b").unwrap(), Some(0));

    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    store.put("c", &bytes, Condition::Always).unwrap();
    assert_eq!(store.read_range("c", 300, 5).unwrap(), bytes[300..305]);
    assert_eq!(store.read_range("c", 99_998, 5).unwrap(), bytes[99_998..]);
    assert!(store.read_range("no", 0, 1).unwrap_err().is_not_found());

    store.delete("a/b").unwrap();
    assert_eq!(store.read("a/b").unwrap(), None);
    store.delete("a/b").unwrap();
    store.delete("never/was").unwrap();
}

fn conditions(store: &dyn Store) {
    let first = store.put("k", b"1", Condition::IfAbsent).unwrap();
    assert!(
        store
            .put("k", b"2", Condition::IfAbsent)
            .unwrap_err()
            .is_conflict()
    );
    let second = store
        .put("k", b"2", Condition::IfMatch(first.clone()))
        .unwrap();
    let stale = store
        .put("k", b"3", Condition::IfMatch(first.clone()))
        .unwrap_err();
    assert!(stale.is_conflict() && !stale.is_retryable());
    assert_eq!(stale.key(), "k");
    let object = store.read("k").unwrap().unwrap();
    assert_eq!(
        (object.bytes.as_slice(), object.version),
        (&b"2"[..], second)
    );
    // Nothing there matches no version.
    assert!(
        store
            .put("other", b"1", Condition::IfMatch(first))
            .unwrap_err()
            .is_conflict()
    );
}

fn uploads(store: &dyn Store) {
    let chunk: Vec<u8> = (0..=250).cycle().take(700_001).collect();
    let mut upload = store.begin("t/event_date=2026-11-02/part.parquet").unwrap();
    for _ in 0..5 {
        upload.write_all(&chunk).unwrap();
    }
    upload.flush().unwrap();
    assert_eq!(store.list("").unwrap(), [], "invisible until complete");
    assert_eq!(upload.complete().unwrap(), 3_500_005);
    let object = store
        .read("t/event_date=2026-11-02/part.parquet")
        .unwrap()
        .unwrap();
    assert!(object.bytes == chunk.repeat(5));

    // An empty one is an object, too; once deleted, a key is free again.
    for _ in 0..2 {
        let upload = store.begin("t/empty").unwrap();
        assert_eq!(upload.complete().unwrap(), 0);
        assert_eq!(store.size("t/empty").unwrap(), Some(0));
        store.delete("t/empty").unwrap();
    }
}

/// An upload never replaces what is there, whoever wrote it and however late.
fn uploads_create(store: &dyn Store) {
    store.put("put", b"old", Condition::Always).unwrap();
    let mut first = store.begin("upload").unwrap();
    first.write_all(b"first").unwrap();
    let mut second = store.begin("upload").unwrap();
    second.write_all(b"second").unwrap();
    second.complete().unwrap();
    let mut third = store.begin("put").unwrap();
    third.write_all(b"new").unwrap();
    for (upload, key, stays) in [
        (first, "upload", &b"second"[..]),
        (third, "put", &b"old"[..]),
        (store.begin("upload").unwrap(), "upload", b"second"),
    ] {
        let error = upload.complete().unwrap_err();
        assert!(error.is_conflict() && !error.is_retryable(), "{error}");
        assert_eq!(error.key(), key);
        assert_eq!(store.read(key).unwrap().unwrap().bytes, stays);
    }
    assert_eq!(store.clean().unwrap(), 0, "the losers leave nothing behind");
    // A put replaces an uploaded object where its condition holds.
    let version = store.read("upload").unwrap().unwrap().version;
    store
        .put("upload", b"put", Condition::IfMatch(version))
        .unwrap();
    assert_eq!(store.read("upload").unwrap().unwrap().bytes, b"put");
}

/// Of many uploads to one key at once exactly one wins, and its bytes are the object.
fn uploads_race(store: &dyn Store) {
    const WRITERS: u8 = 8;
    let won: Vec<u8> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                scope.spawn(move || {
                    let mut upload = store.begin("race").unwrap();
                    upload.write_all(&[number; 1000]).unwrap();
                    match upload.complete() {
                        Ok(size) => Some((number, size)),
                        Err(error) => {
                            assert!(error.is_conflict(), "{error}");
                            None
                        }
                    }
                })
            })
            .collect();
        let results = writers.into_iter().filter_map(|w| w.join().unwrap());
        results.map(|(number, _)| number).collect()
    });
    let &[winner] = won.as_slice() else {
        panic!("{won:?} have won");
    };
    let object = store.read("race").unwrap().unwrap();
    assert_eq!(object.bytes, [winner; 1000]);
}

fn unfinished(store: &dyn Store) {
    store.put("x/whole", b"old", Condition::Always).unwrap();
    let mut dropped = store.begin("x/whole").unwrap();
    dropped.write_all(b"half").unwrap();
    drop(dropped);
    let mut aborted = store.begin("x/other").unwrap();
    aborted.write_all(b"half").unwrap();
    aborted.abort().unwrap();
    let mut alive = store.begin("x/alive").unwrap();
    alive.write_all(b"whole").unwrap();

    assert_eq!(store.clean().unwrap(), 0, "nothing is left over");
    assert_eq!(
        alive.complete().unwrap(),
        5,
        "a living upload is not cleaned"
    );
    let keys: Vec<_> = store.list("").unwrap().into_iter().map(|e| e.key).collect();
    assert_eq!(keys, ["x/alive", "x/whole"]);
    assert_eq!(store.read("x/whole").unwrap().unwrap().bytes, b"old");
}

fn listings(store: &dyn Store) {
    for key in ["b/2", "b/1", "b-0", "a", "b/sub/3"] {
        store.put(key, key.as_bytes(), Condition::Always).unwrap();
    }
    let keys = |prefix: &str| -> Vec<String> {
        let entries = store.list(prefix).unwrap();
        entries.into_iter().map(|entry| entry.key).collect()
    };
    assert_eq!(keys(""), ["a", "b-0", "b/1", "b/2", "b/sub/3"]);
    assert_eq!(keys("b"), ["b-0", "b/1", "b/2", "b/sub/3"]);
    assert_eq!(keys("b/"), ["b/1", "b/2", "b/sub/3"]);
    assert_eq!(keys("b/s"), ["b/sub/3"]);
    assert_eq!(keys("c"), [""; 0]);
}

fn keys(store: &dyn Store) {
    let reserved = format!("a/{TEMPORARY_PREFIX}1");
    for key in [
        "", "/a", "a/", "../a", "a/../b", "a//b", "%41", "a\nb", &reserved,
    ] {
        let results = [
            store.put(key, b"", Condition::Always).err(),
            store.begin(key).err(),
            store.read(key).err(),
            store.size(key).err(),
            store.read_range(key, 0, 1).err(),
            store.delete(key).err(),
        ];
        for error in results {
            let error = error.unwrap();
            assert!(
                matches!(error, StorageError::InvalidKey { .. }),
                "{key:?}: {error}"
            );
            assert!(!error.to_string().contains('\n'));
        }
    }
    assert_eq!(store.list("").unwrap(), []);
    let odd = "odd/%0A%25 é";
    store.put(odd, b"1", Condition::Always).unwrap();
    assert_eq!(store.list("odd/").unwrap()[0].key, odd);
}

/// Many writers count one number up; no count may be lost.
fn swaps(store: &dyn Store) {
    const WRITERS: usize = 4;
    const TIMES: usize = 10;
    store.put("count", b"0", Condition::IfAbsent).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    count_up(store);
                }
            });
        }
    });
    let total = store.read("count").unwrap().unwrap().bytes;
    assert_eq!(total, (WRITERS * TIMES).to_string().into_bytes());
}

fn count_up(store: &dyn Store) {
    loop {
        let now = store.read("count").unwrap().unwrap();
        let count: usize = String::from_utf8(now.bytes).unwrap().parse().unwrap();
        let next = (count + 1).to_string();
        match store.put("count", next.as_bytes(), Condition::IfMatch(now.version)) {
            Ok(_) => return,
            Err(error) => assert!(error.is_conflict(), "{error}"),
        }
    }
}
