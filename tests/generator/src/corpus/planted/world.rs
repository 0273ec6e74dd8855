//! The account of what is planted: its principals, their policies and its bucket.

use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

use super::super::team::{allow, document, saml_provider};
use crate::account::{Account, Policies};
use crate::caller::Identity;
use crate::calls::s3::Bucket;
use crate::calls::sagemaker::Place;

pub(in super::super) const ACCOUNT: &str = "200000000055";
pub(super) const IRELAND: &str = "eu-west-1";
pub(super) const VIRGINIA: &str = "us-east-1";
pub(super) const PLACE: Place<'static> = Place {
    account: ACCOUNT,
    region: IRELAND,
};
pub(super) const BUCKET: Bucket<'static> = Bucket {
    name: "planted-data",
    account: ACCOUNT,
    region: IRELAND,
};
pub(super) const GITHUB: &str =
    "arn:aws:iam::200000000055:oidc-provider/token.actions.githubusercontent.com";
/// Lets its sessions do no more than read objects.
pub(super) const SCOPE: &str = "arn:aws:iam::200000000055:policy/SessionScope";
/// Was deleted since: the snapshot does not have it.
pub(super) const GONE_SCOPE: &str = "arn:aws:iam::200000000055:policy/GoneScope";

const CREATED: &str = "2025-03-03T09:00:00+00:00";

/// May stop training jobs, read and write below `open/`, and assume roles.
pub(super) fn operator() -> Identity {
    Identity::role(ACCOUNT, "/", "planted-operator", "OPERATOR")
}

/// May stop training jobs as long as its session's tag `project` is `atlas`.
pub(super) fn tagged() -> Identity {
    Identity::role(ACCOUNT, "/", "planted-tagged", "TAGGED")
}

/// The same, and has the tag `project` = `zeus` of its own.
pub(super) fn with_a_tag() -> Identity {
    Identity::role(ACCOUNT, "/", "planted-with-a-tag", "WITHATAG")
}

/// May stop training jobs as long as the source identity is `ana`.
pub(super) fn identified() -> Identity {
    Identity::role(ACCOUNT, "/", "planted-identified", "IDENTIFIED")
}

/// A user who starts most sessions, and may do what the operator may.
pub(super) fn starter() -> Identity {
    Identity::user(ACCOUNT, "/", "planted-starter", "STARTER")
}

fn work() -> Vec<Value> {
    let objects = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"];
    vec![
        allow("Jobs", &["sagemaker:StopTrainingJob"], &["*"]),
        allow("Objects", &objects, &["arn:aws:s3:::planted-data/open/*"]),
        allow("Sessions", &["sts:*"], &["*"]),
    ]
}

fn stop_where(key: &str, value: &str) -> Value {
    let mut stop = allow("Jobs", &["sagemaker:StopTrainingJob"], &["*"]);
    stop["Condition"] = json!({"StringEquals": {key: value}});
    document(&[stop])
}

fn trust() -> Value {
    let by = |principal: Value, actions: &[&str]| json!({"Effect": "Allow", "Principal": principal, "Action": actions});
    document(&[
        by(
            json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}),
            &["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
        ),
        by(
            json!({"Service": "sagemaker.amazonaws.com"}),
            &["sts:AssumeRole"],
        ),
        by(
            json!({"Federated": saml_provider(ACCOUNT)}),
            &["sts:AssumeRoleWithSAML", "sts:TagSession"],
        ),
        by(
            json!({"Federated": GITHUB}),
            &["sts:AssumeRoleWithWebIdentity"],
        ),
    ])
}

fn account() -> Account {
    let mut account = Account::default();
    let starter_policies = Policies::inline("Work", document(&work()));
    account.user(&starter(), CREATED, &starter_policies);
    let mut role = |role: &Identity, policy: Value, tags: Vec<(String, String)>| {
        let policies = Policies {
            tags,
            ..Policies::inline("Work", policy)
        };
        account.role(role, CREATED, &trust(), &policies);
    };
    role(&operator(), document(&work()), Vec::new());
    let by_tag = || stop_where("aws:PrincipalTag/project", "atlas");
    role(&tagged(), by_tag(), Vec::new());
    let zeus = vec![("project".into(), "zeus".into())];
    role(&with_a_tag(), by_tag(), zeus);
    let ana = stop_where("aws:SourceIdentity", "ana");
    role(&identified(), ana, Vec::new());
    let read = allow("Read", &["s3:GetObject"], &["*"]);
    let write = allow("Write", &["s3:GetObject", "s3:PutObject"], &["*"]);
    let versions = [
        ("v1", CREATED, document(&[write])),
        ("v2", "2026-11-08T09:00:00+00:00", document(&[read])),
    ];
    account.policy(SCOPE, "SCOPE", &versions);
    account
}

/// The account's part of the snapshot.
pub(in super::super) fn write_snapshot(iam: &Path) -> io::Result<()> {
    let folder = iam.join("accounts").join(ACCOUNT);
    let controls = json!({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]});
    let files = [
        ("authorization-details.json", account().json()),
        (
            "resource-policies/s3.json",
            json!({format!("arn:aws:s3:::{}", BUCKET.name): null}),
        ),
        (
            "s3-buckets.json",
            json!({BUCKET.name: {"OwnershipControls": controls, "OwnerAccount": ACCOUNT}}),
        ),
    ];
    for (path, value) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(path, value.to_string())?;
    }
    Ok(())
}
