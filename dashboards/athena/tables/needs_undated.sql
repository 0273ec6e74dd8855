-- The rows of `needs` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `needs_undated` (
  `event_id` string COMMENT 'CloudTrail\'s eventID of the job request',
  `event_time` timestamp COMMENT 'when the job was requested',
  `account_id` string COMMENT 'the account whose trail recorded the request (recipientAccountId)',
  `region` string COMMENT 'awsRegion',
  `event_source` string COMMENT 'the service of the job',
  `event_name` string COMMENT 'the operation that began it',
  `role_arn` string COMMENT 'the execution role that the job runs as',
  `action` string COMMENT 'the action it will need',
  `resource_arn` string COMMENT 'the resource it will need it on, null where the request does not tell',
  `why` string COMMENT 'what in the job needs it, and under which condition',
  `source_field` string COMMENT 'the field of the request that says so',
  `mapping` string COMMENT 'how sure the need is: verified, derived, guessed',
  `log_file` string COMMENT 'the log file that has the record, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in that file, from 0'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/needs/event_date=unknown/'
