-- What each principal asked for, on what, and what came of it: a plain GROUP BY of `decisions`. The resource owner's copies of another account's calls and the records that amend others are left out. In a denied call only the request that AWS named counts, or the only required one where AWS named none: of the others nothing is known. A batch adds its own rows for a group: sum them.
CREATE OR REPLACE VIEW "usage" AS
SELECT
    "account_id", "principal_arn", "principal_type", "action", "resource_arn", "required", "calls",
    "succeeded", "denied", "failed_after_authorization", "failed", "first_time", "last_time", "event_id",
    "event_date"
FROM "usage_dated"
UNION ALL
SELECT
    "account_id", "principal_arn", "principal_type", "action", "resource_arn", "required", "calls",
    "succeeded", "denied", "failed_after_authorization", "failed", "first_time", "last_time", "event_id",
    'unknown'
FROM "usage_undated"
