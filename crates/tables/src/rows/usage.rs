//! `usage`: who used what on which resource, day by day.

use crate::column::{Column, column};
use crate::table::Table;

/// The table `usage`.
#[derive(Debug, Clone, Copy)]
pub struct Usage;

/// A literal, so that the documentation can hold it too.
macro_rules! sql {
    () => {
        "\
SELECT event_date, account_id, principal_arn, principal_type, action, resource_arn, required,
       count(*) AS calls,
       count(*) FILTER (outcome = 'succeeded') AS succeeded,
       count(*) FILTER (outcome = 'denied') AS denied,
       count(*) FILTER (outcome = 'failed_after_authorization') AS failed_after_authorization,
       count(*) FILTER (outcome = 'failed') AS failed,
       min(event_time) AS first_time,
       max(event_time) AS last_time,
       first(event_id ORDER BY event_time NULLS LAST, event_id NULLS LAST) AS event_id
FROM (SELECT *, count(*) FILTER (required) OVER (PARTITION BY log_file, record_index) AS asked
      FROM decisions)
WHERE action IS NOT NULL AND NOT copy AND amends IS NULL
  AND (outcome <> 'denied'
       OR lower(denied_action) = lower(action)
       OR (denied_action IS NULL AND required AND asked = 1))
GROUP BY event_date, account_id, principal_arn, principal_type, action, resource_arn, required"
    };
}

impl Usage {
    /// The table in terms of `decisions`, for DuckDB. The files of one date may hold several rows of a
    /// group (a batch adds its own): sums, least and greatest of them are those of this query.
    pub const SQL: &'static str = sql!();
}

/// A row of [`Usage`]. The columns document the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, documented there"
)]
pub struct UsageRow<'a> {
    pub account_id: Option<&'a str>,
    pub principal_arn: Option<&'a str>,
    pub principal_type: Option<&'a str>,
    pub action: &'a str,
    pub resource_arn: Option<&'a str>,
    pub required: bool,
    pub calls: u64,
    pub succeeded: u64,
    pub denied: u64,
    pub failed_after_authorization: u64,
    pub failed: u64,
    pub first_time: Option<i64>,
    pub last_time: Option<i64>,
    pub event_id: Option<&'a str>,
}

impl Table for Usage {
    type Row<'r> = UsageRow<'r>;
    const NAME: &'static str = "usage";
    const DOC: &'static str = concat!(
        "What each principal asked for, on what, and what came of it: a plain GROUP BY of \
         `decisions`. The resource owner's copies of another account's calls and the records that \
         amend others are left out. In a denied call only the request that AWS named counts, or the \
         only required one where AWS named none: of the others nothing is known. A batch adds its \
         own rows for a group: sum them.\n\n```sql\n",
        sql!(),
        "\n```"
    );
    const SORTED_BY: &'static [&'static str] = &[
        "account_id",
        "principal_arn",
        "action",
        "resource_arn",
        "required",
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        column!(
            optional_text,
            account_id,
            "the account whose trail recorded the calls (`recipientAccountId`)"
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
        column!(text, action, "the action asked for, as `s3:GetObject`"),
        column!(
            optional_text,
            resource_arn,
            "the resource asked for, or `*`"
        ),
        column!(
            boolean,
            required,
            "whether AWS always asks this for such a call; what it only may ask shows no use alone"
        ),
        column!(integer, calls, "calls: the sum of the four that follow"),
        column!(integer, succeeded, "calls that succeeded"),
        column!(integer, denied, "calls that AWS denied"),
        column!(
            integer,
            failed_after_authorization,
            "calls that were let in and then failed: they show use"
        ),
        column!(
            integer,
            failed,
            "calls that failed in a way that says nothing of authorization"
        ),
        column!(optional_timestamp, first_time, "the first call's time"),
        column!(optional_timestamp, last_time, "the last call's time"),
        column!(
            optional_unique_text,
            event_id,
            "CloudTrail's `eventID` of the first call, as a sample"
        ),
    ];
}
