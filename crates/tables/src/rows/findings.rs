//! `findings`: what a person should act on.

use crate::column::{Column, column};
use crate::map::TextListMap;
use crate::table::Table;

/// The table `findings`.
#[derive(Debug, Clone, Copy)]
pub struct Findings;

/// A row of [`Findings`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct FindingRow<'a> {
    pub finding_id: &'a str,
    pub kind: &'a str,
    pub severity: &'a str,
    pub account_id: Option<&'a str>,
    pub principal_arn: Option<&'a str>,
    pub policy: Option<&'a str>,
    pub statement_index: Option<u64>,
    pub sid: Option<&'a str>,
    pub action: Option<&'a str>,
    pub resource_arn: Option<&'a str>,
    pub cause: Option<&'a str>,
    pub owner: Option<&'a str>,
    pub message: &'a str,
    pub remedy: &'a str,
    pub calls: u64,
    pub first_time: Option<i64>,
    pub last_time: Option<i64>,
    pub days: u64,
    pub event_ids: &'a [&'a str],
    pub evidence: TextListMap<'a>,
    pub hidden: Option<&'a str>,
    pub snapshot_id: &'a str,
}

impl Table for Findings {
    type Row<'r> = FindingRow<'r>;
    const NAME: &'static str = "findings";
    const DOC: &'static str = "One finding: something for a person to act on, with its evidence. There \
        is one per principal, action and cause; what reports do not show is here too, and `hidden` \
        says why.";
    const FOLDER: &'static str = "as_of";
    const SORTED_BY: &'static [&'static str] =
        &["account_id", "principal_arn", "kind", "finding_id"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            text,
            finding_id,
            "names the finding, and the same one next week"
        ),
        column!(
            text,
            kind,
            "what it is about: `WouldBeDenied`, `UnusedIAMRole`, …; as IAM Access Analyzer calls it \
             where it has the kind"
        ),
        column!(
            text,
            severity,
            "how much it matters: `high`, `medium`, `low`, `information`"
        ),
        column!(
            optional_text,
            account_id,
            "the account of the principal, else of the policy"
        ),
        column!(optional_text, principal_arn, "the user or role"),
        column!(
            optional_text,
            policy,
            "the managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy"
        ),
        column!(
            optional_integer,
            statement_index,
            "the statement's index in the document, from 0"
        ),
        column!(optional_text, sid, "its `Sid`"),
        column!(optional_text, action, "the action"),
        column!(
            optional_text,
            resource_arn,
            "the resource, or what several begin with; for trust who is trusted, for a blind spot the \
             service"
        ),
        column!(
            optional_text,
            cause,
            "why calls would be answered otherwise: `policy_changed`, `time_condition`, `unexplained`"
        ),
        column!(
            optional_text,
            owner,
            "who is to act, as a tag of the principal says"
        ),
        column!(text, message, "what was found"),
        column!(text, remedy, "what to do about it"),
        column!(integer, calls, "the calls that show it"),
        column!(optional_timestamp, first_time, "the first of them"),
        column!(
            optional_timestamp,
            last_time,
            "the last of them; of something unused its last use"
        ),
        column!(integer, days, "on how many days they were made"),
        column!(text_list, event_ids, "`eventID`s of the last of them"),
        column!(
            text_list_map,
            evidence,
            "lists that belong to it, by name: `resources`, `actions`, `statements`, `writes`, `ways`, …"
        ),
        column!(
            optional_text,
            hidden,
            "why reports do not show it: `service_linked_role`, or `excluded: <reason>`"
        ),
        column!(text, snapshot_id, "the snapshot that it was found under"),
    ];
}
