//! The table `what_if`: the differing calls of the last change that was tried for a day.
//!
//! Its file is made under a name that nothing has yet, and counts from one swap of the manifest on, which
//! takes the earlier one of the same day out. A crash leaves an object that the manifest does not name, which
//! the next writer removes.

use bumpalo::Bump;
use retrial_replay::{EVALUATOR_VERSION, Grounds, OwnedStatement};
use retrial_storage::{Upload, Version};
use retrial_tables::{DeterminedBy, Table, TableWriter, WhatIfRow, WhatIfs};

use super::changed_call::{ChangedCall, sort};
use super::{Pass, WhatIfReport, WhatIfRun};
use crate::analyze::PipelineError;
use crate::manifest::{Manifest, ManifestFile, fenced};
use crate::output::Output;

/// Rows that are sorted and written together: fewer only at the end.
const ROWS_TOGETHER: usize = 32_768;

/// What the rows stand on, and where they go.
#[derive(Debug, Clone, Copy)]
pub struct WhatIfBasis<'r> {
    /// The snapshot as it is.
    pub snapshot_id: &'r str,
    /// The snapshot with the change laid over it.
    pub changed_snapshot_id: &'r str,
    /// The mapping that the requests stand on.
    pub mapping_version: &'r str,
    /// The day whose folder they go to; `None`: the newest event date of the output.
    pub as_of: Option<&'r str>,
}

/// Replays the calls of an output under both snapshots, and writes those that differ as the table
/// `what_if`, in the place of what it had for the same day.
///
/// # Errors
/// Where a committed file cannot be read, the table cannot be written, or another writer came in between.
pub fn what_if_table(
    run: &WhatIfRun<'_>,
    (manifest, version): (Manifest, Version),
    basis: WhatIfBasis<'_>,
) -> Result<WhatIfReport, PipelineError> {
    let mut output = Output::take_over(run.store, (manifest, Some(version)))?;
    output.clean()?;
    let files = output.files().to_vec();
    let pass = Pass::new(run, &files);
    let newest = pass.replay.files(retrial_tables::Decisions::NAME);
    let newest = newest
        .map(|file| file.event_date.as_str())
        .filter(|date| *date != UNKNOWN)
        .max();
    let as_of = basis.as_of.or(newest).unwrap_or(UNKNOWN).to_owned();
    let number = output.header().next_batch;
    let key = format!(
        "{}/{}={as_of}/{number:06}.parquet",
        WhatIfs::NAME,
        WhatIfs::FOLDER
    );
    let mut file = Rows {
        run,
        basis,
        key: &key,
        waiting: Vec::new(),
        writer: None,
    };
    let mut report = pass.run(&mut |calls| file.take(calls))?;
    let written = file.finish()?;
    report.rows = Some(written.map_or(0, |(rows, _)| rows));
    report.as_of = Some(as_of.clone());
    let listed = written.map(|(rows, bytes)| ManifestFile {
        table: WhatIfs::NAME.to_owned(),
        event_date: as_of.clone(),
        delivery_date: UNKNOWN.to_owned(),
        batch: number,
        tail: false,
        key,
        rows,
        bytes,
        snapshot_ids: vec![basis.snapshot_id.to_owned()],
        mapping_versions: vec![basis.mapping_version.to_owned()],
        evaluator_versions: vec![EVALUATOR_VERSION.to_owned()],
        supersedes: Vec::new(),
        strict: false,
    });
    output.change(|manifest| {
        let is_earlier =
            |file: &ManifestFile| file.table == WhatIfs::NAME && file.event_date == as_of;
        manifest.files.retain(|file| !is_earlier(file));
        manifest.files.extend(listed);
        manifest.header.next_batch = number + 1;
    })?;
    Ok(report)
}

const UNKNOWN: &str = "unknown";

/// The file, begun with its first rows.
struct Rows<'w, 's> {
    run: &'w WhatIfRun<'s>,
    basis: WhatIfBasis<'w>,
    key: &'w str,
    waiting: Vec<ChangedCall>,
    writer: Option<TableWriter<WhatIfs, Box<dyn Upload>>>,
}

impl Rows<'_, '_> {
    fn take(&mut self, calls: Vec<ChangedCall>) -> Result<(), PipelineError> {
        for call in calls {
            self.waiting.push(call);
            if self.waiting.len() == ROWS_TOGETHER {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Writes what waits. It is cut by its number, and not by threads.
    fn write(&mut self) -> Result<(), PipelineError> {
        let mut calls = std::mem::take(&mut self.waiting);
        sort(&mut calls);
        let arena = Bump::new();
        let rows: Vec<WhatIfRow<'_>> = calls
            .iter()
            .map(|call| row(call, self.basis, &arena))
            .collect();
        let rows: Vec<&WhatIfRow<'_>> = rows.iter().collect();
        let failed = |cause| PipelineError::Table {
            key: self.key.to_owned(),
            cause,
        };
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => TableWriter::new(self.run.store.begin(self.key)?).map_err(failed)?,
        };
        writer.write(&rows).map_err(failed)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Its rows and bytes; `None` where there are no rows, and no file.
    fn finish(mut self) -> Result<Option<(u64, u64)>, PipelineError> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        let Some(writer) = self.writer else {
            return Ok(None);
        };
        let written = writer.finish().map_err(|cause| PipelineError::Table {
            key: self.key.to_owned(),
            cause,
        })?;
        let store = self.run.store;
        let bytes = written.output.complete();
        Ok(Some((
            written.rows,
            bytes.map_err(|error| fenced(store, error))?,
        )))
    }
}

fn row<'r>(call: &'r ChangedCall, basis: WhatIfBasis<'r>, arena: &'r Bump) -> WhatIfRow<'r> {
    let grounds = call.grounds.as_deref();
    let texts = |texts: &'r [String]| -> &'r [&'r str] {
        arena.alloc_slice_fill_iter(texts.iter().map(String::as_str))
    };
    let statements = |of: fn(&Grounds) -> &[OwnedStatement]| -> &'r [DeterminedBy<'r>] {
        let statements = grounds.map_or(&[][..], of);
        arena.alloc_slice_fill_iter(statements.iter().map(determined_by))
    };
    let layers = grounds.map_or(&[][..], |grounds| &grounds.unknown_layers);
    let (before, after) = call.answers.unzip();
    let verdict = |answer: Option<super::changed_call::Answer>| {
        answer.map_or("", |answer| answer.verdict.name())
    };
    WhatIfRow {
        event_id: call.event_id.as_deref(),
        event_time: call.event_time,
        account_id: call.account_id.as_deref(),
        region: call.region.as_deref(),
        event_source: call.event_source.as_deref(),
        event_name: call.event_name.as_deref(),
        principal_arn: call.principal_arn.as_deref(),
        session_name: call.session_name.as_deref(),
        caller_account_id: call.caller_account_id.as_deref(),
        action: call.action.as_deref(),
        resource_arn: call.resource_arn.as_deref(),
        outcome: call.outcome.name(),
        effect: call.effect.name(),
        decision_before: before.and_then(|answer| answer.decision),
        decision: after.and_then(|answer| answer.decision),
        verdict_before: verdict(before),
        verdict: verdict(after),
        reason: after
            .and_then(|answer| answer.reason)
            .map(|reason| reason.name()),
        layer: grounds
            .and_then(|grounds| grounds.layer)
            .map(|layer| layer.name()),
        determined_by: statements(|grounds| &grounds.determined_by),
        determined_by_before: statements(|grounds| &grounds.determined_by_before),
        unknown_keys: grounds.map_or(&[], |grounds| texts(&grounds.unknown_keys)),
        unknown_layers: arena.alloc_slice_fill_iter(layers.iter().map(|layer| layer.name())),
        assumes: grounds.map_or(&[], |grounds| texts(&grounds.assumes)),
        copy: call.copy,
        snapshot_id: basis.snapshot_id,
        changed_snapshot_id: basis.changed_snapshot_id,
        log_file: &call.log_file,
        record_index: call.record_index,
    }
}

fn determined_by(statement: &OwnedStatement) -> DeterminedBy<'_> {
    DeterminedBy {
        layer: statement.layer.name(),
        policy: &statement.policy,
        index: statement.index,
        sid: statement.sid.as_deref(),
        effect: statement.effect,
    }
}
