-- One finding: something for a person to act on, with its evidence. There is one per principal, action and cause, what reports do not show is here too, and `hidden` says why.
CREATE EXTERNAL TABLE IF NOT EXISTS `findings` (
  `finding_id` string COMMENT 'names the finding, and the same one next week',
  `kind` string COMMENT 'what it is about: WouldBeDenied, UnusedIAMRole, …, as IAM Access Analyzer calls it where it has the kind',
  `severity` string COMMENT 'how much it matters: high, medium, low, information',
  `account_id` string COMMENT 'the account of the principal, else of the policy',
  `principal_arn` string COMMENT 'the user or role',
  `policy` string COMMENT 'the managed policy\'s ARN, or <principal or group ARN>#<name> for an inline policy',
  `statement_index` bigint COMMENT 'the statement\'s index in the document, from 0',
  `sid` string COMMENT 'its Sid',
  `action` string COMMENT 'the action',
  `resource_arn` string COMMENT 'the resource, or what several begin with, for trust who is trusted, for a blind spot the service',
  `cause` string COMMENT 'why calls would be answered otherwise: policy_changed, time_condition, unexplained',
  `owner` string COMMENT 'who is to act, as a tag of the principal says',
  `message` string COMMENT 'what was found',
  `remedy` string COMMENT 'what to do about it',
  `calls` bigint COMMENT 'the calls that show it',
  `first_time` timestamp COMMENT 'the first of them',
  `last_time` timestamp COMMENT 'the last of them, of something unused its last use',
  `days` bigint COMMENT 'on how many days they were made',
  `event_ids` array<string> COMMENT 'eventIDs of the last of them',
  `evidence` map<string,array<string>> COMMENT 'lists that belong to it, by name: resources, actions, statements, writes, ways, …',
  `hidden` string COMMENT 'why reports do not show it: service_linked_role, or excluded: <reason>',
  `snapshot_id` string COMMENT 'the snapshot that it was found under'
)
PARTITIONED BY (`as_of` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/findings/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.as_of.type' = 'date',
  'projection.as_of.format' = 'yyyy-MM-dd',
  'projection.as_of.range' = '2013-11-13,NOW+1DAYS',
  'projection.as_of.interval' = '1',
  'projection.as_of.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/findings/as_of=${as_of}/'
)
