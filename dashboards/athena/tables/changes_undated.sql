-- The rows of `changes` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `changes_undated` (
  `event_id` string COMMENT 'CloudTrail\'s eventID',
  `event_time` timestamp COMMENT 'when the write was made',
  `account_id` string COMMENT 'the account whose trail recorded it (recipientAccountId)',
  `region` string COMMENT 'awsRegion',
  `event_source` string COMMENT 'the service (eventSource)',
  `event_name` string COMMENT 'the operation (eventName)',
  `principal_arn` string COMMENT 'who made it: the user, role or root, for a session its role',
  `session_name` string COMMENT 'the role session name',
  `access_key_id` string COMMENT 'the access key that signed it',
  `outcome` string COMMENT 'what AWS recorded: succeeded, denied, failed_after_authorization, failed',
  `kind` string COMMENT 'what it changes: identity_policy, attachment, permissions_boundary, trust_policy, bucket_policy, key_policy, kms_grant, organization_policy, event_selectors, repository_policy, …',
  `target_arn` string COMMENT 'the principal or resource that it is changed for',
  `policy_arn` string COMMENT 'the managed policy',
  `policy_name` string COMMENT 'the inline policy\'s name',
  `document` string COMMENT 'the policy document, or the payload (a grant, selectors), as JSON',
  `log_file` string COMMENT 'the log file that has the record, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in that file, from 0'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/changes/event_date=unknown/'
