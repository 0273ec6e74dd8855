//! Calls of sessions get the decisions that are stated for them, wherever the issuing record stands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::corpora::Corpus;
use crate::support::planted::check_planted;
use crate::support::{analyze, duckdb, duckdb_count};

#[test]
fn of_every_kind() {
    let corpus = Corpus::with_all_planted("6000", "66");
    let folder = tempfile::tempdir().unwrap();
    let (status, report) = analyze(&corpus.path(), &corpus.iam(), folder.path(), &[]);
    assert_eq!(status, 0, "{report}");
    check_planted(folder.path(), &corpus.truth);
    let verdicts = duckdb(
        folder.path(),
        "SELECT verdict, count(*) FROM (SELECT DISTINCT log_file, record_index, verdict FROM 'decisions/*/*.parquet') GROUP BY verdict",
    );
    let found: BTreeMap<String, Value> = verdicts
        .into_iter()
        .map(|row| (row[0].as_str().unwrap().to_owned(), row[1].clone()))
        .collect();
    let wanted = corpus.truth["verdicts"].as_object().unwrap().iter();
    let wanted: BTreeMap<String, Value> = wanted
        .filter(|(_, count)| **count != json!(0))
        .map(|(name, count)| (name.clone(), count.clone()))
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(
        report["books"]["not_evaluated"],
        corpus.truth["books"]["not_evaluated"]
    );
    assert_eq!(report["books"]["decided"], corpus.truth["books"]["decided"]);
}

/// The table has a row for each issuing record that is kept, and the calls join it by the access key.
#[test]
fn are_in_the_table_of_sessions() {
    let corpus = Corpus::new(&["--events", "4000", "--files", "40", "--principals", "400"]);
    let folder = tempfile::tempdir().unwrap();
    analyze(&corpus.path(), &corpus.iam(), folder.path(), &[]);
    let issued = corpus.truth["by_event"].as_array().unwrap().iter();
    let issued: u64 = issued
        .filter(|row| row["outcome"] == "succeeded")
        .filter(|row| {
            ["AssumeRole", "AssumeRoleWithSAML", "GetSessionToken"]
                .contains(&row["event_name"].as_str().unwrap())
        })
        .map(|row| row["calls"].as_u64().unwrap())
        .sum();
    assert_eq!(
        duckdb_count(folder.path(), "SELECT count(*) FROM 'sessions/*/*.parquet'"),
        issued
    );
    let joined = duckdb(
        folder.path(),
        "SELECT count(*) FILTER (known), count(*) FILTER (NOT known) FROM (SELECT DISTINCT d.event_id, s.access_key_id IS NOT NULL AS known FROM 'decisions/*/*.parquet' d LEFT JOIN 'sessions/*/*.parquet' s USING (access_key_id) WHERE d.principal_type = 'AssumedRole')",
    );
    let (known, unknown) = (
        joined[0][0].as_u64().unwrap(),
        joined[0][1].as_u64().unwrap(),
    );
    assert!(known > 50 * unknown, "{known} of {}", known + unknown);
}

/// Without the issuing records nothing can be joined, and the answers say what they assume.
#[test]
fn that_nobody_saw_issued_are_assumed() {
    let corpus = Corpus::new(&[
        "--events",
        "4000",
        "--files",
        "40",
        "--principals",
        "400",
        "--sessions",
        "off",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let (_, report) = analyze(&corpus.path(), &corpus.iam(), folder.path(), &[]);
    for (name, count) in corpus.truth["verdicts"].as_object().unwrap() {
        let found = report["verdicts"][name].as_u64().unwrap_or(0);
        assert_eq!(found, count.as_u64().unwrap(), "{name}");
    }
    let firm = duckdb_count(
        folder.path(),
        "SELECT count(*) FROM 'decisions/*/*.parquet' WHERE principal_type = 'AssumedRole' AND required AND decision = 'allowed' AND NOT list_contains(assumes, 'session_policy') AND action <> 'sts:GetCallerIdentity'",
    );
    assert_eq!(firm, 0);
}
