-- The rows of `rejects` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `rejects_undated` (
  `log_file` string COMMENT 'the log file, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in it, from 0, null where it is the file',
  `byte_offset` bigint COMMENT 'where in the decompressed file it begins, or reading stopped',
  `event_id` string COMMENT 'CloudTrail\'s eventID, where it could be read',
  `reason` string COMMENT 'the kind of fault, as one word',
  `message` string COMMENT 'the fault in full',
  `class` string COMMENT 'permanent (its content) or retryable (access, network): the next run tries again',
  `bytes` bigint COMMENT 'how many decompressed bytes were given up, where known'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/rejects/event_date=unknown/'
