-- Who used this KMS key, and how.
SELECT
  principal_arn,
  action,
  CAST(SUM(succeeded) AS BIGINT) AS succeeded,
  CAST(SUM(denied) AS BIGINT) AS denied,
  MIN(first_time) AS first_time,
  MAX(last_time) AS last_time
FROM usage
WHERE
  action LIKE 'kms:%'
  AND required
  AND resource_arn = 'arn:aws:kms:eu-west-1:444455556666:key/0a1b2c3d-3333-4333-8333-0123456789ab'
GROUP BY
  principal_arn,
  action
ORDER BY
  succeeded DESC,
  principal_arn,
  action
