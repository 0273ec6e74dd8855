-- Days of which there is no record of an account and Region that has some on other days. Nothing was
-- done there that day, or the log files are missing: the log does not tell which.
CREATE OR REPLACE VIEW "silent_days" AS
WITH days AS (
  SELECT DISTINCT
    event_date
  FROM coverage
  WHERE
    event_date <> 'unknown'
), places AS (
  SELECT
    account_id,
    region,
    MIN(event_date) AS first_date,
    MAX(event_date) AS last_date
  FROM coverage
  WHERE
    event_date <> 'unknown'
  GROUP BY
    account_id,
    region
), seen AS (
  SELECT DISTINCT
    account_id,
    region,
    event_date
  FROM coverage
)
SELECT
  places.account_id,
  places.region,
  days.event_date,
  places.first_date,
  places.last_date
FROM places
CROSS JOIN days
LEFT JOIN seen
  ON COALESCE(seen.account_id, '') = COALESCE(places.account_id, '')
  AND COALESCE(seen.region, '') = COALESCE(places.region, '')
  AND seen.event_date = days.event_date
WHERE
  seen.event_date IS NULL
