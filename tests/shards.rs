//! Several machines and a merge make what one run makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::corpora::{
    Corpus, bytes_of, holds_what_the_manifest_lists, same_bytes, same_rows,
};
use crate::support::planted::check_planted;
use crate::support::{analyze, books_balance, files_under, retrial, root, text, write};

/// Without what is derived at the end.
const BARE: [&str; 1] = ["--no-findings"];

/// A corpus whose log files are strewn over the accounts' folders: duplicates are in several shards, and so
/// are calls and the records that issued their sessions.
pub(crate) fn strewn(events: &str) -> Corpus {
    let corpus = Corpus::with_all_planted(events, "200");
    let keys: Vec<String> = corpus
        .days()
        .into_iter()
        .flat_map(|(_, keys)| keys)
        .collect();
    let accounts: Vec<&str> = {
        let all: BTreeSet<&str> = keys.iter().map(|key| account_of(key)).collect();
        all.into_iter().collect()
    };
    assert!(accounts.len() >= 3, "{accounts:?}");
    for (number, key) in keys.iter().enumerate() {
        let own = accounts.iter().position(|a| *a == account_of(key));
        let other = accounts[(own.unwrap() + 1 + number % (accounts.len() - 1)) % accounts.len()];
        let elsewhere = key.replacen(&format!("/{}/", account_of(key)), &format!("/{other}/"), 1);
        let (from, to) = (corpus.path().join(key), corpus.path().join(&elsewhere));
        match number % 6 {
            // The file is another account's.
            0 | 3 => {
                write(&corpus.path(), &elsewhere, b"");
                fs::rename(&from, &to).unwrap();
            }
            // Another account has a copy, under a name of its own.
            1 => {
                let copy = elsewhere.replace(".json.gz", "Copy.json.gz");
                write(&corpus.path(), &copy, &fs::read(&from).unwrap());
            }
            _ => {}
        }
    }
    write(
        &corpus.path(),
        &keys[7].replace(".json.gz", "Broken.json.gz"),
        b"this is no gzip",
    );
    corpus
}

/// `111122223333` of `AWSLogs/o-…/111122223333/CloudTrail/…`.
fn account_of(key: &str) -> &str {
    let before = key.split("/CloudTrail/").next().unwrap();
    before.rsplit('/').next().unwrap()
}

struct Place {
    source: PathBuf,
    iam: PathBuf,
    out: PathBuf,
}

impl Place {
    fn shard(&self, shard: &str, more: &[&str]) -> crate::support::Ran {
        let (source, iam, out) = (text(&self.source), text(&self.iam), text(&self.out));
        let arguments = [
            "analyze", source, "--iam", iam, "--out", out, "--quiet", "--shard", shard,
        ];
        retrial(&[&arguments[..], more].concat())
    }

    fn all_shards(&self, count: usize, more: &[&str]) {
        // In whatever order.
        for index in (0..count).rev() {
            let ran = self.shard(&format!("{index}/{count}"), more);
            assert!(ran.status == 0 || ran.status == 3, "{}", ran.stderr);
        }
    }

    fn merge(&self, count: usize, more: &[&str]) -> (i32, Value) {
        let count = count.to_string();
        let more = [&["--merge-shards", &count], more].concat();
        analyze(&self.source, &self.iam, &self.out, &more)
    }

    fn merge_fails(&self, count: &str, more: &[&str], expect: &str) {
        let (source, iam, out) = (text(&self.source), text(&self.iam), text(&self.out));
        let arguments = [
            "analyze",
            source,
            "--iam",
            iam,
            "--out",
            out,
            "--merge-shards",
            count,
        ];
        let ran = retrial(&[&arguments[..], more].concat()).expect_status(2);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert!(!self.out.join("_retrial").exists(), "nothing was made");
    }
}

/// What a report says of all records together.
fn counted(report: &Value) -> Value {
    let mut counted = serde_json::Map::new();
    for name in [
        "books",
        "files",
        "not_evaluated",
        "undetermined",
        "undetermined_by",
        "assumed",
        "layers_named_by_aws",
        "unmapped",
        "service_linked_differences",
        "verdicts",
        "outcomes",
        "services",
        "rejects",
        "retryable_rejects",
        "copies",
        "conflicts",
        "waiting",
    ] {
        assert!(!report[name].is_null(), "{name}: {report}");
        counted.insert(name.to_owned(), report[name].clone());
    }
    Value::Object(counted)
}

#[track_caller]
fn as_one_run(place: &Place, one: (&Path, &Value), count: usize, more: &[&str]) {
    place.all_shards(count, more);
    assert!(!place.out.join("_retrial").exists());
    let (_, report) = place.merge(count, more);
    books_balance(&report);
    assert_eq!(counted(one.1), counted(&report), "{count}");
    assert!(!place.out.join("shards").exists());
    same_rows(one.0, &place.out);
    holds_what_the_manifest_lists(&place.out);
}

#[test]
fn the_sample_logs() {
    let folder = tempfile::tempdir().unwrap();
    let logs = root().join("sample-logs");
    let one = folder.path().join("one");
    let (_, report) = analyze(&logs, &logs.join("iam"), &one, &[]);
    for count in [1, 2, 3, 7] {
        let place = Place {
            source: logs.clone(),
            iam: logs.join("iam"),
            out: folder.path().join(format!("of-{count}")),
        };
        as_one_run(&place, (&one, &report), count, &[]);
    }
}

#[test]
fn duplicates_and_sessions_of_several_shards() {
    let corpus = strewn("9000");
    let folder = tempfile::tempdir().unwrap();
    let days = corpus.days();
    let (last, earlier) = days.split_last().unwrap();
    let source = folder.path().join("growing");
    let deliver = |keys: &[String]| {
        for key in keys {
            write(&source, key, &fs::read(corpus.path().join(key)).unwrap());
        }
    };
    earlier.iter().for_each(|(_, keys)| deliver(keys));
    let one = folder.path().join("one");
    let (_, report) = analyze(&source, &corpus.iam(), &one, &BARE);
    assert!(report["conflicts"].as_u64().unwrap() > 0);
    let mut outs = Vec::new();
    for count in [1, 2, 3, 7] {
        let place = Place {
            source: source.clone(),
            iam: corpus.iam(),
            out: folder.path().join(format!("of-{count}")),
        };
        as_one_run(
            &place,
            (&one, &report),
            count,
            &["--no-findings", "--batch-bytes", "200000"],
        );
        outs.push(place.out);
    }
    // The next night knows nothing of shards.
    deliver(&last.1);
    let (_, report) = analyze(&source, &corpus.iam(), &one, &BARE);
    check_planted(&one, &corpus.truth);
    for out in outs {
        let (_, nightly) = analyze(&source, &corpus.iam(), &out, &BARE);
        assert_eq!(counted(&report), counted(&nightly));
        assert_eq!(report["files"]["read"], nightly["files"]["read"]);
        same_rows(&one, &out);
    }
}

#[test]
fn what_does_not_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let logs = root().join("sample-logs");
    let place = Place {
        source: logs.clone(),
        iam: logs.join("iam"),
        out: folder.path().join("out"),
    };
    place.merge_fails("2", &[], "shard 0/2 is missing");
    place.shard("0/2", &[]).expect_status(0);
    place.merge_fails("2", &[], "shard 1/2 is missing");
    place.merge_fails("1", &[], "shard 0/1 is missing");
    place.shard("1/2", &["--strict"]).expect_status(0);
    place.merge_fails("2", &[], "shard 1/2 was made with `--strict`");
    let ran = place.shard("1/2", &[]).expect_status(2);
    assert!(
        ran.stderr.contains("made with `--strict`"),
        "{}",
        ran.stderr
    );
    fs::remove_dir_all(place.out.join("shards/1-of-2")).unwrap();
    place
        .shard("1/2", &["--region", "eu-west-1"])
        .expect_status(0);
    place.merge_fails(
        "2",
        &[],
        "shard 1/2 was made with the filter `region=eu-west-1`",
    );
    fs::remove_dir_all(place.out.join("shards/1-of-2")).unwrap();
    place.shard("1/2", &[]).expect_status(0);
    // Worked again, a shard stays as it is.
    let before = files_under(&place.out.join("shards"));
    place.shard("1/2", &[]).expect_status(0);
    let without_lock = |files: Vec<(String, Vec<u8>)>| -> Vec<String> {
        let tables = files.into_iter().map(|(key, _)| key);
        tables.filter(|key| key.ends_with(".parquet")).collect()
    };
    assert_eq!(
        without_lock(before),
        without_lock(files_under(&place.out.join("shards")))
    );
    place.shard("2/3", &[]).expect_status(0);
    place.merge_fails(
        "2",
        &[],
        "`shards/2-of-3` is there, which is none of 2 shards",
    );
    fs::remove_dir_all(place.out.join("shards/2-of-3")).unwrap();
    place.merge_fails(
        "2",
        &["--service", "s3"],
        "with the filter ``, and not `service=s3`",
    );

    // What is whole is one shard's alone, or all of it.
    let shard = place.out.join("shards/0-of-2");
    let ran = retrial(&[
        "analyze",
        text(&logs),
        "--iam",
        text(&place.iam),
        "--out",
        text(&shard),
    ])
    .expect_status(2);
    assert!(
        ran.stderr.contains("is shard 0/2 of an output"),
        "{}",
        ran.stderr
    );
    let ran = retrial(&[
        "analyze",
        text(&logs),
        "--iam",
        text(&place.iam),
        "--out",
        text(&place.out),
    ])
    .expect_status(2);
    assert!(ran.stderr.contains("not empty"), "{}", ran.stderr);

    place.merge(2, &[]);
    let merged = bytes_of(&place.out);
    let ran = place.shard("0/2", &[]).expect_status(2);
    assert!(
        ran.stderr.contains("is an output already"),
        "{}",
        ran.stderr
    );
    same_bytes(&merged, &bytes_of(&place.out), "a merged output");
}

/// A log file that is to be read again and cannot be is tried again by the next run.
#[test]
fn a_log_file_that_is_gone_by_the_merge() {
    let corpus = strewn("3000");
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("one");
    let place = Place {
        source: corpus.path(),
        iam: corpus.iam(),
        out: folder.path().join("out"),
    };
    place.all_shards(3, &BARE);
    let away = folder.path().join("away");
    fs::rename(corpus.path().join("AWSLogs"), &away).unwrap();
    let (status, report) = place.merge(3, &BARE);
    assert_eq!(status, 3);
    let gone = report["retryable_rejects"].as_u64().unwrap();
    assert!(gone > 0);
    fs::rename(&away, corpus.path().join("AWSLogs")).unwrap();
    let (_, healed) = analyze(&place.source, &place.iam, &place.out, &BARE);
    assert_eq!(healed["files"]["read"], gone);
    assert_eq!(healed["retryable_rejects"], 0);
    // Which of several duplicates is kept is another, since those were read last; how many are kept is not.
    let (_, whole) = analyze(&place.source, &place.iam, &one, &BARE);
    let sum = |name: &str| {
        let part = |report: &Value| report["books"][name].as_u64().unwrap();
        part(&report) + part(&healed)
    };
    for name in ["records_read", "duplicate"] {
        assert_eq!(whole["books"][name], sum(name), "{name}");
    }
}
