//! Broken input becomes rows in `rejects`, everything around it is read, and the exit status says so.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::buckets::same_over_a_bucket;
use crate::hostile::MEMORY;
use crate::support::{analyze, duckdb, duckdb_count, gzip, log, record, snapshot_of_ana, write};

/// What a folder of these files gives: the number of decided calls, and the rows of `rejects`.
#[track_caller]
fn check(files: &[(&str, Vec<u8>)], decided: u64, rejects: Value) {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for (key, bytes) in files {
        write(&logs, key, bytes);
    }
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let (status, report) = analyze(&logs, &iam, &out, &[]);
    let none = rejects.as_array().unwrap().is_empty();
    assert_eq!(report["books"]["decided"], json!(decided), "{report}");
    assert_eq!(status, if none { 0 } else { 3 });
    if none {
        assert_eq!(report["rejects"], json!({}));
    } else {
        let rows = duckdb(
            &out,
            "SELECT log_file, record_index, byte_offset, reason, class FROM 'rejects/*/*.parquet' ORDER BY ALL",
        );
        assert_eq!(json!(rows), rejects);
    }
    same_over_a_bucket((&logs, &iam), &out, MEMORY);
    if decided > 0 {
        assert_eq!(
            duckdb_count(
                &out,
                "SELECT count(*) FROM 'decisions/*/*.parquet' WHERE decision = 'allowed'"
            ),
            decided
        );
    }
}

fn cut(mut text: String, end: &str) -> Vec<u8> {
    let at = text.rfind(end).unwrap();
    text.truncate(at);
    text.into_bytes()
}

#[test]
fn whole_files_in_every_wrapper() {
    let [one, two] = ["line-1", "line-2"].map(|id| record(id).to_string());
    let event = json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.sagemaker", "detail": record("eventbridge")});
    let page = json!({"NextToken": "t", "Events": [
        {"EventId": "a", "EventName": "ListTrainingJobs", "CloudTrailEvent": record("page-1").to_string()},
        {"EventId": "b", "EventName": "ListTrainingJobs", "CloudTrailEvent": record("page-2").to_string()}
    ]});
    check(
        &[
            ("records.json.gz", gzip(log(&["a", "b"]).as_bytes())),
            ("plain.json", log(&["c"]).into_bytes()),
            (
                "pretty.json",
                serde_json::to_vec_pretty(&json!({"Records": [record("d")]})).unwrap(),
            ),
            ("single.json", record("single").to_string().into_bytes()),
            ("lines.json", format!("{one}\n{two}\n").into_bytes()),
            ("event.json", event.to_string().into_bytes()),
            ("lookup.json", page.to_string().into_bytes()),
            (
                "members.json.gz",
                [
                    gzip(&log(&["e", "f"]).as_bytes()[..700]),
                    gzip(&log(&["e", "f"]).as_bytes()[700..]),
                ]
                .concat(),
            ),
            ("misnamed.json", gzip(log(&["g"]).as_bytes())),
        ],
        13,
        json!([]),
    );
}

#[test]
fn a_file_that_breaks_in_the_middle_yields_what_stands_before_the_break() {
    let whole = log(&["a", "b", "c"]);
    let third = whole.rfind("{\"awsRegion").unwrap();
    let broken = cut(whole, "ListTrainingJobs");
    check(
        &[("cut.json", broken)],
        2,
        json!([["cut.json", 2, third, "unterminated_string", "permanent"]]),
    );
}

#[test]
fn a_gzip_that_breaks_in_the_middle_does_too() {
    let ids: Vec<String> = (0..200).map(|number| format!("event-{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut bytes = gzip(log(&ids).as_bytes());
    bytes.truncate(bytes.len() - 40);
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "cut.json.gz", &bytes);
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let (status, report) = analyze(&logs, &iam, &out, &[]);
    assert_eq!(status, 3);
    let decided = report["books"]["decided"].as_u64().unwrap();
    assert!(
        (150..200).contains(&decided),
        "{decided} records stand before the break"
    );
    assert_eq!(report["rejects"], json!({"gzip_truncated": 1}));
    same_over_a_bucket((&logs, &iam), &out, MEMORY);
}

#[test]
fn one_broken_record_costs_only_itself() {
    let text = log(&["a", "b", "c"]).replace("\"eventID\":\"b\"", "\"eventID\":tru");
    assert!(text.contains("tru"));
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "one.json", text.as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let (status, report) = analyze(&logs, &iam, &out, &[]);
    assert_eq!(status, 3);
    assert_eq!(report["books"]["decided"], json!(2));
    assert_eq!(report["books"]["rejected"], json!(1));
    let rows = duckdb(
        &out,
        "SELECT record_index, class FROM 'rejects/*/*.parquet'",
    );
    assert_eq!(json!(rows), json!([[1, "permanent"]]));
    same_over_a_bucket((&logs, &iam), &out, MEMORY);
}

#[test]
fn what_is_no_log_file() {
    check(
        &[
            ("good.json.gz", gzip(log(&["a"]).as_bytes())),
            ("text.json", b"not json at all".to_vec()),
            (
                "config.json",
                br#"{"name": "some-package", "version": "1.0.0"}"#.to_vec(),
            ),
        ],
        1,
        json!([
            ["config.json", null, 0, "no_records", "permanent"],
            ["text.json", null, 0, "not_json", "permanent"]
        ]),
    );
}

#[test]
fn files_of_other_kinds_are_set_aside_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let notification = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}}}]});
    let digest = json!({"awsAccountId": "111122223333", "digestStartTime": "2026-11-02T00:00:00Z", "digestEndTime": "2026-11-02T01:00:00Z", "logFiles": []});
    let day = "AWSLogs/111122223333";
    write(
        &logs,
        &format!(
            "{day}/CloudTrail/eu-west-1/2026/11/02/111122223333_CloudTrail_eu-west-1_20261102T0930Z_AAAAAAAAAAAAAAAA.json.gz"
        ),
        &gzip(log(&["a"]).as_bytes()),
    );
    write(
        &logs,
        &format!(
            "{day}/CloudTrail-Digest/eu-west-1/2026/11/02/111122223333_CloudTrail-Digest_eu-west-1_t_eu-west-1_20261102T010000Z.json.gz"
        ),
        &gzip(digest.to_string().as_bytes()),
    );
    write(
        &logs,
        &format!(
            "{day}/CloudTrail-Insight/eu-west-1/2026/11/02/111122223333_CloudTrail-Insight_eu-west-1_20261102T0930Z_AAAAAAAAAAAAAAAA.json.gz"
        ),
        &gzip(b"{}"),
    );
    write(
        &logs,
        &format!("{day}/unnamed-digest.json"),
        digest.to_string().as_bytes(),
    );
    write(
        &logs,
        &format!("{day}/notification.json"),
        notification.to_string().as_bytes(),
    );
    write(&logs, "beside-the-layout.json", b"{}");
    write(&logs, "notes.txt", b"hello");
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let (status, report) = analyze(&logs, &iam, &out, &[]);
    assert_eq!(status, 0, "{report}");
    same_over_a_bucket((&logs, &iam), &out, MEMORY);
    assert_eq!(report["files"]["read"], json!(1));
    assert_eq!(
        report["files"]["set_aside"],
        json!({"digest": 2, "insight": 1, "notification": 1, "other": 2})
    );
    assert_eq!(report["books"]["records_read"], json!(1));
}

#[test]
fn a_folder_that_cannot_be_listed_is_a_row() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "good.json", log(&["a"]).as_bytes());
    symlink(folder.path().join("nowhere"), logs.join("broken.json")).unwrap();
    let iam = snapshot_of_ana(folder.path());
    let (status, report) = analyze(&logs, &iam, &folder.path().join("out"), &[]);
    assert_eq!(status, 3, "{report}");
    assert_eq!(report["books"]["decided"], json!(1));
    assert_eq!(report["files"]["rejected"], json!(1));
}

#[test]
fn empty_sources() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "empty.json.gz", &gzip(b""));
    write(&logs, "no-records.json.gz", &gzip(br#"{"Records":[]}"#));
    let iam = snapshot_of_ana(folder.path());
    let (status, report) = analyze(&logs, &iam, &folder.path().join("out"), &[]);
    assert_eq!(
        (status, &report["books"]["records_read"]),
        (0, &json!(0)),
        "{report}"
    );
    assert!(Path::new(&folder.path().join("out/_retrial/manifest")).exists());
}
