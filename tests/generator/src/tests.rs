//! The committed sample is what the generator makes, its README tells its numbers, and a corpus is
//! the same whatever the threads.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::corpus::{self, Options};
use crate::sample;
use crate::sample_folder;

fn sample_logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs")
}

fn records(file: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("a gzip file");
    let mut whole: Value = serde_json::from_str(&text).expect("JSON");
    match whole["Records"].take() {
        Value::Array(records) => records,
        _ => Vec::new(),
    }
}

#[test]
fn the_committed_sample_is_what_is_made() {
    let differences =
        sample_folder::differences(&sample_logs(), &sample::files()).expect("readable");
    assert_eq!(
        differences,
        Vec::<String>::new(),
        "run `retrial-generator sample --out sample-logs`"
    );
}

#[test]
fn the_sample_is_made_the_same_twice() {
    assert_eq!(sample::files(), sample::files());
}

#[test]
fn the_readme_tells_the_numbers_of_the_truth() {
    let readme = fs::read_to_string(sample_logs().join("README.md")).expect("a README");
    let truth: Value = serde_json::from_slice(&sample::files()["truth.json"]).expect("JSON");
    for story in truth["planted"].as_array().expect("a list") {
        let row = format!(
            "| `{}` | {} | {} |",
            story["id"].as_str().unwrap(),
            story["kind"].as_str().unwrap(),
            story["calls"]
        );
        assert!(readme.contains(&row), "README lacks {row}");
    }
    for (verdict, calls) in truth["verdicts"].as_object().expect("an object") {
        let row = format!("| {verdict} | {calls} |");
        assert!(readme.contains(&row), "README lacks {row}");
    }
    let first = format!(
        "{} records in {} log files",
        truth["records"], truth["files"]
    );
    assert!(readme.contains(&first), "README lacks {first}");
}

#[test]
fn the_sample_holds_together() {
    let files = sample::files();
    let truth: Value = serde_json::from_slice(&files["truth.json"]).expect("JSON");
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for record in files
        .iter()
        .filter(|(key, _)| key.contains("/CloudTrail/"))
        .flat_map(|(_, file)| records(file))
    {
        count += 1;
        ids.insert(record["eventID"].as_str().expect("an id").to_owned());
    }
    // One more for the id that has two bodies.
    let kept = ids.len() + 1;
    assert_eq!(truth["duplicates"]["kept"], kept);
    assert_eq!(truth["duplicates"]["duplicate"], count - kept);
    assert_eq!(truth["duplicates"]["conflicting"], 1);
    assert_eq!(truth["records"], count);
    let planted = truth["planted"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|story| story["event_ids"].as_array().expect("a list"));
    assert!(planted.clone().count() > 100);
    assert!(
        planted
            .clone()
            .all(|id| ids.contains(id.as_str().expect("text"))),
        "every planted call is in the logs"
    );
    let size: usize = files.values().map(Vec::len).sum();
    assert!(size < 600_000, "the sample stays small: {size}");
}

fn corpus(name: &str, threads: usize) -> (PathBuf, sample::Files) {
    let out = std::env::temp_dir().join(format!("retrial-generator-{}-{name}", std::process::id()));
    let options = Options {
        out: out.clone(),
        events: 3001,
        files: 7,
        days: 11,
        principals: 400,
        sessions: true,
        duplicates: 0.5,
        planted: true,
        unique_keys: 0.9,
        seed: 7,
        threads,
    };
    corpus::write(&options).expect("writes");
    let mut files = sample::Files::new();
    read(&out, &out, &mut files);
    fs::remove_dir_all(&out).expect("removes");
    (out, files)
}

fn read(root: &Path, folder: &Path, files: &mut sample::Files) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read(root, &path, files);
        } else {
            let key = path
                .strip_prefix(root)
                .expect("below")
                .to_string_lossy()
                .into_owned();
            files.insert(key, fs::read(&path).expect("readable"));
        }
    }
}

#[test]
fn a_corpus_does_not_depend_on_threads_and_tells_the_truth() {
    let (_, one) = corpus("one", 1);
    let (_, three) = corpus("three", 3);
    assert!(one == three, "the same bytes");
    let truth: Value = serde_json::from_slice(&one["truth.json"]).expect("JSON");
    let logs: Vec<_> = one
        .iter()
        .filter(|(key, _)| key.contains("/CloudTrail/"))
        .collect();
    assert_eq!(truth["files"], logs.len());
    let all: Vec<Value> = logs.iter().flat_map(|(_, file)| records(file)).collect();
    assert_eq!(truth["records"], all.len());
    assert_eq!(truth["books"]["records_read"], all.len());
    let verdicts: u64 = truth["verdicts"]
        .as_object()
        .expect("an object")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(truth["duplicates"]["kept"], verdicts);
    assert_eq!(truth["books"]["duplicate"], all.len() as u64 - verdicts);
}

/// The duplicates of the truth against the files themselves: every record but those that come again
/// more than 7 days later is counted once for each (id, account, body).
#[test]
fn a_corpus_counts_its_duplicates() {
    let (_, files) = corpus("duplicates", 2);
    let truth: Value = serde_json::from_slice(&files["truth.json"]).expect("JSON");
    let mut bodies = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for (_, file) in files.iter().filter(|(key, _)| key.contains("/CloudTrail/")) {
        for record in records(file) {
            keys.insert((
                record["eventID"].to_string(),
                record["recipientAccountId"].to_string(),
            ));
            bodies.insert(record.to_string());
        }
    }
    let again_too_late = truth["planted_duplicates"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|row| {
            row["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("again-after"))
        })
        .filter(|row| row["duplicate"] == 0)
        .count()
        * 3;
    assert_eq!(again_too_late, 6, "eleven days are enough for both kinds");
    let kept = bodies.len() + again_too_late;
    assert_eq!(truth["duplicates"]["kept"], kept);
    // The four records without an id share the key that has none, and do not conflict.
    let conflicting = bodies.len() - keys.len() - 3;
    assert_eq!(truth["duplicates"]["conflicting"], conflicting);
}

/// As in a real trail, nearly all calls of role sessions are made under a key that a record issued.
#[test]
fn a_corpus_issues_its_sessions() {
    let (_, files) = corpus("sessions", 2);
    let all: Vec<Value> = files
        .iter()
        .filter(|(key, _)| key.contains("/CloudTrail/"))
        .flat_map(|(_, file)| records(file))
        .collect();
    let issued: BTreeSet<&str> = all
        .iter()
        .filter_map(|record| record["responseElements"]["credentials"]["accessKeyId"].as_str())
        .collect();
    let keys = all
        .iter()
        .filter(|record| record["userIdentity"]["type"] == "AssumedRole")
        .filter_map(|record| record["userIdentity"]["accessKeyId"].as_str());
    let (known, unknown): (Vec<&str>, Vec<&str>) = keys.partition(|key| issued.contains(key));
    assert!(
        known.len() > 50 * unknown.len(),
        "{} of {}",
        known.len(),
        known.len() + unknown.len()
    );
}
