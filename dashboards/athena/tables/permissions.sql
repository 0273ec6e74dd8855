-- What each `Allow` statement of each attached policy (inline, managed, of groups) allows each user and role, under the snapshot of now, and whether the calls of the window used it. An action that the statement spells out, or that there is evidence of, has a row, for the rest of a wildcard there is one row per service, state and reason, without `action`. This gives every action a row:
CREATE EXTERNAL TABLE IF NOT EXISTS `permissions` (
  `account_id` string COMMENT 'the principal\'s account',
  `principal_arn` string COMMENT 'the user or role, with its path',
  `principal_type` string COMMENT 'user or role',
  `policy` string COMMENT 'the managed policy\'s ARN, or <principal or group ARN>#<name> for an inline policy',
  `attachment` string COMMENT 'how the policy is attached: inline, managed or group',
  `group_arn` string COMMENT 'the group that the principal has the policy from',
  `statement_index` bigint COMMENT 'the statement\'s index in the document, from 0, null where the document is not known',
  `sid` string COMMENT 'its Sid',
  `service` string COMMENT 'the IAM prefix of the actions, as s3',
  `action` string COMMENT 'the action, as s3:GetObject, null where the row stands for the rest of a wildcard',
  `actions` bigint COMMENT 'how many actions of the catalogue the row stands for',
  `action_set` string COMMENT 'where the row stands for several: names a set in the table action_sets, those of its actions are meant that have no row of their own for the statement',
  `state` string COMMENT 'used, unused, window_too_short, too_new, blocked or unobservable',
  `reason` string COMMENT 'why it is in this state, where that needs a word: last_accessed, scp, data_events_not_recorded, …',
  `calls` bigint COMMENT 'requests of the window that the statement allowed, also those that AWS only may ask, every statement that allows one counts it',
  `first_time` timestamp COMMENT 'the first of them',
  `last_time` timestamp COMMENT 'the last of them, with the reason last_accessed, what AWS says',
  `days` bigint COMMENT 'on how many days (UTC) they were made',
  `window_begin` timestamp COMMENT 'since when a use would have been seen, null where it would not',
  `window_end` timestamp COMMENT 'until when',
  `window_days` bigint COMMENT 'on how many days'
)
PARTITIONED BY (`as_of` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/permissions/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.as_of.type' = 'date',
  'projection.as_of.format' = 'yyyy-MM-dd',
  'projection.as_of.range' = '2013-11-13,NOW+1DAYS',
  'projection.as_of.interval' = '1',
  'projection.as_of.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/permissions/as_of=${as_of}/'
)
