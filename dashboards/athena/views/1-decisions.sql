-- One request of one call: what AWS recorded of it, what a replay needs, the decision under the snapshot that the row names, and the call's verdict. A call that is not evaluated keeps its requests where the mapping knows them, with no decision, else it has one row without action.
CREATE OR REPLACE VIEW "decisions" AS
SELECT
    "event_id", "event_time", "account_id", "region", "event_source", "event_name", "principal_arn",
    "principal_type", "session_name", "principal_id", "caller_account_id", "access_key_id", "source_ip",
    "invoked_by", "error_code", "denied_action", "denied_resource", "denied_layer", "action", "resource_arn",
    "resource_account", "required", "context", "session_policy_id", "outcome", "decision", "call_decision",
    "verdict", "reason", "mapping", "layer", "determined_by", "unknown_keys", "assumes", "copy",
    "snapshot_id", "mapping_version", "log_file", "record_index", "unknown_layers", "spellings",
    "resource_known", "conflict", "amends", "hidden_keys", "identity_provider", "event_date"
FROM "decisions_dated"
UNION ALL
SELECT
    "event_id", "event_time", "account_id", "region", "event_source", "event_name", "principal_arn",
    "principal_type", "session_name", "principal_id", "caller_account_id", "access_key_id", "source_ip",
    "invoked_by", "error_code", "denied_action", "denied_resource", "denied_layer", "action", "resource_arn",
    "resource_account", "required", "context", "session_policy_id", "outcome", "decision", "call_decision",
    "verdict", "reason", "mapping", "layer", "determined_by", "unknown_keys", "assumes", "copy",
    "snapshot_id", "mapping_version", "log_file", "record_index", "unknown_layers", "spellings",
    "resource_known", "conflict", "amends", "hidden_keys", "identity_provider", 'unknown'
FROM "decisions_undated"
