//! The layers beyond a principal's own policies, as a snapshot folder holds them.

use retrial_iam::{
    Caller, Catalogue, CompiledPolicy, Context, Evaluator, KeyState, Layer, LayerResult,
    MissingKeys, Principal, Request, Resource, Scratch, SessionPolicies, Snapshot, Values,
};

use crate::support::{
    ACCOUNT, NO_PRINCIPALS, OTHER_ACCOUNT, empty_context, principal, request, role, snapshot,
    statement,
};

const EVERYTHING: &str = r#""Effect": "Allow", "Action": "*", "Resource": "*""#;
const OBJECT: &str = "arn:aws:s3:::data/a.csv";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0";
const DETAILS: &str = "accounts/111122223333/authorization-details.json";

/// Every layer collected, `files` beside it.
fn collected(files: &[(&str, &str)]) -> Snapshot {
    let status = r#"{"layers": [
        {"account": "*", "layer": "identity", "status": "complete"},
        {"account": "*", "layer": "scp", "status": "complete"},
        {"account": "*", "layer": "rcp", "status": "complete"},
        {"account": "*", "layer": "resource_policy", "status": "complete"},
        {"account": "*", "layer": "kms_grants", "status": "complete"},
        {"account": "*", "layer": "s3_acl", "status": "complete"},
        {"account": "*", "layer": "vpc_endpoint_policy", "status": "complete"}]}"#;
    let mut all = vec![("snapshot.json", status), (DETAILS, NO_PRINCIPALS)];
    all.extend(files);
    snapshot(&all)
}

/// Decision, blocking layer, what is unknown, what is assumed, and who determined it.
fn line<'s: 'a, 'a>(
    snapshot: &'s Snapshot,
    caller: Caller<'s, 'a>,
    request: &Request<'a>,
) -> String {
    let evaluator = Evaluator::new(Catalogue::bundled(), snapshot);
    let mut scratch = Scratch::default();
    let found = evaluator.evaluate_as(caller, request, &mut scratch);
    let mut line = found.decision.name().to_owned();
    if let Some(layer) = found.layer {
        line += &format!(" by {}", layer.name());
    }
    for layer in found.unknown_layers {
        line += &format!(" ?{}", layer.name());
    }
    for key in found.unknown_keys {
        line += &format!(" ?{key}");
    }
    for assumption in found.assumes {
        line += &format!(" +{assumption}");
    }
    for statement in found.determined_by {
        line += &format!(" [{} {}]", statement.layer.name(), statement.index);
    }
    let explained = evaluator.explain_as(caller, request);
    assert_eq!(
        (explained.decision, explained.layer),
        (found.decision, found.layer)
    );
    line
}

fn ask(snapshot: &Snapshot, caller: Caller<'_, '_>, action: &str, arn: &str) -> String {
    let context = empty_context();
    line(
        snapshot,
        caller,
        &request(action, Resource::Arn(arn), &context),
    )
}

fn bucket_policy(statement: &str) -> String {
    format!(r#"{{"arn:aws:s3:::data": {{"Version": "2012-10-17", "Statement": {{{statement}}}}}}}"#)
}

fn with_bucket_policy(statement: &str) -> Snapshot {
    let file = bucket_policy(statement);
    collected(&[("accounts/111122223333/resource-policies/s3.json", &file)])
}

fn allow_object(principal: &str) -> Snapshot {
    with_bucket_policy(&format!(
        r#""Effect": "Allow", "Principal": {principal}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*""#
    ))
}

fn bounded() -> Principal {
    principal(
        &format!("arn:aws:iam::{ACCOUNT}:role/team/app"),
        &[],
        Some(&statement(
            r#""Effect": "Allow", "Action": "ec2:*", "Resource": "*""#,
        )),
    )
}

#[test]
fn a_session_is_not_its_role() {
    let app = bounded();
    let session = |name| Caller::role_session(&app, name);
    let by_session = allow_object(r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/app/s1"}"#);
    let by_role = allow_object(r#"{"AWS": "arn:aws:iam::111122223333:role/team/app"}"#);
    let get = |snapshot: &Snapshot, caller| ask(snapshot, caller, "s3:GetObject", OBJECT);
    assert_eq!(get(&by_session, session("s1")), "allowed [resource 0]");
    assert_eq!(get(&by_session, session("s2")), "implicit_deny by identity");
    // Nobody knows which session it is.
    assert_eq!(
        get(&by_session, Caller::principal(&app)),
        "undetermined ?resource"
    );
    assert_eq!(
        get(&by_role, session("s1")),
        "implicit_deny by permissions_boundary"
    );
    assert_eq!(
        get(&allow_object(r#""*""#), session("s1")),
        "allowed [resource 0]"
    );
    assert_eq!(
        get(
            &allow_object(r#"{"AWS": "arn:aws:iam::111122223333:role/*"}"#),
            session("s1")
        ),
        "implicit_deny by identity"
    );
}

#[test]
fn a_bucket_belongs_to_the_account_that_its_policy_was_collected_in() {
    let snapshot = allow_object(r#"{"AWS": "arn:aws:iam::444455556666:user/u"}"#);
    let foreign = |identity: &[&str]| principal("arn:aws:iam::444455556666:user/u", identity, None);
    let get = |user: &Principal| ask(&snapshot, Caller::principal(user), "s3:GetObject", OBJECT);
    assert_eq!(get(&foreign(&[])), "implicit_deny by identity");
    assert_eq!(
        get(&foreign(&[&statement(EVERYTHING)])),
        "allowed [identity 0] [resource 0]"
    );
}

#[test]
fn session_policies_limit() {
    let app = role(&[&statement(EVERYTHING)]);
    let snapshot = collected(&[]);
    let session = |document: &str| {
        let policy = CompiledPolicy::identity(&statement(document)).unwrap();
        let context = empty_context();
        line(
            &snapshot,
            Caller::role_session(&app, "s1"),
            &Request {
                session: SessionPolicies::Known(&[&policy]),
                ..request("s3:GetObject", Resource::Arn(OBJECT), &context)
            },
        )
    };
    assert_eq!(
        session(r#""Effect": "Allow", "Action": "ec2:*", "Resource": "*""#),
        "implicit_deny by session"
    );
    assert_eq!(session(EVERYTHING), "allowed [identity 0] [session 0]");
    assert_eq!(
        session(r#""Effect": "Deny", "Action": "s3:*", "Resource": "*""#),
        "explicit_deny by session [session 0]"
    );
}

#[test]
fn services_and_strangers_have_the_resource_policy_alone() {
    let service = allow_object(r#"{"Service": "cloudtrail.amazonaws.com"}"#);
    let everybody = allow_object(r#""*""#);
    let get = |snapshot: &Snapshot, caller| ask(snapshot, caller, "s3:GetObject", OBJECT);
    let owned = |snapshot: &Snapshot, caller| {
        let context = empty_context();
        let question = Request {
            resource_account: Some(ACCOUNT),
            ..request("s3:GetObject", Resource::Arn(OBJECT), &context)
        };
        line(snapshot, caller, &question)
    };
    assert_eq!(
        get(&service, Caller::service("cloudtrail.amazonaws.com")),
        "allowed [resource 0]"
    );
    assert_eq!(
        owned(&service, Caller::service("logs.amazonaws.com")),
        "implicit_deny by resource"
    );
    assert_eq!(
        owned(&everybody, Caller::anonymous()),
        "allowed [resource 0]"
    );
    assert_eq!(
        owned(&service, Caller::anonymous()),
        "implicit_deny by resource"
    );
    // A user of another account, whose own policies nobody collected.
    let stranger = Caller::not_collected("arn:aws:iam::444455556666:user/u").unwrap();
    assert_eq!(owned(&service, stranger), "implicit_deny by resource");
    assert_eq!(
        owned(&everybody, stranger),
        "undetermined ?identity ?permissions_boundary"
    );
}

#[test]
fn block_public_access_keeps_strangers_out() {
    let file = bucket_policy(
        r#""Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*""#,
    );
    let buckets = |restrict| {
        format!(
            r#"{{"data": {{"OwnershipControls": {{"Rules": [{{"ObjectOwnership": "BucketOwnerEnforced"}}]}},
                "PublicAccessBlockConfiguration": {{"RestrictPublicBuckets": {restrict}}}}}}}"#
        )
    };
    let answer = |restrict: bool| {
        let buckets = buckets(restrict);
        let snapshot = collected(&[
            ("accounts/111122223333/resource-policies/s3.json", &file),
            ("accounts/111122223333/s3-buckets.json", &buckets),
        ]);
        let context = empty_context();
        let question = Request {
            resource_account: Some(ACCOUNT),
            ..request("s3:GetObject", Resource::Arn(OBJECT), &context)
        };
        line(&snapshot, Caller::anonymous(), &question)
    };
    assert_eq!(answer(false), "allowed [resource 0]");
    assert_eq!(answer(true), "implicit_deny by resource");
}

#[test]
fn an_acl_names_the_accounts_whose_ids_a_snapshot_tells() {
    let buckets = r#"{
        "data": {"Owner": {"ID": "1111"}, "OwnerAccount": "111122223333", "Grants": [
            {"Grantee": {"Type": "CanonicalUser", "ID": "4444"}, "Permission": "READ"}]},
        "*": {"PublicAccessBlockConfiguration": {"IgnorePublicAcls": true}}}"#;
    let others = r#"{"theirs": {"Owner": {"ID": "4444"}, "OwnerAccount": "444455556666", "Grants": []},
        "more": {"Owner": {"ID": "7777"}, "OwnerAccount": "777788889999", "Grants": []}}"#;
    let snapshot = collected(&[
        ("accounts/111122223333/s3-buckets.json", buckets),
        ("accounts/444455556666/s3-buckets.json", others),
    ]);
    let context = empty_context();
    let ask = |arn: &str, action: &str, resource: &str| {
        let mut principal = principal(arn, &[], None);
        principal.identity = role(&[&statement(
            r#""Effect": "Allow", "Action": "*", "Resource": "*""#,
        )])
        .identity;
        let question = Request {
            resource_account: Some(ACCOUNT),
            ..request(action, Resource::Arn(resource), &context)
        };
        line(&snapshot, Caller::principal(&principal), &question)
    };
    let list = |arn| ask(arn, "s3:ListBucket", "arn:aws:s3:::data");
    assert_eq!(
        list("arn:aws:iam::444455556666:user/u"),
        "allowed [identity 0] [resource 0]"
    );
    // The id is another account's.
    assert_eq!(
        list("arn:aws:iam::777788889999:user/u"),
        "implicit_deny by resource"
    );
    assert_eq!(
        list("arn:aws:iam::222233334444:user/u"),
        "implicit_deny by resource"
    );
}

fn key_file(statement: &str) -> String {
    format!(r#"{{"{KEY}": {{"Version": "2012-10-17", "Statement": [{statement}]}}}}"#)
}

const OTHERS_KEY: &str = r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/other"}, "Action": "kms:*", "Resource": "*"}"#;

#[test]
fn a_grant_allows_its_operations_to_its_grantee() {
    let key = key_file(OTHERS_KEY);
    let grants = format!(
        r#"{{"{KEY}": [{{"GrantId": "g1", "GranteePrincipal": "arn:aws:iam::111122223333:role/app",
            "RetiringPrincipal": "arn:aws:iam::111122223333:user/retirer",
            "Operations": ["Decrypt", "DescribeKey"], "Constraints": {{"EncryptionContextEquals": {{"team": "blue"}}}}}}]}}"#
    );
    let snapshot = collected(&[
        ("accounts/111122223333/resource-policies/kms.json", &key),
        ("accounts/111122223333/kms-grants.json", &grants),
    ]);
    let app = role(&[]);
    let ask = |action: &str, context: &Context<'_>| {
        line(
            &snapshot,
            Caller::role_session(&app, "s"),
            &request(action, Resource::Arn(KEY), context),
        )
    };
    let mut context = empty_context();
    assert_eq!(ask("kms:Decrypt", &context), "implicit_deny by identity");
    assert_eq!(ask("kms:DescribeKey", &context), "allowed [kms_grant 0]");
    assert_eq!(ask("kms:Encrypt", &context), "implicit_deny by identity");
    let blue = KeyState::Known(Values::One("blue"));
    context.set("kms:EncryptionContext:team", blue);
    assert_eq!(ask("kms:Decrypt", &context), "allowed [kms_grant 0]");
    context.set("kms:EncryptionContext:more", blue);
    assert_eq!(ask("kms:Decrypt", &context), "implicit_deny by identity");
    let open = Context::new(MissingKeys::ByCatalogue);
    assert_eq!(
        ask("kms:Decrypt", &open),
        "undetermined ?kms:EncryptionContext:team"
    );
    let retirer = principal("arn:aws:iam::111122223333:user/retirer", &[], None);
    let context = empty_context();
    assert_eq!(
        line(
            &snapshot,
            Caller::principal(&retirer),
            &request("kms:RetireGrant", Resource::Arn(KEY), &context)
        ),
        "allowed [kms_grant 0]"
    );
}

#[test]
fn the_key_policy_answers_first() {
    let delegating = key_file(
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}}"#,
    );
    let root = Principal::root(ACCOUNT);
    let app = role(&[&statement(EVERYTHING)]);
    let path = "accounts/111122223333/resource-policies/kms.json";
    let decrypt = |file: &str, caller: Caller<'_, '_>, via: Option<&str>| {
        let snapshot = collected(&[(path, file)]);
        let mut context = empty_context();
        if let Some(via) = via {
            context.set("kms:ViaService", KeyState::Known(Values::One(via)));
        }
        let app = role(&[&statement(EVERYTHING)]);
        let caller = match caller.account() {
            Some(_) => Caller::principal(&app),
            None => Caller::anonymous(),
        };
        line(
            &snapshot,
            caller,
            &request("kms:Decrypt", Resource::Arn(KEY), &context),
        )
    };
    let via = Some("s3.eu-west-1.amazonaws.com");
    assert_eq!(
        decrypt(&delegating, Caller::principal(&app), via),
        "allowed [identity 0] [resource 0]"
    );
    assert_eq!(
        decrypt(&delegating, Caller::principal(&app), None),
        "implicit_deny by resource"
    );
    // The root user needs the key policy too.
    let others = key_file(OTHERS_KEY);
    let snapshot = collected(&[(path, &others)]);
    assert_eq!(
        ask(&snapshot, Caller::principal(&root), "kms:Decrypt", KEY),
        "implicit_deny by resource"
    );
}

#[test]
fn an_aws_managed_key_allows_through_its_service() {
    let snapshot = snapshot(&[(
        "accounts/999999999999/authorization-details.json",
        NO_PRINCIPALS,
    )]);
    let app = role(&[]);
    let mut context = empty_context();
    context.set(
        "kms:RequestAlias",
        KeyState::Known(Values::One("alias/aws/s3")),
    );
    let decrypt = |context: &Context<'_>| {
        line(
            &snapshot,
            Caller::role_session(&app, "s"),
            &request("kms:Decrypt", Resource::Arn(KEY), context),
        )
    };
    assert_eq!(decrypt(&context), "undetermined ?kms_grant");
    context.set(
        "kms:ViaService",
        KeyState::Known(Values::One("s3.eu-west-1.amazonaws.com")),
    );
    assert_eq!(decrypt(&context), "allowed +scp");
}

#[test]
fn trust_policies_decide_who_becomes_a_role() {
    let details = r#"{"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [
        {"Arn": "arn:aws:iam::111122223333:role/job", "RoleName": "job", "RoleId": "AROAEXAMPLEJOB000000",
         "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}, "Action": "sts:AssumeRoleWithWebIdentity"}]}}]}"#;
    let snapshot = snapshot(&[
        (DETAILS, details),
        (
            "snapshot.json",
            r#"{"layers": [{"account": "*", "layer": "scp", "status": "complete"}, {"account": "*", "layer": "rcp", "status": "complete"}]}"#,
        ),
    ]);
    let job = "arn:aws:iam::111122223333:role/job";
    let (silent, allowed) = (role(&[]), role(&[&statement(EVERYTHING)]));
    let assume = |caller| ask(&snapshot, caller, "sts:AssumeRole", job);
    assert_eq!(
        assume(Caller::service("sagemaker.amazonaws.com")),
        "allowed [resource 0]"
    );
    assert_eq!(
        assume(Caller::service("ec2.amazonaws.com")),
        "implicit_deny by resource"
    );
    assert_eq!(
        assume(Caller::principal(&silent)),
        "implicit_deny by identity"
    );
    assert_eq!(
        assume(Caller::principal(&allowed)),
        "allowed [identity 0] [resource 1]"
    );
    assert_eq!(
        ask(
            &snapshot,
            Caller::web_identity("accounts.google.com"),
            "sts:AssumeRoleWithWebIdentity",
            job
        ),
        "allowed [resource 2]"
    );
}

fn organization(policies: &str) -> String {
    format!(
        r#"{{"Organization": {{"Id": "o-exampleorg1", "MasterAccountId": "999900001111"}},
        "Roots": [{{"Id": "r-ab12"}}],
        "OrganizationalUnits": [{{"Id": "ou-ab12-work0000", "ParentId": "r-ab12"}}],
        "Accounts": [{{"Id": "{ACCOUNT}", "ParentId": "ou-ab12-work0000"}}, {{"Id": "{OTHER_ACCOUNT}", "ParentId": "r-ab12"}}],
        "Policies": [{policies}]}}"#
    )
}

fn organization_policy(id: &str, kind: &str, statement: &str, targets: &str) -> String {
    let content = format!(
        r#"{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}"#,
        statement.replace('"', "\\\"")
    );
    let targets: Vec<String> = targets
        .split(' ')
        .map(|target| format!(r#"{{"TargetId": "{target}"}}"#))
        .collect();
    format!(
        r#"{{"PolicySummary": {{"Id": "{id}", "Type": "{kind}_CONTROL_POLICY"}}, "Content": "{content}", "Targets": [{}]}}"#,
        targets.join(", ")
    )
}

#[test]
fn every_level_of_the_organization_must_allow() {
    let full = |targets: &str| {
        organization_policy(
            "p-FullAWSAccess",
            "SERVICE",
            &format!("{{{EVERYTHING}}}"),
            targets,
        )
    };
    let everywhere = full("r-ab12 ou-ab12-work0000 111122223333 444455556666");
    let only_s3 = organization_policy(
        "p-s3only",
        "SERVICE",
        r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#,
        "ou-ab12-work0000",
    );
    let no_delete = organization_policy(
        "p-nodelete",
        "SERVICE",
        r#"{"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}"#,
        "r-ab12",
    );
    let ask = |policies: &[&str], action: &str, account: &str| {
        let organization = organization(&policies.join(", "));
        let snapshot = collected(&[("organization.json", &organization)]);
        let user = principal(
            &format!("arn:aws:iam::{account}:user/u"),
            &[&statement(EVERYTHING)],
            None,
        );
        let context = empty_context();
        let question = Request {
            resource_account: Some(account),
            ..request(action, Resource::Arn(OBJECT), &context)
        };
        line(&snapshot, Caller::principal(&user), &question)
    };
    let both = [everywhere.as_str(), no_delete.as_str()];
    assert_eq!(ask(&both, "s3:GetObject", ACCOUNT), "allowed [identity 0]");
    assert_eq!(
        ask(&both, "s3:DeleteObject", ACCOUNT),
        "explicit_deny by scp [scp 0]"
    );
    let without = full("r-ab12 111122223333 444455556666");
    let limited = [without.as_str(), only_s3.as_str()];
    assert_eq!(
        ask(&limited, "s3:GetObject", ACCOUNT),
        "allowed [identity 0] [scp 0]"
    );
    assert_eq!(
        ask(&limited, "sqs:SendMessage", ACCOUNT),
        "implicit_deny by scp"
    );
    assert_eq!(
        ask(&limited, "sqs:SendMessage", OTHER_ACCOUNT),
        "allowed [identity 0]"
    );
    // The file does not say where AWS's full access is.
    assert_eq!(
        ask(&[no_delete.as_str()], "s3:GetObject", ACCOUNT),
        "allowed +scp [identity 0]"
    );
    let outsiders = organization_policy(
        "p-rcp",
        "RESOURCE",
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}}"#,
        "r-ab12",
    );
    assert_eq!(
        ask(
            &[everywhere.as_str(), outsiders.as_str()],
            "s3:GetObject",
            ACCOUNT
        ),
        "explicit_deny by rcp [rcp 0]"
    );
    assert_eq!(
        ask(
            &[everywhere.as_str(), outsiders.as_str()],
            "sagemaker:CreateModel",
            ACCOUNT
        ),
        "allowed [identity 0]"
    );
}

#[test]
fn an_endpoint_policy_limits() {
    let endpoints = r#"{"VpcEndpoints": [
        {"VpcEndpointId": "vpce-1", "PolicyDocument": "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"444455556666\"},\"Action\":\"*\",\"Resource\":\"*\"}]}"},
        {"VpcEndpointId": "vpce-2"}]}"#;
    let snapshot = collected(&[("accounts/111122223333/vpc-endpoints.json", endpoints)]);
    let app = role(&[&statement(EVERYTHING)]);
    let through = |endpoint| {
        let context = empty_context();
        let question = Request {
            vpc_endpoint: Some(endpoint),
            ..request("s3:GetObject", Resource::Arn(OBJECT), &context)
        };
        line(&snapshot, Caller::principal(&app), &question)
    };
    assert_eq!(through("vpce-1"), "implicit_deny by vpc_endpoint");
    assert_eq!(through("vpce-2"), "allowed [identity 0]");
}

#[test]
fn an_implicit_deny_says_which_statement_is_missing() {
    let explain = |snapshot: &Snapshot, principal: &Principal, action: &str, arn: &str| {
        let context = empty_context();
        let evaluator = Evaluator::new(Catalogue::bundled(), snapshot);
        let explanation =
            evaluator.explain(principal, &request(action, Resource::Arn(arn), &context));
        explanation.remedy.map(|remedy| {
            format!(
                "{} {} {:?} {} {:?}",
                remedy.layer.name(),
                remedy.place,
                remedy.principal.map(|principal| principal.value),
                remedy.action,
                remedy.resource
            )
        })
    };
    let snapshot = collected(&[]);
    assert_eq!(
        explain(
            &snapshot,
            &role(&[]),
            "s3:GetObject",
            "arn:aws:s3:::data/a*"
        )
        .unwrap(),
        r#"identity arn:aws:iam::111122223333:role/app None s3:GetObject Some("arn:aws:s3:::data/a${*}")"#
    );
    assert_eq!(
        explain(
            &snapshot,
            &role(&[&statement(EVERYTHING)]),
            "kms:Decrypt",
            KEY
        )
        .unwrap(),
        format!(
            r#"resource {KEY} Some("arn:aws:iam::111122223333:role/app") kms:Decrypt Some("{KEY}")"#
        )
    );
    assert_eq!(
        explain(
            &snapshot,
            &role(&[&statement(EVERYTHING)]),
            "s3:GetObject",
            OBJECT
        ),
        None
    );
}

#[test]
fn every_layer_is_explained() {
    let snapshot = allow_object(r#"{"AWS": "arn:aws:iam::111122223333:role/other"}"#);
    let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
    let context = empty_context();
    let app = role(&[]);
    let explanation = evaluator.explain(
        &app,
        &request("s3:GetObject", Resource::Arn(OBJECT), &context),
    );
    let resource = explanation
        .layers
        .iter()
        .find(|layer| layer.layer == Layer::Resource)
        .unwrap();
    assert_eq!(resource.result, LayerResult::Silent);
    let principal = resource.statements[0].principal.as_ref().unwrap();
    assert_eq!(
        principal.wanted,
        ["AWS:arn:aws:iam::111122223333:role/other"]
    );
    assert_eq!(principal.holds, retrial_iam::Truth::False);
}
