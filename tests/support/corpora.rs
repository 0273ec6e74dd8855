//! Generated corpora, and outputs held against each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{duckdb, files_under, generator, text};

/// A generated corpus with its truth; gone when dropped.
pub(crate) struct Corpus {
    folder: TempDir,
    pub(crate) truth: Value,
}

impl Corpus {
    /// `retrial-generator corpus --out … ARGUMENTS`.
    pub(crate) fn new(arguments: &[&str]) -> Corpus {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("corpus");
        let mut all = vec!["corpus", "--out", text(&out)];
        all.extend(arguments);
        generator(&all).expect_status(0);
        let truth = fs::read(out.join("truth.json")).unwrap();
        Corpus {
            folder,
            truth: serde_json::from_slice(&truth).unwrap(),
        }
    }

    /// Everything that is planted, and a bulk of this many events of which some come again.
    pub(crate) fn with_all_planted(events: &str, files: &str) -> Corpus {
        Corpus::new(&[
            "--events",
            events,
            "--files",
            files,
            "--principals",
            "400",
            "--days",
            "11",
            "--planted",
            "on",
            "--duplicates",
            "0.2",
        ])
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("corpus")
    }

    pub(crate) fn iam(&self) -> PathBuf {
        self.path().join("iam")
    }

    /// The log files by delivery day, as keys relative to the corpus.
    pub(crate) fn days(&self) -> Vec<(String, Vec<String>)> {
        let mut days: Vec<(String, Vec<String>)> = Vec::new();
        let mut keys: Vec<(String, String)> = files_under(&self.path())
            .into_iter()
            .filter(|(key, _)| key.starts_with("AWSLogs/"))
            .map(|(key, _)| (day_of(&key), key))
            .collect();
        keys.sort();
        for (day, key) in keys {
            match days.last_mut().filter(|(last, _)| *last == day) {
                Some((_, keys)) => keys.push(key),
                None => days.push((day, vec![key])),
            }
        }
        days
    }
}

/// `2026/11/02` of `…/eu-west-1/2026/11/02/….json.gz`.
fn day_of(key: &str) -> String {
    let parts: Vec<&str> = key.rsplit('/').skip(1).take(3).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

/// The tables of an output: its folders, but for our own state.
pub(crate) fn tables(out: &Path) -> BTreeSet<String> {
    fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "_retrial" && !name.starts_with('.'))
        .collect()
}

/// A table's rows. `coverage` and `usage` have a row of each batch for what they count, and say so: their
/// sums are compared. Of the tables that are derived for a day the last day counts: the others are there for
/// every night on which there was a run. All other tables are compared row by row, with every column.
fn rows_of(out: &Path, table: &str) -> String {
    let files = format!(
        "read_parquet('{}/{table}/*/*.parquet', hive_partitioning = true, hive_types_autocast = false, union_by_name = true)",
        text(out)
    );
    match table {
        "coverage" => format!(
            "SELECT account_id, region, service, hour, digest_state, event_date, sum(files) AS files, sum(records) AS records, sum(data_events) AS data_events FROM {files} GROUP BY ALL"
        ),
        "usage" => format!(
            "SELECT event_date, account_id, principal_arn, principal_type, action, resource_arn, required, sum(calls) AS calls, sum(succeeded) AS succeeded, sum(denied) AS denied, sum(failed_after_authorization) AS failed_after_authorization, sum(failed) AS failed, min(first_time) AS first_time, max(last_time) AS last_time, first(event_id ORDER BY first_time NULLS LAST, event_id NULLS LAST) AS event_id FROM {files} GROUP BY event_date, account_id, principal_arn, principal_type, action, resource_arn, required"
        ),
        "permissions" | "action_sets" | "findings" | "role_needs" => {
            format!("SELECT * FROM {files} WHERE as_of = (SELECT max(as_of) FROM {files})")
        }
        _ => format!("SELECT * FROM {files}"),
    }
}

/// Two outputs have the same tables with equal rows, as sets with repetitions.
#[track_caller]
pub(crate) fn same_rows(one: &Path, other: &Path) {
    assert_eq!(tables(one), tables(other));
    for table in tables(one) {
        let (a, b) = (rows_of(one, &table), rows_of(other, &table));
        let sql = format!(
            "WITH a AS ({a}), b AS ({b}) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM (FROM a EXCEPT ALL FROM b)), (SELECT count(*) FROM (FROM b EXCEPT ALL FROM a))"
        );
        let counts = duckdb(one, &sql);
        let count = |index: usize| counts[0][index].as_u64().unwrap();
        if count(2) + count(3) > 0 {
            let only = |left: &str, right: &str| {
                duckdb(
                    one,
                    &format!("FROM ({left}) EXCEPT ALL FROM ({right}) LIMIT 2"),
                )
            };
            panic!(
                "{table}: {} and {} rows; {} and {} only on one side\n{:?}\n{:?}",
                count(0),
                count(1),
                count(2),
                count(3),
                only(&a, &b),
                only(&b, &a)
            );
        }
        // What jobs need of their roles is there only where there are jobs.
        assert!(count(0) > 0 || table == "role_needs", "{table} has no rows");
    }
}

/// The Parquet files of an output are those that its manifest lists, so that a glob sees no others.
#[track_caller]
pub(crate) fn holds_what_the_manifest_lists(out: &Path) {
    let manifest = fs::read_to_string(out.join("_retrial/manifest")).unwrap();
    let listed: BTreeSet<String> = manifest
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|file| file["key"].as_str().unwrap().to_owned())
        .collect();
    let there: BTreeSet<String> = files_under(out)
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| key.ends_with(".parquet"))
        .collect();
    assert_eq!(there, listed);
}

/// The files of an output with their bytes. Of the manifest's header only `generation`, which counts the
/// writers and their commits, may differ between a run that was disturbed and one that was not.
pub(crate) fn bytes_of(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = files_under(out);
    for (key, bytes) in &mut files {
        if key == "_retrial/manifest" {
            let manifest = String::from_utf8(std::mem::take(bytes)).unwrap();
            let (header, rest) = manifest.split_once('\n').unwrap();
            let mut header: Value = serde_json::from_str(header).unwrap();
            header
                .as_object_mut()
                .unwrap()
                .remove("generation")
                .expect("a header has a generation");
            *bytes = format!("{header}\n{rest}").into_bytes();
        }
    }
    files
}

/// Two outputs hold the same files with the same bytes.
#[track_caller]
pub(crate) fn same_bytes(one: &[(String, Vec<u8>)], other: &[(String, Vec<u8>)], what: &str) {
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(one), names(other), "{what}");
    for ((name, a), (_, b)) in one.iter().zip(other) {
        assert!(a == b, "{what}: {name} differs");
    }
}
