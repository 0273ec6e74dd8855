//! The session of one call, as it enters the evaluation.

use bumpalo::Bump;
use retrial_cloudtrail::Record;
use retrial_iam::{
    CompiledPolicy, Decision, Effect, Layer, ManagedPolicies, Principal, SessionPolicies, Snapshot,
    StatementRef,
};

use crate::CallRequest;
use crate::caller::{Caller, CallerKind};
use crate::session::{Session, SessionKnowledge, SessionPolicy};

/// Root's own credentials are long-term; AssumeRoot's are cut by a task policy.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoot.html>
pub(crate) fn is_assumed_root(record: &Record<'_>) -> bool {
    record
        .user_identity
        .is_some_and(|identity| identity.assumed_root == Some(true))
}

/// What is known of a call's session.
#[derive(Debug)]
pub(crate) struct CallSession<'q> {
    /// `None` where its issuing record was not seen, and where the caller holds no session.
    known: Option<&'q Session>,
    /// `None` where they are not known.
    policies: Option<Vec<SessionPolicy<'q>>>,
    /// Those of `policies`, as the evaluator takes them.
    documents: Vec<&'q CompiledPolicy>,
}

/// The session that a caller holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum HeldSession<'q> {
    /// This one.
    Known(&'q Session),
    /// Its issuing record was not seen, and it may have policies.
    NotSeen,
    /// None, or one that has no policies.
    WithoutPolicies,
}

impl<'q> HeldSession<'q> {
    /// The session of a record's caller.
    pub(crate) fn new(
        (is_assumed_root, caller, principal): (bool, &Caller<'_>, Option<&Principal>),
        knowledge: SessionKnowledge<'q>,
    ) -> HeldSession<'q> {
        let holds_session = caller.kind.has_session_policies()
            || (is_assumed_root && caller.kind == CallerKind::Root);
        match knowledge {
            SessionKnowledge::Known(session) if holds_session && session.is_of(caller) => {
                Self::Known(session)
            }
            // A service passes its service-linked role policies that only narrow it.
            _ if !holds_session || principal.is_some_and(Principal::is_service_linked) => {
                Self::WithoutPolicies
            }
            SessionKnowledge::Known(_) | SessionKnowledge::NotSeen => Self::NotSeen,
        }
    }

    /// The session, where its issuing record was seen.
    pub(crate) fn known(self) -> Option<&'q Session> {
        match self {
            Self::Known(session) => Some(session),
            Self::NotSeen | Self::WithoutPolicies => None,
        }
    }
}

impl<'q> CallSession<'q> {
    /// The session of a record's caller.
    pub(crate) fn new(held: HeldSession<'q>, snapshot: &'q Snapshot) -> CallSession<'q> {
        let policies = match held {
            HeldSession::Known(session) => session.policies(snapshot),
            HeldSession::WithoutPolicies => Some(Vec::new()),
            HeldSession::NotSeen => None,
        };
        CallSession {
            known: held.known(),
            documents: policies
                .iter()
                .flatten()
                .map(|policy| policy.policy)
                .collect(),
            policies,
        }
    }

    /// The session, where its issuing record was seen.
    pub(crate) fn known(&self) -> Option<&'q Session> {
        self.known
    }

    /// Names its policies.
    pub(crate) fn policy_id(&self) -> Option<&'q str> {
        self.known.and_then(Session::policy_id)
    }

    /// Whether any policy of it is known.
    pub(crate) fn has_policies(&self) -> bool {
        !self.documents.is_empty()
    }

    /// Whether it is known which policies it has, if any.
    pub(crate) fn is_known(&self) -> bool {
        self.policies.is_some()
    }

    /// Its policies as the evaluator takes them.
    pub(crate) fn policies(&self) -> SessionPolicies<'_> {
        match (&self.policies, self.documents.as_slice()) {
            (None, _) => SessionPolicies::Unknown,
            (Some(_), []) => SessionPolicies::None,
            (Some(_), documents) => SessionPolicies::Known(documents),
        }
    }

    /// Gives the statements of session policies, which the evaluator knows by their number, the
    /// policies' names and their own, and names the compiled-in copy where an allow leans on it.
    pub(crate) fn name_policies<'a>(&self, row: &mut CallRequest<'a>, arena: &'a Bump) {
        let mut leans_on_copy = None;
        let named = row.determined_by.iter().map(|statement| {
            let Some(policy) = self.policy_of(statement) else {
                return *statement;
            };
            if statement.effect == Effect::Allow {
                leans_on_copy = Some(leans_on_copy.unwrap_or(true) && policy.bundled);
            }
            StatementRef {
                policy: arena.alloc_str(policy.name),
                sid: policy
                    .policy
                    .sid(statement.index)
                    .map(|sid| &*arena.alloc_str(sid)),
                ..*statement
            }
        });
        if self.documents.is_empty() {
            return;
        }
        row.determined_by = bumpalo::collections::Vec::from_iter_in(named, arena).into_bump_slice();
        if row.decision == Some(Decision::Allowed) && leans_on_copy == Some(true) {
            let date = ManagedPolicies::bundled().date();
            let bundled = &*arena.alloc_str(&format!("bundled_policy@{date}"));
            if !row.assumes.contains(&bundled) {
                row.assumes = arena.alloc_slice_fill_iter(
                    row.assumes
                        .iter()
                        .copied()
                        .chain([bundled])
                        .collect::<Vec<_>>(),
                );
            }
        }
    }

    /// The policy that the evaluator calls `session_policies[<number>]`.
    fn policy_of(&self, statement: &StatementRef<'_>) -> Option<&SessionPolicy<'q>> {
        if statement.layer != Layer::Session {
            return None;
        }
        let number = statement
            .policy
            .strip_prefix("session_policies[")?
            .strip_suffix(']')?;
        self.policies.as_ref()?.get(number.parse::<usize>().ok()?)
    }
}
