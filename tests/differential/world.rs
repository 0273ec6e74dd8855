//! Who asks for what in a random case: callers, resources and the keys of the request.

use serde_json::{Map, Value, json};

use crate::random::Random;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";
pub(crate) const ORGANIZATION: &str = "o-exampleorg";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    User,
    RoleSession,
    ServiceLinkedRole,
    FederatedUser,
    Root,
    Service,
    Anonymous,
}

/// The caller as the case names it, and the other names that policies have for it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) kind: CallerKind,
    pub(crate) principal: String,
    /// `aws:PrincipalArn`; empty where there is none.
    pub(crate) principal_arn: String,
    pub(crate) account: &'static str,
}

impl Caller {
    pub(crate) fn random(random: &mut Random) -> Caller {
        let account = ACCOUNT;
        let caller = |kind, principal: &str, principal_arn: &str| Caller {
            kind,
            principal: principal.to_owned(),
            principal_arn: principal_arn.to_owned(),
            account,
        };
        match random.weighted(&[20, 50, 3, 8, 5, 8, 6]) {
            0 => {
                let arn = *random.pick(&[
                    "arn:aws:iam::111122223333:user/bob",
                    "arn:aws:iam::111122223333:user/team/bob",
                ]);
                caller(CallerKind::User, arn, arn)
            }
            1 => caller(
                CallerKind::RoleSession,
                "arn:aws:sts::111122223333:assumed-role/app/alice",
                random.pick::<&str>(&[
                    "arn:aws:iam::111122223333:role/app",
                    "arn:aws:iam::111122223333:role/team/app",
                ]),
            ),
            2 => caller(
                CallerKind::ServiceLinkedRole,
                "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForExample/session",
                "arn:aws:iam::111122223333:role/aws-service-role/example.amazonaws.com/AWSServiceRoleForExample",
            ),
            3 => caller(
                CallerKind::FederatedUser,
                "arn:aws:sts::111122223333:federated-user/carol",
                "arn:aws:sts::111122223333:federated-user/carol",
            ),
            4 => caller(
                CallerKind::Root,
                "arn:aws:iam::111122223333:root",
                "arn:aws:iam::111122223333:root",
            ),
            5 => caller(CallerKind::Service, "cloudtrail.amazonaws.com", ""),
            _ => caller(CallerKind::Anonymous, "anonymous", ""),
        }
    }

    /// Has an account and policies of its own.
    pub(crate) fn is_iam(&self) -> bool {
        !matches!(self.kind, CallerKind::Service | CallerKind::Anonymous)
    }
}

/// What stands in a resource's policy besides `Principal`, `Action` and `Condition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyForm {
    /// The type of resource has no policy.
    None,
    WithResource,
    /// Trust policies and ECR repository policies have no `Resource` element.
    WithoutResource,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) action: &'static str,
    pub(crate) arn: String,
    pub(crate) account: &'static str,
    pub(crate) policy: PolicyForm,
    pub(crate) wildcard_only: bool,
}

use PolicyForm::{None as NoPolicy, WithResource, WithoutResource};

/// Actions with the rest of their resource's ARN (`@` stands for the owner's account).
const TARGETS: [(&str, &str, PolicyForm); 27] = [
    (
        "s3:GetObject",
        "arn:aws:s3:::lake/ds/part-1.csv",
        WithResource,
    ),
    (
        "s3:GetObject",
        "arn:aws:s3:::lake/home/bob/a:b",
        WithResource,
    ),
    ("s3:PutObject", "arn:aws:s3:::lake/A.txt", WithResource),
    (
        "s3:DeleteObject",
        "arn:aws:s3:::lake/ds/new\nline",
        WithResource,
    ),
    ("s3:ListBucket", "arn:aws:s3:::lake", WithResource),
    ("s3:GetBucketLocation", "arn:aws:s3:::lake-2", WithResource),
    (
        "kms:Decrypt",
        "arn:aws:kms:us-east-1:@:key/k-1",
        WithResource,
    ),
    (
        "kms:GenerateDataKey",
        "arn:aws:kms:us-east-1:@:key/k-1",
        WithResource,
    ),
    (
        "kms:DescribeKey",
        "arn:aws:kms:eu-west-1:@:key/k-2",
        WithResource,
    ),
    (
        "sts:AssumeRole",
        "arn:aws:iam::@:role/target",
        WithoutResource,
    ),
    (
        "sts:AssumeRole",
        "arn:aws:iam::@:role/team/target",
        WithoutResource,
    ),
    (
        "sts:TagSession",
        "arn:aws:iam::@:role/target",
        WithoutResource,
    ),
    (
        "sqs:SendMessage",
        "arn:aws:sqs:us-east-1:@:jobs",
        WithResource,
    ),
    ("sns:Publish", "arn:aws:sns:us-east-1:@:topic", WithResource),
    (
        "lambda:InvokeFunction",
        "arn:aws:lambda:us-east-1:@:function:train",
        WithResource,
    ),
    (
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:us-east-1:@:secret:db-AbCdEf",
        WithResource,
    ),
    (
        "ecr:BatchGetImage",
        "arn:aws:ecr:us-east-1:@:repository/team/image",
        WithoutResource,
    ),
    (
        "dynamodb:GetItem",
        "arn:aws:dynamodb:us-east-1:@:table/features",
        WithResource,
    ),
    (
        "ec2:StartInstances",
        "arn:aws:ec2:us-east-1:@:instance/i-0123456789abcdef0",
        NoPolicy,
    ),
    (
        "sagemaker:CreateTrainingJob",
        "arn:aws:sagemaker:us-east-1:@:training-job/j-1",
        NoPolicy,
    ),
    (
        "sagemaker:InvokeEndpoint",
        "arn:aws:sagemaker:us-east-1:@:endpoint/e-1",
        NoPolicy,
    ),
    ("iam:GetUser", "arn:aws:iam::@:user/bob", NoPolicy),
    ("iam:PassRole", "arn:aws:iam::@:role/target", NoPolicy),
    (
        "logs:PutLogEvents",
        "arn:aws:logs:us-east-1:@:log-group:app:log-stream:s",
        NoPolicy,
    ),
    ("ec2:DescribeInstances", "*", NoPolicy),
    ("ecr:GetAuthorizationToken", "*", NoPolicy),
    ("sts:GetCallerIdentity", "*", NoPolicy),
];

impl Target {
    pub(crate) fn random(random: &mut Random, caller: &Caller) -> Target {
        let (action, arn, policy) = *random.pick(&TARGETS);
        // Unsigned requests reach only what a resource's policy opens to everybody.
        if caller.kind == CallerKind::Anonymous && policy == NoPolicy {
            return Target::random(random, caller);
        }
        let wildcard_only = arn == "*";
        let foreign = !wildcard_only && policy != PolicyForm::None && random.chance(30);
        let account = if foreign {
            OTHER_ACCOUNT
        } else {
            caller.account
        };
        Target {
            action,
            arn: arn.replace('@', account),
            account,
            policy,
            wildcard_only,
        }
    }

    pub(crate) fn service(&self) -> &'static str {
        self.action.split(':').next().unwrap()
    }
}

/// What kind of text a key holds, which decides the operators that usually go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Text,
    Arn,
    Bool,
    Number,
    Date,
    Ip,
    Binary,
}

/// Keys that a request may carry, with values that they may have; a key that holds lists has `true`.
pub(crate) const KEYS: [(&str, KeyKind, bool, &[&str]); 24] = [
    (
        "aws:PrincipalTag/team",
        KeyKind::Text,
        false,
        &["ds", "ml", "d*s", "DS"],
    ),
    ("aws:RequestTag/team", KeyKind::Text, false, &["ds", "ml"]),
    (
        "aws:ResourceTag/env",
        KeyKind::Text,
        false,
        &["prod", "dev"],
    ),
    (
        "aws:RequestedRegion",
        KeyKind::Text,
        false,
        &["us-east-1", "eu-west-1"],
    ),
    (
        "aws:userid",
        KeyKind::Text,
        false,
        &["AROAEXAMPLE:alice", "AIDAEXAMPLE"],
    ),
    (
        "aws:PrincipalOrgID",
        KeyKind::Text,
        false,
        &[ORGANIZATION, "o-otherorg00"],
    ),
    (
        "aws:UserAgent",
        KeyKind::Text,
        false,
        &["aws-cli/2", "two\nlines"],
    ),
    (
        "kms:ViaService",
        KeyKind::Text,
        false,
        &["s3.us-east-1.amazonaws.com"],
    ),
    (
        "aws:SourceVpce",
        KeyKind::Text,
        false,
        &["vpce-1", "vpce-2"],
    ),
    ("s3:prefix", KeyKind::Text, false, &["ds/", "home/bob", ""]),
    (
        "aws:SourceArn",
        KeyKind::Arn,
        false,
        &[
            "arn:aws:s3:::lake",
            "foo:aws:s3:::lake",
            "arn:aws:sns:us-east-1:111122223333:topic",
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/main/a:b",
        ],
    ),
    (
        "aws:SecureTransport",
        KeyKind::Bool,
        false,
        &["true", "false"],
    ),
    (
        "aws:MultiFactorAuthPresent",
        KeyKind::Bool,
        false,
        &["true", "false"],
    ),
    (
        "aws:ViaAWSService",
        KeyKind::Bool,
        false,
        &["true", "false", "True"],
    ),
    (
        "aws:MultiFactorAuthAge",
        KeyKind::Number,
        false,
        &["0", "300", "3600", "86400"],
    ),
    (
        "s3:max-keys",
        KeyKind::Number,
        false,
        &["1", "10", "1000", "-5"],
    ),
    (
        "aws:CurrentTime",
        KeyKind::Date,
        false,
        &[
            "2026-11-01T00:00:00Z",
            "2026-11-21T12:30:00Z",
            "2030-01-01T00:00:00Z",
        ],
    ),
    (
        "aws:TokenIssueTime",
        KeyKind::Date,
        false,
        &["2026-11-20T09:00:00Z", "2026-11-21T12:30:00Z"],
    ),
    (
        "aws:SourceIp",
        KeyKind::Ip,
        false,
        &["203.0.113.7", "10.1.2.3", "2001:db8::1", "192.0.2.129"],
    ),
    (
        "aws:VpcSourceIp",
        KeyKind::Ip,
        false,
        &["10.0.0.9", "2001:db8:0:1::2"],
    ),
    (
        "example:Blob",
        KeyKind::Binary,
        false,
        &["AQID", "aGVsbG8="],
    ),
    ("aws:TagKeys", KeyKind::Text, true, &["team", "env", "Team"]),
    (
        "aws:CalledVia",
        KeyKind::Text,
        true,
        &[
            "athena.amazonaws.com",
            "glue.amazonaws.com",
            "kms.amazonaws.com",
        ],
    ),
    (
        "aws:PrincipalOrgPaths",
        KeyKind::Text,
        true,
        &["o-exampleorg/r-1/ou-1/", "o-exampleorg/r-1/ou-2/"],
    ),
];

/// The keys of a request: those that the caller has, and some of the others.
pub(crate) fn context(random: &mut Random, caller: &Caller) -> Map<String, Value> {
    let mut context = Map::new();
    if caller.is_iam() {
        context.insert("aws:PrincipalArn".into(), json!(caller.principal_arn));
        context.insert("aws:PrincipalAccount".into(), json!(caller.account));
    }
    if caller.kind == CallerKind::User {
        context.insert("aws:username".into(), json!("bob"));
    }
    for (key, _, is_list, values) in KEYS {
        if !random.chance(45) {
            continue;
        }
        let value = if is_list {
            let count = random.below(3);
            let mut list: Vec<&str> = (0..count).map(|_| *random.pick(values)).collect();
            list.dedup();
            json!(list)
        } else {
            json!(random.pick(values))
        };
        context.insert(key.into(), value);
    }
    context
}
