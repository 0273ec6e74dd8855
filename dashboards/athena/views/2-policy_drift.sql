-- Calls that would be answered otherwise today because a policy was changed after them, by principal and
-- action, as of the newest snapshot: findings with the cause `policy_changed`. `evidence` has the recorded
-- writes that changed it (`writes`), and the statements and resources.
CREATE OR REPLACE VIEW "policy_drift" AS
SELECT
  as_of,
  finding_id,
  kind,
  severity,
  account_id,
  principal_arn,
  policy,
  sid,
  action,
  resource_arn,
  owner,
  calls,
  days,
  first_time,
  last_time,
  message,
  remedy,
  event_ids,
  evidence,
  hidden
FROM findings
WHERE
  as_of = (
    SELECT
      MAX(as_of)
    FROM findings
  ) AND cause = 'policy_changed'
