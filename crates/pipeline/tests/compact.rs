//! Merging the small files of closed dates: what it leaves, however it ended, and what later runs make of
//! it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use retrial_cloudtrail::Day;
use retrial_pipeline::{
    Compact, Compacted, DayRange, Manifest, PipelineError, PlanOptions, Prune, Scratch,
};
use retrial_storage::{Faults, FolderStore, Step, Store};
use retrial_tables::{Changes, Coverage, Decisions, Rejects, Sessions, Table, TableReader, Usage};
use support::{FailAt, With, World, copy_folder, issue, session_call, user_call};

const KEY: &str = "ASIAEXAMPLEKEYONE000";
const NEVER_ISSUED: &str = "ASIAEXAMPLENEVER0000";

fn calls(prefix: &str, count: usize) -> Vec<serde_json::Value> {
    (0..count)
        .map(|number| user_call(&format!("{prefix}-{number}")))
        .collect()
}

/// A record of another day than the second of November.
fn on(day: &str, mut record: serde_json::Value) -> serde_json::Value {
    record["eventTime"] = format!("2026-11-{day}T08:00:00Z").into();
    record
}

fn days(world: &World, days: &[u32]) {
    for day in days {
        let stamp = |time: &str| format!("202611{day:02}T{time}Z");
        let date = format!("{day:02}");
        for hour in ["0805", "0905", "1005", "1105"] {
            let records = calls(&format!("{day}-{hour}"), 4);
            let mut records: Vec<_> = records.into_iter().map(|call| on(&date, call)).collect();
            // The same key again and again.
            records.push(on(&date, session_call(&format!("s-{day}-{hour}"), KEY)));
            records.push(on(&date, issue(&format!("i-{day}-{hour}"), KEY)));
            world.log("eu-west-1", &stamp(hour), &records);
        }
        let late = format!("{:02}", day - 1);
        let late_calls: Vec<_> = calls(&format!("late-{day}"), 3)
            .into_iter()
            .map(|call| on(&late, call))
            .collect();
        world.log("us-east-1", &stamp("0001"), &late_calls);
        world.log("us-east-1", &stamp("0701"), &late_calls[..1]);
        fs::write(
            world.path("logs").join(format!(
                "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/{day:02}/broken.json"
            )),
            b"{\"Records\":[{]}",
        )
        .unwrap();
    }
}

fn three_days() -> World {
    let world = World::new();
    days(&world, &[2, 3, 4]);
    world
}

fn day(text: &str) -> Day {
    text.parse::<DayRange>().unwrap().first
}

fn compact_in(
    world: &World,
    store: &dyn Store,
    before: Option<&str>,
) -> Result<Compacted, PipelineError> {
    let state = Manifest::read(store)?.unwrap();
    let scratch = Scratch::new(&world.path("scratch"))?;
    let compact = Compact::plan(store, state, before.map(day))?;
    let planned = compact.compacted();
    let done = compact.run(&scratch, &AtomicBool::new(false))?;
    let same = Compacted {
        merged_bytes: done.merged_bytes,
        ..planned
    };
    assert_eq!(done, same, "what was said before is what was done");
    Ok(done)
}

fn compact(world: &World, out: &str, before: Option<&str>) -> Compacted {
    let store = FolderStore::create(&world.path(out)).unwrap();
    compact_in(world, &store, before).unwrap()
}

/// How many files each table has of each event date and delivery day.
fn counts(world: &World, out: &str) -> BTreeMap<[String; 3], usize> {
    let mut counts = BTreeMap::new();
    for file in world.manifest(out).files {
        let group = [file.table, file.event_date, file.delivery_date];
        *counts.entry(group).or_default() += 1;
    }
    counts
}

type Sums = BTreeMap<String, (u64, u64)>;

/// The sums of `usage` and `coverage`, by what they are of.
fn sums(world: &World, out: &str) -> Sums {
    let mut sums = Sums::new();
    for file in world.manifest(out).files {
        let bytes = fs::read(world.path(out).join(&file.key)).unwrap();
        let mut add = |key: String, counts: (u64, u64)| {
            let sum = sums
                .entry(format!("{} {key}", file.event_date))
                .or_default();
            (sum.0, sum.1) = (sum.0 + counts.0, sum.1 + counts.1);
        };
        if file.table == Usage::NAME {
            each::<Usage>(bytes, |row| {
                add(
                    format!("{:?} {}", row.principal_arn, row.action),
                    (row.calls, row.succeeded),
                );
            });
        } else if file.table == Coverage::NAME {
            each::<Coverage>(bytes, |row| {
                add(
                    format!("{:?} {:?} {:?}", row.region, row.service, row.hour),
                    (row.files, row.records),
                );
            });
        }
    }
    sums
}

fn each<T: Table>(bytes: Vec<u8>, mut look: impl FnMut(&T::Row<'_>)) {
    let reader = TableReader::<T, Vec<u8>>::open(bytes).unwrap();
    for group in 0..reader.row_groups() {
        for batch in reader.batches(group).unwrap() {
            batch
                .unwrap()
                .with_rows(|rows| rows.iter().for_each(&mut look));
        }
    }
}

/// All rows that count, and sums where rows may be summed.
fn content(world: &World, out: &str) -> (Vec<Vec<String>>, Sums) {
    let rows = vec![
        world.rows::<Decisions>(out),
        world.rows::<Sessions>(out),
        world.rows::<Changes>(out),
        world.rows::<Rejects>(out),
    ];
    (rows, sums(world, out))
}

fn run_with(world: &World, out: &str, plan: PlanOptions) {
    let store = FolderStore::create(&world.path(out)).unwrap();
    let with = With {
        plan,
        ..With::default()
    };
    world.run_with(&store, with).unwrap();
}

#[test]
fn the_files_of_closed_dates_become_one() {
    let world = three_days();
    world.run("out");
    let before = content(&world, "out");
    let files = counts(&world, "out");
    let of = |counts: &BTreeMap<[String; 3], usize>, table: &str, date: &str, delivery: &str| {
        let group = [table, date, delivery].map(str::to_owned);
        counts.get(&group).copied().unwrap_or(0)
    };
    assert!(of(&files, "decisions", "2026-11-02", "2026-11-02") > 1);
    assert!(of(&files, "rejects", "unknown", "2026-11-02") >= 1);

    let compacted = compact(&world, "out", None);
    assert_eq!(compacted.open_dates, Vec::<String>::new());
    // The last delivery day's own date goes on.
    let dates = ["2026-11-02", "2026-11-03"];
    assert!(
        dates
            .iter()
            .all(|date| compacted.dates.contains(&(*date).to_owned()))
    );
    assert!(!compacted.dates.contains(&"2026-11-04".to_owned()));
    assert_eq!(content(&world, "out"), before);
    let after = counts(&world, "out");
    for (group, count) in &after {
        let expect = if group[1] == "2026-11-04" {
            files[group]
        } else {
            1
        };
        assert_eq!(*count, expect, "{group:?}");
    }
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        files.keys().collect::<Vec<_>>()
    );
    for file in world.manifest("out").files {
        if file.key.ends_with("-merged.parquet") {
            assert!(file.supersedes.len() > 1, "{}", file.key);
        }
    }
    // Nothing is left to be done, and nothing is written.
    let objects = world.objects("out");
    let again = compact(&world, "out", None);
    assert_eq!((again.files, again.dates.len()), (0, 0));
    assert!(world.objects("out") == objects);
    // All that is listed is there, and nothing else.
    let listed = world.manifest("out");
    let keys: Vec<&str> = listed.keys().into_iter().collect();
    assert_eq!(objects.keys().collect::<Vec<_>>(), keys);
}

#[test]
fn only_before_a_day() {
    let world = three_days();
    world.run("out");
    let merged = compact(&world, "out", Some("2026-11-03"));
    assert!(merged.dates.contains(&"2026-11-02".to_owned()));
    assert!(!merged.dates.contains(&"2026-11-03".to_owned()));
    let rest = compact(&world, "out", Some("2026-11-30"));
    assert_eq!(rest.dates, ["2026-11-03", "2026-11-04"]);
    assert!(counts(&world, "out").values().all(|count| *count == 1));
}

/// A date of which calls wait is left alone until they are decided.
#[test]
fn what_waits_is_left_alone() {
    let world = three_days();
    world.log(
        "eu-west-1",
        "20261104T2358Z",
        &[on("03", session_call("waits", NEVER_ISSUED))],
    );
    world.run("out");
    let first = compact(&world, "out", None);
    assert_eq!(first.open_dates, ["2026-11-03"]);
    assert!(!first.dates.contains(&"2026-11-03".to_owned()));
    days(&world, &[5]);
    world.run("out");
    let second = compact(&world, "out", None);
    assert_eq!(second.open_dates, Vec::<String>::new());
    assert!(second.dates.contains(&"2026-11-03".to_owned()));
}

#[test]
fn a_failure_at_any_step_is_gone_on_from() {
    let world = three_days();
    world.run("first");
    copy_folder(&world.path("first"), &world.path("undisturbed"));
    compact(&world, "undisturbed", None);
    let fail_at = |out: &str, at: u64| {
        copy_folder(&world.path("first"), &world.path(out));
        let (faults, counts) = FailAt::new(at);
        let failed = FolderStore::create_with_faults(&world.path(out), faults)
            .map_err(PipelineError::from)
            .and_then(|store| compact_in(&world, &store, None));
        let steps = counts.steps();
        assert_eq!(failed.is_err(), steps.len() as u64 > at, "step {at}");
        steps
    };
    let steps = fail_at("counted", u64::MAX);
    for step in Step::DURABLE {
        // The output's folder is there, and nothing is left behind by others.
        let is_tried = !matches!(step, Step::CreateFolder | Step::Clean);
        assert!(!is_tried || steps.contains(&step), "{step:?} is not tried");
    }
    world.same_objects("undisturbed", "counted");
    for at in 0..steps.len() as u64 {
        let out = format!("out-{at}");
        fail_at(&out, at);
        let before = content(&world, &out);
        compact(&world, &out, None);
        // Where only what counts no more was still to be removed, the next writer does it.
        if fs::read_dir(world.path(&out)).is_ok() {
            world.run(&out);
        }
        assert_eq!(content(&world, &out), before, "step {at}");
        world.same_objects("undisturbed", &out);
        fs::remove_dir_all(world.path(&out)).unwrap();
    }
}

/// Lets another writer do the work, before a certain step of this one.
struct Overtaken {
    world: Arc<World>,
    at: u64,
    seen: AtomicU64,
}

impl Faults for Overtaken {
    fn before(&self, step: Step, _key: &str) -> io::Result<()> {
        // Where this writer holds no lock.
        let is_free = matches!(
            step,
            Step::PutBegin | Step::UploadCreate | Step::UploadWrite | Step::UploadFsync
        );
        if is_free && self.seen.fetch_add(1, Ordering::Relaxed) == self.at {
            self.world.run("out");
        }
        Ok(())
    }
}

#[test]
fn of_two_writers_one_is_fenced() {
    let world = three_days();
    world.run("first");
    copy_folder(&world.path("first"), &world.path("undisturbed"));
    compact(&world, "undisturbed", None);
    let world = Arc::new(world);
    for at in [0, 1, 2, 7, 20] {
        copy_folder(&world.path("first"), &world.path("out"));
        let faults = Overtaken {
            world: Arc::clone(&world),
            at,
            seen: AtomicU64::new(0),
        };
        let store = FolderStore::create_with_faults(&world.path("out"), faults).unwrap();
        let error = compact_in(&world, &store, None).unwrap_err();
        assert!(
            matches!(error, PipelineError::Fenced { .. }),
            "{at}: {error}"
        );
        compact(&world, "out", None);
        world.run("out");
        world.same_objects("undisturbed", "out");
        fs::remove_dir_all(world.path("out")).unwrap();
    }
}

#[test]
fn an_interrupted_run_is_finished_first() {
    let world = three_days();
    let store = FolderStore::create(&world.path("out")).unwrap();
    let with = With {
        stop: true,
        ..With::default()
    };
    world.run_with(&store, with).unwrap_err();
    let error = compact_in(&world, &store, None).unwrap_err();
    assert!(matches!(error, PipelineError::Interrupted), "{error}");
}

/// Each night a run, and then a merge: the rows are those of one run, and so is what runs do to it.
#[test]
fn later_runs_go_on_from_it() {
    let world = World::new();
    for number in 2..=6 {
        days(&world, &[number]);
        world.run("nightly");
        compact(&world, "nightly", None);
        // Nothing is new: nothing changes.
        let before = world.objects("nightly");
        world.run("nightly");
        assert!(world.objects("nightly") == before);
    }
    world.run("at-once");
    let expect = content(&world, "at-once");
    assert_eq!(content(&world, "nightly"), expect);

    let one_day = |text: &str| PlanOptions {
        replace: vec![text.parse().unwrap()],
        ..PlanOptions::default()
    };
    for days in ["2026-11-03", "2026-11-04..2026-11-05", "2026-11-02"] {
        run_with(&world, "nightly", one_day(days));
        assert_eq!(content(&world, "nightly"), expect, "{days}");
        compact(&world, "nightly", None);
        assert_eq!(content(&world, "nightly"), expect, "{days}, merged");
    }
    let recompute = PlanOptions {
        recompute: true,
        ..PlanOptions::default()
    };
    run_with(&world, "nightly", recompute);
    assert_eq!(content(&world, "nightly"), expect);
}

/// What is pruned is the same, whether it was merged or not.
#[test]
fn a_merged_output_is_pruned_as_another() {
    let world = World::new();
    days(&world, &[2, 3, 4, 5, 6]);
    world.run("out");
    copy_folder(&world.path("out"), &world.path("merged"));
    compact(&world, "merged", None);
    for out in ["out", "merged"] {
        let store = FolderStore::create(&world.path(out)).unwrap();
        let state = Manifest::read(&store).unwrap().unwrap();
        let pruned = Prune::plan(&store, state, day("2026-11-05")).unwrap();
        assert_eq!(
            pruned.run().unwrap().days,
            ["2026-11-02", "2026-11-03", "2026-11-04"]
        );
    }
    assert_eq!(content(&world, "merged"), content(&world, "out"));
    world.run("merged");
    assert_eq!(content(&world, "merged"), content(&world, "out"));
}
