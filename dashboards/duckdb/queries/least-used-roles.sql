-- The roles that were used least: never used ones first. Service-linked roles are AWS's to trim.
SELECT principal_arn, calls, days, last_time, denied, services_called, services
FROM principal_use
WHERE principal_arn LIKE '%:role/%' AND principal_arn NOT LIKE '%:role/aws-service-role/%'
ORDER BY days, calls, principal_arn
LIMIT 20;
