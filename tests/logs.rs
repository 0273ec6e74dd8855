//! What is logged on standard error, for whoever reads it without watching.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::corpora::Corpus;
use crate::support::{Ran, log, retrial, snapshot_of_ana, text, write};

const DAY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11";

fn key(day: &str, id: &str) -> String {
    format!("{DAY}/{day}/111122223333_CloudTrail_eu-west-1_202611{day}T0930Z_{id}.json.gz")
}

fn run(folder: &Path, more: &[&str]) -> Ran {
    let iam = snapshot_of_ana(folder);
    let (logs, out) = (folder.join("logs"), folder.join("out"));
    let mut arguments = vec![
        "analyze",
        text(&logs),
        "--iam",
        text(&iam),
        "--out",
        text(&out),
    ];
    arguments.extend(more);
    retrial(&arguments)
}

/// Every line of standard error as a JSON object with a time, a level and a message.
#[track_caller]
fn events(ran: &Ran) -> Vec<Value> {
    let lines = ran.stderr.lines().map(|line| {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        assert!(event["level"].is_string() && event["message"].is_string());
        event
    });
    lines.collect()
}

fn named<'e>(events: &'e [Value], message: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["message"] == message)
        .collect()
}

#[test]
fn a_scheduled_run_is_told_in_json() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("logs"),
        &key("02", "AAAAAAAAAAAAAAAA"),
        log(&["a", "b"]).as_bytes(),
    );
    write(
        &folder.path().join("logs"),
        &key("03", "AAAAAAAAAAAAAAAA"),
        log(&["c"]).as_bytes(),
    );
    write(
        &folder.path().join("logs"),
        &key("03", "BBBBBBBBBBBBBBBB"),
        b"no log file",
    );
    let ran = run(folder.path(), &["--log-format", "json", "--format", "json"]).expect_status(3);
    let report = ran.json();
    let events = events(&ran);
    let days: Vec<&Value> = named(&events, "planned")
        .iter()
        .map(|event| &event["delivery_date"])
        .collect();
    assert_eq!(days, ["2026-11-02", "2026-11-03"]);
    let committed: Vec<(u64, u64)> = named(&events, "committed")
        .iter()
        .map(|event| {
            (
                event["batch"].as_u64().unwrap(),
                event["records"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(committed, [(1, 2), (2, 1)]);
    let rejected = named(&events, "rejected");
    assert_eq!(rejected.len(), 1);
    assert_eq!(
        (&rejected[0]["level"], &rejected[0]["count"]),
        (&"warn".into(), &1.into())
    );

    let metrics = events.last().unwrap();
    assert_eq!(metrics["message"], "metrics");
    assert_eq!(metrics["finished"], true);
    assert_eq!(metrics["records"], report["books"]["records_read"]);
    assert_eq!(metrics["files"], report["files"]["read"]);
    assert_eq!(metrics["bytes"], report["files"]["bytes"]);
    let rows: u64 = report["rows"]
        .as_object()
        .unwrap()
        .values()
        .map(|rows| rows.as_u64().unwrap())
        .sum();
    assert_eq!(metrics["rows"], rows);
    for name in ["seconds", "cpu_seconds", "records_per_second"] {
        assert!(metrics[name].as_f64().unwrap() > 0.0, "{metrics}");
    }
    if cfg!(target_os = "linux") {
        assert!(
            metrics["peak_memory_bytes"].as_u64().unwrap() > 1 << 20,
            "{metrics}"
        );
    }
}

#[test]
fn levels_and_forms() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("logs"),
        &key("02", "AAAAAAAAAAAAAAAA"),
        log(&["a"]).as_bytes(),
    );
    let lines = |more: &[&str]| {
        let ran = run(folder.path(), more).expect_status(0);
        ran.stderr.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let first = lines(&[]);
    assert!(
        first.iter().all(|line| line.contains("Z INFO ")),
        "{first:?}"
    );
    assert!(
        first
            .iter()
            .any(|line| line.contains(" planned plan=1 delivery_date=2026-11-02 files=1 ")),
        "{first:?}"
    );
    let last = first.last().unwrap();
    assert!(
        last.contains(" metrics finished=true records=1 files=1 "),
        "{last}"
    );
    // Nothing is new, and the metrics are those of nothing.
    assert_eq!(lines(&[]).len(), 1);
    let nothing: &[String] = &[];
    assert_eq!(lines(&["--quiet"]), nothing);
    assert_eq!(lines(&["--log-level", "warn"]), nothing);
    assert_eq!(lines(&["--quiet", "--log-level", "info"]).len(), 1);
    let debug = lines(&["--log-level", "debug", "--recompute"]);
    assert!(
        debug
            .iter()
            .any(|line| line.contains("Z DEBUG manifest swapped ")),
        "{debug:?}"
    );
    assert!(
        debug.iter().any(|line| line.contains(" replaces=1 ")),
        "{debug:?}"
    );
}

/// An error is an event too, and the metrics say that the run did not come to its end.
#[test]
fn errors_are_events() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("logs"),
        &key("02", "AAAAAAAAAAAAAAAA"),
        log(&["a"]).as_bytes(),
    );
    write(&folder.path().join("out"), "mine.txt", b"precious");
    let json = ["--log-format", "json"];
    let ran = run(folder.path(), &json).expect_status(2);
    let events = events(&ran);
    assert_eq!(named(&events, "metrics")[0]["finished"], false);
    let errors: Vec<&Value> = events
        .iter()
        .filter(|event| event["level"] == "error")
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0]["message"]
            .as_str()
            .unwrap()
            .contains("is not empty")
    );
    assert!(errors[1]["message"].as_str().unwrap().starts_with("hint: "));
    let quiet = run(folder.path(), &["--log-format", "json", "--quiet"]).expect_status(2);
    assert_eq!(quiet.stderr.lines().count(), 2);
}

/// Names of files are made by whoever puts them there.
#[test]
fn hostile_names_stay_on_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let hostile =
        format!("{DAY}/02/a\u{1b}[2J\n2026-11-02T00:00:00.000Z INFO  forged\u{202e}.json");
    write(
        &folder.path().join("logs"),
        &hostile,
        log(&["a"]).as_bytes(),
    );
    write(
        &folder.path().join("logs"),
        &key("03", "AAAAAAAAAAAAAAAA"),
        log(&["b"]).as_bytes(),
    );
    for form in ["text", "json"] {
        let ran = run(
            folder.path(),
            &[
                "--log-format",
                form,
                "--log-level",
                "debug",
                "--replace",
                "2026-11-09",
            ],
        );
        assert!(
            !ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{202e}'),
            "{}",
            ran.stderr
        );
        assert!(
            !ran.stderr.lines().any(|line| line.ends_with("forged")),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("2026-11-09"), "{}", ran.stderr);
    }
}

/// A merge logs what became one.
#[test]
fn a_merge_is_told() {
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
    let (logs, iam) = (corpus.path(), corpus.iam());
    let analyze = [
        "analyze",
        text(&logs),
        "--iam",
        text(&iam),
        "--out",
        text(&out),
        "--quiet",
        "--batch-bytes",
        "20000",
    ];
    retrial(&analyze).expect_status(0);
    let ran = retrial(&["compact", "--out", text(&out), "--log-format", "json"]).expect_status(0);
    let events = events(&ran);
    let merged = named(&events, "merged");
    assert!(!merged.is_empty());
    assert!(
        merged
            .iter()
            .all(|event| event["files"].as_u64().unwrap() > 1)
    );
}

/// A list of files on standard input.
#[test]
fn a_list_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (key("02", "AAAAAAAAAAAAAAAA"), key("03", "AAAAAAAAAAAAAAAA"));
    write(&folder.path().join("logs"), &first, log(&["a"]).as_bytes());
    write(&folder.path().join("logs"), &second, log(&["b"]).as_bytes());
    let iam = snapshot_of_ana(folder.path());
    let (logs, out) = (folder.path().join("logs"), folder.path().join("out"));
    let read = |list: &str| -> (Option<i32>, Value) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_retrial"))
            .args([
                "analyze",
                text(&logs),
                "--iam",
                text(&iam),
                "--out",
                text(&out),
                "--files-from",
                "-",
                "--format",
                "json",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may refuse the list before it has read all of it.
        let _ = child.stdin.take().unwrap().write_all(list.as_bytes());
        let output = child.wait_with_output().unwrap();
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code(), report)
    };
    let (status, report) = read(&format!("{second}\n"));
    assert_eq!(
        (status, &report["books"]["records_read"]),
        (Some(0), &1.into())
    );
    let both = format!("{}\r\n\n{second}", logs.join(&first).display());
    let (status, report) = read(&both);
    assert_eq!(
        (status, &report["books"]["records_read"]),
        (Some(0), &1.into())
    );
    assert_eq!(report["files_read_before"], 1);
    assert_eq!(read("").0, Some(0));
    assert_eq!(read("https://elsewhere/a\n").0, Some(2));
}
