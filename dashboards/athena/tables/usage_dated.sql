-- What each principal asked for, on what, and what came of it: a plain GROUP BY of `decisions`. The resource owner's copies of another account's calls and the records that amend others are left out. In a denied call only the request that AWS named counts, or the only required one where AWS named none: of the others nothing is known. A batch adds its own rows for a group: sum them.
CREATE EXTERNAL TABLE IF NOT EXISTS `usage_dated` (
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
PARTITIONED BY (`event_date` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/usage/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.event_date.type' = 'date',
  'projection.event_date.format' = 'yyyy-MM-dd',
  'projection.event_date.range' = '2013-11-13,NOW+1DAYS',
  'projection.event_date.interval' = '1',
  'projection.event_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/usage/event_date=${event_date}/'
)
