//! `role_needs`: the distinct needs of the window, checked against the policies of now.
//!
//! First it is read which model has which role, for the jobs that name a model in place of a role; then
//! all committed `needs`. Each distinct need is checked once, role by role
//! ([`retrial_replay::RoleCheck`] has the rules).
//!
//! # Memory
//! The models that jobs name in place of a role, up to [`MAX_MODELS`]; [`distinct`]; and of one role what
//! it is granted.

mod distinct;
mod spilled;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{Catalogue, Snapshot, StatementRef};
use retrial_replay::{
    AskedNeed, Certainty, CheckedNeed, ExcessGrant, Mapping, NeedState, PermissionUses, RoleCheck,
};
use retrial_storage::Store;
use retrial_tables::{DeterminedBy, NeedRow, Needs, RoleNeedRow, Table, TextListMap};

use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::scratch::Scratch;
use crate::stored_file::StoredFile;
use distinct::{Asked, DistinctNeed, DistinctNeeds};

/// Models whose role is looked for; the jobs of any further ones stay without a role.
const MAX_MODELS: usize = 100_000;

/// What roles are checked with.
#[derive(Clone, Copy)]
pub(crate) struct Checking<'s> {
    /// The catalogue of actions.
    pub(crate) catalogue: &'s Catalogue,
    /// The mapping, which has the needs.
    pub(crate) mapping: &'s Mapping,
    /// The policies of now.
    pub(crate) snapshot: &'s Snapshot,
    /// What the calls of the window used, where that was gathered.
    pub(crate) uses: Option<&'s PermissionUses<'s>>,
}

/// The needs to be checked.
#[derive(Clone, Copy)]
pub(crate) struct NeedsOf<'s> {
    /// Where the output is.
    pub(crate) store: &'s dyn Store,
    /// Its committed files.
    pub(crate) files: &'s [ManifestFile],
    /// Only jobs before this time, in microseconds since the epoch.
    pub(crate) end: i64,
}

/// Receives the rows of the table, in its order.
pub(crate) type EachRow<'e> = &'e mut dyn FnMut(&RoleNeedRow<'_>) -> Result<(), PipelineError>;

/// The role that a model has, and when it was made.
type ModelRole = (Option<i64>, String);

/// Checks all needs, and gives the rows of the table `role_needs`.
///
/// # Errors
/// Where a committed file cannot be read, or the scratch folder cannot be used; and whatever `each` gives.
pub(crate) fn role_needs(
    checking: Checking<'_>,
    needs: NeedsOf<'_>,
    scratch: &Scratch,
    each: EachRow<'_>,
) -> Result<(), PipelineError> {
    let models = needs.models()?;
    let mut distinct = DistinctNeeds::new(scratch);
    needs.each(None, &mut |row| {
        let known = row.role_of.filter(|_| !is_told(row.role_arn));
        let role = known.and_then(|model| models.get(model)?.as_ref());
        let role_arn = role.map_or(row.role_arn, |(_, role)| role);
        distinct.add(row, role_arn)
    })?;
    let mut of_role: Option<Checked<'_>> = None;
    distinct.finish(|need| {
        let (asked, _) = &need;
        if !of_role.as_ref().is_some_and(|role| role.is_of(asked)) {
            if let Some(done) = of_role.take() {
                done.finish(&mut *each)?;
            }
            of_role = Some(Checked::new(checking, asked));
        }
        match &mut of_role {
            Some(role) => role.need(need, &mut *each),
            None => Ok(()),
        }
    })?;
    of_role.map_or(Ok(()), |done| done.finish(each))
}

/// Whether a request names the role.
fn is_told(role_arn: &str) -> bool {
    !role_arn.contains('*')
}

impl NeedsOf<'_> {
    /// The roles of the models that jobs name in place of a role: the one that the last request to make
    /// a model of that name passed.
    fn models(&self) -> Result<BTreeMap<String, Option<ModelRole>>, PipelineError> {
        let columns: &[&str] = &["event_time", "role_arn", "role_of"];
        let mut named: BTreeSet<String> = BTreeSet::new();
        self.each(Some(columns), &mut |row| {
            if let Some(model) = row.role_of.filter(|_| !is_told(row.role_arn))
                && named.len() < MAX_MODELS
                && !named.contains(model)
            {
                named.insert(model.to_owned());
            }
            Ok(())
        })?;
        let mut models: BTreeMap<String, Option<ModelRole>> =
            named.into_iter().map(|model| (model, None)).collect();
        if models.is_empty() {
            return Ok(models);
        }
        self.each(Some(columns), &mut |row| {
            let of = row.role_of.filter(|_| is_told(row.role_arn));
            if let Some(known) = of.and_then(|model| models.get_mut(model)) {
                let found = (row.event_time, row.role_arn);
                let before = known.as_ref().map(|(time, role)| (*time, role.as_str()));
                if before.is_none_or(|before| before < found) {
                    *known = Some((row.event_time, row.role_arn.to_owned()));
                }
            }
            Ok(())
        })?;
        Ok(models)
    }

    /// Gives the rows of `needs` that count, file by file.
    fn each(
        &self,
        columns: Option<&[&str]>,
        look: &mut dyn FnMut(&NeedRow<'_>) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let all: Vec<&str> = Needs::COLUMNS.iter().map(|column| column.name()).collect();
        let superseded: BTreeSet<&str> = self
            .files
            .iter()
            .flat_map(|file| file.supersedes.iter().map(String::as_str))
            .collect();
        let counts =
            |file: &&ManifestFile| file.table == Needs::NAME && !superseded.contains(&*file.key);
        for file in self.files.iter().filter(counts) {
            let failed = |cause| PipelineError::Read {
                key: file.key.clone(),
                cause,
            };
            let stored = StoredFile {
                store: self.store,
                key: &file.key,
                bytes: file.bytes,
            };
            let reader = stored.table::<Needs>(columns.unwrap_or(&all))?;
            for row_group in 0..reader.row_groups() {
                for batch in reader.batches(row_group).map_err(failed)? {
                    batch.map_err(failed)?.with_rows(|rows| {
                        let mut in_window = rows
                            .iter()
                            .filter(|row| row.event_time.is_none_or(|time| time < self.end));
                        in_window.try_for_each(&mut *look)
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// One role at work.
struct Checked<'s> {
    account_id: Option<String>,
    role_arn: String,
    check: RoleCheck<'s>,
    /// The kinds of jobs that the check was told of: most needs are of the same few.
    ran: BTreeSet<String>,
    uses: Option<&'s PermissionUses<'s>>,
}

impl<'s> Checked<'s> {
    fn new(checking: Checking<'s>, asked: &Asked) -> Self {
        let knowledge = (checking.catalogue, checking.mapping);
        Self {
            account_id: asked.account_id.clone(),
            role_arn: asked.role_arn.clone(),
            check: RoleCheck::new(knowledge, checking.snapshot, &asked.role_arn),
            ran: BTreeSet::new(),
            uses: checking.uses,
        }
    }

    fn is_of(&self, asked: &Asked) -> bool {
        self.account_id == asked.account_id && self.role_arn == asked.role_arn
    }

    fn need(
        &mut self,
        (asked, sums): DistinctNeed,
        each: EachRow<'_>,
    ) -> Result<(), PipelineError> {
        for event_name in &sums.event_names {
            if !self.ran.contains(event_name) {
                self.check.ran(event_name);
                self.ran.insert(event_name.clone());
            }
        }
        let spellings: Vec<&str> = asked.spellings.iter().map(String::as_str).collect();
        let context: Vec<(&str, Vec<&str>)> = asked
            .context
            .iter()
            .map(|(key, values)| (key.as_str(), values.iter().map(String::as_str).collect()))
            .collect();
        let context: Vec<(&str, &[&str])> = context
            .iter()
            .map(|(key, values)| (*key, values.as_slice()))
            .collect();
        let mapping = sums.mapping.as_deref();
        let checked = self.check.check(&AskedNeed {
            action: &asked.action,
            resource_arn: &asked.resource_arn,
            resource_known: asked.resource_known,
            spellings: &spellings,
            required: sums.required,
            certainty: mapping
                .and_then(Certainty::of_name)
                .unwrap_or(Certainty::Guessed),
            context: &context,
        });
        let row = RoleNeedRow {
            resource_known: asked.resource_known,
            required: Some(sums.required),
            mapping,
            context: TextListMap::Pairs(&context),
            why: Some(&sums.first.why),
            source_field: sums.first.source_field.as_deref(),
            page: Some(&sums.first.page),
            jobs: sums.jobs,
            first_time: sums.first.time,
            last_time: sums.last_time,
            event_source: sums.first.event_source.as_deref(),
            event_name: sums.first.event_name.as_deref(),
            event_id: sums.first.event_id.as_deref(),
            ..self.row(&asked.action, &asked.resource_arn)
        };
        with_answer(row, &checked, each)
    }

    fn finish(self, each: EachRow<'_>) -> Result<(), PipelineError> {
        let Self {
            account_id,
            role_arn,
            check,
            uses,
            ..
        } = self;
        for grant in check.finish() {
            let ExcessGrant {
                action,
                resource,
                decision,
                granted_by,
                alone,
            } = grant;
            let used = uses.and_then(|uses| uses.of_statement(&role_arn, &granted_by, action));
            let row = RoleNeedRow {
                account_id: account_id.as_deref(),
                role_arn: &role_arn,
                action,
                resource_arn: resource,
                resource_known: !resource.contains(['*', '?', '$']),
                state: NeedState::Excess.name(),
                decision: Some(decision.name()),
                determined_by: &[shown(&granted_by)],
                ..RoleNeedRow::default()
            };
            each(&match used {
                // What the role's own calls use is needed, whatever no request tells of it.
                Some(used) if alone => RoleNeedRow {
                    state: NeedState::Present.name(),
                    reason: Some("observed"),
                    why: Some("its own calls used it"),
                    first_time: used.first_time,
                    last_time: used.last_time,
                    ..row
                },
                Some(_) => RoleNeedRow {
                    reason: Some("used_in_part"),
                    ..row
                },
                None => row,
            })?;
        }
        Ok(())
    }

    fn row<'r>(&'r self, action: &'r str, resource_arn: &'r str) -> RoleNeedRow<'r> {
        RoleNeedRow {
            account_id: self.account_id.as_deref(),
            role_arn: &self.role_arn,
            action,
            resource_arn,
            ..RoleNeedRow::default()
        }
    }
}

/// The row with what came of the need.
fn with_answer(
    row: RoleNeedRow<'_>,
    checked: &CheckedNeed<'_>,
    each: EachRow<'_>,
) -> Result<(), PipelineError> {
    let determined_by: Vec<DeterminedBy<'_>> = checked.determined_by.iter().map(shown).collect();
    let unknown_layers: Vec<&str> = checked
        .unknown_layers
        .iter()
        .map(|layer| layer.name())
        .collect();
    let assumes: Vec<String> = checked.assumes.iter().map(ToString::to_string).collect();
    let assumes: Vec<&str> = assumes.iter().map(String::as_str).collect();
    each(&RoleNeedRow {
        state: checked.state.name(),
        reason: checked.doubt.map(|doubt| doubt.name()),
        decision: checked.decision.map(|decision| decision.name()),
        layer: checked.layer.map(|layer| layer.name()),
        determined_by: &determined_by,
        unknown_keys: &checked.unknown_keys,
        unknown_layers: &unknown_layers,
        assumes: &assumes,
        ..row
    })
}

fn shown<'s>(statement: &StatementRef<'s>) -> DeterminedBy<'s> {
    DeterminedBy {
        layer: statement.layer.name(),
        policy: statement.policy,
        index: statement.index,
        sid: statement.sid,
        effect: statement.effect.name(),
    }
}
