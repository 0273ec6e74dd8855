//! `permissions`: what each statement of each attached policy allows, and whether it is used; and
//! `action_sets`, the actions that a row of it stands for.

use crate::column::{Column, column};
use crate::table::Table;

/// The table `permissions`.
#[derive(Debug, Clone, Copy)]
pub struct Permissions;

/// A literal, so that the documentation can hold it too.
macro_rules! sql {
    () => {
        "\
SELECT p.* EXCLUDE (action, actions, action_set), coalesce(p.action, s.action) AS action
FROM permissions p
LEFT JOIN action_sets s ON s.as_of = p.as_of AND s.action_set = p.action_set
WHERE p.action IS NOT NULL OR p.action_set IS NULL
   OR NOT EXISTS (FROM permissions o
                  WHERE o.as_of = p.as_of AND o.action = s.action
                    AND o.principal_arn = p.principal_arn AND o.policy = p.policy
                    AND o.group_arn IS NOT DISTINCT FROM p.group_arn
                    AND o.statement_index = p.statement_index)"
    };
}

impl Permissions {
    /// A row for every action, for DuckDB: wildcards are expanded by the table `action_sets`.
    pub const EXPANDED_SQL: &'static str = sql!();
}

/// A row of [`Permissions`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct PermissionRow<'a> {
    pub account_id: &'a str,
    pub principal_arn: &'a str,
    pub principal_type: &'a str,
    pub policy: &'a str,
    pub attachment: &'a str,
    pub group_arn: Option<&'a str>,
    pub statement_index: Option<u64>,
    pub sid: Option<&'a str>,
    pub service: Option<&'a str>,
    pub action: Option<&'a str>,
    pub actions: u64,
    pub action_set: Option<&'a str>,
    pub state: &'a str,
    pub reason: Option<&'a str>,
    pub calls: u64,
    pub first_time: Option<i64>,
    pub last_time: Option<i64>,
    pub days: u64,
    pub window_begin: Option<i64>,
    pub window_end: Option<i64>,
    pub window_days: u64,
}

impl Table for Permissions {
    type Row<'r> = PermissionRow<'r>;
    const NAME: &'static str = "permissions";
    const DOC: &'static str = concat!(
        "What each `Allow` statement of each attached policy (inline, managed, of groups) allows each \
         user and role, under the snapshot of now, and whether the calls of the window used it. An \
         action that the statement spells out, or that there is evidence of, has a row; for the rest \
         of a wildcard there is one row per service, state and reason, without `action`. This gives \
         every action a row:\n\n```sql\n",
        sql!(),
        "\n```"
    );
    const FOLDER: &'static str = "as_of";
    const SORTED_BY: &'static [&'static str] = &[
        "account_id",
        "principal_arn",
        "policy",
        "group_arn",
        "statement_index",
        "service",
        "action",
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(text, account_id, "the principal's account"),
        column!(text, principal_arn, "the user or role, with its path"),
        column!(text, principal_type, "`user` or `role`"),
        column!(
            text,
            policy,
            "the managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy"
        ),
        column!(
            text,
            attachment,
            "how the policy is attached: `inline`, `managed` or `group`"
        ),
        column!(
            optional_text,
            group_arn,
            "the group that the principal has the policy from"
        ),
        column!(
            optional_integer,
            statement_index,
            "the statement's index in the document, from 0; null where the document is not known"
        ),
        column!(optional_text, sid, "its `Sid`"),
        column!(
            optional_text,
            service,
            "the IAM prefix of the actions, as `s3`"
        ),
        column!(
            optional_text,
            action,
            "the action, as `s3:GetObject`; null where the row stands for the rest of a wildcard"
        ),
        column!(
            integer,
            actions,
            "how many actions of the catalogue the row stands for"
        ),
        column!(
            optional_text,
            action_set,
            "where the row stands for several: names a set in the table `action_sets`; those of its \
             actions are meant that have no row of their own for the statement"
        ),
        column!(
            text,
            state,
            "`used`, `unused`, `window_too_short`, `too_new`, `blocked` or `unobservable`"
        ),
        column!(
            optional_text,
            reason,
            "why it is in this state, where that needs a word: `last_accessed`, `scp`, \
             `data_events_not_recorded`, …"
        ),
        column!(
            integer,
            calls,
            "requests of the window that the statement allowed, also those that AWS only may ask; \
             every statement that allows one counts it"
        ),
        column!(optional_timestamp, first_time, "the first of them"),
        column!(
            optional_timestamp,
            last_time,
            "the last of them; with the reason `last_accessed`, what AWS says"
        ),
        column!(integer, days, "on how many days (UTC) they were made"),
        column!(
            optional_timestamp,
            window_begin,
            "since when a use would have been seen; null where it would not"
        ),
        column!(optional_timestamp, window_end, "until when"),
        column!(integer, window_days, "on how many days"),
    ];
}

/// The table `action_sets`.
#[derive(Debug, Clone, Copy)]
pub struct ActionSets;

/// A row of [`ActionSets`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct ActionSetRow<'a> {
    pub action_set: &'a str,
    pub action: &'a str,
    pub access_level: &'a str,
}

impl Table for ActionSets {
    type Row<'r> = ActionSetRow<'r>;
    const NAME: &'static str = "action_sets";
    const DOC: &'static str = "The catalogue's actions that rows of `permissions` stand for. A set is \
        named by a hash of its actions, and written once however many rows name it.";
    const FOLDER: &'static str = "as_of";
    const SORTED_BY: &'static [&'static str] = &["action_set", "action"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(text, action_set, "the set"),
        column!(text, action, "an action of it, as `s3:GetObject`"),
        column!(
            text,
            access_level,
            "AWS's class of the action: `List`, `Read`, `Write`, `Permissions management`, `Tagging`"
        ),
    ];
}
