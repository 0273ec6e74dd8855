//! `sample-logs/`: the program finds what its truth file says was planted, and DuckDB agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{analyze, duckdb, duckdb_count, files_under, generator, root, text};

fn truth() -> Value {
    serde_json::from_slice(&fs::read(root().join("sample-logs/truth.json")).unwrap()).unwrap()
}

fn run(out: &Path, more: &[&str]) -> Value {
    let logs = root().join("sample-logs");
    let (status, report) = analyze(&logs, &logs.join("iam"), out, more);
    assert_eq!(status, 0, "{report}");
    report
}

/// Name → count of a JSON object, without those that are 0.
fn counts(object: &Value) -> BTreeMap<String, u64> {
    let counts = object
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn the_books_and_verdicts_are_the_truths() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), &[]);
    let truth = truth();
    assert_eq!(counts(&report["books"]), counts(&truth["books"]));
    assert_eq!(counts(&report["verdicts"]), counts(&truth["verdicts"]));
    let mut reasons = counts(&report["not_evaluated"]);
    reasons.extend(counts(&report["undetermined"]));
    assert_eq!(reasons, counts(&truth["reasons"]));
    assert_eq!(
        report["files"]["set_aside"]["digest"],
        truth["set_aside"]["digest"]
    );
    assert_eq!(report["files"]["read"], truth["files"]);
    assert_eq!(report["books"]["records_read"], truth["records"]);

    let by_duckdb = duckdb(
        folder.path(),
        "SELECT verdict, count(*) FROM (SELECT DISTINCT log_file, record_index, verdict FROM 'decisions/*/*.parquet') GROUP BY verdict",
    );
    let by_duckdb: BTreeMap<String, u64> = by_duckdb
        .iter()
        .map(|row| {
            (
                row[0].as_str().unwrap().to_owned(),
                row[1].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(by_duckdb, counts(&truth["verdicts"]));
}

#[test]
fn each_planted_call_gets_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &[]);
    for planted in truth()["planted"].as_array().unwrap() {
        let ids: Vec<&str> = planted["event_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        assert_eq!(planted["calls"], json!(ids.len()), "{planted}");
        let list = ids
            .iter()
            .map(|id| format!("'{id}'"))
            .collect::<Vec<_>>()
            .join(",");
        // A call that is not evaluated is planted by its reason.
        let kind = "CASE verdict WHEN 'not_evaluated' THEN reason ELSE verdict END";
        let sql = format!(
            "SELECT DISTINCT {kind}, principal_arn FROM 'decisions/*/*.parquet' WHERE event_id IN ({list})"
        );
        let rows = duckdb(folder.path(), &sql);
        assert!(
            rows.iter().all(|row| row[0] == planted["kind"]),
            "{planted}: {rows:?}"
        );
        if !planted["principal_arn"].is_null() {
            assert_eq!(
                json!(rows),
                json!([[planted["kind"], planted["principal_arn"]]]),
                "{planted}"
            );
        }
        let found = format!(
            "SELECT count(DISTINCT event_id) FROM 'decisions/*/*.parquet' WHERE event_id IN ({list})"
        );
        assert_eq!(
            duckdb_count(folder.path(), &found),
            ids.len() as u64,
            "{planted}"
        );
        let deciding = match planted["kind"].as_str().unwrap() {
            "would_be_denied" => "decision IN ('explicit_deny', 'implicit_deny')",
            "would_be_allowed" => "decision = 'allowed' AND len(assumes) = 0",
            _ => continue,
        };
        let sql = format!(
            "SELECT count(DISTINCT event_id) FROM 'decisions/*/*.parquet' WHERE event_id IN ({list}) AND required AND {deciding} AND action = '{}'",
            planted["action"].as_str().unwrap()
        );
        assert_eq!(
            duckdb_count(folder.path(), &sql),
            ids.len() as u64,
            "{planted}"
        );
    }
}

#[test]
fn the_bytes_are_the_same_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (one, four) = (folder.path().join("one"), folder.path().join("four"));
    run(&one, &["--threads", "1"]);
    run(&four, &["--threads", "4"]);
    let (one, four) = (files_under(&one), files_under(&four));
    assert!(one.len() > 10);
    assert_eq!(one.len(), four.len());
    for ((name, a), (other, b)) in one.iter().zip(&four) {
        assert_eq!(name, other);
        assert!(a == b, "{name} differs");
    }
}

#[test]
fn the_manifest_lists_every_file_and_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), &[]);
    let manifest = fs::read_to_string(folder.path().join("_retrial/manifest")).unwrap();
    let listed: Vec<Value> = manifest
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut keys: Vec<&str> = listed
        .iter()
        .map(|file| file["key"].as_str().unwrap())
        .collect();
    keys.sort_unstable();
    let there: Vec<String> = files_under(folder.path())
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.ends_with(".parquet"))
        .collect();
    assert_eq!(keys, there);
    for file in &listed {
        let key = file["key"].as_str().unwrap();
        assert_eq!(
            duckdb_count(folder.path(), &format!("SELECT count(*) FROM '{key}'")),
            file["rows"].as_u64().unwrap(),
            "{key}"
        );
        assert_eq!(
            fs::metadata(folder.path().join(key)).unwrap().len(),
            file["bytes"].as_u64().unwrap(),
            "{key}"
        );
    }
    let rows: u64 = listed
        .iter()
        .filter(|file| file["table"] == "decisions")
        .map(|file| file["rows"].as_u64().unwrap())
        .sum();
    assert_eq!(report["rows"]["decisions"], json!(rows));
}

/// `role_needs`, read by DuckDB: what the truth file plants of each state, and the totals by role.
#[test]
fn execution_roles_have_and_lack_what_is_planted() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &[]);
    let truth = truth();
    let planted = truth["role_needs"].as_array().unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().replace('\'', "''");
    for row in planted {
        let sql = format!(
            "SELECT state, reason FROM 'role_needs/*/*.parquet' WHERE role_arn = '{}' AND action = '{}' AND resource_arn = '{}'",
            text(row, "role_arn"),
            text(row, "action"),
            text(row, "resource_arn")
        );
        let found = duckdb(folder.path(), &sql);
        assert_eq!(
            json!(found),
            json!([[row["state"], row["reason"]]]),
            "{row}"
        );
    }
    let states: BTreeSet<&str> = planted
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    let all = BTreeSet::from(["excess", "missing", "present", "unverifiable"]);
    assert_eq!(states, all, "one of each is planted");
    // Needs come from jobs, excess from none; each once.
    let counted = |what: &str| {
        duckdb_count(
            folder.path(),
            &format!("SELECT count(*) FROM 'role_needs/*/*.parquet' WHERE {what}"),
        )
    };
    assert_eq!(
        counted("state = 'excess' AND (jobs > 0 OR required IS NOT NULL)"),
        0
    );
    assert_eq!(counted("required IS NOT NULL AND jobs = 0"), 0);
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT account_id, role_arn, action, resource_arn FROM 'role_needs/*/*.parquet')";
    assert_eq!(duckdb_count(folder.path(), distinct), counted("true"));
}

#[test]
fn sample_logs_are_what_the_generator_makes() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("sample-logs");
    generator(&["sample", "--out", text(&made)]).expect_status(0);
    let committed: Vec<_> = files_under(&root().join("sample-logs"))
        .into_iter()
        .filter(|(name, _)| name != "README.md")
        .collect();
    let made = files_under(&made);
    let names = |files: &[(String, Vec<u8>)]| {
        files
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&made), names(&committed));
    for ((name, a), (_, b)) in made.iter().zip(&committed) {
        assert!(a == b, "{name} differs");
    }
}
