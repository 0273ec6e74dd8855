//! `Principal` and `NotPrincipal`.
//!
//! Names are compared with their case and have no wildcards: only `*` alone is everybody.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use super::document::{PrincipalSource, PrincipalType};
use crate::caller::{CallerIdentity, RoleName, SessionName, last_piece};
use crate::truth::Truth;

/// A compiled `Principal` or `NotPrincipal`.
#[derive(Debug)]
pub(crate) struct PrincipalElement {
    negated: bool,
    names: Box<[PrincipalName]>,
    source: Box<[Box<str>]>,
}

/// One principal that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PrincipalName {
    /// `*`, also anonymous callers.
    Everybody,
    /// The account's id, or the ARN of its root: all of the account that the account itself allows.
    Account(Box<str>),
    /// With its path.
    User(Box<str>, Box<str>),
    /// With its path.
    Role(Box<str>, Box<str>),
    /// Account, role without its path, session.
    AssumedRole(Box<str>, Box<str>, Box<str>),
    FederatedUser(Box<str>, Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    /// Which account the id stands for is not told.
    CanonicalUser,
    /// What AWS shows of a principal that was deleted: `AROA…`.
    UniqueId(Box<str>),
    /// A text that names nobody.
    Nobody,
}

/// How far a statement names the caller; each field includes those before it.
///
/// What a grant bypasses depends on it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PrincipalTruth {
    /// As the very caller (the user, the session) or as everybody: no implicit deny of the caller's
    /// own policies limits the grant.
    pub(crate) caller: Truth,
    /// As the role of the session, or as the user of the federated session: the boundary and the
    /// session policies limit the grant.
    pub(crate) principal: Truth,
    /// As the account: the identity policies must allow too.
    pub(crate) account: Truth,
}

impl PrincipalTruth {
    pub(crate) const NONE: PrincipalTruth = PrincipalTruth {
        caller: Truth::False,
        principal: Truth::False,
        account: Truth::False,
    };

    fn caller(truth: Truth) -> PrincipalTruth {
        PrincipalTruth {
            caller: truth,
            principal: truth,
            account: truth,
        }
    }

    fn principal(truth: Truth) -> PrincipalTruth {
        PrincipalTruth {
            caller: Truth::False,
            ..Self::caller(truth)
        }
    }

    fn account(truth: Truth) -> PrincipalTruth {
        PrincipalTruth {
            principal: Truth::False,
            ..Self::principal(truth)
        }
    }

    /// At least one of two.
    pub(crate) fn or(self, other: PrincipalTruth) -> PrincipalTruth {
        PrincipalTruth {
            caller: self.caller.or(other.caller),
            principal: self.principal.or(other.principal),
            account: self.account.or(other.account),
        }
    }

    /// Where `truth` holds too.
    pub(crate) fn and(self, truth: Truth) -> PrincipalTruth {
        PrincipalTruth {
            caller: self.caller.and(truth),
            principal: self.principal.and(truth),
            account: self.account.and(truth),
        }
    }
}

impl PrincipalName {
    pub(crate) fn parse(principal_type: PrincipalType, text: &str) -> PrincipalName {
        match principal_type {
            _ if text == "*" => Self::Everybody,
            PrincipalType::Service => Self::Service(text.into()),
            PrincipalType::Federated => Self::Federated(text.into()),
            PrincipalType::CanonicalUser => Self::CanonicalUser,
            PrincipalType::Aws => Self::of_aws(text),
        }
    }

    /// The principal of a KMS grant: an ARN, or the name of a service.
    pub(crate) fn of_grant(text: &str) -> PrincipalName {
        match Self::of_aws(text) {
            Self::Nobody if text.ends_with(".amazonaws.com") => Self::Service(text.into()),
            name => name,
        }
    }

    fn of_aws(text: &str) -> PrincipalName {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Account(text.into());
        }
        match crate::caller::identity_of(text) {
            Some(CallerIdentity::Root { account }) => Self::Account(account.into()),
            Some(CallerIdentity::User { account, name, .. }) => {
                Self::User(account.into(), name.into())
            }
            Some(CallerIdentity::Role {
                account,
                role: RoleName::WithPath(name),
                ..
            }) => Self::Role(account.into(), name.into()),
            Some(CallerIdentity::Role {
                account,
                role: RoleName::WithoutPath(role),
                session: SessionName::Known(session),
                ..
            }) => Self::AssumedRole(account.into(), role.into(), session.into()),
            Some(CallerIdentity::FederatedUser {
                account, session, ..
            }) => Self::FederatedUser(account.into(), session.into()),
            None if is_unique_id(text) => Self::UniqueId(text.into()),
            _ => Self::Nobody,
        }
    }

    /// How far this names the caller.
    pub(crate) fn names(&self, caller: &CallerIdentity<'_>) -> PrincipalTruth {
        match (self, caller) {
            (Self::Everybody, _) => PrincipalTruth::caller(Truth::True),
            (Self::Service(name), CallerIdentity::Service(service)) => {
                PrincipalTruth::caller(Truth::from(name.as_ref() == *service))
            }
            (Self::Federated(name), CallerIdentity::WebIdentity(provider)) => {
                PrincipalTruth::caller(Truth::from(name.as_ref() == *provider))
            }
            (
                _,
                CallerIdentity::Service(_)
                | CallerIdentity::WebIdentity(_)
                | CallerIdentity::Anonymous,
            ) => PrincipalTruth::NONE,
            // AWS turns a canonical id that it knows into an ARN; what stays is one of an account.
            (Self::CanonicalUser, _) => PrincipalTruth::account(Truth::Unknown),
            (Self::Account(named), _) => {
                PrincipalTruth::account(Truth::from(account_of(caller) == Some(named.as_ref())))
            }
            (_, CallerIdentity::User { .. }) => self.names_user(caller),
            (_, CallerIdentity::Role { .. }) => self.names_role(caller),
            (_, CallerIdentity::FederatedUser { .. }) => self.names_federated_user(caller),
            (_, CallerIdentity::Root { .. }) => PrincipalTruth::NONE,
        }
    }

    fn names_user(&self, caller: &CallerIdentity<'_>) -> PrincipalTruth {
        let CallerIdentity::User {
            account,
            name,
            unique_id,
        } = caller
        else {
            return PrincipalTruth::NONE;
        };
        let found = match self {
            Self::User(of, named) => of.as_ref() == *account && named.as_ref() == *name,
            Self::UniqueId(id) => !unique_id.is_empty() && id.as_ref() == *unique_id,
            _ => false,
        };
        PrincipalTruth::caller(Truth::from(found))
    }

    fn names_role(&self, caller: &CallerIdentity<'_>) -> PrincipalTruth {
        let CallerIdentity::Role {
            account,
            role,
            unique_id,
            session,
        } = caller
        else {
            return PrincipalTruth::NONE;
        };
        match self {
            Self::Role(of, named) => {
                let same_name = match role {
                    RoleName::WithPath(name) => named.as_ref() == *name,
                    RoleName::WithoutPath(name) => last_piece(named) == *name,
                };
                PrincipalTruth::principal(Truth::from(of.as_ref() == *account && same_name))
            }
            Self::AssumedRole(of, named_role, named_session) => {
                let (RoleName::WithPath(name) | RoleName::WithoutPath(name)) = role;
                let same_role = of.as_ref() == *account && named_role.as_ref() == last_piece(name);
                PrincipalTruth::caller(match session {
                    SessionName::Known(session) => {
                        Truth::from(same_role && named_session.as_ref() == *session)
                    }
                    SessionName::Unknown if same_role => Truth::Unknown,
                    SessionName::Unknown => Truth::False,
                })
            }
            Self::UniqueId(id) => {
                let found = !unique_id.is_empty() && id.as_ref() == *unique_id;
                PrincipalTruth::principal(Truth::from(found))
            }
            _ => PrincipalTruth::NONE,
        }
    }

    fn names_federated_user(&self, caller: &CallerIdentity<'_>) -> PrincipalTruth {
        let CallerIdentity::FederatedUser {
            account,
            user,
            session,
        } = caller
        else {
            return PrincipalTruth::NONE;
        };
        match self {
            Self::FederatedUser(of, named) => PrincipalTruth::caller(Truth::from(
                of.as_ref() == *account && named.as_ref() == *session,
            )),
            Self::User(of, named) => PrincipalTruth::principal(match user {
                _ if of.as_ref() != *account => Truth::False,
                Some(user) => Truth::from(named.as_ref() == *user),
                None => Truth::Unknown,
            }),
            _ => PrincipalTruth::NONE,
        }
    }
}

impl PrincipalElement {
    pub(crate) fn new(source: PrincipalSource) -> PrincipalElement {
        let names = source
            .values
            .iter()
            .map(|(principal_type, text)| PrincipalName::parse(*principal_type, text));
        PrincipalElement {
            negated: source.negated,
            names: names.collect(),
            source: source
                .values
                .iter()
                .map(|(principal_type, text)| match text.as_str() {
                    "*" => "*".into(),
                    text => format!("{}:{text}", principal_type.name()).into_boxed_str(),
                })
                .collect(),
        }
    }

    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    /// The principals as written, each with its type.
    pub(crate) fn source(&self) -> &[Box<str>] {
        &self.source
    }

    /// Whether it names everybody.
    pub(crate) fn names_everybody(&self) -> bool {
        self.negated || self.names.contains(&PrincipalName::Everybody)
    }

    /// How far a statement that allows is about the caller. `NotPrincipal` names everybody else.
    pub(crate) fn allows(&self, caller: &CallerIdentity<'_>) -> PrincipalTruth {
        let named = self.named(caller);
        if self.negated {
            PrincipalTruth::caller(!named.account)
        } else {
            named
        }
    }

    /// Whether a statement that denies is about the caller.
    ///
    /// `NotPrincipal` spares only whom it names in full: a user with its account, a session with its
    /// role and its account; and nobody who has a permissions boundary.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
    pub(crate) fn denies(&self, caller: &CallerIdentity<'_>, has_boundary: bool) -> Truth {
        if !self.negated {
            return self.named(caller).account;
        }
        if has_boundary {
            return Truth::True;
        }
        if self.names.contains(&PrincipalName::Everybody) {
            return Truth::False;
        }
        !self.spared(caller)
    }

    fn named(&self, caller: &CallerIdentity<'_>) -> PrincipalTruth {
        self.names
            .iter()
            .fold(PrincipalTruth::NONE, |all, name| all.or(name.names(caller)))
    }

    /// Whether the caller is named in full.
    fn spared(&self, caller: &CallerIdentity<'_>) -> Truth {
        let any = |wanted: fn(&PrincipalName) -> bool| {
            self.names
                .iter()
                .filter(|name| wanted(name))
                .fold(Truth::False, |all, name| all.or(name.names(caller).account))
        };
        let account = any(|name| {
            matches!(
                name,
                PrincipalName::Account(_) | PrincipalName::CanonicalUser
            )
        });
        let session = any(|name| {
            matches!(
                name,
                PrincipalName::AssumedRole(..) | PrincipalName::FederatedUser(..)
            )
        });
        let principal = any(|name| {
            matches!(
                name,
                PrincipalName::User(..) | PrincipalName::Role(..) | PrincipalName::UniqueId(_)
            )
        });
        match caller {
            CallerIdentity::User { .. } => principal.and(account),
            CallerIdentity::Role { .. } | CallerIdentity::FederatedUser { .. } => {
                principal.and(session).and(account)
            }
            CallerIdentity::Root { .. } => account,
            CallerIdentity::Service(_)
            | CallerIdentity::WebIdentity(_)
            | CallerIdentity::Anonymous => self.named(caller).account,
        }
    }
}

fn account_of<'a>(caller: &CallerIdentity<'a>) -> Option<&'a str> {
    match caller {
        CallerIdentity::User { account, .. }
        | CallerIdentity::Role { account, .. }
        | CallerIdentity::FederatedUser { account, .. }
        | CallerIdentity::Root { account } => Some(account),
        CallerIdentity::Service(_) | CallerIdentity::WebIdentity(_) | CallerIdentity::Anonymous => {
            None
        }
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn is_unique_id(text: &str) -> bool {
    text.len() >= 16
        && (text.starts_with("AIDA") || text.starts_with("AROA"))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
