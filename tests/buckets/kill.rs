//! A run into a bucket that is killed at any instant, or overtaken, leaves nothing broken, as one into a
//! folder does. `crates/pipeline/tests` tries every step.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Place;
use crate::support::corpora::{Corpus, same_bytes};
use crate::support::process::{Dice, Ended, Running, pass, wait_for};

/// Small enough for dozens of batches.
const BATCH_BYTES: [&str; 2] = ["--batch-bytes", "60000"];
const KILLS: usize = 10;

/// A corpus in a bucket, and an output of it that was made in peace.
struct Stage {
    corpus: Corpus,
    place: Place,
    undisturbed: Vec<(String, Vec<u8>)>,
    /// How long that took.
    time: Duration,
}

impl Stage {
    fn new() -> Option<Stage> {
        let corpus = Corpus::new(&[
            "--events",
            "12000",
            "--files",
            "90",
            "--principals",
            "400",
            "--days",
            "6",
            "--planted",
            "on",
            "--duplicates",
            "0.1",
        ]);
        let mut stage = Stage {
            place: Place::holding(&corpus.path())?,
            corpus,
            undisturbed: Vec::new(),
            time: Duration::ZERO,
        };
        let begun = Instant::now();
        stage.start(&stage.place).finish().expect_status(0);
        stage.time = begun.elapsed();
        stage.undisturbed = stage.place.output();
        let batches = batches(&stage.place);
        assert!(batches >= 12, "only {batches} batches");
        Some(stage)
    }

    fn start(&self, place: &Place) -> Running {
        place.start_analysis(&self.corpus.iam(), &BATCH_BYTES)
    }

    /// What is left of a disturbed run goes on to the undisturbed run's bytes.
    #[track_caller]
    fn goes_on(&self, place: &Place, what: &str) {
        self.start(place).finish().expect_status(0);
        same_bytes(&place.output(), &self.undisturbed, what);
    }
}

/// How many batches an output's manifest lists; none where there is none.
fn batches(place: &Place) -> usize {
    let Some(manifest) = place.find("_retrial/manifest") else {
        return 0;
    };
    let manifest = String::from_utf8(manifest).unwrap();
    let files = manifest.lines().skip(1);
    let mut batches: Vec<u64> = files
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["batch"].as_u64())
        .collect();
    batches.sort_unstable();
    batches.dedup();
    batches.len()
}

#[test]
fn at_random_instants() {
    let Some(stage) = Stage::new() else { return };
    let mut dice = Dice::new("buckets::kill::at_random_instants");
    let mut in_the_middle = 0;
    for kill in 0..KILLS {
        let place = stage.place.with_output(&format!("killed-{kill}"));
        let instant = stage.time.mul_f64(dice.share());
        let running = stage.start(&place);
        pass(instant);
        let ended = running.kill();
        let committed = batches(&place);
        in_the_middle += usize::from(ended.status.is_none() && committed > 0);
        let what = format!("killed after {instant:?} and {committed} batches");
        stage.goes_on(&place, &what);
    }
    assert!(in_the_middle > 0, "no run was killed in its middle");
}

/// Two writers at once: one is fenced by the bucket's conditional writes, and what they leave goes on.
#[test]
fn two_writers() {
    let Some(stage) = Stage::new() else { return };
    let place = stage.place.with_output("two");
    let mut first = stage.start(&place);
    assert!(wait_for(|| batches(&place) >= 3 || first.has_ended()));
    let second = stage.start(&place);
    let ends = [first.finish(), second.finish()];
    let failed: Vec<&Ended> = ends.iter().filter(|end| end.status != Some(0)).collect();
    assert!(!failed.is_empty(), "{ends:?}");
    for end in &failed {
        end.expect_error(&["another writer"]);
    }
    stage.goes_on(&place, "after two writers");
}
