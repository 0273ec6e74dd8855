//! The snapshot folder of the small organisation, taken on the Monday after the week.

use serde_json::{Map, Value, json};

use super::Files;
use super::organisation::*;
use super::policies as documents;
use super::sessions::saml_provider;
use crate::account::{Account, Policies, layer};

pub(crate) const PASS_ROLE: &str = "arn:aws:iam::111122223333:policy/DataScientistPassRole";
pub(crate) const DEPLOY: &str = "arn:aws:iam::111122223333:policy/DataScientistDeploy";
pub(crate) const BUILDER: &str = "arn:aws:iam::111122223333:policy/ci/ImageBuilder";
pub(crate) const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/WorkloadBoundary";
pub(crate) const FORECAST: &str = "arn:aws:iam::111122223333:policy/ForecastBatch";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// When the changes of the week were made; the records of the changes carry the same times.
pub(crate) const WEDNESDAY_CHANGE: &str = "2026-11-04T09:00:00+00:00";
pub(crate) const THURSDAY_CHANGE: &str = "2026-11-05T14:00:00+00:00";
/// On Friday from 18:00, one change a minute.
const FRIDAY_PASS_ROLE: &str = "2026-11-06T18:00:00+00:00";
const FRIDAY_BUILDER: &str = "2026-11-06T18:01:00+00:00";
const FRIDAY_BOUNDARY: &str = "2026-11-06T18:02:00+00:00";
const LONG_AGO: &str = "2024-01-15T10:10:10+00:00";

/// The publishing statement of the image builder, before Friday and since.
pub(crate) const PUBLISH_BEFORE: [&str; 3] = [
    "arn:aws:ecr:eu-west-1:111122223333:repository/training/xgboost",
    "arn:aws:ecr:eu-west-1:111122223333:repository/training/tabnet",
    "arn:aws:ecr:eu-west-1:111122223333:repository/legacy/scorer",
];

pub(crate) fn write(files: &mut Files, people: &People) {
    put(files, "snapshot.json", &head());
    put(files, &details(RESEARCH), &research(people).json());
    put(files, &details(PLATFORM), &platform(people).json());
    for account in [RESEARCH, PLATFORM] {
        resources(files, account);
    }
    put(
        files,
        "accounts/111122223333/resource-policies/kms.json",
        &json!({DATA_KEY.arn(): documents::key_policy(RESEARCH)}),
    );
    put(
        files,
        "accounts/111122223333/kms-grants.json",
        &json!({DATA_KEY.arn(): []}),
    );
    let tags = json!({
        LAB.arn("endpoint/churn-trial"): {"owner": "ada"},
        DATASETS_ARN: {"data-class": "confidential"},
    });
    put(files, "accounts/111122223333/resource-tags.json", &tags);
    put(
        files,
        "accounts/111122223333/vpc-endpoints.json",
        &vpc_endpoints(),
    );
}

/// The endpoint through which training jobs reach S3, with the policy that AWS gives a new one.
fn vpc_endpoints() -> Value {
    let policy = json!({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]});
    json!({"VpcEndpoints": [{
        "VpcEndpointId": VPC_ENDPOINT, "VpcEndpointType": "Gateway", "VpcId": "vpc-0a1b2c3d4e5f60718",
        "ServiceName": "com.amazonaws.eu-west-1.s3", "State": "available", "PolicyDocument": policy.to_string(), "OwnerId": RESEARCH,
    }]})
}

const DATASETS_ARN: &str = "arn:aws:s3:::research-datasets";

fn put(files: &mut Files, path: &str, value: &Value) {
    let mut text = serde_json::to_string_pretty(value).expect("a value has text");
    text.push('\n');
    files.insert(format!("iam/{path}"), text.into_bytes());
}

fn details(account: &str) -> String {
    format!("accounts/{account}/authorization-details.json")
}

/// Everything was collected but the platform account's key policies and grants.
fn head() -> Value {
    let mut layers = vec![
        layer("*", "scp", "*", "complete"),
        layer("*", "rcp", "*", "complete"),
        layer(RESEARCH, "identity", "*", "complete"),
        layer(PLATFORM, "identity", "*", "complete"),
        layer(RESEARCH, "resource_policy", "kms", "complete"),
        layer(RESEARCH, "kms_grants", "kms", "complete"),
        layer(RESEARCH, "vpc_endpoint_policy", "*", "complete"),
        layer(PLATFORM, "resource_policy", "kms", "failed"),
        layer(PLATFORM, "kms_grants", "kms", "failed"),
    ];
    for account in [RESEARCH, PLATFORM] {
        layers.push(layer(account, "resource_policy", "s3", "complete"));
        layers.push(layer(account, "resource_policy", "ecr", "complete"));
        layers.push(layer(account, "s3_acl", "s3", "complete"));
    }
    json!({"taken_at": "2026-11-09T00:00:00Z", "collected_by": "made up", "layers": layers})
}

fn resources(files: &mut Files, account: &str) {
    let mut policies = Map::new();
    let mut buckets = Map::new();
    for bucket in BUCKETS.iter().filter(|bucket| bucket.account == account) {
        // FINANCE is left out of the complete file, which says the same as null: it has no policy.
        if bucket.name != FINANCE.name {
            let policy = if bucket.name == DATASETS.name {
                documents::tls_only()
            } else {
                Value::Null
            };
            policies.insert(format!("arn:aws:s3:::{}", bucket.name), policy);
        }
        buckets.insert(bucket.name.into(), bucket_settings(account));
    }
    put(
        files,
        &format!("accounts/{account}/resource-policies/s3.json"),
        &Value::Object(policies),
    );
    put(
        files,
        &format!("accounts/{account}/s3-buckets.json"),
        &Value::Object(buckets),
    );
    let repositories: Map<String, Value> = REPOSITORIES
        .iter()
        .filter(|repository| repository.account == account)
        .map(|repository| (repository.arn(), Value::Null))
        .collect();
    put(
        files,
        &format!("accounts/{account}/resource-policies/ecr.json"),
        &Value::Object(repositories),
    );
    put(files, &format!("accounts/{account}/trails.json"), &trails());
}

fn bucket_settings(account: &str) -> Value {
    json!({
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration":
            {"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true},
        "OwnerAccount": account,
    })
}

/// One trail of the organisation that logs objects and endpoint calls too.
fn trails() -> Value {
    let arn = "arn:aws:cloudtrail:eu-west-1:444455556666:trail/organization";
    let field = |name: &str, values: &[&str]| json!({"Field": name, "Equals": values});
    let selector = |kind: &str| json!({"Name": kind, "FieldSelectors": [field("eventCategory", &["Data"]), field("resources.type", &[kind])]});
    json!({
        "trailList": [{
            "Name": "organization", "S3BucketName": TRAIL.name, "IncludeGlobalServiceEvents": true, "IsMultiRegionTrail": true,
            "HomeRegion": IRELAND, "TrailARN": arn, "LogFileValidationEnabled": true, "HasCustomEventSelectors": true,
            "HasInsightSelectors": false, "IsOrganizationTrail": true,
        }],
        "eventSelectors": [{
            "TrailARN": arn,
            "AdvancedEventSelectors": [
                {"Name": "Management", "FieldSelectors": [field("eventCategory", &["Management"])]},
                selector("AWS::S3::Object"), selector("AWS::SageMaker::Endpoint"),
            ],
        }],
    })
}

fn research(people: &People) -> Account {
    let mut account = Account::default();
    research_roles(&mut account, people);
    let forecast = Policies {
        groups: vec!["LegacyML".into()],
        ..Policies::inline("FreezeModels", documents::freeze_models())
    };
    account.user(&people.forecast, "2017-05-02T12:00:00+00:00", &forecast);
    let carol = Policies {
        groups: vec!["Administrators".into()],
        ..Policies::default()
    };
    account.user(&people.carol, LONG_AGO, &carol);
    account.group(
        RESEARCH,
        "Administrators",
        "ADMINS",
        &Policies::attached(&[ADMINISTRATOR]),
    );
    account.group(
        RESEARCH,
        "LegacyML",
        "LEGACYML",
        &Policies::attached(&[FORECAST]),
    );
    research_policies(&mut account, people);
    account
}

fn research_roles(account: &mut Account, people: &People) {
    let sagemaker = documents::trust(
        json!({"Service": "sagemaker.amazonaws.com"}),
        "sts:AssumeRole",
    );
    let saml = json!({"Federated": saml_provider(RESEARCH)});
    let saml = documents::trust(saml, "sts:AssumeRoleWithSAML");
    let mut scientist = Policies::inline("AwsSSOInlinePolicy", documents::scientist());
    scientist = scientist
        .with("arn:aws:iam::aws:policy/AmazonSageMakerReadOnly")
        .with(PASS_ROLE)
        .with(DEPLOY);
    account.role(&people.scientist, LONG_AGO, &saml, &scientist);
    let training = Policies {
        tags: vec![("team".into(), "research".into())],
        ..Policies::inline("ResearchTraining", documents::training())
    };
    account.role(
        &people.training,
        "2025-06-03T09:00:00+00:00",
        &sagemaker,
        &training,
    );
    account.role(
        &people.old_training,
        LONG_AGO,
        &sagemaker,
        &Policies::inline("ExecutionPolicy", documents::old_training()),
    );
    let github = json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"});
    let github = documents::trust(github, "sts:AssumeRoleWithWebIdentity");
    let builder = Policies {
        boundary: Some(BOUNDARY.into()),
        ..Policies::attached(&[BUILDER])
    };
    account.role(
        &people.builder,
        "2025-02-10T09:00:00+00:00",
        &github,
        &builder,
    );
    let own = documents::trust(
        json!({"AWS": "arn:aws:iam::111122223333:root"}),
        "sts:AssumeRole",
    );
    account.role(
        &people.break_glass,
        LONG_AGO,
        &own,
        &Policies::attached(&[ADMINISTRATOR]),
    );
    let features = Policies::inline("Features", documents::features());
    account.role(
        &people.features,
        "2026-11-07T10:00:00+00:00",
        &sagemaker,
        &features,
    );
}

fn research_policies(account: &mut Account, people: &People) {
    let (old, new) = (people.old_training.arn(), people.training.arn());
    let before = documents::pass_role(&[&old, &new]);
    account.policy(
        PASS_ROLE,
        "PASSROLE",
        &[
            ("v1", LONG_AGO, before),
            ("v2", FRIDAY_PASS_ROLE, documents::pass_role(&[&new])),
        ],
    );
    account.policy(
        DEPLOY,
        "DEPLOY",
        &[
            ("v1", LONG_AGO, documents::deploy(false)),
            ("v2", THURSDAY_CHANGE, documents::deploy(true)),
        ],
    );
    let builder = [
        ("v1", LONG_AGO, documents::builder(&PUBLISH_BEFORE)),
        (
            "v2",
            FRIDAY_BUILDER,
            documents::builder(&PUBLISH_BEFORE[..2]),
        ),
    ];
    account.policy(BUILDER, "BUILDER", &builder);
    let boundary = [
        ("v1", LONG_AGO, documents::boundary(&["s3:*"])),
        (
            "v2",
            FRIDAY_BOUNDARY,
            documents::boundary(&["s3:Get*", "s3:List*"]),
        ),
    ];
    account.policy(BOUNDARY, "BOUNDARY", &boundary);
    let forecast = [
        ("v1", LONG_AGO, documents::forecast(false)),
        ("v2", WEDNESDAY_CHANGE, documents::forecast(true)),
    ];
    account.policy(FORECAST, "FORECAST", &forecast);
    // AWS prints the AWS managed policies in use too; the others are left to the compiled-in copy.
    account.policy(
        ADMINISTRATOR,
        "ADMIN",
        &[(
            "v1",
            "2015-02-06T18:39:46+00:00",
            documents::administrator(),
        )],
    );
}

fn platform(people: &People) -> Account {
    let mut account = Account::default();
    let sagemaker = documents::trust(
        json!({"Service": "sagemaker.amazonaws.com"}),
        "sts:AssumeRole",
    );
    let ecs = documents::trust(
        json!({"Service": "ecs-tasks.amazonaws.com"}),
        "sts:AssumeRole",
    );
    let scaling = documents::trust(
        json!({"Service": "sagemaker.application-autoscaling.amazonaws.com"}),
        "sts:AssumeRole",
    );
    let saml = json!({"Federated": saml_provider(PLATFORM)});
    let saml = documents::trust(saml, "sts:AssumeRoleWithSAML");
    let deploy = "arn:aws:iam::444455556666:policy/DeployEndpoints";
    account.user(
        &people.ops,
        "2025-01-20T09:00:00+00:00",
        &Policies::attached(&[deploy]),
    );
    account.policy(
        deploy,
        "OPSDEPLOY",
        &[(
            "v1",
            "2025-01-20T09:00:00+00:00",
            documents::ops(&people.serving.arn()),
        )],
    );
    account.role(
        &people.serving,
        "2025-01-20T09:00:00+00:00",
        &sagemaker,
        &Policies::inline("Serving", documents::serving()),
    );
    account.role(
        &people.scoring,
        "2025-01-20T09:00:00+00:00",
        &ecs,
        &Policies::inline("Scoring", documents::scoring()),
    );
    account.role(
        &people.auditor,
        LONG_AGO,
        &saml,
        &Policies::attached(&["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
    );
    let linked =
        "arn:aws:iam::aws:policy/aws-service-role/AWSApplicationAutoscalingSageMakerEndpointPolicy";
    account.role(
        &people.scaling,
        LONG_AGO,
        &scaling,
        &Policies::attached(&[linked]),
    );
    account
}
