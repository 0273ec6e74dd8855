//! What is planted beside the bulk, in an account of its own: every kind of session and duplicate, with
//! what must be found of each.
//!
//! A session is known where the stamp of the file that holds its issuing record lies between 36 hours
//! before and 15 minutes after the stamp of the call's file; a record is a duplicate where one with the
//! same event id, account and body was kept at most 7 days of delivery before. Both are stated here by
//! construction: by where each record is put.

mod cuts;
mod duplicates;
mod sessions;
mod stage;
mod world;

use std::collections::BTreeMap;
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::{LEVEL, Made, Options};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::log_file;
use crate::record::{self, Caller, Draft};
use crate::rng::{Rng, mix};
use crate::truth::{Expect, Tally};
pub(super) use world::{ACCOUNT, write_snapshot};

/// Wednesday, 10:00: late enough for what was issued 37 hours before.
const BASE: i64 = MONDAY + 2 * DAY + 10 * HOUR;

/// Delivery, region.
type Slot = (i64, &'static str);

/// What is planted.
pub(super) struct Planted {
    pub(super) tally: Tally,
    rng: Rng,
    files: BTreeMap<Slot, Vec<String>>,
    stories: Vec<Story>,
    repeats: Vec<Value>,
}

/// Calls of one kind, with what must be said of each.
struct Story {
    id: String,
    expect: Expect,
    /// What their required requests assume; `None` where that is not planted.
    assumes: Option<&'static [&'static str]>,
    /// The layer that blocks.
    layer: Option<&'static str>,
    /// The earlier record that they amend.
    amends: Option<String>,
    event_ids: Vec<String>,
    why: &'static str,
}

impl Planted {
    pub(super) fn new(options: &Options) -> Planted {
        let mut planted = Planted {
            tally: Tally::default(),
            rng: Rng::new(mix(options.seed, 0x706c_616e_7465_6421)),
            files: BTreeMap::new(),
            stories: Vec::new(),
            repeats: Vec::new(),
        };
        sessions::plant(&mut planted);
        duplicates::plant(&mut planted, options.days);
        planted
    }

    /// Puts one record into the file of this delivery and region, and counts it.
    fn put(
        &mut self,
        slot: Slot,
        at: i64,
        caller: &Caller,
        draft: &Draft,
        expect: Expect,
    ) -> String {
        let (text, event_id) = self.make(at, caller, draft);
        self.files.entry(slot).or_default().push(text);
        self.tally.count_event(draft, expect);
        event_id
    }

    fn make(&mut self, at: i64, caller: &Caller, draft: &Draft) -> (String, String) {
        let mut text = String::with_capacity(2048);
        let event_id = record::write(&mut text, caller, ACCOUNT, at, draft, &mut self.rng);
        (text, event_id)
    }

    /// An access key of a session.
    fn key(&mut self) -> String {
        format!("ASIA{}", self.rng.upper(16))
    }

    /// Writes the files.
    pub(super) fn write(&self, options: &Options) -> io::Result<Made> {
        let mut made = Made::default();
        let mut names = Rng::new(mix(options.seed, 0x706c_616e_6e61_6d65));
        for ((delivered, region), records) in &self.files {
            let key = log_file::key(ACCOUNT, region, *delivered, &mut names);
            let text = format!("{{\"Records\":[{}]}}", records.join(","));
            let bytes = log_file::compressed(text.as_bytes(), LEVEL)?;
            let path = options.out.join(key);
            fs::create_dir_all(path.parent().unwrap_or(&options.out))?;
            fs::write(path, &bytes)?;
            made.add(&Made {
                records: records.len() as u64,
                files: 1,
                uncompressed: text.len() as u64,
                compressed: bytes.len() as u64,
            });
        }
        Ok(made)
    }

    /// The members `planted` and `planted_duplicates` of the truth.
    pub(super) fn json(&self) -> Map<String, Value> {
        let stories = self.stories.iter().map(|story| {
            json!({
                "id": story.id, "verdict": story.expect.verdict, "reason": story.expect.reason,
                "assumes": story.assumes, "layer": story.layer, "amends": story.amends,
                "calls": story.event_ids.len(), "event_ids": story.event_ids, "why": story.why,
            })
        });
        let mut members = Map::new();
        members.insert("planted".into(), stories.collect());
        members.insert("planted_duplicates".into(), json!(self.repeats));
        members
    }
}
