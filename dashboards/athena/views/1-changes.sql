-- One recorded write that changes authorization, or tried to: `outcome` says which.
CREATE OR REPLACE VIEW "changes" AS
SELECT
    "event_id", "event_time", "account_id", "region", "event_source", "event_name", "principal_arn",
    "session_name", "access_key_id", "outcome", "kind", "target_arn", "policy_arn", "policy_name", "document",
    "log_file", "record_index", "event_date"
FROM "changes_dated"
UNION ALL
SELECT
    "event_id", "event_time", "account_id", "region", "event_source", "event_name", "principal_arn",
    "session_name", "access_key_id", "outcome", "kind", "target_arn", "policy_arn", "policy_name", "document",
    "log_file", "record_index", 'unknown'
FROM "changes_undated"
