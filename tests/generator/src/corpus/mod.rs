//! A corpus of any size: logs, the snapshot they are tried under, and the truth.
//!
//! Every file is made from the seed and its own number, so that threads need not agree on anything
//! and the bytes do not depend on how many there are. Nothing is kept but counts: memory is one
//! buffer of records per thread.

mod cases;
mod snapshot;
mod team;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::caller::{self, Identity, Session};
use crate::calls::ecr::Repository;
use crate::calls::kms::Key;
use crate::calls::s3::Bucket;
use crate::calls::sagemaker::Place;
use crate::clock::{DAY, MONDAY};
use crate::log_file;
use crate::record::{self, Caller};
use crate::rng::{Rng, mix};
use crate::truth::Tally;
use cases::{CASES, Cast, Wheel};
use team::{ACCOUNTS, BUCKETS, Kind, Member, REGIONS};

/// CloudTrail's own ratio, near 10, is what zlib's default level gives.
const LEVEL: u32 = 6;
/// What is written to the compressor at once.
const CHUNK: usize = 256 * 1024;
/// Event ids kept per case, as samples.
const SAMPLES: usize = 3;
/// Files whose event ids can become samples: enough for the rarest case.
const SAMPLED_FILES: u64 = 64;

/// What to make.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) out: PathBuf,
    pub(crate) events: u64,
    pub(crate) files: u64,
    pub(crate) principals: u64,
    /// The share of S3 object keys that occur once.
    pub(crate) unique_keys: f64,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
}

/// What was made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) events: u64,
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
        true => format!(
            "{team}/features/dt=2026-11-{:02}/part-{:05}-{}.c000.snappy.parquet",
            2 + rng.below(7),
            rng.below(200),
            rng.uuid()
        ),
        false => format!("{team}/reference/lookup-{}.parquet", rng.below(20)),
    }
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

/// Counts of one or many files.
#[derive(Default)]
struct Part {
    tally: Tally,
    counts: Vec<u64>,
    samples: Vec<(u64, usize, String)>,
    made: Made,
}

impl Part {
    /// Appends the record of one case and counts it; returns the event id.
    fn play(
        &mut self,
        index: usize,
        scene: &Scene<'_>,
        text: &mut String,
        rng: &mut Rng,
    ) -> String {
        let case = &CASES[index];
        let draft = (case.draft)(scene, rng);
        self.tally.count_event(&draft, case.expect);
        self.counts[index] += 1;
        record::write(text, scene.caller, scene.account, scene.at, &draft, rng)
    }

    fn flush(&mut self, text: &mut String, out: &mut impl Write) -> io::Result<()> {
        self.made.uncompressed += text.len() as u64;
        out.write_all(text.as_bytes())?;
        text.clear();
        Ok(())
    }

    fn add(&mut self, other: Part) {
        self.tally.add(other.tally);
        self.counts.resize(CASES.len(), 0);
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
        self.samples.extend(other.samples);
        self.made.events += other.made.events;
        self.made.uncompressed += other.made.uncompressed;
        self.made.compressed += other.made.compressed;
    }
}

/// Makes the corpus.
pub(crate) fn write(options: &Options) -> io::Result<Made> {
    snapshot::write(options)?;
    let next = AtomicU64::new(0);
    let wheel = Wheel::new();
    let parts: Vec<io::Result<Part>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads.max(1))
            .map(|_| scope.spawn(|| worker(options, &wheel, &next)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .collect()
    });
    let mut whole = Part::default();
    for part in parts {
        whole.add(part?);
    }
    fs::write(options.out.join("truth.json"), truth(options, &mut whole))?;
    Ok(whole.made)
}

fn worker(options: &Options, wheel: &Wheel, next: &AtomicU64) -> io::Result<Part> {
    let mut part = Part {
        counts: vec![0; CASES.len()],
        ..Part::default()
    };
    let mut text = String::with_capacity(CHUNK + 8192);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.files {
            return Ok(part);
        }
        log(options, wheel, number, &mut part, &mut text)?;
    }
}

/// One log file: an account and region, a quarter of an hour, a few dozen of the account's principals.
fn log(
    options: &Options,
    wheel: &Wheel,
    number: u64,
    part: &mut Part,
    text: &mut String,
) -> io::Result<()> {
    let mut rng = Rng::new(mix(options.seed, number));
    let account = ACCOUNTS[(number % ACCOUNTS.len() as u64) as usize];
    let region = REGIONS[usize::from(rng.chance(0.2))];
    let delivered = MONDAY
        + 1200
        + (number as i128 * i128::from(7 * DAY - 2400) / i128::from(options.files.max(1))) as i64;
    let cast = cast(options, number, delivered, &mut rng);
    let path = options
        .out
        .join(log_file::key(account, region, delivered, &mut rng));
    fs::create_dir_all(path.parent().expect("a key has folders"))?;
    let mut out = log_file::gzip(File::create(&path)?, LEVEL);
    let key_id = key_id(account, region);
    let events = share(options, number + 1) - share(options, number);
    text.clear();
    text.push_str("{\"Records\":[");
    for event in 0..events {
        if event > 0 {
            text.push(',');
        }
        let index = wheel.spin(&mut rng);
        let (member, caller) = cast.of(CASES[index].actor, &mut rng);
        let scene = Scene {
            account,
            region,
            at: delivered - rng.range(60, 900) as i64,
            member,
            caller,
            bucket: &bucket_name(account, region, member.number % BUCKETS),
            key_id: &key_id,
            unique_keys: options.unique_keys,
        };
        let event_id = part.play(index, &scene, text, &mut rng);
        if number < SAMPLED_FILES {
            part.samples.push((number, index, event_id));
        }
        if text.len() > CHUNK {
            part.flush(text, &mut out)?;
        }
    }
    text.push_str("]}");
    part.flush(text, &mut out)?;
    part.made.compressed += out.finish()?.metadata()?.len();
    part.made.events += events;
    Ok(())
}

/// How many events stand before file `number`.
fn share(options: &Options, number: u64) -> u64 {
    (u128::from(options.events) * u128::from(number) / u128::from(options.files.max(1))) as u64
}

/// A file's cast: a few dozen principals of its account.
fn cast(options: &Options, file: u64, at: i64, rng: &mut Rng) -> Cast {
    let lane = file % ACCOUNTS.len() as u64;
    let account = ACCOUNTS[lane as usize];
    let per_account = options.principals / ACCOUNTS.len() as u64;
    let mut some = |kind: Kind, count: usize| -> Vec<(Member, Caller)> {
        std::iter::repeat_with(|| rng.below(per_account) * ACCOUNTS.len() as u64 + lane)
            .take(count * 64)
            .filter(|number| team::kind(*number) == kind)
            .take(count)
            .collect::<Vec<u64>>()
            .into_iter()
            .map(|number| Member::new(options.seed, number))
            .map(|member| (member.caller(at, rng), member))
            .map(|(caller, member)| (member, caller))
            .collect()
    };
    let (jobs, persons, users) = (
        some(Kind::Job, 24),
        some(Kind::Person, 8),
        some(Kind::User, 8),
    );
    let jobs = jobs
        .into_iter()
        .map(|(member, caller)| via_s3(member, caller, at, rng))
        .collect();
    let user_agent =
        "aws-cli/2.32.3 md/awscrt#0.28.4 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.9";
    let key = format!("ASIA{}", rng.upper(16));
    let session = Session::new("nightly", &key, at - 1000);
    let gone = Identity::role(account, "/", "nightly-import", "GONE");
    Cast {
        jobs,
        persons,
        users,
        service: caller::service("sagemaker.amazonaws.com"),
        internal: caller::internal(account),
        deleted: caller::session(&gone, &session, "10.9.8.7", user_agent),
        recreated: caller::session(&recreated(account, false), &session, "10.9.8.8", user_agent),
        stranger: caller::other_account(
            "999900001111",
            "AIDAEXAMPLESTRANGER00",
            "192.0.2.66",
            user_agent,
        ),
    }
}

fn via_s3(member: Member, direct: Caller, at: i64, rng: &mut Rng) -> (Member, Caller, Caller) {
    let key = format!("ASIA{}", rng.upper(16));
    let session = Session {
        invoked_by: Some("AWS Internal"),
        ..Session::new("SageMaker", &key, at - 900)
    };
    let via_s3 = caller::session(&member.identity, &session, "", "");
    (member, direct, via_s3)
}

fn truth(options: &Options, whole: &mut Part) -> String {
    whole.samples.sort();
    let cases: Vec<Value> = CASES
        .iter()
        .enumerate()
        .map(|(index, case)| {
            let samples: Vec<&String> = whole
                .samples
                .iter()
                .filter(|(_, of, _)| *of == index)
                .map(|(_, _, id)| id)
                .take(SAMPLES)
                .collect();
            json!({
                "id": case.name, "verdict": case.expect.verdict, "reason": case.expect.reason,
                "calls": whole.counts[index], "event_ids": samples,
            })
        })
        .collect();
    let mut members = whole.tally.json();
    members.insert("files".into(), json!(options.files));
    members.insert("records".into(), json!(whole.made.events));
    members.insert("principals".into(), json!(options.principals));
    members.insert("uncompressed_bytes".into(), json!(whole.made.uncompressed));
    members.insert("compressed_bytes".into(), json!(whole.made.compressed));
    members.insert("cases".into(), json!(cases));
    let mut text = serde_json::to_string_pretty(&Value::Object(members)).expect("a value has text");
    text.push('\n');
    text
}
