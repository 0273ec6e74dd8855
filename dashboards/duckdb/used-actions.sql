-- What the role that trains models really uses, and from which addresses.
SELECT action, count(*) AS requests, count(DISTINCT resource_arn) AS resources, max(event_time)::DATE AS last_day,
       list_sort(list_distinct(flatten(list(context['aws:SourceIp'])))) AS source_ips
FROM 'out/decisions/*/*.parquet'
WHERE principal_arn LIKE '%:role/service-role/ResearchTrainingRole'
  AND outcome IN ('succeeded', 'failed_after_authorization')
GROUP BY action
ORDER BY requests DESC, action;
