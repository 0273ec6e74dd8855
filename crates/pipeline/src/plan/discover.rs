//! Finding the places of a source: level by level, never listing what is in a delivery day.

use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::{LogKey, LogKind};
use retrial_storage::{Child, Source};

use super::days::{DayNumber, DaySet};
use super::file::{PlannedFile, layout_day, layout_month};
use super::order::FileSorter;
use super::set_aside::{SetAside, Unlisted};
use super::shard::Shard;
use super::walk::walk;
use crate::analyze::PipelineError;

/// One account's Region in one source: the folder that holds its delivery days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: usize,
    /// All that stands before the year; empty, or ending in `/`.
    pub(crate) folder: String,
    /// What its files are, as the folders say.
    pub(crate) kind: LogKind,
    /// The days that have a folder.
    pub(crate) days: DaySet,
}

impl Place {
    /// The folder of a delivery day.
    pub(crate) fn day_folder(&self, date: &str) -> String {
        format!("{}{}/", self.folder, date.replace('-', "/"))
    }
}

/// The keys of a source that are not to be read: a file each, or a folder with all that is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excluded<'o>(pub(crate) &'o [Vec<String>]);

impl Excluded<'_> {
    pub(crate) fn contains(self, source: usize, key: &str) -> bool {
        let prefixes = self.0.get(source).map(Vec::as_slice).unwrap_or_default();
        prefixes.iter().any(|prefix| {
            let rest = key.strip_prefix(prefix.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The folders that hold `AWSLogs/` with CloudTrail's log files. They are taken at their word: JSON
/// files beside it (a snapshot of policies, a configuration) are no logs.
#[derive(Debug, Default)]
pub(crate) struct LayoutRoots(BTreeSet<(usize, String)>);

impl LayoutRoots {
    fn add(&mut self, source: usize, key: &str) {
        if let Some(root) = layout_root(key) {
            self.0.insert((source, root.to_owned()));
        }
    }

    /// Whether a key lies beside a layout.
    pub(crate) fn is_beside(&self, source: usize, key: &str) -> bool {
        if self.0.is_empty() || layout_root(key).is_some() {
            return false;
        }
        let ends = key.match_indices('/').map(|(at, _)| at + 1);
        [0].into_iter().chain(ends).any(|end| {
            let folder = key.get(..end).unwrap_or_default().to_owned();
            self.0.contains(&(source, folder))
        })
    }
}

/// What stands before `AWSLogs/` in a key of CloudTrail's layout: nothing, or a folder with its `/`.
fn layout_root(key: &str) -> Option<&str> {
    let at = if key.starts_with("AWSLogs/") {
        0
    } else {
        key.find("/AWSLogs/")? + 1
    };
    key.get(..at)
}

/// Which months of a place are to be looked into: its source, its folder, the month's first day and
/// its last.
pub(crate) type WantedMonth<'w> = &'w dyn Fn(usize, &str, DayNumber, DayNumber) -> bool;

/// All that was found.
pub(crate) struct Discovery<'r> {
    /// In order of source and folder.
    pub(crate) places: Vec<Place>,
    /// The log files that stand elsewhere than in a delivery day of a place.
    pub(crate) strays: FileSorter<'r>,
    pub(crate) roots: LayoutRoots,
    pub(crate) unlisted: Vec<Unlisted>,
    pub(crate) set_aside: SetAside,
}

/// Walks all sources.
///
/// # Memory
/// A bit for each delivery day of each place, the names of the folders that are still to be entered,
/// and what [`FileSorter`] holds.
pub(crate) fn discover<'r>(
    sources: &[Box<dyn Source>],
    (excluded, shard): (Excluded<'_>, Shard),
    wanted: WantedMonth<'_>,
    strays: FileSorter<'r>,
) -> Result<Discovery<'r>, PipelineError> {
    let mut walk = Walk {
        excluded,
        shard,
        wanted,
        places: BTreeMap::new(),
        found: Discovery {
            places: Vec::new(),
            strays,
            roots: LayoutRoots::default(),
            unlisted: Vec::new(),
            set_aside: SetAside::default(),
        },
    };
    for (index, source) in sources.iter().enumerate() {
        walk.source(index, source.as_ref())?;
    }
    Ok(walk.finish())
}

struct Walk<'w, 'r> {
    excluded: Excluded<'w>,
    shard: Shard,
    wanted: WantedMonth<'w>,
    places: BTreeMap<(usize, String), DaySet>,
    found: Discovery<'r>,
}

impl<'r> Walk<'_, 'r> {
    fn source(&mut self, index: usize, source: &dyn Source) -> Result<(), PipelineError> {
        walk(source, vec![String::new()], &mut |found| match found {
            Ok(Child::File(entry)) => {
                self.file(index, entry.key, entry.size)?;
                Ok(None)
            }
            Ok(Child::Folder(key)) => Ok(self.enters(index, key)),
            Err(error) => {
                self.found.unlisted.push(Unlisted::new(index, &error));
                Ok(None)
            }
        })
    }

    fn file(&mut self, source: usize, key: String, size: u64) -> Result<(), PipelineError> {
        let own = self.shard.has(&key);
        if self.excluded.contains(source, &key) {
            self.found.set_aside.other += u64::from(own);
            return Ok(());
        }
        match PlannedFile::classify(source, key, size) {
            Ok(file) => {
                // All shards know what lies beside a layout.
                self.found.roots.add(source, &file.key);
                match own {
                    true => self.found.strays.push(file),
                    false => Ok(()),
                }
            }
            Err(_) if !own => Ok(()),
            Err(kind) => {
                self.found.set_aside.add(kind);
                Ok(())
            }
        }
    }

    /// The folder, where it is to be entered now.
    fn enters(&mut self, source: usize, folder: String) -> Option<String> {
        if self.excluded.contains(source, &folder) {
            // Entered to be counted: what is given as a snapshot is small.
            return Some(folder);
        }
        if let Some((place, day)) = layout_day(&folder) {
            let key = (source, place.to_owned());
            self.places.entry(key).or_default().insert(day);
            return None;
        }
        if let Some((place, year, month)) = layout_month(&folder) {
            if !self.shard.has_place(place) {
                if kind_of(place) == LogKind::Events {
                    self.found.roots.add(source, place);
                }
                return None;
            }
            let wanted = month_days(year, month)
                .is_some_and(|(first, last)| (self.wanted)(source, place, first, last));
            return wanted.then_some(folder);
        }
        if kind_of(&folder) == LogKind::OtherFile {
            self.found.set_aside.other += u64::from(self.shard.has(&folder));
            return None;
        }
        Some(folder)
    }

    fn finish(self) -> Discovery<'r> {
        let (mut found, shard) = (self.found, self.shard);
        let places = self
            .places
            .into_iter()
            .map(|((source, folder), days)| Place {
                source,
                kind: kind_of(&folder),
                folder,
                days,
            });
        let places: Vec<Place> = places.collect();
        for place in places.iter().filter(|place| place.kind == LogKind::Events) {
            found.roots.add(place.source, &place.folder);
        }
        let own = |place: &Place| shard.has_place(&place.folder);
        let places: Vec<Place> = places.into_iter().filter(own).collect();
        // Days beside a layout are no more logs than files there; not listed, they count as one.
        let all = places.len();
        let is_log = |place: &Place| !found.roots.is_beside(place.source, &place.folder);
        found.places = places.into_iter().filter(is_log).collect();
        found.set_aside.other += (all - found.places.len()) as u64;
        found.unlisted.sort_unstable();
        found
    }
}

/// What a JSON file in a folder would be.
pub(crate) fn kind_of(folder: &str) -> LogKind {
    LogKey::parse(&format!("{folder}a.json")).kind
}

/// The first and the last day of a month.
fn month_days(year: u16, month: u8) -> Option<(DayNumber, DayNumber)> {
    let day = |day| retrial_cloudtrail::Day::new(year, month, day);
    let last = (28..=31).rev().find_map(day)?;
    Some((
        super::days::day_number(day(1)?),
        super::days::day_number(last),
    ))
}
