-- One file or record that could not be read, and why.
CREATE OR REPLACE VIEW "rejects" AS
SELECT
    "log_file", "record_index", "byte_offset", "event_id", "reason", "message", "class", "bytes", "event_date"
FROM "rejects_dated"
UNION ALL
SELECT
    "log_file", "record_index", "byte_offset", "event_id", "reason", "message", "class", "bytes", 'unknown'
FROM "rejects_undated"
