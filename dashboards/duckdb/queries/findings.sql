-- All that is to be acted on, the gravest first.
SELECT severity, kind, account_id, principal_arn, action, resource_arn, owner, calls, last_time, message, remedy
FROM findings
WHERE as_of = (SELECT max(as_of) FROM findings) AND hidden IS NULL
ORDER BY CASE severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END,
         calls DESC, kind, principal_arn, finding_id;
