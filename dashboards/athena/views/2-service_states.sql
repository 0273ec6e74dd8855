-- How many permissions of each service are in which state, by account, under the newest snapshot. A
-- permission is one action that one statement of one attached policy allows one principal.
CREATE OR REPLACE VIEW "service_states" AS
SELECT
  account_id,
  service,
  COUNT(DISTINCT principal_arn) AS principals,
  CAST(SUM(actions) AS BIGINT) AS permissions,
  CAST(SUM(CASE WHEN state = 'used' THEN actions ELSE 0 END) AS BIGINT) AS used,
  CAST(SUM(CASE WHEN state = 'unused' THEN actions ELSE 0 END) AS BIGINT) AS unused,
  CAST(SUM(CASE WHEN state = 'window_too_short' THEN actions ELSE 0 END) AS BIGINT) AS window_too_short,
  CAST(SUM(CASE WHEN state = 'too_new' THEN actions ELSE 0 END) AS BIGINT) AS too_new,
  CAST(SUM(CASE WHEN state = 'blocked' THEN actions ELSE 0 END) AS BIGINT) AS blocked,
  CAST(SUM(CASE WHEN state = 'unobservable' THEN actions ELSE 0 END) AS BIGINT) AS unobservable
FROM permissions
WHERE
  as_of = (
    SELECT
      MAX(as_of)
    FROM permissions
  )
GROUP BY
  account_id,
  service
