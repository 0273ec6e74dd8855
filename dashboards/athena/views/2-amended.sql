-- The requests as later records left them. Where CloudTrail learns of something after an event was logged, it
-- delivers an addendum: a record of its own, which names the event that it amends. Here the last addendum's
-- outcome stands in the place of the original's, a verdict that was about another outcome does not stand any more.
CREATE OR REPLACE VIEW "amended" AS
WITH ordered AS (
  SELECT
    decisions.account_id AS account_id,
    decisions.amends AS amends,
    decisions.event_id AS event_id,
    decisions.error_code AS error_code,
    decisions.outcome AS outcome,
    ROW_NUMBER() OVER (
      PARTITION BY decisions.account_id, decisions.amends
      ORDER BY decisions.log_file DESC, decisions.record_index DESC
    ) AS place
  FROM decisions AS decisions
  WHERE
    NOT decisions.amends IS NULL
), addenda AS (
  SELECT
    ordered.account_id AS account_id,
    ordered.amends AS amends,
    ordered.event_id AS event_id,
    ordered.error_code AS error_code,
    ordered.outcome AS outcome
  FROM ordered AS ordered
  WHERE
    ordered.place = 1
)
SELECT
  decisions.event_id AS event_id,
  decisions.event_time AS event_time,
  decisions.account_id AS account_id,
  decisions.region AS region,
  decisions.event_source AS event_source,
  decisions.event_name AS event_name,
  decisions.principal_arn AS principal_arn,
  decisions.principal_type AS principal_type,
  decisions.session_name AS session_name,
  decisions.principal_id AS principal_id,
  decisions.caller_account_id AS caller_account_id,
  decisions.access_key_id AS access_key_id,
  decisions.source_ip AS source_ip,
  decisions.invoked_by AS invoked_by,
  CASE
    WHEN addenda.amends IS NULL
    THEN decisions.error_code
    ELSE addenda.error_code
  END AS error_code,
  decisions.denied_action AS denied_action,
  decisions.denied_resource AS denied_resource,
  decisions.denied_layer AS denied_layer,
  decisions.action AS action,
  decisions.resource_arn AS resource_arn,
  decisions.resource_account AS resource_account,
  decisions.required AS required,
  decisions.context AS context,
  decisions.session_policy_id AS session_policy_id,
  CASE WHEN addenda.amends IS NULL THEN decisions.outcome ELSE addenda.outcome END AS outcome,
  decisions.decision AS decision,
  decisions.call_decision AS call_decision,
  CASE
    WHEN addenda.amends IS NULL OR addenda.outcome = decisions.outcome
    THEN decisions.verdict
  END AS verdict,
  decisions.reason AS reason,
  decisions.mapping AS mapping,
  decisions.layer AS layer,
  decisions.determined_by AS determined_by,
  decisions.unknown_keys AS unknown_keys,
  decisions.assumes AS assumes,
  decisions.copy AS copy,
  decisions.snapshot_id AS snapshot_id,
  decisions.mapping_version AS mapping_version,
  decisions.log_file AS log_file,
  decisions.record_index AS record_index,
  decisions.unknown_layers AS unknown_layers,
  decisions.spellings AS spellings,
  decisions.resource_known AS resource_known,
  decisions.conflict AS conflict,
  decisions.amends AS amends,
  decisions.hidden_keys AS hidden_keys,
  decisions.identity_provider AS identity_provider,
  decisions.event_date AS event_date,
  addenda.event_id AS amended_by
FROM decisions AS decisions
LEFT JOIN addenda AS addenda
  ON addenda.amends = decisions.event_id
  AND COALESCE(addenda.account_id, '') = COALESCE(decisions.account_id, '')
WHERE
  decisions.amends IS NULL
