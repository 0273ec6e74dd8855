//! One test per point of [`crate::enumerated`]: AWS's documented answer is ours, the package's is another,
//! and in the words that the point gives it the package agrees.
//!
//! A test that fails because the package no longer differs asks for the point to be taken off the list.

use serde_json::{Value, json};

use crate::enumerated::{NAMED_SESSION, POINTS, without_session_limit};
use crate::opponent::Opponent;
use crate::{ours, policies};

const USER: &str = "arn:aws:iam::111122223333:user/bob";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/alice";

#[track_caller]
fn check(point: &str, case: &Value, documented: &str) {
    assert_eq!(ours(case), documented, "{case}");
    let Some(opponent) = Opponent::find() else {
        return;
    };
    let name = |found: &str| found.split(' ').next() == Some(point);
    let rewritten = if name(NAMED_SESSION) {
        without_session_limit(case).unwrap()
    } else {
        let point = POINTS.iter().find(|found| name(found.name)).unwrap();
        let mut rewritten = case.clone();
        (point.rewrite)(&mut rewritten);
        rewritten
    };
    let answers = opponent.answer(&[case.clone(), rewritten]);
    assert_ne!(
        answers[0].as_deref(),
        Ok(documented),
        "the package has come to agree on {point}: {case}"
    );
    assert_eq!(answers[1].as_deref(), Ok(documented), "{point}: {case}");
}

/// `principal` reads an object of its own account under one identity policy.
fn case(principal: &str, context: Value, identity: Value) -> Value {
    json!({
        "id": "point",
        "request": {
            "principal": principal,
            "action": "s3:GetObject",
            "resource": {"arn": "arn:aws:s3:::lake/a.csv", "account": "111122223333"},
            "context": context,
        },
        "identity_policies": [identity],
    })
}

/// Whether a condition holds decides between an explicit deny and an allow.
fn denied_if(condition: Value, context: Value) -> Value {
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition},
    ]});
    case(USER, context, document)
}

fn allow_in(version: &str, resource: &str, condition: Value) -> Value {
    json!({"Version": version, "Statement": {
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": resource, "Condition": condition
    }})
}

/// "the resource-based policy grants permissions directly to the session": an implicit deny in the session
/// policy does not limit it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html>
#[test]
fn o1_a_grant_to_the_session_passes_its_session_policy() {
    let mut granted = case(SESSION, json!({}), policies::full_access());
    granted["session_policies"] =
        json!([allow_in("2012-10-17", "arn:aws:s3:::other/*", json!({}))]);
    granted["resource_policy"] = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": SESSION}, "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::lake/*"
    }});
    check("O1", &granted, "allowed");
}

/// A prefix of no bits holds every address.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IPAddress>
#[test]
fn o2_a_cidr_of_no_bits_holds_every_address() {
    let case = denied_if(
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"aws:SourceIp": "203.0.113.7"}),
    );
    check("O2", &case, "explicit_deny");
}

/// "or in epoch (UNIX) time", which counts seconds.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>
#[test]
fn o3_epoch_dates_are_seconds() {
    let case = denied_if(
        json!({"DateLessThan": {"aws:CurrentTime": "1893456000"}}),
        json!({"aws:CurrentTime": "2026-11-21T00:00:00Z"}),
    );
    check("O3", &case, "explicit_deny");
}

/// "variables ... are treated as literal strings" before version 2012-10-17.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
#[test]
fn o4_old_versions_have_no_variables() {
    let document = allow_in(
        "2008-10-17",
        "*",
        json!({"StringEquals": {"aws:PrincipalTag/owner": "${aws:username}"}}),
    );
    let context = json!({"aws:username": "bob", "aws:PrincipalTag/owner": "bob"});
    check("O4", &case(USER, context, document), "implicit_deny");
}

/// "Inverted condition operators ... do match against a null value".
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
#[test]
fn o5_nothing_equals_an_absent_variable() {
    let case = denied_if(
        json!({"StringNotEquals": {"aws:RequestedRegion": "${aws:PrincipalTag/region}"}}),
        json!({"aws:RequestedRegion": "us-east-1"}),
    );
    check("O5", &case, "explicit_deny");
}

/// The predefined variables stand wherever variables do.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars>
#[test]
fn o6_predefined_variables_in_string_equals() {
    let case = denied_if(
        json!({"StringEquals": {"aws:PrincipalTag/team": "d${*}s"}}),
        json!({"aws:PrincipalTag/team": "d*s"}),
    );
    check("O6", &case, "explicit_deny");
}

/// Interface endpoints' policies name the principals that may pass.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html>
#[test]
fn o7_endpoint_policies_name_principals() {
    let mut case = case(USER, json!({}), policies::full_access());
    case["vpc_endpoint_policies"] = json!([{"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "*", "Resource": "*"
    }}]);
    check("O7", &case, "implicit_deny");
}

/// Two spellings of an address are one address (RFC 4291, section 2.2).
#[test]
fn o8_ipv6_addresses_are_numbers() {
    let case = denied_if(
        json!({"IpAddress": {"aws:SourceIp": "2001:0DB8:0:0:0:0:0:1"}}),
        json!({"aws:SourceIp": "2001:db8::1"}),
    );
    check("O8", &case, "explicit_deny");
}

/// Numeric operators compare numbers, and `5abc` is none.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Numeric>
#[test]
fn o9_a_number_has_no_tail() {
    let document = allow_in(
        "2012-10-17",
        "*",
        json!({"NumericEquals": {"aws:MultiFactorAuthAge": "5abc"}}),
    );
    let context = json!({"aws:MultiFactorAuthAge": "5"});
    check("O9", &case(USER, context, document), "implicit_deny");
}

/// `*` matches "any combination of characters", and a line break is a character.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_String>
#[test]
fn o10_a_star_matches_a_line_break() {
    let case = denied_if(
        json!({"StringLike": {"aws:UserAgent": "two*lines"}}),
        json!({"aws:UserAgent": "two\nlines"}),
    );
    check("O10", &case, "explicit_deny");
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user.html>
#[test]
fn o11_root_has_full_access() {
    let mut case = case("arn:aws:iam::111122223333:root", json!({}), json!({}));
    case["identity_policies"] = json!([]);
    check("O11", &case, "allowed");
}

/// "If you do not pass a policy, the federated user session has no permissions".
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>
#[test]
fn o12_a_federated_user_needs_a_session_policy() {
    let case = case(
        "arn:aws:sts::111122223333:federated-user/carol",
        json!({}),
        policies::full_access(),
    );
    check("O12", &case, "implicit_deny");
}

/// "SCPs do not affect users or roles in the management account", nor service-linked roles.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>
#[test]
fn o13_whom_control_policies_do_not_bind() {
    let denies = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"
    }});
    let mut scp = denies.clone();
    scp["Statement"]
        .as_object_mut()
        .unwrap()
        .remove("Principal");
    let scps = json!([{"org_identifier": "r-1", "policies": [policies::full_access(), scp]}]);
    let rcps =
        json!([{"org_identifier": "r-1", "policies": [policies::rcp_full_access(), denies]}]);

    let mut management = case(USER, json!({}), policies::full_access());
    management["scps"] = scps.clone();
    management["facts"] = json!({"principal_account_is_management": true});
    check("O13", &management, "allowed");

    let session = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForExample/session";
    let mut service_linked = case(session, json!({}), policies::full_access());
    service_linked["scps"] = scps;
    service_linked["rcps"] = rcps;
    service_linked["facts"] = json!({"session_issuer_arn":
        "arn:aws:iam::111122223333:role/aws-service-role/example.amazonaws.com/AWSServiceRoleForExample"
    });
    check("O13", &service_linked, "allowed");
}

/// "you must also specify the account ARN of the not-denied principal. Otherwise, the policy might deny
/// access to the entire account": disputed, and read in the sense that keeps the deny.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
#[test]
fn o14_not_principal_lists_role_session_and_account() {
    let mut case = case(SESSION, json!({}), policies::full_access());
    case["resource_policy"] = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:role/app"},
        "Action": "s3:*", "Resource": "*"
    }});
    check("O14", &case, "explicit_deny");
}

/// ARN operators compare ARNs, and `foo:…` is none.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN>
#[test]
fn o15_an_arn_starts_with_arn() {
    let document = allow_in(
        "2012-10-17",
        "*",
        json!({"ArnEquals": {"aws:SourceArn": "foo:aws:s3:::lake"}}),
    );
    let context = json!({"aws:SourceArn": "foo:aws:s3:::lake"});
    check("O15", &case(USER, context, document), "implicit_deny");
}

/// "if the context key exists and its value is not null": an empty list is no value.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
#[test]
fn o16_an_empty_list_is_null() {
    let case = denied_if(
        json!({"Null": {"aws:TagKeys": "true"}}),
        json!({"aws:TagKeys": []}),
    );
    check("O16", &case, "explicit_deny");
}

/// "NotIpAddress: All IP addresses except the specified IP address or range", of either family.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IPAddress>
#[test]
fn o17_an_address_is_not_one_of_the_other_family() {
    let case = denied_if(
        json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.1"}}),
        json!({"aws:SourceIp": "2001:db8::2"}),
    );
    check("O17", &case, "explicit_deny");
}
