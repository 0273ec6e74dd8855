-- Days without any record of an account and Region: nothing happened, or files are missing.
SELECT
  account_id,
  region,
  COUNT(*) AS days,
  MIN(event_date) AS first_day,
  MAX(event_date) AS last_day
FROM silent_days
GROUP BY
  account_id,
  region
ORDER BY
  days DESC,
  account_id,
  region
