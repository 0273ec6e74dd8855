//! What the kinds of policies may say, and how large they may be.

use super::LintRule;
use super::action::is_all_stars;
use super::document::{Policy, Statement};
use super::report::Report;
use crate::Effect;
use crate::policy::json::{Node, Value};

/// Where a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a user, a group or a role, or embedded in one.
    Identity,
    /// A permissions boundary.
    Boundary,
    /// Passed to `AssumeRole` and the like.
    Session,
    /// Of a bucket, a key, a repository, …
    Resource,
    /// Of a role: who may assume it.
    Trust,
    /// A service control policy.
    Scp,
    /// A resource control policy.
    Rcp,
    /// Of a VPC endpoint.
    VpcEndpoint,
}

impl PolicyKind {
    /// The kind that a document seems to be: with a principal a trust policy if it is about assuming
    /// a role and names no resource, else a resource policy; without one an identity policy.
    pub fn guess(text: &str) -> PolicyKind {
        let read = super::repair::Read::new(text);
        read.root.as_ref().map_or(Self::Identity, Self::guess_of)
    }

    fn guess_of(root: &Node) -> PolicyKind {
        let statements = match member(root, "Statement").map(|node| &node.value) {
            Some(Value::Array(nodes)) => nodes.iter().collect(),
            Some(_) => member(root, "Statement").into_iter().collect(),
            None => vec![root],
        };
        let has = |names: [&str; 2]| {
            statements
                .iter()
                .any(|statement| names.iter().any(|name| member(statement, name).is_some()))
        };
        if !has(["Principal", "NotPrincipal"]) {
            return Self::Identity;
        }
        let assumes = statements.iter().any(|statement| {
            member(statement, "Action").is_some_and(|action| match &action.value {
                Value::String(text) => text.starts_with("sts:"),
                Value::Array(nodes) => nodes.iter().any(
                    |node| matches!(&node.value, Value::String(text) if text.starts_with("sts:")),
                ),
                _ => false,
            })
        });
        if assumes && !has(["Resource", "NotResource"]) {
            Self::Trust
        } else {
            Self::Resource
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Boundary => "boundary",
            Self::Session => "session",
            Self::Resource => "resource",
            Self::Trust => "trust",
            Self::Scp => "scp",
            Self::Rcp => "rcp",
            Self::VpcEndpoint => "vpc_endpoint",
        }
    }

    pub(super) fn with_article(self) -> &'static str {
        match self {
            Self::Identity => "an identity policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::Resource => "a resource policy",
            Self::Trust => "a trust policy",
            Self::Scp => "a service control policy",
            Self::Rcp => "a resource control policy",
            Self::VpcEndpoint => "a VPC endpoint policy",
        }
    }

    /// Whether its statements say whom they are about.
    pub(super) fn has_principal(self) -> bool {
        matches!(
            self,
            Self::Resource | Self::Trust | Self::Rcp | Self::VpcEndpoint
        )
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Object(members) => members
            .iter()
            .find(|member| member.name == name)
            .map(|member| &member.node),
        _ => None,
    }
}

/// The quotas of the kinds. That of trust policies is a default: "Role trust policy length" can be raised
/// in Service Quotas, to what AWS has changed over time (4,096, then 8,192).
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>,
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html#min-max-values>,
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html>. The policies of
/// resources have each service's own.
pub(super) fn size(text: &str, kind: PolicyKind, report: &mut Report<'_>) {
    // No kind has a smaller quota, and no text more characters than bytes.
    if text.len() <= 2_048 {
        return;
    }
    let all = text.trim().chars().count();
    // "IAM does not count white space when calculating the size of a policy against these quotas."
    let without = text.chars().filter(|next| !next.is_whitespace()).count();
    let (size, quota, what, hint) = match kind {
        PolicyKind::Identity if without > 10_240 => (
            without,
            10_240,
            "the inline policies of a role together",
            "a managed policy may have 6,144 characters: split it up",
        ),
        PolicyKind::Identity | PolicyKind::Boundary => (
            without,
            6_144,
            "a managed policy",
            "split it up; inline, all policies of a role together may have 10,240, of a group 5,120, of a user 2,048",
        ),
        PolicyKind::Trust => (
            without,
            2_048,
            "a trust policy",
            "the quota can be raised on request",
        ),
        PolicyKind::Session => (
            all,
            2_048,
            "all session policies of a session together",
            "name managed policies instead",
        ),
        PolicyKind::Scp | PolicyKind::Rcp => (
            all,
            5_120,
            "an organization's policy",
            "remove white space, which the API counts, or split it up",
        ),
        PolicyKind::VpcEndpoint => (
            all,
            20_480,
            "an endpoint policy, white space included",
            "remove white space",
        ),
        PolicyKind::Resource => return,
    };
    if size > quota {
        let message = format!("{size} characters: AWS's quota for {what} is {quota}");
        report
            .add_at_original(LintRule::PolicyTooLarge, 0, message)
            .hint(hint);
    }
}

/// What organization policies may not say.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html>
pub(super) fn restrictions(policy: &Policy, kind: PolicyKind, report: &mut Report<'_>) {
    if kind != PolicyKind::Rcp {
        return;
    }
    for statement in &policy.statements {
        rcp(statement, report);
    }
}

fn rcp(statement: &Statement, report: &mut Report<'_>) {
    let mut refuse = |offset: usize, message: &str| {
        report
            .add(LintRule::KindRestriction, offset, message)
            .hint("of the organization's own resource control policies; AWS's `RCPFullAWSAccess` allows everything");
    };
    if statement.effect == Some(Effect::Allow) {
        refuse(
            statement.offset,
            "a resource control policy may only have the effect `Deny`",
        );
    }
    if let Some(action) = &statement.action {
        if action.negated {
            refuse(
                action.offset,
                "a resource control policy may not have `NotAction`",
            );
        }
        for value in action
            .values
            .iter()
            .filter(|value| is_all_stars(&value.text))
        {
            refuse(
                value.offset,
                "a resource control policy may not have `*` alone as its action",
            );
        }
    }
    if let Some(principal) = &statement.principal {
        let everybody = principal.values.iter().all(|value| value.text == "*");
        if principal.negated || !everybody {
            refuse(
                principal.offset,
                "the principal of a resource control policy must be `*`",
            );
        }
    }
}
