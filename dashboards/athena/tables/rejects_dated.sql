-- One file or record that could not be read, and why.
CREATE EXTERNAL TABLE IF NOT EXISTS `rejects_dated` (
  `log_file` string COMMENT 'the log file, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in it, from 0, null where it is the file',
  `byte_offset` bigint COMMENT 'where in the decompressed file it begins, or reading stopped',
  `event_id` string COMMENT 'CloudTrail\'s eventID, where it could be read',
  `reason` string COMMENT 'the kind of fault, as one word',
  `message` string COMMENT 'the fault in full',
  `class` string COMMENT 'permanent (its content) or retryable (access, network): the next run tries again',
  `bytes` bigint COMMENT 'how many decompressed bytes were given up, where known'
)
PARTITIONED BY (`event_date` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/rejects/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.event_date.type' = 'date',
  'projection.event_date.format' = 'yyyy-MM-dd',
  'projection.event_date.range' = '2013-11-13,NOW+1DAYS',
  'projection.event_date.interval' = '1',
  'projection.event_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/rejects/event_date=${event_date}/'
)
