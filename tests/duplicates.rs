//! Records that come more than once count once: exactly as often as the generator says.

use std::path::Path;

use serde_json::Value;

use crate::support::corpora::{Corpus, holds_what_the_manifest_lists};
use crate::support::{analyze, duckdb, duckdb_count, root};

/// Kept records are those with rows in `decisions`.
const KEPT: &str = "SELECT DISTINCT log_file, record_index, event_id, account_id, conflict FROM 'decisions/*/*.parquet'";

fn check(out: &Path, report: &Value, truth: &Value) {
    let wanted = &truth["duplicates"];
    assert_eq!(report["books"]["records_read"], truth["records"]);
    assert_eq!(report["books"]["duplicate"], wanted["duplicate"]);
    let kept = duckdb_count(out, &format!("SELECT count(*) FROM ({KEPT})"));
    assert_eq!(kept, wanted["kept"].as_u64().unwrap());
    let conflicting = duckdb_count(
        out,
        &format!("SELECT count(*) FROM ({KEPT}) WHERE conflict"),
    );
    assert_eq!(conflicting, wanted["conflicting"].as_u64().unwrap());
    for planted in truth["planted_duplicates"].as_array().unwrap() {
        check_planted(out, planted);
    }
    holds_what_the_manifest_lists(out);
}

fn check_planted(out: &Path, planted: &Value) {
    let ids: Vec<String> = planted["event_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| format!("'{}'", id.as_str().unwrap()))
        .collect();
    let which = match ids.is_empty() {
        true => String::from("event_id IS NULL"),
        false => format!("event_id IN ({})", ids.join(",")),
    };
    let sql = format!("SELECT count(*), count(*) FILTER (conflict) FROM ({KEPT}) WHERE {which}");
    let row = &duckdb(out, &sql)[0];
    assert_eq!(row[0], planted["kept"], "{planted}");
    assert_eq!(row[1], planted["conflicting"], "{planted}");
}

#[test]
fn of_every_kind() {
    let corpus = Corpus::with_all_planted("12000", "132");
    assert_eq!(
        corpus.truth["planted_duplicates"].as_array().unwrap().len(),
        12,
        "eleven days have room for all kinds"
    );
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (status, report) = analyze(&corpus.path(), &corpus.iam(), &out, &[]);
    assert_eq!(status, 0, "{report}");
    check(&out, &report, &corpus.truth);
}

#[test]
fn in_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let logs = root().join("sample-logs");
    let truth = std::fs::read(logs.join("truth.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let (status, report) = analyze(&logs, &logs.join("iam"), folder.path(), &[]);
    assert_eq!(status, 0, "{report}");
    check(folder.path(), &report, &truth);
}

/// An addendum is a row of its own that names what it amends, and its original stays as it was.
#[test]
fn an_addendum_amends() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let corpus = Corpus::with_all_planted("1000", "22");
    let (_, report) = analyze(&corpus.path(), &corpus.iam(), &out, &[]);
    let planted = corpus.truth["planted"].as_array().unwrap();
    let amending = planted
        .iter()
        .find(|story| story["id"] == "addendum")
        .unwrap();
    let rows = duckdb(
        &out,
        "SELECT event_id, amends, verdict, reason FROM 'decisions/*/*.parquet' WHERE amends IS NOT NULL",
    );
    let wanted = [
        amending["event_ids"][0].clone(),
        amending["amends"].clone(),
        amending["verdict"].clone(),
        amending["reason"].clone(),
    ];
    assert_eq!(rows, [wanted.to_vec()], "{report}");

    // The view has all rows but the addendum's, and says of the original's what amended them.
    let view = std::fs::read_to_string(root().join("dashboards/duckdb/views.sql")).unwrap();
    let ask = |sql: &str| duckdb(folder.path(), &format!("{view}\n{sql}"));
    let rows = |files: &str| duckdb(&out, &format!("SELECT count(*) FROM {files}"));
    let all = rows("'decisions/*/*.parquet'")[0][0].as_u64().unwrap();
    assert_eq!(
        ask("SELECT count(*) FROM amended"),
        [[Value::from(all - 1)]]
    );
    let amended = ask(
        "SELECT DISTINCT event_id, amended_by, outcome, verdict FROM amended WHERE amended_by IS NOT NULL",
    );
    let original = duckdb(
        &out,
        &format!(
            "SELECT DISTINCT o.event_id, a.event_id, a.outcome, if(a.outcome = o.outcome, o.verdict, NULL) FROM 'decisions/*/*.parquet' o, 'decisions/*/*.parquet' a WHERE a.amends = o.event_id AND o.event_id = '{}'",
            amending["amends"].as_str().unwrap()
        ),
    );
    assert_eq!(amended, original);
    assert_eq!(amended.len(), 1);
}
