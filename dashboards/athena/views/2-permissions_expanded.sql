-- `permissions` with a row for every action: the rest of a wildcard is expanded with `action_sets`,
-- but for the actions that have a row of their own for the same statement. `access_level` is known of
-- what was expanded. The rows of the newest `as_of` are those of today.
CREATE OR REPLACE VIEW "permissions_expanded" AS
SELECT
  as_of,
  account_id,
  principal_arn,
  principal_type,
  policy,
  attachment,
  group_arn,
  statement_index,
  sid,
  service,
  action,
  CAST(NULL AS VARCHAR) AS access_level,
  state,
  reason,
  calls,
  first_time,
  last_time,
  days,
  window_begin,
  window_end,
  window_days
FROM permissions
WHERE
  NOT action IS NULL OR action_set IS NULL
UNION ALL
SELECT
  rest.as_of,
  rest.account_id,
  rest.principal_arn,
  rest.principal_type,
  rest.policy,
  rest.attachment,
  rest.group_arn,
  rest.statement_index,
  rest.sid,
  rest.service,
  members.action,
  members.access_level,
  rest.state,
  rest.reason,
  rest.calls,
  rest.first_time,
  rest.last_time,
  rest.days,
  rest.window_begin,
  rest.window_end,
  rest.window_days
FROM permissions AS rest
JOIN action_sets AS members
  ON members.as_of = rest.as_of AND members.action_set = rest.action_set
LEFT JOIN permissions AS own
  ON own.as_of = rest.as_of
  AND own.action = members.action
  AND own.principal_arn = rest.principal_arn
  AND own.policy = rest.policy
  AND COALESCE(own.group_arn, '') = COALESCE(rest.group_arn, '')
  AND own.statement_index = rest.statement_index
WHERE
  rest.action IS NULL AND own.action IS NULL
