-- The rows of `usage` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `usage_undated` (
  `account_id` string COMMENT 'the account whose trail recorded the calls (recipientAccountId)',
  `principal_arn` string COMMENT 'the user, role or root whose policies count, for a session its role',
  `principal_type` string COMMENT 'the kind of caller (userIdentity.type)',
  `action` string COMMENT 'the action asked for, as s3:GetObject',
  `resource_arn` string COMMENT 'the resource asked for, or *',
  `required` boolean COMMENT 'whether AWS always asks this for such a call, what it only may ask shows no use alone',
  `calls` bigint COMMENT 'calls: the sum of the four that follow',
  `succeeded` bigint COMMENT 'calls that succeeded',
  `denied` bigint COMMENT 'calls that AWS denied',
  `failed_after_authorization` bigint COMMENT 'calls that were let in and then failed: they show use',
  `failed` bigint COMMENT 'calls that failed in a way that says nothing of authorization',
  `first_time` timestamp COMMENT 'the first call\'s time',
  `last_time` timestamp COMMENT 'the last call\'s time',
  `event_id` string COMMENT 'CloudTrail\'s eventID of the first call, as a sample'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/usage/event_date=unknown/'
