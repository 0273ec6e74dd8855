-- Permissions by service and state: where the most can be taken away.
SELECT account_id, service, principals, permissions, used, unused, window_too_short, too_new, blocked, unobservable
FROM service_states
ORDER BY unused DESC, window_too_short DESC, permissions DESC, account_id, service
LIMIT 20;
