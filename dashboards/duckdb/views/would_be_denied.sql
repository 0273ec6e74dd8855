-- Requests of calls that went through and would be denied today, each with the layer that blocks it.
-- Copies of other accounts' calls and records that amend others are left out.
SELECT event_date, event_time, CAST(event_time AS DATE) AS event_day, event_id, account_id, region,
       event_source, event_name, principal_arn, session_name, access_key_id, source_ip,
       action, resource_arn, decision, layer, mapping, determined_by, log_file, record_index
FROM decisions
WHERE verdict = 'would_be_denied' AND required AND decision IN ('explicit_deny', 'implicit_deny')
  AND NOT copy AND amends IS NULL
