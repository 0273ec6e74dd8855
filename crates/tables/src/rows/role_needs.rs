//! `role_needs`: whether execution roles have what their jobs need.

use crate::column::{Column, DeterminedBy, column};
use crate::map::TextListMap;
use crate::table::Table;

/// The table `role_needs`.
#[derive(Debug, Clone, Copy)]
pub struct RoleNeeds;

/// A row of [`RoleNeeds`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct RoleNeedRow<'a> {
    pub account_id: Option<&'a str>,
    pub role_arn: &'a str,
    pub action: &'a str,
    pub resource_arn: &'a str,
    pub resource_known: bool,
    pub state: &'a str,
    pub reason: Option<&'a str>,
    pub required: Option<bool>,
    pub mapping: Option<&'a str>,
    pub decision: Option<&'a str>,
    pub layer: Option<&'a str>,
    pub determined_by: &'a [DeterminedBy<'a>],
    pub unknown_keys: &'a [&'a str],
    pub unknown_layers: &'a [&'a str],
    pub assumes: &'a [&'a str],
    pub context: TextListMap<'a>,
    pub why: Option<&'a str>,
    pub source_field: Option<&'a str>,
    pub page: Option<&'a str>,
    pub jobs: u64,
    pub first_time: Option<i64>,
    pub last_time: Option<i64>,
    pub event_source: Option<&'a str>,
    pub event_name: Option<&'a str>,
    pub event_id: Option<&'a str>,
}

impl Table for RoleNeeds {
    type Row<'r> = RoleNeedRow<'r>;
    const NAME: &'static str = "role_needs";
    const DOC: &'static str = "What the jobs of the window need of each execution role, each need once, \
        against the policies of the snapshot of now; and what the role is granted that no need covers. \
        `missing` is only what a job needs for sure, on what its request tells, and the role is denied; \
        whatever cannot be told is `unverifiable`, with the reason. How `excess` is found stands in \
        `crates/replay/mapping/needs/README.md`.";
    const FOLDER: &'static str = "as_of";
    const SORTED_BY: &'static [&'static str] = &["account_id", "role_arn"];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded the jobs"
        ),
        column!(
            text,
            role_arn,
            "the execution role, with `*` for what no request tells of it; a service that acts in its \
             own name"
        ),
        column!(text, action, "the action"),
        column!(
            text,
            resource_arn,
            "the resource, with `*` for what the request does not tell; for `excess` as the statement \
             writes it"
        ),
        column!(
            boolean,
            resource_known,
            "whether `resource_arn` is whole; otherwise each `*` in it stands for some text"
        ),
        column!(
            text,
            state,
            "`present`, `missing`, `excess` or `unverifiable`"
        ),
        column!(
            optional_text,
            reason,
            "why it is `unverifiable`: `role_not_told`, `role_not_in_snapshot`, `role_deleted`, \
             `may_not_need`, `resource_not_told`, `unknown_keys`, `layers_not_collected`, \
             `guessed_mapping`, `spellings_disagree`, `other_account`; `observed`: `present` because the \
             role's own calls used it, and no job's request asks for it; `used_in_part`: `excess`, and the \
             statement was used for something that it grants"
        ),
        column!(
            optional_boolean,
            required,
            "whether a job needs it for sure; null for `excess`"
        ),
        column!(
            optional_text,
            mapping,
            "how sure the need is: `verified`, `derived`, `guessed`; null for `excess`"
        ),
        column!(
            optional_text,
            decision,
            "what the evaluator says: `allowed`, `explicit_deny`, `implicit_deny`, `undetermined`; null \
             where it was not asked"
        ),
        column!(optional_text, layer, "the layer that blocks"),
        column!(
            determined_by,
            determined_by,
            "the statements that determined it; for `excess` the first that grants it"
        ),
        column!(
            text_list,
            unknown_keys,
            "the condition keys that would turn an undetermined decision"
        ),
        column!(
            text_list,
            unknown_layers,
            "the layers that were not collected and would turn it"
        ),
        column!(text_list, assumes, "what an allow assumes"),
        column!(
            text_list_map,
            context,
            "the condition keys that the job's request is known to have"
        ),
        column!(optional_text, why, "what in the job needs it"),
        column!(
            optional_text,
            source_field,
            "the field of the request that says so"
        ),
        column!(optional_text, page, "AWS's page about it"),
        column!(integer, jobs, "how many job requests need it"),
        column!(optional_timestamp, first_time, "the first of them"),
        column!(optional_timestamp, last_time, "the last of them"),
        column!(optional_text, event_source, "the service of the first"),
        column!(optional_text, event_name, "the operation that began it"),
        column!(
            optional_unique_text,
            event_id,
            "CloudTrail's `eventID` of it, as a sample"
        ),
    ];
}
