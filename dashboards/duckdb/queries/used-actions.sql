-- What the role that trains models really uses, and how widely.
SELECT action, count(*) AS requests, count(DISTINCT resource_arn) AS resources, count(DISTINCT source_ip) AS addresses,
       min(CAST(event_time AS DATE)) AS first_day, max(CAST(event_time AS DATE)) AS last_day
FROM decisions
WHERE principal_arn LIKE '%:role/service-role/ResearchTrainingRole'
  AND outcome IN ('succeeded', 'failed_after_authorization')
GROUP BY action
ORDER BY requests DESC, action;
