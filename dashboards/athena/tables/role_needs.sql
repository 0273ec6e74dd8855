-- What the jobs of the window need of each execution role, each need once, against the policies of the snapshot of now, and what the role is granted that no need covers. `missing` is only what a job needs for sure, on what its request tells, and the role is denied, whatever cannot be told is `unverifiable`, with the reason. How `excess` is found stands in `crates/replay/mapping/needs/README.md`.
CREATE EXTERNAL TABLE IF NOT EXISTS `role_needs` (
  `account_id` string COMMENT 'the account whose trail recorded the jobs',
  `role_arn` string COMMENT 'the execution role, with * for what no request tells of it, a service that acts in its own name',
  `action` string COMMENT 'the action',
  `resource_arn` string COMMENT 'the resource, with * for what the request does not tell, for excess as the statement writes it',
  `resource_known` boolean COMMENT 'whether resource_arn is whole, otherwise each * in it stands for some text',
  `state` string COMMENT 'present, missing, excess or unverifiable',
  `reason` string COMMENT 'why it is unverifiable: role_not_told, role_not_in_snapshot, role_deleted, may_not_need, resource_not_told, unknown_keys, layers_not_collected, guessed_mapping, spellings_disagree, other_account, observed: present because the role\'s own calls used it,…',
  `required` boolean COMMENT 'whether a job needs it for sure, null for excess',
  `mapping` string COMMENT 'how sure the need is: verified, derived, guessed, null for excess',
  `decision` string COMMENT 'what the evaluator says: allowed, explicit_deny, implicit_deny, undetermined, null where it was not asked',
  `layer` string COMMENT 'the layer that blocks',
  `determined_by` array<struct<layer:string,policy:string,index:bigint,sid:string,effect:string>> COMMENT 'the statements that determined it, for excess the first that grants it',
  `unknown_keys` array<string> COMMENT 'the condition keys that would turn an undetermined decision',
  `unknown_layers` array<string> COMMENT 'the layers that were not collected and would turn it',
  `assumes` array<string> COMMENT 'what an allow assumes',
  `context` map<string,array<string>> COMMENT 'the condition keys that the job\'s request is known to have',
  `why` string COMMENT 'what in the job needs it',
  `source_field` string COMMENT 'the field of the request that says so',
  `page` string COMMENT 'AWS\'s page about it',
  `jobs` bigint COMMENT 'how many job requests need it',
  `first_time` timestamp COMMENT 'the first of them',
  `last_time` timestamp COMMENT 'the last of them',
  `event_source` string COMMENT 'the service of the first',
  `event_name` string COMMENT 'the operation that began it',
  `event_id` string COMMENT 'CloudTrail\'s eventID of it, as a sample'
)
PARTITIONED BY (`as_of` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/role_needs/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.as_of.type' = 'date',
  'projection.as_of.format' = 'yyyy-MM-dd',
  'projection.as_of.range' = '2013-11-13,NOW+1DAYS',
  'projection.as_of.interval' = '1',
  'projection.as_of.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://BUCKET/PREFIX/role_needs/as_of=${as_of}/'
)
