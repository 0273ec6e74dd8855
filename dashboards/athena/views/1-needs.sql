-- One (execution role, action, resource) that one job request will need, read from the request, it is no recorded use.
CREATE OR REPLACE VIEW "needs" AS
SELECT
    "event_id", "event_time", "account_id", "region", "event_source", "event_name", "role_arn", "action",
    "resource_arn", "why", "source_field", "mapping", "log_file", "record_index", "resource_known",
    "spellings", "required", "context", "page", "role_of", "event_date"
FROM "needs_dated"
UNION ALL
SELECT
    "event_id", "event_time", "account_id", "region", "event_source", "event_name", "role_arn", "action",
    "resource_arn", "why", "source_field", "mapping", "log_file", "record_index", "resource_known",
    "spellings", "required", "context", "page", "role_of", 'unknown'
FROM "needs_undated"
