-- One issued session (AssumeRole, GetFederationToken and relatives): what a call with its access key is limited by and tagged with.
CREATE OR REPLACE VIEW "sessions" AS
SELECT
    "event_id", "event_time", "account_id", "region", "access_key_id", "event_name", "caller_principal_arn",
    "role_arn", "assumed_role_id", "session_name", "session_policy", "session_policy_id",
    "session_policy_arns", "tags", "transitive_tag_keys", "source_identity", "expires_at", "log_file",
    "record_index", "caller_access_key_id", "event_date"
FROM "sessions_dated"
UNION ALL
SELECT
    "event_id", "event_time", "account_id", "region", "access_key_id", "event_name", "caller_principal_arn",
    "role_arn", "assumed_role_id", "session_name", "session_policy", "session_policy_id",
    "session_policy_arns", "tags", "transitive_tag_keys", "source_identity", "expires_at", "log_file",
    "record_index", "caller_access_key_id", 'unknown'
FROM "sessions_undated"
