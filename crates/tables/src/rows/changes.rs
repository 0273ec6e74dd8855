//! `changes`: recorded writes that change authorization.

use crate::column::{Column, column};
use crate::table::Table;

/// The table `changes`.
#[derive(Debug, Clone, Copy)]
pub struct Changes;

/// A row of [`Changes`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct ChangeRow<'a> {
    pub event_id: Option<&'a str>,
    pub event_time: Option<i64>,
    pub account_id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub event_source: Option<&'a str>,
    pub event_name: Option<&'a str>,
    pub principal_arn: Option<&'a str>,
    pub session_name: Option<&'a str>,
    pub access_key_id: Option<&'a str>,
    pub outcome: &'a str,
    pub kind: &'a str,
    pub target_arn: Option<&'a str>,
    pub policy_arn: Option<&'a str>,
    pub policy_name: Option<&'a str>,
    pub document: Option<&'a str>,
    pub log_file: &'a str,
    pub record_index: u64,
}

impl Table for Changes {
    type Row<'r> = ChangeRow<'r>;
    const NAME: &'static str = "changes";
    const DOC: &'static str = "One recorded write that changes authorization, or tried to: \
        `outcome` says which.";
    const SORTED_BY: &'static [&'static str] = &["account_id", "principal_arn", "event_time"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(optional_unique_text, event_id, "CloudTrail's `eventID`"),
        column!(optional_timestamp, event_time, "when the write was made"),
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded it (`recipientAccountId`)"
        ),
        column!(optional_text, region, "`awsRegion`"),
        column!(optional_text, event_source, "the service (`eventSource`)"),
        column!(optional_text, event_name, "the operation (`eventName`)"),
        column!(
            optional_text,
            principal_arn,
            "who made it: the user, role or root; for a session its role"
        ),
        column!(optional_text, session_name, "the role session name"),
        column!(
            optional_text,
            access_key_id,
            "the access key that signed it"
        ),
        column!(
            text,
            outcome,
            "what AWS recorded: `succeeded`, `denied`, `failed_after_authorization`, `failed`"
        ),
        column!(
            text,
            kind,
            "what it changes: `identity_policy`, `attachment`, `permissions_boundary`, \
             `trust_policy`, `bucket_policy`, `key_policy`, `kms_grant`, `organization_policy`, \
             `event_selectors`, `repository_policy`, …"
        ),
        column!(
            optional_text,
            target_arn,
            "the principal or resource that it is changed for"
        ),
        column!(optional_text, policy_arn, "the managed policy"),
        column!(optional_text, policy_name, "the inline policy's name"),
        column!(
            optional_unique_text,
            document,
            "the policy document, or the payload (a grant, selectors), as JSON"
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
