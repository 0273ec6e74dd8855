//! A generated corpus of some size: the counts are the generator's truth, counted by DuckDB.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{analyze, duckdb, generator, text};

#[test]
fn twenty_thousand_events_of_a_large_organisation() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("corpus");
    generator(&[
        "corpus",
        "--out",
        text(&corpus),
        "--events",
        "20000",
        "--files",
        "60",
        "--principals",
        "400",
    ])
    .expect_status(0);
    let truth: Value =
        serde_json::from_slice(&fs::read(corpus.join("truth.json")).unwrap()).unwrap();
    let out = folder.path().join("out");
    let (status, report) = analyze(&corpus, &corpus.join("iam"), &out, &[]);
    assert_eq!(status, 0, "{report}");
    assert_eq!(report["books"]["records_read"], truth["records"]);
    for (name, count) in truth["books"].as_object().unwrap() {
        assert_eq!(&report["books"][name], count, "books.{name}");
    }
    let rows = duckdb(
        &out,
        "SELECT verdict, count(*) FROM (SELECT DISTINCT log_file, record_index, verdict FROM 'decisions/*/*.parquet') GROUP BY verdict",
    );
    let found: BTreeMap<&str, u64> = rows
        .iter()
        .map(|row| (row[0].as_str().unwrap(), row[1].as_u64().unwrap()))
        .collect();
    let wanted: BTreeMap<&str, u64> = truth["verdicts"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, count)| (name.as_str(), count.as_u64().unwrap()))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(found, wanted);
}
