-- The rows of `coverage` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `coverage_undated` (
  `account_id` string COMMENT 'the account whose trail recorded the calls (recipientAccountId)',
  `region` string COMMENT 'awsRegion',
  `service` string COMMENT 'eventSource',
  `hour` timestamp COMMENT 'the hour of the event times, at its beginning',
  `files` bigint COMMENT 'log files with such records',
  `records` bigint COMMENT 'records',
  `data_events` bigint COMMENT 'data events among them',
  `digest_state` string COMMENT 'what the digest files say of this hour, null where none was looked at'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/coverage/event_date=unknown/'
