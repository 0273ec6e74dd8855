-- What went through in the seven days up to the newest event and would be denied today.
SELECT
  principal_arn,
  action,
  layer,
  COUNT(*) AS requests,
  COUNT(DISTINCT event_day) AS days,
  MIN(event_time) AS first_time,
  MAX(event_time) AS last_time,
  MIN(event_id) AS sample_event_id
FROM would_be_denied
WHERE
  event_day > (
    SELECT
      MAX(CAST(event_time AS DATE))
    FROM decisions
  ) - INTERVAL '7' DAY
GROUP BY
  principal_arn,
  action,
  layer
ORDER BY
  requests DESC,
  principal_arn,
  action
