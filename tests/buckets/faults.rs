//! A network that breaks, and a bucket that refuses: the tables are those of an undisturbed run, or lack
//! exactly what could not be read, which `rejects` names and the next run reads.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Place, comparable};
use crate::s3::proxy::{Fault, Proxy, Seen};
use crate::support::corpora::{Corpus, same_bytes, same_rows};
use crate::support::{analyze, duckdb, root, text};

/// The sample logs in a bucket, and what a run over the folder makes of them.
struct Sample {
    place: Place,
    folder: TempDir,
    undisturbed: Vec<(String, Vec<u8>)>,
}

impl Sample {
    /// One for all tests.
    fn get() -> Option<&'static Sample> {
        static SAMPLE: OnceLock<Option<Sample>> = OnceLock::new();
        SAMPLE.get_or_init(Sample::new).as_ref()
    }

    fn new() -> Option<Sample> {
        let logs = root().join("sample-logs");
        let place = Place::holding(&logs)?;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        analyze(&logs, &logs.join("iam"), &out, &[]);
        let undisturbed = comparable(&out, text(&logs));
        Some(Sample {
            place,
            folder,
            undisturbed,
        })
    }

    fn iam(&self) -> PathBuf {
        root().join("sample-logs/iam")
    }
}

/// A request for a log file.
fn is_download(seen: &Seen) -> bool {
    seen.method == "GET" && seen.path.contains(".json.gz")
}

fn is_listing(seen: &Seen) -> bool {
    seen.method == "GET" && seen.path.contains("list-type=2")
}

/// Every third log file, by its name.
fn is_chosen(seen: &Seen) -> bool {
    let sum: usize = seen.path.bytes().map(usize::from).sum();
    sum.is_multiple_of(3)
}

/// With this between the program and the bucket the tables are those of an undisturbed run.
#[track_caller]
fn check_ridden_out(name: &str, rule: impl Fn(&Seen) -> Fault + Send + Sync + 'static) {
    let Some(sample) = Sample::get() else { return };
    let proxy = Proxy::start(sample.place.port(), rule);
    let place = sample.place.with_output(name);
    let (status, report) = place.through(proxy.port()).analyze(&sample.iam(), &[]);
    assert_eq!((status, &report["rejects"]), (0, &json!({})), "{name}");
    same_bytes(&sample.undisturbed, &place.output(), name);
}

#[test]
fn throttling_is_ridden_out() {
    check_ridden_out("throttled", |seen| match seen.before {
        0 if is_download(seen) => Fault::Answer(503, "SlowDown"),
        0 if is_listing(seen) && is_chosen(seen) => Fault::Answer(503, "SlowDown"),
        0 if seen.method == "PUT" => Fault::Answer(503, "SlowDown"),
        _ => Fault::None,
    });
}

#[test]
fn server_errors_are_ridden_out() {
    check_ridden_out("server-errors", |seen| match seen.before {
        0 if is_chosen(seen) => Fault::Answer(500, "InternalError"),
        _ => Fault::None,
    });
}

#[test]
fn resets_and_truncated_bodies_are_ridden_out() {
    check_ridden_out("cut", |seen| match seen.before {
        0 if is_download(seen) => Fault::CutAfter(0),
        1 if is_download(seen) => Fault::CutAfter(700),
        0 if is_listing(seen) && is_chosen(seen) => Fault::CutAfter(100),
        _ => Fault::None,
    });
}

#[test]
fn stalls_are_ridden_out() {
    check_ridden_out("stalled", |seen| match seen.before {
        0 if is_download(seen) && is_chosen(seen) => Fault::StallAfter(300),
        0 if is_listing(seen)
            && seen
                .path
                .contains("CloudTrail%2Feu-west-1%2F2026%2F11%2F02") =>
        {
            Fault::StallAfter(0)
        }
        _ => Fault::None,
    });
}

#[test]
fn lost_answers_are_ridden_out() {
    check_ridden_out("lost", |seen| match seen.before {
        0 if is_chosen(seen) => Fault::LoseAnswer,
        _ => Fault::None,
    });
}

#[test]
fn slow_answers_are_ridden_out() {
    check_ridden_out("slow", |_| Fault::Delay(Duration::from_millis(20)));
}

/// What cannot be read on one run: these rows of `rejects`, and nothing of these log files in the tables;
/// once it can, all is as if nothing had been.
#[track_caller]
fn check_healed(
    name: &str,
    rule: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
    hidden: impl Fn(&str) -> bool,
    rejects: Value,
) {
    let Some(sample) = Sample::get() else { return };
    let proxy = Proxy::start(sample.place.port(), rule);
    let place = sample.place.with_output(name);
    let (status, report) = place.through(proxy.port()).analyze(&sample.iam(), &[]);
    assert_eq!(status, 3, "{report}");
    let at = |part: &str| sample.folder.path().join(format!("{name} {part}"));
    place.fetch(name, &at("refused"));
    let rows = duckdb(
        &at("refused"),
        "SELECT log_file, class, message FROM 'rejects/*/*.parquet' ORDER BY ALL",
    );
    assert_eq!(json!(rows), rejects);

    // What the bucket shows of it as a folder, and nothing else.
    for (key, bytes) in crate::support::files_under(&root().join("sample-logs")) {
        if !hidden(&key) {
            crate::support::write(&at("shown"), &key, &bytes);
        }
    }
    analyze(&at("shown"), &sample.iam(), &at("expected"), &[]);
    std::fs::remove_dir_all(at("refused").join("rejects")).unwrap();
    same_rows(&at("expected"), &at("refused"));

    let (status, report) = place.analyze(&sample.iam(), &[]);
    assert_eq!((status, &report["rejects"]), (0, &json!({})), "{name}");
    place.fetch(name, &at("healed"));
    same_rows(&sample.folder.path().join("out"), &at("healed"));
}

/// The keys of the sample's log files, in order.
fn log_files() -> Vec<String> {
    let keys = crate::support::files_under(&root().join("sample-logs"));
    let keys = keys.into_iter().map(|(key, _)| key);
    keys.filter(|key| key.contains("/CloudTrail/")).collect()
}

#[test]
fn an_object_without_permission_is_read_later() {
    let key = log_files()[7].clone();
    let hidden = key.clone();
    check_healed(
        "denied-object",
        move |seen| match is_download(seen) && seen.path.contains(&hidden) {
            true => Fault::Answer(403, "AccessDenied"),
            false => Fault::None,
        },
        |other| other == key,
        json!([[
            key,
            "retryable",
            format!("cannot open `{key}`: access denied: it takes `s3:GetObject`")
        ]]),
    );
}

/// Of an object that breaks off again and again nothing is kept, however much of it was read.
#[test]
fn an_object_that_always_breaks_off_is_read_later() {
    let key = log_files()[11].clone();
    let hidden = key.clone();
    check_healed(
        "broken-object",
        move |seen| match (
            is_download(seen) && seen.path.contains(&hidden),
            seen.before,
        ) {
            (true, 0) => Fault::CutAfter(900),
            (true, _) => Fault::CutAfter(0),
            _ => Fault::None,
        },
        |other| other == key,
        json!([[
            key,
            "retryable",
            format!("reading failed: cannot read `{key}`: the connection broke again and again")
        ]]),
    );
}

#[test]
fn an_object_that_is_deleted_after_it_was_listed() {
    let key = log_files()[3].clone();
    let hidden = key.clone();
    check_healed(
        "deleted",
        move |seen| match is_download(seen) && seen.path.contains(&hidden) {
            true => Fault::Answer(404, "NoSuchKey"),
            false => Fault::None,
        },
        |other| other == key,
        json!([[key, "retryable", format!("cannot open `{key}`: not found")]]),
    );
}

/// What is still not there when it is tried again was deleted: nobody waits for it any more.
#[test]
fn an_object_that_stays_deleted_is_rejected_for_good() {
    let Some(sample) = Sample::get() else { return };
    let key = log_files()[5].clone();
    let hidden = key.clone();
    let proxy = Proxy::start(sample.place.port(), move |seen| {
        match is_download(seen) && seen.path.contains(&hidden) {
            true => Fault::Answer(404, "NoSuchKey"),
            false => Fault::None,
        }
    });
    let place = sample.place.with_output("stays-deleted");
    let through = place.through(proxy.port());
    let folder = tempfile::tempdir().unwrap();
    let rejects = |part: &str| {
        let at = folder.path().join(part);
        place.fetch("stays-deleted", &at);
        let sql = "SELECT log_file, reason, class FROM 'rejects/*/*.parquet' ORDER BY ALL";
        json!(duckdb(&at, sql))
    };
    let (status, report) = through.analyze(&sample.iam(), &[]);
    assert_eq!((status, &report["retryable_rejects"]), (3, &1.into()));
    assert_eq!(
        rejects("first"),
        json!([[key, "unreadable_file", "retryable"]])
    );
    let (status, report) = through.analyze(&sample.iam(), &[]);
    assert_eq!((status, &report["retryable_rejects"]), (3, &0.into()));
    assert_eq!(report["rejects"], json!({"deleted_file": 1}));
    let gone = json!([[key, "deleted_file", "permanent"]]);
    assert_eq!(rejects("second"), gone);
    // It is said once; from the next night on all is well.
    let (status, report) = through.analyze(&sample.iam(), &[]);
    assert_eq!((status, &report["files"]["read"]), (0, &0.into()));
    assert_eq!(rejects("third"), gone);
}

/// The SDK's own quota of retries, which all requests of a process share, would be spent by then.
#[test]
fn a_storm_of_throttling_is_ridden_out() {
    let corpus = Corpus::new(&[
        "--events",
        "600",
        "--files",
        "150",
        "--principals",
        "400",
        "--days",
        "2",
    ]);
    let Some(place) = Place::holding(&corpus.path()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    analyze(&corpus.path(), &corpus.iam(), &out, &[]);
    let proxy = Proxy::start(place.port(), |seen| match seen.before {
        0 | 1 if is_download(seen) => Fault::Answer(503, "SlowDown"),
        _ => Fault::None,
    });
    let through = place.through(proxy.port());
    let (iam, source, target) = (corpus.iam(), place.address("in"), place.address("out"));
    let ran = through.retrial(&[
        "analyze",
        &source,
        "--iam",
        text(&iam),
        "--out",
        &target,
        "--log-format",
        "json",
    ]);
    let ran = ran.expect_status(0);
    let seen = proxy.seen();
    let throttled = seen
        .iter()
        .filter(|seen| is_download(seen) && seen.before < 2);
    assert!(throttled.count() >= 300);
    // It is logged, and not once for each.
    let events = ran.stderr.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["message"].as_str().unwrap().to_owned()
    });
    let told = events
        .filter(|message| message == "throttled by S3")
        .count();
    assert!((8..=10).contains(&told), "{told}: {}", ran.stderr);
    same_bytes(
        &comparable(&out, text(&corpus.path())),
        &place.output(),
        "a storm",
    );
}

#[test]
fn a_prefix_without_permission_is_read_later() {
    let prefix = "AWSLogs/o-exampleorg1/444455556666/";
    assert!(log_files().iter().any(|key| key.starts_with(prefix)));
    check_healed(
        "denied-prefix",
        |seen| match is_listing(seen)
            && seen
                .path
                .contains("AWSLogs%2Fo-exampleorg1%2F444455556666%2F")
        {
            true => Fault::Answer(403, "AccessDenied"),
            false => Fault::None,
        },
        |key| key.starts_with(prefix),
        json!([[
            prefix,
            "retryable",
            format!("cannot list `{prefix}`: access denied: it takes `s3:ListBucket`")
        ]]),
    );
}

/// A run that cannot begin says why, in one line.
#[test]
fn what_keeps_a_run_from_beginning() {
    let Some(sample) = Sample::get() else { return };
    let check = |fault: Fault, words: &str| {
        let proxy = Proxy::start(sample.place.port(), move |_| fault.clone());
        let place = sample.place.with_output("never").through(proxy.port());
        let ended = place.start_analysis(&sample.iam(), &[]).finish();
        ended.expect_error(&[words]);
    };
    check(
        Fault::Answer(403, "RequestTimeTooSkewed"),
        "this machine's clock and S3's differ too much",
    );
    check(
        Fault::Answer(403, "SignatureDoesNotMatch"),
        "the credentials were refused (SignatureDoesNotMatch)",
    );
    check(
        Fault::Answer(403, "AccessDenied"),
        "access denied: it takes `s3:GetObject`",
    );
    check(
        Fault::Answer(404, "NoSuchBucket"),
        "the bucket does not exist",
    );
}

/// Three days of a few files: small, and every kind of commit.
struct Days {
    corpus: Corpus,
    place: Place,
    undisturbed: Vec<(String, Vec<u8>)>,
}

impl Days {
    fn new() -> Option<Days> {
        let corpus = Corpus::new(&[
            "--events",
            "500",
            "--files",
            "9",
            "--principals",
            "400",
            "--days",
            "3",
            "--duplicates",
            "0.1",
        ]);
        let place = Place::holding(&corpus.path())?;
        let (status, _) = place.analyze(&corpus.iam(), &[]);
        assert_eq!(status, 0);
        let undisturbed = place.output();
        Some(Days {
            corpus,
            place,
            undisturbed,
        })
    }

    /// A run in which one of the requests that write is not as it should be; whether there was one.
    fn disturb(&self, out: &str, at: usize, fault: &Fault) -> (Place, bool, Option<i32>) {
        let seen = AtomicUsize::new(0);
        let chosen: OnceLock<(String, String)> = OnceLock::new();
        let fault = fault.clone();
        let proxy = Proxy::start(self.place.port(), move |request| {
            if !matches!(request.method.as_str(), "PUT" | "POST" | "DELETE") {
                return Fault::None;
            }
            let name = (request.method.clone(), request.path.clone());
            if seen.fetch_add(1, Ordering::Relaxed) == at {
                chosen.get_or_init(|| name.clone());
            }
            // A lost answer is lost once, a refusal stays.
            let again = request.before > 0 && fault == Fault::LoseAnswer;
            match chosen.get() == Some(&name) && !again {
                true => fault.clone(),
                false => Fault::None,
            }
        });
        let place = self.place.with_output(out);
        let through = place.through(proxy.port());
        let ended = through.start_analysis(&self.corpus.iam(), &[]).finish();
        let writes = proxy
            .seen()
            .iter()
            .filter(|request| request.method != "GET" && request.method != "HEAD")
            .count();
        if ended.status != Some(0) {
            ended.expect_error(&["access denied: it takes `s3:"]);
        }
        (place, writes > at, ended.status)
    }
}

/// Each request that writes, refused: the run ends with an error that names the object and the action,
/// and the next one goes on to the same bytes.
#[test]
fn a_refused_write_at_each_step() {
    let Some(days) = Days::new() else { return };
    let refusal = Fault::Answer(403, "AccessDenied");
    for at in 0.. {
        let (place, was_tried, status) = days.disturb(&format!("refused-{at}"), at, &refusal);
        if !was_tried {
            assert!(at > 20, "only {at} requests write");
            break;
        }
        assert_eq!(status, Some(2), "request {at}");
        let (status, _) = place.analyze(&days.corpus.iam(), &[]);
        assert_eq!(status, 0);
        same_bytes(&days.undisturbed, &place.output(), &format!("request {at}"));
    }
}

/// Each request that writes, done without an answer: the run sees that it was, and goes on.
#[test]
fn a_lost_answer_at_each_step() {
    let Some(days) = Days::new() else { return };
    for at in 0.. {
        let (place, was_tried, status) =
            days.disturb(&format!("lost-{at}"), at, &Fault::LoseAnswer);
        assert_eq!(status, Some(0), "request {at}");
        same_bytes(&days.undisturbed, &place.output(), &format!("request {at}"));
        if !was_tried {
            break;
        }
    }
}
