-- One account × region × service × hour. A batch adds its own rows for an hour: sum them.
CREATE OR REPLACE VIEW "coverage" AS
SELECT
    "account_id", "region", "service", "hour", "files", "records", "data_events", "digest_state", "event_date"
FROM "coverage_dated"
UNION ALL
SELECT
    "account_id", "region", "service", "hour", "files", "records", "data_events", "digest_state", 'unknown'
FROM "coverage_undated"
