//! `what_if`: the calls that a proposed change of policies decides otherwise.

use crate::column::{Column, DeterminedBy, column};
use crate::table::Table;

/// The table `what_if`.
#[derive(Debug, Clone, Copy)]
pub struct WhatIfs;

/// A row of [`WhatIfs`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct WhatIfRow<'a> {
    pub event_id: Option<&'a str>,
    pub event_time: Option<i64>,
    pub account_id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub event_source: Option<&'a str>,
    pub event_name: Option<&'a str>,
    pub principal_arn: Option<&'a str>,
    pub session_name: Option<&'a str>,
    pub caller_account_id: Option<&'a str>,
    pub action: Option<&'a str>,
    pub resource_arn: Option<&'a str>,
    pub outcome: &'a str,
    pub effect: &'a str,
    pub decision_before: Option<&'a str>,
    pub decision: Option<&'a str>,
    pub verdict_before: &'a str,
    pub verdict: &'a str,
    pub reason: Option<&'a str>,
    pub layer: Option<&'a str>,
    pub determined_by: &'a [DeterminedBy<'a>],
    pub determined_by_before: &'a [DeterminedBy<'a>],
    pub unknown_keys: &'a [&'a str],
    pub unknown_layers: &'a [&'a str],
    pub assumes: &'a [&'a str],
    pub copy: bool,
    pub snapshot_id: &'a str,
    pub changed_snapshot_id: &'a str,
    pub log_file: &'a str,
    pub record_index: u64,
}

impl Table for WhatIfs {
    type Row<'r> = WhatIfRow<'r>;
    const NAME: &'static str = "what_if";
    const DOC: &'static str = "One call whose decision or verdict is another with a proposed change of \
        policies, by `retrial what-if`: the last change that was tried for the day. Decisions of both sides are made anew, \
        and need not be those of `decisions`.";
    const FOLDER: &'static str = "as_of";
    const SORTED_BY: &'static [&'static str] = &["account_id", "principal_arn", "event_time"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            optional_unique_text,
            event_id,
            "CloudTrail's `eventID`: the call, together with `account_id`"
        ),
        column!(
            optional_timestamp,
            event_time,
            "when the call was made (`eventTime`)"
        ),
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded the call (`recipientAccountId`)"
        ),
        column!(optional_text, region, "`awsRegion`"),
        column!(optional_text, event_source, "`eventSource`"),
        column!(optional_text, event_name, "`eventName`"),
        column!(
            optional_text,
            principal_arn,
            "the user, role or root whose policies count; for a session its role"
        ),
        column!(
            optional_text,
            session_name,
            "the role session name; null without a session"
        ),
        column!(
            optional_text,
            caller_account_id,
            "the caller's account (`userIdentity.accountId`)"
        ),
        column!(
            optional_text,
            action,
            "the action that is decided otherwise; of several the worst, then the first"
        ),
        column!(
            optional_text,
            resource_arn,
            "the resource that it is asked for, or `*`"
        ),
        column!(
            text,
            outcome,
            "what AWS recorded: `succeeded`, `denied`, `failed_after_authorization`, `failed`"
        ),
        column!(
            text,
            effect,
            "`newly_denied`, `newly_allowed`, `newly_undetermined`, `no_longer_evaluated`, \
             `no_longer_denied`, `other`"
        ),
        column!(
            optional_text,
            decision_before,
            "the call's decision under the snapshot as it is"
        ),
        column!(
            optional_text,
            decision,
            "the call's decision with the change"
        ),
        column!(
            text,
            verdict_before,
            "the call's verdict under the snapshot as it is"
        ),
        column!(text, verdict, "the call's verdict with the change"),
        column!(
            optional_text,
            reason,
            "why it is undetermined or not evaluated with the change"
        ),
        column!(
            optional_text,
            layer,
            "the layer that blocks the action with the change; null where none does"
        ),
        column!(
            determined_by,
            determined_by,
            "the statements that determine the action's decision with the change"
        ),
        column!(
            determined_by,
            determined_by_before,
            "the statements that determine it under the snapshot as it is"
        ),
        column!(
            text_list,
            unknown_keys,
            "the condition keys that could turn an undetermined decision"
        ),
        column!(
            text_list,
            unknown_layers,
            "the layers that were not collected and could"
        ),
        column!(
            text_list,
            assumes,
            "what an `allowed` with the change takes for granted without having seen it"
        ),
        column!(
            boolean,
            copy,
            "whether the record is the resource owner's copy of another account's call"
        ),
        column!(text, snapshot_id, "the snapshot as it is"),
        column!(
            text,
            changed_snapshot_id,
            "the snapshot with the change laid over it"
        ),
        column!(
            text,
            log_file,
            "the log file that has the record, relative to the source's root"
        ),
        column!(
            integer,
            record_index,
            "the record's index in that file, from 0"
        ),
    ];
}
