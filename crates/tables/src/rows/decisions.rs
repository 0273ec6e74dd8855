//! `decisions`: every request of every call, with what a replay needs and what came of it.

use crate::column::{Column, DeterminedBy, column};
use crate::map::TextListMap;
use crate::table::Table;

/// The table `decisions`.
#[derive(Debug, Clone, Copy)]
pub struct Decisions;

/// A row of [`Decisions`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct DecisionRow<'a> {
    pub event_id: Option<&'a str>,
    pub event_time: Option<i64>,
    pub account_id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub event_source: Option<&'a str>,
    pub event_name: Option<&'a str>,
    pub principal_arn: Option<&'a str>,
    pub principal_type: Option<&'a str>,
    pub session_name: Option<&'a str>,
    pub principal_id: Option<&'a str>,
    pub caller_account_id: Option<&'a str>,
    pub access_key_id: Option<&'a str>,
    pub source_ip: Option<&'a str>,
    pub invoked_by: Option<&'a str>,
    pub error_code: Option<&'a str>,
    pub denied_action: Option<&'a str>,
    pub denied_resource: Option<&'a str>,
    pub denied_layer: Option<&'a str>,
    pub action: Option<&'a str>,
    pub resource_arn: Option<&'a str>,
    pub resource_account: Option<&'a str>,
    pub required: Option<bool>,
    pub context: TextListMap<'a>,
    pub session_policy_id: Option<&'a str>,
    pub outcome: &'a str,
    pub decision: Option<&'a str>,
    pub call_decision: Option<&'a str>,
    pub verdict: &'a str,
    pub reason: Option<&'a str>,
    pub mapping: Option<&'a str>,
    pub layer: Option<&'a str>,
    pub determined_by: &'a [DeterminedBy<'a>],
    pub unknown_keys: &'a [&'a str],
    pub assumes: &'a [&'a str],
    pub copy: bool,
    pub snapshot_id: &'a str,
    pub mapping_version: &'a str,
    pub log_file: &'a str,
    pub record_index: u64,
    pub unknown_layers: &'a [&'a str],
    pub spellings: &'a [&'a str],
    pub resource_known: Option<bool>,
    pub conflict: bool,
    pub amends: Option<&'a str>,
    pub hidden_keys: &'a [&'a str],
    pub identity_provider: Option<&'a str>,
}

impl Table for Decisions {
    type Row<'r> = DecisionRow<'r>;
    const NAME: &'static str = "decisions";
    const DOC: &'static str = "One request of one call: what AWS recorded of it, what a replay \
        needs, the decision under the snapshot that the row names, and the call's verdict. A call \
        that is not evaluated keeps its requests where the mapping knows them, with no decision; \
        else it has one row without action.";
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
        column!(
            optional_text,
            event_source,
            "the service, as `s3.amazonaws.com` (`eventSource`)"
        ),
        column!(
            optional_text,
            event_name,
            "the API operation (`eventName`), which is not always the action"
        ),
        column!(
            optional_text,
            principal_arn,
            "the user, role or root whose policies count; for a session its role"
        ),
        column!(
            optional_text,
            principal_type,
            "the kind of caller (`userIdentity.type`)"
        ),
        column!(
            optional_text,
            session_name,
            "the role session name; null without a session"
        ),
        column!(
            optional_text,
            principal_id,
            "the principal's unique id (AROA…, AIDA…), which a recreated one does not share"
        ),
        column!(
            optional_text,
            caller_account_id,
            "the caller's account (`userIdentity.accountId`)"
        ),
        column!(
            optional_text,
            access_key_id,
            "the access key that signed the call"
        ),
        column!(
            optional_text,
            source_ip,
            "`sourceIPAddress`: an address, or the name of a service"
        ),
        column!(
            optional_text,
            invoked_by,
            "the service that made the call for the principal (`userIdentity.invokedBy`)"
        ),
        column!(
            optional_text,
            error_code,
            "`errorCode`; null where the call succeeded"
        ),
        column!(
            optional_text,
            denied_action,
            "the action that AWS's denial message names"
        ),
        column!(
            optional_text,
            denied_resource,
            "the resource that AWS's denial message names"
        ),
        column!(
            optional_text,
            denied_layer,
            "the kind of policy that AWS's denial message names"
        ),
        column!(
            optional_text,
            action,
            "the action asked for, as `s3:GetObject`; null where no request is known"
        ),
        column!(
            optional_text,
            resource_arn,
            "the resource asked for, or `*`"
        ),
        column!(
            optional_text,
            resource_account,
            "the account that owns the resource, where known"
        ),
        column!(
            optional_boolean,
            required,
            "whether AWS always asks this for the call; a request that it may ask is false"
        ),
        column!(
            text_list_map,
            context,
            "the condition keys that are known, with their values; an empty list is known absence"
        ),
        column!(
            optional_text,
            session_policy_id,
            "the session's policies, as `sessions` has them; null where it has none or none is known"
        ),
        column!(
            text,
            outcome,
            "what AWS recorded: `succeeded`, `denied`, `failed_after_authorization`, `failed`"
        ),
        column!(
            optional_text,
            decision,
            "of this request: `allowed`, `explicit_deny`, `implicit_deny`, `undetermined`; null where \
             it was not evaluated"
        ),
        column!(
            optional_text,
            call_decision,
            "the decision over all required requests of the call"
        ),
        column!(
            text,
            verdict,
            "of the call: `agrees`, `would_be_denied`, `would_be_allowed`, `undetermined`, \
             `not_comparable`, `not_evaluated`"
        ),
        column!(
            optional_text,
            reason,
            "why the call was not evaluated, or is undetermined"
        ),
        column!(
            optional_text,
            mapping,
            "how action and resource were found: `verified`, `derived`, `guessed`"
        ),
        column!(
            optional_text,
            layer,
            "the layer that blocked the request; null where none did"
        ),
        column!(
            determined_by,
            determined_by,
            "the statements that determined the decision"
        ),
        column!(
            text_list,
            unknown_keys,
            "the condition keys that the decision leans on and the log does not show"
        ),
        column!(
            text_list,
            assumes,
            "what an `allowed` takes for granted without having seen it: `scp`, `rcp`, `vpce`, …"
        ),
        column!(
            boolean,
            copy,
            "whether the record is the resource owner's copy of another account's call"
        ),
        column!(
            text,
            snapshot_id,
            "the snapshot that the decision was made under"
        ),
        column!(
            text,
            mapping_version,
            "the version of the mapping that made the requests"
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
            text_list,
            unknown_layers,
            "the layers that were not collected and could turn an undetermined decision"
        ),
        column!(
            text_list,
            spellings,
            "other spellings of `resource_arn` that AWS may have compared instead"
        ),
        column!(
            optional_boolean,
            resource_known,
            "whether `resource_arn` is known whole; false where `*` in it stands for what nobody \
             recorded; null where no request is known"
        ),
        column!(
            boolean,
            conflict,
            "whether another record with this event id and account has another body: both are kept"
        ),
        column!(
            optional_text,
            amends,
            "the event id that this record is an addendum to (`addendum.originalEventID`)"
        ),
        column!(
            text_list,
            hidden_keys,
            "condition keys that the request may have had with a value that nobody recorded, though \
             neither `context` nor the catalogue leaves them open"
        ),
        column!(
            optional_text,
            identity_provider,
            "who vouches for a web or SAML identity that asks for a role, as trust policies name it"
        ),
    ];
}
