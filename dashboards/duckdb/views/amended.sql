-- The requests as later records left them. Where CloudTrail learns of something after an event was logged, it
-- delivers an addendum: a record of its own, which names the event that it amends. Here the last addendum's
-- outcome stands in the place of the original's; a verdict that was about another outcome does not stand any more.
WITH ordered AS (
  SELECT account_id, amends, event_id, error_code, outcome,
         row_number() OVER (PARTITION BY account_id, amends ORDER BY log_file DESC, record_index DESC) AS place
  FROM decisions
  WHERE amends IS NOT NULL
), addenda AS (
  SELECT account_id, amends, event_id, error_code, outcome
  FROM ordered
  WHERE place = 1
)
SELECT decisions.* REPLACE (
         CASE WHEN addenda.amends IS NULL THEN decisions.error_code ELSE addenda.error_code END AS error_code,
         CASE WHEN addenda.amends IS NULL THEN decisions.outcome ELSE addenda.outcome END AS outcome,
         CASE WHEN addenda.amends IS NULL OR addenda.outcome = decisions.outcome THEN decisions.verdict END AS verdict
       ),
       addenda.event_id AS amended_by
FROM decisions
LEFT JOIN addenda
  ON addenda.amends = decisions.event_id
     AND coalesce(addenda.account_id, '') = coalesce(decisions.account_id, '')
WHERE decisions.amends IS NULL
