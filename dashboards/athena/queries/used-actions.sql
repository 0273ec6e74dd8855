-- What the role that trains models really uses, and how widely.
SELECT
  action,
  COUNT(*) AS requests,
  COUNT(DISTINCT resource_arn) AS resources,
  COUNT(DISTINCT source_ip) AS addresses,
  MIN(CAST(event_time AS DATE)) AS first_day,
  MAX(CAST(event_time AS DATE)) AS last_day
FROM decisions
WHERE
  principal_arn LIKE '%:role/service-role/ResearchTrainingRole'
  AND outcome IN ('succeeded', 'failed_after_authorization')
GROUP BY
  action
ORDER BY
  requests DESC,
  action
