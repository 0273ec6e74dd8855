-- One row per user and role, of the snapshot's and of the calls': how much it was used.
-- `calls` went through (they may have failed afterwards), `services` counts those that its policies
-- allow something of, and is null for a principal without permissions today: it has no policy, is gone,
-- or its account was not collected. Who has neither permissions nor calls is not here.
CREATE OR REPLACE VIEW "principal_use" AS
WITH calls AS (
  SELECT DISTINCT
    principal_arn,
    log_file,
    record_index,
    event_time,
    event_source,
    outcome
  FROM decisions
  WHERE
    NOT principal_arn IS NULL AND NOT copy AND amends IS NULL
), used AS (
  SELECT
    principal_arn,
    COUNT(CASE WHEN outcome IN ('succeeded', 'failed_after_authorization') THEN 1 END) AS calls,
    COUNT(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    COUNT(
      DISTINCT CASE
        WHEN outcome IN ('succeeded', 'failed_after_authorization')
        THEN CAST(event_time AS DATE)
      END
    ) AS days,
    COUNT(
      DISTINCT CASE
        WHEN outcome IN ('succeeded', 'failed_after_authorization')
        THEN event_source
      END
    ) AS services_called,
    MAX(
      CASE
        WHEN outcome IN ('succeeded', 'failed_after_authorization')
        THEN event_time
      END
    ) AS last_time
  FROM calls
  GROUP BY
    principal_arn
), granted AS (
  SELECT
    principal_arn,
    COUNT(DISTINCT service) AS services,
    MAX(as_of) AS as_of
  FROM permissions
  WHERE
    as_of = (
      SELECT
        MAX(as_of)
      FROM permissions
    )
  GROUP BY
    principal_arn
)
SELECT
  COALESCE(used.principal_arn, granted.principal_arn) AS principal_arn,
  COALESCE(used.calls, 0) AS calls,
  COALESCE(used.denied, 0) AS denied,
  COALESCE(used.days, 0) AS days,
  COALESCE(used.services_called, 0) AS services_called,
  used.last_time,
  granted.services
FROM used
FULL JOIN granted
  ON used.principal_arn = granted.principal_arn
