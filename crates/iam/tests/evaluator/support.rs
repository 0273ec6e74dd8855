//! Principals and snapshots made by hand.

use std::sync::Arc;

use retrial_iam::{
    AttachedPolicy, Catalogue, CompiledPolicy, Context, Decision, Evaluator, Layer, MissingKeys,
    PolicySource, PolicyUnavailable, Principal, PrincipalKind, Request, Resource, Scratch,
    SessionPolicies, Snapshot, SnapshotFile,
};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";

/// `snapshot.json` that says that every layer was collected; no file says that there is a policy.
const ALL_COLLECTED: &str = r#"{"taken_at": "2026-11-01T00:00:00Z", "layers": [
    {"account": "*", "layer": "identity", "status": "complete"},
    {"account": "*", "layer": "scp", "status": "complete"},
    {"account": "*", "layer": "rcp", "status": "complete"},
    {"account": "*", "layer": "resource_policy", "status": "complete"},
    {"account": "*", "layer": "kms_grants", "status": "complete"},
    {"account": "*", "layer": "s3_acl", "status": "complete"},
    {"account": "*", "layer": "vpc_endpoint_policy", "status": "complete"}
]}"#;

pub(crate) fn snapshot(files: &[(&str, &str)]) -> Snapshot {
    let files: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, text)| SnapshotFile {
            path,
            bytes: text.as_bytes(),
        })
        .collect();
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    assert_eq!(issues, []);
    snapshot
}

/// The details of an account without users, groups, roles and policies.
pub(crate) const NO_PRINCIPALS: &str =
    r#"{"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}"#;

/// Every layer collected, and nothing in it.
pub(crate) fn all_collected() -> Snapshot {
    snapshot(&[
        ("snapshot.json", ALL_COLLECTED),
        (
            "accounts/111122223333/authorization-details.json",
            NO_PRINCIPALS,
        ),
        (
            "accounts/444455556666/authorization-details.json",
            NO_PRINCIPALS,
        ),
    ])
}

/// Nothing but authorization details of an account that is none of the tests'.
pub(crate) fn nothing_collected() -> Snapshot {
    snapshot(&[(
        "accounts/999999999999/authorization-details.json",
        NO_PRINCIPALS,
    )])
}

pub(crate) fn attached(id: &str, document: &str) -> AttachedPolicy {
    AttachedPolicy {
        id: id.into(),
        source: PolicySource::Managed,
        policy: Ok(Arc::new(
            CompiledPolicy::identity(document)
                .unwrap_or_else(|error| panic!("{error}: {document}")),
        )),
        bundled_date: None,
    }
}

pub(crate) fn unavailable(id: &str) -> AttachedPolicy {
    AttachedPolicy {
        id: id.into(),
        source: PolicySource::Managed,
        policy: Err(PolicyUnavailable::NotCollected),
        bundled_date: None,
    }
}

/// A principal with these documents, whose kind and account are in the ARN.
pub(crate) fn principal(arn: &str, identity: &[&str], boundary: Option<&str>) -> Principal {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (account, resource) = (parts[4], parts[5]);
    let kind = match resource.split('/').next() {
        Some("root") => PrincipalKind::Root,
        Some("user") => PrincipalKind::User,
        _ => PrincipalKind::Role,
    };
    let path = match (resource.find('/'), resource.rfind('/')) {
        (Some(first), Some(last)) => resource[first..=last].to_owned(),
        _ => "/".to_owned(),
    };
    Principal {
        arn: arn.to_owned(),
        unique_id: String::new(),
        kind,
        account: account.to_owned(),
        name: resource.rsplit('/').next().unwrap().to_owned(),
        path,
        created: None,
        tags: Vec::new(),
        identity: identity
            .iter()
            .enumerate()
            .map(|(index, document)| attached(&format!("policy-{index}"), document))
            .collect(),
        boundary: boundary.map(|document| attached("boundary", document)),
    }
}

pub(crate) fn role(identity: &[&str]) -> Principal {
    principal(&format!("arn:aws:iam::{ACCOUNT}:role/app"), identity, None)
}

/// A statement in a document of version 2012-10-17.
pub(crate) fn statement(statement: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": {{{statement}}}}}"#)
}

/// The decision and its reasons as one comparable value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) decision: Decision,
    pub(crate) layer: Option<Layer>,
    pub(crate) determined_by: Vec<String>,
    pub(crate) unknown_keys: Vec<String>,
    pub(crate) unknown_layers: Vec<Layer>,
    pub(crate) assumes: Vec<String>,
}

pub(crate) fn ask(snapshot: &Snapshot, principal: &Principal, request: &Request<'_>) -> Answer {
    let evaluator = Evaluator::new(Catalogue::bundled(), snapshot);
    let mut scratch = Scratch::default();
    let evaluation = evaluator.evaluate(principal, request, &mut scratch);
    Answer {
        decision: evaluation.decision,
        layer: evaluation.layer,
        determined_by: evaluation
            .determined_by
            .iter()
            .map(|found| format!("{}/{}/{}", found.layer.name(), found.policy, found.index))
            .collect(),
        unknown_keys: evaluation
            .unknown_keys
            .iter()
            .map(|key| (*key).to_owned())
            .collect(),
        unknown_layers: evaluation.unknown_layers.to_vec(),
        assumes: evaluation.assumes.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn empty_context() -> Context<'static> {
    Context::new(MissingKeys::Absent)
}

pub(crate) fn request<'a>(
    action: &'a str,
    resource: Resource<'a>,
    context: &'a Context<'a>,
) -> Request<'a> {
    Request {
        action,
        resource,
        resource_account: None,
        context,
        vpc_endpoint: None,
        session: SessionPolicies::None,
    }
}
