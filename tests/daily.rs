//! A day added each night gives the rows of one run over the whole.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::corpora::{
    Corpus, bytes_of, holds_what_the_manifest_lists, same_bytes, same_rows,
};
use crate::support::planted::check_planted;
use crate::support::{analyze, duckdb, write};

/// Copies these files of a corpus into a source that grows.
fn deliver(corpus: &Corpus, keys: &[String], source: &Path) {
    for key in keys {
        write(source, key, &fs::read(corpus.path().join(key)).unwrap());
    }
}

/// One run for each delivery day, each over all that was delivered by then; the sums of their books.
fn day_by_day(corpus: &Corpus, source: &Path, out: &Path, more: &[&str]) -> (u64, u64) {
    let mut sums = (0, 0);
    for (day, keys) in corpus.days() {
        deliver(corpus, &keys, source);
        let (status, report) = analyze(source, &corpus.iam(), out, more);
        assert_eq!(
            status,
            if has_broken(&keys) { 3 } else { 0 },
            "{day}: {report}"
        );
        assert_eq!(report["files"]["read"], keys.len(), "{day}: new files only");
        sums.0 += report["books"]["records_read"].as_u64().unwrap();
        sums.1 += report["books"]["duplicate"].as_u64().unwrap();
    }
    sums
}

const BROKEN: &str = "AWSLogs/o-exampleorg1/200000000011/CloudTrail/eu-west-1/2026/11/04/200000000011_CloudTrail_eu-west-1_20261104T1115Z_BrokenBrokenBrok.json.gz";

fn has_broken(keys: &[String]) -> bool {
    keys.iter().any(|key| key == BROKEN)
}

#[test]
fn eleven_daily_runs_are_one() {
    let corpus = Corpus::with_all_planted("9000", "120");
    write(&corpus.path(), BROKEN, b"this is no gzip");
    let days = corpus.days();
    assert!(days.len() >= 10, "{}", days.len());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);

    let (read, duplicate) = day_by_day(&corpus, &at("growing"), &at("daily"), &[]);
    assert_eq!(Value::from(read), corpus.truth["records"]);
    assert_eq!(
        duplicate,
        corpus.truth["duplicates"]["duplicate"].as_u64().unwrap()
    );

    let (status, _) = analyze(&at("growing"), &corpus.iam(), &at("once"), &[]);
    assert_eq!(status, 3);
    same_rows(&at("daily"), &at("once"));

    let small = ["--batch-bytes", "60000"];
    day_by_day(&corpus, &at("growing again"), &at("daily, small"), &small);
    same_rows(&at("daily, small"), &at("once"));

    for out in ["daily", "once", "daily, small"] {
        holds_what_the_manifest_lists(&at(out));
        check_planted(&at(out), &corpus.truth);
    }
}

#[test]
fn seven_daily_runs_are_the_week() {
    let corpus = Corpus::new(&[
        "--events",
        "7000",
        "--files",
        "84",
        "--principals",
        "400",
        "--duplicates",
        "0.3",
    ]);
    assert_eq!(corpus.days().len(), 7);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (read, duplicate) = day_by_day(&corpus, &at("growing"), &at("daily"), &[]);
    assert_eq!(Value::from(read), corpus.truth["records"]);
    assert_eq!(
        Value::from(duplicate),
        corpus.truth["duplicates"]["duplicate"]
    );
    analyze(&corpus.path(), &corpus.iam(), &at("once"), &[]);
    same_rows(&at("daily"), &at("once"));
    let verdicts = |out: &Path| {
        duckdb(
            out,
            "SELECT verdict, count(*) FROM (SELECT DISTINCT log_file, record_index, verdict FROM 'decisions/*/*.parquet') GROUP BY ALL ORDER BY ALL",
        )
    };
    assert_eq!(verdicts(&at("daily")), verdicts(&at("once")));
}

/// A run that finds nothing new leaves everything as it is.
#[test]
fn a_run_without_anything_new_changes_nothing() {
    let corpus = Corpus::new(&[
        "--events",
        "2000",
        "--files",
        "20",
        "--principals",
        "400",
        "--days",
        "3",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    analyze(&corpus.path(), &corpus.iam(), &out, &[]);
    let before = bytes_of(&out);
    let (status, report) = analyze(&corpus.path(), &corpus.iam(), &out, &[]);
    assert_eq!(status, 0);
    assert_eq!(report["books"]["records_read"], 0);
    same_bytes(&before, &bytes_of(&out), "nothing new");
}
