//! Merging the small files of closed dates.
//!
//! All files of a table that are of one event date *and one delivery day* become one, sorted throughout.
//! A file of two delivery days there never is: a day can be done anew, or pruned, whatever was merged,
//! and what is merged is never taken apart again. A date has little more than two delivery days, its own
//! and the next one, so that little more than two files are left of each table and date.
//!
//! Each date is one swap of the manifest, with a batch number of its own: before it, the merged files do
//! not count and the next writer removes them; after it, those that they took the place of. The bytes of
//! a merged file follow from its rows, not from how they were spread over files.

mod merge;
mod order;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{self, AtomicBool};

use retrial_cloudtrail::Day;
use retrial_storage::{Store, Version};
use retrial_tables::{Changes, Coverage, Decisions, Needs, Rejects, Sessions, Table, Usage};
use tracing::{debug, info};

use crate::analyze::PipelineError;
use crate::manifest::{Manifest, ManifestFile};
use crate::output::Output;
use crate::plan::parse_delivery_date;
use crate::scratch::Scratch;
use merge::{Caps, Merger};

/// What a merge makes of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The event dates of which files are merged, ascending.
    pub dates: Vec<String>,
    /// The files that are merged.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The files that they become.
    pub merged_files: u64,
    /// Their bytes; 0 before they are made.
    pub merged_bytes: u64,
    /// The event dates that are left alone: calls of them are to be decided again by the next run.
    pub open_dates: Vec<String>,
}

/// The files that become one: of one table, event date and delivery day.
type Group<'m> = ((&'m str, &'m str), Vec<&'m ManifestFile>);

/// Merges the files of closed dates: those before a day, of which nothing waits.
pub struct Compact<'s> {
    store: &'s dyn Store,
    manifest: Manifest,
    version: Version,
    before: Option<Day>,
}

impl<'s> Compact<'s> {
    /// What is to be done, before it is: with the event dates before a day; where none is given, before
    /// the last delivery day that the output has.
    ///
    /// # Errors
    /// Where an interrupted run is still to be finished.
    pub fn plan(
        store: &'s dyn Store,
        (manifest, version): (Manifest, Version),
        before: Option<Day>,
    ) -> Result<Self, PipelineError> {
        if manifest.header.plan.is_some() {
            return Err(PipelineError::Interrupted);
        }
        let plans = manifest.header.plans.iter();
        let last = plans.filter_map(|plan| day_in(&plan.delivery_date)).max();
        Ok(Self {
            store,
            manifest,
            version,
            before: before.or(last),
        })
    }

    /// What it merges.
    pub fn compacted(&self) -> Compacted {
        let mut compacted = Compacted {
            open_dates: self.open_dates().into_iter().map(str::to_owned).collect(),
            ..Compacted::default()
        };
        for (date, groups) in self.dates() {
            compacted.dates.push(date.to_owned());
            for (_, files) in groups {
                compacted.files += files.len() as u64;
                compacted.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
                compacted.merged_files += 1;
            }
        }
        compacted
    }

    /// Merges it. Where nothing is to be merged, nothing is written.
    ///
    /// # Errors
    /// [`PipelineError::Fenced`] where another writer came in between, [`PipelineError::Stopped`] where
    /// the run was asked to stop, and where the output or the scratch folder refuses. What was merged by
    /// then stands.
    pub fn run(self, scratch: &Scratch, stop: &AtomicBool) -> Result<Compacted, PipelineError> {
        let mut compacted = self.compacted();
        if compacted.dates.is_empty() {
            return Ok(compacted);
        }
        let state = (self.manifest.clone(), Some(self.version.clone()));
        let mut output = Output::take_over(self.store, state)?;
        output.clean()?;
        let merger = Merger {
            store: self.store,
            scratch,
            stop,
            caps: Caps::DEFAULT,
        };
        for groups in self.dates().into_values() {
            if stop.load(atomic::Ordering::Relaxed) {
                return Err(PipelineError::Stopped);
            }
            let number = output.header().next_batch;
            let mut merged = Vec::new();
            for (_, files) in groups {
                merged.extend(merge_group(merger, number, &files)?);
            }
            compacted.merged_bytes += merged.iter().map(|file| file.bytes).sum::<u64>();
            output.change(|Manifest { header, files }| {
                let gone = merged.iter().flat_map(|file| file.supersedes.iter());
                let gone: BTreeSet<&str> = gone.map(String::as_str).collect();
                files.retain(|file| !gone.contains(file.key.as_str()));
                files.extend(merged.iter().cloned());
                header.next_batch = number + 1;
            })?;
            say_merged(number, &merged);
        }
        Ok(compacted)
    }

    fn is_before(&self, date: &str) -> bool {
        match (day_in(date), self.before) {
            (Some(day), Some(before)) => day < before,
            // What has no date is of no day that goes on.
            _ => true,
        }
    }

    /// The event dates that would be merged, but for the tail of the last run.
    fn open_dates(&self) -> BTreeSet<&str> {
        let tails = self.manifest.files.iter().filter(|file| file.tail);
        tails
            .map(|file| file.event_date.as_str())
            .filter(|date| self.is_before(date))
            .collect()
    }

    /// The groups of several files, by event date.
    fn dates(&self) -> BTreeMap<&str, Vec<Group<'_>>> {
        let open = self.open_dates();
        let mut dates: BTreeMap<&str, BTreeMap<(&str, &str), Vec<&ManifestFile>>> = BTreeMap::new();
        for file in &self.manifest.files {
            let date = file.event_date.as_str();
            if merging(&file.table).is_some() && self.is_before(date) && !open.contains(date) {
                let group = (file.table.as_str(), file.delivery_date.as_str());
                let of_date = dates.entry(date).or_default();
                of_date.entry(group).or_default().push(file);
            }
        }
        let several = dates.into_iter().map(|(date, groups)| {
            // Which of them are of `--strict` could not be told any more.
            let alike = |files: &[&ManifestFile]| {
                let mut pairs = files.windows(2);
                pairs.all(|pair| matches!(pair, [one, other] if one.strict == other.strict))
            };
            let several = |(_, files): &Group<'_>| files.len() > 1 && alike(files);
            (date, groups.into_iter().filter(several).collect::<Vec<_>>())
        });
        several.filter(|(_, groups)| !groups.is_empty()).collect()
    }
}

fn say_merged(batch: u64, merged: &[ManifestFile]) {
    for file in merged {
        debug!(
            batch,
            table = file.table,
            event_date = file.event_date,
            delivery_date = file.delivery_date,
            files = file.supersedes.len() as u64,
            rows = file.rows,
            bytes = file.bytes,
            "merged into a file"
        );
    }
    let files: usize = merged.iter().map(|file| file.supersedes.len()).sum();
    info!(
        batch,
        event_date = merged.first().map(|file| file.event_date.as_str()),
        files = files as u64,
        merged_files = merged.len() as u64,
        rows = merged.iter().map(|file| file.rows).sum::<u64>(),
        bytes = merged.iter().map(|file| file.bytes).sum::<u64>(),
        "merged"
    );
}

/// Makes the merged file of a group, which does not count yet.
fn merge_group<'r>(
    merger: Merger<'r>,
    batch: u64,
    files: &[&'r ManifestFile],
) -> Result<Option<ManifestFile>, PipelineError> {
    let Some((first, merge)) = files
        .first()
        .and_then(|first| Some((first, merging(&first.table)?)))
    else {
        return Ok(None);
    };
    let folder = first.key.rsplit_once('/').map_or("", |(folder, _)| folder);
    let key = format!("{folder}/{batch:06}-{}-merged.parquet", first.delivery_date);
    let (rows, bytes) = merge(merger, files, &key)?;
    let all = |of: fn(&ManifestFile) -> &Vec<String>| -> Vec<String> {
        let all: BTreeSet<&String> = files.iter().flat_map(|file| of(file)).collect();
        all.into_iter().cloned().collect()
    };
    Ok(Some(ManifestFile {
        table: first.table.clone(),
        event_date: first.event_date.clone(),
        delivery_date: first.delivery_date.clone(),
        batch,
        tail: false,
        key,
        rows,
        bytes,
        snapshot_ids: all(|file| &file.snapshot_ids),
        mapping_versions: all(|file| &file.mapping_versions),
        evaluator_versions: all(|file| &file.evaluator_versions),
        supersedes: files.iter().map(|file| file.key.clone()).collect(),
        strict: files.iter().any(|file| file.strict),
    }))
}

/// How the files of a table are merged.
type Merge<'r> = fn(Merger<'r>, &[&'r ManifestFile], &str) -> Result<(u64, u64), PipelineError>;

/// The tables that are written batch by batch; what is derived from them is written whole.
fn merging<'r>(table: &str) -> Option<Merge<'r>> {
    Some(match table {
        Decisions::NAME => Merger::merge::<Decisions>,
        Sessions::NAME => Merger::merge::<Sessions>,
        Needs::NAME => Merger::merge::<Needs>,
        Changes::NAME => Merger::merge::<Changes>,
        Usage::NAME => Merger::merge::<Usage>,
        Coverage::NAME => Merger::merge::<Coverage>,
        Rejects::NAME => Merger::merge::<Rejects>,
        _ => return None,
    })
}

fn day_in(date: &str) -> Option<Day> {
    parse_delivery_date(date).flatten()
}
