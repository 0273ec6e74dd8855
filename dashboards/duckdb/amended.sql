-- The requests as later records left them. Where CloudTrail learns of something after an event was logged, it
-- delivers an addendum: a record of its own, which names the event that it amends. Here the last addendum's
-- outcome stands in the place of the original's; a verdict that was about another outcome does not stand any more.
CREATE OR REPLACE VIEW amended AS
WITH addenda AS (
  SELECT account_id, amends, event_id, error_code, outcome
  FROM 'out/decisions/*/*.parquet'
  WHERE amends IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY account_id, amends ORDER BY log_file DESC, record_index DESC) = 1
)
SELECT decisions.* REPLACE (
         if(addenda.amends IS NULL, decisions.error_code, addenda.error_code) AS error_code,
         if(addenda.amends IS NULL, decisions.outcome, addenda.outcome) AS outcome,
         if(addenda.amends IS NULL OR addenda.outcome = decisions.outcome, decisions.verdict, NULL) AS verdict
       ),
       addenda.event_id AS amended_by
FROM 'out/decisions/*/*.parquet' AS decisions
LEFT JOIN addenda
  ON addenda.amends = decisions.event_id AND addenda.account_id IS NOT DISTINCT FROM decisions.account_id
WHERE decisions.amends IS NULL;
