//! What an output's plans and manifest tell: what is done, what is left, where days are missing, and
//! whether the listed objects are there.

use std::collections::{BTreeMap, BTreeSet};

use retrial_storage::Store;

use super::days::{DayNumber, day_number, day_of, parse_delivery_date};
use super::error::PlanError;
use super::stored::{PlaceCount, PlanRef, read_header, read_plan};
use crate::analyze::PipelineError;
use retrial_cloudtrail::Day;

/// What the manifest says of an output, as far as [`status()`] needs it.
#[derive(Debug, Clone, Default)]
pub struct StatusParts<'m> {
    /// The completed plans.
    pub plans: &'m [PlanRef],
    /// The interrupted plan, and how many of its files are done.
    pub interrupted: Option<(&'m PlanRef, u64)>,
    /// All objects that the manifest lists, itself included.
    pub objects: Vec<ListedObject<'m>>,
    /// Records that wait for their sessions.
    pub waiting: u64,
    /// Log files that are to be read again.
    pub retry: u64,
    /// Earlier delivery days were pruned.
    pub pruned_before: Option<Day>,
}

/// An object that the manifest lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedObject<'m> {
    /// Its key.
    pub key: &'m str,
    /// Its size, where the manifest knows it.
    pub bytes: Option<u64>,
}

/// The state of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The delivery dates that are done, ascending; `unknown`, for files without a date, last.
    pub days_done: Vec<String>,
    /// Log files read.
    pub files: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Each account's Region, in order.
    pub places: Vec<PlaceStatus>,
    /// The plan that a run was working when it ended.
    pub interrupted: Option<Interrupted>,
    /// Records that wait for their sessions.
    pub waiting: u64,
    /// Log files that are to be read again.
    pub retry: u64,
    /// Earlier delivery days were pruned: they count as done, and are no gaps.
    pub pruned_before: Option<Day>,
    /// Whether the objects are as listed.
    pub health: Health,
    /// What the decisions stand on: files of `decisions` by version or snapshot.
    pub decided_by: DecidedBy,
}

/// Files of `decisions` by what decided them. A file that was merged of several counts for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecidedBy {
    /// By the version of the program; the empty one where it was not written down.
    pub evaluator_versions: BTreeMap<String, u64>,
    /// By the mapping.
    pub mapping_versions: BTreeMap<String, u64>,
    /// By the snapshot.
    pub snapshot_ids: BTreeMap<String, u64>,
}

/// What was read of one account's Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceStatus {
    /// As the keys name it; `None` where they do not.
    pub account: Option<String>,
    /// As the keys name it; `None` where they do not.
    pub region: Option<String>,
    /// For each delivery date with files, ascending; `unknown` last.
    pub days: Vec<DayCount>,
    /// The days without files between its first and its last.
    pub gaps: Vec<Gap>,
}

/// What was read of a delivery date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// `2026-11-02`, or `unknown`.
    pub delivery_date: String,
    /// Log files.
    pub files: u64,
    /// Their stored bytes.
    pub bytes: u64,
}

/// Days without files, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first.
    pub first: Day,
    /// The last.
    pub last: Day,
}

/// A plan that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// `2026-11-02`, or `unknown`.
    pub delivery_date: String,
    /// Its files.
    pub files: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// The files that are not done yet.
    pub files_left: u64,
    /// Their stored bytes.
    pub bytes_left: u64,
}

/// How the output's objects compare with what the manifest lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Listed, but not there.
    pub missing: Vec<String>,
    /// There with another size than listed.
    pub resized: Vec<String>,
    /// There, but not listed: a crash's leftovers, which the next run removes.
    pub unlisted: Vec<String>,
}

impl Health {
    /// Whether nothing that is listed is missing or changed.
    pub fn is_sound(&self) -> bool {
        self.missing.is_empty() && self.resized.is_empty()
    }
}

/// Reads the plans' headers and lists the output.
///
/// # Memory
/// A count for each delivery day of each account and Region, and the keys of the output's objects.
///
/// # Errors
/// Where the output cannot be listed or a plan not be read. A plan that is missing is none: it is
/// named among what is missing.
pub fn status(store: &dyn Store, parts: &StatusParts<'_>) -> Result<Status, PipelineError> {
    let mut counts = Counts::default();
    for plan in parts.plans {
        match read_header(store, &plan.key) {
            Ok(header) => counts.add(&plan.delivery_date, &header.places),
            Err(PipelineError::Plan(PlanError::Missing { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    let days: BTreeSet<_> = parts
        .plans
        .iter()
        .map(|plan| date_order(&plan.delivery_date))
        .collect();
    Ok(Status {
        decided_by: DecidedBy::default(),
        days_done: days.into_iter().map(|(_, date)| date.to_owned()).collect(),
        files: parts.plans.iter().map(|plan| plan.files).sum(),
        bytes: parts.plans.iter().map(|plan| plan.bytes).sum(),
        places: counts.into_places(),
        interrupted: match parts.interrupted {
            Some((plan, done)) => Some(interrupted(store, plan, done)?),
            None => None,
        },
        waiting: parts.waiting,
        retry: parts.retry,
        pruned_before: parts.pruned_before,
        health: health(store, &parts.objects)?,
    })
}

/// Dates in order, what is none behind them.
fn date_order(date: &str) -> (DayNumber, &str) {
    let day = parse_delivery_date(date).flatten();
    (day.map_or(DayNumber::MAX, day_number), date)
}

/// Account and Region.
type PlaceKey = (Option<String>, Option<String>);

/// Files and bytes of each day.
type DayCounts = BTreeMap<(DayNumber, String), (u64, u64)>;

#[derive(Default)]
struct Counts {
    places: BTreeMap<PlaceKey, DayCounts>,
}

impl Counts {
    fn add(&mut self, date: &str, places: &[PlaceCount]) {
        let (day, date) = date_order(date);
        for place in places {
            let key = (place.account.clone(), place.region.clone());
            let days = self.places.entry(key).or_default();
            let count = days.entry((day, date.to_owned())).or_default();
            count.0 += place.files;
            count.1 += place.bytes;
        }
    }

    fn into_places(self) -> Vec<PlaceStatus> {
        self.places
            .into_iter()
            .map(|((account, region), days)| PlaceStatus {
                account,
                region,
                gaps: gaps(days.keys().map(|(day, _)| *day)),
                days: days
                    .into_iter()
                    .map(|((_, delivery_date), (files, bytes))| DayCount {
                        delivery_date,
                        files,
                        bytes,
                    })
                    .collect(),
            })
            .collect()
    }
}

/// The holes in ascending days.
fn gaps(days: impl Iterator<Item = DayNumber>) -> Vec<Gap> {
    let days: Vec<DayNumber> = days.filter(|day| *day != DayNumber::MAX).collect();
    days.iter()
        .zip(days.iter().skip(1))
        .filter(|(before, after)| *after - *before > 1)
        .filter_map(|(before, after)| {
            Some(Gap {
                first: day_of(before + 1)?,
                last: day_of(after - 1)?,
            })
        })
        .collect()
}

fn interrupted(store: &dyn Store, plan: &PlanRef, done: u64) -> Result<Interrupted, PipelineError> {
    let (mut at, mut bytes_left) = (0, 0_u64);
    if let Some(object) = store.read(&plan.key)? {
        read_plan(&plan.key, &object.bytes, |_, line| {
            at += 1;
            if at > done {
                bytes_left = bytes_left.saturating_add(line.2);
            }
        })?;
    }
    Ok(Interrupted {
        delivery_date: plan.delivery_date.clone(),
        files: plan.files,
        bytes: plan.bytes,
        files_left: plan.files.saturating_sub(done),
        bytes_left,
    })
}

fn health(store: &dyn Store, listed: &[ListedObject<'_>]) -> Result<Health, PipelineError> {
    let there: BTreeMap<String, u64> = store
        .list("")?
        .into_iter()
        .map(|entry| (entry.key, entry.size))
        .collect();
    let listed: BTreeMap<&str, Option<u64>> = listed
        .iter()
        .map(|object| (object.key, object.bytes))
        .collect();
    let mut health = Health::default();
    for (key, bytes) in &listed {
        match (there.get(*key), bytes) {
            (None, _) => health.missing.push((*key).to_owned()),
            (Some(found), Some(bytes)) if found != bytes => health.resized.push((*key).to_owned()),
            (Some(_), _) => {}
        }
    }
    let unlisted = there
        .into_keys()
        .filter(|key| !listed.contains_key(key.as_str()));
    health.unlisted = unlisted.collect();
    Ok(health)
}
