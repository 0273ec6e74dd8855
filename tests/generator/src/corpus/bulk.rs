//! The bulk of a corpus: as many log files as asked for, with the calls of a whole organisation.
//!
//! Every file is made from the seed and its own number, so that threads need not agree on anything
//! and the bytes do not depend on how many there are. Nothing is kept but counts: memory is one
//! buffer of records per thread, however many files, principals and object keys there are.
//!
//! A few consecutive files of an account share a *cast*, whose sessions are issued in the first of
//! them: so most calls of role sessions join a record of another file, often of another region's. What
//! comes again is made again, from the same numbers.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::cases::{Actor, CASES, Cast, Role, Wheel};
use super::team::{self, ACCOUNTS, BUCKETS, Kind, Member, REGIONS};
use super::{LEVEL, Made, Options, Scene, bucket_name, key_id, recreated};
use crate::caller::{self, Identity, Session};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::log_file;
use crate::record::{self, Caller};
use crate::rng::{Rng, mix};
use crate::truth::{AGREES, Tally};

/// What is written to the compressor at once.
const CHUNK: usize = 256 * 1024;
/// Files whose event ids can become samples: enough for the rarest case.
const SAMPLED_FILES: u64 = 64;
/// Files of an account that share a cast, where they are delivered close enough to each other.
const FILES_OF_A_CAST: u64 = 8;
/// How long a cast is at work at most: well within the 36 hours in which a session can be joined.
const CAST_SECONDS: u64 = 6 * HOUR as u64;
/// One file in so many is delivered late.
const LATE: u64 = 40;

/// File, case, whether the caller's session was issued, event id.
pub(super) type Sample = (u64, usize, bool, String);

/// Counts of one or many files.
#[derive(Default)]
pub(super) struct Part {
    pub(super) tally: Tally,
    /// By case: callers whose session nobody issued, callers whose session somebody did.
    pub(super) counts: Vec<[u64; 2]>,
    pub(super) samples: Vec<Sample>,
    pub(super) made: Made,
    pub(super) fresh_keys: u64,
}

impl Part {
    fn new() -> Part {
        Part {
            counts: vec![[0; 2]; CASES.len()],
            ..Part::default()
        }
    }

    fn add(&mut self, other: Part) {
        self.tally.add(&other.tally);
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            sum[0] += count[0];
            sum[1] += count[1];
        }
        self.samples.extend(other.samples);
        self.made.add(&other.made);
        self.fresh_keys += other.fresh_keys;
    }
}

/// Makes all files.
pub(super) fn write(options: &Options) -> io::Result<Part> {
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
    let mut whole = Part::new();
    for part in parts {
        whole.add(part?);
    }
    Ok(whole)
}

fn worker(options: &Options, wheel: &Wheel, next: &AtomicU64) -> io::Result<Part> {
    let mut part = Part::new();
    let mut text = String::with_capacity(CHUNK + 8192);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.files {
            return Ok(part);
        }
        let plan = Plan::new(options, number);
        log(options, wheel, &plan, &mut part, &mut text)?;
        let mut rng = Rng::new(mix(options.seed ^ 0x636f_7079, number));
        if rng.chance(options.duplicates) {
            let copy = plan.again(options, &mut rng);
            log(options, wheel, &copy, &mut part, &mut text)?;
        }
    }
}

/// One log file: an account and region, a quarter of an hour, a few dozen of the account's principals.
struct Plan {
    number: u64,
    /// The first file of those that share the cast; it holds the issuing records.
    first: u64,
    lane: u64,
    region: &'static str,
    /// The end of the quarter of an hour.
    at: i64,
    delivered: i64,
    events: u64,
    /// Makes the unique part of the name.
    unique: Rng,
    duplicate: bool,
}

impl Plan {
    fn new(options: &Options, number: u64) -> Plan {
        let lanes = ACCOUNTS.len() as u64;
        let lane = number % lanes;
        let span = files_of_a_cast(options);
        let first = number / lanes / span * span * lanes + lane;
        let at = moment(options, number);
        let mut unique = Rng::new(mix(options.seed ^ 0x6e61_6d65, number));
        let region = REGIONS[usize::from(unique.chance(0.2))];
        // The first file of several is never late: what it issues would not be joined.
        let may_be_late = span == 1 || first != number;
        let late = match may_be_late && unique.below(LATE) == 0 {
            true => unique.range(HOUR as u64, 20 * HOUR as u64) as i64,
            false => 0,
        };
        Plan {
            number,
            first,
            lane,
            region,
            at,
            delivered: in_time(options, at, late),
            events: share(options, number + 1) - share(options, number),
            unique,
            duplicate: false,
        }
    }

    /// The file in which the first half of this one comes again: another region's, minutes or days later.
    fn again(&self, options: &Options, rng: &mut Rng) -> Plan {
        let other = REGIONS[usize::from(self.region == REGIONS[0])];
        let later = *rng.pick(&[60, 300, 5 * HOUR, DAY, 3 * DAY, 6 * DAY]);
        Plan {
            region: if rng.chance(0.5) { other } else { self.region },
            delivered: in_time(options, self.delivered, later).max(self.delivered),
            events: self.events.div_ceil(2),
            unique: rng.clone(),
            duplicate: true,
            ..*self
        }
    }

    fn account(&self) -> &'static str {
        ACCOUNTS[self.lane as usize]
    }
}

/// Later by so much, unless that is after the last delivery day.
fn in_time(options: &Options, at: i64, later: i64) -> i64 {
    match at + later < MONDAY + options.days as i64 * DAY {
        true => at + later,
        false => at,
    }
}

fn moment(options: &Options, number: u64) -> i64 {
    let span = options.days as i64 * DAY - 2400;
    MONDAY
        + 1200
        + (i128::from(number) * i128::from(span) / i128::from(options.files.max(1))) as i64
}

fn files_of_a_cast(options: &Options) -> u64 {
    let seconds = options.days * DAY as u64 * ACCOUNTS.len() as u64 / options.files.max(1);
    (CAST_SECONDS / seconds.max(1)).clamp(1, FILES_OF_A_CAST)
}

/// How many events stand before file `number`.
fn share(options: &Options, number: u64) -> u64 {
    (u128::from(options.events) * u128::from(number) / u128::from(options.files.max(1))) as u64
}

fn log(
    options: &Options,
    wheel: &Wheel,
    plan: &Plan,
    part: &mut Part,
    text: &mut String,
) -> io::Result<()> {
    let mut name = plan.unique.clone();
    let key = log_file::key(plan.account(), plan.region, plan.delivered, &mut name);
    let path = options.out.join(key);
    fs::create_dir_all(path.parent().expect("a key has folders"))?;
    let mut out = log_file::gzip(File::create(&path)?, LEVEL);
    text.clear();
    text.push_str("{\"Records\":[");
    let mut maker = Maker::new(options, wheel, plan);
    for event in 0..plan.events {
        if event > 0 {
            text.push(',');
        }
        maker.record(event, part, text);
        if text.len() > CHUNK {
            flush(text, &mut out, part)?;
        }
    }
    text.push_str("]}");
    flush(text, &mut out, part)?;
    part.made.compressed += out.finish()?.metadata()?.len();
    part.made.records += plan.events;
    part.made.files += 1;
    Ok(())
}

fn flush(text: &mut String, out: &mut impl Write, part: &mut Part) -> io::Result<()> {
    part.made.uncompressed += text.len() as u64;
    out.write_all(text.as_bytes())?;
    text.clear();
    Ok(())
}

/// Makes the records of one file, in order.
struct Maker<'o> {
    options: &'o Options,
    wheel: &'o Wheel,
    plan: &'o Plan,
    cast: Cast,
    rng: Rng,
    key_id: String,
    /// Where the cast's sessions were issued.
    region: &'static str,
}

impl<'o> Maker<'o> {
    fn new(options: &'o Options, wheel: &'o Wheel, plan: &'o Plan) -> Maker<'o> {
        // A copy says what the original says, which was made for the original's region.
        let region = Plan::new(options, plan.number).region;
        Maker {
            options,
            wheel,
            plan,
            cast: cast(options, plan),
            rng: Rng::new(mix(options.seed, plan.number)),
            key_id: key_id(plan.account(), region),
            region,
        }
    }

    fn record(&mut self, event: u64, part: &mut Part, text: &mut String) {
        let issues = self.options.sessions && self.plan.number == self.plan.first;
        match issues.then(|| self.cast.issuer(event as usize)).flatten() {
            Some(issuer) => {
                let draft = issuer.draft(self.region, &mut self.rng);
                let account = self.plan.account();
                let at = issuer.created();
                record::write(text, issuer.caller(), account, at, &draft, &mut self.rng);
                match self.plan.duplicate {
                    true => part.tally.duplicate(),
                    false => part.tally.count_event(&draft, AGREES),
                }
            }
            None => self.call(part, text),
        }
    }

    fn call(&mut self, part: &mut Part, text: &mut String) {
        let (plan, rng) = (self.plan, &mut self.rng);
        let index = self.wheel.spin(rng);
        let case = &CASES[index];
        let role = self.cast.of(case.actor, rng);
        let scene = Scene {
            account: plan.account(),
            region: self.region,
            at: plan.at - rng.range(60, 900) as i64,
            member: &role.member,
            caller: &role.caller,
            bucket: &bucket_name(plan.account(), self.region, role.member.number % BUCKETS),
            key_id: &self.key_id,
            unique_keys: self.options.unique_keys,
            fresh_keys: Cell::new(0),
        };
        let draft = (case.draft)(&scene, rng);
        let event_id = record::write(text, scene.caller, scene.account, scene.at, &draft, rng);
        if plan.duplicate {
            part.tally.duplicate();
            return;
        }
        part.fresh_keys += scene.fresh_keys.get();
        part.tally.count_event(&draft, case.expect(role.issued));
        part.counts[index][usize::from(role.issued)] += 1;
        if plan.number < SAMPLED_FILES {
            part.samples
                .push((plan.number, index, role.issued, event_id));
        }
    }
}

/// The cast of a few files: a few dozen principals of their account, with their sessions.
fn cast(options: &Options, plan: &Plan) -> Cast {
    let lane = plan.lane;
    let account = plan.account();
    let at = moment(options, plan.first);
    let mut rng = Rng::new(mix(options.seed ^ 0x6361_7374, plan.first));
    let per_account = options.principals / ACCOUNTS.len() as u64;
    let room = share(options, plan.first + 1) - share(options, plan.first);
    let mut issued = if options.sessions { room } else { 0 };
    let mut some = |kind: Kind, count: usize| -> Vec<Role> {
        let numbers =
            std::iter::repeat_with(|| rng.below(per_account) * ACCOUNTS.len() as u64 + lane)
                .take(count * 64)
                .filter(|number| team::kind(*number) == kind)
                .take(count)
                .collect::<Vec<u64>>();
        let roles = numbers.into_iter().map(|number| {
            let member = Member::new(options.seed, number);
            let (caller, session) = member.caller(at, &mut rng);
            let is_issued = session.is_some() && issued > 0;
            issued -= u64::from(is_issued);
            Role {
                member,
                caller,
                session,
                issued: is_issued,
            }
        });
        roles.collect()
    };
    let (jobs, persons, users) = (
        some(Kind::Job, 24),
        some(Kind::Person, 8),
        some(Kind::User, 8),
    );
    let decrypts = jobs.iter().map(Role::via_s3).collect();
    let nobody = |caller: Caller| Role {
        member: jobs[0].member.clone(),
        caller,
        session: None,
        issued: false,
    };
    let user_agent =
        "aws-cli/2.32.3 md/awscrt#0.28.4 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.9";
    let key = format!("ASIA{}", rng.upper(16));
    let session = Session::new("nightly", &key, at - 1000);
    let gone = Identity::role(account, "/", "nightly-import", "GONE");
    let before = recreated(account, false);
    let others = [
        (
            Actor::Service,
            nobody(caller::service("sagemaker.amazonaws.com")),
        ),
        (Actor::Internal, nobody(caller::internal(account))),
        (
            Actor::Deleted,
            nobody(caller::session(&gone, &session, "10.9.8.7", user_agent)),
        ),
        (
            Actor::Recreated,
            nobody(caller::session(&before, &session, "10.9.8.8", user_agent)),
        ),
        (
            Actor::Stranger,
            nobody(caller::other_account(
                "999900001111",
                "AIDAEXAMPLESTRANGER00",
                "192.0.2.66",
                user_agent,
            )),
        ),
    ];
    Cast {
        jobs,
        decrypts,
        persons,
        users,
        others,
    }
}
