//! What the evaluator answers.

use std::fmt;

use crate::evaluator::KnownActions;

/// Three answers of IAM's, and an honest fourth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// An applicable statement denies.
    ExplicitDeny,
    /// Nothing allows, or a limiting layer does not.
    ImplicitDeny,
    /// What is unknown could change the answer.
    Undetermined,
    /// Allowed, under the assumptions that the evaluation names.
    Allowed,
}

impl Decision {
    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Decision> {
        [
            Self::ExplicitDeny,
            Self::ImplicitDeny,
            Self::Undetermined,
            Self::Allowed,
        ]
        .into_iter()
        .find(|decision| decision.name() == name)
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExplicitDeny => "explicit_deny",
            Self::ImplicitDeny => "implicit_deny",
            Self::Undetermined => "undetermined",
            Self::Allowed => "allowed",
        }
    }

    /// Whether this is one of the two denials.
    pub fn is_denied(self) -> bool {
        matches!(self, Self::ExplicitDeny | Self::ImplicitDeny)
    }
}

/// One place where a policy can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Policies of the user, its groups or the role.
    Identity,
    /// The permissions boundary.
    PermissionsBoundary,
    /// Session policies.
    Session,
    /// The policy of the resource: bucket, key, repository, trust policy, …
    Resource,
    /// Service control policies.
    Scp,
    /// Resource control policies.
    Rcp,
    /// The VPC endpoint's policy.
    VpcEndpoint,
    /// KMS grants.
    KmsGrant,
}

impl Layer {
    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Layer> {
        [
            Self::Identity,
            Self::PermissionsBoundary,
            Self::Session,
            Self::Resource,
            Self::Scp,
            Self::Rcp,
            Self::VpcEndpoint,
            Self::KmsGrant,
        ]
        .into_iter()
        .find(|layer| layer.name() == name)
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::PermissionsBoundary => "permissions_boundary",
            Self::Session => "session",
            Self::Resource => "resource",
            Self::Scp => "scp",
            Self::Rcp => "rcp",
            Self::VpcEndpoint => "vpc_endpoint",
            Self::KmsGrant => "kms_grant",
        }
    }
}

/// `Allow` or `Deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

impl Effect {
    /// As a policy spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// One statement of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementRef<'s> {
    /// Where the policy stands.
    pub layer: Layer,
    /// The managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub policy: &'s str,
    /// The statement's index in the document, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<&'s str>,
    /// Its effect.
    pub effect: Effect,
}

/// What an `allowed` leans on without having seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assumption<'s> {
    /// No service control policy stands in the way.
    Scp,
    /// No resource control policy stands in the way.
    Rcp,
    /// The VPC endpoint's policy lets it pass.
    VpcEndpointPolicy,
    /// The key policy delegates to the account and does not deny.
    KeyPolicy,
    /// The role's trust policy lets the caller in.
    TrustPolicy,
    /// The resource's policy does not deny.
    ResourcePolicy,
    /// The session's policies let it pass.
    SessionPolicy,
    /// An AWS managed policy was taken from the copy in this program, of this date.
    BundledPolicy {
        /// `2026-10-27`
        date: &'s str,
    },
}

impl fmt::Display for Assumption<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scp => out.write_str("scp"),
            Self::Rcp => out.write_str("rcp"),
            Self::VpcEndpointPolicy => out.write_str("vpce"),
            Self::KeyPolicy => out.write_str("key_policy"),
            Self::TrustPolicy => out.write_str("trust_policy"),
            Self::ResourcePolicy => out.write_str("resource_policy"),
            Self::SessionPolicy => out.write_str("session_policy"),
            Self::BundledPolicy { date } => write!(out, "bundled_policy@{date}"),
        }
    }
}

/// Buffers that the caller keeps from one evaluation to the next, so that a decision allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch<'s> {
    pub(crate) determined_by: Vec<StatementRef<'s>>,
    pub(crate) unknown_keys: Vec<&'s str>,
    pub(crate) unknown_layers: Vec<Layer>,
    pub(crate) assumes: Vec<Assumption<'s>>,
    /// The actions that requests were about.
    pub(crate) actions: KnownActions,
}

impl<'s> Scratch<'s> {
    /// Empties the buffers and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.determined_by.clear();
        self.unknown_keys.clear();
        self.unknown_layers.clear();
        self.assumes.clear();
    }

    /// An implicit deny has no statement that determines it and leans on nothing unknown.
    pub(crate) fn forget_reasons(&mut self) {
        self.determined_by.clear();
        self.unknown_layers.clear();
    }

    /// The evaluation that the buffers hold.
    pub(crate) fn evaluation<'x>(
        &'x self,
        decision: Decision,
        layer: Option<Layer>,
    ) -> Evaluation<'x, 's> {
        Evaluation {
            decision,
            layer,
            determined_by: &self.determined_by,
            unknown_keys: &self.unknown_keys,
            unknown_layers: &self.unknown_layers,
            assumes: &self.assumes,
        }
    }
}

/// A decision and what it stands on. `'s` is the snapshot's life, `'x` the scratch's.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'x, 's> {
    /// The decision.
    pub decision: Decision,
    /// The layer that blocks; `None` where allowed, and where undetermined.
    pub layer: Option<Layer>,
    /// The statements that determined it: the denying ones; for an allow the allowing ones of each
    /// layer; none for an implicit deny and where undetermined.
    pub determined_by: &'x [StatementRef<'s>],
    /// For `undetermined`: the condition keys whose value would turn it, as policies spell them,
    /// plus `resource` where the resource's unknown part could.
    pub unknown_keys: &'x [&'s str],
    /// For `undetermined`: the layers that were not collected, or not readable, and could turn it.
    pub unknown_layers: &'x [Layer],
    /// For `allowed`: what it assumes, in order, each once.
    pub assumes: &'x [Assumption<'s>],
}
