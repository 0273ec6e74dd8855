//! Planted sessions and what belongs together, held against the rows of an output.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::duckdb;

/// What is planted, held against the rows of an output.
#[track_caller]
pub(crate) fn check_planted(out: &Path, truth: &Value) {
    let stories = truth["planted"].as_array().unwrap();
    let rows = rows_of(out, stories);
    let mut wrong = Vec::new();
    for story in stories {
        let found = found(&rows, story);
        let mut check = |name: &str, wanted: &Value| {
            if found[name] != *wanted {
                let (id, why) = (&story["id"], &story["why"]);
                wrong.push(format!("{id}: {name} {}, not {wanted}: {why}", found[name]));
            }
        };
        check("calls", &story["calls"]);
        check("verdict", &json!([story["verdict"]]));
        check("reason", &json!([story["reason"]]));
        for name in ["assumes", "layer"] {
            if !story[name].is_null() {
                check(name, &json!([story[name]]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rows of all planted calls, by event id.
fn rows_of(out: &Path, stories: &[Value]) -> BTreeMap<String, Vec<Vec<Value>>> {
    let ids: Vec<String> = stories
        .iter()
        .flat_map(|story| story["event_ids"].as_array().unwrap())
        .map(|id| format!("'{}'", id.as_str().unwrap()))
        .collect();
    let sql = format!(
        "SELECT event_id, log_file, record_index, verdict, reason, list_sort(assumes), layer, required, action IS NULL FROM 'decisions/*/*.parquet' WHERE event_id IN ({})",
        ids.join(",")
    );
    let mut rows: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    for row in duckdb(out, &sql) {
        let id = row[0].as_str().unwrap().to_owned();
        rows.entry(id).or_default().push(row);
    }
    rows
}

/// The distinct values that the calls of a story have.
fn found(rows: &BTreeMap<String, Vec<Vec<Value>>>, story: &Value) -> Value {
    let rows: Vec<&Vec<Value>> = story["event_ids"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|id| rows.get(id.as_str().unwrap()))
        .flatten()
        .collect();
    let distinct = |column: usize, which: &dyn Fn(&Vec<Value>) -> bool| -> Value {
        let texts: BTreeSet<String> = rows
            .iter()
            .filter(|row| which(row))
            .map(|row| row[column].to_string())
            .collect();
        texts
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).unwrap())
            .collect()
    };
    let required = |row: &Vec<Value>| row[7] == true;
    let calls: BTreeSet<String> = rows
        .iter()
        .map(|row| format!("{} {}", row[1], row[2]))
        .collect();
    json!({
        "calls": calls.len(),
        "verdict": distinct(3, &|_| true),
        // A request that is only possible has a reason of its own.
        "reason": distinct(4, &|row| required(row) || row[8] == true || row[3] == "not_evaluated"),
        "assumes": distinct(5, &required),
        "layer": distinct(6, &|row| required(row) && !row[6].is_null()),
    })
}
