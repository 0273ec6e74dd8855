-- Who used this access key, from where and for what, and what was done with the sessions it asked for.
SELECT
  access_key_id,
  issued_with,
  account_id,
  principal_arn,
  session_name,
  source_ip,
  event_source,
  event_name,
  calls,
  denied,
  first_time,
  last_time
FROM key_use
WHERE
  access_key_id = 'AKIAEXAMPLECAROLCLI1' OR issued_with = 'AKIAEXAMPLECAROLCLI1'
ORDER BY
  first_time,
  access_key_id,
  event_source,
  event_name,
  source_ip
