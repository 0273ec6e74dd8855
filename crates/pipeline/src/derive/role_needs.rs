//! The table `role_needs` of a date.
//!
//! # Memory
//! The distinct texts of its rows.

use bumpalo::Bump;
use retrial_replay::{NeedState, RoleNeedFact};
use retrial_tables::{DeterminedBy, RoleNeedRow, RoleNeeds};

use super::pass::Source;
use super::write::{AsOfFile, AsOfWriter, KeptTexts};
use crate::analyze::PipelineError;
use crate::role_needs::{Checking, NeedsOf, role_needs};
use crate::scratch::Scratch;

/// Facts that findings are made of; of more, the table has all.
const MOST_FACTS: usize = 100_000;

/// Checks the needs of the window, and writes the table; gives what is wrong, in its order.
pub(super) fn write(
    source: &Source<'_>,
    scratch: &Scratch,
) -> Result<(AsOfFile, Vec<RoleNeedFact>), PipelineError> {
    let replayer = source.derive.replayer;
    let arena = Bump::new();
    let mut texts = KeptTexts::new(&arena);
    let mut rows = AsOfWriter::<RoleNeeds>::new(scratch)?;
    let checking = Checking {
        catalogue: replayer.catalogue(),
        mapping: replayer.mapping(),
        snapshot: replayer.snapshot(),
    };
    let needs = NeedsOf {
        store: source.store,
        files: source.files,
        end: source.window.end,
    };
    let mut facts = Vec::new();
    role_needs(checking, needs, scratch, &mut |row| {
        if facts.len() < MOST_FACTS {
            facts.extend(fact(row));
        }
        rows.add(kept(row, &mut texts, &arena))
    })?;
    Ok((rows.finish()?, facts))
}

/// What a row says that somebody should act on.
fn fact(row: &RoleNeedRow<'_>) -> Option<RoleNeedFact> {
    let missing = row.state == NeedState::Missing.name();
    if !missing && row.state != NeedState::Excess.name() {
        return None;
    }
    Some(RoleNeedFact {
        role_arn: row.role_arn.to_owned(),
        action: row.action.to_owned(),
        resource_arn: row.resource_arn.to_owned(),
        missing,
        why: row.why.unwrap_or_default().to_owned(),
        jobs: row.jobs,
        first_time: row.first_time,
        last_time: row.last_time,
        event_id: row.event_id.map(str::to_owned),
    })
}

/// A row that lives as long as the writer.
fn kept<'b>(row: &RoleNeedRow<'_>, texts: &mut KeptTexts<'b>, arena: &'b Bump) -> RoleNeedRow<'b> {
    let mut option = |text: Option<&str>| text.map(|text| texts.keep(text));
    let (account_id, reason, mapping) = (
        option(row.account_id),
        option(row.reason),
        option(row.mapping),
    );
    let (decision, layer) = (option(row.decision), option(row.layer));
    let (why, source_field, page) = (option(row.why), option(row.source_field), option(row.page));
    let (event_source, event_name) = (option(row.event_source), option(row.event_name));
    let event_id = option(row.event_id);
    let mut list = |items: &[&str]| -> &'b [&'b str] {
        arena.alloc_slice_fill_iter(items.iter().map(|item| texts.keep(item)))
    };
    let (unknown_keys, unknown_layers) = (list(row.unknown_keys), list(row.unknown_layers));
    let assumes = list(row.assumes);
    let context: Vec<(&'b str, &'b [&'b str])> = row
        .context
        .iter()
        .map(|(key, values)| (&*arena.alloc_str(key), list(values)))
        .collect();
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
        resource_arn: texts.keep(row.resource_arn),
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
        context: arena.alloc_slice_copy(&context),
        why,
        source_field,
        page,
        jobs: row.jobs,
        first_time: row.first_time,
        last_time: row.last_time,
        event_source,
        event_name,
        event_id,
    }
}
