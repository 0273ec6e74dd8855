//! What a run into a bucket leaves, however it ended: every step that changes something is failed in turn.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests may fail loudly"
)]

#[path = "../../../tests/s3/mod.rs"]
mod s3;
#[allow(dead_code, reason = "it is the folders' tests' too")]
mod support;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use retrial_storage::{Faults, S3Bucket, S3Store, Step};
use s3::server::{Server, connect, options, server};
use support::{With, World, issue, objects_of, same, session_call, user_call};

const WAITS: &str = "ASIAEXAMPLEWAITS0000";
const ISSUED_LATER: &str = "ASIAEXAMPLELATER0000";

fn calls(prefix: &str, count: usize) -> Vec<serde_json::Value> {
    (0..count)
        .map(|number| user_call(&format!("{prefix}-{number}")))
        .collect()
}

/// Two days, of which the first takes two batches; a session that is issued on the other day, a call that
/// waits at the end.
fn two_days() -> World {
    let world = World::new();
    first_day(&world);
    second_day(&world);
    world
}

fn first_day(world: &World) {
    world.log("eu-west-1", "20261102T0805Z", &calls("a", 9));
    let mut records = calls("b", 9);
    records.push(session_call("later", ISSUED_LATER));
    world.log("eu-west-1", "20261102T2358Z", &records);
}

fn second_day(world: &World) {
    let records = [issue("i", ISSUED_LATER), user_call("a-0")];
    world.log("eu-west-1", "20261103T0003Z", &records);
    world.log(
        "eu-west-1",
        "20261103T2358Z",
        &[session_call("waits", WAITS)],
    );
}

/// Fails one step, the `at`th.
struct FailAt {
    at: u64,
    seen: Arc<AtomicU64>,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl Faults for FailAt {
    fn before(&self, step: Step, _key: &str) -> io::Result<()> {
        self.steps.lock().unwrap().push(step);
        if self.seen.fetch_add(1, Ordering::Relaxed) == self.at {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

fn store(server: &Server, address: &str) -> S3Store {
    S3Store::new(connect(server.port(), address))
}

fn run(world: &World, store: &S3Store) {
    world.run_with(store, With::default()).unwrap();
}

/// A run that fails at a step. The steps that it came to.
fn fail_at(world: &World, server: &Server, address: &str, at: u64) -> Vec<Step> {
    let (seen, steps) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::default()));
    let faults = FailAt {
        at,
        seen: Arc::clone(&seen),
        steps: Arc::clone(&steps),
    };
    let address = address.parse().unwrap();
    let bucket = S3Bucket::open_with_faults(address, options(server.port()), faults).unwrap();
    let failed = world.run_with(&S3Store::new(bucket), With::default());
    let counted = seen.load(Ordering::Relaxed);
    assert_eq!(failed.is_err(), counted > at, "step {at}");
    let steps = steps.lock().unwrap();
    steps.clone()
}

#[test]
fn a_failure_at_any_step_is_gone_on_from() {
    let Some(server) = server() else { return };
    let world = two_days();
    let place = |name: &str| format!("s3://{}/{name}", server.new_place());
    let address = place("undisturbed");
    let steps = fail_at(&world, server, &address, u64::MAX);
    let undisturbed = objects_of(&store(server, &address));
    let used = [
        Step::PutBegin,
        Step::PutWrite,
        Step::UploadWrite,
        Step::UploadRename,
        Step::Delete,
    ];
    for step in used {
        assert!(steps.contains(&step), "{step:?} is not tried");
    }
    for at in 0..steps.len() as u64 {
        let address = place(&format!("out-{at}"));
        fail_at(&world, server, &address, at);
        let store = store(server, &address);
        run(&world, &store);
        same(&undisturbed, &objects_of(&store));
    }
}

#[test]
fn also_in_the_second_run() {
    let Some(server) = server() else { return };
    let world = World::new();
    first_day(&world);
    let place = || format!("s3://{}/out", server.new_place());
    // As many outputs of the first day as there are steps, and one more.
    let first: Vec<String> = (0..=60).map(|_| place()).collect();
    for address in &first {
        run(&world, &store(server, address));
    }
    second_day(&world);
    let steps = fail_at(&world, server, &first[0], u64::MAX);
    assert!(steps.len() < first.len(), "{} steps", steps.len());
    let undisturbed = objects_of(&store(server, &first[0]));
    for at in 0..steps.len() {
        let address = &first[at + 1];
        fail_at(&world, server, address, at as u64);
        let store = store(server, address);
        run(&world, &store);
        same(&undisturbed, &objects_of(&store));
    }
}
