-- Where the log cannot tell used from unused, and why.
SELECT account_id, service, reason, principals, permissions
FROM blind_spots
ORDER BY permissions DESC, account_id, service, reason
LIMIT 20;
