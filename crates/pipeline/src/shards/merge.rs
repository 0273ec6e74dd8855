//! The merge: day by day, each a plan and a commit of the output.

use std::collections::{BTreeMap, BTreeSet};

use bumpalo::Bump;
use rayon::prelude::*;
use retrial_storage::Store;
use retrial_tables::{Changes, Decisions, Needs, Rejects, Sessions, Table, Usage, tables};
use tracing::{info, warn};

use super::SHARDS_FOLDER;
use super::day::{Again, DayShards};
use super::records::DayRecords;
use super::rows::{COUNTED, Counter, OfLogFile, RowGroup, read, row_groups};
use super::set::{ShardProblem, ShardSet};
use crate::analyze::{Options, PipelineError, Run};
use crate::batch::KeptRows;
use crate::dates::Dated;
use crate::duplicates::Novelty;
use crate::manifest::{CurrentPlan, Manifest, ManifestFile, fenced};
use crate::open_batch::{Day, OpenBatch};
use crate::output::Output;
use crate::plan::{DayPlan, PlannedFile, day_number};
use crate::report::Report;
use crate::retry::Unread;
use crate::scratch::Scratch;
use crate::sessions::SessionFiles;
use crate::slice::Failure;
use crate::stored_file::StoredFile;
use crate::work::{Work, create, permission_ground};

/// How much of a shard's file is copied at a time.
const COPY_BYTES: u64 = 8 << 20;

/// Merges all shards of an output, each in its store, in their order. A merge that was interrupted is gone
/// on with. In the end the shards are removed.
///
/// # Errors
/// Where a shard is missing, unfinished, or was made of something else than the others; where the output
/// is there already, or is not one; and as with [`analyze()`](crate::analyze()).
pub fn merge_shards(
    run: &Run<'_>,
    (store, shards): (&dyn Store, &[Box<dyn Store>]),
    options: Options,
) -> Result<Report, PipelineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(run.threads)
        .build()?;
    let scratch = Scratch::new(run.scratch)?;
    pool.install(|| merge(run, (store, shards, &scratch), options))
}

fn merge(
    run: &Run<'_>,
    (store, shards, scratch): (&dyn Store, &[Box<dyn Store>], &Scratch),
    options: Options,
) -> Result<Report, PipelineError> {
    let filter = run.filter.text();
    let count = u32::try_from(shards.len()).unwrap_or(u32::MAX);
    if Manifest::read(store)?.is_some_and(|(manifest, _)| manifest.header.merging.is_none()) {
        // All was merged, or there was nothing to merge.
        return match remove_shards(store)? {
            0 => Err(ShardProblem::OutputThere {
                location: store.location().to_owned(),
            }
            .into()),
            _ => Ok(Report::default()),
        };
    }
    // What is missing is said before there is an output.
    let set = ShardSet::open(store, shards, (&run.inputs(), &filter), scratch)?;
    let output = Output::claim_merge(store, &filter, count)?;
    output.clean()?;
    let mut work = Work::open(run, (output, scratch), &options)?;
    work.take_unread(&set);
    for date in set.days() {
        work.merge_date(&set, &date)?;
    }
    let left_aside = set.shards.iter().map(|shard| shard.state.set_aside);
    left_aside.for_each(|set_aside| work.report.set_aside.merge(set_aside));
    work.end()?;
    work.say_rejects();
    let (report, mut output) = work.derive(permission_ground(run))?;
    output.change(|manifest| manifest.header.merging = None)?;
    remove_shards(store)?;
    Ok(report)
}

/// Removes what is left of the shards; says how many objects.
fn remove_shards(store: &dyn Store) -> Result<u64, PipelineError> {
    let mut removed = 0;
    for entry in store.list(SHARDS_FOLDER)? {
        store.delete(&entry.key)?;
        removed += 1;
    }
    Ok(removed)
}

impl Work<'_> {
    /// What no shard could read is to be tried again by the next run, as if this one had tried.
    fn take_unread(&mut self, set: &ShardSet<'_>) {
        for unread in &set.unread {
            let is_new = self
                .joins
                .retry
                .unread
                .iter()
                .all(|known| known.key != unread.key || known.source != unread.source);
            let reason = unread.reason.clone().into();
            *self.report.rejects.entry(reason).or_default() += u64::from(is_new);
            self.report.files_rejected += u64::from(is_new);
            self.report.files += u64::from(is_new && unread.size.is_some());
            self.report.bytes += unread.size.filter(|_| is_new).unwrap_or_default();
            self.report.retryable += u64::from(is_new && unread.retryable);
            self.joins.retry.add(Unread {
                due: false,
                ..unread.clone()
            });
        }
    }

    /// Merges a delivery day, unless that was done.
    fn merge_date(&mut self, set: &ShardSet<'_>, date: &str) -> Result<(), PipelineError> {
        let header = self.output.header();
        if header.plans.iter().any(|plan| plan.delivery_date == date) {
            return Ok(());
        }
        let sources = self.place.run.source_names();
        let plan = set.plan(date, &sources)?;
        if header.plan.is_none() {
            let number = header.next_plan;
            let reference = plan.reference(number);
            let bytes = plan.to_bytes(number, &sources);
            create(self.output.store(), &reference.key, &bytes)?;
            self.output.change(|Manifest { header, .. }| {
                header.next_plan = number + 1;
                header.plan = Some(CurrentPlan {
                    plan: reference,
                    files_done: 0,
                    first_batch: header.next_batch,
                });
            })?;
        }
        self.report.set_aside.merge(plan.set_aside);
        let bytes = plan.files.iter().map(|file| file.size).sum();
        let files = plan.files.len() as u64;
        self.place.run.progress.planned(files, bytes);
        self.merge_day(set, (date, &plan))
    }

    /// Merges a day; where the storage fails with a log file that is to be read again, anew without it.
    fn merge_day(
        &mut self,
        set: &ShardSet<'_>,
        (date, plan): (&str, &DayPlan),
    ) -> Result<(), PipelineError> {
        let mut records = DayRecords::default();
        for shard in &set.shards {
            let kept = shard.state.records.iter();
            for kept in kept.filter(|kept| kept.delivery_date == date) {
                records.add(shard.store, self.place.scratch, &kept.key)?;
            }
        }
        let unknown = |place: &usize| {
            let file = plan.files.get(*place);
            file.is_some_and(|file| records.file(file).is_none())
        };
        let mut unreadable: BTreeSet<usize> = (0..plan.files.len()).filter(unknown).collect();
        let mut failures: Vec<Failure> = Vec::new();
        self.check_unread(set, (plan, &unreadable))?;
        loop {
            let day = DayShards {
                set,
                plan,
                date,
                records: &records,
                unreadable: &unreadable,
            };
            match self.merge_batch(&day, &failures)? {
                None => return Ok(()),
                Some(failure) => {
                    let file = plan.files.get(failure.place);
                    warn!(
                        log_file = file.map(|file| file.key.as_str()),
                        cause = failure.message,
                        "a log file cannot be read again: its day is merged without it"
                    );
                    unreadable.insert(failure.place);
                    failures.push(failure);
                    self.joins.reopen(&self.output, self.place.scratch)?;
                }
            }
        }
    }

    /// What a shard has no records of must be on its list of what it could not read.
    fn check_unread(
        &self,
        set: &ShardSet<'_>,
        (plan, unreadable): (&DayPlan, &BTreeSet<usize>),
    ) -> Result<(), PipelineError> {
        let names = self.place.run.source_names();
        let unread: BTreeSet<(&str, &str)> = set
            .unread
            .iter()
            .map(|unread| (unread.source.as_str(), unread.key.as_str()))
            .collect();
        for file in unreadable.iter().filter_map(|place| plan.files.get(*place)) {
            let source = names.get(file.source).map_or("", String::as_str);
            if !unread.contains(&(source, file.key.as_str())) {
                return Err(PipelineError::Damaged {
                    key: "_retrial/records".to_owned(),
                    place: format!("`{}`", file.key),
                    cause: "its shard has no records of it".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Merges a day into a batch and commits it; or gives the log file that could not be read again.
    fn merge_batch(
        &mut self,
        day: &DayShards<'_, '_>,
        failures: &[Failure],
    ) -> Result<Option<Failure>, PipelineError> {
        let of_plan = Day::of(day.plan);
        let from = self.joins.sessions_from(of_plan.read_to(0));
        let merged = SessionFiles {
            store: self.output.store(),
            files: self.output.files().iter().collect(),
        };
        let sessions = day.all_sessions(merged, from)?;
        let mut again = day.again(&mut self.joins.duplicates, &sessions, from)?;
        self.joins.set_sessions(sessions);
        let batch = self.batch(day.plan.day.map(day_number), false);
        let mut open = OpenBatch::new(self.place, &mut self.joins, batch);
        let whole = TakeOver::of(day, &again).all(&mut open)?;
        let (files, files_again) = (day.plan.files.len(), again.files.len());
        if let Some(failure) = open.again(of_plan, &mut again)? {
            return Ok(Some(failure));
        }
        let worked = open.into_worked();
        let names = self.place.run.source_names();
        for failure in failures {
            let Some(file) = day.plan.files.get(failure.place) else {
                continue;
            };
            self.joins.retry.add(unread(file, &names, failure));
            self.report.files += 1;
            self.report.bytes += file.size;
            self.report.files_rejected += 1;
            self.report.retryable += 1;
            let reason = failure.reason.into();
            *self.report.rejects.entry(reason).or_default() += 1;
        }
        let whole = copy_whole(self.output.store(), worked.batch.place.number, &whole)?;
        for table in tables() {
            let files = whole.iter().filter(|file| file.table == table.name);
            let rows: u64 = files.map(|file| file.rows).sum();
            if rows > 0 {
                *self.report.rows.entry(table.name).or_default() += rows;
            }
        }
        let minute = day.plan.files.first().and_then(PlannedFile::minute);
        self.swap((worked.batch, None), minute, |manifest| {
            manifest.files.extend(whole);
            let header = &mut manifest.header;
            if let Some(done) = header.plan.take() {
                header.plans.push(done.plan);
            }
        })?;
        info!(
            delivery_date = day.date,
            files = files as u64,
            read_again = files_again as u64,
            records = worked.report.books.records_read,
            "merged"
        );
        self.report.merge(worked.report);
        Ok(None)
    }
}

fn unread(file: &PlannedFile, names: &[String], failure: &Failure) -> Unread {
    Unread {
        source: names.get(file.source).cloned().unwrap_or_default(),
        key: file.key.clone(),
        size: Some(file.size),
        reason: failure.reason.to_owned(),
        message: failure.message.clone(),
        retryable: true,
        due: false,
    }
}

/// Takes over what the shards have of a day, but for the log files that are read again.
struct TakeOver<'t, 'd, 'r> {
    day: &'t DayShards<'d, 'r>,
    again: &'t Again,
    /// The log files that are passed over.
    without: BTreeSet<&'t str>,
}

/// A file of a shard that is taken over as it is.
struct Whole<'d> {
    shard: usize,
    store: &'d dyn Store,
    file: &'d ManifestFile,
}

/// Takes rows over, those of a row group at a time.
type Taker<'t, T> = dyn for<'x, 'a> FnMut(
        &mut OpenBatch<'_, '_>,
        &'x [Dated<<T as Table>::Row<'a>>],
    ) -> Result<(), PipelineError>
    + 't;

impl<'t, 'd, 'r> TakeOver<'t, 'd, 'r> {
    fn of(day: &'t DayShards<'d, 'r>, again: &'t Again) -> Self {
        let mut taken = Self {
            day,
            again,
            without: BTreeSet::new(),
        };
        let files = day.plan.files.iter().enumerate();
        taken.without = files
            .filter(|(place, _)| taken.is_passed_over(*place))
            .map(|(_, file)| file.key.as_str())
            .collect();
        taken
    }

    /// Counts what is taken over, writes the rows of the files that have others too, and gives those that
    /// have none.
    fn all(&self, open: &mut OpenBatch<'_, '_>) -> Result<Vec<Whole<'d>>, PipelineError> {
        self.counts(open);
        let mut whole = self.decisions(open)?;
        whole.extend(self.table::<Sessions>(open, &mut |open, rows| {
            open.take_over(KeptRows {
                sessions: rows.iter().collect(),
                ..KeptRows::default()
            })
        })?);
        whole.extend(self.table::<Changes>(open, &mut |open, rows| {
            open.take_over(KeptRows {
                changes: rows.iter().collect(),
                ..KeptRows::default()
            })
        })?);
        whole.extend(self.table::<Needs>(open, &mut |open, rows| {
            open.take_over(KeptRows {
                needs: rows.iter().collect(),
                ..KeptRows::default()
            })
        })?);
        whole.extend(self.table::<Rejects>(open, &mut |open, rows| {
            open.take_over(KeptRows {
                rejects: rows.iter().collect(),
                ..KeptRows::default()
            })
        })?);
        Ok(whole)
    }

    /// What the log files count that are not read again.
    fn counts(&self, open: &mut OpenBatch<'_, '_>) {
        for (place, file) in self.day.plan.files.iter().enumerate() {
            let Some(known) = self.day.records.file(file) else {
                continue;
            };
            if self.is_passed_over(place) {
                continue;
            }
            let report = open.report();
            for counts in known.counts() {
                counts.add_to(report);
            }
            report.books.duplicate += known.of(Novelty::Duplicate);
            report.conflicts += known.of(Novelty::Conflict);
            open.cover(known.coverage());
        }
    }

    fn is_passed_over(&self, place: usize) -> bool {
        self.again.files.contains_key(&place) || self.day.unreadable.contains(&place)
    }

    /// The files of a table of this day, those of each shard in their order.
    fn files(&self, table: &'static str) -> impl Iterator<Item = Whole<'d>> + use<'t, 'd, 'r> {
        let (set, date) = (self.day.set, self.day.date);
        set.shards
            .iter()
            .enumerate()
            .flat_map(move |(shard, output)| {
                let files = output.files_of(date);
                let files = files.filter(move |file| file.table == table);
                files.map(move |file| Whole {
                    shard,
                    store: output.store,
                    file,
                })
            })
    }

    /// The table `decisions`, and `usage`, whose files count what those of the same name hold.
    fn decisions(&self, open: &mut OpenBatch<'_, '_>) -> Result<Vec<Whole<'d>>, PipelineError> {
        let mut whole = Vec::new();
        let mut counter = Counter::default();
        let mut usage: BTreeMap<(usize, &str, &str), Whole<'d>> = self
            .files(Usage::NAME)
            .map(|of| {
                (
                    (of.shard, of.file.event_date.as_str(), name_of(of.file)),
                    of,
                )
            })
            .collect();
        for of in self.files(Decisions::NAME) {
            let is_whole = self.is_whole::<Decisions>(&of)?;
            let columns = is_whole.then_some(COUNTED);
            self.rows::<Decisions>(open, (&of, columns), &mut |open, rows| {
                counter.count(rows, open.report())?;
                if is_whole {
                    return Ok(());
                }
                open.take_over(KeptRows {
                    decisions: rows.iter().collect(),
                    ..KeptRows::default()
                })
            })?;
            if is_whole {
                whole.extend(usage.remove(&(of.shard, &of.file.event_date, name_of(of.file))));
                whole.push(of);
            }
        }
        Ok(whole)
    }

    /// Any other table that tells the log files of its rows.
    fn table<T: OfLogFile>(
        &self,
        open: &mut OpenBatch<'_, '_>,
        each: &mut Taker<'_, T>,
    ) -> Result<Vec<Whole<'d>>, PipelineError>
    where
        for<'x> T::Row<'x>: Send,
    {
        let mut whole = Vec::new();
        for of in self.files(T::NAME) {
            if self.is_whole::<T>(&of)? {
                whole.push(of);
            } else {
                self.rows::<T>(open, (&of, None), each)?;
            }
        }
        Ok(whole)
    }

    /// Whether no row of a file is of a log file that is passed over.
    fn is_whole<T: OfLogFile>(&self, of: &Whole<'_>) -> Result<bool, PipelineError> {
        if self.without.is_empty() {
            return Ok(true);
        }
        let failed = |cause| PipelineError::Read {
            key: of.file.key.clone(),
            cause,
        };
        let stored = StoredFile {
            store: of.store,
            key: &of.file.key,
            bytes: of.file.bytes,
        };
        let reader = stored.table::<T>(&["log_file"])?;
        let mut is_whole = true;
        for row_group in 0..reader.row_groups() {
            for batch in reader.batches(row_group).map_err(failed)? {
                batch.map_err(failed)?.with_rows(|rows| {
                    is_whole &= !rows
                        .iter()
                        .any(|row| self.without.contains(T::log_file(row)));
                });
                if !is_whole {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Hands on the rows of a file, row group by row group: these columns of them, or all.
    fn rows<T: OfLogFile>(
        &self,
        open: &mut OpenBatch<'_, '_>,
        (of, columns): (&Whole<'_>, Option<&[&str]>),
        each: &mut Taker<'_, T>,
    ) -> Result<(), PipelineError>
    where
        for<'x> T::Row<'x>: Send,
    {
        let groups: Vec<RowGroup<'_, T>> = row_groups(of.store, of.file, columns)?;
        for some in groups.chunks(rayon::current_num_threads().max(1)) {
            let mut arenas: Vec<Bump> = some.iter().map(|_| Bump::new()).collect();
            for rows in read(some, &self.without, &mut arenas)? {
                open.check_stop()?;
                each(open, &rows)?;
            }
        }
        Ok(())
    }
}

/// `000012.parquet`
fn name_of(file: &ManifestFile) -> &str {
    file.key.rsplit('/').next().unwrap_or_default()
}

/// Copies files of shards into the output, where they are of a batch.
fn copy_whole(
    store: &dyn Store,
    batch: u64,
    whole: &[Whole<'_>],
) -> Result<Vec<ManifestFile>, PipelineError> {
    let copy = |of: &Whole<'_>| {
        let (folder, name) = of.file.key.rsplit_once('/').unwrap_or_default();
        let key = format!("{folder}/{batch:06}-{}-{name}", of.shard);
        let mut upload = store.begin(&key)?;
        let mut at = 0;
        while at < of.file.bytes {
            let length = COPY_BYTES.min(of.file.bytes - at);
            let bytes = of.store.read_range(&of.file.key, at, length)?;
            if bytes.is_empty() {
                return Err(PipelineError::lost(&of.file.key));
            }
            at += bytes.len() as u64;
            upload
                .write_all(&bytes)
                .map_err(|cause| PipelineError::Write {
                    key: key.clone(),
                    cause,
                })?;
        }
        upload.complete().map_err(|error| fenced(store, error))?;
        Ok(ManifestFile {
            key,
            batch,
            ..of.file.clone()
        })
    };
    whole.par_iter().map(copy).collect()
}
