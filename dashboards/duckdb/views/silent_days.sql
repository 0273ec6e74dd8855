-- Days of which there is no record of an account and Region that has some on other days. Nothing was
-- done there that day, or the log files are missing: the log does not tell which.
WITH days AS (
  SELECT DISTINCT event_date FROM coverage WHERE event_date <> 'unknown'
), places AS (
  SELECT account_id, region, min(event_date) AS first_date, max(event_date) AS last_date
  FROM coverage
  WHERE event_date <> 'unknown'
  GROUP BY account_id, region
), seen AS (
  SELECT DISTINCT account_id, region, event_date FROM coverage
)
SELECT places.account_id, places.region, days.event_date, places.first_date, places.last_date
FROM places
CROSS JOIN days
LEFT JOIN seen
  ON coalesce(seen.account_id, '') = coalesce(places.account_id, '')
     AND coalesce(seen.region, '') = coalesce(places.region, '')
     AND seen.event_date = days.event_date
WHERE seen.event_date IS NULL
