//! How layers and sources join.

use retrial_iam::{
    Context, Decision, KeyState, Layer, MissingKeys, Principal, Request, Resource, SessionPolicies,
    Snapshot, Values,
};

use crate::support::{
    ACCOUNT, Answer, OTHER_ACCOUNT, all_collected, ask, attached, empty_context, nothing_collected,
    principal, request, role, statement, unavailable,
};

const EVERYTHING: &str = r#""Effect": "Allow", "Action": "*", "Resource": "*""#;
const NOTHING: &str = r#""Effect": "Allow", "Action": "example:Nothing", "Resource": "*""#;
const OBJECT: &str = "arn:aws:s3:::data/a/b.csv";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0";
const ROLE: &str = "arn:aws:iam::111122223333:role/target";
const JOB: &str = "arn:aws:sagemaker:eu-west-1:111122223333:training-job/j";

fn user(document: &str) -> Principal {
    principal(
        &format!("arn:aws:iam::{ACCOUNT}:user/u"),
        &[&statement(document)],
        None,
    )
}

/// Decision, blocking layer, unknown layers and assumptions in one line.
#[track_caller]
fn check_request(snapshot: &Snapshot, principal: &Principal, request: &Request<'_>, expect: &str) {
    let answer = ask(snapshot, principal, request);
    let mut line = answer.decision.name().to_owned();
    if let Some(layer) = answer.layer {
        line += &format!(" by {}", layer.name());
    }
    for layer in &answer.unknown_layers {
        line += &format!(" ?{}", layer.name());
    }
    for key in &answer.unknown_keys {
        line += &format!(" ?{key}");
    }
    for assumption in &answer.assumes {
        line += &format!(" +{assumption}");
    }
    assert_eq!(line, expect, "{answer:?}");
}

#[track_caller]
fn check(snapshot: &Snapshot, principal: &Principal, action: &str, arn: &str, expect: &str) {
    let resource = if arn == "*" {
        Resource::Any
    } else {
        Resource::Arn(arn)
    };
    check_request(
        snapshot,
        principal,
        &request(action, resource, &empty_context()),
        expect,
    );
}

#[test]
fn with_every_layer_collected_the_identity_decides() {
    let snapshot = all_collected();
    for (action, arn) in [
        ("s3:GetObject", OBJECT),
        ("s3:ListAllMyBuckets", "*"),
        ("sagemaker:CreateTrainingJob", JOB),
        ("kms:CreateKey", "*"),
        ("iam:PassRole", ROLE),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:eu-west-1:111122223333:log-group:g:log-stream:s",
        ),
    ] {
        check(&snapshot, &user(EVERYTHING), action, arn, "allowed");
        check(
            &snapshot,
            &user(NOTHING),
            action,
            arn,
            "implicit_deny by identity",
        );
    }
}

#[test]
fn keys_and_roles_answer_for_themselves() {
    let snapshot = all_collected();
    check(
        &snapshot,
        &user(EVERYTHING),
        "kms:Decrypt",
        KEY,
        "implicit_deny by resource",
    );
    check(
        &snapshot,
        &user(EVERYTHING),
        "sts:AssumeRole",
        ROLE,
        "implicit_deny by resource",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "kms:Decrypt",
        KEY,
        "implicit_deny by identity",
    );
    let snapshot = nothing_collected();
    check(
        &snapshot,
        &user(EVERYTHING),
        "kms:Decrypt",
        KEY,
        "allowed +scp +rcp +key_policy",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "kms:Decrypt",
        KEY,
        "undetermined ?resource ?kms_grant",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "kms:PutKeyPolicy",
        KEY,
        "undetermined ?resource",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "kms:CreateKey",
        "*",
        "implicit_deny by identity",
    );
    check(
        &snapshot,
        &user(EVERYTHING),
        "kms:RetireGrant",
        KEY,
        "allowed +scp +key_policy",
    );
    check(
        &snapshot,
        &user(EVERYTHING),
        "sts:AssumeRole",
        ROLE,
        "allowed +scp +rcp +trust_policy",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "sts:AssumeRole",
        ROLE,
        "undetermined ?resource",
    );
}

#[test]
fn a_source_that_was_not_collected_could_grant() {
    let snapshot = nothing_collected();
    check(
        &snapshot,
        &user(NOTHING),
        "s3:GetObject",
        OBJECT,
        "undetermined ?resource",
    );
    check(
        &snapshot,
        &user(EVERYTHING),
        "s3:GetObject",
        OBJECT,
        "allowed +scp +rcp +resource_policy",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "sagemaker:CreateTrainingJob",
        JOB,
        "implicit_deny by identity",
    );
    check(
        &snapshot,
        &user(EVERYTHING),
        "sagemaker:CreateTrainingJob",
        JOB,
        "allowed +scp",
    );
    check(
        &snapshot,
        &user(NOTHING),
        "s3:ListAllMyBuckets",
        "*",
        "implicit_deny by identity",
    );
    let context = empty_context();
    let somewhere = request(
        "s3:GetObject",
        Resource::Unknown("arn:aws:s3:::*"),
        &context,
    );
    check_request(
        &snapshot,
        &user(NOTHING),
        &somewhere,
        "undetermined ?resource",
    );
    check_request(
        &all_collected(),
        &user(NOTHING),
        &somewhere,
        "implicit_deny by identity",
    );
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let foreign = |action, arn, snapshot: &Snapshot, document: &str, expect: &str| {
        let context = empty_context();
        let question = Request {
            resource_account: Some(OTHER_ACCOUNT),
            ..request(action, Resource::Arn(arn), &context)
        };
        check_request(snapshot, &user(document), &question, expect);
    };
    let nothing = nothing_collected();
    foreign(
        "s3:GetObject",
        OBJECT,
        &nothing,
        NOTHING,
        "implicit_deny by identity",
    );
    foreign(
        "s3:GetObject",
        OBJECT,
        &nothing,
        EVERYTHING,
        "undetermined ?resource",
    );
    foreign(
        "kms:Decrypt",
        KEY,
        &nothing,
        EVERYTHING,
        "undetermined ?resource ?kms_grant",
    );
    foreign(
        "sagemaker:DescribeTrainingJob",
        JOB,
        &nothing,
        EVERYTHING,
        "undetermined ?resource",
    );
    let all = all_collected();
    foreign(
        "s3:GetObject",
        OBJECT,
        &all,
        EVERYTHING,
        "implicit_deny by resource",
    );
    foreign(
        "sts:AssumeRole",
        ROLE,
        &all,
        EVERYTHING,
        "implicit_deny by resource",
    );
    // The account in the ARN counts where none was recorded.
    let arn = format!("arn:aws:sqs:eu-west-1:{OTHER_ACCOUNT}:q");
    check(
        &all,
        &user(EVERYTHING),
        "sqs:SendMessage",
        &arn,
        "implicit_deny by resource",
    );
    check(
        &all,
        &user(EVERYTHING),
        "iam:GetPolicy",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "allowed",
    );
}

#[test]
fn an_explicit_deny_is_firm() {
    let deny = statement(
        r#""Sid": "NoData", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::data/*""#,
    );
    let answer = |principal: &Principal| {
        let context = empty_context();
        ask(
            &nothing_collected(),
            principal,
            &request("s3:GetObject", Resource::Arn(OBJECT), &context),
        )
    };
    let in_identity = role(&[&statement(EVERYTHING), &deny]);
    let expect = Answer {
        decision: Decision::ExplicitDeny,
        layer: Some(Layer::Identity),
        determined_by: vec!["identity/policy-1/0".to_owned()],
        unknown_keys: vec![],
        unknown_layers: vec![],
        assumes: vec![],
    };
    assert_eq!(answer(&in_identity), expect);
    let in_boundary = principal(
        &format!("arn:aws:iam::{ACCOUNT}:role/app"),
        &[&statement(EVERYTHING)],
        Some(&deny),
    );
    let expect = Answer {
        layer: Some(Layer::PermissionsBoundary),
        determined_by: vec!["permissions_boundary/boundary/0".to_owned()],
        ..expect
    };
    assert_eq!(answer(&in_boundary), expect);
    let mut beside_unavailable = role(&[&deny]);
    beside_unavailable
        .identity
        .insert(0, unavailable("missing"));
    assert_eq!(answer(&beside_unavailable).decision, Decision::ExplicitDeny);
}

#[test]
fn an_allow_names_the_statements_of_each_layer() {
    let identity = format!(r#"{{"Statement": [{{{NOTHING}}}, {{{EVERYTHING}}}]}}"#);
    let bounded = principal(
        &format!("arn:aws:iam::{ACCOUNT}:role/app"),
        &[&identity],
        Some(&statement(EVERYTHING)),
    );
    let context = empty_context();
    let answer = ask(
        &all_collected(),
        &bounded,
        &request("sagemaker:CreateTrainingJob", Resource::Arn(JOB), &context),
    );
    assert_eq!(
        answer.determined_by,
        ["identity/policy-0/1", "permissions_boundary/boundary/0"]
    );
}

#[test]
fn a_boundary_limits() {
    let all = all_collected();
    let bounded = |boundary: &str| {
        principal(
            &format!("arn:aws:iam::{ACCOUNT}:role/app"),
            &[&statement(EVERYTHING)],
            Some(&statement(boundary)),
        )
    };
    check(
        &all,
        &bounded(EVERYTHING),
        "sagemaker:CreateTrainingJob",
        JOB,
        "allowed",
    );
    check(
        &all,
        &bounded(NOTHING),
        "sagemaker:CreateTrainingJob",
        JOB,
        "implicit_deny by permissions_boundary",
    );
    // A bucket policy that names a session or everybody would pass the boundary by.
    check(
        &nothing_collected(),
        &bounded(NOTHING),
        "s3:GetObject",
        OBJECT,
        "undetermined ?resource",
    );
}

#[test]
fn a_policy_without_a_document_could_say_anything() {
    let all = all_collected();
    let mut silent = role(&[&statement(NOTHING)]);
    silent.identity.push(unavailable("missing"));
    check(
        &all,
        &silent,
        "sagemaker:CreateTrainingJob",
        JOB,
        "undetermined ?identity",
    );
    let mut allowing = role(&[&statement(EVERYTHING)]);
    allowing.identity.push(unavailable("missing"));
    check(
        &all,
        &allowing,
        "sagemaker:CreateTrainingJob",
        JOB,
        "undetermined ?identity",
    );
    let mut bounded = role(&[&statement(EVERYTHING)]);
    bounded.boundary = Some(unavailable("missing"));
    check(
        &all,
        &bounded,
        "sagemaker:CreateTrainingJob",
        JOB,
        "undetermined ?permissions_boundary",
    );
    // Denied either way: what the boundary says makes no difference.
    let mut denied = role(&[&statement(NOTHING)]);
    denied.boundary = Some(unavailable("missing"));
    check(
        &all,
        &denied,
        "sagemaker:CreateTrainingJob",
        JOB,
        "implicit_deny by identity",
    );
}

#[test]
fn a_bundled_document_is_assumed_where_the_allow_leans_on_it() {
    let all = all_collected();
    let mut bundled = attached("arn:aws:iam::aws:policy/X", &statement(EVERYTHING));
    bundled.bundled_date = Some("2026-10-27");
    let mut alone = role(&[&statement(NOTHING)]);
    alone.identity.push(bundled.clone());
    check(
        &all,
        &alone,
        "sagemaker:CreateTrainingJob",
        JOB,
        "allowed +bundled_policy@2026-10-27",
    );
    let mut beside = role(&[&statement(EVERYTHING)]);
    beside.identity.push(bundled.clone());
    check(&all, &beside, "sagemaker:CreateTrainingJob", JOB, "allowed");
    let mut bounded = role(&[&statement(EVERYTHING)]);
    bounded.boundary = Some(bundled);
    check(
        &all,
        &bounded,
        "sagemaker:CreateTrainingJob",
        JOB,
        "allowed +bundled_policy@2026-10-27",
    );
}

#[test]
fn an_unknown_key_leaves_the_decision_open_and_is_named() {
    let all = all_collected();
    let context = Context::new(MissingKeys::ByCatalogue);
    let ask = |document: &str, expect: &str| {
        check_request(
            &all,
            &role(&[&statement(EVERYTHING), &statement(document)]),
            &request("s3:GetObject", Resource::Arn(OBJECT), &context),
            expect,
        );
    };
    let deny = |condition: &str| {
        format!(
            r#""Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {{{condition}}}"#
        )
    };
    ask(
        &deny(r#""StringNotEquals": {"AWS:SourceVpce": "vpce-1"}"#),
        "undetermined ?AWS:SourceVpce",
    );
    ask(
        &deny(
            r#""StringEquals": {"aws:PrincipalTag/team": "x"}, "Bool": {"aws:SecureTransport": "false"}"#,
        ),
        "undetermined ?aws:PrincipalTag/team ?aws:SecureTransport",
    );
    // Neither global nor a key of s3:GetObject: absent.
    ask(
        &deny(r#""StringNotEquals": {"sagemaker:VpcSubnets": "subnet-1"}"#),
        "explicit_deny by identity",
    );
    ask(
        &deny(r#""StringEquals": {"sagemaker:VpcSubnets": "subnet-1"}"#),
        "allowed",
    );
    ask(
        &deny(r#""StringEquals": {"aws:SourceVpc": "${aws:PrincipalTag/vpc}"}"#),
        "undetermined ?aws:SourceVpc ?aws:PrincipalTag/vpc",
    );
    ask(
        &deny(r#""NoSuchOperator": {"aws:SourceIp": "x"}"#),
        "undetermined ?aws:SourceIp",
    );
    let variable = |element: &str| {
        format!(
            r#""Effect": "Deny", "Action": "s3:*", "{element}": "arn:aws:s3:::data/${{aws:username}}/*""#
        )
    };
    ask(&variable("Resource"), "undetermined ?aws:username");
    ask(&variable("NotResource"), "undetermined ?aws:username");
    ask(&variable("Resource").replace("data", "other"), "allowed");
    ask(
        &variable("NotResource").replace("data", "other"),
        "undetermined ?aws:username",
    );
}

#[test]
fn an_unknown_allow_leaves_the_decision_open() {
    let context = Context::new(MissingKeys::ByCatalogue);
    let allow = statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
    );
    let job = request("sagemaker:CreateTrainingJob", Resource::Arn(JOB), &context);
    check_request(
        &all_collected(),
        &role(&[&allow]),
        &job,
        "undetermined ?aws:SourceIp",
    );
    check_request(
        &all_collected(),
        &role(&[&allow, &statement(EVERYTHING)]),
        &job,
        "allowed",
    );
    let object = request("s3:GetObject", Resource::Arn(OBJECT), &context);
    check_request(
        &nothing_collected(),
        &role(&[&allow]),
        &object,
        "undetermined ?resource ?aws:SourceIp",
    );
    // The role is gone: denied whatever the address was.
    check_request(
        &all_collected(),
        &role(&[&allow]),
        &request("sts:AssumeRole", Resource::Arn(ROLE), &context),
        "implicit_deny by resource",
    );
    let bounded = principal(
        &format!("arn:aws:iam::{ACCOUNT}:role/app"),
        &[&statement(NOTHING)],
        Some(&allow),
    );
    check_request(
        &all_collected(),
        &bounded,
        &job,
        "implicit_deny by identity",
    );
}

#[test]
fn an_open_deny_does_not_save_what_nothing_allows() {
    let context = Context::new(MissingKeys::ByCatalogue);
    let deny = statement(
        r#""Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
    );
    let job = request("sagemaker:CreateTrainingJob", Resource::Arn(JOB), &context);
    check_request(
        &all_collected(),
        &role(&[&deny]),
        &job,
        "implicit_deny by identity",
    );
}

#[test]
fn the_unknown_part_of_a_resource_is_named() {
    let all = all_collected();
    let context = empty_context();
    let ask = |pattern: &str, expect: &str| {
        let document = statement(&format!(
            r#""Effect": "Allow", "Action": "s3:GetObject", "Resource": "{pattern}""#
        ));
        check_request(
            &all,
            &role(&[&document]),
            &request(
                "s3:GetObject",
                Resource::Unknown("arn:aws:s3:::data/*"),
                &context,
            ),
            expect,
        );
    };
    ask("*", "allowed");
    ask("arn:aws:s3:::data/*", "allowed");
    ask("arn:aws:s3:::da*", "allowed");
    ask("arn:aws:s3:::data/a/*", "undetermined ?resource");
    ask("arn:aws:s3:::other/*", "implicit_deny by identity");
    ask("arn:aws:s3:::data/?", "undetermined ?resource");
}

#[test]
fn actions_without_a_resource_need_a_star() {
    let all = all_collected();
    let allow = |pattern: &str| {
        user(&format!(
            r#""Effect": "Allow", "Action": "*", "Resource": "{pattern}""#
        ))
    };
    check(
        &all,
        &allow("arn:aws:ecr:*:*:repository/*"),
        "ecr:GetAuthorizationToken",
        "*",
        "implicit_deny by identity",
    );
    check(
        &all,
        &allow("arn:aws:s3:::data"),
        "s3:ListAllMyBuckets",
        "*",
        "implicit_deny by identity",
    );
    // AWS's own examples allow it so.
    check(
        &all,
        &allow("arn:aws:s3:::*"),
        "s3:ListAllMyBuckets",
        "*",
        "allowed",
    );
}

#[test]
fn the_root_user_needs_no_policy() {
    let root = principal(&format!("arn:aws:iam::{ACCOUNT}:root"), &[], None);
    check(
        &nothing_collected(),
        &root,
        "s3:GetObject",
        OBJECT,
        "allowed +scp +rcp +resource_policy",
    );
    check(
        &nothing_collected(),
        &root,
        "kms:Decrypt",
        KEY,
        "allowed +scp +rcp +key_policy",
    );
    check(
        &all_collected(),
        &root,
        "iam:CreateUser",
        "arn:aws:iam::111122223333:user/x",
        "allowed",
    );
}

#[test]
fn get_caller_identity_cannot_be_denied() {
    check(
        &nothing_collected(),
        &user(r#""Effect": "Deny", "Action": "*", "Resource": "*""#),
        "sts:GetCallerIdentity",
        "*",
        "allowed",
    );
}

#[test]
fn sessions_endpoints_and_service_linked_roles() {
    let context = empty_context();
    let nothing = nothing_collected();
    let job = request("sagemaker:CreateTrainingJob", Resource::Arn(JOB), &context);
    let question = Request {
        session: SessionPolicies::Unknown,
        vpc_endpoint: Some("vpce-1"),
        ..job
    };
    check_request(
        &nothing,
        &role(&[&statement(EVERYTHING)]),
        &question,
        "allowed +scp +vpce +session_policy",
    );
    check_request(
        &all_collected(),
        &role(&[&statement(EVERYTHING)]),
        &question,
        "allowed +session_policy",
    );
    let linked = principal(
        &format!(
            "arn:aws:iam::{ACCOUNT}:role/aws-service-role/sagemaker.amazonaws.com/AWSServiceRoleForSageMaker"
        ),
        &[&statement(EVERYTHING)],
        None,
    );
    check_request(
        &nothing,
        &linked,
        &request("s3:GetObject", Resource::Arn(OBJECT), &context),
        "allowed +resource_policy",
    );
}

#[test]
fn the_scratch_can_be_used_again() {
    let all = all_collected();
    let context = empty_context();
    let evaluator = retrial_iam::Evaluator::new(retrial_iam::Catalogue::bundled(), &all);
    let (allowed, silent) = (
        role(&[&statement(EVERYTHING)]),
        role(&[&statement(NOTHING)]),
    );
    let mut scratch = retrial_iam::Scratch::default();
    for _ in 0..3 {
        let question = request("sagemaker:CreateTrainingJob", Resource::Arn(JOB), &context);
        assert_eq!(
            evaluator
                .evaluate(&allowed, &question, &mut scratch)
                .determined_by
                .len(),
            1
        );
        let evaluation = evaluator.evaluate(&silent, &question, &mut scratch);
        assert_eq!(
            (evaluation.decision, evaluation.determined_by.len()),
            (Decision::ImplicitDeny, 0)
        );
    }
}

#[test]
fn an_empty_list_is_a_known_absence() {
    let all = all_collected();
    let mut context = Context::new(MissingKeys::ByCatalogue);
    context.set("aws:TagKeys", KeyState::Known(Values::Many(&[])));
    let allow = statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Null": {"aws:TagKeys": "true"}}"#,
    );
    check_request(
        &all,
        &role(&[&allow]),
        &request("sagemaker:CreateTrainingJob", Resource::Arn(JOB), &context),
        "allowed",
    );
}
