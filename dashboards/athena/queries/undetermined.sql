-- What the undetermined decisions wait for: condition keys, or layers that were not collected.
SELECT
  account_id,
  action,
  reason,
  unknown_keys,
  unknown_layers,
  COUNT(*) AS requests
FROM decisions
WHERE
  decision = 'undetermined' AND required
GROUP BY
  account_id,
  action,
  reason,
  unknown_keys,
  unknown_layers
ORDER BY
  requests DESC,
  account_id,
  action
