//! Who asks: a user, a role, one of their sessions, root, an AWS service, a web identity, anybody.
//!
//! A policy of a resource can name a role, or one session of it, and the two grant differently
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>);
//! so a caller is more than the principal whose policies count.

use crate::pattern::arn_part;
use crate::snapshot::{Principal, PrincipalKind};

/// Who asks. `'s` is the life of the principal's policies.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'s, 'a> {
    pub(crate) principal: Option<&'s Principal>,
    pub(crate) identity: CallerIdentity<'a>,
    pub(crate) is_service_linked: bool,
}

/// What the `Principal` of a policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerIdentity<'a> {
    User {
        account: &'a str,
        /// With its path.
        name: &'a str,
        unique_id: &'a str,
    },
    Role {
        account: &'a str,
        role: RoleName<'a>,
        unique_id: &'a str,
        session: SessionName<'a>,
    },
    /// A session of `GetFederationToken`.
    FederatedUser {
        account: &'a str,
        /// The user who asked for the token, with its path; `None` where nobody knows.
        user: Option<&'a str>,
        session: &'a str,
    },
    Root {
        account: &'a str,
    },
    /// `cloudtrail.amazonaws.com`
    Service(&'a str),
    /// A web or SAML identity, by its provider, before it has a role.
    WebIdentity(&'a str),
    Anonymous,
}

/// The name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoleName<'a> {
    WithPath(&'a str),
    /// Only a session ARN is known, and that drops the path.
    WithoutPath(&'a str),
}

/// The name of a role's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionName<'a> {
    Known(&'a str),
    Unknown,
}

impl<'s, 'a> Caller<'s, 'a>
where
    's: 'a,
{
    /// A user, a root user, or a role of whose session nothing is known.
    pub fn principal(principal: &'s Principal) -> Caller<'s, 'a> {
        let account = principal.account.as_str();
        let name = resource_name(&principal.arn);
        let unique_id = principal.unique_id.as_str();
        let identity = match principal.kind {
            PrincipalKind::User => CallerIdentity::User {
                account,
                name,
                unique_id,
            },
            PrincipalKind::Role => CallerIdentity::Role {
                account,
                role: RoleName::WithPath(name),
                unique_id,
                session: SessionName::Unknown,
            },
            PrincipalKind::Root => CallerIdentity::Root { account },
        };
        Caller {
            principal: Some(principal),
            identity,
            is_service_linked: principal.is_service_linked(),
        }
    }

    /// A session of a role, by the session's name; another kind of principal is taken for itself.
    pub fn role_session(role: &'s Principal, session_name: &'a str) -> Caller<'s, 'a> {
        let mut caller = Self::principal(role);
        if let CallerIdentity::Role { session, .. } = &mut caller.identity {
            *session = SessionName::Known(session_name);
        }
        caller
    }

    /// A session that a user got from `GetFederationToken`, by the session's name.
    pub fn federated_session(user: &'s Principal, session_name: &'a str) -> Caller<'s, 'a> {
        Caller {
            identity: CallerIdentity::FederatedUser {
                account: &user.account,
                user: Some(resource_name(&user.arn)),
                session: session_name,
            },
            ..Self::principal(user)
        }
    }

    /// A user, role, root or session whose policies nobody collected, by its ARN; `None` where it is
    /// none of them.
    pub fn not_collected(arn: &'a str) -> Option<Caller<'s, 'a>> {
        let identity = identity_of(arn)?;
        let is_service_linked = resource_name(arn).starts_with("aws-service-role/");
        Some(Caller {
            principal: None,
            identity,
            is_service_linked,
        })
    }

    /// An AWS service on its own behalf: `cloudtrail.amazonaws.com`.
    pub fn service(name: &'a str) -> Caller<'s, 'a> {
        Self::without_policies(CallerIdentity::Service(name))
    }

    /// A web or SAML identity, before it has a role, by its provider as a trust policy names it:
    /// the provider's ARN, or `accounts.google.com`.
    pub fn web_identity(provider: &'a str) -> Caller<'s, 'a> {
        Self::without_policies(CallerIdentity::WebIdentity(provider))
    }

    /// Somebody without credentials.
    pub fn anonymous() -> Caller<'s, 'a> {
        Self::without_policies(CallerIdentity::Anonymous)
    }

    fn without_policies(identity: CallerIdentity<'a>) -> Caller<'s, 'a> {
        Caller {
            principal: None,
            identity,
            is_service_linked: false,
        }
    }

    /// The account; none for services, web identities and anonymous callers.
    pub fn account(&self) -> Option<&'a str> {
        match self.identity {
            CallerIdentity::User { account, .. }
            | CallerIdentity::Role { account, .. }
            | CallerIdentity::FederatedUser { account, .. }
            | CallerIdentity::Root { account } => Some(account),
            CallerIdentity::Service(_)
            | CallerIdentity::WebIdentity(_)
            | CallerIdentity::Anonymous => None,
        }
    }

    /// Whether policies of its own could allow or limit the caller.
    pub(crate) fn has_own_policies(&self) -> bool {
        self.account().is_some()
    }

    pub(crate) fn has_boundary(&self) -> bool {
        self.principal
            .is_some_and(|principal| principal.boundary.is_some())
    }
}

/// Who an ARN names.
pub(crate) fn identity_of(arn: &str) -> Option<CallerIdentity<'_>> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", _, service, "") = (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
    else {
        return None;
    };
    let (account, resource) = (parts.next()?, parts.next()?);
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    let unique_id = "";
    match (service, kind, name) {
        (_, "root", "") => Some(CallerIdentity::Root { account }),
        (_, _, "") => None,
        ("iam", "user", name) => Some(CallerIdentity::User {
            account,
            name,
            unique_id,
        }),
        ("iam", "role", name) => Some(CallerIdentity::Role {
            account,
            role: RoleName::WithPath(name),
            unique_id,
            session: SessionName::Unknown,
        }),
        ("sts", "assumed-role", name) => {
            let (role, session) = name.split_once('/')?;
            Some(CallerIdentity::Role {
                account,
                role: RoleName::WithoutPath(role),
                unique_id,
                session: SessionName::Known(session),
            })
        }
        ("sts", "federated-user", session) => Some(CallerIdentity::FederatedUser {
            account,
            user: None,
            session,
        }),
        _ => None,
    }
}

/// `path/name` in `arn:aws:iam::111122223333:role/path/name`.
pub(crate) fn resource_name(arn: &str) -> &str {
    arn_part(arn, 5)
        .and_then(|resource| resource.split_once('/'))
        .map_or("", |(_, name)| name)
}

/// A name without its path.
pub(crate) fn last_piece(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
