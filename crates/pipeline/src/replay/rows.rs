//! From the rows of a call to its question, and to what a report says of it.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_iam::Scratch;
use retrial_replay::{
    Certainty, Judgement, Memo, Outcome, Reason, RecordedCall, RecordedRequest, SessionKnowledge,
    Verdict,
};
use retrial_tables::{DecisionRow, Decisions, ReadError, Table};

use super::Replay;
use crate::sessions::{Found, Sessions, minute};

/// The columns that a replay reads.
pub(super) const COLUMNS: &[&str] = &[
    "event_id",
    "event_time",
    "event_source",
    "event_name",
    "principal_arn",
    "principal_type",
    "session_name",
    "principal_id",
    "caller_account_id",
    "access_key_id",
    "invoked_by",
    "action",
    "resource_arn",
    "resource_account",
    "required",
    "context",
    "outcome",
    "decision",
    "verdict",
    "reason",
    "mapping",
    "copy",
    "log_file",
    "record_index",
    "spellings",
    "resource_known",
    "hidden_keys",
    "identity_provider",
];

/// Rows of one call, judged: all of them, or those of one batch.
pub(super) struct Seen<'r> {
    pub(super) log_file: &'r str,
    pub(super) record_index: u64,
    pub(super) event_id: &'r str,
    pub(super) principal_arn: &'r str,
    /// Of the first required request whose decision is another now, else of the first required one;
    /// where there is none, the operation.
    pub(super) action: &'r str,
    pub(super) resource_arn: &'r str,
    /// Whether a decision is another now.
    pub(super) differs: bool,
    pub(super) copy: bool,
    pub(super) before: Verdict,
    pub(super) outcome: Outcome,
    pub(super) judgement: Judgement,
}

/// The question that the rows of one call ask; `None` where it is outside the window.
pub(super) fn question<'a, 'x>(
    replay: &Replay<'_>,
    rows: &[DecisionRow<'a>],
    sessions: &'x Sessions,
    arena: &'a Bump,
) -> Result<Option<(RecordedCall<'a>, SessionKnowledge<'x>)>, ReadError> {
    match rows.first() {
        Some(row) if replay.window.has(row.event_time) => {
            question_of(rows, sessions, arena).map(Some)
        }
        _ => Ok(None),
    }
}

/// The question that the rows of one call ask.
pub(crate) fn question_of<'a, 'x>(
    rows: &[DecisionRow<'a>],
    sessions: &'x Sessions,
    arena: &'a Bump,
) -> Result<(RecordedCall<'a>, SessionKnowledge<'x>), ReadError> {
    let none = DecisionRow::default();
    let row = rows.first().unwrap_or(&none);
    let call = call_of(rows, arena)?;
    let session = match call.session_key(row.access_key_id) {
        Some(key) => match sessions.find(key, minute(row.log_file, row.event_time), u32::MAX) {
            Found::Known(session) => SessionKnowledge::Known(session),
            Found::NotYet | Found::Never => SessionKnowledge::NotSeen,
        },
        None => SessionKnowledge::NotSeen,
    };
    Ok((call, session))
}

/// The call that rows are of, whoever's session it was made in.
pub(crate) fn call_of<'a>(
    rows: &[DecisionRow<'a>],
    arena: &'a Bump,
) -> Result<RecordedCall<'a>, ReadError> {
    let none = DecisionRow::default();
    let mut requests = BumpVec::with_capacity_in(rows.len(), arena);
    for row in rows {
        requests.extend(request(row, arena)?);
    }
    call(rows.first().unwrap_or(&none), requests.into_bump_slice())
}

/// Judges the rows of one call; `None` where it is outside the window.
pub(super) fn judge<'a, 's: 'a, 'x>(
    replay: &Replay<'s>,
    rows: &[DecisionRow<'a>],
    (sessions, memo): (&'x Sessions, &mut Memo<'x>),
    (arena, scratch): (&'a Bump, &mut Scratch<'s>),
) -> Result<Option<Seen<'a>>, ReadError> {
    let question = question(replay, rows, sessions, arena)?;
    let (Some((call, session)), Some(row)) = (question, rows.first()) else {
        return Ok(None);
    };
    let judgement = replay
        .replayer
        .judge_recorded(&call, session, memo, (arena, scratch));
    let required = || rows.iter().filter(|row| row.required == Some(true));
    let decisions = judgement.decisions().map(|decision| Some(decision.name()));
    let other = required()
        .zip(decisions.chain(std::iter::repeat(None)))
        .find(|(row, decision)| row.decision != *decision)
        .map(|(row, _)| row);
    let shown = other.or_else(|| required().next()).unwrap_or(row);
    Ok(Some(Seen {
        log_file: row.log_file,
        record_index: row.record_index,
        event_id: row.event_id.unwrap_or_default(),
        principal_arn: row.principal_arn.unwrap_or_default(),
        action: shown.action.or(row.event_name).unwrap_or_default(),
        resource_arn: shown.resource_arn.unwrap_or_default(),
        differs: other.is_some(),
        copy: row.copy,
        before: known(Verdict::of_name(row.verdict), "verdict", row.verdict)?,
        outcome: call.outcome,
        judgement,
    }))
}

fn call<'a>(
    row: &DecisionRow<'a>,
    requests: &'a [RecordedRequest<'a>],
) -> Result<RecordedCall<'a>, ReadError> {
    Ok(RecordedCall {
        principal_arn: row.principal_arn,
        principal_type: row.principal_type,
        session_name: row.session_name,
        principal_id: row.principal_id,
        caller_account_id: row.caller_account_id,
        invoked_by: row.invoked_by,
        identity_provider: row.identity_provider,
        event_source: row.event_source,
        event_name: row.event_name,
        outcome: known(Outcome::of_name(row.outcome), "outcome", row.outcome)?,
        reason: match row.reason {
            Some(name) => Some(known(Reason::of_name(name), "reason", name)?),
            None => None,
        },
        requests,
    })
}

/// The request of a row; `None` where it has none.
fn request<'a>(
    row: &DecisionRow<'a>,
    arena: &'a Bump,
) -> Result<Option<RecordedRequest<'a>>, ReadError> {
    let Some(action) = row.action else {
        return Ok(None);
    };
    let resource_arn = row.resource_arn.unwrap_or("*");
    let mapping = row.mapping.unwrap_or_default();
    Ok(Some(RecordedRequest {
        action,
        resource_arn,
        // Before the column was there, nothing told a name with a `*` in it from one half known.
        resource_known: row
            .resource_known
            .unwrap_or_else(|| !resource_arn.contains('*')),
        spellings: row.spellings,
        resource_account: row.resource_account,
        required: row.required == Some(true),
        mapping: known(Certainty::of_name(mapping), "mapping", mapping)?,
        context: row.context.in_pairs(arena),
        hidden_keys: row.hidden_keys,
    }))
}

/// What a name stands for: a table of ours has no other names, unless a later version wrote it.
pub(crate) fn known<T>(found: Option<T>, column: &str, name: &str) -> Result<T, ReadError> {
    found.ok_or_else(|| ReadError::Damaged {
        table: Decisions::NAME,
        cause: format!("the {column} `{}` is not known", name.escape_debug()).into(),
    })
}
