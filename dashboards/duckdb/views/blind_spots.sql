-- Where the log cannot tell whether a permission is used, by account, service and reason, under the
-- newest snapshot.
SELECT account_id, service, reason,
       count(DISTINCT principal_arn) AS principals,
       CAST(sum(actions) AS BIGINT) AS permissions
FROM permissions
WHERE as_of = (SELECT max(as_of) FROM permissions) AND state = 'unobservable'
GROUP BY account_id, service, reason
