//! Whole runs over buckets give what they give over folders.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Place, comparable};
use crate::support::corpora::{Corpus, holds_what_the_manifest_lists, same_bytes, same_rows};
use crate::support::{analyze, retrial, root, text};

/// The same report but for the place of the output.
#[track_caller]
fn same_report(mut one: Value, mut other: Value) {
    for report in [&mut one, &mut other] {
        report.as_object_mut().unwrap().remove("out");
    }
    // What is printed as the output's place stands in no other member.
    assert_eq!(one, other);
}

#[test]
fn the_sample_logs_give_the_folders_tables() {
    let logs = root().join("sample-logs");
    let Some(place) = Place::holding(&logs) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (status, by_folder) = analyze(&logs, &logs.join("iam"), &at("folder"), &[]);
    assert_eq!(status, 0);
    let (status, report) = place.analyze(&logs.join("iam"), &[]);
    assert_eq!(status, 0);
    same_report(by_folder, report);

    place.fetch("out", &at("bucket"));
    holds_what_the_manifest_lists(&at("bucket"));
    same_rows(&at("folder"), &at("bucket"));
    same_bytes(
        &comparable(&at("folder"), text(&logs)),
        &place.output(),
        "a folder and a bucket",
    );

    // Nothing is new, and nothing changes.
    let before = place.output();
    let (status, report) = place.analyze(&logs.join("iam"), &[]);
    assert_eq!((status, &report["books"]["records_read"]), (0, &0.into()));
    assert_eq!(report["files"]["read"], 0);
    same_bytes(&before, &place.output(), "nothing new");
}

/// From a bucket into a folder, and from a folder into a bucket.
#[test]
fn one_side_may_be_a_folder() {
    let logs = root().join("sample-logs");
    let Some(place) = Place::holding(&logs) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let iam = logs.join("iam");
    analyze(&logs, &iam, &at("folder"), &[]);
    let run = |source: &str, out: &str| {
        place
            .retrial(&["analyze", source, "--iam", text(&iam), "--out", out, "-q"])
            .expect_status(0);
    };
    run(&place.address("in"), text(&at("from the bucket")));
    run(text(&logs), &place.address("from-the-folder"));
    let expected = comparable(&at("folder"), text(&logs));
    let from_bucket = comparable(&at("from the bucket"), &place.address("in"));
    same_bytes(&expected, &from_bucket, "from a bucket");
    place.fetch("from-the-folder", &at("fetched"));
    let from_folder = comparable(&at("fetched"), text(&logs));
    same_bytes(&expected, &from_folder, "into a bucket");
}

/// What a command prints about a folder and about a bucket.
#[track_caller]
fn same_words(place: &Place, (out, source): (&Path, &Path), arguments: &[&str], status: i32) {
    let of_folder: Vec<&str> = arguments
        .iter()
        .map(|argument| match *argument {
            "OUT" => text(out),
            "SOURCE" => text(source),
            other => other,
        })
        .collect();
    let (bucket_out, bucket_source) = (place.address("out"), place.address("in"));
    let of_bucket: Vec<&str> = arguments
        .iter()
        .map(|argument| match *argument {
            "OUT" => bucket_out.as_str(),
            "SOURCE" => bucket_source.as_str(),
            other => other,
        })
        .collect();
    let folder = retrial(&of_folder).expect_status(status);
    let bucket = place.retrial(&of_bucket).expect_status(status);
    let neutral = |printed: &str, out: &str, source: &str| {
        printed.replace(out, "OUT").replace(source, "SOURCE")
    };
    assert_eq!(
        neutral(&folder.stdout, text(out), text(source)),
        neutral(&bucket.stdout, &bucket_out, &bucket_source),
        "{arguments:?}"
    );
    assert!(!bucket.stdout.is_empty(), "{arguments:?}");
}

#[test]
fn the_other_commands_take_buckets() {
    let logs = root().join("sample-logs");
    let Some(place) = Place::holding(&logs) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let iam = logs.join("iam");
    analyze(&logs, &iam, &out, &[]);
    place.analyze(&iam, &[]);
    let stricter = folder.path().join("stricter.json");
    let details = "accounts/111122223333/authorization-details.json";
    let policies = fs::read_to_string(iam.join(details)).unwrap();
    fs::write(&stricter, policies.replace("s3:PutObject", "s3:GetObject")).unwrap();

    let both = (out.as_path(), logs.as_path());
    let check = |arguments: &[&str], status| same_words(&place, both, arguments, status);
    check(&["status", "--out", "OUT"], 0);
    check(&["status", "--out", "OUT", "--format", "json"], 0);
    check(&["replay", "--out", "OUT", "--iam", text(&iam)], 0);
    check(&["replay", "--out", "OUT", "--iam", text(&stricter)], 0);
    // One whose session's issuer is in another file.
    for event in planted(&logs) {
        let find = ["explain", &event, "--in", "SOURCE", "--iam", text(&iam)];
        check(&find, 0);
    }
    let before = "2026-11-05";
    let prune = ["prune", "--out", "OUT", "--before", before];
    check(&prune, 0);
    check(&["status", "--out", "OUT"], 0);
    same_bytes(&comparable(&out, text(&logs)), &place.output(), "pruned");
}

/// An event of each kind of call that was planted.
fn planted(logs: &Path) -> Vec<String> {
    let truth = fs::read(logs.join("truth.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let planted = truth["planted"].as_array().unwrap();
    let events = planted.iter().map(|planted| &planted["event_ids"][0]);
    events
        .map(|event| event.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn small_files_are_merged_and_old_days_pruned() {
    let logs = root().join("sample-logs");
    let Some(place) = Place::holding(&logs) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (iam, small) = (logs.join("iam"), ["--batch-bytes", "20000"]);
    analyze(&logs, &iam, &out, &small);
    place.analyze(&iam, &small);
    let before = place.output().len();
    let both = (out.as_path(), logs.as_path());
    let compact = ["compact", "--out", "OUT", "--before", "2027-01-01"];
    same_words(&place, both, &[&compact[..], &["--dry-run"]].concat(), 0);
    assert_eq!(place.output().len(), before);
    same_words(&place, both, &compact, 0);
    assert!(place.output().len() < before);
    same_bytes(&comparable(&out, text(&logs)), &place.output(), "merged");
    place.fetch("out", &folder.path().join("fetched"));
    holds_what_the_manifest_lists(&folder.path().join("fetched"));

    let target = place.address("out");
    let ran = place.retrial(&[
        "prune",
        "--out",
        &target,
        "--before",
        "2026-11-05",
        "--log-format",
        "json",
    ]);
    let ran = ran.expect_status(0);
    let last: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["message"], &last["before"]),
        (&"pruned".into(), &"2026-11-05".into())
    );
    assert!(last["files"].as_u64().unwrap() > 0, "{last}");
}

/// An array of jobs and their merge.
#[test]
fn shards_are_merged_in_a_bucket() {
    let corpus = crate::shards::strewn("3000");
    let Some(place) = Place::holding(&corpus.path()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (one, fetched) = (folder.path().join("one"), folder.path().join("fetched"));
    let (status, by_folder) = analyze(&corpus.path(), &corpus.iam(), &one, &[]);
    for shard in ["1/3", "0/3", "2/3"] {
        let ended = place
            .start_analysis(&corpus.iam(), &["--shard", shard])
            .finish();
        assert!(
            matches!(ended.status, Some(0 | 3)),
            "{shard}: {}",
            ended.stderr
        );
    }
    let (merged, report) = place.analyze(&corpus.iam(), &["--merge-shards", "3"]);
    assert_eq!(status, merged);
    assert_eq!(by_folder["books"], report["books"]);
    assert!(!place.keys().iter().any(|key| key.contains("/shards/")));
    place.fetch("out", &fetched);
    holds_what_the_manifest_lists(&fetched);
    same_rows(&one, &fetched);
    let (_, report) = place.analyze(&corpus.iam(), &[]);
    assert_eq!(report["files"]["read"], 0);
}

#[test]
fn a_day_added_each_night() {
    let corpus = Corpus::with_all_planted("4000", "60");
    let Some(place) = Place::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (day, keys) in corpus.days() {
        for key in &keys {
            let bytes = fs::read(corpus.path().join(key)).unwrap();
            place.put(&format!("in/{key}"), &bytes);
            crate::support::write(&at("growing"), key, &bytes);
        }
        let (_, by_folder) = analyze(&at("growing"), &corpus.iam(), &at("out"), &[]);
        let (status, report) = place.analyze(&corpus.iam(), &[]);
        assert_eq!(status, 0, "{day}");
        assert_eq!(report["files"]["read"], keys.len(), "{day}: new files only");
        same_report(by_folder, report);
    }
    same_bytes(
        &comparable(&at("out"), text(&at("growing"))),
        &place.output(),
        "day by day",
    );
    analyze(&corpus.path(), &corpus.iam(), &at("at once"), &[]);
    place.fetch("out", &at("fetched"));
    same_rows(&at("fetched"), &at("at once"));
}
