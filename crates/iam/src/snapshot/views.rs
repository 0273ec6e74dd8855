//! What a snapshot holds beside the policies that decide about requests of its principals.

use std::sync::Arc;

use super::Snapshot;
use crate::CompiledPolicy;

impl Snapshot {
    /// The trust policy of a role, by its ARN (with its path); `None` also where it cannot be read.
    pub fn role_trust_policy(&self, role_arn: &str) -> Option<&CompiledPolicy> {
        let policy = self.trust_policy_of(role_arn)?;
        policy.attached.policy.as_ref().ok().map(Arc::as_ref)
    }

    /// All managed policies that it holds and that can be read, attached or not, sorted by ARN.
    pub fn managed_policies(&self) -> Vec<(&str, &CompiledPolicy)> {
        let policies = self.managed_policies.iter();
        let mut all: Vec<_> = policies
            .map(|(arn, policy)| (&**arn, policy.as_ref()))
            .collect();
        all.sort_unstable_by_key(|(arn, _)| *arn);
        all
    }
}
