//! Whether an action is out of a principal's reach, whatever it is done to: a short answer to most questions.

use super::granting_source::rules_of;
use super::is_always_allowed;
use crate::pattern::ActionName;
use crate::{AttachedPolicy, Effect, Principal, PrincipalKind};

/// One action, of which is asked for many principals.
#[derive(Debug, Clone)]
pub struct Reach {
    /// In lower case.
    action: String,
    /// Whether it takes a policy of the principal to allow it.
    is_granted_by_identity: bool,
}

impl Reach {
    /// Of an action as policies write it, such as `s3:GetObject`.
    pub fn of(action: &str) -> Reach {
        let mut buffer = String::new();
        let name = ActionName::fold(action, &mut buffer);
        let is_granted_by_identity = !is_always_allowed(name) && rules_of(name).have_no_source();
        Reach {
            action: buffer,
            is_granted_by_identity,
        }
    }

    /// Whether the principal is denied the action on every resource of its own account, whatever the context: no
    /// policy of its own allows anything of it, and nothing else could. `false` says nothing.
    pub fn is_out(&self, principal: &Principal) -> bool {
        self.is_granted_by_identity && self.has_no_own_allow(principal)
    }

    /// Whether no policy of the principal's own allows anything of the action: what may allow it all the same is the
    /// resource's, or AWS itself (`sts:GetCallerIdentity`). `false` says nothing.
    pub fn has_no_own_allow(&self, principal: &Principal) -> bool {
        if principal.kind == PrincipalKind::Root {
            return false;
        }
        let action = ActionName::of_folded(&self.action);
        principal.identity.iter().all(|attached: &AttachedPolicy| {
            match &attached.policy {
                Ok(policy) => policy
                    .about(action)
                    .all(|statement| statement.effect == Effect::Deny),
                // What it says is unknown.
                Err(_) => false,
            }
        })
    }
}
