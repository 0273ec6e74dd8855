//! The services around: IAM, EC2, CloudWatch, CloudWatch Logs, CloudTrail, Application Auto Scaling.

use crate::json::{Obj, quote};
use crate::record::{Draft, call, read};

/// IAM records everything in us-east-1.
fn iam(name: &'static str, request: Obj) -> Draft {
    Draft {
        host: String::from("iam.amazonaws.com"),
        ..call("iam", name, "us-east-1", request.end())
    }
}

fn iam_read(name: &'static str, request: String) -> Draft {
    Draft {
        host: String::from("iam.amazonaws.com"),
        ..read("iam", name, "us-east-1", request)
    }
}

pub(crate) fn iam_list(name: &'static str) -> Draft {
    iam_read(name, Obj::new().n("maxItems", 1000).end())
}

pub(crate) fn get_account_summary() -> Draft {
    iam_read("GetAccountSummary", String::from("null"))
}

/// `GetRole`, `ListAttachedRolePolicies`, `ListRolePolicies`
pub(crate) fn role_read(name: &'static str, role: &str) -> Draft {
    iam_read(name, Obj::new().s("roleName", role).end())
}

pub(crate) fn put_policy(
    name: &'static str,
    of: (&str, &str),
    policy: &str,
    document: &str,
) -> Draft {
    iam(
        name,
        Obj::new()
            .s(of.0, of.1)
            .s("policyName", policy)
            .s("policyDocument", document),
    )
}

pub(crate) fn create_policy_version(
    arn: &str,
    document: &str,
    version: &str,
    created: &str,
) -> Draft {
    let answer = Obj::new()
        .s("versionId", version)
        .b("isDefaultVersion", true)
        .s("createDate", created)
        .end();
    iam(
        "CreatePolicyVersion",
        Obj::new()
            .s("policyArn", arn)
            .s("policyDocument", document)
            .b("setAsDefault", true),
    )
    .answers(Obj::new().raw("policyVersion", &answer).end())
}

pub(crate) fn create_user(name: &str) -> Draft {
    iam("CreateUser", Obj::new().s("userName", name))
}

/// A `Describe*` of EC2; its request lists are sets.
pub(crate) fn ec2_describe(name: &'static str, region: &'static str, set: &str) -> Draft {
    read(
        "ec2",
        name,
        region,
        Obj::new().raw(set, "{}").raw("filterSet", "{}").end(),
    )
}

pub(crate) fn describe_alarms(region: &'static str) -> Draft {
    read(
        "monitoring",
        "DescribeAlarms",
        region,
        Obj::new()
            .raw("alarmTypes", r#"["MetricAlarm"]"#)
            .n("maxRecords", 100)
            .end(),
    )
}

pub(crate) fn logs_read(name: &'static str, region: &'static str, group: &str) -> Draft {
    read(
        "logs",
        name,
        region,
        Obj::new().s("logGroupName", group).n("limit", 50).end(),
    )
}

pub(crate) fn create_log_stream(region: &'static str, group: &str, stream: &str) -> Draft {
    call(
        "logs",
        "CreateLogStream",
        region,
        Obj::new()
            .s("logGroupName", group)
            .s("logStreamName", stream)
            .end(),
    )
}

pub(crate) fn describe_trails(region: &'static str) -> Draft {
    read(
        "cloudtrail",
        "DescribeTrails",
        region,
        Obj::new()
            .b("includeShadowTrails", true)
            .raw("trailNameList", "[]")
            .end(),
    )
}

/// Application Auto Scaling records the source of EC2 Auto Scaling and its own name beside it.
pub(crate) fn describe_scalable_targets(region: &'static str) -> Draft {
    let draft = read(
        "autoscaling",
        "DescribeScalableTargets",
        region,
        Obj::new().s("serviceNamespace", "sagemaker").end(),
    );
    Draft {
        additional: String::from(r#"{"service":"application-autoscaling"}"#),
        ..draft
    }
}

/// A later record that amends an earlier one.
pub(crate) fn addendum(of: Draft, original: &str) -> Draft {
    let mut more = String::from(
        r#","addendum":{"reason":"UPDATED_DATA","updatedFields":"responseElements","originalEventID":"#,
    );
    quote(&mut more, original);
    more.push('}');
    Draft { more, ..of }
}
