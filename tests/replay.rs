//! `retrial replay`: the tables replayed without the log files.
//!
//! Under the snapshot that they stand on, not one decision may change: whatever the rows have lost of
//! the record shows here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use retrial_iam::{Catalogue, Snapshot, SnapshotFile};
use retrial_pipeline::{Manifest, Replay, Window, replay_each};
use retrial_replay::{Assumptions, CallRequest, Mapping, Replayer};
use retrial_storage::FolderStore;
use retrial_tables::DecisionRow;
use serde_json::{Value, json};

use crate::public_records::{denied, snapshot_without_policies};
use crate::support::{
    analyze, duckdb, duckdb_count, files_under, retrial, root, shared, text, write,
};

fn snapshot(folder: &Path) -> Snapshot {
    let files = files_under(folder);
    let files: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect();
    Snapshot::read(&files, Catalogue::bundled()).unwrap().0
}

/// What a row says of its request's decision.
fn of_row(row: &DecisionRow<'_>) -> String {
    let statements: Vec<_> = row
        .determined_by
        .iter()
        .map(|s| (s.layer, s.policy, s.index, s.sid, s.effect))
        .collect();
    format!(
        "{:?} by {:?}, {statements:?}, unknown {:?} {:?}, assumes {:?}, context {:?}, hidden {:?}",
        row.decision,
        row.layer,
        row.unknown_keys,
        row.unknown_layers,
        row.assumes,
        row.context,
        row.hidden_keys
    )
}

/// What the replay says of it.
fn of_request(request: &CallRequest<'_>) -> String {
    let statements: Vec<_> = request
        .determined_by
        .iter()
        .map(|s| (s.layer.name(), s.policy, s.index, s.sid, s.effect.name()))
        .collect();
    let layers: Vec<&str> = request.unknown_layers.iter().map(|l| l.name()).collect();
    format!(
        "{:?} by {:?}, {statements:?}, unknown {:?} {layers:?}, assumes {:?}, context {:?}, hidden {:?}",
        request.decision.map(|decision| decision.name()),
        request.layer.map(|layer| layer.name()),
        request.unknown_keys,
        request.assumes,
        request.context,
        request.hidden_keys
    )
}

/// Replays an output under the snapshot it was made with; how many calls it has.
fn nothing_changes(out: &Path, iam: &Path) -> usize {
    let store = FolderStore::create(out).unwrap();
    let (manifest, _) = Manifest::read(&store).unwrap().unwrap();
    let snapshot = snapshot(iam);
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let replay = Replay {
        replayer: Replayer::new(
            Catalogue::bundled(),
            &mapping,
            &snapshot,
            Assumptions::Named,
        ),
        store: &store,
        files: &manifest.files,
        window: Window::default(),
        threads: 1,
    };
    let mut calls = 0;
    let mut wrong = Vec::new();
    replay_each(&replay, &mut |rows, replayed| {
        calls += 1;
        let row = &rows[0];
        for (row, request) in rows.iter().zip(replayed.requests) {
            if of_row(row) != of_request(request) {
                let (before, after) = (of_row(row), of_request(request));
                wrong.push(format!(
                    "{:?} {:?}\n  {before}\n  {after}",
                    row.event_id, row.action
                ));
            }
        }
        let before = (row.call_decision, row.verdict, row.action.is_some());
        let after = (
            replayed.decision.map(|decision| decision.name()),
            replayed.verdict.name(),
            !replayed.requests.is_empty(),
        );
        if before != after {
            let reason = replayed.reason.map(|reason| reason.name());
            wrong.push(format!(
                "{:?} {:?}: {before:?} {:?}, {after:?} {reason:?}",
                row.event_id, row.event_name, row.reason
            ));
        }
    })
    .unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {calls}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    calls
}

#[track_caller]
fn replay_json(out: &Path, iam: &Path, more: &[&str]) -> Value {
    let mut arguments = vec![
        "replay",
        "--out",
        text(out),
        "--iam",
        text(iam),
        "--format",
        "json",
    ];
    arguments.extend(more);
    retrial(&arguments).expect_status(0).json()
}

fn sample_logs(out: &Path) -> (PathBuf, Value) {
    let logs = root().join("sample-logs");
    let iam = logs.join("iam");
    let (_, report) = analyze(&logs, &iam, out, &[]);
    (iam, report)
}

#[test]
fn the_sample_logs_replay_to_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (iam, report) = sample_logs(folder.path());
    assert!(nothing_changes(folder.path(), &iam) > 100);
    for threads in ["1", "4"] {
        let replayed = replay_json(folder.path(), &iam, &["--threads", threads]);
        assert_eq!(replayed["verdicts"], report["verdicts"]);
        assert_eq!(replayed["verdicts_before"], report["verdicts"]);
        assert_eq!(replayed["changed"], json!([]));
        assert_eq!(replayed["changed_copies"], json!(0));
        assert_eq!(replayed["same_verdict"], json!(0));
        assert_eq!(
            replayed["snapshots_before"],
            json!([replayed["snapshot_id"]])
        );
    }
}

#[test]
fn public_records_replay_to_what_they_were() {
    let Some(samples) = shared("cloudtrail-samples") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (iam, out) = (folder.path().join("iam"), folder.path().join("out"));
    fs::create_dir(&iam).unwrap();
    snapshot_without_policies(&samples, &denied(&samples), &iam);
    let (_, report) = analyze(&samples, &iam, &out, &[]);
    let calls = nothing_changes(&out, &iam) as u64;
    let books = |name: &str| report["books"][name].as_u64().unwrap();
    assert_eq!(calls, books("decided") + books("not_evaluated"));
    let replayed = replay_json(&out, &iam, &[]);
    assert_eq!(replayed["verdicts"], report["verdicts"]);
    assert_eq!(replayed["changed"], json!([]));
}

/// A copy of the sample snapshot in which these texts are others.
fn another_snapshot(folder: &Path, texts: &[(&str, &str)]) {
    for (key, bytes) in files_under(&root().join("sample-logs/iam")) {
        let mut text = String::from_utf8(bytes).unwrap();
        for (old, new) in texts {
            text = text.replace(old, new);
        }
        write(folder, &key, text.as_bytes());
    }
}

#[test]
fn another_snapshot_gives_the_verdicts_that_the_logs_give_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let [iam, before, after] = ["iam", "before", "after"].map(|name| folder.path().join(name));
    sample_logs(&before);
    another_snapshot(
        &iam,
        &[
            ("\"s3:GetObject\"", "\"s3:GetObjectAcl\""),
            (
                "\"sagemaker:CreateTrainingJob\"",
                "\"sagemaker:StopTrainingJob\"",
            ),
            ("\"ops\"", "\"somebody\""),
            ("\"kms:Decrypt\"", "\"kms:Encrypt\""),
        ],
    );
    let (_, report) = analyze(&root().join("sample-logs"), &iam, &after, &[]);
    let replayed = replay_json(&before, &iam, &[]);
    assert_eq!(replayed["verdicts"], report["verdicts"]);
    assert_ne!(replayed["verdicts_before"], report["verdicts"]);

    let calls = |output: &str| {
        format!(
            "(SELECT DISTINCT log_file, record_index, copy, verdict FROM '{output}/decisions/*/*.parquet')"
        )
    };
    let differing = duckdb(
        folder.path(),
        &format!(
            "SELECT a.verdict, b.verdict, count(*) FROM {} a JOIN {} b USING (log_file, record_index)
             WHERE a.verdict <> b.verdict AND NOT a.copy GROUP BY ALL ORDER BY ALL",
            calls("before"),
            calls("after")
        ),
    );
    let mut listed: BTreeMap<(String, String), u64> = BTreeMap::new();
    for group in replayed["changed"].as_array().unwrap() {
        let verdict = |name: &str| group[name].as_str().unwrap().to_owned();
        *listed
            .entry((verdict("before"), verdict("after")))
            .or_default() += group["calls"].as_u64().unwrap();
    }
    let listed: Vec<Vec<Value>> = listed
        .into_iter()
        .map(|((before, after), calls)| vec![json!(before), json!(after), json!(calls)])
        .collect();
    assert!(!listed.is_empty());
    assert_eq!(listed, differing);
}

#[test]
fn a_window_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let (iam, _) = sample_logs(folder.path());
    let calls = |more: &[&str]| {
        replay_json(folder.path(), &iam, more)["calls"]
            .as_u64()
            .unwrap()
    };
    let moment = "2026-11-04T12:00:00Z";
    let sql = |condition: &str| {
        let sql = format!(
            "SELECT count(*) FROM (SELECT DISTINCT log_file, record_index FROM 'decisions/*/*.parquet' WHERE {condition})"
        );
        duckdb_count(folder.path(), &sql)
    };
    assert_eq!(
        calls(&["--since", moment]),
        sql(&format!("event_time >= TIMESTAMPTZ '{moment}'"))
    );
    assert_eq!(
        calls(&["--until", moment]),
        sql(&format!("event_time < TIMESTAMPTZ '{moment}'"))
    );
    assert_eq!(calls(&["--since", "2030-01-01"]), 0);
}

#[test]
fn what_is_no_output_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let iam = root().join("sample-logs/iam");
    for out in [folder.path().to_owned(), folder.path().join("absent")] {
        let ran = retrial(&["replay", "--out", text(&out), "--iam", text(&iam)]).expect_status(2);
        assert_eq!(
            ran.stderr.lines().next(),
            Some(&*format!(
                "retrial: `{}` is no output of `retrial analyze`",
                out.display()
            ))
        );
        assert_eq!(ran.stdout, "");
    }
    assert!(!folder.path().join("absent").exists());
}
