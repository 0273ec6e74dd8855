//! Which requests a change can make a difference for.
//!
//! It errs on one side: what is outside is decided alike with and without the change; what is inside
//! may be.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::pattern::{ActionElement, ActionName};

/// Which callers and resources a change can make a difference for.
#[derive(Debug, Clone, Default)]
pub struct ChangeScope {
    everything: bool,
    /// Users and roles, as `<account>/<name>`: records do not always show a path.
    callers: FxHashSet<Box<str>>,
    /// A managed policy is another: sessions can have been issued under it.
    managed_policies: bool,
    /// Accounts under other service control policies, as far as nothing tells for which actions.
    accounts: FxHashSet<Box<str>>,
    /// The actions that the changed statements of their service control policies are about.
    actions: FxHashMap<Box<str>, Vec<Arc<ActionElement>>>,
    /// Those of changed statements of resource control policies, whoever calls.
    actions_everywhere: Vec<Arc<ActionElement>>,
    /// Resources with another policy, other grants or tags, by ARN; roles that are others.
    resources: FxHashSet<Box<str>>,
    /// Their services.
    services: FxHashSet<Box<str>>,
    endpoints: bool,
}

impl ChangeScope {
    /// Of a change that can make a difference for any request.
    pub fn everything() -> ChangeScope {
        ChangeScope {
            everything: true,
            ..ChangeScope::default()
        }
    }

    /// Whether a request of this caller can be decided otherwise, whatever it asks for.
    pub fn touches_caller(&self, principal_arn: Option<&str>, account: Option<&str>) -> bool {
        if self.everything {
            return true;
        }
        let in_arn = principal_arn.and_then(|arn| arn.split(':').nth(4));
        let mut accounts = in_arn.into_iter().chain(account);
        if accounts
            .clone()
            .any(|account| self.accounts.contains(account))
        {
            return true;
        }
        let name = principal_arn.and_then(|arn| arn.rsplit('/').next());
        !self.callers.is_empty()
            && name.is_some_and(|name| {
                accounts.any(|account| self.callers.contains(caller(account, name).as_str()))
            })
    }

    /// Whether a request of this caller for this action can be decided otherwise because of the
    /// organization's policies.
    pub fn touches_action(
        &self,
        action: &str,
        principal_arn: Option<&str>,
        account: Option<&str>,
    ) -> bool {
        if self.everything {
            return true;
        }
        if self.actions.is_empty() && self.actions_everywhere.is_empty() {
            return false;
        }
        let in_arn = principal_arn.and_then(|arn| arn.split(':').nth(4));
        let of_accounts = in_arn.into_iter().chain(account);
        let of_accounts = of_accounts.filter_map(|account| self.actions.get(account));
        let elements = of_accounts.flatten().chain(&self.actions_everywhere);
        let mut elements = elements.peekable();
        if elements.peek().is_none() {
            return false;
        }
        let mut folded = String::new();
        let action = ActionName::fold(action, &mut folded);
        elements.any(|element| element.matches(action, element.slot(action.service)))
    }

    /// Whether a request can be decided otherwise because its session was issued under managed policies.
    pub fn touches_managed_policies(&self) -> bool {
        self.everything || self.managed_policies
    }

    /// Whether a request of anybody for this resource can be decided otherwise. `known`: the ARN is
    /// known whole.
    pub fn touches_resource(&self, action: &str, resource_arn: &str, known: bool) -> bool {
        if self.everything {
            return true;
        }
        if self.resources.is_empty() {
            return false;
        }
        if !known {
            return true;
        }
        match exact(resource_arn) {
            Some(holder) => {
                self.resources.contains(holder) || self.resources.contains(resource_arn)
            }
            None => {
                let of_action = action.split(':').next().unwrap_or_default();
                let of_arn = resource_arn.split(':').nth(2).unwrap_or_default();
                self.services.contains(of_action) || self.services.contains(of_arn)
            }
        }
    }

    /// Whether a request that came through a VPC endpoint can be decided otherwise.
    pub fn touches_endpoints(&self) -> bool {
        self.everything || self.endpoints
    }

    pub(super) fn add_principal(&mut self, arn: &str) {
        let account = arn.split(':').nth(4).unwrap_or_default();
        let name = arn.rsplit('/').next().unwrap_or_default();
        self.callers.insert(caller(account, name).into());
        self.add_resource(arn);
        // Who may assume a role is asked of STS.
        self.services.insert("sts".into());
    }

    pub(super) fn add_resource(&mut self, arn: &str) {
        self.resources.insert(arn.into());
        let service = arn.split(':').nth(2).unwrap_or_default();
        self.services.insert(service.into());
    }

    pub(super) fn add_service(&mut self, service: &str) {
        self.services.insert(service.into());
    }

    pub(super) fn add_account(&mut self, account: &str) {
        self.accounts.insert(account.into());
    }

    pub(super) fn add_actions(&mut self, account: &str, actions: Vec<Arc<ActionElement>>) {
        self.actions.insert(account.into(), actions);
    }

    pub(super) fn add_actions_everywhere(&mut self, actions: Vec<Arc<ActionElement>>) {
        self.actions_everywhere.extend(actions);
    }

    pub(super) fn add_managed_policy(&mut self) {
        self.managed_policies = true;
    }

    pub(super) fn add_endpoints(&mut self) {
        self.endpoints = true;
    }
}

fn caller(account: &str, name: &str) -> String {
    format!("{account}/{name}")
}

/// What holds the policy of a resource, where its ARN tells that for sure: a bucket, a key, a role.
fn exact(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
    let name = parts.next()?;
    match (service, region, account) {
        ("s3", "", "") => {
            let object = name
                .split_once('/')
                .map_or(0, |(_, object)| object.len() + 1);
            arn.get(..arn.len() - object)
        }
        ("kms", _, _) if name.starts_with("key/") => Some(arn),
        ("iam", _, _) if name.starts_with("role/") => Some(arn),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_policy() {
        assert_eq!(exact("arn:aws:s3:::logs/a/b"), Some("arn:aws:s3:::logs"));
        assert_eq!(exact("arn:aws:s3:::logs"), Some("arn:aws:s3:::logs"));
        assert_eq!(exact("arn:aws:s3:::logs/"), Some("arn:aws:s3:::logs"));
        let key = "arn:aws:kms:eu-west-1:111122223333:key/k";
        assert_eq!(exact(key), Some(key));
        assert_eq!(exact("arn:aws:kms:eu-west-1:111122223333:alias/k"), None);
        assert_eq!(
            exact("arn:aws:s3:eu-west-1:111122223333:accesspoint/a/object/b"),
            None
        );
        assert_eq!(exact("*"), None);
    }

    #[test]
    fn a_changed_key_touches_what_may_be_it() {
        let mut scope = ChangeScope::default();
        scope.add_resource("arn:aws:kms:eu-west-1:111122223333:key/k");
        let touches = |arn: &str| scope.touches_resource("kms:Decrypt", arn, true);
        assert!(touches("arn:aws:kms:eu-west-1:111122223333:key/k"));
        assert!(!touches("arn:aws:kms:eu-west-1:111122223333:key/other"));
        assert!(touches("arn:aws:kms:eu-west-1:111122223333:alias/k"));
        assert!(touches("*"));
        assert!(!scope.touches_resource("s3:GetObject", "arn:aws:s3:::b/k", true));
        assert!(scope.touches_resource("s3:GetObject", "arn:aws:s3:::*", false));
        assert!(!scope.touches_caller(Some("arn:aws:iam::111122223333:role/r"), None));
    }

    #[test]
    fn a_changed_role_touches_its_calls_whatever_path_they_show() {
        let mut scope = ChangeScope::default();
        scope.add_principal("arn:aws:iam::111122223333:role/team/r");
        let touches = |arn: &str, account| scope.touches_caller(Some(arn), account);
        assert!(touches("arn:aws:iam::111122223333:role/r", None));
        assert!(touches("arn:aws:iam::111122223333:role/team/r", None));
        assert!(!touches("arn:aws:iam::444455556666:role/r", None));
        assert!(touches(
            "arn:aws:iam::444455556666:role/r",
            Some("111122223333")
        ));
        assert!(!touches("arn:aws:iam::111122223333:role/other", None));
    }
}
