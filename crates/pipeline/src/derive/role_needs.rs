//! The table `role_needs` of a date.
//!
//! # Memory
//! Names of roles, actions and policies; a row group; and what findings show of what is wrong.

use std::collections::BTreeSet;

use bumpalo::Bump;
use retrial_replay::{NeedState, PermissionUses, RoleNeedEvidence, RoleNeedFact, RoleNeedProblem};
use retrial_tables::{DeterminedBy, RoleNeedRow, RoleNeeds, TextListMap};

use super::pass::Source;
use super::write::{AsOfFile, AsOfWriter, KeptTexts};
use crate::analyze::PipelineError;
use crate::role_needs::{Checking, NeedsOf, role_needs};
use crate::scratch::Scratch;

/// Rows that are written together: what is kept of a row is far more than of a permission.
const ROWS_TOGETHER: usize = 1 << 14;

/// Checks the needs of the window, and writes the table; gives what is wrong.
pub(super) fn write(
    source: &Source<'_>,
    uses: &PermissionUses<'_>,
    scratch: &Scratch,
) -> Result<(AsOfFile, RoleNeedEvidence), PipelineError> {
    let replayer = source.derive.replayer;
    let arena = Bump::new();
    let mut texts = KeptTexts::new(&arena);
    let mut writer = AsOfWriter::<RoleNeeds>::new(scratch)?;
    let checking = Checking {
        catalogue: replayer.catalogue(),
        mapping: replayer.mapping(),
        snapshot: replayer.snapshot(),
        uses: Some(uses),
    };
    let needs = NeedsOf {
        store: source.store,
        files: source.files,
        end: source.window.end,
    };
    let mut evidence = RoleNeedEvidence::default();
    let mut asked = AskedFor::default();
    let mut waiting = Vec::with_capacity(ROWS_TOGETHER);
    role_needs(checking, needs, scratch, &mut |row| {
        asked.see(row);
        if let Some(fact) = asked.fact(row) {
            evidence.add(&fact);
        }
        waiting.push(KeptRow::new(row, &mut texts, &arena));
        if waiting.len() == ROWS_TOGETHER {
            write_rows(&mut waiting, &mut writer)?;
        }
        Ok(())
    })?;
    write_rows(&mut waiting, &mut writer)?;
    Ok((writer.finish()?, evidence))
}

/// What the jobs of the role that is at work ask for: its needs come first, then what it has in excess.
#[derive(Default)]
struct AskedFor {
    role: (Option<String>, String),
    actions: BTreeSet<String>,
}

impl AskedFor {
    fn see(&mut self, row: &RoleNeedRow<'_>) {
        let (account, role) = &self.role;
        if (account.as_deref(), role.as_str()) != (row.account_id, row.role_arn) {
            self.role = (row.account_id.map(str::to_owned), row.role_arn.to_owned());
            self.actions.clear();
        }
        if row.required.is_some() && !self.actions.contains(row.action) {
            self.actions.insert(row.action.to_owned());
        }
    }

    /// What a row says that somebody should act on. What a statement grants in excess, and what it is used for, are
    /// perhaps the same: that is not told.
    fn fact<'r>(&self, row: &RoleNeedRow<'r>) -> Option<RoleNeedFact<'r>> {
        let is_asked = self.actions.contains(row.action);
        let problem = match row.state {
            state if state == NeedState::Missing.name() => RoleNeedProblem::Missing,
            state if state != NeedState::Excess.name() || row.reason.is_some() => return None,
            _ if is_asked => RoleNeedProblem::Wider,
            _ => RoleNeedProblem::Unasked,
        };
        Some(RoleNeedFact {
            account_id: row.account_id,
            role_arn: row.role_arn,
            action: row.action,
            resource_arn: row.resource_arn,
            problem,
            why: row.why.unwrap_or_default(),
            jobs: row.jobs,
            first_time: row.first_time,
            last_time: row.last_time,
            event_id: row.event_id,
        })
    }
}

fn write_rows(
    waiting: &mut Vec<KeptRow<'_>>,
    writer: &mut AsOfWriter<'_, RoleNeeds>,
) -> Result<(), PipelineError> {
    let arena = Bump::new();
    let rows: Vec<RoleNeedRow<'_>> = waiting.iter().map(|kept| kept.row(&arena)).collect();
    let rows: Vec<&RoleNeedRow<'_>> = rows.iter().collect();
    writer.write_rows(&rows)?;
    waiting.clear();
    Ok(())
}

/// A row that waits: texts that many rows have are kept once, its own with it.
struct KeptRow<'b> {
    shared: RoleNeedRow<'b>,
    resource_arn: Box<str>,
    why: Option<Box<str>>,
    event_id: Option<Box<str>>,
    context: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl<'b> KeptRow<'b> {
    fn new(row: &RoleNeedRow<'_>, texts: &mut KeptTexts<'b>, arena: &'b Bump) -> Self {
        let context = row.context.iter();
        Self {
            shared: shared(row, texts, arena),
            resource_arn: row.resource_arn.into(),
            why: row.why.map(Box::from),
            event_id: row.event_id.map(Box::from),
            context: context
                .map(|(key, values)| {
                    let values = values.iter().map(|value| Box::from(*value));
                    (Box::from(key), values.collect())
                })
                .collect(),
        }
    }

    fn row<'r>(&'r self, arena: &'r Bump) -> RoleNeedRow<'r> {
        let context = self.context.iter().map(|(key, values)| {
            let values = values.iter().map(|value| &**value);
            let values: Vec<&str> = values.collect();
            (&**key, &*arena.alloc_slice_copy(&values))
        });
        let context: Vec<(&str, &[&str])> = context.collect();
        RoleNeedRow {
            resource_arn: &self.resource_arn,
            why: self.why.as_deref(),
            event_id: self.event_id.as_deref(),
            context: TextListMap::Pairs(arena.alloc_slice_copy(&context)),
            ..self.shared
        }
    }
}

/// What a row has in common with many others.
fn shared<'b>(
    row: &RoleNeedRow<'_>,
    texts: &mut KeptTexts<'b>,
    arena: &'b Bump,
) -> RoleNeedRow<'b> {
    let mut option = |text: Option<&str>| text.map(|text| texts.keep(text));
    let (account_id, reason, mapping) = (
        option(row.account_id),
        option(row.reason),
        option(row.mapping),
    );
    let (decision, layer) = (option(row.decision), option(row.layer));
    let (source_field, page) = (option(row.source_field), option(row.page));
    let (event_source, event_name) = (option(row.event_source), option(row.event_name));
    let mut list = |items: &[&str]| -> &'b [&'b str] {
        arena.alloc_slice_fill_iter(items.iter().map(|item| texts.keep(item)))
    };
    let (unknown_keys, unknown_layers) = (list(row.unknown_keys), list(row.unknown_layers));
    let assumes = list(row.assumes);
    let determined_by: Vec<DeterminedBy<'b>> = row
        .determined_by
        .iter()
        .map(|statement| DeterminedBy {
            layer: texts.keep(statement.layer),
            policy: texts.keep(statement.policy),
            index: statement.index,
            sid: statement.sid.map(|sid| texts.keep(sid)),
            effect: texts.keep(statement.effect),
        })
        .collect();
    RoleNeedRow {
        account_id,
        role_arn: texts.keep(row.role_arn),
        action: texts.keep(row.action),
        resource_arn: "",
        resource_known: row.resource_known,
        state: texts.keep(row.state),
        reason,
        required: row.required,
        mapping,
        decision,
        layer,
        determined_by: arena.alloc_slice_copy(&determined_by),
        unknown_keys,
        unknown_layers,
        assumes,
        context: TextListMap::default(),
        why: None,
        source_field,
        page,
        jobs: row.jobs,
        first_time: row.first_time,
        last_time: row.last_time,
        event_source,
        event_name,
        event_id: None,
    }
}
