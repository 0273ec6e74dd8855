//! The policies as they stand on the day of the snapshot, and as two of them stood before.

use serde_json::{Value, json};

use super::organisation::*;

fn document(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(sid: &str, actions: &[&str], resources: &[&str]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": one_or_many(actions), "Resource": one_or_many(resources)})
}

/// AWS accepts and keeps both forms.
fn one_or_many(of: &[&str]) -> Value {
    match of {
        [one] => json!(one),
        many => json!(many),
    }
}

const PULL: [&str; 3] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
];

/// The data scientist's own policy at the permission set.
pub(crate) fn scientist() -> Value {
    let data = [
        "arn:aws:s3:::research-datasets/*",
        "arn:aws:s3:::research-notebooks/*",
    ];
    let train = [
        "sagemaker:AddTags",
        "sagemaker:CreateHyperParameterTuningJob",
        "sagemaker:CreateProcessingJob",
        "sagemaker:CreateTrainingJob",
        "sagemaker:StopTrainingJob",
    ];
    document(vec![
        allow("Train", &train, &["*"]),
        allow(
            "Datasets",
            &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            &data,
        ),
        allow(
            "Buckets",
            &["s3:ListBucket", "s3:GetBucketLocation"],
            &[
                "arn:aws:s3:::research-datasets",
                "arn:aws:s3:::research-notebooks",
            ],
        ),
        allow("AllBuckets", &["s3:ListAllMyBuckets"], &["*"]),
        allow(
            "Logs",
            &[
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
            ],
            &["*"],
        ),
        allow(
            "Keys",
            &["kms:Decrypt", "kms:GenerateDataKey"],
            &[&DATA_KEY.arn()],
        ),
    ])
}

/// Which execution roles the data scientist may hand to SageMaker; before Friday the old one as well.
pub(crate) fn pass_role(roles: &[&str]) -> Value {
    let mut statement = allow("PassTrainingRole", &["iam:PassRole"], roles);
    statement["Condition"] =
        json!({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}});
    document(vec![statement])
}

/// What the data scientist may deploy; `CreateEndpoint` came on Thursday.
pub(crate) fn deploy(with_endpoint: bool) -> Value {
    let mut actions = vec![
        "sagemaker:CreateModel",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:DescribeModel",
    ];
    if with_endpoint {
        actions.push("sagemaker:CreateEndpoint");
    }
    document(vec![allow("Deploy", &actions, &["*"])])
}

/// The training role; before Friday it could write anywhere in its bucket.
pub(crate) fn training() -> Value {
    document(vec![
        allow(
            "ReadData",
            &["s3:GetObject"],
            &["arn:aws:s3:::research-datasets/*"],
        ),
        allow(
            "ListBuckets",
            &["s3:ListBucket"],
            &[
                "arn:aws:s3:::research-datasets",
                "arn:aws:s3:::research-training-output",
            ],
        ),
        allow(
            "WriteModels",
            &["s3:PutObject"],
            &["arn:aws:s3:::research-training-output/models/*"],
        ),
        allow("Token", &["ecr:GetAuthorizationToken"], &["*"]),
        allow(
            "Pull",
            &PULL,
            &["arn:aws:ecr:eu-west-1:111122223333:repository/training/*"],
        ),
        allow(
            "Keys",
            &["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"],
            &[&DATA_KEY.arn()],
        ),
        allow(
            "Logs",
            &[
                "cloudwatch:PutMetricData",
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
            ],
            &["*"],
        ),
        allow(
            "Vpc",
            &[
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            &["*"],
        ),
    ])
}

/// The execution role that SageMaker's console made years ago.
pub(crate) fn old_training() -> Value {
    let objects = [
        "arn:aws:s3:::research-datasets/*",
        "arn:aws:s3:::research-training-output/*",
    ];
    document(vec![
        allow(
            "Data",
            &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            &objects,
        ),
        allow(
            "Buckets",
            &["s3:ListBucket"],
            &[
                "arn:aws:s3:::research-datasets",
                "arn:aws:s3:::research-training-output",
            ],
        ),
        allow("Token", &["ecr:GetAuthorizationToken"], &["*"]),
        allow(
            "Pull",
            &PULL,
            &["arn:aws:ecr:eu-west-1:111122223333:repository/*"],
        ),
        allow(
            "Keys",
            &["kms:Decrypt", "kms:GenerateDataKey"],
            &[&DATA_KEY.arn()],
        ),
        allow(
            "Logs",
            &["logs:CreateLogGroup", "logs:CreateLogStream"],
            &["*"],
        ),
    ])
}

/// The image builder; before Friday it could publish to `legacy/scorer` as well.
pub(crate) fn builder(publish: &[&str]) -> Value {
    let layers = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
    ];
    document(vec![
        allow("Token", &["ecr:GetAuthorizationToken"], &["*"]),
        allow(
            "PushLayers",
            &layers,
            &["arn:aws:ecr:eu-west-1:111122223333:repository/*"],
        ),
        allow("PublishImages", &["ecr:PutImage"], publish),
        allow(
            "BuildCache",
            &["s3:GetObject", "s3:PutObject"],
            &["arn:aws:s3:::research-build-cache/*"],
        ),
    ])
}

/// The image builder's boundary; before Friday it let all of S3 through.
pub(crate) fn boundary(s3: &[&str]) -> Value {
    document(vec![
        allow("Workloads", &["ecr:*", "logs:*", "sts:*"], &["*"]),
        allow("Storage", s3, &["*"]),
    ])
}

/// The Amazon ML user's group; evaluations and batch predictions came on Wednesday.
pub(crate) fn forecast(later: bool) -> Value {
    let mut actions = vec![
        "machinelearning:CreateDataSourceFromS3",
        "machinelearning:CreateMLModel",
        "machinelearning:Update*",
        "machinelearning:DescribeTags",
        "machinelearning:Get*",
    ];
    if later {
        actions.extend([
            "machinelearning:CreateBatchPrediction",
            "machinelearning:CreateEvaluation",
        ]);
    }
    document(vec![
        allow("MachineLearning", &actions, &["*"]),
        allow(
            "Results",
            &["s3:GetObject"],
            &["arn:aws:s3:::research-forecasts/*"],
        ),
    ])
}

/// Since Friday models stay as they are.
pub(crate) fn freeze_models() -> Value {
    document(vec![
        json!({"Sid": "FreezeModels", "Effect": "Deny", "Action": "machinelearning:UpdateMLModel", "Resource": "*"}),
    ])
}

pub(crate) fn administrator() -> Value {
    document(vec![
        json!({"Effect": "Allow", "Action": "*", "Resource": "*"}),
    ])
}

pub(crate) fn features() -> Value {
    document(vec![allow("Features", &["sagemaker:*"], &["*"])])
}

/// Whoever deploys may delete only what carries the tag `owner`: `ops`.
pub(crate) fn ops(serving_role: &str) -> Value {
    let deploy = [
        "sagemaker:CreateEndpoint",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:DeleteModel",
        "sagemaker:DescribeEndpoint",
        "sagemaker:ListEndpoints",
        "sagemaker:UpdateEndpoint",
    ];
    let mut delete = allow("DeleteOwn", &["sagemaker:DeleteEndpoint"], &["*"]);
    delete["Condition"] = json!({"StringEquals": {"sagemaker:ResourceTag/owner": "ops"}});
    let mut pass = allow("PassServingRole", &["iam:PassRole"], &[serving_role]);
    pass["Condition"] = json!({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}});
    let scaling = [
        "application-autoscaling:Describe*",
        "autoscaling:Describe*",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:PutMetricAlarm",
    ];
    document(vec![
        allow("Deploy", &deploy, &["*"]),
        delete,
        pass,
        allow("Scaling", &scaling, &["*"]),
    ])
}

pub(crate) fn serving() -> Value {
    document(vec![
        allow(
            "ReadModels",
            &["s3:GetObject"],
            &["arn:aws:s3:::platform-models/*"],
        ),
        allow(
            "ListModels",
            &["s3:ListBucket"],
            &["arn:aws:s3:::platform-models"],
        ),
        allow("Token", &["ecr:GetAuthorizationToken"], &["*"]),
        allow("Pull", &PULL, &[&SERVING.arn()]),
        allow("Keys", &["kms:Decrypt"], &[&MODEL_KEY.arn()]),
        allow(
            "Logs",
            &[
                "cloudwatch:PutMetricData",
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
            ],
            &["*"],
        ),
    ])
}

pub(crate) fn scoring() -> Value {
    document(vec![allow(
        "Score",
        &["sagemaker:InvokeEndpoint"],
        &["arn:aws:sagemaker:eu-west-1:444455556666:endpoint/churn-*"],
    )])
}

/// No statement of the bucket's policy grants anything.
pub(crate) fn tls_only() -> Value {
    document(vec![json!({
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::research-datasets", "arn:aws:s3:::research-datasets/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })])
}

/// The policy that KMS gives a new key: the account decides through IAM.
pub(crate) fn key_policy(account: &str) -> Value {
    document(vec![json!({
        "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
        "Action": "kms:*", "Resource": "*",
    })])
}

/// Who may assume a role: a service, or the account's own principals.
pub(crate) fn trust(principal: Value, action: &str) -> Value {
    document(vec![
        json!({"Effect": "Allow", "Principal": principal, "Action": action}),
    ])
}
