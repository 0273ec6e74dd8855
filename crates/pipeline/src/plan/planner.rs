//! The planner: one delivery day after the other.

use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::{Day, LogKind};
use retrial_storage::{Child, Source, Store};

use super::days::{DayNumber, DayRange, day_number, day_of, delivery_date};
use super::discover::{Discovery, Excluded, LayoutRoots, Place, discover, kind_of};
use super::earlier::{Earlier, ReadFiles};
use super::file::PlannedFile;
use super::files_from::read_list;
use super::options::{PlanOptions, PlannedBefore};
use super::order::{FileSorter, SortedFiles};
use super::set_aside::{SetAside, Unlisted};
use super::shard::Shard;
use super::stored::DayPlan;
use super::walk::walk;
use crate::analyze::PipelineError;
use crate::scratch::Scratch;

/// Files without any date are planned in portions of this size: there may be any number of them.
const UNDATED_FILES: usize = 100_000;

/// Yields one delivery day's files after the other.
///
/// # Memory
/// One delivery day's files; beside them what the modules `discover`, `order` and `earlier` say of
/// themselves.
pub struct Planner<'r> {
    sources: &'r [Box<dyn Source>],
    /// As the user gave them.
    names: Vec<String>,
    window: Window,
    excluded: Vec<Vec<String>>,
    shard: Shard,
    earlier: Earlier<'r>,
    /// Each with the next day that is to be listed, where there is one.
    places: Vec<(Place, Option<DayNumber>)>,
    strays: SortedFiles<'r>,
    roots: LayoutRoots,
    retry: BTreeMap<Option<DayNumber>, Vec<PlannedFile>>,
    /// What could not be listed on the way to the delivery days.
    unlisted: Vec<Unlisted>,
    /// What was read of the undated files before, while they are planned.
    undated: Option<ReadFiles>,
    /// Whether undated files have been planned in place of what was there.
    undated_begun: bool,
    /// The undated files that a retry has planned already.
    retried: BTreeSet<(usize, String)>,
    left_over: LeftOver,
}

/// What was found and is no part of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOver {
    /// Files of other kinds.
    pub set_aside: SetAside,
    /// What could not be listed, as an earlier plan says already.
    pub unlisted: Vec<Unlisted>,
    /// Log files that were read before, of the whole run.
    pub read_before: u64,
}

impl<'r> Planner<'r> {
    /// Finds out what there is to plan: reads the headers of the completed plans, and walks the
    /// sources down to their delivery days (or reads the list that is given instead).
    ///
    /// # Errors
    /// Where a completed plan cannot be read, a line of the list names no file, or the scratch folder
    /// refuses. What a source refuses becomes a part of the plan.
    pub fn new(
        sources: &'r [Box<dyn Source>],
        options: PlanOptions,
        store: &'r dyn Store,
        before: PlannedBefore,
        scratch: &'r Scratch,
    ) -> Result<Self, PipelineError> {
        let names: Vec<String> = sources.iter().map(|s| s.location().to_owned()).collect();
        let earlier = Earlier::read(store, before.plans)?;
        let mut window = Window::new(&options, before.pruned_before);
        let PlanOptions {
            excluded,
            files_from,
            shard,
            ..
        } = options;
        let shard = shard.unwrap_or(Shard::WHOLE);
        let sorter = FileSorter::new(scratch);
        let found = match files_from {
            Some(mut list) => {
                window.listed = true;
                listed(&mut list, sources, (sorter, shard))?
            }
            None => {
                let wanted = |source: usize, folder: &str, first, last| {
                    let name = names.get(source).map_or("", String::as_str);
                    let at = (name, folder, kind_of(folder));
                    (first..=last).any(|day| window.wants(&earlier, at, day))
                };
                discover(sources, (Excluded(&excluded), shard), &wanted, sorter)?
            }
        };
        let mut planner = Self {
            sources,
            names,
            window,
            excluded,
            shard,
            earlier,
            places: found.places.into_iter().map(|p| (p, None)).collect(),
            strays: found.strays.finish()?,
            roots: found.roots,
            retry: BTreeMap::new(),
            unlisted: found.unlisted,
            undated: None,
            undated_begun: false,
            retried: BTreeSet::new(),
            left_over: LeftOver {
                set_aside: found.set_aside,
                ..LeftOver::default()
            },
        };
        for file in before.retry {
            let day = file.day_number();
            if day.is_none_or(|day| !planner.window.is_pruned(day)) {
                planner.retry.entry(day).or_default().push(file);
            }
        }
        for index in 0..planner.places.len() {
            planner.find_next(index, DayNumber::MIN);
        }
        Ok(planner)
    }

    /// The next delivery day that has something to read, or something that could not be listed. Days
    /// ascend; files without any date come first, in as many plans as they need.
    ///
    /// # Errors
    /// Where a completed plan cannot be read, or the scratch folder refuses.
    pub fn next_day(&mut self) -> Result<Option<DayPlan>, PipelineError> {
        while let Some(day) = self.candidate() {
            let plan = self.plan(day)?;
            if !plan.files.is_empty() || !plan.unlisted.is_empty() {
                return Ok(Some(plan));
            }
            self.left_over.set_aside.merge(plan.set_aside);
        }
        Ok(None)
    }

    /// What was found and is no part of a plan.
    pub fn left_over(&self) -> &LeftOver {
        &self.left_over
    }

    /// The least day that anything is waiting for.
    fn candidate(&self) -> Option<Option<DayNumber>> {
        let undated = (!self.unlisted.is_empty()).then_some(None);
        let retry = self.retry.keys().next().copied();
        let places = self.places.iter().filter_map(|(_, next)| *next).min();
        let days = [undated, self.strays.next_day(), retry, places.map(Some)];
        days.into_iter().flatten().min()
    }

    fn plan(&mut self, day: Option<DayNumber>) -> Result<DayPlan, PipelineError> {
        let calendar = day.and_then(day_of);
        // What the way to the days has set aside is no day's: a resumed run walks it again.
        let mut found = Found::default();
        if let Some(day) = day {
            self.list_places(day, &mut found)?;
        }
        self.take_strays(day, &mut found)?;
        found.unlisted.extend(match day {
            None => std::mem::take(&mut self.unlisted),
            Some(_) => Vec::new(),
        });
        let retry = self.retry.remove(&day).unwrap_or_default();
        // A portion of the undated files is not the last one: what was read is asked for again.
        let read = match self.undated.take() {
            Some(read) if day.is_none() => read,
            _ => self.earlier.files(calendar)?,
        };
        let whole = self.window.is_whole(calendar);
        let plan = self.assemble(calendar, found, (retry, whole), &read);
        if day.is_none() {
            self.undated = Some(read);
        }
        Ok(plan)
    }

    /// Keeps what is to be read of what was found, in order.
    fn assemble(
        &mut self,
        day: Option<Day>,
        found: Found,
        (retry, whole): (Vec<PlannedFile>, bool),
        read: &ReadFiles,
    ) -> DayPlan {
        let names = &self.names;
        let name = |source: usize| names.get(source).map_or("", String::as_str);
        self.retried
            .extend(retry.iter().map(|file| (file.source, file.key.clone())));
        let mut still_there = 0;
        let mut files = retry;
        for file in found.files {
            let was_read = read.contains(name(file.source), &file.key);
            still_there += u64::from(was_read);
            if self.retried.contains(&(file.source, file.key.clone())) {
                continue;
            }
            if was_read && !whole {
                self.left_over.read_before += 1;
            } else {
                files.push(file);
            }
        }
        if day.is_some() {
            self.retried.clear();
        }
        files.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        files.dedup_by(|a, b| a.source == b.source && a.key == b.key);
        let (known, unlisted): (Vec<_>, Vec<_>) = found
            .unlisted
            .into_iter()
            .partition(|unlisted| read.has_unlisted(name(unlisted.source), unlisted));
        self.left_over.unlisted.extend(known);
        let mut plan = DayPlan {
            day,
            files,
            unlisted,
            set_aside: found.set_aside,
            ..DayPlan::default()
        };
        // Only the first portion of the undated takes the place of what was there.
        if whole && !plan.files.is_empty() && (day.is_some() || self.undated_begin()) {
            plan.replaces = self.earlier.numbers(day);
            let all = self.strays.next_day() != Some(day.map(day_number));
            plan.gone = if all {
                read.len().saturating_sub(still_there)
            } else {
                0
            };
        }
        plan
    }

    /// Whether no undated file has been planned as a whole yet.
    fn undated_begin(&mut self) -> bool {
        !std::mem::replace(&mut self.undated_begun, true)
    }

    /// Lists a day of all places that are to be listed on it, and looks for their next ones.
    fn list_places(&mut self, day: DayNumber, found: &mut Found) -> Result<(), PipelineError> {
        let date = delivery_date(day_of(day));
        for (index, source) in self.sources.iter().enumerate() {
            let due = |(place, next): &&(Place, Option<DayNumber>)| {
                place.source == index && *next == Some(day)
            };
            let places = self.places.iter().filter(due);
            let folders: Vec<String> = places.map(|(place, _)| place.day_folder(&date)).collect();
            let excluded = Excluded(&self.excluded);
            found.list(index, source.as_ref(), folders, (excluded, self.shard))?;
        }
        let due = |(_, next): &(Place, Option<DayNumber>)| *next == Some(day);
        for index in 0..self.places.len() {
            if self.places.get(index).is_some_and(due) {
                self.find_next(index, day.saturating_add(1));
            }
        }
        Ok(())
    }

    /// Sets the next day of a place that is to be listed.
    fn find_next(&mut self, index: usize, from: DayNumber) {
        let Some((place, next)) = self.places.get_mut(index) else {
            return;
        };
        let name = self.names.get(place.source).map_or("", String::as_str);
        let mut day = place.days.first_from(from);
        while let Some(number) = day {
            let at = (name, place.folder.as_str(), place.kind);
            let wants = self.window.wants(&self.earlier, at, number);
            if wants {
                break;
            }
            day = place.days.first_from(number.saturating_add(1));
        }
        *next = day;
    }

    /// The files of a day that stand elsewhere.
    fn take_strays(
        &mut self,
        day: Option<DayNumber>,
        found: &mut Found,
    ) -> Result<(), PipelineError> {
        let (mut taken, mut last) = (0, None);
        while self.strays.next_day() == Some(day) {
            if day.is_none() && taken >= UNDATED_FILES {
                // A portion ends between two files; one that was listed twice is one.
                if last != self.strays.next_place() {
                    break;
                }
                self.strays.next()?;
                continue;
            }
            taken += 1;
            if taken == UNDATED_FILES {
                last = self.strays.next_place();
            }
            match self.strays.next()? {
                Some(file) if self.roots.is_beside(file.source, &file.key) => {
                    found.set_aside.other += 1;
                }
                Some(file) if self.window.contains(day) => found.files.push(file),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files of a list instead of what the sources hold.
fn listed<'r>(
    list: &mut dyn std::io::BufRead,
    sources: &[Box<dyn Source>],
    (mut strays, shard): (FileSorter<'r>, Shard),
) -> Result<Discovery<'r>, PipelineError> {
    let mut set_aside = SetAside::default();
    read_list(list, sources, &mut |file| {
        if !shard.has(&file.key) {
            return Ok(());
        }
        match PlannedFile::classify(file.source, file.key, file.size) {
            Ok(file) => strays.push(file),
            Err(kind) => {
                set_aside.add(kind);
                Ok(())
            }
        }
    })?;
    Ok(Discovery {
        places: Vec::new(),
        strays,
        roots: LayoutRoots::default(),
        unlisted: Vec::new(),
        set_aside,
    })
}

/// What was found of one day.
#[derive(Default)]
struct Found {
    files: Vec<PlannedFile>,
    unlisted: Vec<Unlisted>,
    set_aside: SetAside,
}

impl Found {
    /// Adds all that is in these folders of delivery days.
    fn list(
        &mut self,
        index: usize,
        source: &dyn Source,
        folders: Vec<String>,
        (excluded, shard): (Excluded<'_>, Shard),
    ) -> Result<(), PipelineError> {
        walk(source, folders, &mut |child| {
            match child {
                Ok(Child::Folder(key)) => return Ok(Some(key)),
                Ok(Child::File(entry)) if !shard.has(&entry.key) => {}
                Ok(Child::File(entry)) if excluded.contains(index, &entry.key) => {
                    self.set_aside.other += 1;
                }
                Ok(Child::File(entry)) => {
                    match PlannedFile::classify(index, entry.key, entry.size) {
                        Ok(file) => self.files.push(file),
                        Err(kind) => self.set_aside.add(kind),
                    }
                }
                Err(error) => self.unlisted.push(Unlisted::new(index, &error)),
            }
            Ok(None)
        })?;
        self.unlisted.sort_unstable();
        Ok(())
    }
}

/// Which delivery days are asked for.
struct Window {
    since: Option<DayNumber>,
    /// The look-back included.
    until: Option<DayNumber>,
    pruned_before: Option<DayNumber>,
    look_back: DayNumber,
    replace: Vec<DayRange>,
    recompute: bool,
    /// The files were listed one by one: all of them are asked for.
    listed: bool,
}

impl Window {
    fn new(options: &PlanOptions, pruned_before: Option<Day>) -> Self {
        let look_back = DayNumber::try_from(options.look_back_days).unwrap_or(DayNumber::MAX);
        Self {
            since: options.since.map(day_number),
            until: options
                .until
                .map(|day| day_number(day).saturating_add(look_back)),
            pruned_before: pruned_before.map(day_number),
            look_back,
            replace: options.replace.clone(),
            recompute: options.recompute,
            listed: false,
        }
    }

    /// Whether a delivery day is asked for at all. Files without a date always are.
    fn contains(&self, day: Option<DayNumber>) -> bool {
        let Some(day) = day else {
            return true;
        };
        let in_range = self.since.is_none_or(|since| day >= since)
            && self.until.is_none_or(|until| day <= until);
        !self.is_pruned(day) && (in_range || self.listed || self.is_replaced(day))
    }

    fn is_pruned(&self, day: DayNumber) -> bool {
        self.pruned_before.is_some_and(|pruned| day < pruned)
    }

    fn is_replaced(&self, day: DayNumber) -> bool {
        let in_range = |day| self.replace.iter().any(|range| range.contains(day));
        !self.replace.is_empty() && day_of(day).is_some_and(in_range)
    }

    /// Whether a day is planned whole, whatever was read of it.
    fn is_whole(&self, day: Option<Day>) -> bool {
        let in_range = |day| self.replace.iter().any(|range| range.contains(day));
        self.recompute || day.is_some_and(in_range)
    }

    /// Whether a day of a place is to be listed: one that was read, and lies further back than files
    /// come late, need not be. A day that no plan has read is listed however old it is: the source may
    /// be new, or an earlier run was asked for other days.
    ///
    /// Of digests nothing is planned: what was read before is not known of them, and they are only
    /// counted. They are looked at where a late file could be.
    fn wants(&self, earlier: &Earlier<'_>, place: (&str, &str, LogKind), day: DayNumber) -> bool {
        if !self.contains(Some(day)) {
            return false;
        }
        let is_late = |last: DayNumber| day >= last.saturating_sub(self.look_back);
        let (source, folder, kind) = place;
        if kind != LogKind::Events {
            return earlier.last_day().is_none_or(is_late);
        }
        if self.recompute || self.is_replaced(day) {
            return true;
        }
        let Some(days) = earlier.days_of(source, folder) else {
            return true;
        };
        !days.contains(day) || days.last().is_none_or(is_late)
    }
}
