//! Input that was made to do harm: it costs one clear row, and bounded memory.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::buckets::same_over_a_bucket;
use crate::support::{
    analyze, books_balance, duckdb, gzip, log, record, retrial, snapshot_of_ana, text,
    with_peak_memory, write,
};

/// What no such input may make the program need.
pub(crate) const MEMORY: u64 = 300 << 20;

/// Runs over `logs` and gives the report, having seen that memory stayed bounded.
#[track_caller]
fn bounded(folder: &Path, logs: &Path) -> Value {
    let iam = snapshot_of_ana(folder);
    let out = folder.join("out");
    let (ran, peak) = with_peak_memory(
        &[
            "analyze",
            text(logs),
            "--iam",
            text(&iam),
            "--out",
            text(&out),
            "--format",
            "json",
        ],
        &[],
    );
    assert_eq!(ran.status, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(peak < MEMORY, "{} MB at the peak", peak >> 20);
    let report = ran.json();
    books_balance(&report);
    report
}

/// [`bounded`], over the folder and over a bucket.
#[track_caller]
fn bounded_everywhere(folder: &Path, logs: &Path) -> Value {
    let report = bounded(folder, logs);
    let (iam, out) = (folder.join("iam.json"), folder.join("out"));
    same_over_a_bucket((logs, &iam), &out, MEMORY);
    report
}

#[test]
fn ten_gigabytes_from_ten_megabytes_of_gzip() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    // One member of 64 MB of blanks, 160 times: gzip's members follow each other freely.
    let blanks = gzip(&vec![b' '; 64 << 20]);
    let mut bytes = gzip(log(&["before"]).as_bytes());
    for _ in 0..160 {
        bytes.extend_from_slice(&blanks);
    }
    write(&logs, "bomb.json.gz", &bytes);
    write(&logs, "good.json", log(&["good"]).as_bytes());
    let report = bounded_everywhere(folder.path(), &logs);
    assert_eq!(report["rejects"], json!({"compression_ratio_too_high": 1}));
    assert_eq!(
        report["books"]["decided"],
        json!(2),
        "what stood before the limit was read"
    );
}

#[test]
fn a_record_of_a_gigabyte() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut file = BufWriter::new(File::create(logs.join("large.json")).unwrap());
    write!(
        file,
        "{{\"Records\":[{},{{\"eventName\":\"",
        record("before")
    )
    .unwrap();
    let megabyte = vec![b'a'; 1 << 20];
    for _ in 0..1024 {
        file.write_all(&megabyte).unwrap();
    }
    write!(file, "\"}},{}]}}", record("behind")).unwrap();
    file.into_inner().unwrap();
    let report = bounded_everywhere(folder.path(), &logs);
    assert_eq!(report["books"]["decided"], json!(2));
    assert_eq!(report["books"]["rejected"], json!(1));
}

#[test]
fn nesting_a_hundred_thousand_deep() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let deep = format!(
        "{{\"requestParameters\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    write(
        &logs,
        "deep.json",
        format!("{{\"Records\":[{},{deep},{}]}}", record("a"), record("b")).as_bytes(),
    );
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    write(&logs, "deep-object.json", objects.as_bytes());
    let report = bounded_everywhere(folder.path(), &logs);
    assert_eq!(report["books"]["decided"], json!(2));
    assert_eq!(
        report["books"]["rejected"].as_u64().unwrap()
            + report["files"]["rejected"].as_u64().unwrap(),
        2,
        "{report}"
    );
}

#[test]
fn a_hundred_thousand_tiny_files() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    // The same record in each: one is kept.
    let bytes = gzip(log(&["a"]).as_bytes());
    for hundred in 0..1000 {
        let folder = logs.join(format!("{hundred:03}"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..100 {
            fs::write(folder.join(format!("{file:02}.json.gz")), &bytes).unwrap();
        }
    }
    write(&logs, "one-is-broken.json", b"{");
    let report = bounded(folder.path(), &logs);
    assert_eq!(report["books"]["records_read"], json!(100_000));
    assert_eq!(report["books"]["decided"], json!(1));
    assert_eq!(report["books"]["duplicate"], json!(99_999));
}

#[test]
fn names_with_dots_newlines_and_control_characters() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    for (number, name) in [
        "..json",
        "a..b.json",
        "line\nbreak.json",
        "esc\u{1b}[31m.json",
        "tab\t.json",
        "quote'\".json",
        "percent%41.json",
        "naïve.json",
    ]
    .iter()
    .enumerate()
    {
        let id = format!("event-{number}");
        write(&logs, name, log(&[id.as_str()]).as_bytes());
    }
    write(&logs, "bad\u{1b}.json", b"x");
    let report = bounded_everywhere(folder.path(), &logs);
    assert_eq!(report["books"]["decided"], json!(8));
    let out = folder.path().join("out");
    let names = duckdb(
        &out,
        "SELECT DISTINCT log_file FROM 'decisions/*/*.parquet'",
    );
    assert_eq!(names.len(), 8, "every name is told apart: {names:?}");
    let controls = duckdb(
        &out,
        r"SELECT count(*) FROM 'decisions/*/*.parquet' WHERE regexp_matches(log_file, '[\x00-\x1f]')",
    );
    assert_eq!(controls, [[json!(0)]]);
}

#[test]
fn what_a_caller_wrote_cannot_drive_the_terminal_or_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut hostile = record("'; DROP TABLE decisions; --");
    hostile["eventName"] = json!("\u{1b}]0;owned\u{7}<script>alert(1)</script>");
    hostile["userIdentity"]["arn"] = json!("arn:aws:iam::111122223333:user/\u{1b}[2Jana\n\u{202e}");
    write(
        &logs,
        "a.json",
        json!({"Records": [hostile]}).to_string().as_bytes(),
    );
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let ran = retrial(&[
        "analyze",
        text(&logs),
        "--iam",
        text(&iam),
        "--out",
        text(&out),
    ])
    .expect_status(0);
    assert!(
        ran.stdout.contains("alert(1)"),
        "the unmapped event is listed: {}",
        ran.stdout
    );
    assert!(
        !ran.stdout.chars().any(|c| c.is_control() && c != '\n'),
        "{:?}",
        ran.stdout
    );
    let rows = duckdb(
        &out,
        "SELECT event_id, event_name FROM 'decisions/*/*.parquet'",
    );
    assert_eq!(
        json!(rows),
        json!([[
            "'; DROP TABLE decisions; --",
            "\u{1b}]0;owned\u{7}<script>alert(1)</script>"
        ]])
    );
}

#[test]
fn hostile_records_change_nothing_for_the_records_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut odd = record("odd");
    odd["resources"] = json!("");
    odd["responseElements"] = json!("");
    odd["requestParameters"] = json!("HIDDEN_DUE_TO_SECURITY_REASONS");
    odd["userIdentity"]["sessionContext"] = json!({"sessionIssuer": {}, "webIdFederationData": {}, "attributes": {"mfaAuthenticated": "false"}});
    write(
        &logs,
        "a.json",
        json!({"Records": [odd, record("plain")]})
            .to_string()
            .as_bytes(),
    );
    let iam = snapshot_of_ana(folder.path());
    let (status, report) = analyze(&logs, &iam, &folder.path().join("out"), &[]);
    assert_eq!(
        (status, &report["verdicts"]["agrees"]),
        (0, &json!(2)),
        "{report}"
    );
}
