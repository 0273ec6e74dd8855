-- The rows of `sessions` whose date is not known.
CREATE EXTERNAL TABLE IF NOT EXISTS `sessions_undated` (
  `event_id` string COMMENT 'CloudTrail\'s eventID of the issuing call',
  `event_time` timestamp COMMENT 'when the session was issued',
  `account_id` string COMMENT 'the account whose trail recorded the issuing call (recipientAccountId)',
  `region` string COMMENT 'awsRegion of the issuing call',
  `access_key_id` string COMMENT 'the access key that was issued',
  `event_name` string COMMENT 'the operation that issued it: AssumeRole, AssumeRoleWithSAML, …',
  `caller_principal_arn` string COMMENT 'the principal that asked for the session',
  `role_arn` string COMMENT 'the role of the session, null for a federated user',
  `assumed_role_id` string COMMENT 'the role\'s unique id and the session name (AROA…:name)',
  `session_name` string COMMENT 'the role session name',
  `session_policy` string COMMENT 'the inline session policy, as it was passed',
  `session_policy_id` string COMMENT 'names inline and managed session policies together, equal policies have equal ids',
  `session_policy_arns` array<string> COMMENT 'the managed policies passed as session policies',
  `tags` map<string,string> COMMENT 'the session tags, inherited ones included',
  `transitive_tag_keys` array<string> COMMENT 'the tags that pass on to sessions of a role chain',
  `source_identity` string COMMENT 'the source identity',
  `expires_at` timestamp COMMENT 'when the credentials expire',
  `log_file` string COMMENT 'the log file that has the record, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in that file, from 0',
  `caller_access_key_id` string COMMENT 'the access key that signed the issuing call: in a role chain, that of the session before'
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/sessions/event_date=unknown/'
