//! One delivery day of all shards: which log files are to be read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use retrial_replay::is_session_key;
use retrial_tables::{Decisions, Table};

use super::records::{DayRecords, Recorded};
use super::set::{ShardOutput, ShardProblem, ShardSet};
use crate::analyze::PipelineError;
use crate::duplicates::{Duplicates, Fingerprint, Novelty};
use crate::framing::OpenFile;
use crate::plan::{DayPlan, day_number, parse_delivery_date};
use crate::sessions::{Found, SessionFiles, Sessions, minute};
use crate::slice::{FilePart, Item};
use crate::stored_file::StoredFile;

/// How many fingerprints are looked up at once, about.
const LOOK_UPS: usize = 1 << 16;

const MINUTES_A_DAY: u32 = 24 * 60;

/// What tells the session of a row's call.
const CALL: &[&str] = &["event_time", "access_key_id", "log_file"];

/// A delivery day at work.
pub(super) struct DayShards<'d, 'r> {
    pub(super) set: &'d ShardSet<'r>,
    pub(super) plan: &'d DayPlan,
    /// `2026-11-02`, or `unknown`.
    pub(super) date: &'d str,
    pub(super) records: &'d DayRecords,
    /// The places of log files that cannot be read.
    pub(super) unreadable: &'d BTreeSet<usize>,
}

/// The log files that are to be read again, by place, with what each of their records is.
#[derive(Default)]
pub(crate) struct Again {
    pub(crate) files: BTreeMap<usize, AgainFile>,
}

/// A log file that is to be read again.
#[derive(Default)]
pub(crate) struct AgainFile {
    records: Vec<Recorded>,
    taken: usize,
}

impl AgainFile {
    /// What the next records of the file are, which must be those that its shard read.
    fn take(
        &mut self,
        key: &str,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<Novelty>, PipelineError> {
        let end = self.taken + fingerprints.len();
        let records = self.records.get(self.taken..end).unwrap_or_default();
        let same = records.len() == fingerprints.len()
            && records
                .iter()
                .zip(fingerprints)
                .all(|(record, fingerprint)| record.fingerprint == *fingerprint);
        if !same {
            return Err(ShardProblem::Changed {
                key: key.to_owned(),
            }
            .into());
        }
        self.taken = end;
        Ok(records.iter().map(|record| record.novelty).collect())
    }

    /// Whether all records were taken.
    fn is_done(&self) -> bool {
        self.taken == self.records.len()
    }
}

impl Again {
    /// What the records of a round are, which come in the order of the plan.
    pub(crate) fn take(
        &mut self,
        files: &[OpenFile<'_>],
        parts: &[FilePart<'_>],
    ) -> Result<Vec<Novelty>, PipelineError> {
        let mut novelties = Vec::new();
        for (file, part) in files.iter().zip(parts) {
            let key = &file.planned().key;
            let changed = || ShardProblem::Changed { key: key.clone() };
            let known = self.files.get_mut(&file.place()).ok_or_else(changed)?;
            let recorded = part.items.iter().filter_map(Item::recorded);
            let found: Vec<Fingerprint> = recorded.map(|record| record.fingerprint).collect();
            novelties.extend(known.take(key, &found)?);
            if !file.has_more() && !known.is_done() {
                return Err(changed().into());
            }
        }
        Ok(novelties)
    }
}

impl DayShards<'_, '_> {
    /// The places of the log files whose records all shards have.
    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.plan.files.len()).filter(|place| !self.unreadable.contains(place))
    }

    /// Which log files are to be read again. The records of all are known as kept from here on.
    pub(super) fn again(
        &self,
        duplicates: &mut Duplicates<'_>,
        sessions: &Sessions,
        from_minute: u32,
    ) -> Result<Again, PipelineError> {
        let mut again = Again::default();
        let other_sessions = self.other_sessions(sessions, from_minute)?;
        // Rows tell their log file by its key alone: where two sources have a key, nothing is taken over.
        let repeated = self.repeated_keys();
        let is_due = |key: &str| {
            self.set.waiting.contains(key) || other_sessions.contains(key) || repeated.contains(key)
        };
        let (mut places, mut held) = (Vec::new(), 0);
        for place in self.places() {
            let Some(file) = self.plan.files.get(place) else {
                continue;
            };
            let records = match self.records.file(file) {
                Some(known) => self.records.records(known)?,
                None => Vec::new(),
            };
            held += records.len();
            places.push((place, records));
            if held >= LOOK_UPS {
                held = 0;
                self.look_up(
                    duplicates,
                    std::mem::take(&mut places),
                    (&is_due, &mut again),
                )?;
            }
        }
        self.look_up(duplicates, places, (&is_due, &mut again))?;
        Ok(again)
    }

    /// Looks up the records of some log files, in the order of the plan.
    fn look_up(
        &self,
        duplicates: &mut Duplicates<'_>,
        places: Vec<(usize, Vec<Recorded>)>,
        (is_due, again): (&dyn Fn(&str) -> bool, &mut Again),
    ) -> Result<(), PipelineError> {
        let all: Vec<Fingerprint> = places
            .iter()
            .flat_map(|(_, records)| records.iter().map(|record| record.fingerprint))
            .collect();
        let mut novelties = duplicates.check(&all)?.into_iter();
        for (place, mut records) in places {
            let Some(file) = self.plan.files.get(place) else {
                continue;
            };
            let mut differs = is_due(&file.key);
            for record in &mut records {
                let Some(novelty) = novelties.next() else {
                    break;
                };
                differs |= record.novelty != novelty;
                record.novelty = novelty;
            }
            if differs {
                let file = AgainFile { records, taken: 0 };
                again.files.insert(place, file);
            }
        }
        Ok(())
    }

    fn repeated_keys(&self) -> BTreeSet<&str> {
        let mut keys: Vec<&str> = self
            .plan
            .files
            .iter()
            .map(|file| file.key.as_str())
            .collect();
        keys.sort_unstable();
        let repeated = keys.windows(2).filter_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        });
        repeated.collect()
    }

    /// The sessions that the calls of this day can be made in: what is merged of earlier days, and what
    /// all shards have of this day and the next, since the issuing record may come after the call.
    pub(super) fn all_sessions(
        &self,
        merged: SessionFiles<'_>,
        from_minute: u32,
    ) -> Result<Sessions, PipelineError> {
        let near = self.near(from_minute);
        let this = day_of(self.date);
        let is_new = |date: &str| near(date) && (this.is_none() || day_of(date) >= this);
        let mut files = vec![SessionFiles {
            store: merged.store,
            files: merged
                .files
                .into_iter()
                .filter(|file| near(&file.delivery_date))
                .collect(),
        }];
        let shards = self.set.shards.iter();
        files.extend(shards.map(|shard| session_files(shard, &is_new)));
        let mut sessions = Sessions::default();
        sessions.load(&files, from_minute)?;
        Ok(sessions)
    }

    /// Whether what was delivered on a day can be joined with this day's calls: not what is older than
    /// `from_minute`, nor later than the next day. All can that has no day, and with such calls.
    fn near(&self, from_minute: u32) -> impl Fn(&str) -> bool + use<> {
        let this = day_of(self.date);
        let from = i32::try_from(from_minute / MINUTES_A_DAY).unwrap_or(i32::MAX);
        move |date| match (this, day_of(date)) {
            (Some(this), Some(day)) => {
                // A stamp may be of the day before or after that of its folder.
                day >= from.saturating_sub(1) && day <= this.saturating_add(1)
            }
            _ => true,
        }
    }

    /// The log files with a call whose session is another one in the light of all shards than in that of
    /// its own.
    fn other_sessions(
        &self,
        all: &Sessions,
        from_minute: u32,
    ) -> Result<BTreeSet<String>, PipelineError> {
        let of_shards = self.set.shards.par_iter().map(|shard| {
            let mut own = Sessions::default();
            let files = session_files(shard, &self.near(from_minute));
            own.load(&[files], from_minute)?;
            let mut other = BTreeSet::new();
            self.compare(shard, (&own, all), &mut other)?;
            Ok(other)
        });
        let of_shards: Vec<BTreeSet<String>> = of_shards.collect::<Result<_, PipelineError>>()?;
        Ok(of_shards.into_iter().flatten().collect())
    }

    fn compare(
        &self,
        shard: &ShardOutput<'_>,
        (own, all): (&Sessions, &Sessions),
        other: &mut BTreeSet<String>,
    ) -> Result<(), PipelineError> {
        let files = shard.files_of(self.date);
        let mut minutes: HashMap<String, u32> = HashMap::new();
        for file in files.filter(|file| file.table == Decisions::NAME) {
            let failed = |cause| PipelineError::Read {
                key: file.key.clone(),
                cause,
            };
            let stored = StoredFile {
                store: shard.store,
                key: &file.key,
                bytes: file.bytes,
            };
            let reader = stored.table::<Decisions>(CALL)?;
            for row_group in 0..reader.row_groups() {
                for batch in reader.batches(row_group).map_err(failed)? {
                    batch.map_err(failed)?.with_rows(|rows| {
                        for row in rows {
                            let Some(key) = row.access_key_id.filter(|key| is_session_key(key))
                            else {
                                continue;
                            };
                            let minute = match minutes.get(row.log_file) {
                                Some(minute) => *minute,
                                None => {
                                    let found = minute(row.log_file, row.event_time);
                                    // Without a date in its name it is each record's own.
                                    if self.plan.day.is_some() {
                                        minutes.insert(row.log_file.to_owned(), found);
                                    }
                                    found
                                }
                            };
                            if !same_session(own, all, (key, minute))
                                && !other.contains(row.log_file)
                            {
                                other.insert(row.log_file.to_owned());
                            }
                        }
                    });
                }
            }
        }
        Ok(())
    }
}

/// Whether a call has the same session in the light of both, once all is known that may come.
fn same_session(own: &Sessions, all: &Sessions, (key, minute): (&str, u32)) -> bool {
    match (
        own.find(key, minute, u32::MAX),
        all.find(key, minute, u32::MAX),
    ) {
        (Found::Known(own), Found::Known(all)) => own == all,
        (Found::Known(_), _) | (_, Found::Known(_)) => false,
        _ => true,
    }
}

fn session_files<'s>(
    shard: &'s ShardOutput<'_>,
    wanted: &dyn Fn(&str) -> bool,
) -> SessionFiles<'s> {
    let files = shard.manifest.files.iter();
    SessionFiles {
        store: shard.store,
        files: files.filter(|file| wanted(&file.delivery_date)).collect(),
    }
}

fn day_of(date: &str) -> Option<i32> {
    parse_delivery_date(date).flatten().map(day_number)
}
