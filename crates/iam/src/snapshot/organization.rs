//! `organization.json`: which service control policies and resource control policies are on an account.
//!
//! The file puts together what `aws organizations` prints: `describe-organization`, `list-roots`,
//! `list-organizational-units-for-parent` and `list-accounts` (with the `ParentId` of each), and of each
//! policy `describe-policy` (with its `Targets` from `list-targets-for-policy`).

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::{AttachedPolicy, PolicySource, PolicyUnavailable};
use crate::CompiledPolicy;

/// The type of an organization policy, as AWS spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyType {
    ServiceControl,
    ResourceControl,
}

impl PolicyType {
    /// The one of this name that decides about requests.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::ServiceControl, Self::ResourceControl]
            .into_iter()
            .find(|policy_type| policy_type.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::ServiceControl => "SERVICE_CONTROL_POLICY",
            Self::ResourceControl => "RESOURCE_CONTROL_POLICY",
        }
    }

    /// The id of the policy that AWS attaches everywhere and that takes nothing away.
    /// See <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>
    /// and <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>.
    pub(super) fn full_access(self) -> &'static str {
        match self {
            Self::ServiceControl => "p-FullAWSAccess",
            Self::ResourceControl => "p-RCPFullAWSAccess",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OrganizationFile {
    organization: Option<OrganizationEntry>,
    #[serde(default)]
    roots: Vec<Root>,
    #[serde(default)]
    organizational_units: Vec<Node>,
    #[serde(default)]
    accounts: Vec<Node>,
    #[serde(default)]
    policies: Vec<Policy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationEntry {
    // AWS renamed the field in its documents; the command still prints the old name.
    #[serde(alias = "ManagementAccountId")]
    master_account_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    id: String,
    policy_types: Option<Vec<EnabledType>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EnabledType {
    #[serde(rename = "Type")]
    policy_type: String,
    status: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    id: String,
    parent_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy_summary: PolicySummary,
    content: Option<String>,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicySummary {
    id: String,
    arn: Option<String>,
    #[serde(rename = "Type")]
    policy_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    target_id: String,
}

/// The organization's tree and its policies.
#[derive(Debug)]
pub(super) struct Organization {
    management_account: Option<String>,
    roots: Vec<Root>,
    /// The parent of each account and unit.
    parents: FxHashMap<String, String>,
    accounts: Vec<String>,
    policies: Vec<Policy>,
    /// By account, service control policies first.
    bound: FxHashMap<String, [Bound; 2]>,
}

/// What binds one account: the policies of one type, from the root to the account.
#[derive(Debug)]
struct Bound {
    on_account: OnAccount,
    levels: Vec<Level>,
}

/// The policies of one type that are attached to one root, unit or account.
#[derive(Debug)]
pub(crate) struct Level {
    /// AWS's full access is attached here, or the file leaves out where it is.
    pub(crate) full_access: FullAccess,
    /// The others.
    pub(crate) policies: Vec<AttachedPolicy>,
}

/// Whether a level has the policy that takes nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FullAccess {
    Attached,
    NotAttached,
    /// The file does not say: every level has at least one service control policy
    /// (<https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>),
    /// and this one has none in it.
    NotTold,
}

/// The levels that bind an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels<'s> {
    pub(crate) levels: &'s [Level],
    /// Whether all of it was collected.
    pub(crate) complete: bool,
}

/// All that the organization decides about an account, to be compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing<'o> {
    pub(super) is_management: Option<bool>,
    /// Of service control policies, then of resource control policies: each node from the account up,
    /// with the ids and documents of the policies on it. `None`: the type is switched off.
    pub(super) levels: [Option<Vec<StandingLevel<'o>>>; 2],
}

/// A node, and what is attached to it.
pub(super) type StandingLevel<'o> = (&'o str, Vec<(&'o str, Option<&'o str>)>);

/// Which policies of a type stand on an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnAccount {
    /// Policies other than AWS's full access stand on the account or above it.
    Some,
    /// No others.
    None,
    /// The account is not in the file, or its place in the tree is not.
    Unknown,
}

/// Deeper than AWS lets anyone nest units: five levels under the root.
const MAX_DEPTH: usize = 16;

impl Policy {
    /// The policy, compiled; `None` for another type of policy, and for AWS's full access.
    fn compile(&self, problems: &mut Vec<String>) -> Option<AttachedPolicy> {
        let summary = &self.policy_summary;
        let (policy_type, grammar): (_, fn(&str) -> _) = match summary.policy_type.as_str() {
            "SERVICE_CONTROL_POLICY" => (PolicyType::ServiceControl, CompiledPolicy::identity),
            "RESOURCE_CONTROL_POLICY" => (PolicyType::ResourceControl, CompiledPolicy::resource),
            _ => return None,
        };
        if summary.id == policy_type.full_access() {
            return None;
        }
        let id = summary.arn.as_deref().unwrap_or(&summary.id);
        let policy = match self.content.as_deref().map(grammar) {
            Some(Ok(policy)) => Ok(Arc::new(policy)),
            Some(Err(error)) => {
                problems.push(format!("policy `{id}`: in the encoded document at {error}"));
                Err(PolicyUnavailable::Unreadable)
            }
            None => Err(PolicyUnavailable::NotCollected),
        };
        Some(AttachedPolicy {
            id: id.into(),
            source: PolicySource::Organization(summary.id.as_str().into()),
            policy,
            bundled_date: None,
        })
    }
}

impl Organization {
    /// The organization, and which of its policies cannot be read.
    pub(super) fn from_file(file: OrganizationFile) -> (Self, Vec<String>) {
        let mut organization = Self::without_levels(file);
        let problems = organization.compile();
        (organization, problems)
    }

    fn without_levels(file: OrganizationFile) -> Self {
        let accounts = file
            .accounts
            .iter()
            .map(|account| account.id.clone())
            .collect();
        let nodes = file.organizational_units.into_iter().chain(file.accounts);
        Self {
            management_account: file.organization.and_then(|entry| entry.master_account_id),
            roots: file.roots,
            parents: nodes.map(|node| (node.id, node.parent_id)).collect(),
            accounts,
            policies: file.policies,
            bound: FxHashMap::default(),
        }
    }

    /// Compiles each policy once and lays them out by account.
    fn compile(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let compiled: Vec<Option<AttachedPolicy>> = self
            .policies
            .iter()
            .map(|policy| policy.compile(&mut problems))
            .collect();
        let bound = |account: &String| {
            [PolicyType::ServiceControl, PolicyType::ResourceControl].map(|policy_type| Bound {
                on_account: self.look_up(account, policy_type),
                levels: self.levels_of(account, policy_type, &compiled),
            })
        };
        self.bound = self
            .accounts
            .iter()
            .map(|account| (account.clone(), bound(account)))
            .collect();
        problems
    }

    fn levels_of(
        &self,
        account: &str,
        policy_type: PolicyType,
        compiled: &[Option<AttachedPolicy>],
    ) -> Vec<Level> {
        let path = self.path(account).unwrap_or_default();
        if !self.is_enabled(&path, policy_type) {
            return Vec::new();
        }
        path.iter()
            .rev()
            .map(|target| self.level(target, policy_type, compiled))
            .collect()
    }

    fn level(
        &self,
        target: &str,
        policy_type: PolicyType,
        compiled: &[Option<AttachedPolicy>],
    ) -> Level {
        let on_target = |policy: &Policy| {
            policy
                .targets
                .iter()
                .any(|attached| attached.target_id == target)
        };
        let of_type = |policy: &&Policy| policy.policy_summary.policy_type == policy_type.name();
        let is_full = |policy: &&Policy| policy.policy_summary.id == policy_type.full_access();
        let policies: Vec<AttachedPolicy> = self
            .policies
            .iter()
            .zip(compiled)
            .filter(|(policy, _)| of_type(policy) && !is_full(policy) && on_target(policy))
            .filter_map(|(_, compiled)| compiled.clone())
            .map(|policy| AttachedPolicy {
                source: PolicySource::Organization(target.into()),
                ..policy
            })
            .collect();
        let mut full = self
            .policies
            .iter()
            .filter(of_type)
            .filter(is_full)
            .peekable();
        let is_told = full.peek().is_some();
        let full_access = match policy_type {
            // "RCPFullAWSAccess … can't be detached."
            // <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>
            PolicyType::ResourceControl => FullAccess::Attached,
            PolicyType::ServiceControl if full.any(on_target) => FullAccess::Attached,
            PolicyType::ServiceControl if is_told && !policies.is_empty() => {
                FullAccess::NotAttached
            }
            PolicyType::ServiceControl => FullAccess::NotTold,
        };
        Level {
            full_access,
            policies,
        }
    }

    /// The levels that bind an account or its resources, from the root down; `None` where the file
    /// does not hold the account.
    pub(super) fn levels(&self, account: &str, policy_type: PolicyType) -> Option<&[Level]> {
        Some(&self.bound(account, policy_type)?.levels)
    }

    fn bound(&self, account: &str, policy_type: PolicyType) -> Option<&Bound> {
        let [scp, rcp] = self.bound.get(account)?;
        Some(match policy_type {
            PolicyType::ServiceControl => scp,
            PolicyType::ResourceControl => rcp,
        })
    }

    pub(super) fn is_management_account(&self, account: &str) -> Option<bool> {
        let management = self.management_account.as_deref()?;
        (management == account || self.bound.contains_key(account)).then_some(management == account)
    }

    /// The accounts in the file, in its order.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().map(String::as_str)
    }

    pub(super) fn has_account(&self, account: &str) -> bool {
        self.bound.contains_key(account)
    }

    /// Whether this is one of its roots, units or accounts.
    pub(super) fn has_node(&self, id: &str) -> bool {
        self.parents.contains_key(id) || self.roots.iter().any(|root| root.id == id)
    }

    pub(super) fn tells_management_account(&self) -> bool {
        self.management_account.is_some()
    }

    /// Whether a type of policy is switched on where a node is.
    pub(super) fn is_enabled_above(&self, node: &str, policy_type: PolicyType) -> bool {
        let path = self.path(node).unwrap_or_else(|| vec![node]);
        self.is_enabled(&path, policy_type)
    }

    /// Whether each level of an account is told to have AWS's full access to this type of policy.
    pub(super) fn has_full_access(&self, account: &str, policy_type: PolicyType) -> bool {
        self.levels(account, policy_type).is_some_and(|levels| {
            let is_full = |level: &Level| level.full_access == FullAccess::Attached;
            !levels.is_empty() && levels.iter().all(is_full)
        })
    }

    /// All that it decides about an account; `None` where it does not have it.
    pub(super) fn standing(&self, account: &str) -> Option<Standing<'_>> {
        let path = self.path(account)?;
        let levels = [PolicyType::ServiceControl, PolicyType::ResourceControl].map(|policy_type| {
            let attached = |node: &'_ str| {
                let of_type = self.policies.iter().filter(move |policy| {
                    policy.policy_summary.policy_type == policy_type.name()
                        && policy.targets.iter().any(|target| target.target_id == node)
                });
                of_type
                    .map(|policy| (policy.policy_summary.id.as_str(), policy.content.as_deref()))
                    .collect()
            };
            self.is_enabled(&path, policy_type)
                .then(|| path.iter().map(|node| (*node, attached(node))).collect())
        });
        Some(Standing {
            is_management: self.is_management_account(account),
            levels,
        })
    }

    /// Which policies of a type stand on an account.
    pub(super) fn policies_on(&self, account: &str, policy_type: PolicyType) -> OnAccount {
        match self.bound(account, policy_type) {
            Some(bound) => bound.on_account,
            None => self.look_up(account, policy_type),
        }
    }

    fn look_up(&self, account: &str, policy_type: PolicyType) -> OnAccount {
        // Neither type binds the management account or its resources.
        if self.management_account.as_deref() == Some(account) {
            return OnAccount::None;
        }
        let Some(path) = self.path(account) else {
            return OnAccount::Unknown;
        };
        if !self.is_enabled(&path, policy_type) {
            return OnAccount::None;
        }
        if self.attached(&path, policy_type).next().is_some() {
            OnAccount::Some
        } else {
            OnAccount::None
        }
    }

    /// All policies that bind an account.
    pub(super) fn compiled(&self) -> impl Iterator<Item = &CompiledPolicy> {
        let levels = self
            .bound
            .values()
            .flatten()
            .flat_map(|bound| &bound.levels);
        levels
            .flat_map(|level| &level.policies)
            .filter_map(|attached| attached.policy.as_deref().ok())
    }

    /// The ids or ARNs and the texts of the policies that stand on an account, without AWS's full access.
    pub(super) fn documents(&self, account: &str, policy_type: PolicyType) -> Vec<(&str, &str)> {
        if self.management_account.as_deref() == Some(account) {
            return Vec::new();
        }
        let path = self.path(account).unwrap_or_default();
        let attached = self.attached(&path, policy_type);
        attached
            .map(|policy| {
                (
                    policy
                        .policy_summary
                        .arn
                        .as_deref()
                        .unwrap_or(&policy.policy_summary.id),
                    policy.content.as_deref().unwrap_or_default(),
                )
            })
            .collect()
    }

    fn attached<'o>(
        &'o self,
        path: &[&'o str],
        policy_type: PolicyType,
    ) -> impl Iterator<Item = &'o Policy> {
        self.policies.iter().filter(move |policy| {
            let summary = &policy.policy_summary;
            summary.policy_type == policy_type.name()
                && summary.id != policy_type.full_access()
                && policy
                    .targets
                    .iter()
                    .any(|target| path.contains(&target.target_id.as_str()))
        })
    }

    /// Whether the root has the type switched on; a file that does not say so counts as if it had.
    fn is_enabled(&self, path: &[&str], policy_type: PolicyType) -> bool {
        let root = self
            .roots
            .iter()
            .find(|root| path.contains(&root.id.as_str()));
        match root.and_then(|root| root.policy_types.as_ref()) {
            Some(types) => types
                .iter()
                .any(|entry| entry.policy_type == policy_type.name() && entry.status == "ENABLED"),
            None => true,
        }
    }

    /// The account and everything above it, or `None` where the way does not end at a root.
    fn path<'o>(&'o self, account: &str) -> Option<Vec<&'o str>> {
        let (account, parent) = self.parents.get_key_value(account)?;
        let mut path = vec![account.as_str()];
        let mut next = parent.as_str();
        while path.len() < MAX_DEPTH {
            path.push(next);
            if self.roots.iter().any(|root| root.id == next) {
                return Some(path);
            }
            next = self.parents.get(next)?;
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    fn organization(extra: &str) -> Organization {
        let file = format!(
            r#"{{
            "Organization": {{"Id": "o-exampleorg1", "MasterAccountId": "999900001111"}},
            "Roots": [{{"Id": "r-ab12", "PolicyTypes": [{{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}}]}}],
            "OrganizationalUnits": [{{"Id": "ou-ab12-work", "ParentId": "r-ab12"}}, {{"Id": "ou-ab12-loop", "ParentId": "ou-ab12-loop"}}],
            "Accounts": [
                {{"Id": "999900001111", "ParentId": "r-ab12"}},
                {{"Id": "111122223333", "ParentId": "ou-ab12-work"}},
                {{"Id": "444455556666", "ParentId": "r-ab12"}},
                {{"Id": "777788889999", "ParentId": "ou-ab12-loop"}}
            ],
            "Policies": [
                {{"PolicySummary": {{"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": true}},
                  "Content": "{{}}", "Targets": [{{"TargetId": "r-ab12"}}, {{"TargetId": "111122223333"}}]}}
                {extra}
            ]}}"#
        );
        Organization::from_file(serde_json::from_str(&file).unwrap()).0
    }

    #[test]
    fn policies_count_from_the_root_to_the_account() {
        let scp = |extra: &str, account| {
            organization(extra).policies_on(account, PolicyType::ServiceControl)
        };
        assert_eq!(scp("", "111122223333"), OnAccount::None);
        let on_unit = r#", {"PolicySummary": {"Id": "p-1", "Type": "SERVICE_CONTROL_POLICY"}, "Content": "{}", "Targets": [{"TargetId": "ou-ab12-work"}]}"#;
        assert_eq!(scp(on_unit, "111122223333"), OnAccount::Some);
        assert_eq!(scp(on_unit, "444455556666"), OnAccount::None);
        let on_root = on_unit.replace("ou-ab12-work", "r-ab12");
        assert_eq!(scp(&on_root, "444455556666"), OnAccount::Some);
        assert_eq!(scp(&on_root, "999900001111"), OnAccount::None);
        assert_eq!(scp(&on_root, "777788889999"), OnAccount::Unknown);
        assert_eq!(scp(&on_root, "123456789012"), OnAccount::Unknown);
        assert_eq!(
            organization(&on_root).documents("111122223333", PolicyType::ServiceControl),
            [("p-1", "{}")]
        );
        // The root has this type switched off.
        let rcp = on_root.replace("SERVICE", "RESOURCE");
        assert_eq!(
            organization(&rcp).policies_on("111122223333", PolicyType::ResourceControl),
            OnAccount::None
        );
    }

    #[test]
    fn the_management_account() {
        let organization = organization("");
        assert_eq!(
            organization.is_management_account("999900001111"),
            Some(true)
        );
        assert_eq!(
            organization.is_management_account("111122223333"),
            Some(false)
        );
        assert_eq!(organization.is_management_account("123456789012"), None);
    }
}
