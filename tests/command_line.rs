//! The command line as users meet it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{analyze, files_under, log, record, retrial, snapshot_of_ana, text, write};

#[test]
fn help_short_and_long() {
    for arguments in [
        &["--help"][..],
        &["analyze", "-h"],
        &["analyze", "--help"],
        &["status", "--help"],
        &["prune", "--help"],
        &["compact", "--help"],
        &["explain", "--help"],
        &["simulate", "--help"],
        &["who-can", "--help"],
        &["lint", "--help"],
        &["what-if", "--help"],
        &["rightsize", "--help"],
        &["findings", "--help"],
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

/// Logs of some days, and an output of them.
struct Days {
    folder: TempDir,
    iam: PathBuf,
}

impl Days {
    fn new(days: &[&str]) -> Days {
        let folder = tempfile::tempdir().unwrap();
        let iam = snapshot_of_ana(folder.path());
        let all = Days { folder, iam };
        for day in days {
            all.deliver(day, &[&format!("a-{day}"), &format!("b-{day}")]);
        }
        all
    }

    /// One log file that is delivered on the day, with these records of that day.
    fn deliver(&self, day: &str, event_ids: &[&str]) {
        let records: Vec<Value> = event_ids
            .iter()
            .map(|id| {
                let mut record = record(id);
                record["eventTime"] = json!(format!("{day}T09:30:00Z"));
                record
            })
            .collect();
        let bytes = json!({"Records": records}).to_string();
        write(&self.logs(), &key(day), bytes.as_bytes());
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    #[track_caller]
    fn analyze(&self, more: &[&str]) -> Value {
        let (status, report) = analyze(&self.logs(), &self.iam, &self.out(), more);
        assert_eq!(status, 0, "{report}");
        report
    }

    /// How many rows `decisions` has, by the manifest.
    fn rows(&self) -> u64 {
        let manifest = fs::read_to_string(self.out().join("_retrial/manifest")).unwrap();
        let files = manifest.lines().skip(1);
        files
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|file| file["table"] == "decisions")
            .map(|file| file["rows"].as_u64().unwrap())
            .sum()
    }

    /// `retrial COMMAND --out OUT …`, with the folder's name left out of what it prints.
    #[track_caller]
    fn print(&self, arguments: &[&str], status: i32) -> String {
        let ran = retrial(&[arguments, &["--out", text(&self.out())]].concat());
        let ran = ran.expect_status(status);
        // At most what is done is logged.
        let is_log = |line: &str| line.contains("Z INFO ");
        assert!(ran.stderr.lines().all(is_log), "{}", ran.stderr);
        ran.stdout.replace(text(&self.out()), "OUT")
    }

    #[track_caller]
    fn refuses(&self, more: &[&str], says: &str) {
        let (logs, out) = (self.logs(), self.out());
        let start = ["analyze", text(&logs), "--iam", text(&self.iam), "--out"];
        could_not_run(&[&start[..], &[text(&out)], more].concat(), says);
    }
}

/// The key of a log file that was delivered on a day such as `2026-11-02`.
fn key(day: &str) -> String {
    let (folder, stamp) = (day.replace('-', "/"), day.replace('-', ""));
    format!(
        "AWSLogs/111122223333/CloudTrail/eu-west-1/{folder}/111122223333_CloudTrail_eu-west-1_{stamp}T0935Z_AAAAAAAAAAAAAAAA.json"
    )
}

#[test]
fn an_output_grows_by_what_is_new() {
    let days = Days::new(&["2026-11-01", "2026-11-02"]);
    assert_eq!(days.analyze(&[])["books"]["decided"], 4);
    days.deliver("2026-11-03", &["c", "d", "e"]);
    let second = days.analyze(&[]);
    assert_eq!(second["books"]["decided"], 3);
    assert_eq!(second["files_read_before"], 2);
    assert_eq!(days.rows(), 7);
    // Nothing new.
    let before = files_under(&days.out().join("decisions"));
    assert_eq!(days.analyze(&[])["books"]["records_read"], 0);
    assert_eq!(files_under(&days.out().join("decisions")), before);
    // Within the look-back a day is listed again, beyond it it is not.
    assert_eq!(days.analyze(&["--look-back", "0"])["files_read_before"], 1);

    days.refuses(&["--region", "eu-west-1"], "it was made without a filter");
}

#[test]
fn times_limit_the_days_that_are_listed() {
    let days = Days::new(&["2026-11-01", "2026-11-02", "2026-11-03"]);
    let arguments = [
        "--since",
        "2026-11-02",
        "--until",
        "2026-11-03",
        "--look-back",
        "0",
    ];
    let report = days.analyze(&arguments);
    assert_eq!(report["files"]["read"], 1);
    assert_eq!(report["books"]["decided"], 2);
    // What they leave out of a log file that counts as read would stay out under other times.
    days.refuses(&[], "since=2026-11-02T00:00:00Z until=2026-11-03T00:00:00Z");
}

#[test]
fn days_are_done_anew() {
    let days = Days::new(&["2026-11-01", "2026-11-02"]);
    days.analyze(&[]);
    days.deliver("2026-11-02", &["c", "d", "e"]);
    assert_eq!(days.analyze(&[])["books"]["records_read"], 0);
    let replaced = days.analyze(&["--replace", "2026-11-02..2026-11-04"]);
    assert_eq!(replaced["books"]["decided"], 3);
    assert_eq!(days.rows(), 5);
    // A day of which there is no file stays as it is.
    let absent = days.analyze(&["--replace", "2026-12-24"]);
    assert_eq!(absent["books"]["records_read"], 0);
    assert_eq!(days.rows(), 5);
    let all = days.analyze(&["--recompute"]);
    assert_eq!(all["books"]["decided"], 5);
    assert_eq!(days.rows(), 5);

    days.refuses(
        &["--replace", "2026-11-31"],
        "`2026-11-31` is no day or range of days",
    );
    days.refuses(
        &["--replace", "2026-11-02..2026-11-01"],
        "ends before it begins",
    );
    days.refuses(
        &["--replace", "2026-11-02", "--recompute"],
        "cannot be used with",
    );
}

#[test]
fn a_list_says_which_files_are_read() {
    let days = Days::new(&["2026-11-01", "2026-11-02"]);
    let list = days.folder.path().join("list");
    let name = format!("{}/{}\n", text(&days.logs()), key("2026-11-02"));
    fs::write(&list, name).unwrap();
    let arguments = ["--files-from", text(&list)];
    assert_eq!(days.analyze(&arguments)["files"]["read"], 1);
    assert_eq!(days.analyze(&arguments)["files_read_before"], 1);

    fs::write(&list, "s3://elsewhere/a.json\n").unwrap();
    days.refuses(&arguments, "line 1 of the list of files");
    days.refuses(
        &["--files-from", "nowhere"],
        "cannot read the list of files `nowhere`",
    );
}

#[test]
fn status_says_what_is_there() {
    let days = Days::new(&["2026-11-01", "2026-11-02", "2026-11-05"]);
    days.analyze(&[]);
    let printed = days.print(&["status"], 0);
    insta::assert_snapshot!(
        "status",
        printed.replace(env!("CARGO_PKG_VERSION"), "VERSION")
    );
    let status: Value =
        serde_json::from_str(&days.print(&["status", "--format", "json"], 0)).unwrap();
    assert_eq!(
        status["days_done"],
        json!(["2026-11-01", "2026-11-02", "2026-11-05"])
    );
    let place = &status["places"][0];
    assert_eq!(place["account"], "111122223333");
    assert_eq!(
        place["gaps"],
        json!([{"first": "2026-11-03", "last": "2026-11-04"}])
    );
    assert_eq!(status["health"]["sound"], true);

    let lost = "decisions/event_date=2026-11-02/000002.parquet";
    fs::remove_file(days.out().join(lost)).unwrap();
    write(&days.out(), "_retrial/plans/left", b"over");
    let found = days.print(&["status"], 3);
    assert!(found.contains(&format!("missing: {lost}")), "{found}");
    assert!(found.contains("removes it: _retrial/plans/left"), "{found}");
}

#[test]
fn status_and_prune_want_an_output() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "foreign/precious", b"here");
    for name in ["nowhere", "foreign"] {
        let out = folder.path().join(name);
        let says = "is no output of `retrial analyze`";
        could_not_run(&["status", "--out", text(&out)], says);
        could_not_run(
            &["prune", "--out", text(&out), "--before", "2026-11-02"],
            says,
        );
    }
    let precious: &Path = &folder.path().join("foreign");
    assert_eq!(files_under(precious).len(), 1);
    could_not_run(&["status", "--out", "s3://x"], "cannot be a bucket's name");
}

/// What another version of the program decided is told, and decided again where it counts.
#[test]
fn which_version_decided_what() {
    let days = Days::new(&["2026-11-01", "2026-11-02"]);
    days.analyze(&[]);
    let versions = || {
        let status = retrial(&["status", "--out", text(&days.out()), "--format", "json"]);
        status.expect_status(0).json()["decided_by"]["evaluator_versions"].clone()
    };
    let this = env!("CARGO_PKG_VERSION");
    assert_eq!(versions(), json!({this: 2}));
    // As the output of an older program is, and, for one file, of one that did not write its version down.
    let path = days.out().join("_retrial/manifest");
    let manifest = fs::read_to_string(&path).unwrap();
    let written = format!("\"evaluator_versions\":[\"{this}\"],");
    let others = ["\"evaluator_versions\":[\"0.0.1\"],", ""];
    let mut others = others.into_iter();
    let lines = manifest
        .lines()
        .map(|line| match line.contains("\"table\":\"decisions\"") {
            true => line.replace(&written, others.next().unwrap()) + "\n",
            false => line.to_owned() + "\n",
        });
    fs::write(&path, lines.collect::<String>()).unwrap();
    assert_eq!(versions(), json!({"": 1, "0.0.1": 1}));
    let status = days.print(&["status"], 0);
    assert!(status.contains("--recompute"), "{status}");
    days.analyze(&["--recompute"]);
    assert_eq!(versions(), json!({this: 2}));
}

#[test]
fn old_days_are_pruned() {
    let days = Days::new(&["2026-11-01", "2026-11-02", "2026-11-03"]);
    days.analyze(&[]);
    let before = files_under(&days.out());
    let prune = ["prune", "--before", "2026-11-03"];
    let dry = days.print(&[&prune[..], &["--dry-run"]].concat(), 0);
    insta::assert_snapshot!("prune_dry_run", dry);
    assert_eq!(files_under(&days.out()), before);
    days.print(&prune, 0);
    assert_eq!(days.rows(), 2);
    assert_eq!(days.print(&prune, 0), "OUT: took out nothing\n");
    // What was pruned is not read again.
    assert_eq!(days.analyze(&[])["books"]["records_read"], 0);
    assert_eq!(
        days.analyze(&["--recompute"])["books"]["records_read"],
        json!(2)
    );
    let status = days.print(&["status"], 0);
    assert!(
        status.contains("delivery days before 2026-11-03 were pruned"),
        "{status}"
    );
    let out = days.out();
    let prune = |date: &str, says: &str| {
        could_not_run(&["prune", "--out", text(&out), "--before", date], says);
    };
    prune("2026-11-04", "its last delivery day is 2026-11-03");
    prune("tomorrow", "expected a date such as");
}

#[test]
fn too_many_unmapped_calls() {
    let days = Days::new(&[]);
    let mut unmapped = record("unmapped");
    unmapped["eventSource"] = json!("nosuch.amazonaws.com");
    unmapped["eventName"] = json!("DoWhatNobodyKnows");
    let records = json!({"Records": [record("a"), record("b"), record("c"), unmapped]});
    write(&days.logs(), "a.json", records.to_string().as_bytes());
    let mut number = 0;
    let mut check = |share: &str, status: i32| {
        number += 1;
        let out = days.folder.path().join(format!("out{number}"));
        let logs = days.logs();
        let ran = retrial(&[
            "analyze",
            text(&logs),
            "--iam",
            text(&days.iam),
            "--out",
            text(&out),
            "--max-unmapped",
            share,
        ]);
        ran.expect_status(status);
    };
    check("24.9%", 1);
    check("25%", 0);
    check("0.2", 1);
    check("many", 2);
    // What was rejected counts for more.
    write(&days.logs(), "broken.json", b"{\"Records\": [{");
    check("0%", 3);
}

#[test]
fn what_cloudtrail_left_out_of_requests_is_counted() {
    let days = Days::new(&[]);
    let with = |id: &str, name: &str, parameters: serde_json::Value| {
        let mut call = record(id);
        call["eventName"] = json!(name);
        call["requestParameters"] = parameters;
        call
    };
    let omitted =
        json!({"omitted": true, "originalSize": 104_980, "reason": "requestParameters too large"});
    let hidden = json!({"parameters": "HIDDEN_DUE_TO_SECURITY_REASONS"});
    let hostile = "\u{1b}]0;owned\u{7}";
    let records = json!({"Records": [
        with("a", "CreateModel", omitted.clone()),
        with("b", "CreateModel", omitted),
        with("c", "CreateModel", json!("HIDDEN_DUE_TO_SECURITY_REASONS")),
        with("d", hostile, hidden),
        with("e", "CreateModel", json!({"modelName": "m"})),
    ]});
    write(&days.logs(), "a.json", records.to_string().as_bytes());
    let run = |name: &str, format: &str| {
        let (logs, out) = (days.logs(), days.folder.path().join(name));
        let arguments = ["analyze", text(&logs), "--iam", text(&days.iam)];
        let more = ["--out", text(&out), "--format", format];
        retrial(&[arguments, more].concat()).expect_status(0)
    };
    let ana = "arn:aws:iam::111122223333:user/ana";
    let line = |name: &str, omission: &str, records: u64| {
        json!({
            "principal_arn": ana, "event_source": "sagemaker.amazonaws.com", "event_name": name,
            "omission": omission, "records": records,
        })
    };
    let report = run("json", "json").json();
    assert_eq!(
        report["omissions"],
        json!([
            line(hostile, "values_redacted", 1),
            line("CreateModel", "omitted", 2),
            line("CreateModel", "redacted", 1),
        ])
    );
    assert_eq!(report["omissions_not_listed"], json!(0));
    let summary = run("text", "text").stdout;
    assert!(
        summary.contains(&format!(
            "         2  sagemaker.amazonaws.com CreateModel {ana}: omitted for its size"
        )),
        "{summary}"
    );
    assert!(!summary.contains('\u{1b}'), "{summary}");
}
