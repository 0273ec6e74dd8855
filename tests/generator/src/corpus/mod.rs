//! A corpus of any size: logs, the snapshot they are tried under, and the truth.
//!
//! The bulk of it ([`bulk`]) is made file by file; what is planted ([`planted`]) stands beside it in an
//! account and files of its own: sessions and duplicates of every kind, each with what must be found.

mod bulk;
mod cases;
mod planted;
mod snapshot;
mod team;

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::caller::Identity;
use crate::calls::ecr::Repository;
use crate::calls::kms::Key;
use crate::calls::s3::Bucket;
use crate::calls::sagemaker::Place;
use crate::record::Caller;
use crate::rng::Rng;
use bulk::Part;
use cases::CASES;
use planted::Planted;
use team::{Member, REGIONS};

/// CloudTrail's own ratio, near 10, is what zlib's default level gives.
const LEVEL: u32 = 6;
/// Event ids kept per case, as samples.
const SAMPLES: usize = 3;

/// What to make.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) out: PathBuf,
    pub(crate) events: u64,
    pub(crate) files: u64,
    /// Delivery days, from [`MONDAY`](crate::clock::MONDAY) on.
    pub(crate) days: u64,
    pub(crate) principals: u64,
    /// Whether the trail shows who issued the sessions that are at work in it.
    pub(crate) sessions: bool,
    /// The share of log files of which one half comes again in another file.
    pub(crate) duplicates: f64,
    /// Whether sessions, duplicates and more are planted beside the bulk.
    pub(crate) planted: bool,
    /// The share of S3 object keys that occur once.
    pub(crate) unique_keys: f64,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
}

/// What was made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Duplicates too.
    pub(crate) records: u64,
    pub(crate) files: u64,
    pub(crate) uncompressed: u64,
    pub(crate) compressed: u64,
}

/// Where and when a call is made, and by whom.
struct Scene<'a> {
    account: &'static str,
    region: &'static str,
    at: i64,
    member: &'a Member,
    caller: &'a Caller,
    bucket: &'a str,
    key_id: &'a str,
    unique_keys: f64,
    /// How many keys were made that no other record has.
    fresh_keys: Cell<u64>,
}

impl Scene<'_> {
    fn key(&self) -> Key<'_> {
        Key {
            id: self.key_id,
            account: self.account,
            region: self.region,
        }
    }

    fn repository(&self, name: &'static str) -> Repository<'_> {
        Repository {
            name,
            account: self.account,
            region: self.region,
        }
    }
}

fn bucket<'a>(scene: &'a Scene<'_>) -> Bucket<'a> {
    Bucket {
        name: scene.bucket,
        account: scene.account,
        region: scene.region,
    }
}

fn place<'a>(scene: &'a Scene<'_>) -> Place<'a> {
    Place {
        account: scene.account,
        region: scene.region,
    }
}

/// An object key below the team's prefix.
fn key(scene: &Scene<'_>, rng: &mut Rng) -> String {
    let team = scene.member.prefix();
    match rng.chance(scene.unique_keys) {
        true => fresh_key(scene, &team, rng),
        false => format!("{team}/reference/lookup-{}.parquet", rng.below(20)),
    }
}

fn fresh_key(scene: &Scene<'_>, team: &str, rng: &mut Rng) -> String {
    scene.fresh_keys.set(scene.fresh_keys.get() + 1);
    format!(
        "{team}/features/dt=2026-11-{:02}/part-{:05}-{}.c000.snappy.parquet",
        2 + rng.below(7),
        rng.below(200),
        rng.uuid()
    )
}

fn bucket_name(account: &str, region: &str, number: u64) -> String {
    format!("corpus-{account}-{region}-{number}")
}

fn key_id(account: &str, region: &str) -> String {
    format!(
        "5f6a7b8c-{}-4aaa-8bbb-{account}",
        if region == REGIONS[0] { "0001" } else { "0002" }
    )
}

fn vpc_endpoint(account: &str) -> String {
    format!("vpce-0{account}abcd")
}

/// The role that was made again: as the log has it, or as the snapshot has it.
fn recreated(account: &str, today: bool) -> Identity {
    Identity::role(
        account,
        "/",
        "nightly-features",
        if today { "AGAIN" } else { "BEFORE" },
    )
}

impl Made {
    fn add(&mut self, other: &Made) {
        self.records += other.records;
        self.files += other.files;
        self.uncompressed += other.uncompressed;
        self.compressed += other.compressed;
    }
}

/// Makes the corpus.
pub(crate) fn write(options: &Options) -> io::Result<Made> {
    snapshot::write(options)?;
    let mut whole = bulk::write(options)?;
    let planted = options.planted.then(|| Planted::new(options));
    if let Some(planted) = &planted {
        whole.made.add(&planted.write(options)?);
        whole.tally.add(&planted.tally);
    }
    let truth = truth(options, &mut whole, planted.as_ref());
    fs::write(options.out.join("truth.json"), truth)?;
    Ok(whole.made)
}

fn truth(options: &Options, whole: &mut Part, planted: Option<&Planted>) -> String {
    let mut members = whole.tally.json();
    members.insert("files".into(), json!(whole.made.files));
    members.insert("records".into(), json!(whole.made.records));
    members.insert("principals".into(), json!(options.principals));
    members.insert(
        "object_keys_that_occur_once".into(),
        json!(whole.fresh_keys),
    );
    members.insert("uncompressed_bytes".into(), json!(whole.made.uncompressed));
    members.insert("compressed_bytes".into(), json!(whole.made.compressed));
    members.insert("cases".into(), cases_of(whole));
    if let Some(planted) = planted {
        members.extend(planted.json());
    }
    let mut text = serde_json::to_string_pretty(&Value::Object(members)).expect("a value has text");
    text.push('\n');
    text
}

/// One row a case and verdict: a case whose verdict hangs on the session has two.
fn cases_of(whole: &mut Part) -> Value {
    whole.samples.sort();
    let mut rows = Vec::new();
    for (index, case) in CASES.iter().enumerate() {
        for issued in [false, true] {
            let calls = whole.counts[index][usize::from(issued)];
            let expect = case.expect(issued);
            let hangs_on_it = case.expect(true) != case.expect;
            if issued && !hangs_on_it || calls == 0 && hangs_on_it {
                continue;
            }
            let calls = match hangs_on_it {
                true => calls,
                false => calls + whole.counts[index][1],
            };
            let of_this = |(_, of, in_issued, _): &&bulk::Sample| {
                *of == index && (case.expect(*in_issued) == expect)
            };
            let samples = whole.samples.iter().filter(of_this);
            let samples: Vec<&String> = samples.map(|(_, _, _, id)| id).take(SAMPLES).collect();
            rows.push(json!({
                "id": case.name, "verdict": expect.verdict, "reason": expect.reason,
                "calls": calls, "event_ids": samples,
            }));
        }
    }
    Value::Array(rows)
}
