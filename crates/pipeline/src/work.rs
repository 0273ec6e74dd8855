//! The run itself: what was interrupted, then what is new, day by day, batch by batch; and at the end
//! what still waits.
//!
//! Every commit is one swap of the manifest. Before it, all that it names is complete; a run that ends
//! for whatever reason goes on from the last one.

use std::collections::BTreeMap;

use retrial_replay::{Assumptions, PermissionGround};
use retrial_storage::Store;
use tracing::{debug, info, warn};

use crate::analyze::{Options, PipelineError, Run};
use crate::batch::{Batch, Place};
use crate::dates::date_name;
use crate::derive::{self, Derive};
use crate::joins::Joins;
use crate::manifest::{CurrentPlan, Manifest, fenced};
use crate::open_batch::{Day, OpenBatch, Worked, Workplace};
use crate::output::{Basis, Output, listed};
use crate::plan::{
    DayPlan, PlanOptions, PlannedBefore, PlannedFile, Planner, Replaced, SetAside, Unlisted,
    day_number, parse_delivery_date,
};
use crate::report::Report;
use crate::retry::{Retry, Unread};
use crate::scratch::Scratch;
use crate::shards::{RecordsLog, RecordsRef};
use crate::waiting::DeliveryDay;

const MINUTES_A_DAY: u32 = 24 * 60;

/// Works what an output lacks.
pub(crate) fn work(
    run: &Run<'_>,
    place: (&dyn Store, &Scratch),
    options: Options,
) -> Result<Report, PipelineError> {
    // What derivations stand on beside the calls is made while the first of them are read.
    let (worked, ground) = rayon::join(
        || work_calls(run, place, options),
        || permission_ground(run),
    );
    let Some(mut work) = worked? else {
        return Ok(Report::default());
    };
    if work.place.keeps_records {
        work.end_shard()?;
        return Ok(work.report);
    }
    let (report, _) = work.derive(ground)?;
    Ok(report)
}

/// What permissions are derived from beside the calls, where anything is derived.
pub(crate) fn permission_ground<'r>(run: &Run<'r>) -> Option<PermissionGround<'r>> {
    run.derive.as_ref().map(|_| derive::ground_of(run.replayer))
}

/// Works the calls that an output lacks; `None` where it is a shard that was worked to its end before.
fn work_calls<'r>(
    run: &'r Run<'r>,
    (store, scratch): (&'r dyn Store, &'r Scratch),
    options: Options,
) -> Result<Option<Work<'r>>, PipelineError> {
    let filter = run.filter.text();
    let output = match options.plan.shard {
        None => Output::claim(store, &filter)?,
        Some(shard) => Output::claim_shard(store, &filter, (shard, run.inputs()))?,
    };
    output.clean()?;
    let shard = output.header().shard.as_ref();
    if shard.is_some_and(|shard| shard.complete) {
        info!("the shard was worked to its end before");
        return Ok(None);
    }
    let mut work = Work::open(run, (output, scratch), &options)?;
    work.joins.retry.forget_due_folders();
    work.go_on()?;
    work.go_ahead(options.plan)?;
    work.end()?;
    work.say_rejects();
    Ok(Some(work))
}

/// A run at work.
pub(crate) struct Work<'r> {
    pub(crate) place: Workplace<'r>,
    pub(crate) output: Output<'r>,
    pub(crate) joins: Joins<'r>,
    /// How long before the last day a file may be of that is planned later, in minutes.
    look_back: u32,
    /// What was set aside and is in no stored plan.
    set_aside: SetAside,
    /// Of what is committed.
    pub(crate) report: Report,
}

impl<'r> Work<'r> {
    /// With the state of an output that was claimed.
    pub(crate) fn open(
        run: &'r Run<'r>,
        (output, scratch): (Output<'r>, &'r Scratch),
        options: &Options,
    ) -> Result<Self, PipelineError> {
        Ok(Self {
            place: Workplace {
                run,
                scratch,
                slice_bytes: options.slice_bytes,
                batch_bytes: options.batch_bytes,
                keeps_records: output.header().shard.is_some(),
            },
            joins: Joins::open(output.store(), scratch, output.header())?,
            output,
            look_back: options.plan.look_back_days.saturating_mul(MINUTES_A_DAY),
            set_aside: SetAside::default(),
            report: Report::default(),
        })
    }

    /// The shard is ready to be merged.
    fn end_shard(&mut self) -> Result<(), PipelineError> {
        let set_aside = self.set_aside;
        self.output.change(|manifest| {
            if let Some(shard) = &mut manifest.header.shard {
                shard.set_aside = set_aside;
                shard.complete = true;
            }
        })
    }

    /// Finishes the plan that was interrupted.
    fn go_on(&mut self) -> Result<(), PipelineError> {
        let Some(current) = self.output.header().plan.clone() else {
            return Ok(());
        };
        let key = &current.plan.key;
        let object = self.output.store().read(key)?;
        let object = object.ok_or_else(|| PipelineError::lost(key))?;
        let plan = DayPlan::from_bytes(key, &object.bytes, &self.place.run.source_names())?;
        self.report.resumed_batches = self.output.header().next_batch - current.first_batch;
        info!(
            delivery_date = current.plan.delivery_date,
            files = current.plan.files,
            files_done = current.files_done,
            batches = self.report.resumed_batches,
            "going on with an interrupted plan"
        );
        self.take_over(&plan);
        let done = usize::try_from(current.files_done).unwrap_or(usize::MAX);
        self.work_day(Day::of(&plan), done)
    }

    /// Plans what is new, a delivery day at a time, and works it.
    fn go_ahead(&mut self, options: PlanOptions) -> Result<(), PipelineError> {
        let header = self.output.header();
        let pruned_before = header.pruned_before.as_deref();
        let before = PlannedBefore {
            plans: header.plans.clone(),
            pruned_before: pruned_before.and_then(parse_delivery_date).flatten(),
            retry: self.due_files(),
        };
        let (sources, scratch) = (self.place.run.sources, self.place.scratch);
        let store = self.output.store();
        let mut replaced = Replaced::new(&options.replace, &before.plans);
        let mut planner = Planner::new(sources, options, store, before, scratch)?;
        while let Some(plan) = planner.next_day()? {
            self.take_over(&plan);
            if plan.files.is_empty() {
                self.set_aside.merge(plan.set_aside);
            } else {
                replaced.done(plan.day);
                self.begin_day(&plan)?;
            }
        }
        self.report.not_replaced = replaced.not_done();
        for days in &self.report.not_replaced {
            warn!(days = %days, "nothing is there to do these days anew with");
        }
        let left_over = planner.left_over();
        self.report.set_aside.merge(left_over.set_aside);
        self.set_aside.merge(left_over.set_aside);
        self.report.read_before += left_over.read_before;
        for unlisted in &left_over.unlisted {
            self.unlisted(unlisted);
        }
        Ok(())
    }

    /// The files of earlier runs that are to be tried again.
    fn due_files(&self) -> Vec<PlannedFile> {
        let names = self.place.run.source_names();
        let planned = |unread: &Unread| {
            let source = names.iter().position(|name| *name == unread.source)?;
            Some(PlannedFile::new(source, unread.key.clone(), unread.size?))
        };
        self.joins.retry.due_files().filter_map(planned).collect()
    }

    /// What a plan says beside its files.
    pub(crate) fn take_over(&mut self, plan: &DayPlan) {
        self.report.set_aside.merge(plan.set_aside);
        self.report.gone += plan.gone;
        for unlisted in &plan.unlisted {
            self.unlisted(unlisted);
        }
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        const REASON: &str = "unlisted_folder";
        self.report.files_rejected += 1;
        *self.report.rejects.entry(REASON.into()).or_default() += 1;
        self.report.retryable += u64::from(unlisted.retryable);
        let names = self.place.run.source_names();
        warn!(
            key = unlisted.key,
            retryable = unlisted.retryable,
            cause = unlisted.message,
            "a folder could not be listed"
        );
        self.joins.retry.add(Unread {
            source: names.get(unlisted.source).cloned().unwrap_or_default(),
            key: unlisted.key.clone(),
            size: None,
            reason: REASON.to_owned(),
            message: unlisted.message.clone(),
            retryable: unlisted.retryable,
            due: false,
        });
    }

    /// Stores a day's plan, and works it.
    fn begin_day(&mut self, plan: &DayPlan) -> Result<(), PipelineError> {
        let store = self.output.store();
        let number = self.output.header().next_plan;
        let reference = plan.reference(number);
        let bytes = plan.to_bytes(number, &self.place.run.source_names());
        create(store, &reference.key, &bytes)?;
        if !plan.replaces.is_empty() {
            self.forget_day(plan, number)?;
        }
        info!(
            plan = number,
            delivery_date = reference.delivery_date,
            files = reference.files,
            bytes = reference.bytes,
            replaces = plan.replaces.len() as u64,
            gone = plan.gone,
            "planned"
        );
        self.output.change(|Manifest { header, .. }| {
            header.next_plan = number + 1;
            header.plan = Some(CurrentPlan {
                plan: reference,
                files_done: 0,
                first_batch: header.next_batch,
            });
        })?;
        self.work_day(Day::of(plan), 0)
    }

    /// A day that is planned whole begins with nothing: what was made of it, and what is known of its
    /// records, no longer counts from the moment at which its plan does.
    fn forget_day(&mut self, plan: &DayPlan, number: u64) -> Result<(), PipelineError> {
        let (delivery, date) = (
            plan.day.map(day_number),
            plan.reference(number).delivery_date,
        );
        let store = self.output.store();
        let waiting = if self.joins.waiting.forget(delivery)? {
            let batch = self.output.header().next_batch - 1;
            let key = format!("_retrial/waiting/{batch:06}-{number:06}");
            Some(self.joins.waiting.store(store, key)?)
        } else {
            None
        };
        self.output.change_later(|Manifest { header, files }| {
            files.retain(|file| file.delivery_date != date);
            header.duplicates.retain(|run| run.delivery_date != date);
            header
                .plans
                .retain(|done| !plan.replaces.contains(&done.number));
            if let Some(waiting) = waiting {
                header.waiting = waiting;
            }
        });
        self.joins.committed();
        self.joins.reopen(&self.output, self.place.scratch)
    }

    fn work_day(&mut self, day: Day<'_>, files_done: usize) -> Result<(), PipelineError> {
        let rest = day.files.get(files_done..).unwrap_or_default();
        let bytes = rest.iter().map(|file| file.size).sum();
        self.place.run.progress.planned(rest.len() as u64, bytes);
        let mut begin = files_done;
        while begin < day.files.len() {
            self.joins.know_sessions(&self.output, day.read_to(begin))?;
            begin = self.work_batch(day, begin)?;
        }
        Ok(())
    }

    /// Works one batch from the file `begin` on, and says where the next begins.
    ///
    /// Where the storage fails in the middle of a file of which rows are in the batch already, the
    /// batch is begun anew with that file left out: a file that is to be read again must not have left
    /// anything.
    fn work_batch(&mut self, day: Day<'_>, begin: usize) -> Result<usize, PipelineError> {
        let mut failing = BTreeMap::new();
        loop {
            let batch = self.batch(day.delivery, false);
            let mut open = OpenBatch::new(self.place, &mut self.joins, batch);
            match open.work(day, begin, &failing)? {
                Ok(end) => {
                    let worked = open.into_worked();
                    self.commit(day, (begin, end), worked)?;
                    return Ok(end);
                }
                Err(failure) => {
                    drop(open);
                    let file = day.files.get(failure.place);
                    warn!(
                        log_file = file.map(|file| file.key.as_str()),
                        cause = failure.message,
                        "a log file broke off behind its first rows: its batch is begun anew without it"
                    );
                    failing.insert(failure.place, failure);
                    self.joins.reopen(&self.output, self.place.scratch)?;
                    self.joins.know_sessions(&self.output, day.read_to(begin))?;
                }
            }
        }
    }

    pub(crate) fn batch(&self, delivery: DeliveryDay, tail: bool) -> Batch<'r> {
        let next = self.output.header().next_batch;
        Batch::new(Place {
            store: self.output.store(),
            scratch: self.place.scratch,
            number: if tail { next - 1 } else { next },
            delivery,
            tail,
        })
    }

    /// Completes a batch, and makes it count.
    fn commit(
        &mut self,
        day: Day<'_>,
        (begin, end): (usize, usize),
        worked: Worked<'r>,
    ) -> Result<(), PipelineError> {
        let Worked {
            batch,
            report,
            failures,
            records,
        } = worked;
        let names = self.place.run.source_names();
        let file_of = |place: usize| {
            let file = day.files.get(place)?;
            Some((names.get(file.source)?.clone(), file))
        };
        for (source, file) in (begin..end).filter_map(file_of) {
            self.joins.retry.settle(&source, &file.key);
        }
        for failure in &failures {
            if let Some((source, file)) = file_of(failure.place) {
                warn!(
                    log_file = file.key,
                    reason = failure.reason,
                    cause = failure.message,
                    "a log file could not be read: the next run tries again"
                );
                self.joins.retry.add(Unread {
                    source,
                    key: file.key.clone(),
                    size: Some(file.size),
                    reason: failure.reason.to_owned(),
                    message: failure.message.clone(),
                    retryable: true,
                    due: false,
                });
            }
        }
        let last = end == day.files.len();
        let minute = day.files.get(begin).and_then(PlannedFile::minute);
        let (number, delivery) = (batch.place.number, date_name(batch.place.delivery));
        self.swap((batch, records), minute, |manifest| {
            let header = &mut manifest.header;
            if let Some(current) = &mut header.plan {
                current.files_done = end as u64;
            }
            if last && let Some(done) = header.plan.take() {
                header.plans.push(done.plan);
            }
        })?;
        let books = report.books;
        info!(
            batch = number,
            delivery_date = delivery,
            files_done = end as u64,
            files = day.files.len() as u64,
            records = books.records_read,
            duplicate = books.duplicate,
            rejected = books.rejected,
            files_rejected = report.files_rejected,
            "committed"
        );
        self.report.merge(report);
        Ok(())
    }

    /// Swaps a batch in, and with it what is known of its records, what waits, and what could not be
    /// read. The tail of an earlier run, which stands on an older state, goes.
    pub(crate) fn swap(
        &mut self,
        (batch, records): (Batch<'r>, Option<RecordsLog<'r>>),
        minute: Option<u32>,
        progress: impl FnOnce(&mut Manifest),
    ) -> Result<(), PipelineError> {
        let (store, number) = (self.output.store(), batch.place.number);
        let date = date_name(batch.place.delivery);
        let mut files = Vec::new();
        for file in batch.finish()? {
            *self.report.rows.entry(file.table).or_default() += file.rows;
            files.push(listed(file, (number, false), self.basis()));
        }
        let key = |folder: &str| format!("_retrial/{folder}/{number:06}");
        let joins = &mut self.joins;
        let duplicates = joins
            .duplicates
            .commit(&key("duplicates"), &date)
            .map_err(|error| match error {
                PipelineError::Storage(error) => fenced(store, error),
                error => error,
            })?;
        let earliest = minute.map(|minute| minute.saturating_sub(self.look_back));
        let retired = earliest.map_or_else(Vec::new, |minute| joins.duplicates.retire(minute));
        if !retired.is_empty() {
            debug!(
                runs = retired.len() as u64,
                "fingerprints are too old to matter"
            );
        }
        let waiting = joins.waiting.store(store, key("waiting"))?;
        let retry = joins.retry.store(store, key("retry"))?;
        let records = match records {
            Some(records) => {
                let key = key("records");
                records.store(store, &key)?;
                let delivery_date = date.clone();
                Some(RecordsRef { key, delivery_date })
            }
            None => None,
        };
        self.output.change(|manifest| {
            manifest.files.retain(|file| !file.tail);
            manifest.files.extend(files);
            let header = &mut manifest.header;
            header.next_batch = number + 1;
            header.duplicates.extend(duplicates);
            header.duplicates.retain(|run| !retired.contains(&run.key));
            header.waiting = waiting;
            header.retry = retry;
            if let Some(shard) = &mut header.shard {
                shard.records.extend(records);
            }
            progress(manifest);
        })?;
        self.joins.committed();
        self.report.batches += 1;
        Ok(())
    }

    fn basis(&self) -> Basis<'r> {
        Basis {
            snapshot_id: self.place.run.snapshot_id,
            mapping_version: self.place.run.mapping_version,
            strict: self.place.run.replayer.assumptions() == Assumptions::Refused,
        }
    }

    /// Nothing more is planned: what waits is decided with what is known, into files that the next
    /// batch takes the place of. Where nothing has changed since the last run, all stays as it is.
    pub(crate) fn end(&mut self) -> Result<(), PipelineError> {
        let store = self.output.store();
        let stored = Retry::load(store, self.output.header().retry.as_deref())?;
        if !self.joins.retry.is_same(&stored) {
            // An empty batch, for its number: what could not be listed has changed.
            let batch = self.batch(self.last_delivery(), false);
            self.swap((batch, None), None, |_| {})?;
        }
        self.report.waiting = self.joins.waiting.records();
        let is_due = self.joins.waiting.records() > 0 || !self.joins.retry.unread.is_empty();
        if is_due && !self.output.has_tail() {
            self.tail()?;
        }
        Ok(())
    }

    /// What is derived for the whole window, under the snapshot of now: the last of a run, for which nothing
    /// of what calls were joined to is needed any more.
    pub(crate) fn derive(
        self,
        ground: Option<PermissionGround<'r>>,
    ) -> Result<(Report, Output<'r>), PipelineError> {
        let Work {
            place,
            mut output,
            joins,
            mut report,
            ..
        } = self;
        drop(joins);
        let run = place.run;
        let Some((options, ground)) = run.derive.clone().zip(ground) else {
            return Ok((report, output));
        };
        let derive = Derive {
            replayer: run.replayer,
            mapping_version: run.mapping_version,
            options,
            threads: run.threads,
            scratch: run.scratch,
            stop: Some(run.stop),
        };
        let derived = derive::work(&derive, &mut output, place.scratch, ground)?;
        report.rows.extend(&derived.rows);
        report.derived = derived;
        Ok((report, output))
    }

    fn last_delivery(&self) -> DeliveryDay {
        let last = self.output.header().plans.last();
        last.and_then(|plan| parse_delivery_date(&plan.delivery_date).flatten())
            .map(day_number)
    }

    fn tail(&mut self) -> Result<(), PipelineError> {
        if let Some(minute) = self.joins.waiting.earliest_minute() {
            self.joins.know_sessions(&self.output, minute)?;
        }
        let batch = self.batch(self.last_delivery(), true);
        let number = batch.place.number;
        let mut open = OpenBatch::new(self.place, &mut self.joins, batch);
        open.write_tail()?;
        let Worked { batch, report, .. } = open.into_worked();
        let mut files = Vec::new();
        for file in batch.finish()? {
            *self.report.rows.entry(file.table).or_default() += file.rows;
            files.push(listed(file, (number, true), self.basis()));
        }
        self.joins.retry.close();
        let key = format!("_retrial/retry/{number:06}-tail");
        let retry = self.joins.retry.store(self.output.store(), key)?;
        self.output.change(|manifest| {
            manifest.files.extend(files);
            manifest.header.retry = retry;
        })?;
        info!(
            batch = number,
            waiting = self.joins.waiting.records(),
            "decided for now what waits"
        );
        self.report.merge(report);
        Ok(())
    }

    /// What the run had to leave out, by reason.
    pub(crate) fn say_rejects(&self) {
        for (reason, count) in &self.report.rejects {
            warn!(reason = reason.as_ref(), count, "rejected");
        }
    }
}

/// Makes an object that is not there yet.
pub(crate) fn create(store: &dyn Store, key: &str, bytes: &[u8]) -> Result<(), PipelineError> {
    let mut upload = store.begin(key)?;
    upload
        .write_all(bytes)
        .map_err(|cause| PipelineError::Write {
            key: key.to_owned(),
            cause,
        })?;
    upload.complete().map_err(|error| fenced(store, error))?;
    Ok(())
}
