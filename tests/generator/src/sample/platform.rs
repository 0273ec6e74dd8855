//! The week of the platform account, of AWS's own services there, and of the sandbox.

use super::organisation::*;
use super::sitting::Sitting;
use super::{Week, sessions};
use crate::caller::{self, Session};
use crate::calls::{ecr, kms, others, s3, sagemaker, sts};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::record::Caller;
use crate::truth::*;

const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.13.4 (+https://www.terraform.io) terraform-provider-aws/6.19.0 aws-sdk-go-v2/1.39.4 os/linux lang/go#1.24.8";
const GO: &str = "aws-sdk-go-v2/1.39.4 ua/2.1 os/linux lang/go#1.24.8 md/GOOS#linux md/GOARCH#arm64 api/sagemakerruntime#1.37.2 m/E,e";
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const HOSTING: &str = "aws-sdk-java/2.35.6 ua/2.1 os/Linux lang/java#17.0.16 md/OpenJDK_64-Bit_Server_VM md/vendor#Amazon.com_Inc. cfg/retry-mode#standard";

pub(super) fn week(week: &mut Week, people: &People) {
    for day in 0..7 {
        let start = MONDAY + day * DAY;
        score(week, people, start + HOUR);
        scale(week, people, start);
        trail(week, start);
        if day < 5 {
            deploy(week, people, day, start + 13 * HOUR);
        }
        if day == 1 || day == 3 {
            audit(week, people, day, start + 9 * HOUR);
        }
    }
    sandbox(week, people);
}

fn temporary_key(week: &mut Week) -> String {
    format!("ASIAEXAMPLE{}", week.rng.upper(9))
}

/// The application asks the endpoints for scores.
fn score(week: &mut Week, people: &People, at: i64) {
    let key = temporary_key(week);
    let name = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let service = "ecs-tasks.amazonaws.com";
    sessions::assumed_by(week, service, &people.scoring, (name, &key), at - 300);
    let session = Session::new(name, &key, at - 300);
    let mut api = Sitting::new(
        week,
        caller::session(&people.scoring, &session, "10.1.4.20", GO),
        PLATFORM,
        at,
        (600, 1350),
    );
    for index in 0..60 {
        api.does(sagemaker::invoke_endpoint(
            PRODUCTION,
            if index % 5 == 0 {
                "churn-canary"
            } else {
                "churn-prod"
            },
        ));
    }
}

/// The service-linked role of Application Auto Scaling looks every few hours.
fn scale(week: &mut Week, people: &People, start: i64) {
    for hour in (2..24).step_by(4) {
        let at = start + hour * HOUR + 40;
        let key = temporary_key(week);
        let name = "AutoScaling-UpdateDesiredCapacity";
        let service = "sagemaker.application-autoscaling.amazonaws.com";
        sessions::assumed_by(week, service, &people.scaling, (name, &key), at);
        let session = Session {
            invoked_by: Some("application-autoscaling.amazonaws.com"),
            ..Session::new(name, &key, at)
        };
        let mut scaling = Sitting::new(
            week,
            caller::session(&people.scaling, &session, "", ""),
            PLATFORM,
            at,
            (1, 4),
        );
        scaling.planted(
            "service-linked-role",
            others::describe_alarms(IRELAND),
            AGREES,
        );
        scaling.planted(
            "service-linked-role",
            sagemaker::describe_endpoint(PRODUCTION, "churn-prod"),
            AGREES,
        );
    }
}

/// CloudTrail itself writes its files, with data keys for the bucket's key.
fn trail(week: &mut Week, start: i64) {
    let mut cloudtrail = Sitting::new(
        week,
        caller::service("cloudtrail.amazonaws.com"),
        PLATFORM,
        start + 900,
        (3600, 4300),
    );
    for index in 0..14 {
        let object = format!("AWSLogs/{PLATFORM}/CloudTrail/{IRELAND}/{index}.json.gz");
        cloudtrail.planted(
            "cloudtrail-writes-its-logs",
            kms::generate_data_key(MODEL_KEY, &TRAIL.object_arn(&object)),
            SERVICE,
        );
        if index % 3 == 0 {
            let draft = s3::bucket_read(TRAIL, "GetBucketAcl", "acl", cloudtrail.rng());
            cloudtrail.planted("cloudtrail-writes-its-logs", draft, SERVICE);
        }
    }
}

/// The deployment of the day, and how the endpoint starts.
fn deploy(week: &mut Week, people: &People, day: i64, at: i64) {
    let who = caller::user(
        &people.ops,
        "AKIAEXAMPLEOPSDEPLO1",
        "203.0.113.12",
        TERRAFORM,
    );
    let mut ops = Sitting::new(week, who, PLATFORM, at, (4, 40));
    ops.does(sts::get_caller_identity(IRELAND));
    let (model, config) = (
        format!("churn-2026110{}", day + 2),
        format!("churn-config-2026110{}", day + 2),
    );
    let data = "s3://platform-models/churn/model.tar.gz";
    ops.does(sagemaker::create_model(
        PRODUCTION,
        &model,
        &image(SERVING, "2.4"),
        data,
        &people.serving.arn(),
    ));
    ops.does(sagemaker::create_endpoint_config(
        PRODUCTION, &config, &model,
    ));
    if day == 0 {
        for _ in 0..3 {
            let draft =
                sagemaker::create_endpoint(PRODUCTION, "CreateEndpoint", "churn-prod", &config);
            let draft = draft.failed(
                "ValidationException",
                "Cannot create already existing endpoint \"churn-prod\".",
            );
            ops.planted("invalid", draft, NOT_COMPARABLE);
        }
    }
    ops.does(sagemaker::create_endpoint(
        PRODUCTION,
        "UpdateEndpoint",
        "churn-prod",
        &config,
    ));
    let started = ops.at + 20;
    for _ in 0..5 {
        ops.does(sagemaker::describe_endpoint(PRODUCTION, "churn-prod"));
    }
    if (1..4).contains(&day) {
        for suffix in ["a", "b"] {
            let draft =
                sagemaker::delete_endpoint(PRODUCTION, &format!("churn-test-{day}{suffix}"));
            ops.planted("delete-by-tag", draft, UNKNOWN_KEYS);
        }
    }
    ops.does(sagemaker::list(PRODUCTION, "ListEndpoints"));
    ops.does(others::describe_scalable_targets(IRELAND));
    ops.does(others::describe_alarms(IRELAND));
    serve(week, people, day, started);
}

fn serve(week: &mut Week, people: &People, day: i64, at: i64) {
    let key = temporary_key(week);
    let mut sagemaker = Sitting::new(
        week,
        caller::service("sagemaker.amazonaws.com"),
        PLATFORM,
        at,
        (1, 2),
    );
    let issue = sts::Issue::plain(&people.serving, "SageMaker", &key, at);
    let draft = sts::assume_role(issue, IRELAND, sagemaker.rng());
    sagemaker.planted("service-assumes-role", draft, AGREES);
    let session = Session::new("SageMaker", &key, at);
    let mut host = Sitting::new(
        week,
        caller::session(&people.serving, &session, "10.1.9.9", HOSTING),
        PLATFORM,
        at + 3,
        (1, 6),
    );
    host.does(ecr::get_authorization_token(IRELAND));
    host.does(ecr::batch_get_image(SERVING, "2.4"));
    for _ in 0..3 {
        let draft = ecr::get_download_url(SERVING, host.rng());
        host.does(draft);
    }
    let draft = s3::list_objects(MODELS, "churn/", host.rng());
    host.does(draft);
    for object in ["churn/model.tar.gz", "churn/config.json"] {
        let draft = s3::get_object(MODELS, object, host.rng());
        host.does(draft);
    }
    host.does(others::create_log_stream(
        IRELAND,
        "/aws/sagemaker/Endpoints/churn-prod",
        &format!("AllTraffic/i-{}", at % 100_000),
    ));
    let session = Session {
        invoked_by: Some("AWS Internal"),
        ..session
    };
    host.caller = caller::session(&people.serving, &session, "", "");
    for object in ["churn/model.tar.gz", "churn/config.json"] {
        host.does(kms::decrypt(MODEL_KEY, &MODELS.object_arn(object)));
    }
    for part in 0..if day == 0 { 3 } else { 2 } {
        let draft = kms::decrypt(
            FEATURE_KEY,
            &MODELS.object_arn(&format!("features/{part}.npz")),
        );
        host.planted("key-not-collected", draft, LAYERS_NOT_COLLECTED);
    }
}

/// The auditor reads everything, with `ReadOnlyAccess`.
fn audit(week: &mut Week, people: &People, day: i64, at: i64) {
    let key = temporary_key(week);
    let session = Session {
        mfa: true,
        ..Session::new("dora@example.com", &key, at - 45)
    };
    let dora = ("dora@example.com", key.as_str());
    sessions::sign_in(week, &people.auditor, dora, IRELAND, at - 45);
    let who = Caller {
        console: true,
        ..caller::session(&people.auditor, &session, "198.51.100.90", BROWSER)
    };
    let mut auditor = Sitting::new(week, who, PLATFORM, at, (3, 25));
    auditor.expects(sts::console_login(), NOT_AN_ACTION);
    for list in [
        "ListUsers",
        "ListRoles",
        "ListPolicies",
        "ListGroups",
        "ListInstanceProfiles",
    ] {
        auditor.does(others::iam_list(list));
    }
    for role in [&people.serving, &people.scoring, &people.auditor] {
        auditor.does(others::role_read("GetRole", &role.name));
        auditor.does(others::role_read("ListRolePolicies", &role.name));
    }
    for region in [IRELAND, VIRGINIA] {
        audit_region(&mut auditor, region);
    }
    for (name, flag) in [
        ("GetBucketPolicy", "policy"),
        ("GetBucketEncryption", "encryption"),
        ("GetBucketVersioning", "versioning"),
    ] {
        let draft = s3::bucket_read(MODELS, name, flag, auditor.rng());
        auditor.does(draft);
    }
    let caller = auditor.caller.clone();
    if day == 1 {
        let user = format!("arn:aws:iam::{PLATFORM}:user/intern");
        auditor.expects(
            others::create_user("intern").denied(&caller, "iam:CreateUser", &user),
            AGREES,
        );
    } else {
        let endpoint = PRODUCTION.arn("endpoint/audit-copy");
        let draft = sagemaker::create_endpoint(
            PRODUCTION,
            "CreateEndpoint",
            "audit-copy",
            "churn-config-20261103",
        );
        auditor.expects(
            draft.denied(&caller, "sagemaker:CreateEndpoint", &endpoint),
            AGREES,
        );
    }
}

fn audit_region(auditor: &mut Sitting<'_>, region: &'static str) {
    let place = sagemaker::Place {
        account: PLATFORM,
        region,
    };
    for list in [
        "ListEndpoints",
        "ListModels",
        "ListTrainingJobs",
        "ListNotebookInstances",
    ] {
        auditor.does(sagemaker::list(place, list));
    }
    for (name, set) in [
        ("DescribeInstances", "instancesSet"),
        ("DescribeVpcs", "vpcSet"),
        ("DescribeSubnets", "subnetSet"),
        ("DescribeSecurityGroups", "securityGroupSet"),
        ("DescribeVolumes", "volumeSet"),
        ("DescribeRouteTables", "routeTableIdSet"),
    ] {
        auditor.does(others::ec2_describe(name, region, set));
    }
    let draft = s3::list_buckets(region, auditor.rng());
    auditor.does(draft);
    auditor.does(kms::list_keys(region));
    auditor.does(kms::list_aliases(region));
    auditor.does(others::describe_alarms(region));
    auditor.does(others::describe_trails(region));
}

/// An account that the organisation's trail covers and the snapshot does not.
fn sandbox(week: &mut Week, people: &People) {
    let at = MONDAY + DAY + 15 * HOUR;
    let who = caller::user(
        &people.visitor,
        "AKIAEXAMPLEVISITOR01",
        "192.0.2.140",
        TERRAFORM,
    );
    let mut visitor = Sitting::new(week, who, SANDBOX, at, (10, 60));
    for _ in 0..14 {
        visitor.planted(
            "account-not-collected",
            others::ec2_describe("DescribeInstances", IRELAND, "instancesSet"),
            NOT_IN_SNAPSHOT,
        );
    }
}
