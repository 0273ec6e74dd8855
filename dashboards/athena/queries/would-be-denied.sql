-- Who would be denied what today, and by which layer.
SELECT
  principal_arn,
  action,
  layer,
  COUNT(*) AS requests,
  MIN(event_time) AS first_time,
  MAX(event_time) AS last_time
FROM would_be_denied
GROUP BY
  principal_arn,
  action,
  layer
ORDER BY
  requests DESC,
  principal_arn,
  action
