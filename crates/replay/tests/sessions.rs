//! What issuing records tell of sessions, and what calls of these sessions come to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use bumpalo::Bump;
use retrial_cloudtrail::RecordParser;
use retrial_iam::{Catalogue, Scratch, Snapshot, SnapshotFile};
use retrial_replay::{
    Assumptions, Call, IssuedSession, Mapping, Replayer, Session, SessionDocuments,
    SessionKnowledge, issued_session, session_key,
};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const KEY: &str = "ASIAEXAMPLEKEYOFROLE";
const TRAINER: &str = "arn:aws:iam::111122223333:role/jobs/Trainer";
const GITHUB: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

fn document(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A user, a role of jobs that services and GitHub's workflows may assume, a managed policy that is
/// attached to nobody, and two buckets.
fn replay<T>(record: &Value, session: Option<&Session>, read: impl FnOnce(&Call<'_>) -> T) -> T {
    let allowed = document(json!([
        {"Sid": "Jobs", "Effect": "Allow", "Action": ["sagemaker:List*", "sagemaker:StopTrainingJob", "kms:Decrypt"], "Resource": "*"}
    ]));
    let trust = document(json!([
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Federated": GITHUB}, "Action": "sts:AssumeRoleWithWebIdentity",
         "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:example/jobs:*"},
                       "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}},
        {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/directory"}, "Action": "sts:AssumeRoleWithSAML",
         "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}
    ]));
    let details = json!({
        "UserDetailList": [{
            "Path": "/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000", "Arn": "arn:aws:iam::111122223333:user/ana",
            "CreateDate": "2024-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": [],
            "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": allowed}], "Tags": [{"Key": "team", "Value": "research"}]
        }],
        "GroupDetailList": [],
        "RoleDetailList": [{
            "Path": "/jobs/", "RoleName": "Trainer", "RoleId": "AROAEXAMPLETRAINER000", "Arn": TRAINER,
            "CreateDate": "2024-01-01T00:00:00Z", "AssumeRolePolicyDocument": trust, "InstanceProfileList": [],
            "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": allowed}], "AttachedManagedPolicies": [],
            "Tags": [{"Key": "Team", "Value": "training"}, {"Key": "stage", "Value": "live"}]
        }],
        "Policies": [{
            "PolicyName": "OnlyEndpoints", "PolicyId": "ANPAEXAMPLEENDPOINTS0", "Arn": "arn:aws:iam::111122223333:policy/OnlyEndpoints",
            "Path": "/", "DefaultVersionId": "v1", "AttachmentCount": 0, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true,
            "CreateDate": "2024-01-01T00:00:00Z", "UpdateDate": "2024-01-01T00:00:00Z",
            "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "CreateDate": "2024-01-01T00:00:00Z",
                "Document": document(json!([{"Effect": "Allow", "Action": "sagemaker:ListEndpoints", "Resource": "*"}]))}]
        }]
    })
    .to_string();
    let buckets = json!({
        "arn:aws:s3:::open-bucket": document(json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open-bucket/*"}])),
        "arn:aws:s3:::closed-bucket": null
    })
    .to_string();
    let ownership = json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, "OwnerAccount": ACCOUNT});
    let ownership = json!({"open-bucket": ownership, "closed-bucket": ownership}).to_string();
    let files = [
        ("accounts/111122223333/authorization-details.json", &details),
        ("accounts/111122223333/resource-policies/s3.json", &buckets),
        ("accounts/111122223333/s3-buckets.json", &ownership),
    ]
    .map(|(path, text)| SnapshotFile {
        path,
        bytes: text.as_bytes(),
    });
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let replayer = Replayer::new(
        Catalogue::bundled(),
        &mapping,
        &snapshot,
        Assumptions::Named,
    );
    let arena = Bump::new();
    let session = session.map_or(SessionKnowledge::NotSeen, SessionKnowledge::Known);
    parse(record, |record| {
        let explanations = replayer.explain(record, session, &arena);
        let call = replayer.replay(record, session, &arena, &mut Scratch::default());
        // The explanation is of the same decision.
        for (explanation, request) in explanations.iter().zip(call.requests) {
            assert_eq!(Some(explanation.decision), request.decision);
        }
        read(&call)
    })
}

fn parse<T>(record: &Value, read: impl FnOnce(&retrial_cloudtrail::Record<'_>) -> T) -> T {
    let text = record.to_string();
    RecordParser::new()
        .parse(text.as_bytes(), |record| read(record))
        .unwrap()
}

fn with(mut record: Value, members: Value) -> Value {
    for (pointer, value) in members.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        record.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    record
}

fn ana() -> Value {
    json!({"type": "IAMUser", "principalId": "AIDAEXAMPLEUSERANA000", "arn": "arn:aws:iam::111122223333:user/ana",
           "accountId": ACCOUNT, "accessKeyId": "AKIAEXAMPLEKEYOFANA0", "userName": "ana"})
}

/// A session of the role, with its access key.
fn trainer(access_key_id: &str) -> Value {
    json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLETRAINER000:s1", "arn": "arn:aws:sts::111122223333:assumed-role/Trainer/s1",
        "accountId": ACCOUNT, "accessKeyId": access_key_id,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLETRAINER000", "arn": TRAINER, "accountId": ACCOUNT, "userName": "Trainer"},
            "attributes": {"creationDate": "2026-11-02T09:00:00Z", "mfaAuthenticated": "false"}
        }
    })
}

fn service(name: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": name})
}

fn record(source: &str, name: &str, identity: Value, parameters: Value) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": "2026-11-02T09:30:00Z", "eventSource": source, "eventName": name,
        "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2", "requestParameters": parameters,
        "responseElements": null, "eventID": "e", "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT
    })
}

/// AssumeRole by somebody, with these parameters beside the usual ones.
fn assume_role(identity: Value, parameters: Value) -> Value {
    let mut request = json!({"roleArn": TRAINER, "roleSessionName": "s1"});
    for (key, value) in parameters.as_object().unwrap() {
        request[key] = value.clone();
    }
    let mut issued = record("sts.amazonaws.com", "AssumeRole", identity, request);
    issued["responseElements"] = json!({
        "credentials": {"accessKeyId": KEY, "expiration": "Nov 2, 2026, 10:00:00 AM", "sessionToken": "t"},
        "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLETRAINER000:s1", "arn": "arn:aws:sts::111122223333:assumed-role/Trainer/s1"}
    });
    issued
}

fn session_of(issuing: &Value) -> Session {
    let mut documents = SessionDocuments::new(1 << 20);
    parse(issuing, |record| {
        let arena = Bump::new();
        let issued = issued_session(record, &arena).expect("issues a session");
        Session::new(&issued.facts(), &mut documents)
    })
}

fn list_jobs() -> Value {
    record(
        "sagemaker.amazonaws.com",
        "ListTrainingJobs",
        trainer(KEY),
        Value::Null,
    )
}

/// `verdict` or `verdict (reason)`, the blocking layer, what is assumed.
fn outcome(record: &Value, session: Option<&Session>) -> String {
    replay(record, session, |call| {
        let mut words = vec![call.verdict.name().to_owned()];
        words.extend(call.reason.map(|reason| format!("({})", reason.name())));
        for request in call.requests.iter().filter(|request| request.required) {
            words.extend(request.layer.map(|layer| format!("by {}", layer.name())));
            words.extend(request.assumes.iter().map(|assumed| (*assumed).to_owned()));
        }
        words.join(" ")
    })
}

#[track_caller]
fn check(record: &Value, session: Option<&Session>, expect: &str) {
    assert_eq!(outcome(record, session), expect);
}

#[test]
fn a_session_policy_cuts() {
    let issued = |policy: &str| session_of(&assume_role(ana(), json!({"policy": policy})));
    let other = document(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]));
    let same = document(
        json!([{"Sid": "Cut", "Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}]),
    );
    let deny = document(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "sagemaker:List*", "Resource": "*"}
    ]));
    let beyond = document(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    check(&list_jobs(), None, "agrees scp session_policy");
    let plain = session_of(&assume_role(ana(), json!({})));
    check(&list_jobs(), Some(&plain), "agrees scp");
    check(&list_jobs(), Some(&issued(&same.to_string())), "agrees scp");
    check(
        &list_jobs(),
        Some(&issued(&other.to_string())),
        "would_be_denied by session",
    );
    check(
        &list_jobs(),
        Some(&issued(&deny.to_string())),
        "would_be_denied by session",
    );
    // It grants nothing.
    let delete = record(
        "sagemaker.amazonaws.com",
        "DeleteEndpoint",
        trainer(KEY),
        json!({"endpointName": "e"}),
    );
    check(
        &delete,
        Some(&issued(&beyond.to_string())),
        "would_be_denied by identity",
    );
    // A policy that cannot be parsed is not no policy.
    for unknown in ["{", "HIDDEN_DUE_TO_SECURITY_REASONS", "{\"Statement\": 7}"] {
        check(
            &list_jobs(),
            Some(&issued(unknown)),
            "agrees scp session_policy",
        );
    }
}

#[test]
fn the_statements_of_a_session_policy_have_its_name() {
    let policy = document(
        json!([{"Sid": "Cut", "Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}]),
    )
    .to_string();
    let arns = json!([{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]);
    let session = session_of(&assume_role(
        ana(),
        json!({"policy": policy, "policyArns": arns}),
    ));
    replay(&list_jobs(), Some(&session), |call| {
        let statements: Vec<_> = call.requests[0]
            .determined_by
            .iter()
            .filter(|statement| statement.layer.name() == "session")
            .map(|statement| (statement.policy, statement.sid))
            .collect();
        assert_eq!(statements[0], ("session_policy", Some("Cut")));
        assert_eq!(statements[1].0, "arn:aws:iam::aws:policy/ReadOnlyAccess");
        assert_eq!(call.session_policy_id, session.policy_id());
        assert!(call.session_policy_id.is_some());
    });
    replay(&list_jobs(), None, |call| {
        assert_eq!(call.session_policy_id, None)
    });
    let plain = session_of(&assume_role(ana(), json!({})));
    replay(&list_jobs(), Some(&plain), |call| {
        assert_eq!(call.session_policy_id, None)
    });
}

#[test]
fn managed_session_policies() {
    let with = |arns: Value| session_of(&assume_role(ana(), json!({"policyArns": arns})));
    // From the compiled-in copy, which the decision names.
    let bundled = with(json!([{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]));
    check(
        &list_jobs(),
        Some(&bundled),
        "agrees scp bundled_policy@2026-09-30",
    );
    // Attached to nobody, and in the snapshot all the same.
    let collected = with(json!([{"arn": "arn:aws:iam::111122223333:policy/OnlyEndpoints"}]));
    check(&list_jobs(), Some(&collected), "would_be_denied by session");
    let endpoints = record(
        "sagemaker.amazonaws.com",
        "ListEndpoints",
        trainer(KEY),
        Value::Null,
    );
    check(&endpoints, Some(&collected), "agrees scp");
    // Together they allow what one of them does.
    let both = with(json!([
        {"arn": "arn:aws:iam::111122223333:policy/OnlyEndpoints"}, {"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    ]));
    check(
        &list_jobs(),
        Some(&both),
        "agrees scp bundled_policy@2026-09-30",
    );
    check(&endpoints, Some(&both), "agrees scp");
    // One that nobody has leaves them all open.
    let gone = with(json!([{"arn": "arn:aws:iam::111122223333:policy/Gone"}]));
    check(&list_jobs(), Some(&gone), "agrees scp session_policy");
}

#[test]
fn a_session_is_not_joined_to_another_role() {
    let nothing = document(json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}])).to_string();
    let other = assume_role(
        ana(),
        json!({"roleArn": "arn:aws:iam::111122223333:role/Other", "policy": nothing}),
    );
    check(
        &list_jobs(),
        Some(&session_of(&other)),
        "agrees scp session_policy",
    );
    // The path is not always shown.
    let same = assume_role(
        ana(),
        json!({"roleArn": "arn:aws:iam::111122223333:role/Trainer", "policy": nothing}),
    );
    check(
        &list_jobs(),
        Some(&session_of(&same)),
        "would_be_denied by session",
    );
}

#[test]
fn federated_users_have_the_users_policies_cut() {
    let issue = |parameters: Value| {
        let mut request = json!({"name": "bob"});
        for (key, value) in parameters.as_object().unwrap() {
            request[key] = value.clone();
        }
        let mut issued = record("sts.amazonaws.com", "GetFederationToken", ana(), request);
        issued["responseElements"] = json!({
            "credentials": {"accessKeyId": KEY, "expiration": "Nov 2, 2026, 10:00:00 AM", "sessionToken": "t"},
            "federatedUser": {"federatedUserId": "111122223333:bob", "arn": "arn:aws:sts::111122223333:federated-user/bob"}
        });
        session_of(&issued)
    };
    let bob = json!({
        "type": "FederatedUser", "principalId": "111122223333:bob", "arn": "arn:aws:sts::111122223333:federated-user/bob",
        "accountId": ACCOUNT, "accessKeyId": KEY,
        "sessionContext": {"sessionIssuer": {"type": "IAMUser", "principalId": "AIDAEXAMPLEUSERANA000",
                           "arn": "arn:aws:iam::111122223333:user/ana", "accountId": ACCOUNT, "userName": "ana"}}
    });
    let list = record(
        "sagemaker.amazonaws.com",
        "ListTrainingJobs",
        bob.clone(),
        Value::Null,
    );
    let stop = record(
        "sagemaker.amazonaws.com",
        "StopTrainingJob",
        bob,
        json!({"trainingJobName": "j"}),
    );
    let policy =
        document(json!([{"Effect": "Allow", "Action": "sagemaker:List*", "Resource": "*"}]))
            .to_string();
    check(&list, None, "agrees scp session_policy");
    check(&list, Some(&issue(json!({"policy": policy}))), "agrees scp");
    check(&stop, None, "agrees scp session_policy");
    check(
        &stop,
        Some(&issue(json!({"policy": policy}))),
        "would_be_denied by session",
    );
    // "If no session policies are passed, the federated user has no permissions."
    check(&list, Some(&issue(json!({}))), "would_be_denied by session");
    let tagged = issue(json!({"policy": policy, "tags": [{"key": "cost", "value": "7"}]}));
    check_key(&list, Some(&tagged), "aws:PrincipalTag/cost", "7");
    check_key(&list, Some(&tagged), "aws:PrincipalTag/team", "research");
    check_key(&list, Some(&tagged), "aws:PrincipalTag/*", "absent");
}

/// What the only request's context says of a key: its values, `absent`, or `unknown`.
#[track_caller]
fn check_key(record: &Value, session: Option<&Session>, key: &str, expect: &str) {
    let found = replay(record, session, |call| {
        let context = call.requests[0].context;
        let values = context
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, values)| values.join(","));
        match values {
            Some(values) if values.is_empty() => "absent".to_owned(),
            Some(values) => values,
            None => "unknown".to_owned(),
        }
    });
    assert_eq!(found, expect, "{key}");
}

#[test]
fn session_tags_override_the_roles() {
    let tags = json!({"tags": [{"key": "team", "value": "vision"}, {"key": "Cost", "value": "7"}]});
    let tagged = session_of(&assume_role(ana(), tags));
    let check = |key: &str, expect: &str| check_key(&list_jobs(), Some(&tagged), key, expect);
    check("aws:PrincipalTag/team", "vision");
    check("aws:PrincipalTag/cost", "7");
    check("aws:PrincipalTag/stage", "live");
    check("aws:PrincipalTag/*", "absent");
    // Without tags of its own a session has the role's.
    let plain = session_of(&assume_role(ana(), json!({})));
    check_key(
        &list_jobs(),
        Some(&plain),
        "aws:PrincipalTag/team",
        "training",
    );
    check_key(&list_jobs(), Some(&plain), "aws:PrincipalTag/*", "absent");
    // Whose issuing record was not seen: nothing is known.
    check_key(&list_jobs(), None, "aws:PrincipalTag/team", "unknown");
    check_key(&list_jobs(), None, "aws:PrincipalTag/*", "unknown");
}

#[test]
fn a_role_chain_hands_transitive_tags_on() {
    let first = session_of(&assume_role(
        ana(),
        json!({"tags": [{"key": "Team", "value": "vision"}, {"key": "desk", "value": "4"}], "transitiveTagKeys": ["team"]}),
    ));
    let second = session_of(&assume_role(
        trainer(KEY),
        json!({"tags": [{"key": "cost", "value": "7"}]}),
    ));
    assert!(!second.tags_are_all());
    // Nobody saw the first: what it handed on may override any of the role's tags.
    check_key(&list_jobs(), Some(&second), "aws:PrincipalTag/cost", "7");
    check_key(
        &list_jobs(),
        Some(&second),
        "aws:PrincipalTag/stage",
        "unknown",
    );
    let second = second.inherit(&first);
    for (key, expect) in [
        ("aws:PrincipalTag/team", "vision"),
        ("aws:PrincipalTag/cost", "7"),
        ("aws:PrincipalTag/stage", "live"),
        ("aws:PrincipalTag/desk", "unknown"),
        ("aws:PrincipalTag/*", "absent"),
    ] {
        check_key(&list_jobs(), Some(&second), key, expect);
    }
    // It stays transitive.
    let third = session_of(&assume_role(trainer(KEY), json!({}))).inherit(&second);
    assert_eq!(third.tags().collect::<Vec<_>>(), [("Team", "vision")]);
    assert!(third.tags_are_all());
}

#[test]
fn who_asked_for_the_session_tells_who_calls_through_a_service() {
    let through = |service: &str| with(list_jobs(), json!({"/userIdentity/invokedBy": service}));
    let of_service = session_of(&assume_role(service("sagemaker.amazonaws.com"), json!({})));
    let of_person = session_of(&assume_role(ana(), json!({})));
    let key = "aws:ViaAWSService";
    check_key(&through("sagemaker.amazonaws.com"), None, key, "unknown");
    check_key(
        &through("sagemaker.amazonaws.com"),
        Some(&of_service),
        key,
        "false",
    );
    check_key(
        &through("sagemaker.amazonaws.com"),
        Some(&of_service),
        "aws:CalledVia",
        "absent",
    );
    check_key(
        &through("sagemaker.amazonaws.com"),
        Some(&of_person),
        key,
        "true",
    );
    check_key(
        &through("cloudformation.amazonaws.com"),
        Some(&of_person),
        "aws:CalledViaLast",
        "cloudformation.amazonaws.com",
    );
    check_key(&through("AWS Internal"), Some(&of_person), key, "unknown");
    // S3 asks KMS with the credentials of the job that reads the object.
    let decrypt = with(
        record("kms.amazonaws.com", "Decrypt", trainer(KEY), json!({})),
        json!({"/userIdentity/invokedBy": "s3.amazonaws.com"}),
    );
    check_key(
        &decrypt,
        Some(&of_service),
        "kms:ViaService",
        "s3.eu-west-1.amazonaws.com",
    );
    // A copy in the role's account does not say who asked.
    let copy = json!({"type": "AWSAccount", "principalId": "AIDAEXAMPLEOTHER00000", "accountId": "444455556666"});
    let of_nobody = session_of(&assume_role(copy, json!({})));
    check_key(
        &through("sagemaker.amazonaws.com"),
        Some(&of_nobody),
        key,
        "unknown",
    );
    check_key(
        &list_jobs(),
        Some(&of_nobody),
        "aws:PrincipalTag/*",
        "unknown",
    );
}

#[test]
fn the_source_identity() {
    let named = session_of(&assume_role(
        ana(),
        json!({"sourceIdentity": "ana@example.com"}),
    ));
    let key = "aws:SourceIdentity";
    check_key(&list_jobs(), Some(&named), key, "ana@example.com");
    check_key(&list_jobs(), None, key, "absent");
    let own = with(
        list_jobs(),
        json!({"/userIdentity/sessionContext/sourceIdentity": "bob"}),
    );
    check_key(&own, Some(&named), key, "bob");
}

#[test]
fn a_service_is_let_in_by_the_trust_policy_alone() {
    let assumed = |name: &str| assume_role(service(name), json!({}));
    check(&assumed("sagemaker.amazonaws.com"), None, "agrees rcp");
    check(
        &assumed("glue.amazonaws.com"),
        None,
        "would_be_denied by resource",
    );
    check_key(
        &assumed("sagemaker.amazonaws.com"),
        None,
        "aws:PrincipalIsAWSService",
        "true",
    );
    let role = |arn: &str| assume_role(service("sagemaker.amazonaws.com"), json!({"roleArn": arn}));
    check(
        &role("arn:aws:iam::111122223333:role/Gone"),
        None,
        "not_evaluated (principal_deleted)",
    );
    check(
        &role("arn:aws:iam::444455556666:role/Elsewhere"),
        None,
        "not_evaluated (service_principal)",
    );
    // What else a service does on its own behalf.
    let put = record(
        "s3.amazonaws.com",
        "PutObject",
        service("delivery.logs.amazonaws.com"),
        json!({"bucketName": "b", "key": "k"}),
    );
    check(&put, None, "not_evaluated (service_principal)");
    check(
        &assumed("AWS Internal"),
        None,
        "not_evaluated (service_principal)",
    );
}

#[test]
fn identities_of_a_provider_are_let_in_by_the_trust_policy_alone() {
    let identity = |subject: &str| json!({"type": "WebIdentityUser", "principalId": format!("{GITHUB}:sts.amazonaws.com:{subject}"), "userName": subject, "identityProvider": GITHUB});
    let issue = |identity: Value| {
        with(
            assume_role(identity, json!({})),
            json!({"/eventName": "AssumeRoleWithWebIdentity"}),
        )
    };
    check(
        &issue(identity("repo:example/jobs:ref:refs/heads/main")),
        None,
        "agrees rcp",
    );
    check(
        &issue(identity("repo:example/other:ref:refs/heads/main")),
        None,
        "would_be_denied by resource",
    );
    // A claim that the record does not show stays open.
    let hidden = with(
        issue(identity("x")),
        json!({"/userIdentity/userName": Value::Null, "/userIdentity/principalId": Value::Null}),
    );
    check(&hidden, None, "undetermined (unknown_keys)");
    let other = with(
        issue(identity("x")),
        json!({"/userIdentity/identityProvider": "bdGOnTesti4="}),
    );
    check(&other, None, "not_evaluated (federated_principal)");

    let saml = |audience: &str| {
        let identity = json!({"type": "SAMLUser", "principalId": "hash=:ana", "userName": "ana", "identityProvider": "hash="});
        let issued = assume_role(
            identity,
            json!({"principalArn": "arn:aws:iam::111122223333:saml-provider/directory"}),
        );
        with(
            issued,
            json!({"/eventName": "AssumeRoleWithSAML", "/responseElements/audience": audience}),
        )
    };
    check(
        &saml("https://signin.aws.amazon.com/saml"),
        None,
        "agrees rcp",
    );
    check(
        &saml("https://example.com"),
        None,
        "would_be_denied by resource",
    );
}

#[test]
fn anybody_is_let_in_by_the_resources_policy_alone() {
    let nobody =
        json!({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"});
    let get = |bucket: &str| {
        let mut get = record(
            "s3.amazonaws.com",
            "GetObject",
            nobody.clone(),
            json!({"bucketName": bucket, "key": "k"}),
        );
        get["resources"] = json!([
            {"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::{bucket}/k")},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")}
        ]);
        get
    };
    check(&get("open-bucket"), None, "agrees rcp");
    check(&get("closed-bucket"), None, "would_be_denied by resource");
    check_key(
        &get("open-bucket"),
        None,
        "aws:PrincipalAccount",
        "anonymous",
    );
    check_key(&get("open-bucket"), None, "aws:PrincipalArn", "absent");
    replay(&get("open-bucket"), None, |call| assert!(!call.copy));
    let list = record(
        "sagemaker.amazonaws.com",
        "ListTrainingJobs",
        nobody.clone(),
        Value::Null,
    );
    check(&list, None, "not_evaluated (anonymous_principal)");
}

/// Which sessions a record issues, and what it says of them.
#[track_caller]
fn check_issued(record: &Value, expect: Option<&dyn Fn(&IssuedSession<'_>)>) {
    parse(record, |record| {
        let arena = Bump::new();
        let issued = issued_session(record, &arena);
        assert_eq!(issued.is_some(), expect.is_some(), "{issued:?}");
        if let (Some(issued), Some(expect)) = (issued, expect) {
            expect(&issued);
        }
    });
}

#[test]
fn what_a_record_tells_of_the_session_that_it_issued() {
    let full = assume_role(
        trainer("ASIAEXAMPLEKEYBEFORE"),
        json!({
            "policy": "{}", "policyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "tags": [{"key": "Email", "value": "ana@example.com"}], "transitiveTagKeys": ["Email"],
            "incomingTransitiveTags": {"Department": "Engineering"}, "sourceIdentity": "ana"
        }),
    );
    check_issued(
        &full,
        Some(&|issued| {
            assert_eq!(issued.access_key_id, KEY);
            assert_eq!(issued.event_name, "AssumeRole");
            assert_eq!(issued.caller_principal_arn, Some(TRAINER));
            assert_eq!(issued.caller_access_key_id, Some("ASIAEXAMPLEKEYBEFORE"));
            assert_eq!(issued.role_arn, Some(TRAINER));
            assert_eq!(issued.assumed_role_id, Some("AROAEXAMPLETRAINER000:s1"));
            assert_eq!(issued.session_name, Some("s1"));
            assert_eq!(issued.session_policy, Some("{}"));
            assert_eq!(
                issued.session_policy_arns,
                ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
            );
            assert_eq!(
                issued.tags,
                [("Email", "ana@example.com"), ("Department", "Engineering")]
            );
            assert_eq!(issued.transitive_tag_keys, ["Department", "Email"]);
            assert_eq!(issued.source_identity, Some("ana"));
            assert_eq!(
                issued.expires_at.map(|time| time.to_iso()).as_deref(),
                Some("2026-11-02T10:00:00Z")
            );
        }),
    );
    let web = with(
        assume_role(
            json!({"type": "WebIdentityUser", "identityProvider": GITHUB}),
            json!({"principalTags": {"run": "7"}, "transitiveTagKeys": ["run"]}),
        ),
        json!({"/eventName": "AssumeRoleWithWebIdentity"}),
    );
    check_issued(
        &web,
        Some(&|issued| {
            assert_eq!(issued.tags, [("run", "7")]);
            assert_eq!(
                (issued.caller_principal_arn, issued.caller_access_key_id),
                (None, None)
            );
        }),
    );
    check_issued(
        &assume_role(service("rds.amazonaws.com"), json!({"policy": "{}"})),
        Some(&|issued| assert_eq!(issued.caller_principal_arn, Some("rds.amazonaws.com"))),
    );
    let mut root = record(
        "sts.amazonaws.com",
        "AssumeRoot",
        ana(),
        json!({"targetPrincipal": "444455556666", "taskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}}),
    );
    root["responseElements"] =
        json!({"credentials": {"accessKeyId": KEY, "expiration": "Nov 2, 2026, 9:45:00 AM"}});
    check_issued(
        &root,
        Some(&|issued| {
            assert_eq!(
                issued.session_policy_arns,
                ["arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"]
            )
        }),
    );
    let mut token = record("sts.amazonaws.com", "GetSessionToken", ana(), Value::Null);
    token["responseElements"] = json!({"credentials": {"accessKeyId": KEY}});
    check_issued(
        &token,
        Some(&|issued| assert_eq!((issued.role_arn, issued.expires_at), (None, None))),
    );
}

#[test]
fn what_issues_nothing() {
    let plain = || assume_role(ana(), json!({}));
    check_issued(&plain(), Some(&|_| {}));
    for members in [
        json!({"/errorCode": "AccessDenied"}),
        json!({"/responseElements": null}),
        json!({"/responseElements": ""}),
        json!({"/responseElements/credentials/accessKeyId": "ASIA****************"}),
        json!({"/responseElements/credentials/accessKeyId": "AWS_ACCESS_KEY_ID_REDACTED"}),
        json!({"/responseElements/credentials/accessKeyId": "AKIAEXAMPLEKEYOFANA0"}),
        json!({"/requestParameters": null}),
        json!({"/requestParameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        json!({"/requestParameters/tags": "***"}),
        json!({"/requestParameters/tags": [{"name": "x"}]}),
        json!({"/requestParameters/tags": [{"key": "x", "value": "v".repeat(257)}]}),
        json!({"/requestParameters/tags": (0..101).map(|n| json!({"key": n.to_string(), "value": ""})).collect::<Vec<_>>()}),
        json!({"/requestParameters/principalTags": {"x": ["a", "b"]}}),
        json!({"/requestParameters/transitiveTagKeys": "x"}),
        json!({"/requestParameters/policyArns": [7]}),
        json!({"/eventSource": "sso.amazonaws.com"}),
        json!({"/eventName": "DecodeAuthorizationMessage"}),
    ] {
        check_issued(&with(plain(), members), None);
    }
}

#[test]
fn which_calls_depend_on_an_issuing_record() {
    let check = |identity: Value, expect: Option<&str>| {
        let call = record(
            "sagemaker.amazonaws.com",
            "ListTrainingJobs",
            identity.clone(),
            Value::Null,
        );
        parse(&call, |record| {
            assert_eq!(session_key(record), expect, "{identity}")
        });
    };
    let of = |kind: &str| json!({"type": kind, "arn": "arn:aws:iam::111122223333:x", "accountId": ACCOUNT, "accessKeyId": KEY});
    check(trainer(KEY), Some(KEY));
    check(of("FederatedUser"), Some(KEY));
    check(trainer("ASIA****************"), None);
    check(ana(), None);
    check(of("IAMUser"), None);
    check(of("Root"), None);
    check(
        with(
            json!({"i": of("Root")}),
            json!({"/i/sessionContext": {"assumedRoot": "true"}}),
        )["i"]
            .clone(),
        Some(KEY),
    );
    check(service("sagemaker.amazonaws.com"), None);
    check(Value::Null, None);
}

#[test]
fn a_root_session_for_a_task_is_cut_by_its_policy() {
    let identity = json!({"type": "Root", "principalId": ACCOUNT, "arn": "arn:aws:iam::111122223333:root", "accountId": ACCOUNT, "accessKeyId": KEY,
                          "sessionContext": {"attributes": {"creationDate": "2026-11-02T09:00:00Z", "mfaAuthenticated": "false"}, "assumedRoot": "true"}});
    let list = record(
        "sagemaker.amazonaws.com",
        "ListTrainingJobs",
        identity,
        Value::Null,
    );
    let mut issued = record(
        "sts.amazonaws.com",
        "AssumeRoot",
        ana(),
        json!({"targetPrincipal": ACCOUNT, "taskPolicyArn": {"arn": "arn:aws:iam::111122223333:policy/OnlyEndpoints"}}),
    );
    issued["responseElements"] = json!({"credentials": {"accessKeyId": KEY}});
    check(&list, None, "agrees scp session_policy");
    check(
        &list,
        Some(&session_of(&issued)),
        "would_be_denied by session",
    );
}
