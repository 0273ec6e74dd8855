-- What each access key was used for: by whom, from where, on which operation. `issued_with` is the key
-- that asked for a session's key, where the record that issued it was seen. A `copy` is what the owner
-- of a resource was told of another account's call, which may stand here in its own right too.
WITH calls AS (
  SELECT DISTINCT access_key_id, account_id, region, principal_arn, session_name, source_ip, event_source,
         event_name, copy, outcome, event_time, log_file, record_index
  FROM decisions
  WHERE access_key_id IS NOT NULL AND amends IS NULL
), issued AS (
  SELECT access_key_id, max(caller_access_key_id) AS issued_with
  FROM sessions
  GROUP BY access_key_id
)
SELECT calls.access_key_id, issued.issued_with, calls.account_id, calls.region, calls.principal_arn,
       calls.session_name, calls.source_ip, calls.event_source, calls.event_name, calls.copy,
       count(*) AS calls,
       count(CASE WHEN calls.outcome = 'denied' THEN 1 END) AS denied,
       min(calls.event_time) AS first_time,
       max(calls.event_time) AS last_time
FROM calls
LEFT JOIN issued ON issued.access_key_id = calls.access_key_id
GROUP BY calls.access_key_id, issued.issued_with, calls.account_id, calls.region, calls.principal_arn,
         calls.session_name, calls.source_ip, calls.event_source, calls.event_name, calls.copy
