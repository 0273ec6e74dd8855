-- Every action that one role is allowed, statement by statement, and whether it was used.
SELECT
  policy,
  statement_index,
  sid,
  action,
  state,
  reason,
  calls,
  last_time
FROM permissions_expanded
WHERE
  as_of = (
    SELECT
      MAX(as_of)
    FROM permissions
  )
  AND principal_arn LIKE '%:role/ci/ImageBuilder'
ORDER BY
  policy,
  statement_index,
  action
