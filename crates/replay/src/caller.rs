//! Whose call a record is, and whether the snapshot knows that principal.
//!
//! The principal of a session is the role or user behind it (`sessionContext.sessionIssuer.arn`,
//! which has the path), never the STS session ARN, which drops the path. A role that was deleted and
//! made again has its old name and another unique id, and is not the same principal.
//! See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
//! and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.

use bumpalo::Bump;
use retrial_cloudtrail::{Record, UserIdentity};
use retrial_iam::{Principal, Snapshot};

use crate::{Reason, account_of_arn};

/// Who made a call.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The IAM user, role or root whose policies count, with its path where that is known.
    pub principal_arn: Option<&'a str>,
    /// `userIdentity.type`
    pub principal_type: Option<&'a str>,
    /// The name of the role session or federated session.
    pub session_name: Option<&'a str>,
    /// The unique id, `AROA…` or `AIDA…`, without a session's name.
    pub principal_id: Option<&'a str>,
    /// `userIdentity.principalId` as written, which is IAM's `aws:userid`.
    pub user_id: Option<&'a str>,
    /// The caller's account.
    pub account: Option<&'a str>,
    /// The name of an IAM user.
    pub user_name: Option<&'a str>,
    /// What holds the credentials.
    pub kind: CallerKind,
}

/// What holds the credentials of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// An IAM user with its own credentials, or with a session token of its own (`GetSessionToken`).
    User,
    /// A session of a role.
    RoleSession,
    /// A session of `GetFederationToken`: a user's policies cut by the session's.
    FederatedSession,
    /// The account's root user.
    Root,
    /// An AWS service.
    Service,
    /// A web or SAML identity, before it has a role.
    Federated,
    /// No credentials at all.
    Anonymous,
    /// The record does not say.
    NotShown,
}

impl CallerKind {
    /// Whether the caller acts under temporary credentials that session policies can cut.
    pub fn has_session_policies(self) -> bool {
        matches!(self, Self::RoleSession | Self::FederatedSession)
    }
}

impl<'a> Caller<'a> {
    /// Reads `userIdentity`.
    pub fn of(record: &Record<'a>, arena: &'a Bump) -> Caller<'a> {
        let Some(identity) = record.user_identity else {
            return Self::not_shown(None);
        };
        match identity.kind {
            Some("IAMUser") => Self::user(&identity, arena),
            Some("Root") => Self::root(&identity, arena),
            Some("FederatedUser") => Self::federated_session(&identity),
            Some("AWSService") => Self::service(&identity),
            Some("WebIdentityUser" | "SAMLUser") => Self {
                kind: CallerKind::Federated,
                ..Self::not_shown(Some(&identity))
            },
            // Seen in S3's records: the account's id is `ANONYMOUS_PRINCIPAL`, the principal's empty.
            Some("AWSAccount")
                if [identity.principal_id, identity.account_id]
                    .iter()
                    .flatten()
                    .any(|id| matches!(*id, "ANONYMOUS_PRINCIPAL" | "anonymous")) =>
            {
                Self {
                    kind: CallerKind::Anonymous,
                    // `anonymous` is no account, and the record is no other account's copy.
                    account: None,
                    ..Self::not_shown(Some(&identity))
                }
            }
            _ if identity
                .arn
                .is_some_and(|arn| behind_assumed_role(arn).is_some()) =>
            {
                Self::role_session(&identity, arena)
            }
            Some("Role") if identity.arn.is_some() => Self {
                principal_arn: identity.arn,
                kind: CallerKind::RoleSession,
                ..Self::not_shown(Some(&identity))
            },
            None if identity.arn.is_none() && identity.invoked_by.is_some() => {
                Self::service(&identity)
            }
            _ => Self::not_shown(Some(&identity)),
        }
    }

    fn not_shown(identity: Option<&UserIdentity<'a>>) -> Caller<'a> {
        Caller {
            principal_arn: None,
            principal_type: identity.and_then(|identity| identity.kind),
            session_name: None,
            principal_id: identity
                .and_then(|identity| identity.principal_id)
                .map(unique_id),
            user_id: identity.and_then(|identity| identity.principal_id),
            account: identity
                .and_then(|identity| identity.account_id.or_else(|| account_of(identity.arn?))),
            user_name: None,
            kind: CallerKind::NotShown,
        }
    }

    fn service(identity: &UserIdentity<'a>) -> Caller<'a> {
        Caller {
            kind: CallerKind::Service,
            ..Self::not_shown(Some(identity))
        }
    }

    fn user(identity: &UserIdentity<'a>, arena: &'a Bump) -> Caller<'a> {
        let base = Self::not_shown(Some(identity));
        let name = identity
            .user_name
            .or_else(|| Some(identity.arn?.rsplit_once('/')?.1));
        let arn = identity.arn.or_else(|| {
            Some(&*arena.alloc_str(&format!("arn:aws:iam::{}:user/{}", base.account?, name?)))
        });
        match arn {
            Some(_) => Caller {
                principal_arn: arn,
                user_name: name,
                kind: CallerKind::User,
                ..base
            },
            None => base,
        }
    }

    fn root(identity: &UserIdentity<'a>, arena: &'a Bump) -> Caller<'a> {
        let base = Self::not_shown(Some(identity));
        let arn = identity
            .arn
            .or_else(|| Some(&*arena.alloc_str(&format!("arn:aws:iam::{}:root", base.account?))));
        Caller {
            principal_arn: arn,
            kind: CallerKind::Root,
            ..base
        }
    }

    fn role_session(identity: &UserIdentity<'a>, arena: &'a Bump) -> Caller<'a> {
        let issuer = identity.session_issuer.and_then(|issuer| issuer.arn);
        let (role_name, session_name) = identity.arn.and_then(role_and_session).unzip();
        let account = identity.account_id.or_else(|| account_of(identity.arn?));
        // Without the issuer the path is not shown; the snapshot may know the role by its name.
        let principal_arn = issuer.or_else(|| {
            let partition = identity.arn?.split(':').nth(1)?;
            Some(&*arena.alloc_str(&format!(
                "arn:{partition}:iam::{}:role/{}",
                account?, role_name?
            )))
        });
        Caller {
            principal_arn,
            session_name: session_name
                .or_else(|| identity.principal_id?.split_once(':').map(|(_, name)| name)),
            account,
            kind: CallerKind::RoleSession,
            ..Self::not_shown(Some(identity))
        }
    }

    fn federated_session(identity: &UserIdentity<'a>) -> Caller<'a> {
        let base = Self::not_shown(Some(identity));
        let issuer = identity.session_issuer;
        Caller {
            principal_arn: issuer.and_then(|issuer| issuer.arn),
            session_name: identity
                .arn
                .and_then(|arn| arn.split_once(":federated-user/"))
                .map(|(_, name)| name),
            principal_id: issuer.and_then(|issuer| issuer.principal_id),
            kind: if issuer.is_some_and(|issuer| issuer.arn.is_some()) {
                CallerKind::FederatedSession
            } else {
                CallerKind::NotShown
            },
            ..base
        }
    }

    /// Why no snapshot could hold this caller.
    pub(crate) fn obstacle(&self) -> Option<Reason> {
        match self.kind {
            CallerKind::Service => Some(Reason::ServicePrincipal),
            CallerKind::Federated => Some(Reason::FederatedPrincipal),
            CallerKind::Anonymous => Some(Reason::AnonymousPrincipal),
            CallerKind::NotShown => Some(Reason::CallerNotShown),
            CallerKind::User
            | CallerKind::RoleSession
            | CallerKind::FederatedSession
            | CallerKind::Root => None,
        }
    }

    /// The snapshot's principal, or why there is none to evaluate.
    pub fn principal<'s>(&self, snapshot: &'s Snapshot) -> Result<&'s Principal, Reason> {
        if let Some(reason) = self.obstacle() {
            return Err(reason);
        }
        let arn = self.principal_arn.ok_or(Reason::CallerNotShown)?;
        let account = self
            .account
            .or_else(|| account_of(arn))
            .ok_or(Reason::CallerNotShown)?;
        if !snapshot.has_account(account) {
            return Err(Reason::PrincipalNotInSnapshot);
        }
        let found = snapshot
            .principal(arn)
            .or_else(|| self.by_name(snapshot, account))
            .ok_or(Reason::PrincipalDeleted)?;
        let told_apart = self.kind != CallerKind::Root
            && self
                .principal_id
                .is_some_and(|id| is_unique_id(id) && id != found.unique_id);
        if !told_apart {
            Ok(found)
        } else {
            Err(Reason::PrincipalRecreated)
        }
    }

    /// Names are unique in an account whatever the path, so a name finds a principal whose path the
    /// record does not show, or that had another path then (the unique id tells whether it is the same).
    fn by_name<'s>(&self, snapshot: &'s Snapshot, account: &str) -> Option<&'s Principal> {
        let name = self.principal_arn?.rsplit_once('/')?.1;
        match self.kind {
            CallerKind::RoleSession => snapshot.role_by_name(account, name),
            CallerKind::User | CallerKind::FederatedSession => snapshot.user_by_name(account, name),
            _ => None,
        }
    }
}

/// Whether this is a whole unique id: exports mask them (`AIDA****`), and what is masked tells nothing.
fn is_unique_id(id: &str) -> bool {
    /// IAM's ids have 4 letters for the kind and 17 or more characters.
    const SHORTEST: usize = 16;
    id.len() >= SHORTEST && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `AROA…:session` without the session.
fn unique_id(principal_id: &str) -> &str {
    principal_id
        .split_once(':')
        .map_or(principal_id, |(id, _)| id)
}

fn account_of(arn: &str) -> Option<&str> {
    account_of_arn(arn).filter(|account| !account.is_empty())
}

/// The role's name and the session's from `arn:aws:sts::A:assumed-role/NAME/SESSION`.
fn role_and_session(arn: &str) -> Option<(&str, &str)> {
    behind_assumed_role(arn)?.split_once('/')
}

/// What stands behind the first `:assumed-role/`. An ARN has few colons: to look behind each is quicker
/// than to search for the words.
fn behind_assumed_role(arn: &str) -> Option<&str> {
    let mut rest = arn.as_bytes();
    loop {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        rest = rest.get(colon + 1..)?;
        if let Some(behind) = rest.strip_prefix(b"assumed-role/") {
            return arn.get(arn.len() - behind.len()..);
        }
    }
}
