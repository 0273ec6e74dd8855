//! What `aws iam get-account-authorization-details` prints, built from statements of intent.
//!
//! See <https://docs.aws.amazon.com/cli/latest/reference/iam/get-account-authorization-details.html>.

use serde_json::{Map, Value, json};

use crate::caller::Identity;

/// Attached to or embedded in a principal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    pub(crate) inline: Vec<(String, Value)>,
    /// ARNs of managed policies.
    pub(crate) attached: Vec<String>,
    pub(crate) boundary: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
}

impl Policies {
    pub(crate) fn inline(name: &str, document: Value) -> Policies {
        Policies {
            inline: vec![(name.into(), document)],
            ..Policies::default()
        }
    }

    pub(crate) fn attached(arns: &[&str]) -> Policies {
        Policies {
            attached: arns.iter().map(|arn| String::from(*arn)).collect(),
            ..Policies::default()
        }
    }

    pub(crate) fn with(mut self, arn: &str) -> Policies {
        self.attached.push(arn.into());
        self
    }

    fn inline_list(&self) -> Value {
        self.inline
            .iter()
            .map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document}))
            .collect()
    }

    fn attached_list(&self) -> Value {
        self.attached
            .iter()
            .map(|arn| json!({"PolicyName": last(arn), "PolicyArn": arn}))
            .collect()
    }

    fn tag_list(&self) -> Value {
        self.tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect()
    }
}

fn last(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name)
}

/// One account's users, groups, roles and policies.
#[derive(Debug, Default)]
pub(crate) struct Account {
    users: Vec<Value>,
    groups: Vec<Value>,
    roles: Vec<Value>,
    policies: Vec<Value>,
}

impl Account {
    pub(crate) fn user(&mut self, user: &Identity, created: &str, policies: &Policies) {
        let mut detail = principal(user, "User", created, policies);
        detail.insert("UserPolicyList".into(), policies.inline_list());
        detail.insert("GroupList".into(), json!(policies.groups));
        self.users.push(Value::Object(detail));
    }

    pub(crate) fn role(
        &mut self,
        role: &Identity,
        created: &str,
        trust: &Value,
        policies: &Policies,
    ) {
        let mut detail = principal(role, "Role", created, policies);
        detail.insert("RolePolicyList".into(), policies.inline_list());
        detail.insert("AssumeRolePolicyDocument".into(), trust.clone());
        detail.insert("InstanceProfileList".into(), json!([]));
        detail.insert(
            "RoleLastUsed".into(),
            json!({"LastUsedDate": "2026-11-08T21:00:00+00:00", "Region": "eu-west-1"}),
        );
        self.roles.push(Value::Object(detail));
    }

    pub(crate) fn group(&mut self, account: &str, name: &str, tag: &str, policies: &Policies) {
        self.groups.push(json!({
            "Path": "/", "GroupName": name, "GroupId": format!("AGPAEXAMPLE{tag:0<10}"),
            "Arn": format!("arn:aws:iam::{account}:group/{name}"), "CreateDate": "2021-03-01T08:00:00+00:00",
            "GroupPolicyList": policies.inline_list(), "AttachedManagedPolicies": policies.attached_list(),
        }));
    }

    /// A managed policy with its versions, oldest first; the newest is the default.
    pub(crate) fn policy(&mut self, arn: &str, tag: &str, versions: &[(&str, &str, Value)]) {
        let list: Vec<Value> = versions
            .iter()
            .enumerate()
            .rev()
            .map(|(index, (id, created, document))| {
                json!({"Document": document, "VersionId": id, "IsDefaultVersion": index + 1 == versions.len(), "CreateDate": created})
            })
            .collect();
        let path = arn
            .split_once(":policy")
            .and_then(|(_, path)| path.rsplit_once('/'))
            .map_or("/".into(), |(path, _)| format!("{path}/"));
        self.policies.push(json!({
            "PolicyName": last(arn), "PolicyId": format!("ANPAEXAMPLE{tag:0<10}"), "Arn": arn, "Path": path,
            "DefaultVersionId": versions.last().map(|version| version.0), "AttachmentCount": 1, "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": true, "CreateDate": versions.first().map(|version| version.1),
            "UpdateDate": versions.last().map(|version| version.1), "PolicyVersionList": list,
        }));
    }

    pub(crate) fn json(self) -> Value {
        json!({"UserDetailList": self.users, "GroupDetailList": self.groups, "RoleDetailList": self.roles, "Policies": self.policies})
    }
}

fn principal(who: &Identity, kind: &str, created: &str, policies: &Policies) -> Map<String, Value> {
    let mut detail = Map::new();
    detail.insert("Path".into(), json!(who.path));
    detail.insert(format!("{kind}Name"), json!(who.name));
    detail.insert(format!("{kind}Id"), json!(who.id));
    detail.insert("Arn".into(), json!(who.arn()));
    detail.insert("CreateDate".into(), json!(created));
    detail.insert("AttachedManagedPolicies".into(), policies.attached_list());
    detail.insert("Tags".into(), policies.tag_list());
    if let Some(arn) = &policies.boundary {
        detail.insert(
            "PermissionsBoundary".into(),
            json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}),
        );
    }
    detail
}

/// What says that a layer was collected.
pub(crate) fn layer(account: &str, layer: &str, service: &str, status: &str) -> Value {
    json!({"account": account, "layer": layer, "service": service, "region": "*", "status": status})
}
