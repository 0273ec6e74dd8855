-- The catalogue's actions that rows of `permissions` stand for. A set is named by a hash of its actions, and written once however many rows name it.
CREATE EXTERNAL TABLE IF NOT EXISTS `action_sets` (
  `action_set` string COMMENT 'the set',
  `action` string COMMENT 'an action of it, as s3:GetObject',
  `access_level` string COMMENT 'AWS\'s class of the action: List, Read, Write, Permissions management, Tagging'
)
PARTITIONED BY (`as_of` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/action_sets/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.as_of.type' = 'date',
  'projection.as_of.format' = 'yyyy-MM-dd',
  'projection.as_of.range' = '2013-11-13,NOW+1DAYS',
  'projection.as_of.interval' = '1',
  'projection.as_of.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/action_sets/as_of=${as_of}/'
)
