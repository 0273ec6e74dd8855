//! Rows of calls: kept over the edge of a batch, and taken for what is found today where they stand on the
//! snapshot of now.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_iam::{Decision, Effect, Layer, StatementRef};
use retrial_replay::{Assumptions, CallRequest, Reason, RecordedRequest, Replayed, Verdict};
use retrial_tables::{DecisionRow, DeterminedBy, ReadError, TextListMap};

use crate::replay::known;

/// What of a decision's row is needed where it is not decided again.
pub(super) const COLUMNS: &[&str] = &[
    "event_id",
    "event_time",
    "account_id",
    "region",
    "event_source",
    "event_name",
    "principal_arn",
    "principal_type",
    "session_name",
    "principal_id",
    "caller_account_id",
    "access_key_id",
    "source_ip",
    "invoked_by",
    "error_code",
    "denied_action",
    "denied_layer",
    "action",
    "resource_arn",
    "resource_account",
    "required",
    "outcome",
    "decision",
    "call_decision",
    "verdict",
    "reason",
    "mapping",
    "layer",
    "determined_by",
    "unknown_keys",
    "assumes",
    "copy",
    "log_file",
    "record_index",
    "unknown_layers",
    "resource_known",
    "identity_provider",
    "spellings",
];

/// What of them [`super::Evidence`] is made of. The others cost a fifth of reading all.
pub(super) const COLUMNS_OF_EVIDENCE: &[&str] = &[
    "event_id",
    "event_time",
    "account_id",
    "event_source",
    "event_name",
    "principal_arn",
    "caller_account_id",
    "invoked_by",
    "denied_action",
    "action",
    "resource_arn",
    "resource_account",
    "required",
    "outcome",
    "decision",
    "call_decision",
    "verdict",
    "reason",
    "mapping",
    "layer",
    "determined_by",
    "unknown_keys",
    "assumes",
    "copy",
    "log_file",
    "record_index",
    "unknown_layers",
    "resource_known",
    "identity_provider",
];

/// What is needed besides where it is.
pub(super) const COLUMNS_OF_A_REPLAY: &[&str] = &["context", "hidden_keys"];

/// A copy of a row, which outlives the batch that it was read in.
pub(super) fn kept<'k>(row: &DecisionRow<'_>, arena: &'k Bump) -> DecisionRow<'k> {
    let text = |text: &str| -> &'k str { arena.alloc_str(text) };
    let option = |value: Option<&str>| value.map(text);
    let list = |values: &[&str]| -> &'k [&'k str] {
        arena.alloc_slice_fill_iter(values.iter().map(|value| text(value)))
    };
    let context = row
        .context
        .iter()
        .map(|(key, values)| (text(key), list(values)));
    let determined_by = row.determined_by.iter().map(|statement| DeterminedBy {
        layer: text(statement.layer),
        policy: text(statement.policy),
        index: statement.index,
        sid: option(statement.sid),
        effect: text(statement.effect),
    });
    DecisionRow {
        event_id: option(row.event_id),
        event_time: row.event_time,
        account_id: option(row.account_id),
        region: option(row.region),
        event_source: option(row.event_source),
        event_name: option(row.event_name),
        principal_arn: option(row.principal_arn),
        principal_type: option(row.principal_type),
        session_name: option(row.session_name),
        principal_id: option(row.principal_id),
        caller_account_id: option(row.caller_account_id),
        access_key_id: option(row.access_key_id),
        source_ip: option(row.source_ip),
        invoked_by: option(row.invoked_by),
        error_code: option(row.error_code),
        denied_action: option(row.denied_action),
        denied_resource: option(row.denied_resource),
        denied_layer: option(row.denied_layer),
        action: option(row.action),
        resource_arn: option(row.resource_arn),
        resource_account: option(row.resource_account),
        required: row.required,
        context: TextListMap::Pairs(arena.alloc_slice_fill_iter(context)),
        session_policy_id: option(row.session_policy_id),
        outcome: text(row.outcome),
        decision: option(row.decision),
        call_decision: option(row.call_decision),
        verdict: text(row.verdict),
        reason: option(row.reason),
        mapping: option(row.mapping),
        layer: option(row.layer),
        determined_by: arena.alloc_slice_fill_iter(determined_by),
        unknown_keys: list(row.unknown_keys),
        assumes: list(row.assumes),
        copy: row.copy,
        snapshot_id: text(row.snapshot_id),
        mapping_version: text(row.mapping_version),
        log_file: text(row.log_file),
        record_index: row.record_index,
        unknown_layers: list(row.unknown_layers),
        spellings: list(row.spellings),
        resource_known: row.resource_known,
        conflict: row.conflict,
        amends: option(row.amends),
        hidden_keys: list(row.hidden_keys),
        identity_provider: option(row.identity_provider),
    }
}

/// A call as its rows say that it was decided.
pub(super) fn replayed<'a>(
    rows: &[DecisionRow<'a>],
    requests: &[RecordedRequest<'a>],
    arena: &'a Bump,
) -> Result<Replayed<'a>, ReadError> {
    let mut decided = BumpVec::with_capacity_in(requests.len(), arena);
    let with_action = rows.iter().filter(|row| row.action.is_some());
    for (row, request) in with_action.zip(requests) {
        decided.push(decided_request(row, request, arena)?);
    }
    let first = rows.first().copied().unwrap_or_default();
    Ok(Replayed {
        requests: decided.into_bump_slice(),
        decision: optional(first.call_decision, Decision::of_name, "call_decision")?,
        verdict: known(Verdict::of_name(first.verdict), "verdict", first.verdict)?,
        reason: optional(first.reason, Reason::of_name, "reason")?,
    })
}

fn decided_request<'a>(
    row: &DecisionRow<'a>,
    request: &RecordedRequest<'a>,
    arena: &'a Bump,
) -> Result<CallRequest<'a>, ReadError> {
    let mut determined_by = BumpVec::with_capacity_in(row.determined_by.len(), arena);
    for statement in row.determined_by {
        determined_by.push(StatementRef {
            layer: known(Layer::of_name(statement.layer), "layer", statement.layer)?,
            policy: statement.policy,
            index: statement.index,
            sid: statement.sid,
            effect: match statement.effect {
                "Allow" => Effect::Allow,
                "Deny" => Effect::Deny,
                other => known(None, "effect", other)?,
            },
        });
    }
    let mut unknown_layers = BumpVec::with_capacity_in(row.unknown_layers.len(), arena);
    for layer in row.unknown_layers {
        unknown_layers.push(known(Layer::of_name(layer), "layer", layer)?);
    }
    Ok(CallRequest {
        action: request.action,
        resource_arn: request.resource_arn,
        resource_known: request.resource_known,
        spellings: request.spellings,
        resource_account: request.resource_account,
        required: request.required,
        certainty: request.mapping,
        context: request.context,
        context_is_whole: true,
        hidden_keys: request.hidden_keys,
        decision: optional(row.decision, Decision::of_name, "decision")?,
        reason: optional(row.reason, Reason::of_name, "reason")?,
        layer: optional(row.layer, Layer::of_name, "layer")?,
        determined_by: determined_by.into_bump_slice(),
        unknown_keys: row.unknown_keys,
        unknown_layers: unknown_layers.into_bump_slice(),
        assumes: row.assumes,
    })
}

fn optional<T>(
    name: Option<&str>,
    of_name: fn(&str) -> Option<T>,
    column: &str,
) -> Result<Option<T>, ReadError> {
    name.map(|name| known(of_name(name), column, name))
        .transpose()
}

/// Whether an allow that assumes anything is none.
pub(super) fn is_strict(assumptions: Assumptions) -> bool {
    assumptions == Assumptions::Refused
}
