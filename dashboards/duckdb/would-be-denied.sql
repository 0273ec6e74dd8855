-- Who would be denied what today, and by which layer.
SELECT principal_arn, action, layer, count(*) AS requests, min(event_time) AS first, max(event_time) AS last
FROM 'out/decisions/*/*.parquet'
WHERE verdict = 'would_be_denied' AND required AND decision IN ('explicit_deny', 'implicit_deny') AND NOT copy
GROUP BY ALL
ORDER BY requests DESC, principal_arn, action;
