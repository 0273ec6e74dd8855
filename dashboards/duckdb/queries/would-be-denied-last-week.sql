-- What went through in the seven days up to the newest event and would be denied today.
SELECT principal_arn, action, layer, count(*) AS requests, count(DISTINCT event_day) AS days,
       min(event_time) AS first_time, max(event_time) AS last_time, min(event_id) AS sample_event_id
FROM would_be_denied
WHERE event_day > (SELECT max(CAST(event_time AS DATE)) FROM decisions) - INTERVAL 7 DAY
GROUP BY principal_arn, action, layer
ORDER BY requests DESC, principal_arn, action;
