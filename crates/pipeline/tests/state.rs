//! What a run leaves, however it ended, and what the next one makes of it.

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
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use retrial_pipeline::{DayRange, Manifest, PipelineError, PlanOptions, Prune};
use retrial_storage::{
    Faults, FolderSource, FolderStore, Listing, Range, Source, Step, StorageError,
};
use retrial_tables::{Coverage, Decisions, Rejects, Sessions};
use support::{FailAt, With, World, copy_folder, issue, session_call, user_call};

const NEVER_ISSUED: &str = "ASIAEXAMPLENEVER0000";
const ISSUED_LATER: &str = "ASIAEXAMPLELATER0000";
const ISSUED_NEXT_DAY: &str = "ASIAEXAMPLENEXTDAY00";

fn calls(prefix: &str, count: usize) -> Vec<serde_json::Value> {
    (0..count)
        .map(|number| user_call(&format!("{prefix}-{number}")))
        .collect()
}

fn first_day(world: &World) {
    let mut records = calls("a", 5);
    records.push(session_call("later", ISSUED_LATER));
    records.push(session_call("never", NEVER_ISSUED));
    world.log("eu-west-1", "20261102T0805Z", &records);
    // The issuing record comes in another region's file, later; and a record of the first file again.
    world.log(
        "us-east-1",
        "20261102T0810Z",
        &[issue("i1", ISSUED_LATER), user_call("a-0")],
    );
    world.log("eu-west-1", "20261102T0840Z", &calls("b", 5));
    world.log("eu-west-1", "20261102T1200Z", &calls("c", 5));
    let mut records = calls("d", 3);
    records.push(session_call("next-day", ISSUED_NEXT_DAY));
    world.log("eu-west-1", "20261102T2358Z", &records);
}

fn second_day(world: &World) {
    let mut other_body = user_call("a-1");
    other_body["awsRegion"] = "eu-west-3".into();
    world.log(
        "eu-west-1",
        "20261103T0003Z",
        &[issue("i2", ISSUED_NEXT_DAY), other_body, user_call("a-2")],
    );
    world.log("eu-west-1", "20261103T0840Z", &calls("e", 5));
    world.log("eu-west-1", "20261103T1200Z", &calls("f", 5));
    world.log(
        "eu-west-1",
        "20261103T2358Z",
        &[session_call("waits", NEVER_ISSUED), user_call("g")],
    );
}

fn both_days() -> World {
    let world = World::new();
    first_day(&world);
    second_day(&world);
    world
}

/// The verdict of each call by its event id, in all files that count.
fn verdicts(world: &World, out: &str) -> BTreeMap<String, Vec<String>> {
    let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in world.rows::<Decisions>(out) {
        let field = |name: &str| {
            let rest = row.split_once(&format!(" {name}: ")).unwrap().1;
            rest.split('"').nth(1).unwrap().to_owned()
        };
        verdicts
            .entry(field("event_id"))
            .or_default()
            .push(field("verdict"));
    }
    verdicts
}

#[test]
fn one_run_finds_what_was_planted() {
    let world = both_days();
    let report = world.run("out");
    // 20 + 2 + 1 on the first day, 14 + 1 on the second.
    assert_eq!(report.books.records_read, 38);
    assert_eq!(report.books.duplicate, 2);
    assert_eq!(report.books.decided, 36);
    assert_eq!(report.conflicts, 1);
    assert_eq!(report.waiting, 1);
    let verdicts = verdicts(&world, "out");
    let check = |id: &str, expect: &[&str]| assert_eq!(verdicts[id], expect, "{id}");
    check("a-0", &["agrees"]);
    check("a-1", &["agrees", "agrees"]);
    // The session policy does not allow it.
    check("later", &["would_be_denied"]);
    check("next-day", &["would_be_denied"]);
    check("never", &["agrees"]);
    check("waits", &["agrees"]);
    let manifest = world.manifest("out");
    assert_eq!(manifest.header.waiting.as_ref().unwrap().records, 1);
    assert!(manifest.header.next_batch > 4, "several batches a day");
    let tail: Vec<_> = manifest.files.iter().filter(|file| file.tail).collect();
    assert!(tail.iter().all(|file| file.key.ends_with("-tail.parquet")));
    assert_eq!(tail.len(), 2, "decisions and usage");
}

#[test]
fn whatever_the_threads() {
    let world = both_days();
    world.run("one");
    let store = FolderStore::create(&world.path("other")).unwrap();
    let with = With {
        threads: 1,
        ..With::default()
    };
    world.run_with(&store, with).unwrap();
    world.same_objects("one", "other");
}

#[test]
fn day_by_day_as_all_at_once() {
    let world = World::new();
    first_day(&world);
    let first = world.run("out");
    assert_eq!((first.books.decided, first.waiting), (22, 1));
    let before = world.objects("out");
    // Nothing is new: nothing changes.
    let again = world.run("out");
    assert_eq!(again.books.records_read, 0);
    assert_eq!(again.read_before, 5);
    assert!(world.objects("out") == before);
    second_day(&world);
    let second = world.run("out");
    assert_eq!((second.books.records_read, second.redecided), (15, 1));
    assert_eq!(second.books.duplicate, 1);

    world.run("at-once");
    world.same_objects("out", "at-once");
}

/// A leftover of a process that was killed, so that there is something to clean.
fn leave_behind(world: &World, out: &str) {
    let folder = world.path(out).join("decisions/event_date=2026-11-02");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".retrial-tmp-1-1"), b"half").unwrap();
}

/// One run that fails at a step, then one that does not. The number of steps of the first.
fn fail_at(world: &World, out: &str, at: u64) -> (u64, Vec<Step>) {
    leave_behind(world, out);
    let (faults, counts) = FailAt::new(at);
    let failed = FolderStore::create_with_faults(&world.path(out), faults)
        .map_err(PipelineError::from)
        .and_then(|store| world.run_with(&store, With::default()));
    let steps = counts.steps();
    let counted = steps.len() as u64;
    assert_eq!(failed.is_err(), counted > at, "step {at}");
    (counted, steps)
}

#[test]
fn a_failure_at_any_step_is_gone_on_from() {
    let world = both_days();
    world.run("undisturbed");
    let (steps, seen) = fail_at(&world, "counted", u64::MAX);
    for step in Step::DURABLE {
        assert!(seen.contains(&step), "{step:?} is not tried");
    }
    world.same_objects("undisturbed", "counted");
    for at in 0..steps {
        let out = format!("out-{at}");
        fail_at(&world, &out, at);
        world.run(&out);
        world.same_objects("undisturbed", &out);
        fs::remove_dir_all(world.path(&out)).unwrap();
    }
}

#[test]
fn a_failure_at_any_step_of_the_second_run_is_gone_on_from() {
    let world = World::new();
    first_day(&world);
    world.run("first");
    second_day(&world);
    world.run("undisturbed");
    let copy = |out: &str| copy_folder(&world.path("first"), &world.path(out));
    copy("counted");
    let (steps, _) = fail_at(&world, "counted", u64::MAX);
    for at in 0..steps {
        let out = format!("out-{at}");
        copy(&out);
        fail_at(&world, &out, at);
        world.run(&out);
        world.same_objects("undisturbed", &out);
        fs::remove_dir_all(world.path(&out)).unwrap();
    }
}

/// A few files of two days, of which one call waits.
fn small_world() -> World {
    let world = World::new();
    world.log("eu-west-1", "20261102T0805Z", &calls("a", 3));
    let records = [issue("i", ISSUED_LATER), session_call("s", ISSUED_LATER)];
    world.log("us-east-1", "20261102T0810Z", &records);
    let records = [
        user_call("a-0"),
        user_call("b"),
        session_call("w", NEVER_ISSUED),
    ];
    world.log("eu-west-1", "20261103T0840Z", &records);
    world
}

/// Tries what is done to an output with a failure at each of its steps, and then without one. All of them
/// end with the rows of an undisturbed try.
fn fails_at_any_step(world: &World, work: impl Fn(&FolderStore) -> Result<(), PipelineError>) {
    let copy = |out: &str| copy_folder(&world.path("first"), &world.path(out));
    let store = |out: &str, at: u64| {
        let (faults, counts) = FailAt::new(at);
        (
            FolderStore::create_with_faults(&world.path(out), faults),
            counts,
        )
    };
    let rows = |out: &str| {
        let rows = [
            world.rows::<Decisions>(out),
            world.rows::<Sessions>(out),
            world.rows::<Coverage>(out),
        ];
        rows.map(unflagged)
    };
    copy("undisturbed");
    let (undisturbed, counts) = store("undisturbed", u64::MAX);
    work(&undisturbed.unwrap()).unwrap();
    let expect = rows("undisturbed");
    for at in 0..counts.steps().len() as u64 {
        let out = format!("out-{at}");
        copy(&out);
        let (failing, _) = store(&out, at);
        let failed = failing
            .map_err(PipelineError::from)
            .and_then(|store| work(&store));
        assert!(failed.is_err(), "step {at}");
        let (sound, _) = store(&out, u64::MAX);
        work(&sound.unwrap()).unwrap();
        assert_eq!(rows(&out), expect, "step {at}");
        // A run leaves nothing that does not count.
        world.run(&out);
        let (objects, manifest) = (world.objects(&out), world.manifest(&out));
        let listed: Vec<&str> = manifest.keys().into_iter().collect();
        assert_eq!(objects.keys().collect::<Vec<_>>(), listed, "step {at}");
        fs::remove_dir_all(world.path(&out)).unwrap();
    }
}

#[test]
fn a_failure_at_any_step_of_a_day_done_anew_is_gone_on_from() {
    let world = small_world();
    world.run("first");
    fails_at_any_step(&world, |store| {
        let with = With {
            plan: PlanOptions {
                replace: vec!["2026-11-02".parse().unwrap()],
                ..PlanOptions::default()
            },
            ..With::default()
        };
        world.run_with(store, with).map(drop)
    });
}

#[test]
fn a_failure_at_any_step_of_a_prune_leaves_all_or_nothing() {
    let world = small_world();
    world.run("first");
    fails_at_any_step(&world, |store| {
        let state = Manifest::read(store)?.unwrap();
        let before = "2026-11-03".parse::<DayRange>().unwrap().first;
        Prune::plan(store, state, before)?.run().map(drop)
    });
}

/// Lets another writer do the whole work, before a certain step of this one.
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
    let world = Arc::new(both_days());
    world.run("undisturbed");
    // The first step is the claim's own.
    for at in [0, 1, 5, 20, 60] {
        let faults = Overtaken {
            world: Arc::clone(&world),
            at,
            seen: AtomicU64::new(0),
        };
        let store = FolderStore::create_with_faults(&world.path("out"), faults).unwrap();
        let error = world.run_with(&store, With::default()).unwrap_err();
        assert!(
            matches!(error, PipelineError::Fenced { .. }),
            "{at}: {error}"
        );
        world.run("out");
        world.same_objects("undisturbed", "out");
        fs::remove_dir_all(world.path("out")).unwrap();
    }
}

#[test]
fn a_run_that_is_stopped_is_gone_on_from() {
    let world = both_days();
    let store = FolderStore::create(&world.path("out")).unwrap();
    let with = With {
        stop: true,
        ..With::default()
    };
    let stopped = world.run_with(&store, with).unwrap_err();
    assert!(matches!(stopped, PipelineError::Stopped), "{stopped}");
    assert!(world.manifest("out").header.plan.is_some());
    world.run("out");
    world.run("undisturbed");
    world.same_objects("out", "undisturbed");
}

/// A source of which one file cannot be read beyond some bytes.
struct Flaky {
    inner: FolderSource,
    key: &'static str,
    bytes: u64,
}

struct Breaks(Box<dyn Read + Send>, u64);

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1 == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let room = usize::try_from(self.1)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.0.read(&mut buffer[..room])?;
        self.1 -= read as u64;
        Ok(read)
    }
}

impl Source for Flaky {
    fn list(&self, range: &Range) -> Listing {
        self.inner.list(range)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        self.inner.folders(folder)
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        let body = self.inner.open(key)?;
        if key.contains(self.key) {
            return Ok(Box::new(Breaks(body, self.bytes)));
        }
        Ok(body)
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}

/// A file that breaks in its first part, or in a later one after rows of it were written, leaves
/// nothing but its reject, and is read whole by the next run.
#[track_caller]
fn check_flaky(world: &World, bytes: u64) {
    let sources: [Box<dyn Source>; 1] = [Box::new(Flaky {
        inner: FolderSource::open(&world.path("logs")).unwrap(),
        key: "20261102T1200Z",
        bytes,
    })];
    let store = FolderStore::create(&world.path("flaky")).unwrap();
    let with = With {
        sources: Some(&sources),
        ..With::default()
    };
    let report = world.run_with(&store, with).unwrap();
    assert_eq!(report.retryable, 1);
    let rejects = world.rows::<Rejects>("flaky");
    assert_eq!(rejects.len(), 1);
    assert!(rejects[0].contains("20261102T1200Z") && rejects[0].contains("\"retryable\""));
    let rows = world.rows::<Decisions>("flaky");
    assert!(!rows.iter().any(|row| row.contains("20261102T1200Z")));

    let report = world.run("flaky");
    assert!(report.rejects.is_empty(), "{:?}", report.rejects);
    assert!(world.manifest("flaky").header.retry.is_none());
    assert_eq!(world.rows::<Rejects>("flaky"), Vec::<String>::new());
    assert_eq!(
        world.rows::<Decisions>("flaky"),
        world.rows::<Decisions>("good")
    );
    assert_eq!(
        world.rows::<Sessions>("flaky"),
        world.rows::<Sessions>("good")
    );
    fs::remove_dir_all(world.path("flaky")).unwrap();
}

#[test]
fn a_file_that_the_storage_refuses_is_read_by_the_next_run() {
    let world = both_days();
    world.run("good");
    check_flaky(&world, 1_000);
}

#[test]
fn also_where_it_breaks_behind_its_first_part() {
    let world = both_days();
    world.log("eu-west-1", "20261102T1200Z", &calls("c", 50_100));
    world.run("good");
    let key = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/111122223333_CloudTrail_eu-west-1_20261102T1200Z_0123456789abcdef.json.gz";
    let size = fs::metadata(world.path("logs").join(key)).unwrap().len();
    check_flaky(&world, size - 10_000);
}

/// Rows without the flag of records that share an event id: done anew, an earlier day's record comes
/// behind a later day's.
fn unflagged(rows: Vec<String>) -> Vec<String> {
    let mut rows: Vec<String> = rows
        .into_iter()
        .map(|row| row.replace("conflict: true", "conflict: false"))
        .collect();
    rows.sort();
    rows
}

#[test]
fn a_day_is_done_anew() {
    let world = both_days();
    world.run("out");
    let rows = unflagged(world.rows::<Decisions>("out"));
    let coverage = world.rows::<Coverage>("out");
    let sessions = world.rows::<Sessions>("out");
    for days in ["2026-11-02", "2026-11-03", "2026-11-02..2026-11-03"] {
        let store = FolderStore::create(&world.path("out")).unwrap();
        let with = With {
            plan: PlanOptions {
                replace: vec![days.parse().unwrap()],
                ..PlanOptions::default()
            },
            ..With::default()
        };
        let report = world.run_with(&store, with).unwrap();
        assert!(report.books.records_read > 10);
        assert_eq!(unflagged(world.rows::<Decisions>("out")), rows, "{days}");
        assert_eq!(world.rows::<Coverage>("out"), coverage, "{days}");
        assert_eq!(world.rows::<Sessions>("out"), sessions, "{days}");
    }
}

/// A day's fingerprints are kept while a file that the look-back may still bring can meet them: 7 days
/// until the file, and 7 days in which a copy counts as one.
#[test]
fn fingerprints_are_kept_over_the_look_back() {
    let world = World::new();
    let at = |day: u32, time: &str| format!("202611{day:02}T{time}Z");
    for day in 1..=20 {
        world.log("eu-west-1", &at(day, "0805"), &calls(&format!("{day}"), 1));
        world.run("out");
    }
    let kept = |out: &str| -> Vec<String> {
        let runs = world.manifest(out).header.duplicates;
        runs.into_iter().map(|run| run.delivery_date).collect()
    };
    // The last day's file may be followed by one of the 13th, which may bring a record of the 6th.
    let days: Vec<String> = (6..=20).map(|day| format!("2026-11-{day:02}")).collect();
    assert_eq!(kept("out"), days);
    // What is kept is there, and nothing else is.
    let objects = world.objects("out");
    let runs = objects
        .keys()
        .filter(|key| key.starts_with("_retrial/duplicates/"));
    assert_eq!(runs.count(), days.len());

    // Late by 7 days: the same records as 7 days before it, and as a minute earlier than that.
    world.log("eu-west-1", &at(13, "0805"), &calls("13", 1));
    let late = [user_call("6-0"), user_call("5-0")];
    world.log("us-east-1", &at(13, "0805"), &late);
    let report = world.run("out");
    assert_eq!(report.books.records_read, 2);
    assert_eq!((report.books.duplicate, report.books.decided), (1, 1));
}

/// A list of what could not be read is not for days that were pruned since.
#[test]
fn what_could_not_be_read_of_a_pruned_day_is_not_tried_again() {
    let world = both_days();
    let sources: [Box<dyn Source>; 1] = [Box::new(Flaky {
        inner: FolderSource::open(&world.path("logs")).unwrap(),
        key: "20261102T1200Z",
        bytes: 1_000,
    })];
    let store = FolderStore::create(&world.path("out")).unwrap();
    let with = With {
        sources: Some(&sources),
        ..With::default()
    };
    world.run_with(&store, with).unwrap();
    assert!(world.manifest("out").header.retry.is_some());
    let state = Manifest::read(&store).unwrap().unwrap();
    let before = "2026-11-03".parse::<DayRange>().unwrap().first;
    Prune::plan(&store, state, before).unwrap().run().unwrap();
    assert_eq!(world.manifest("out").header.retry, None);
    assert_eq!(world.rows::<Rejects>("out"), Vec::<String>::new());
    let report = world.run("out");
    assert_eq!(report.books.records_read, 0);
    let rows = world.rows::<Decisions>("out");
    assert!(!rows.iter().any(|row| row.contains("20261102T1200Z")));
}

/// Days that are to be done anew and are not there are said, and stay.
#[test]
fn what_cannot_be_done_anew_is_said() {
    let world = both_days();
    world.run("out");
    let rows = world.rows::<Decisions>("out");
    let replace = |days: &[&str]| {
        let store = FolderStore::create(&world.path("out")).unwrap();
        let with = With {
            plan: PlanOptions {
                replace: days.iter().map(|days| days.parse().unwrap()).collect(),
                ..PlanOptions::default()
            },
            ..With::default()
        };
        let report = world.run_with(&store, with).unwrap();
        let missed = report.not_replaced.iter().map(DayRange::to_string);
        missed.collect::<Vec<_>>()
    };
    let nothing: &[&str] = &[];
    assert_eq!(replace(&["2026-11-02"]), nothing);
    assert_eq!(replace(&["2026-11-09"]), ["2026-11-09"]);
    let (week, next_week) = ("2026-11-01..2026-11-07", "2026-11-08..2026-11-14");
    assert_eq!(replace(&[week, next_week]), [next_week]);
    let day = "logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/03";
    fs::remove_dir_all(world.path(day)).unwrap();
    assert_eq!(replace(&[week]), ["2026-11-03"]);
    assert_eq!(unflagged(world.rows::<Decisions>("out")), unflagged(rows));
}

#[test]
fn what_is_no_output_of_ours_is_left_alone() {
    let world = both_days();
    fs::create_dir_all(world.path("out")).unwrap();
    fs::write(world.path("out").join("notes.txt"), b"mine").unwrap();
    let store = FolderStore::create(&world.path("out")).unwrap();
    let error = world.run_with(&store, With::default()).unwrap_err();
    assert!(
        matches!(error, PipelineError::NotAnOutput { .. }),
        "{error}"
    );
    assert!(!world.path("out/_retrial").exists());
}
