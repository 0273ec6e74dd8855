//! Recorded writes that change authorization.

use std::sync::LazyLock;

use bumpalo::Bump;
use retrial_cloudtrail::{Json, JsonKind, Record};
use rustc_hash::FxHashMap;

use crate::Outcome;

/// One recorded write that changes authorization.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// What was changed: `identity_policy`, `attachment`, `permissions_boundary`, `trust_policy`, …
    pub kind: &'static str,
    /// The name or ARN of what the policy stands on, as the request gives it.
    pub target: Option<&'a str>,
    /// The managed policy's ARN.
    pub policy_arn: Option<&'a str>,
    /// The inline policy's name.
    pub policy_name: Option<&'a str>,
    /// The policy document, or else the request's parameters as JSON.
    pub document: Option<&'a str>,
}

/// The table is data: `data/changes.tsv`.
const TABLE: &str = include_str!("../data/changes.tsv");

static ROWS: LazyLock<FxHashMap<(&str, &str), Row>> =
    LazyLock::new(|| TABLE.lines().filter_map(read_row).collect());

struct Row {
    kind: &'static str,
    target: &'static str,
    policy: &'static str,
    document: &'static str,
}

/// A row; `None` for a comment. That every other row is one is held by a test.
fn read_row(line: &'static str) -> Option<((&'static str, &'static str), Row)> {
    if line.starts_with('#') {
        return None;
    }
    let mut columns = line.split('\t');
    let key = (columns.next()?, columns.next()?);
    let row = Row {
        kind: columns.next()?,
        target: columns.next()?,
        policy: columns.next()?,
        document: columns.next()?,
    };
    Some((key, row))
}

/// The change that a record is: a listed write that succeeded.
pub(crate) fn change<'a>(
    record: &Record<'a>,
    outcome: Outcome,
    arena: &'a Bump,
) -> Option<Change<'a>> {
    if outcome != Outcome::Succeeded {
        return None;
    }
    let row = ROWS.get(&(record.event_source?, record.event_name?))?;
    let field = |name: &str| record.request_parameters.get(name);
    let policy = (row.policy != "-")
        .then(|| field(row.policy).and_then(Json::as_str))
        .flatten();
    let document = (row.document != "-")
        .then(|| field(row.document))
        .flatten()
        .or(record.request_parameters.object());
    let (policy_arn, policy_name) = if policy.is_some_and(|policy| policy.starts_with("arn:")) {
        (policy, None)
    } else {
        (None, policy)
    };
    Some(Change {
        kind: row.kind,
        target: (row.target != "-")
            .then(|| field(row.target).and_then(Json::as_str))
            .flatten(),
        policy_arn,
        policy_name,
        document: document.map(|json| document_text(json, arena)),
    })
}

/// Documents are JSON inside a string in most requests, and plain JSON in some (`bucketPolicy`).
fn document_text<'a>(json: Json<'a>, arena: &'a Bump) -> &'a str {
    match (json.kind(), json.as_str()) {
        (JsonKind::String, Some(text)) => text,
        _ => arena.alloc_str(&json.to_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_once() {
        let rows = TABLE
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count();
        assert_eq!(ROWS.len(), rows);
    }
}
