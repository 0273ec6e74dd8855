//! The stories that are planted in the week, in words, with their event ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::organisation::{DATA_KEY, People};
use crate::caller::Identity;

/// One story. What must be said of its calls is beside them, where they are made.
struct Story {
    id: &'static str,
    /// A verdict, or `reason` of one that was not evaluated.
    kind: &'static str,
    who: fn(&People) -> Option<&Identity>,
    action: &'static str,
    why: &'static str,
}

const STORIES: [Story; 27] = [
    Story {
        id: "old-execution-role",
        kind: "would_be_denied",
        who: |people| Some(&people.scientist),
        action: "iam:PassRole",
        why: "CreateTrainingJob handed the old execution role to SageMaker; since Friday DataScientistPassRole names only ResearchTrainingRole",
    },
    Story {
        id: "push-to-a-dropped-repository",
        kind: "would_be_denied",
        who: |people| Some(&people.builder),
        action: "ecr:PutImage",
        why: "since Friday PublishImages no longer names legacy/scorer, and the repository has no policy of its own",
    },
    Story {
        id: "models-are-frozen",
        kind: "would_be_denied",
        who: |people| Some(&people.forecast),
        action: "machinelearning:UpdateMLModel",
        why: "since Friday the inline policy FreezeModels denies it explicitly",
    },
    Story {
        id: "checkpoints-outside-the-prefix",
        kind: "would_be_denied",
        who: |people| Some(&people.training),
        action: "s3:PutObject",
        why: "since Friday WriteModels covers models/* only; the bucket has no policy and ACLs are off",
    },
    Story {
        id: "cache-outside-the-boundary",
        kind: "would_be_denied",
        who: |people| Some(&people.builder),
        action: "s3:PutObject",
        why: "the identity policy allows it, but since Friday the permissions boundary lets only s3:Get* and s3:List* through",
    },
    Story {
        id: "evaluations-are-granted",
        kind: "would_be_allowed",
        who: |people| Some(&people.forecast),
        action: "machinelearning:CreateEvaluation",
        why: "denied until Wednesday, allowed by the group's policy since; an IAM user, and nothing is assumed",
    },
    Story {
        id: "predictions-are-granted",
        kind: "would_be_allowed",
        who: |people| Some(&people.forecast),
        action: "machinelearning:CreateBatchPrediction",
        why: "denied until Wednesday, allowed by the group's policy since; an IAM user, and nothing is assumed",
    },
    Story {
        id: "key-not-collected",
        kind: "undetermined",
        who: |people| Some(&people.serving),
        action: "kms:Decrypt",
        why: "the identity policy is silent about this key; its key policy and grants, which could allow it, were not collected",
    },
    Story {
        id: "delete-by-tag",
        kind: "undetermined",
        who: |people| Some(&people.ops),
        action: "sagemaker:DeleteEndpoint",
        why: "DeleteOwn asks for sagemaker:ResourceTag/owner, and nobody recorded the endpoint's tags",
    },
    Story {
        id: "denied-to-a-session-then-granted",
        kind: "undetermined",
        who: |people| Some(&people.scientist),
        action: "sagemaker:CreateEndpoint",
        why: "denied on Tuesday, allowed by DataScientistDeploy since Thursday, but only if the session's own policy let it through",
    },
    Story {
        id: "finance-was-and-is-denied",
        kind: "agrees",
        who: |people| Some(&people.scientist),
        action: "s3:GetObject",
        why: "denied then and now",
    },
    Story {
        id: "old-role-was-and-is-denied",
        kind: "agrees",
        who: |people| Some(&people.scientist),
        action: "iam:PassRole",
        why: "the same call as old-execution-role, after the change: AWS denied it, and so do we",
    },
    Story {
        id: "policy-changes",
        kind: "agrees",
        who: |people| Some(&people.carol),
        action: "iam:CreatePolicyVersion, iam:PutUserPolicy, iam:PutRolePolicy",
        why: "the writes that made what is planted here; the administrator may do anything",
    },
    Story {
        id: "service-linked-role",
        kind: "agrees",
        who: |people| Some(&people.scaling),
        action: "cloudwatch:DescribeAlarms, sagemaker:DescribeEndpoint",
        why: "evaluated like any other role, by the compiled-in copy of its AWS managed policy",
    },
    Story {
        id: "root-user",
        kind: "agrees",
        who: |_| None,
        action: "iam:GetAccountSummary",
        why: "the root user has no policies and may do what no limiting layer takes",
    },
    Story {
        id: "throttled",
        kind: "not_comparable",
        who: |people| Some(&people.scientist),
        action: "sagemaker:ListTrainingJobs",
        why: "throttling says nothing of authorization",
    },
    Story {
        id: "invalid",
        kind: "not_comparable",
        who: |people| Some(&people.ops),
        action: "sagemaker:CreateEndpoint",
        why: "a validation error says nothing of authorization",
    },
    Story {
        id: "service-assumes-role",
        kind: "agrees",
        who: |_| None,
        action: "sts:AssumeRole",
        why: "SageMaker, ECS and Application Auto Scaling assume roles; the trust policies allow that",
    },
    Story {
        id: "cloudtrail-writes-its-logs",
        kind: "service_principal",
        who: |_| None,
        action: "kms:GenerateDataKey, s3:GetBucketAcl",
        why: "CloudTrail in its own name",
    },
    Story {
        id: "web-identity-sign-in",
        kind: "agrees",
        who: |_| None,
        action: "sts:AssumeRoleWithWebIdentity",
        why: "the caller has no role yet; the role's trust policy allows the provider",
    },
    Story {
        id: "single-sign-on",
        kind: "agrees",
        who: |_| None,
        action: "sts:AssumeRoleWithSAML",
        why: "a person signs in at IAM Identity Center; the role's trust policy allows the provider",
    },
    Story {
        id: "service-events",
        kind: "not_an_iam_action",
        who: |_| None,
        action: "",
        why: "AwsServiceEvent: ECR expires images, KMS rotates a key",
    },
    Story {
        id: "role-deleted",
        kind: "principal_deleted",
        who: |people| Some(&people.migration),
        action: "s3:GetObject",
        why: "the account was collected and has no such role",
    },
    Story {
        id: "role-recreated",
        kind: "principal_recreated",
        who: |people| Some(&people.features_before),
        action: "sagemaker:ListFeatureGroups",
        why: "the role of this name has another unique id today",
    },
    Story {
        id: "stranger",
        kind: "caller_not_shown",
        who: |_| None,
        action: "s3:GetObject",
        why: "a caller of another account, shown without an ARN",
    },
    Story {
        id: "account-not-collected",
        kind: "principal_not_in_snapshot",
        who: |people| Some(&people.visitor),
        action: "ec2:DescribeInstances",
        why: "the account is in the trail and not in the snapshot",
    },
    Story {
        id: "unmapped-event",
        kind: "unmapped",
        who: |people| Some(&people.scientist),
        action: "",
        why: "an event name that SageMaker does not have",
    },
];

/// More, of which there is little to say.
const OTHERS: [(&str, &str, &str); 5] = [
    (
        "addendum",
        "addendum",
        "amends the record of an earlier call",
    ),
    (
        "no-permission-needed",
        "no_permission_needed",
        "sts:GetSessionToken needs no permission",
    ),
    (
        "session-with-a-policy",
        "agrees",
        "Carol assumes BreakGlass with a session policy that lets her do no more than look",
    ),
    (
        "within-the-session-policy",
        "agrees",
        "what the role's policy and the session's allow",
    ),
    (
        "beyond-the-session-policy",
        "agrees",
        "the role's policy allows it; the session's policy was and is in the way",
    ),
];

pub(super) fn json(planted: &BTreeMap<&'static str, Vec<String>>, people: &People) -> Value {
    let mut rows: Vec<Value> = STORIES
        .iter()
        .map(|story| {
            let events = planted.get(story.id).expect("every story is in the week");
            json!({
                "id": story.id, "kind": story.kind, "principal_arn": (story.who)(people).map(Identity::arn), "action": story.action,
                "calls": events.len(), "event_ids": events, "why": story.why,
            })
        })
        .collect();
    for (id, kind, why) in OTHERS {
        let events = planted.get(id).expect("every story is in the week");
        rows.push(json!({"id": id, "kind": kind, "principal_arn": null, "action": "", "calls": events.len(), "event_ids": events, "why": why}));
    }
    assert_eq!(
        rows.len(),
        planted.len(),
        "every planted call belongs to a story"
    );
    Value::Array(rows)
}

/// What execution roles have and lack for the jobs of the week: some of each state, as AWS's page on execution roles
/// and the roles' own statements have it. One state stands for several causes.
pub(super) fn role_needs(people: &People) -> Value {
    let row = |who: &Identity,
               action: &str,
               resource: &str,
               state: &str,
               reason: Option<&str>,
               why: &str| {
        json!({"role_arn": who.arn(), "action": action, "resource_arn": resource, "state": state, "reason": reason, "why": why})
    };
    let output = "arn:aws:s3:::research-training-output";
    json!([
        row(
            &people.training,
            "s3:PutObject",
            &format!("{output}/models/*"),
            "present",
            None,
            "the training jobs write there, and a statement allows it"
        ),
        row(
            &people.old_training,
            "cloudwatch:PutMetricData",
            "*",
            "missing",
            None,
            "AWS lists it for CreateTrainingJob, and no statement of the old role names it"
        ),
        row(
            &people.training,
            "s3:GetObject",
            &format!("{output}/models/churn/output/model.tar.gz"),
            "missing",
            None,
            "the models are made of it; since Friday the role only reads the datasets"
        ),
        row(
            &people.training,
            "kms:CreateGrant",
            &DATA_KEY.arn(),
            "excess",
            None,
            "no job of the week has an encrypted volume"
        ),
        row(
            &people.training,
            "ec2:DescribeVpcs",
            "*",
            "excess",
            None,
            "no job of the week joins a VPC"
        ),
        row(
            &people.training,
            "kms:Decrypt",
            "arn:aws:kms:eu-west-1:*:key/*",
            "unverifiable",
            Some("may_not_need"),
            "only if the input is encrypted with SSE-KMS, which no request tells"
        ),
    ])
}

/// What a least policy for the old execution role leaves of its statements, by what its jobs of the week read and
/// write ([`super::research::training_job`]).
pub(super) fn rightsizing(people: &People) -> Value {
    let row = |action: &str, resource: &str, stays: bool, why: &str| json!({"principal_arn": people.old_training.arn(), "action": action, "resource_arn": resource, "stays": stays, "why": why});
    let (input, output) = (
        "arn:aws:s3:::research-datasets",
        "arn:aws:s3:::research-training-output",
    );
    json!([
        row(
            "s3:GetObject",
            &format!("{input}/churn/2026/07/part-00000.parquet"),
            true,
            "the data set that its jobs read"
        ),
        row(
            "s3:PutObject",
            &format!("{output}/models/churn-legacy-20261109-0/output/model.tar.gz"),
            true,
            "the next job will write below `models/` as those of the week did"
        ),
        row(
            "ecr:GetAuthorizationToken",
            "*",
            true,
            "every job pulls an image"
        ),
        row(
            "s3:GetObject",
            &format!("{input}/salaries/2026.csv"),
            false,
            "no job reads another data set"
        ),
        row(
            "s3:PutObject",
            &format!("{input}/churn/2026/07/part-00000.parquet"),
            false,
            "no job writes where its input lies"
        ),
        row(
            "s3:PutObject",
            &format!("{output}/reports/2026.csv"),
            false,
            "no job writes beside `models/`"
        ),
        row(
            "s3:DeleteObject",
            &format!("{output}/models/churn-legacy-20261102-0/output/model.tar.gz"),
            false,
            "no job deletes"
        ),
    ])
}

/// Statements of which no action, or not every action, was used in the week.
pub(super) fn unused(people: &People) -> Value {
    let row = |who: &Identity, policy: &str, sid: &str, actions: &[&str]| json!({"principal_arn": who.arn(), "policy": policy, "sid": sid, "actions": actions});
    let inline = |who: &Identity, name: &str| format!("{}#{name}", who.arn());
    let vpc = [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ];
    let train = [
        "sagemaker:CreateHyperParameterTuningJob",
        "sagemaker:CreateProcessingJob",
    ];
    json!([
        row(
            &people.scientist,
            &inline(&people.scientist, "AwsSSOInlinePolicy"),
            "Train",
            &train
        ),
        row(
            &people.scientist,
            &inline(&people.scientist, "AwsSSOInlinePolicy"),
            "Datasets",
            &["s3:DeleteObject"]
        ),
        row(
            &people.scientist,
            &inline(&people.scientist, "AwsSSOInlinePolicy"),
            "Logs",
            &["logs:DescribeLogStreams", "logs:GetLogEvents"]
        ),
        row(
            &people.scientist,
            &inline(&people.scientist, "AwsSSOInlinePolicy"),
            "Keys",
            &["kms:GenerateDataKey"]
        ),
        row(
            &people.training,
            &inline(&people.training, "ResearchTraining"),
            "Keys",
            &["kms:CreateGrant"]
        ),
        row(
            &people.training,
            &inline(&people.training, "ResearchTraining"),
            "Vpc",
            &vpc
        ),
        row(
            &people.training,
            &inline(&people.training, "ResearchTraining"),
            "Logs",
            &["logs:CreateLogGroup"]
        ),
        row(
            &people.old_training,
            &inline(&people.old_training, "ExecutionPolicy"),
            "Data",
            &["s3:DeleteObject"]
        ),
        row(
            &people.ops,
            "arn:aws:iam::444455556666:policy/DeployEndpoints",
            "Deploy",
            &["sagemaker:DeleteModel"]
        ),
        row(
            &people.ops,
            "arn:aws:iam::444455556666:policy/DeployEndpoints",
            "Scaling",
            &["cloudwatch:PutMetricAlarm"]
        ),
        row(
            &people.serving,
            &inline(&people.serving, "Serving"),
            "Pull",
            &["ecr:BatchCheckLayerAvailability"]
        ),
    ])
}
