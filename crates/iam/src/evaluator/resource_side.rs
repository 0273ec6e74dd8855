//! What the resource's side makes of the caller's own answer.
//!
//! Same account: either side may grant, but a KMS key and a role answer first for themselves.
//! Another account: both sides must allow.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>

use super::Question;
use super::granting_source::{PolicyKind, granting_sources, rcp_applies};
use crate::Layer;
use crate::pattern::ResourceText;
use crate::request::{Request, Resource};
use crate::snapshot::{Collected, Principal, Snapshot};

/// Asks the snapshot of all resources of a service, where nobody knows which one it is: empty only
/// if none of them has a policy.
const EVERY_RESOURCE: &str = "*";

/// What is known of the resource's owner and its policies.
#[derive(Debug)]
pub(super) struct ResourceSide<'a> {
    /// The account that owns the resource; the caller's where nothing else is known.
    pub(super) account: &'a str,
    /// The resource belongs to another account than the caller.
    pub(super) is_foreign: bool,
    /// The resource's own policy, where its type has one.
    pub(super) policy: Option<(PolicyKind, Collected)>,
    /// `Empty` where no ACL could grant the action.
    pub(super) acl: Collected,
    /// `Empty` where no KMS grant could allow the action.
    pub(super) kms_grants: Collected,
    /// Resource control policies reach the action.
    pub(super) rcp_applies: bool,
}

/// A decision before explicit denies that are still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Allowed,
    /// By this layer.
    Denied(Layer),
    /// It depends on what is unknown.
    Open,
}

impl<'a> ResourceSide<'a> {
    pub(super) fn new(
        snapshot: &Snapshot,
        principal: &'a Principal,
        request: &Request<'a>,
        question: &Question<'a>,
    ) -> ResourceSide<'a> {
        let account = match request.resource {
            Resource::Any => principal.account.as_str(),
            Resource::Arn(_) | Resource::Unknown(_) => request
                .resource_account
                .or(account_of(question.resource))
                .unwrap_or(&principal.account),
        };
        let sources = granting_sources(question.action, request.resource, &question.keys);
        let policy = sources.policy.map(|policy| {
            let collected = match (policy.kind, policy.holder) {
                // Every role has a trust policy.
                (PolicyKind::Trust, None) => Collected::No,
                (_, holder) => snapshot.resource_policy(
                    policy.service,
                    holder.unwrap_or(EVERY_RESOURCE),
                    account,
                ),
            };
            (policy.kind, collected)
        });
        let acl = sources.acl.map_or(Collected::Empty, |bucket| {
            snapshot.bucket_acl(bucket.unwrap_or(EVERY_RESOURCE), account)
        });
        let kms_grants = sources.kms_grant.map_or(Collected::Empty, |key| {
            snapshot.kms_grants(key.unwrap_or(EVERY_RESOURCE), account)
        });
        ResourceSide {
            account,
            is_foreign: account != principal.account,
            policy,
            acl,
            kms_grants,
            rcp_applies: rcp_applies(question.action),
        }
    }

    /// Where the caller's own policies allow.
    pub(super) fn where_allowed(&self, unknown_layers: &mut Vec<Layer>) -> Side {
        match self.policy {
            // No type of resource that AWS documents can be shared without a policy: the recorded
            // account may be the odd thing here, and is no reason for a firm answer.
            None if self.is_foreign => {
                unknown_layers.push(Layer::Resource);
                Side::Open
            }
            None => Side::Allowed,
            Some((kind, collected)) if self.must_allow(kind) => match collected {
                Collected::Empty if self.other_sources(unknown_layers) => Side::Open,
                Collected::Empty => Side::Denied(Layer::Resource),
                Collected::Present | Collected::No if self.is_foreign => {
                    unknown_layers.push(Layer::Resource);
                    self.other_sources(unknown_layers);
                    Side::Open
                }
                // Assumed: the key policy delegates to the account, the trust policy lets the caller in.
                Collected::Present | Collected::No => Side::Allowed,
            },
            Some(_) => Side::Allowed,
        }
    }

    /// Where the caller's own policies do not allow, because of `layer`.
    ///
    /// A resource's policy of the same account can grant past identity and boundary; one of another
    /// account cannot.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>
    pub(super) fn where_not_allowed(&self, layer: Layer, unknown_layers: &mut Vec<Layer>) -> Side {
        if self.is_foreign {
            return Side::Denied(layer);
        }
        let policy = self
            .policy
            .is_some_and(|(_, collected)| collected != Collected::Empty);
        if policy {
            unknown_layers.push(Layer::Resource);
        }
        if self.other_sources(unknown_layers) || policy {
            Side::Open
        } else {
            Side::Denied(layer)
        }
    }

    /// Whether the caller's own allow does not suffice.
    fn must_allow(&self, kind: PolicyKind) -> bool {
        match kind {
            PolicyKind::Key | PolicyKind::Trust => true,
            PolicyKind::Resource => self.is_foreign,
        }
    }

    /// Whether an ACL or a KMS grant could allow; names their layers.
    fn other_sources(&self, unknown_layers: &mut Vec<Layer>) -> bool {
        let acl = self.acl != Collected::Empty;
        if acl {
            unknown_layers.push(Layer::Resource);
        }
        let grants = self.kms_grants != Collected::Empty;
        if grants {
            unknown_layers.push(Layer::KmsGrant);
        }
        acl || grants
    }
}

/// The account that the resource's ARN shows.
fn account_of(resource: ResourceText<'_>) -> Option<&str> {
    match resource {
        ResourceText::Arn(arn) => arn.account(),
        ResourceText::Any | ResourceText::NoArn => None,
    }
}
