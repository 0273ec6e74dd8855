-- One account × region × service × hour. A batch adds its own rows for an hour: sum them.
CREATE EXTERNAL TABLE IF NOT EXISTS `coverage_dated` (
  `account_id` string COMMENT 'the account whose trail recorded the calls (recipientAccountId)',
  `region` string COMMENT 'awsRegion',
  `service` string COMMENT 'eventSource',
  `hour` timestamp COMMENT 'the hour of the event times, at its beginning',
  `files` bigint COMMENT 'log files with such records',
  `records` bigint COMMENT 'records',
  `data_events` bigint COMMENT 'data events among them',
  `digest_state` string COMMENT 'what the digest files say of this hour, null where none was looked at'
)
PARTITIONED BY (`event_date` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/coverage/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.event_date.type' = 'date',
  'projection.event_date.format' = 'yyyy-MM-dd',
  'projection.event_date.range' = '2013-11-13,NOW+1DAYS',
  'projection.event_date.interval' = '1',
  'projection.event_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/coverage/event_date=${event_date}/'
)
