-- One call whose decision or verdict is another with a proposed change of policies, by `retrial what-if`: the last change that was tried for the day. Decisions of both sides are made anew, and need not be those of `decisions`.
CREATE EXTERNAL TABLE IF NOT EXISTS `what_if` (
  `event_id` string COMMENT 'CloudTrail\'s eventID: the call, together with account_id',
  `event_time` timestamp COMMENT 'when the call was made (eventTime)',
  `account_id` string COMMENT 'the account whose trail recorded the call (recipientAccountId)',
  `region` string COMMENT 'awsRegion',
  `event_source` string COMMENT 'eventSource',
  `event_name` string COMMENT 'eventName',
  `principal_arn` string COMMENT 'the user, role or root whose policies count, for a session its role',
  `session_name` string COMMENT 'the role session name, null without a session',
  `caller_account_id` string COMMENT 'the caller\'s account (userIdentity.accountId)',
  `action` string COMMENT 'the action that is decided otherwise, of several the worst, then the first',
  `resource_arn` string COMMENT 'the resource that it is asked for, or *',
  `outcome` string COMMENT 'what AWS recorded: succeeded, denied, failed_after_authorization, failed',
  `effect` string COMMENT 'newly_denied, newly_allowed, newly_undetermined, no_longer_evaluated, no_longer_denied, other',
  `decision_before` string COMMENT 'the call\'s decision under the snapshot as it is',
  `decision` string COMMENT 'the call\'s decision with the change',
  `verdict_before` string COMMENT 'the call\'s verdict under the snapshot as it is',
  `verdict` string COMMENT 'the call\'s verdict with the change',
  `reason` string COMMENT 'why it is undetermined or not evaluated with the change',
  `layer` string COMMENT 'the layer that blocks the action with the change, null where none does',
  `determined_by` array<struct<layer:string,policy:string,index:bigint,sid:string,effect:string>> COMMENT 'the statements that determine the action\'s decision with the change',
  `determined_by_before` array<struct<layer:string,policy:string,index:bigint,sid:string,effect:string>> COMMENT 'the statements that determine it under the snapshot as it is',
  `unknown_keys` array<string> COMMENT 'the condition keys that could turn an undetermined decision',
  `unknown_layers` array<string> COMMENT 'the layers that were not collected and could',
  `assumes` array<string> COMMENT 'what an allowed with the change takes for granted without having seen it',
  `copy` boolean COMMENT 'whether the record is the resource owner\'s copy of another account\'s call',
  `snapshot_id` string COMMENT 'the snapshot as it is',
  `changed_snapshot_id` string COMMENT 'the snapshot with the change laid over it',
  `log_file` string COMMENT 'the log file that has the record, relative to the source\'s root',
  `record_index` bigint COMMENT 'the record\'s index in that file, from 0'
)
PARTITIONED BY (`as_of` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/what_if/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.as_of.type' = 'date',
  'projection.as_of.format' = 'yyyy-MM-dd',
  'projection.as_of.range' = '2013-11-13,NOW+1DAYS',
  'projection.as_of.interval' = '1',
  'projection.as_of.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/what_if/as_of=${as_of}/'
)
