//! The small made-up organisation of `sample-logs/`: two accounts, one week, and a truth file.

mod administration;
mod builds;
mod digests;
mod forecasts;
mod organisation;
mod outsiders;
mod planted;
mod platform;
mod policies;
mod repeats;
mod research;
mod sessions;
mod sitting;
mod snapshot;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::clock::{DAY, HOUR, MONDAY};
use crate::log_file;
use crate::record::{self, Caller, Draft};
use crate::rng::Rng;
use crate::truth::{AGREES, Expect, Tally};
use organisation::People;

/// The seed of the committed sample.
const SEED: u64 = 2026_1102;
/// The seed of what was added to it later: the rest stays as it was.
const LATER_SEED: u64 = 2026_1109;
/// The sample is small and read often: the best compression costs nothing.
const LEVEL: u32 = 9;

/// The hours of the day at which a window ends and what it holds is delivered.
const WINDOWS: [i64; 4] = [8, 12, 16, 24];

/// Paths relative to the folder, with `/`, and what they hold.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A record that was made and waits for its file.
struct Record {
    at: i64,
    text: String,
}

/// Account, region, day, window.
type Slot = (String, &'static str, i64, usize);

fn slot(account: &str, region: &'static str, at: i64) -> Slot {
    let day = (at - MONDAY).div_euclid(DAY);
    assert!((0..7).contains(&day), "the week has seven days");
    let hour = (at - MONDAY).rem_euclid(DAY) / HOUR;
    let window = WINDOWS
        .iter()
        .position(|end| hour < *end)
        .expect("the last window ends with the day");
    (account.into(), region, day, window)
}

/// All that happened.
pub(crate) struct Week {
    pub(crate) rng: Rng,
    /// For the records that issue sessions, and for what comes again.
    pub(crate) later: Rng,
    pub(crate) planted: BTreeMap<&'static str, Vec<String>>,
    repeats: Vec<Value>,
    slots: BTreeMap<Slot, Vec<Record>>,
    tally: Tally,
}

impl Week {
    fn new() -> Week {
        Week {
            rng: Rng::new(SEED),
            later: Rng::new(LATER_SEED),
            planted: BTreeMap::new(),
            repeats: Vec::new(),
            slots: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Writes one record down, to be delivered with its window, and returns its event id.
    pub(crate) fn record(
        &mut self,
        caller: &Caller,
        account: &str,
        at: i64,
        draft: &Draft,
        expect: Expect,
    ) -> String {
        let mut text = String::with_capacity(2048);
        let event_id = record::write(&mut text, caller, account, at, draft, &mut self.rng);
        self.tally.count(caller, draft, expect);
        self.deliver(account, draft.region, at, text);
        event_id
    }

    /// The same for a record of the planted story `id` that was added later.
    pub(crate) fn later_planted(
        &mut self,
        id: &'static str,
        caller: &Caller,
        account: &str,
        at: i64,
        draft: &Draft,
    ) {
        let mut text = String::with_capacity(2048);
        let event_id = record::write(&mut text, caller, account, at, draft, &mut self.later);
        self.tally.count(caller, draft, AGREES);
        self.deliver(account, draft.region, at, text);
        self.planted.entry(id).or_default().push(event_id);
    }

    fn deliver(&mut self, account: &str, region: &'static str, at: i64, text: String) {
        let slot = slot(account, region, at);
        self.slots
            .entry(slot)
            .or_default()
            .push(Record { at, text });
    }

    /// The log files, keyed as CloudTrail delivers them, and what each holds uncompressed.
    fn log_files(&mut self) -> Vec<LogFile> {
        let mut files = Vec::new();
        for ((account, region, day, window), mut records) in std::mem::take(&mut self.slots) {
            records.sort_by_key(|record| record.at);
            let end = MONDAY + day * DAY + WINDOWS[window] * HOUR;
            // The last window's file still belongs to its day.
            let delivered = if WINDOWS[window] == 24 {
                end - 120
            } else {
                end + 60 * self.rng.range(2, 6) as i64
            };
            let key = log_file::key(&account, region, delivered, &mut self.rng);
            let texts: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
            let text = format!("{{\"Records\":[{}]}}", texts.join(","));
            let times = (
                records.first().map_or(0, |record| record.at),
                records.last().map_or(0, |record| record.at),
            );
            files.push(LogFile {
                account,
                region,
                key,
                delivered,
                text,
                times,
            });
        }
        files
    }
}

/// A log file before compression.
struct LogFile {
    account: String,
    region: &'static str,
    key: String,
    delivered: i64,
    text: String,
    /// The first and the last event's.
    times: (i64, i64),
}

/// Everything under `sample-logs/` but its README.
pub(crate) fn files() -> Files {
    let people = People::new();
    let mut week = Week::new();
    research::week(&mut week, &people);
    platform::week(&mut week, &people);
    repeats::plant(&mut week, &people);
    let logs = week.log_files();
    let digests = digests::of(&logs, &mut week.rng);
    let mut files = Files::new();
    let count = |entries: usize| json!(entries);
    let mut truth = Map::new();
    truth.insert("files".into(), count(logs.len()));
    truth.insert("set_aside".into(), json!({"digest": digests.len()}));
    truth.insert("records".into(), json!(week.tally.records()));
    truth.extend(week.tally.json());
    truth.insert("planted".into(), planted::json(&week.planted, &people));
    truth.insert("planted_duplicates".into(), json!(week.repeats));
    truth.insert("unused".into(), planted::unused(&people));
    truth.insert("role_needs".into(), planted::role_needs(&people));
    truth.insert("rightsizing".into(), planted::rightsizing(&people));
    for file in logs {
        files.insert(
            file.key,
            log_file::compressed(file.text.as_bytes(), LEVEL).expect("memory does not fail"),
        );
    }
    files.extend(digests);
    snapshot::write(&mut files, &people);
    let mut text = serde_json::to_string_pretty(&Value::Object(truth)).expect("a value has text");
    text.push('\n');
    files.insert("truth.json".into(), text.into_bytes());
    files
}
