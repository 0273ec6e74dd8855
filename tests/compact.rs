//! `retrial compact`: fewer files, the same rows, and everything goes on.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::corpora::{
    Corpus, bytes_of, holds_what_the_manifest_lists, same_bytes, same_rows,
};
use crate::support::planted::check_planted;
use crate::support::process::{Dice, pass, start_retrial};
use crate::support::{analyze, duckdb, duckdb_count, files_under, retrial, text, write};

/// Merges, and gives what it says.
#[track_caller]
fn compact(out: &Path, more: &[&str]) -> String {
    let mut arguments = vec!["compact", "--out", text(out)];
    arguments.extend(more);
    let ran = retrial(&arguments).expect_status(0);
    holds_what_the_manifest_lists(out);
    ran.stdout
}

fn copied(from: &Path, to: &Path) {
    for (name, bytes) in files_under(from) {
        write(to, &name, &bytes);
    }
}

/// The most files that a table has of an event date and a delivery day.
fn most_files(out: &Path) -> usize {
    let manifest = fs::read_to_string(out.join("_retrial/manifest")).unwrap();
    let mut groups = std::collections::BTreeMap::new();
    for line in manifest.lines().skip(1) {
        let file: Value = serde_json::from_str(line).unwrap();
        let group = ["table", "event_date", "delivery_date"].map(|name| file[name].to_string());
        *groups.entry(group).or_insert(0) += 1;
    }
    groups.into_values().max().unwrap()
}

/// Small commits, several a day, so that there is something to merge.
const SMALL: [&str; 2] = ["--batch-bytes", "60000"];

#[test]
fn nightly_runs_and_merges_are_one_run() {
    let corpus = Corpus::with_all_planted("9000", "120");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (source, out, once) = (at("growing"), at("nightly"), at("once"));
    for (_, keys) in corpus.days() {
        for key in &keys {
            write(&source, key, &fs::read(corpus.path().join(key)).unwrap());
        }
        analyze(&source, &corpus.iam(), &out, &SMALL);
        compact(&out, &[]);
    }
    analyze(&corpus.path(), &corpus.iam(), &once, &[]);
    same_rows(&out, &once);
    check_planted(&out, &corpus.truth);

    assert!(most_files(&out) > 1, "the last day is still open");
    compact(&out, &["--before", "2027-01-01"]);
    same_rows(&out, &once);
    let rows = "SELECT count(*) FROM 'usage/*/*.parquet'";
    let keys = "SELECT count(*) FROM (SELECT DISTINCT event_date, account_id, principal_arn, principal_type, action, resource_arn, required, filename FROM read_parquet('usage/*/*.parquet', filename = true))";
    let counted = duckdb_count(&out, rows);
    assert!(counted > 100);
    assert_eq!(counted, duckdb_count(&out, keys), "equal keys are summed");
    // Sorted throughout, not only within row groups.
    for file in files_under(&out)
        .iter()
        .filter(|(name, _)| name.ends_with("-merged.parquet") && name.starts_with("decisions/"))
    {
        let sorted = format!(
            "SELECT count(*) FROM (SELECT (account_id, principal_arn, event_time) AS k, lag((account_id, principal_arn, event_time)) OVER (ORDER BY file_row_number) AS before FROM read_parquet('{}', file_row_number = true) WHERE account_id IS NOT NULL AND principal_arn IS NOT NULL AND event_time IS NOT NULL) WHERE before > k",
            file.0
        );
        assert_eq!(duckdb_count(&out, &sorted), 0, "{}", file.0);
    }
    let status = retrial(&["status", "--out", text(&out), "--format", "json"]).expect_status(0);
    assert_eq!(status.json()["health"]["sound"], true);
}

#[test]
fn a_replay_says_the_same() {
    let corpus = Corpus::with_all_planted("6000", "80");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    analyze(&corpus.path(), &corpus.iam(), &out, &SMALL);
    let replay = || {
        let iam = corpus.iam();
        let arguments = [
            "replay",
            "--out",
            text(&out),
            "--iam",
            text(&iam),
            "--format",
            "json",
        ];
        retrial(&arguments).json()
    };
    let before = replay();
    let verdicts = duckdb(
        &out,
        "SELECT verdict, count(*) FROM 'decisions/*/*.parquet' GROUP BY ALL ORDER BY ALL",
    );
    let said = compact(&out, &["--before", "2027-01-01", "--dry-run"]);
    assert!(said.contains("would merge"), "{said}");
    let merged = compact(&out, &["--before", "2027-01-01"]);
    let files = |text: &str| {
        text.split(" files")
            .next()
            .unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(files(&said), files(&merged), "{said}{merged}");
    assert_eq!(most_files(&out), 1);
    assert_eq!(replay(), before);
    let after = "SELECT verdict, count(*) FROM 'decisions/*/*.parquet' GROUP BY ALL ORDER BY ALL";
    assert_eq!(duckdb(&out, after), verdicts);
    let again = compact(&out, &["--before", "2027-01-01"]);
    assert!(again.contains("merged nothing"), "{again}");
}

/// Killed, or told to stop, at whatever instant: given again it ends with the same bytes.
#[test]
fn at_random_instants() {
    let corpus = Corpus::with_all_planted("20000", "160");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    analyze(&corpus.path(), &corpus.iam(), &at("first"), &SMALL);
    copied(&at("first"), &at("undisturbed"));
    let begun = std::time::Instant::now();
    compact(&at("undisturbed"), &[]);
    let time = begun.elapsed();
    let undisturbed = bytes_of(&at("undisturbed"));
    let mut dice = Dice::new("compact::at_random_instants");
    for number in 0..6 {
        let out = at(&format!("out-{number}"));
        copied(&at("first"), &out);
        let running = start_retrial(&["compact", "--out", text(&out)]);
        pass(time.mul_f64(dice.share()));
        let how = if number % 2 == 0 {
            drop(running.kill());
            "killed"
        } else {
            running.terminate();
            let ended = running.finish();
            assert!(
                matches!(ended.status, None | Some(0) | Some(2)),
                "{ended:?}"
            );
            "told to stop"
        };
        // What is left behind that counts no more, a run removes.
        analyze(&corpus.path(), &corpus.iam(), &out, &SMALL);
        compact(&out, &[]);
        same_bytes(&bytes_of(&out), &undisturbed, how);
    }
}
