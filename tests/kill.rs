//! A run that is killed, stopped or refused at any instant leaves nothing broken: the next one goes on
//! and ends with the bytes of a run that nobody disturbed.
//!
//! Here the process is disturbed from outside; `crates/pipeline/tests` tries every durable step.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::corpora::{Corpus, bytes_of, same_bytes};
use crate::support::process::{Dice, Ended, Running, pass, start, start_retrial, wait_for};
use crate::support::{files_under, python, root, text, write};

/// Small enough for dozens of batches.
const BATCH_BYTES: &str = "150000";
const KILLS: usize = 10;

/// A corpus, and an output of it that was made in peace.
struct Stage {
    corpus: Corpus,
    folder: TempDir,
    undisturbed: Vec<(String, Vec<u8>)>,
    /// How long that took.
    time: Duration,
}

impl Stage {
    fn new() -> Stage {
        let corpus = Corpus::new(&[
            "--events",
            "40000",
            "--files",
            "160",
            "--principals",
            "400",
            "--days",
            "11",
            "--planted",
            "on",
            "--duplicates",
            "0.1",
        ]);
        let mut stage = Stage {
            corpus,
            folder: tempfile::tempdir().unwrap(),
            undisturbed: Vec::new(),
            time: Duration::ZERO,
        };
        let out = stage.out("undisturbed");
        let begun = Instant::now();
        stage.run(&out).expect_status(0);
        stage.time = begun.elapsed();
        stage.undisturbed = bytes_of(&out);
        let batches = batches(&out);
        assert!(batches >= 20, "only {batches} batches");
        stage
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self, out: &Path) -> Vec<String> {
        let (corpus, iam) = (self.corpus.path(), self.corpus.iam());
        let arguments = [
            "analyze",
            text(&corpus),
            "--iam",
            text(&iam),
            "--out",
            text(out),
            "--batch-bytes",
            BATCH_BYTES,
            "--quiet",
        ];
        arguments.map(str::to_owned).to_vec()
    }

    fn start(&self, out: &Path) -> Running {
        let arguments = self.arguments(out);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        start_retrial(&arguments)
    }

    fn run(&self, out: &Path) -> Ended {
        self.start(out).finish()
    }

    /// What is left of a disturbed run goes on to the undisturbed run's bytes.
    #[track_caller]
    fn goes_on(&self, out: &Path, what: &str) {
        self.run(out).expect_status(0);
        same_bytes(&bytes_of(out), &self.undisturbed, what);
    }

    /// Starts a run and leaves it once some batches are committed.
    fn under_way(&self, out: &Path) -> Running {
        let mut running = self.start(out);
        let is_under_way = wait_for(|| batches(out) >= 4 || running.has_ended());
        assert!(is_under_way, "nothing is committed");
        running
    }
}

/// How many batches an output's manifest lists; none where there is none.
fn batches(out: &Path) -> usize {
    let Ok(manifest) = fs::read_to_string(out.join("_retrial/manifest")) else {
        return 0;
    };
    let mut batches: Vec<u64> = manifest
        .lines()
        .skip(1)
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["batch"].as_u64())
        .collect();
    batches.sort_unstable();
    batches.dedup();
    batches.len()
}

#[test]
fn at_random_instants() {
    let stage = Stage::new();
    let mut dice = Dice::new("kill::at_random_instants");
    let mut in_the_middle = 0;
    for kill in 0..KILLS {
        let out = stage.out(&format!("killed-{kill}"));
        let instant = stage.time.mul_f64(dice.share());
        let running = stage.start(&out);
        pass(instant);
        let ended = running.kill();
        let committed = batches(&out);
        in_the_middle += usize::from(ended.status.is_none() && committed > 0);
        let what = format!("killed after {instant:?} and {committed} batches");
        stage.goes_on(&out, &what);
    }
    assert!(in_the_middle > 0, "no run was killed in its middle");
}

/// The same output is killed again and again, and still ends with the same bytes.
#[test]
fn again_and_again() {
    let stage = Stage::new();
    let mut dice = Dice::new("kill::again_and_again");
    let out = stage.out("killed");
    for _ in 0..KILLS {
        let running = stage.start(&out);
        pass(stage.time.mul_f64(dice.share() * 0.25));
        drop(running.kill());
    }
    stage.goes_on(&out, "killed again and again");
}

/// SIGTERM ends the run at the next slice; its exit status says that it could not finish, and the same
/// command goes on.
#[test]
fn a_signal_stops_at_a_slice() {
    let stage = Stage::new();
    let out = stage.out("stopped");
    let running = stage.under_way(&out);
    running.terminate();
    let ended = running.finish();
    ended.expect_error(&["stopped", "interrupted", "signal"]);
    let committed = batches(&out);
    assert!(committed >= 4);
    stage.goes_on(&out, "stopped by a signal");
}

/// The second signal does not wait for the slice: it ends the process as if nobody had listened, which
/// loses no more than that.
#[test]
fn a_second_signal_ends_it_at_once() {
    let stage = Stage::new();
    let mut by_the_signal = 0;
    for number in 0..3 {
        let out = stage.out(&format!("twice-{number}"));
        let running = stage.under_way(&out);
        running.terminate();
        running.interrupt();
        let ended = running.finish();
        // The slice may have been done between the two.
        assert!(matches!(ended.status, None | Some(2)), "{ended:?}");
        by_the_signal += usize::from(ended.status.is_none());
        stage.goes_on(&out, "stopped by two signals");
    }
    assert!(by_the_signal > 0, "no run was ended by the second signal");
}

/// A prune that is told to stop, at whatever instant, has taken the days out or has not.
#[test]
fn a_signal_while_pruning() {
    let stage = Stage::new();
    let first = stage.out("undisturbed");
    let last = last_day(&first);
    let prune = |out: &Path| start_retrial(&["prune", "--out", text(out), "--before", &last]);
    let copied = |name: &str| {
        let out = stage.out(name);
        for (key, bytes) in files_under(&first) {
            write(&out, &key, &bytes);
        }
        out
    };
    let pruned = copied("pruned");
    let begun = Instant::now();
    prune(&pruned).finish().expect_status(0);
    let time = begun.elapsed();
    stage.run(&pruned).expect_status(0);
    let expect = bytes_of(&pruned);
    let mut dice = Dice::new("kill::a_signal_while_pruning");
    for number in 0..KILLS {
        let out = copied(&format!("prune-{number}"));
        let running = prune(&out);
        pass(time.mul_f64(dice.share()));
        running.terminate();
        let ended = running.finish();
        assert!(matches!(ended.status, None | Some(0)), "{ended:?}");
        let was = bytes_of(&out);
        stage.run(&out).expect_status(0);
        let is = bytes_of(&out);
        // The run has removed what did not count, and nothing else.
        assert!(is.len() <= was.len());
        if is.len() > expect.len() {
            same_bytes(&is, &stage.undisturbed, "not pruned");
        }
        prune(&out).finish().expect_status(0);
        stage.run(&out).expect_status(0);
        same_bytes(&bytes_of(&out), &expect, "pruned after a signal");
    }
}

/// The last delivery day of an output.
fn last_day(out: &Path) -> String {
    let manifest = fs::read_to_string(out.join("_retrial/manifest")).unwrap();
    let header: Value = serde_json::from_str(manifest.lines().next().unwrap()).unwrap();
    let plans = header["plans"].as_array().unwrap();
    let day = &plans.last().unwrap()["delivery_date"];
    day.as_str().unwrap().to_owned()
}

/// Two writers at once: the first is fenced. What it completed at that moment may stop the second one
/// too; what they leave is whole, and goes on.
#[test]
fn two_writers() {
    let stage = Stage::new();
    let out = stage.out("two");
    let first = stage.under_way(&out);
    let second = stage.start(&out);
    let ends = [first.finish(), second.finish()];
    let failed: Vec<&Ended> = ends.iter().filter(|end| end.status != Some(0)).collect();
    assert!(!failed.is_empty(), "{ends:?}");
    for end in &failed {
        end.expect_error(&["another writer"]);
    }
    if failed.len() == 1 {
        same_bytes(&bytes_of(&out), &stage.undisturbed, "two writers");
    }
    stage.goes_on(&out, "after two writers");
}

/// A disk that is full, in small: files may not grow beyond a limit, and writing fails as it does there.
#[test]
fn a_full_disk() {
    let stage = Stage::new();
    let out = stage.out("full");
    // Some way into the run there is a file that is too large.
    let parquet = |(name, _): &&(String, Vec<u8>)| name.ends_with(".parquet");
    let mut sizes: Vec<usize> = stage
        .undisturbed
        .iter()
        .filter(parquet)
        .map(|(_, bytes)| bytes.len())
        .collect();
    sizes.sort_unstable();
    let blocks = (sizes[sizes.len() - 2] / 512).to_string();
    let arguments = stage.arguments(&out);
    // The signal that comes with the limit is ignored, so that the write fails instead.
    let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    let mut all = vec!["-c", script, "sh", &blocks, env!("CARGO_BIN_EXE_retrial")];
    all.extend(arguments.iter().map(String::as_str));
    let ended = start(Path::new("/bin/sh"), &all).finish();
    ended.expect_error(&["File too large", "full"]);
    stage.goes_on(&out, "a full disk");
}

/// An output that nobody may write to: a clear error, and nothing is changed.
#[test]
fn a_read_only_output() {
    let stage = Stage::new();
    let out = stage.out("read-only");
    drop(stage.under_way(&out).kill());
    let before = files_under(&out);
    let folders = folders_under(&out);
    permit(&folders, 0o555);
    let ended = as_nobody(&stage, &out);
    permit(&folders, 0o755);
    ended.expect_error(&["ermission denied", "ead-only"]);
    assert!(ended.stderr.contains(text(&out)), "{}", ended.stderr);
    same_bytes(&files_under(&out), &before, "read only");
    stage.goes_on(&out, "read only for a while");
}

/// Runs the program without root's rights; what it reads must be there for everybody.
fn as_nobody(stage: &Stage, out: &Path) -> Ended {
    let program = stage.out("retrial");
    fs::copy(env!("CARGO_BIN_EXE_retrial"), &program).unwrap();
    let corpus = stage.corpus.path();
    let open = [stage.folder.path(), corpus.parent().unwrap()];
    permit(&open.map(Path::to_owned), 0o755);
    permit(std::slice::from_ref(&program), 0o755);
    let script = root().join("tests/support/unprivileged.py");
    let mut all = vec![text(&script).to_owned(), text(&program).to_owned()];
    all.extend(stage.arguments(out));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    start(&python(), &all).finish()
}

fn permit(paths: &[PathBuf], mode: u32) {
    for path in paths {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn folders_under(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut index = 0;
    while index < folders.len() {
        for entry in fs::read_dir(&folders[index]).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        index += 1;
    }
    folders
}
