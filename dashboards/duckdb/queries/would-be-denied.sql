-- Who would be denied what today, and by which layer.
SELECT principal_arn, action, layer, count(*) AS requests, min(event_time) AS first_time, max(event_time) AS last_time
FROM would_be_denied
GROUP BY principal_arn, action, layer
ORDER BY requests DESC, principal_arn, action;
