//! A merge of shards that fails at any step is gone on with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    dead_code,
    reason = "tests may fail loudly, and share support"
)]

mod support;

use std::fs;

use retrial_pipeline::{
    Manifest, PipelineError, PlanOptions, Report, Shard, merge_shards, shard_folder,
};
use retrial_storage::{FolderStore, Step, Store};
use retrial_tables::{Changes, Coverage, Decisions, Rejects, Sessions, Usage};
use support::{FailAt, With, World, copy_folder, issue, session_call, user_call};

const COUNT: u32 = 3;
const ISSUED_ELSEWHERE: &str = "ASIAEXAMPLEELSEWHERE";
const ISSUED_NEXT_DAY: &str = "ASIAEXAMPLENEXTDAY00";
const ISSUED_TWICE: &str = "ASIAEXAMPLETWICE0000";
const NEVER_ISSUED: &str = "ASIAEXAMPLENEVER0000";

/// Accounts of all three shards.
const ACCOUNTS: [&str; 4] = [
    "111122223333",
    "333344445555",
    "123456789012",
    "444455556666",
];

fn world() -> World {
    let world = World::new();
    let [a, b, c, d] = ACCOUNTS;
    let log = |account: &str, stamp: &str, records: &[serde_json::Value]| {
        world.log_of(account, "eu-west-1", stamp, records);
    };
    log(
        a,
        "20261102T0805Z",
        &[
            user_call("a-0"),
            user_call("a-1"),
            session_call("s-0", ISSUED_ELSEWHERE),
        ],
    );
    log(
        b,
        "20261102T0810Z",
        &[
            issue("i-0", ISSUED_ELSEWHERE),
            user_call("a-0"),
            user_call("b-0"),
        ],
    );
    let mut other_body = user_call("a-1");
    other_body["awsRegion"] = "eu-west-3".into();
    log(
        c,
        "20261102T0840Z",
        &[
            other_body,
            user_call("c-0"),
            session_call("s-1", NEVER_ISSUED),
        ],
    );
    log(d, "20261102T0845Z", &[user_call("d-0")]);
    let mut other_policy = issue("i-1", ISSUED_TWICE);
    other_policy["requestParameters"]["policy"] = serde_json::Value::Null;
    log(c, "20261102T0900Z", &[other_policy]);
    log(
        d,
        "20261102T0901Z",
        &[
            issue("i-2", ISSUED_TWICE),
            session_call("s-2", ISSUED_TWICE),
        ],
    );
    log(
        b,
        "20261102T2358Z",
        &[session_call("s-3", ISSUED_NEXT_DAY), user_call("b-1")],
    );
    log(
        a,
        "20261103T0003Z",
        &[issue("i-3", ISSUED_NEXT_DAY), user_call("b-0")],
    );
    // Seven days behind the first it is a duplicate still, then a record of its own, which has one in turn.
    log(c, "20261109T0700Z", &[user_call("b-0"), user_call("c-1")]);
    log(a, "20261109T0830Z", &[user_call("b-0"), user_call("a-0")]);
    log(
        d,
        "20261110T0003Z",
        &[session_call("s-4", NEVER_ISSUED), user_call("b-0")],
    );
    log(b, "20261110T0009Z", &[user_call("b-2")]);
    world
}

/// As small as can be with something to read again, a duplicate, and a call that waits.
fn small_world() -> World {
    let world = World::new();
    let [a, b, c, _] = ACCOUNTS;
    let log = |account: &str, stamp: &str, records: &[serde_json::Value]| {
        world.log_of(account, "eu-west-1", stamp, records);
    };
    let elsewhere = session_call("s-0", ISSUED_ELSEWHERE);
    log(a, "20261102T0805Z", &[user_call("a-0"), elsewhere]);
    log(
        b,
        "20261102T0810Z",
        &[issue("i-0", ISSUED_ELSEWHERE), user_call("a-0")],
    );
    log(
        c,
        "20261103T0003Z",
        &[user_call("c-0"), session_call("s-1", NEVER_ISSUED)],
    );
    world
}

fn shards(world: &World, out: &str) -> Vec<Box<dyn Store>> {
    let store = |index| -> Box<dyn Store> {
        let folder = shard_folder(Shard {
            index,
            count: COUNT,
        });
        Box::new(FolderStore::create(&world.path(out).join(folder)).unwrap())
    };
    (0..COUNT).map(store).collect()
}

fn work_shards(world: &World, out: &str) {
    for (index, store) in (0..).zip(shards(world, out)) {
        let with = With {
            plan: PlanOptions {
                shard: Some(Shard {
                    index,
                    count: COUNT,
                }),
                ..PlanOptions::default()
            },
            ..With::default()
        };
        let report = world.run_with(store.as_ref(), with).unwrap();
        assert!(report.files > 0, "shard {index} is empty");
    }
}

fn merge_with(
    world: &World,
    store: &dyn Store,
    shards: &[Box<dyn Store>],
) -> Result<Report, PipelineError> {
    world.work_with(With::default(), |run, options| {
        merge_shards(run, (store, shards), options)
    })
}

fn manifest_if_any(world: &World, out: &str) -> Option<Manifest> {
    let store = FolderStore::open(&world.path(out)).unwrap();
    Some(Manifest::read(&store).unwrap()?.0)
}

fn merge(world: &World, out: &str) {
    let store = FolderStore::create(&world.path(out)).unwrap();
    merge_with(world, &store, &shards(world, out)).unwrap();
}

#[test]
fn shards_are_one_run() {
    let world = world();
    let report = world.run("one");
    work_shards(&world, "out");
    let store = FolderStore::create(&world.path("out")).unwrap();
    let merged = merge_with(&world, &store, &shards(&world, "out")).unwrap();
    assert_eq!(merged.books, report.books);
    assert_eq!(merged.verdicts, report.verdicts);
    assert_eq!(
        (merged.conflicts, merged.waiting, merged.files, merged.bytes),
        (report.conflicts, report.waiting, report.files, report.bytes)
    );
    // What was planted across shards is found.
    assert_eq!((report.conflicts, report.waiting), (1, 1));
    assert_eq!(report.books.duplicate, 4);
    macro_rules! same {
        ($($table:ty),*) => {$(
            assert_eq!(world.rows::<$table>("one"), world.rows::<$table>("out"));
        )*};
    }
    same!(Decisions, Sessions, Changes, Rejects);
    assert!(world.rows::<Usage>("out").len() > 5);
    assert!(world.rows::<Coverage>("out").len() > 3);

    // The next run goes on from either, to the same rows.
    world.log(
        "eu-west-1",
        "20261110T0012Z",
        &[issue("i-4", NEVER_ISSUED), user_call("b-2")],
    );
    world.log(
        "eu-west-1",
        "20261111T0012Z",
        &[user_call("a-9"), user_call("b-1")],
    );
    let (one, out) = (world.run("one"), world.run("out"));
    assert_eq!(one.books, out.books);
    assert_eq!(one.redecided, out.redecided);
    same!(Decisions, Sessions, Changes, Rejects);
}

#[test]
fn a_merge_that_fails_at_any_step_is_gone_on_with() {
    let world = small_world();
    work_shards(&world, "shards");
    let copy = |out: &str| copy_folder(&world.path("shards"), &world.path(out));
    copy("undisturbed");
    merge(&world, "undisturbed");
    let fail_at = |out: &str, at: u64| {
        copy(out);
        let (faults, counts) = FailAt::new(at);
        let failed = FolderStore::create_with_faults(&world.path(out), faults)
            .map_err(PipelineError::from)
            .and_then(|store| merge_with(&world, &store, &shards(&world, out)));
        let steps = counts.steps();
        assert_eq!(failed.is_err(), steps.len() as u64 > at, "step {at}");
        steps
    };
    let steps = fail_at("counted", u64::MAX);
    for step in [Step::PutRename, Step::UploadRename, Step::Delete] {
        assert!(steps.contains(&step), "{step:?} is not tried");
    }
    world.same_objects("undisturbed", "counted");
    for at in 0..steps.len() as u64 {
        let out = format!("out-{at}");
        fail_at(&out, at);
        let merged =
            manifest_if_any(&world, &out).is_some_and(|manifest| manifest.header.merging.is_none());
        if !merged || world.path(&out).join("shards").exists() {
            let store = FolderStore::create(&world.path(&out)).unwrap();
            match merge_with(&world, &store, &shards(&world, &out)) {
                Ok(_) => {}
                // All was done but for making the last deletion durable.
                Err(error) => assert!(merged, "step {at}: {error}"),
            }
        }
        world.same_objects("undisturbed", &out);
        fs::remove_dir_all(world.path(&out)).unwrap();
    }
}
