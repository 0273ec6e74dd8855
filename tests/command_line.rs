//! The command line as users meet it.

use std::fs;

use serde_json::json;

use crate::support::{analyze, log, record, retrial, snapshot_of_ana, text, write};

#[test]
fn help_short_and_long() {
    for arguments in [
        &["--help"][..],
        &["analyze", "-h"],
        &["analyze", "--help"],
        &["explain", "--help"],
        &["simulate", "--help"],
        &["who-can", "--help"],
        &["lint", "--help"],
    ] {
        let ran = retrial(arguments).expect_status(0);
        assert!(ran.stderr.is_empty());
        insta::assert_snapshot!(arguments.join(" "), ran.stdout);
    }
}

#[track_caller]
fn could_not_run(arguments: &[&str], says: &str) {
    let ran = retrial(arguments).expect_status(2);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
}

#[test]
fn what_makes_it_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "a.json", log(&["a"]).as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let (logs, iam) = (text(&logs), text(&iam));
    let out = folder.path().join("out");
    let nowhere = folder.path().join("nowhere");
    let bad = folder.path().join("bad.json");
    fs::write(&bad, "{\"UserDetailList\": [\n  }").unwrap();
    let full = folder.path().join("full");
    write(&full, "something", b"here");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let out = text(&out);
    could_not_run(&["analyze"], "required arguments were not provided");
    could_not_run(
        &["analyze", logs, "--iam", text(&nowhere), "--out", out],
        "cannot read the snapshot",
    );
    could_not_run(
        &["analyze", logs, "--iam", text(&bad), "--out", out],
        "bad.json",
    );
    could_not_run(
        &["analyze", text(&nowhere), "--iam", iam, "--out", out],
        "cannot read the source",
    );
    could_not_run(
        &["analyze", text(&empty), "--iam", iam, "--out", out],
        "holds no log files",
    );
    could_not_run(
        &["analyze", logs, "--iam", iam, "--out", text(&full)],
        "is not empty",
    );
    could_not_run(
        &["analyze", logs, "--iam", iam, "--out", text(&bad)],
        "cannot write the output",
    );
    could_not_run(
        &[
            "analyze",
            logs,
            "--iam",
            iam,
            "--out",
            out,
            "--since",
            "yesterday",
        ],
        "expected a date",
    );
    assert!(
        !folder.path().join("out").exists(),
        "nothing was written by what could not run"
    );
}

#[test]
fn filters_count_what_they_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut other_account = record("other-account");
    other_account["recipientAccountId"] = json!("444455556666");
    let mut other_region = record("other-region");
    other_region["awsRegion"] = json!("us-east-1");
    let mut later = record("later");
    later["eventTime"] = json!("2026-11-03T00:00:00Z");
    let records = json!({"Records": [record("plain"), other_account, other_region, later]});
    write(&logs, "a.json", records.to_string().as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let mut number = 0;
    let mut check = |filter: &[&str], decided: u64| {
        number += 1;
        let (_, report) = analyze(
            &logs,
            &iam,
            &folder.path().join(format!("out{number}")),
            filter,
        );
        assert_eq!(report["books"]["records_read"], json!(4));
        assert_eq!(
            report["books"]["filtered"],
            json!(4 - decided),
            "{filter:?}: {report}"
        );
    };
    check(&[], 4);
    check(&["--account", "111122223333"], 3);
    check(
        &["--account", "111122223333", "--account", "444455556666"],
        4,
    );
    check(&["--region", "us-east-1"], 1);
    check(&["--principal", "arn:aws:iam::*:user/ana"], 4);
    check(&["--principal", "arn:aws:iam::111122223333:role/*"], 0);
    check(&["--service", "sagemaker"], 4);
    check(&["--service", "s3.amazonaws.com"], 0);
    check(&["--since", "2026-11-03"], 1);
    check(&["--until", "2026-11-03"], 3);
}

#[test]
fn quiet_is_quiet_and_a_policy_that_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "a.json", log(&["a"]).as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let ran = retrial(&[
        "analyze",
        text(&logs),
        "--iam",
        text(&iam),
        "--out",
        text(&out),
        "--quiet",
    ])
    .expect_status(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let broken = fs::read_to_string(&iam)
        .unwrap()
        .replace("\"Effect\":\"Allow\"", "\"Effect\":\"Permit\"");
    fs::write(&iam, broken).unwrap();
    let out = folder.path().join("out2");
    let ran = retrial(&[
        "analyze",
        text(&logs),
        "--iam",
        text(&iam),
        "--out",
        text(&out),
        "--quiet",
    ])
    .expect_status(3);
    assert!(
        ran.stderr.contains("jobs") && ran.stderr.contains("ana"),
        "{}",
        ran.stderr
    );
}

#[test]
fn strict_turns_assumed_allows_into_undetermined() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    write(&logs, "a.json", log(&["a"]).as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let (_, report) = analyze(&logs, &iam, &folder.path().join("out"), &[]);
    assert_eq!(
        (&report["verdicts"]["agrees"], &report["assumed"]),
        (&json!(1), &json!({"scp": 1}))
    );
    let (_, report) = analyze(&logs, &iam, &folder.path().join("strict"), &["--strict"]);
    assert_eq!(report["verdicts"]["undetermined"], json!(1));
}

#[test]
fn a_snapshot_within_the_source_is_no_log() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.json", log(&["a"]).as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let out = folder.path().join("out");
    let (status, report) = analyze(folder.path(), &iam, &out, &[]);
    assert_eq!(
        (status, &report["files"]["read"]),
        (0, &json!(1)),
        "{report}"
    );
}
