-- The rows of `needs` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `needs_undated` (
  `event_id` string COMMENT 'CloudTrail\'s eventID of the job request',
  `event_time` timestamp COMMENT 'when the job was requested',
  `account_id` string COMMENT 'the account whose trail recorded the request (recipientAccountId)',
  `region` string COMMENT 'awsRegion',
  `event_source` string COMMENT 'the service of the job',
  `event_name` string COMMENT 'the operation that began it',
  `role_arn` string COMMENT 'the execution role that the job runs as, with * for what the request does not tell of it, a service that acts in its own name',
  `action` string COMMENT 'the action it will need, sagemaker:*: any of the service\'s',
  `resource_arn` string COMMENT 'the resource it will need it on, with * for what the request does not tell, * alone where the action has none',
  `why` string COMMENT 'what in the job needs it, and under which condition',
  `source_field` string COMMENT 'the field of the request that says so',
  `mapping` string COMMENT 'how sure the need is: verified, derived, guessed',
  `log_file` string COMMENT 'the log file that has the record, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in that file, from 0',
  `resource_known` boolean COMMENT 'whether resource_arn is whole, otherwise each * in it stands for some text',
  `spellings` array<string> COMMENT 'other spellings of the ARN that AWS may compare instead',
  `required` boolean COMMENT 'whether the job needs it for sure, otherwise it depends on what the request does not show',
  `context` map<string,array<string>> COMMENT 'the condition keys that the job\'s request is known to have',
  `page` string COMMENT 'AWS\'s page about it',
  `role_of` string COMMENT 'the model whose role it is, also where the request names the model alone'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/needs/event_date=unknown/'
