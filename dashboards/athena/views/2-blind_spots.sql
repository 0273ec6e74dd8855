-- Where the log cannot tell whether a permission is used, by account, service and reason, under the
-- newest snapshot.
CREATE OR REPLACE VIEW "blind_spots" AS
SELECT
  account_id,
  service,
  reason,
  COUNT(DISTINCT principal_arn) AS principals,
  CAST(SUM(actions) AS BIGINT) AS permissions
FROM permissions
WHERE
  as_of = (
    SELECT
      MAX(as_of)
    FROM permissions
  ) AND state = 'unobservable'
GROUP BY
  account_id,
  service,
  reason
