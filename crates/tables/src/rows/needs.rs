//! `needs`: what a job will ask of its execution role, read from the request that began it.

use crate::column::{Column, column};
use crate::map::TextListMap;
use crate::table::Table;

/// The table `needs`.
#[derive(Debug, Clone, Copy)]
pub struct Needs;

/// A row of [`Needs`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct NeedRow<'a> {
    pub event_id: Option<&'a str>,
    pub event_time: Option<i64>,
    pub account_id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub event_source: Option<&'a str>,
    pub event_name: Option<&'a str>,
    pub role_arn: &'a str,
    pub action: &'a str,
    pub resource_arn: Option<&'a str>,
    pub why: &'a str,
    pub source_field: Option<&'a str>,
    pub mapping: &'a str,
    pub log_file: &'a str,
    pub record_index: u64,
    pub resource_known: bool,
    pub spellings: &'a [&'a str],
    pub required: bool,
    pub context: TextListMap<'a>,
    pub page: &'a str,
    pub role_of: Option<&'a str>,
}

impl Table for Needs {
    type Row<'r> = NeedRow<'r>;
    const NAME: &'static str = "needs";
    const DOC: &'static str = "One (execution role, action, resource) that one job request will \
        need, read from the request; it is no recorded use.";
    const SORTED_BY: &'static [&'static str] = &["account_id", "role_arn", "event_time"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            optional_unique_text,
            event_id,
            "CloudTrail's `eventID` of the job request"
        ),
        column!(optional_timestamp, event_time, "when the job was requested"),
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded the request (`recipientAccountId`)"
        ),
        column!(optional_text, region, "`awsRegion`"),
        column!(optional_text, event_source, "the service of the job"),
        column!(optional_text, event_name, "the operation that began it"),
        column!(
            text,
            role_arn,
            "the execution role that the job runs as, with `*` for what the request does not tell \
             of it; a service that acts in its own name"
        ),
        column!(
            text,
            action,
            "the action it will need; `sagemaker:*`: any of the service's"
        ),
        column!(
            optional_text,
            resource_arn,
            "the resource it will need it on, with `*` for what the request does not tell; \
             `*` alone where the action has none"
        ),
        column!(
            text,
            why,
            "what in the job needs it, and under which condition"
        ),
        column!(
            optional_text,
            source_field,
            "the field of the request that says so"
        ),
        column!(
            text,
            mapping,
            "how sure the need is: `verified`, `derived`, `guessed`"
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
            boolean,
            resource_known,
            "whether `resource_arn` is whole; otherwise each `*` in it stands for some text"
        ),
        column!(
            text_list,
            spellings,
            "other spellings of the ARN that AWS may compare instead"
        ),
        column!(
            boolean,
            required,
            "whether the job needs it for sure; otherwise it depends on what the request does not show"
        ),
        column!(
            text_list_map,
            context,
            "the condition keys that the job's request is known to have"
        ),
        column!(text, page, "AWS's page about it"),
        column!(
            optional_text,
            role_of,
            "the model whose role it is, also where the request names the model alone"
        ),
    ];
}
