//! `sessions`: what was issued with a session's credentials.

use crate::column::{Column, TextMap, column};
use crate::table::Table;

/// The table `sessions`.
#[derive(Debug, Clone, Copy)]
pub struct Sessions;

/// A row of [`Sessions`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct SessionRow<'a> {
    pub event_id: Option<&'a str>,
    pub event_time: Option<i64>,
    pub account_id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub access_key_id: &'a str,
    pub event_name: Option<&'a str>,
    pub caller_principal_arn: Option<&'a str>,
    pub role_arn: Option<&'a str>,
    pub assumed_role_id: Option<&'a str>,
    pub session_name: Option<&'a str>,
    pub session_policy: Option<&'a str>,
    pub session_policy_id: Option<&'a str>,
    pub session_policy_arns: &'a [&'a str],
    pub tags: TextMap<'a>,
    pub transitive_tag_keys: &'a [&'a str],
    pub source_identity: Option<&'a str>,
    pub expires_at: Option<i64>,
    pub log_file: &'a str,
    pub record_index: u64,
    pub caller_access_key_id: Option<&'a str>,
}

impl Table for Sessions {
    type Row<'r> = SessionRow<'r>;
    const NAME: &'static str = "sessions";
    const DOC: &'static str = "One issued session (AssumeRole, GetFederationToken and relatives): \
        what a call with its access key is limited by and tagged with.";
    const SORTED_BY: &'static [&'static str] = &["account_id", "access_key_id", "event_time"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            optional_unique_text,
            event_id,
            "CloudTrail's `eventID` of the issuing call"
        ),
        column!(
            optional_timestamp,
            event_time,
            "when the session was issued"
        ),
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded the issuing call (`recipientAccountId`)"
        ),
        column!(optional_text, region, "`awsRegion` of the issuing call"),
        column!(unique_text, access_key_id, "the access key that was issued"),
        column!(
            optional_text,
            event_name,
            "the operation that issued it: `AssumeRole`, `AssumeRoleWithSAML`, …"
        ),
        column!(
            optional_text,
            caller_principal_arn,
            "the principal that asked for the session"
        ),
        column!(
            optional_text,
            role_arn,
            "the role of the session; null for a federated user"
        ),
        column!(
            optional_text,
            assumed_role_id,
            "the role's unique id and the session name (`AROA…:name`)"
        ),
        column!(optional_text, session_name, "the role session name"),
        column!(
            optional_text,
            session_policy,
            "the inline session policy, as it was passed"
        ),
        column!(
            optional_text,
            session_policy_id,
            "names inline and managed session policies together; equal policies have equal ids"
        ),
        column!(
            text_list,
            session_policy_arns,
            "the managed policies passed as session policies"
        ),
        column!(text_map, tags, "the session tags, inherited ones included"),
        column!(
            text_list,
            transitive_tag_keys,
            "the tags that pass on to sessions of a role chain"
        ),
        column!(optional_text, source_identity, "the source identity"),
        column!(
            optional_timestamp,
            expires_at,
            "when the credentials expire"
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
        column!(
            optional_text,
            caller_access_key_id,
            "the access key that signed the issuing call: in a role chain, that of the session before"
        ),
    ];
}
