//! What users, groups and roles have today, as the snapshot's files write it: what edits and the way back need.

use std::collections::BTreeMap;

use retrial_iam::ManagedPolicies;
use retrial_replay::Attachments;
use serde_json::Value;

/// The policies of one user, group or role, its own alone.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct CurrentPolicies {
    /// Inline policies: name and document.
    pub(crate) inline: Vec<(String, Value)>,
    /// ARNs of attached managed policies.
    pub(crate) attached: Vec<String>,
}

/// A managed policy with its versions.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct CurrentManaged {
    /// `/`, `/team/`
    pub(crate) path: String,
    /// The version in force.
    pub(crate) default: String,
    /// All versions that the file has, with their documents.
    pub(crate) versions: Vec<(String, Value)>,
}

/// What the snapshot's files hold of policies.
#[derive(Debug, Default)]
pub(crate) struct Current {
    principals: BTreeMap<String, CurrentPolicies>,
    managed: BTreeMap<String, CurrentManaged>,
    /// Who has a managed policy, by its ARN.
    attachments: BTreeMap<String, Attachments>,
}

/// Versions of one managed policy, at the most.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entities>
const MAX_VERSIONS: usize = 5;

impl CurrentManaged {
    /// The document in force.
    fn document(&self) -> Option<&Value> {
        let mut versions = self.versions.iter();
        let default = versions.find(|(id, _)| *id == self.default);
        default.map(|(_, document)| document)
    }

    /// The oldest version that is not in force, where there is no room for another one.
    pub(crate) fn in_the_way(&self) -> Option<&(String, Value)> {
        let others = self.versions.iter().filter(|(id, _)| *id != self.default);
        let oldest = others.min_by_key(|(id, _)| number(id));
        oldest.filter(|_| self.versions.len() >= MAX_VERSIONS)
    }

    /// What a new version may be called: AWS counts on.
    pub(crate) fn next(&self) -> String {
        let newest = self.versions.iter().map(|(id, _)| number(id)).max();
        format!("v{}", newest.unwrap_or(1).saturating_add(1))
    }
}

/// `v12` → 12
fn number(version: &str) -> u64 {
    let number = version.strip_prefix('v').unwrap_or(version);
    number.parse().unwrap_or_default()
}

impl Current {
    /// Out of the snapshot's files.
    pub(crate) fn read(files: &[(String, Vec<u8>)]) -> Current {
        let mut current = Current::default();
        for (path, bytes) in files {
            let name = path.rsplit('/').next().unwrap_or_default();
            if files.len() > 1 && !name.starts_with("authorization-details") {
                continue;
            }
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let pages = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
            for page in pages.map_while(Result::ok) {
                match page {
                    Value::Array(pages) => pages.iter().for_each(|page| current.page(page)),
                    page => current.page(&page),
                }
            }
        }
        current
    }

    /// The policies of a user, group or role.
    pub(crate) fn of(&self, arn: &str) -> Option<&CurrentPolicies> {
        self.principals.get(arn)
    }

    /// A managed policy of the snapshot.
    pub(crate) fn managed(&self, arn: &str) -> Option<&CurrentManaged> {
        self.managed.get(arn)
    }

    /// The document in force of a policy: a managed one by its ARN, an inline one by `<ARN>#<name>`.
    pub(crate) fn document(&self, policy: &str) -> Option<Value> {
        if let Some((arn, name)) = policy.split_once('#') {
            let mut inline = self.principals.get(arn)?.inline.iter();
            return inline
                .find(|(of, _)| of == name)
                .map(|(_, document)| document.clone());
        }
        if let Some(managed) = self.managed.get(policy) {
            return managed.document().cloned();
        }
        let bundled = ManagedPolicies::bundled().get(policy)?;
        serde_json::from_str(&bundled.document).ok()
    }

    /// Who has which managed policy.
    pub(crate) fn attachments(&self) -> &BTreeMap<String, Attachments> {
        &self.attachments
    }

    fn page(&mut self, page: &Value) {
        let lists = [
            ("UserDetailList", "UserPolicyList"),
            ("RoleDetailList", "RolePolicyList"),
            ("GroupDetailList", "GroupPolicyList"),
        ];
        for (list, inline) in lists {
            for entry in array(&page[list]) {
                self.entry(entry, inline);
            }
        }
        for policy in array(&page["Policies"]) {
            self.policy(policy);
        }
    }

    fn entry(&mut self, entry: &Value, inline: &str) {
        let attached: Vec<String> = array(&entry["AttachedManagedPolicies"])
            .iter()
            .filter_map(|policy| Some(policy["PolicyArn"].as_str()?.to_owned()))
            .collect();
        let Some(arn) = entry["Arn"].as_str() else {
            return;
        };
        for policy in &attached {
            let known = self.attachments.entry(policy.clone()).or_default();
            known.shown.insert(arn.to_owned());
        }
        let policy = |policy: &Value| {
            let name = policy["PolicyName"].as_str()?.to_owned();
            Some((name, document(&policy["PolicyDocument"])))
        };
        let policies = CurrentPolicies {
            inline: array(&entry[inline]).iter().filter_map(policy).collect(),
            attached,
        };
        self.principals.insert(arn.to_owned(), policies);
    }

    fn policy(&mut self, policy: &Value) {
        let Some(arn) = policy["Arn"].as_str() else {
            return;
        };
        // AWS counts whom a snapshot of a part of the account does not have, too.
        let known = self.attachments.entry(arn.to_owned()).or_default();
        let counted = |member: &str| policy[member].as_u64().unwrap_or_default();
        known.counted = known.counted.max(counted("AttachmentCount"));
        let boundaries = counted("PermissionsBoundaryUsageCount");
        known.boundaries_counted = known.boundaries_counted.max(boundaries);
        let version = |version: &Value| {
            let id = version["VersionId"].as_str()?.to_owned();
            Some((id, document(&version["Document"])))
        };
        let versions = array(&policy["PolicyVersionList"]);
        let is_default = |version: &&Value| version["IsDefaultVersion"] == true;
        let default = versions.iter().find(is_default);
        let default = default.map_or(&policy["DefaultVersionId"], |one| &one["VersionId"]);
        let managed = CurrentManaged {
            path: policy["Path"].as_str().unwrap_or("/").to_owned(),
            default: default.as_str().unwrap_or_default().to_owned(),
            versions: versions.iter().filter_map(version).collect(),
        };
        self.managed.insert(arn.to_owned(), managed);
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A document: an object, or its text, perhaps URL-encoded as IAM's own API gives it.
fn document(value: &Value) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let decoded = match text.trim_start().starts_with('%') {
        true => decoded(text),
        false => text.to_owned(),
    };
    serde_json::from_str(&decoded).unwrap_or_else(|_| value.clone())
}

/// `%7B` → `{`
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_objects_or_texts() {
        let expect = json!({"Version": "2012-10-17", "Statement": []});
        for value in [
            expect.clone(),
            json!(expect.to_string()),
            json!("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D"),
        ] {
            assert_eq!(document(&value), expect);
        }
    }

    #[test]
    fn pages_one_after_the_other() {
        let page = |name: &str| {
            format!(
                r#"{{"UserDetailList": [], "RoleDetailList": [{{"Arn": "arn:{name}", "RolePolicyList":
                    [{{"PolicyName": "p", "PolicyDocument": {{}}}}],
                    "AttachedManagedPolicies": [{{"PolicyArn": "arn:m", "PolicyName": "m"}}]}}]}}"#
            )
        };
        let text = format!("{}\n{}", page("a"), page("b"));
        let files = [("iam.json".to_owned(), text.into_bytes())];
        let found = Current::read(&files);
        for arn in ["arn:a", "arn:b"] {
            let expect = CurrentPolicies {
                inline: vec![("p".to_owned(), json!({}))],
                attached: vec!["arn:m".to_owned()],
            };
            assert_eq!(found.of(arn), Some(&expect));
        }
        let shown = ["arn:a", "arn:b"].map(str::to_owned);
        assert_eq!(found.attachments()["arn:m"].shown, shown.into());
        assert_eq!(found.document("arn:b#p"), Some(json!({})));
    }

    #[test]
    fn a_policy_has_five_versions() {
        let managed = |versions: &[&str]| CurrentManaged {
            path: "/".to_owned(),
            default: "v3".to_owned(),
            versions: versions
                .iter()
                .map(|id| ((*id).to_owned(), json!({})))
                .collect(),
        };
        let full = managed(&["v12", "v3", "v10", "v4", "v11"]);
        assert_eq!(full.in_the_way().map(|(id, _)| id.as_str()), Some("v4"));
        assert_eq!(full.next(), "v13");
        assert_eq!(managed(&["v3", "v2"]).in_the_way(), None);
    }

    #[test]
    fn who_else_has_a_policy() {
        // What AWS counts may come on a page before those whom it counts.
        let policy =
            json!({"Arn": "arn:m", "AttachmentCount": 3, "PermissionsBoundaryUsageCount": 1});
        let attached = json!([{"PolicyArn": "arn:m"}]);
        let pages = json!([
            {"Policies": [policy]},
            {"RoleDetailList": [{"Arn": "arn:a", "AttachedManagedPolicies": attached}],
             "GroupDetailList": [{"Arn": "arn:g", "AttachedManagedPolicies": attached,
                "GroupPolicyList": [{"PolicyName": "p", "PolicyDocument": {}}]}]}]);
        let files = [("iam.json".to_owned(), pages.to_string().into_bytes())];
        let found = Current::read(&files);
        let expect = Attachments {
            shown: ["arn:a", "arn:g"].map(str::to_owned).into(),
            counted: 3,
            boundaries_counted: 1,
        };
        assert_eq!(found.attachments()["arn:m"], expect);
        assert_eq!(found.document("arn:g#p"), Some(json!({})));
    }
}
