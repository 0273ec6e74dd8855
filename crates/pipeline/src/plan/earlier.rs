//! What earlier runs of an output have read: the plans that they completed.
//!
//! A log file is read once. CloudTrail's own names are unique, so that a file of such a name is the
//! same one wherever it is found; any other is told by its source and key. Which delivery days of
//! which places were read at all is known from the plans' headers, so that an old day need not be
//! listed again.
//!
//! # Memory
//! A bit for each delivery day of each place, and 16 bytes for each file of the one delivery day that
//! is being planned (for files without a date: of all of them).

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher;

use retrial_cloudtrail::Day;
use retrial_storage::Store;

use super::days::{DayNumber, DaySet, day_number, delivery_date, parse_delivery_date};
use super::error::{PlanError, PlanProblem};
use super::file::{layout_day, unique_name};
use super::set_aside::Unlisted;
use super::stored::{PlanHeader, PlanRef, read_header, read_plan};
use crate::analyze::PipelineError;

/// The completed plans of an output.
pub(crate) struct Earlier<'r> {
    store: &'r dyn Store,
    plans: Vec<PlanRef>,
    /// By source and folder: the delivery days that a plan lists files of.
    places: BTreeMap<String, BTreeMap<String, DaySet>>,
}

impl<'r> Earlier<'r> {
    /// Reads the headers of the plans.
    pub(crate) fn read(store: &'r dyn Store, plans: Vec<PlanRef>) -> Result<Self, PipelineError> {
        let mut places = BTreeMap::<String, BTreeMap<String, DaySet>>::new();
        for plan in &plans {
            let header = read_header(store, &plan.key)?;
            if let Some(day) = plan_day(plan)? {
                cover(&mut places, header, day_number(day));
            }
        }
        Ok(Self {
            store,
            plans,
            places,
        })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// The last delivery day that was planned.
    pub(crate) fn last_day(&self) -> Option<DayNumber> {
        let days = self.places.values().flat_map(BTreeMap::values);
        days.filter_map(DaySet::last).max()
    }

    /// The delivery days that were read of a place.
    pub(crate) fn days_of(&self, source: &str, folder: &str) -> Option<&DaySet> {
        self.places.get(source)?.get(folder)
    }

    /// The numbers of the plans of a delivery day.
    pub(crate) fn numbers(&self, day: Option<Day>) -> Vec<u64> {
        self.of(day).map(|plan| plan.number).collect()
    }

    fn of(&self, day: Option<Day>) -> impl Iterator<Item = &PlanRef> {
        let date = delivery_date(day);
        self.plans
            .iter()
            .filter(move |plan| plan.delivery_date == date)
    }

    /// What was read of a delivery day.
    pub(crate) fn files(&self, day: Option<Day>) -> Result<ReadFiles, PipelineError> {
        let mut read = ReadFiles::default();
        for plan in self.of(day) {
            let missing = || PlanError::Missing {
                key: plan.key.clone(),
            };
            let object = self.store.read(&plan.key)?.ok_or_else(missing)?;
            let header = read_plan(&plan.key, &object.bytes, |header, line| {
                read.insert(header.source(line.0), &line.1);
            })?;
            for unlisted in &header.unlisted {
                let source = header.source(unlisted.source).to_owned();
                let (key, message) = (unlisted.key.clone(), unlisted.message.clone());
                read.unlisted.insert((source, key, message));
            }
        }
        Ok(read)
    }
}

fn plan_day(plan: &PlanRef) -> Result<Option<Day>, PlanError> {
    parse_delivery_date(&plan.delivery_date).ok_or_else(|| PlanError::Damaged {
        key: plan.key.clone(),
        line: 1,
        problem: PlanProblem::DeliveryDate(plan.delivery_date.clone()),
    })
}

/// Adds the places that a plan read. Where part of the day's folder could not be listed, it has not
/// been read.
fn cover(
    places: &mut BTreeMap<String, BTreeMap<String, DaySet>>,
    header: PlanHeader,
    day: DayNumber,
) {
    let failed: BTreeSet<(usize, &str)> = header
        .unlisted
        .iter()
        .filter_map(|unlisted| Some((unlisted.source, layout_day(&unlisted.key)?.0)))
        .collect();
    for count in &header.places {
        let (Some(folder), Some(source)) = (&count.folder, header.sources.get(count.source)) else {
            continue;
        };
        if !failed.contains(&(count.source, folder.as_str())) {
            let of_source = places.entry(source.clone()).or_default();
            of_source.entry(folder.clone()).or_default().insert(day);
        }
    }
}

/// The files that were read of one delivery day.
#[derive(Default)]
pub(crate) struct ReadFiles {
    /// Hashes of 128 bits under keys that only this process has: nobody can name a file so that it is
    /// taken for another.
    files: HashSet<u128>,
    hashers: [RandomState; 2],
    /// What could not be listed then: source, key, message.
    unlisted: BTreeSet<(String, String, String)>,
}

impl ReadFiles {
    /// Whether the same could not be listed then.
    pub(crate) fn has_unlisted(&self, source: &str, unlisted: &Unlisted) -> bool {
        let (key, message) = (unlisted.key.clone(), unlisted.message.clone());
        self.unlisted.contains(&(source.to_owned(), key, message))
    }

    fn insert(&mut self, source: &str, key: &str) {
        let identity = self.identity(source, key);
        self.files.insert(identity);
    }

    /// Whether the file was read.
    pub(crate) fn contains(&self, source: &str, key: &str) -> bool {
        self.files.contains(&self.identity(source, key))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.files.len() as u64
    }

    fn identity(&self, source: &str, key: &str) -> u128 {
        let identity = match unique_name(key) {
            Some(name) => ("", name),
            None => (source, key),
        };
        let [first, second] = self
            .hashers
            .each_ref()
            .map(|state| state.hash_one(identity));
        u128::from(first) << 64 | u128::from(second)
    }
}
