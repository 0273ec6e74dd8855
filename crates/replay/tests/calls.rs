//! Whose call a record is, which condition keys it shows, and the verdict that follows.

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
use retrial_replay::{Assumptions, Call, Mapping, Replayer, SessionKnowledge};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";

/// An account with a user, a role with a path, an SSO role and a service-linked role, who may list
/// training jobs and decrypt.
fn snapshot() -> Value {
    let policy = json!([{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sagemaker:List*", "kms:Decrypt"], "Resource": "*"}
    ]}}]);
    let role = |path: &str, name: &str, id: &str| {
        json!({
            "Path": path, "RoleName": name, "RoleId": id, "Arn": format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
            "CreateDate": "2024-01-01T00:00:00Z", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
            "InstanceProfileList": [], "RolePolicyList": policy, "AttachedManagedPolicies": []
        })
    };
    json!({
        "UserDetailList": [{
            "Path": "/staff/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000", "Arn": format!("arn:aws:iam::{ACCOUNT}:user/staff/ana"),
            "CreateDate": "2024-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": [], "UserPolicyList": policy,
            "Tags": [{"Key": "team", "Value": "research"}]
        }],
        "GroupDetailList": [], "Policies": [],
        "RoleDetailList": [
            role("/jobs/", "Trainer", "AROAEXAMPLETRAINER000"),
            role("/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Data_0123456789abcdef", "AROAEXAMPLEPERSON0000"),
            role("/aws-service-role/sagemaker.amazonaws.com/", "AWSServiceRoleForAmazonSageMakerNotebooks", "AROAEXAMPLELINKED0000")
        ]
    })
}

fn user() -> Value {
    json!({
        "type": "IAMUser", "principalId": "AIDAEXAMPLEUSERANA000", "arn": format!("arn:aws:iam::{ACCOUNT}:user/staff/ana"),
        "accountId": ACCOUNT, "accessKeyId": "AKIAEXAMPLEKEYOFANA0", "userName": "ana"
    })
}

fn session(path: &str, name: &str, id: &str) -> Value {
    json!({
        "type": "AssumedRole", "principalId": format!("{id}:s1"), "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s1"),
        "accountId": ACCOUNT, "accessKeyId": "ASIAEXAMPLEKEYOFROLE",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": id, "arn": format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"), "accountId": ACCOUNT, "userName": name},
            "attributes": {"creationDate": "2026-11-02T09:00:00Z", "mfaAuthenticated": "false"}
        }
    })
}

fn trainer() -> Value {
    session("/jobs/", "Trainer", "AROAEXAMPLETRAINER000")
}

/// A record of `ListTrainingJobs` with these members in place of the usual ones.
fn record(members: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11", "userIdentity": user(), "eventTime": "2026-11-02T09:30:00Z", "eventSource": "sagemaker.amazonaws.com",
        "eventName": "ListTrainingJobs", "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2",
        "requestParameters": null, "responseElements": null, "eventID": "e", "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT
    });
    for (key, value) in members.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

fn replay<T>(record: &Value, read: impl FnOnce(&Call<'_>) -> T) -> T {
    let bytes = snapshot().to_string();
    let file = SnapshotFile {
        path: "iam.json",
        bytes: bytes.as_bytes(),
    };
    let (snapshot, issues) = Snapshot::read(&[file], Catalogue::bundled()).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let replayer = Replayer::new(
        Catalogue::bundled(),
        &mapping,
        &snapshot,
        Assumptions::Named,
    );
    let arena = Bump::new();
    let text = record.to_string();
    let replayed = RecordParser::new().parse(text.as_bytes(), |record| {
        let session = SessionKnowledge::NotSeen;
        read(&replayer.replay(record, session, &arena, &mut Scratch::default()))
    });
    replayed.unwrap()
}

/// The principal and `verdict` or `verdict (reason)`.
#[track_caller]
fn check(record: &Value, principal: Option<&str>, verdict: &str) {
    replay(record, |call| {
        let reason = call
            .reason
            .map(|reason| format!(" ({})", reason.name()))
            .unwrap_or_default();
        assert_eq!(call.caller.principal_arn, principal);
        assert_eq!(format!("{}{reason}", call.verdict.name()), verdict);
    });
}

#[test]
fn the_principal_of_a_call() {
    let trainer_arn = "arn:aws:iam::111122223333:role/jobs/Trainer";
    let ana = "arn:aws:iam::111122223333:user/staff/ana";
    let identity = |identity: Value| record(json!({"userIdentity": identity}));
    let with = |mut identity: Value, pointer: &str, value: Value| {
        *identity.pointer_mut(pointer).unwrap() = value;
        record(json!({"userIdentity": identity}))
    };
    check(&record(json!({})), Some(ana), "agrees");
    check(&identity(trainer()), Some(trainer_arn), "agrees");
    // Without the issuer the path is not shown; the name finds the role.
    check(
        &with(trainer(), "/sessionContext/sessionIssuer", json!({})),
        Some("arn:aws:iam::111122223333:role/Trainer"),
        "agrees",
    );
    // Deleted and made again under its old name: another unique id.
    check(
        &identity(session("/jobs/", "Trainer", "AROAANOTHERTRAINER000")),
        Some(trainer_arn),
        "not_evaluated (principal_recreated)",
    );
    // A masked id tells nothing.
    check(
        &identity(session("/jobs/", "Trainer", "AROA****************")),
        Some(trainer_arn),
        "agrees",
    );
    check(
        &identity(session("/", "Gone", "AROAEXAMPLEGONE000000")),
        Some("arn:aws:iam::111122223333:role/Gone"),
        "not_evaluated (principal_deleted)",
    );
    check(
        &identity(
            json!({"type": "IAMUser", "principalId": "AIDAEXAMPLEOTHER00000", "arn": "arn:aws:iam::444455556666:user/eve", "accountId": "444455556666", "userName": "eve"}),
        ),
        Some("arn:aws:iam::444455556666:user/eve"),
        "not_evaluated (principal_not_in_snapshot)",
    );
    check(
        &identity(
            json!({"type": "Root", "principalId": ACCOUNT, "arn": "arn:aws:iam::111122223333:root", "accountId": ACCOUNT, "accessKeyId": ""}),
        ),
        Some("arn:aws:iam::111122223333:root"),
        "agrees",
    );
    check(
        &identity(json!({
            "type": "FederatedUser", "principalId": "111122223333:bob", "arn": "arn:aws:sts::111122223333:federated-user/bob", "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"type": "IAMUser", "principalId": "AIDAEXAMPLEUSERANA000", "arn": ana, "accountId": ACCOUNT, "userName": "ana"}}
        })),
        Some(ana),
        "agrees",
    );
    check(
        &identity(json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"})),
        None,
        "not_evaluated (service_principal)",
    );
    check(
        &identity(json!({"accountId": ACCOUNT, "invokedBy": "AWS Internal"})),
        None,
        "not_evaluated (service_principal)",
    );
    check(
        &identity(
            json!({"type": "AWSAccount", "principalId": "ANONYMOUS_PRINCIPAL", "accountId": "anonymous"}),
        ),
        None,
        "not_evaluated (anonymous_principal)",
    );
    check(
        &identity(
            json!({"type": "AWSAccount", "principalId": "AROAEXAMPLE:x", "accountId": "444455556666"}),
        ),
        None,
        "not_evaluated (caller_not_shown)",
    );
    check(
        &identity(json!({"type": "Unknown"})),
        None,
        "not_evaluated (caller_not_shown)",
    );
    check(
        &identity(json!({"type": "WebIdentityUser", "userName": "x"})),
        None,
        "not_evaluated (federated_principal)",
    );
    check(
        &identity(Value::Null),
        None,
        "not_evaluated (caller_not_shown)",
    );
}

#[test]
fn what_is_not_a_call_to_be_decided() {
    let ana = Some("arn:aws:iam::111122223333:user/staff/ana");
    check(
        &record(json!({"addendum": {"reason": "UPDATED_DATA"}})),
        ana,
        "not_evaluated (addendum)",
    );
    check(
        &record(json!({"eventType": "AwsServiceEvent"})),
        ana,
        "not_evaluated (not_an_iam_action)",
    );
    check(
        &record(json!({"eventName": "DescribeNothing"})),
        ana,
        "not_evaluated (unmapped)",
    );
    check(
        &record(json!({"errorCode": "ThrottlingException"})),
        ana,
        "not_comparable",
    );
    check(
        &record(json!({"eventName": "DeleteEndpoint", "requestParameters": {"endpointName": "e"}})),
        ana,
        "would_be_denied",
    );
    check(
        &record(
            json!({"eventName": "DeleteEndpoint", "errorCode": "AccessDeniedException", "errorMessage": "User: x is not authorized to perform: sagemaker:DeleteEndpoint on resource: arn:aws:sagemaker:eu-west-1:111122223333:endpoint/e because no identity-based policy allows the sagemaker:DeleteEndpoint action"}),
        ),
        ana,
        "agrees",
    );
    // Denied then and allowed now, but nobody collected the SCPs.
    check(
        &record(json!({"errorCode": "AccessDenied"})),
        ana,
        "undetermined (allowed_under_assumption)",
    );
}

/// What the only request's context says of a key: its values, `absent`, or `unknown`.
#[track_caller]
fn check_key(record: &Value, key: &str, expect: &str) {
    let found = replay(record, |call| {
        let context = call.requests[0].context;
        let values = context
            .iter()
            .find(|(name, _)| *name == key)
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
fn where_a_call_came_from() {
    let from = |address: &str| record(json!({"sourceIPAddress": address}));
    check_key(&from("203.0.113.7"), "aws:SourceIp", "203.0.113.7");
    check_key(&from("2001:db8::1"), "aws:SourceIp", "2001:db8::1");
    check_key(
        &from("cloudformation.amazonaws.com"),
        "aws:SourceIp",
        "unknown",
    );
    check_key(&from("AWS Internal"), "aws:SourceIp", "unknown");
    check_key(&from("0.0.0.0"), "aws:SourceIp", "unknown");
    check_key(&from("203.0.113.7"), "aws:SourceVpce", "absent");
    let endpoint = record(json!({"sourceIPAddress": "10.0.0.7", "vpcEndpointId": "vpce-0123"}));
    check_key(&endpoint, "aws:SourceIp", "absent");
    check_key(&endpoint, "aws:VpcSourceIp", "10.0.0.7");
    check_key(&endpoint, "aws:SourceVpce", "vpce-0123");
    check_key(&endpoint, "aws:SourceVpc", "unknown");
}

#[test]
fn whether_a_service_stood_in_between() {
    let via = |mut identity: Value, service: &str| {
        identity["invokedBy"] = json!(service);
        record(json!({"userIdentity": identity}))
    };
    let person = || {
        session(
            "/aws-reserved/sso.amazonaws.com/",
            "AWSReservedSSO_Data_0123456789abcdef",
            "AROAEXAMPLEPERSON0000",
        )
    };
    let linked = || {
        session(
            "/aws-service-role/sagemaker.amazonaws.com/",
            "AWSServiceRoleForAmazonSageMakerNotebooks",
            "AROAEXAMPLELINKED0000",
        )
    };
    let key = "aws:ViaAWSService";
    check_key(&record(json!({})), key, "false");
    check_key(&via(user(), "signin.amazonaws.com"), key, "false");
    check_key(&via(user(), "cloudformation.amazonaws.com"), key, "true");
    check_key(
        &via(user(), "cloudformation.amazonaws.com"),
        "aws:CalledViaLast",
        "cloudformation.amazonaws.com",
    );
    check_key(
        &via(user(), "cloudformation.amazonaws.com"),
        "aws:CalledVia",
        "unknown",
    );
    check_key(&via(user(), "AWS Internal"), key, "unknown");
    check_key(&via(person(), "cloudformation.amazonaws.com"), key, "true");
    check_key(&via(linked(), "sagemaker.amazonaws.com"), key, "false");
    // A session that a service was issued has it too; only the issuing record could tell.
    check_key(&via(trainer(), "sagemaker.amazonaws.com"), key, "unknown");
    check_key(
        &via(user(), "cloudformation.amazonaws.com"),
        "aws:PrincipalIsAWSService",
        "false",
    );
    let decrypt = |identity: Value| {
        record(json!({
            "userIdentity": identity, "eventSource": "kms.amazonaws.com", "eventName": "Decrypt",
            "requestParameters": {"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::b/k"}},
            "resources": [{"ARN": "arn:aws:kms:eu-west-1:111122223333:key/k", "accountId": ACCOUNT, "type": "AWS::KMS::Key"}]
        }))
    };
    let mut through_s3 = user();
    through_s3["invokedBy"] = json!("s3.amazonaws.com");
    check_key(
        &decrypt(through_s3),
        "kms:ViaService",
        "s3.eu-west-1.amazonaws.com",
    );
    check_key(&decrypt(user()), "kms:ViaService", "absent");
    check_key(
        &decrypt(user()),
        "kms:EncryptionContext:aws:s3:arn",
        "arn:aws:s3:::b/k",
    );
    check_key(&decrypt(user()), "kms:CallerAccount", ACCOUNT);
}

#[test]
fn what_the_credentials_say() {
    check_key(&record(json!({})), "aws:MultiFactorAuthPresent", "absent");
    check_key(
        &record(json!({"userIdentity": trainer()})),
        "aws:MultiFactorAuthPresent",
        "false",
    );
    let mut with_mfa = trainer();
    with_mfa["sessionContext"]["attributes"]["mfaAuthenticated"] = json!("true");
    check_key(
        &record(json!({"userIdentity": with_mfa})),
        "aws:MultiFactorAuthAge",
        "1800",
    );
    check_key(&record(json!({})), "aws:PrincipalTag/team", "research");
    check_key(&record(json!({})), "aws:PrincipalTag/*", "absent");
    // A session tag, which only the issuing record shows, overrides the role's.
    check_key(
        &record(json!({"userIdentity": trainer()})),
        "aws:PrincipalTag/*",
        "unknown",
    );
    check_key(&record(json!({})), "aws:username", "ana");
    check_key(
        &record(json!({"userIdentity": trainer()})),
        "aws:username",
        "absent",
    );
    check_key(
        &record(json!({"userIdentity": trainer()})),
        "aws:userid",
        "AROAEXAMPLETRAINER000:s1",
    );
    check_key(
        &record(json!({"userIdentity": trainer()})),
        "aws:PrincipalArn",
        "arn:aws:iam::111122223333:role/jobs/Trainer",
    );
    check_key(
        &record(json!({})),
        "aws:CurrentTime",
        "2026-11-02T09:30:00Z",
    );
    check_key(&record(json!({})), "aws:EpochTime", "1793611800");
}
