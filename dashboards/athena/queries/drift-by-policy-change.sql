-- What a policy change turned: who relied on it, how often, and which recorded write did it.
SELECT
  kind,
  severity,
  principal_arn,
  action,
  resource_arn,
  calls,
  days,
  last_time,
  message,
  evidence
FROM policy_drift
WHERE
  hidden IS NULL
ORDER BY
  calls DESC,
  kind,
  principal_arn,
  action,
  finding_id
