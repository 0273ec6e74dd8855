-- Days without any record of an account and Region: nothing happened, or files are missing.
SELECT account_id, region, count(*) AS days, min(event_date) AS first_day, max(event_date) AS last_day
FROM silent_days
GROUP BY account_id, region
ORDER BY days DESC, account_id, region;
