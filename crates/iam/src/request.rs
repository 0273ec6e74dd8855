//! One authorization question.

use crate::{CompiledPolicy, Context};

/// One question that AWS asks: may this principal do `action` on `resource` with these keys?
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `service:Name`; compared without regard to case.
    pub action: &'a str,
    /// What it is done to.
    pub resource: Resource<'a>,
    /// The account that owns the resource, where known; the principal's own is assumed otherwise
    /// only for resources whose ARN carries no account and no other was recorded.
    pub resource_account: Option<&'a str>,
    /// The condition keys.
    pub context: &'a Context<'a>,
    /// The VPC endpoint that the request came through, whose policy then counts.
    pub vpc_endpoint: Option<&'a str>,
    /// The session policies of the caller.
    pub session: SessionPolicies<'a>,
}

/// What is known of the caller's session policies.
///
/// They limit what a session may do, and never grant.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session>
#[derive(Debug, Clone, Copy)]
pub enum SessionPolicies<'a> {
    /// The caller holds long-term credentials, or the session is known to have none. A session of
    /// `GetFederationToken` without one has no permissions but those that a resource's policy gives it.
    None,
    /// These, given inline or as managed policies when the session was issued; all of them together
    /// must allow.
    Known(&'a [&'a CompiledPolicy]),
    /// The caller holds a session and the record that issued it was not seen.
    Unknown,
}

/// The resource of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// This very ARN. A `*` or `?` in it is a literal character.
    Arn(&'a str),
    /// The action has no resource: IAM compares `*`.
    Any,
    /// Only its form is known: an ARN in which each `*` stands for text that nobody recorded
    /// (`*` alone: nothing is known). A statement matches for sure only if it matches every such ARN.
    Unknown(&'a str),
}
