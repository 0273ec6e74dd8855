//! From decisions and an outcome to a verdict, by the table of the call.

use retrial_iam::Decision;

use crate::{Certainty, Outcome};

/// What replaying a call says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Today's policies answer as AWS did.
    Agrees,
    /// It got through then and would be denied now.
    WouldBeDenied,
    /// It was denied then and would get through now, with nothing assumed.
    WouldBeAllowed,
    /// What is unknown could change the answer.
    Undetermined,
    /// Its outcome says nothing of authorization.
    NotComparable,
    /// There was nothing to evaluate, or nobody to evaluate it for.
    NotEvaluated,
}

impl Verdict {
    /// All of them, in the order of reports.
    pub const ALL: [Verdict; 6] = [
        Self::Agrees,
        Self::WouldBeDenied,
        Self::WouldBeAllowed,
        Self::Undetermined,
        Self::NotComparable,
        Self::NotEvaluated,
    ];

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Verdict> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::WouldBeDenied => "would_be_denied",
            Self::WouldBeAllowed => "would_be_allowed",
            Self::Undetermined => "undetermined",
            Self::NotComparable => "not_comparable",
            Self::NotEvaluated => "not_evaluated",
        }
    }
}

/// Why a call was not evaluated, or why its verdict is `undetermined`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The caller is an AWS service.
    ServicePrincipal,
    /// The caller came with a federated identity alone: only a trust policy decides.
    FederatedPrincipal,
    /// The caller came without credentials: only the resource's policy decides.
    AnonymousPrincipal,
    /// The record does not say who called.
    CallerNotShown,
    /// The caller's account is not in the snapshot.
    PrincipalNotInSnapshot,
    /// The caller's account is, and the caller is not: deleted since.
    PrincipalDeleted,
    /// A principal of this name is, with another unique id: deleted and made again.
    PrincipalRecreated,
    /// The event is not a call that IAM authorizes.
    NotAnIamAction,
    /// The call needs no permission.
    NoPermissionNeeded,
    /// The mapping does not know the event.
    Unmapped,
    /// The record amends an earlier one.
    Addendum,
    /// None of its requests is required; the records that carry the required ones stand beside it.
    NoRequiredRequest,
    /// Condition keys that nobody recorded decide.
    UnknownKeys,
    /// Layers that were not collected decide.
    LayersNotCollected,
    /// Denied then, allowed now, but only under the assumptions named.
    AllowedUnderAssumption,
    /// Denied now, but only for an action or resource that the mapping guessed.
    GuessedMapping,
    /// The spellings that the resource's ARN may have lead to different decisions.
    SpellingsDisagree,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 17] = [
        Self::ServicePrincipal,
        Self::FederatedPrincipal,
        Self::AnonymousPrincipal,
        Self::CallerNotShown,
        Self::PrincipalNotInSnapshot,
        Self::PrincipalDeleted,
        Self::PrincipalRecreated,
        Self::NotAnIamAction,
        Self::NoPermissionNeeded,
        Self::Unmapped,
        Self::Addendum,
        Self::NoRequiredRequest,
        Self::UnknownKeys,
        Self::LayersNotCollected,
        Self::AllowedUnderAssumption,
        Self::GuessedMapping,
        Self::SpellingsDisagree,
    ];

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Reason> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServicePrincipal => "service_principal",
            Self::FederatedPrincipal => "federated_principal",
            Self::AnonymousPrincipal => "anonymous_principal",
            Self::CallerNotShown => "caller_not_shown",
            Self::PrincipalNotInSnapshot => "principal_not_in_snapshot",
            Self::PrincipalDeleted => "principal_deleted",
            Self::PrincipalRecreated => "principal_recreated",
            Self::NotAnIamAction => "not_an_iam_action",
            Self::NoPermissionNeeded => "no_permission_needed",
            Self::Unmapped => "unmapped",
            Self::Addendum => "addendum",
            Self::NoRequiredRequest => "no_required_request",
            Self::UnknownKeys => "unknown_keys",
            Self::LayersNotCollected => "layers_not_collected",
            Self::AllowedUnderAssumption => "allowed_under_assumption",
            Self::GuessedMapping => "guessed_mapping",
            Self::SpellingsDisagree => "spellings_disagree",
        }
    }
}

/// One required request, as far as the verdict needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) decision: Decision,
    pub(crate) certainty: Certainty,
    pub(crate) assumes_nothing: bool,
    /// Why it is undetermined, where it is.
    pub(crate) reason: Option<Reason>,
}

/// The decision and the verdict of a call from its required requests; `None` where it has none.
pub(crate) fn judge(
    outcome: Outcome,
    required: &[Judged],
) -> Option<(Decision, Verdict, Option<Reason>)> {
    // Decision's order is the order of precedence: explicit_deny, implicit_deny, undetermined, allowed.
    let decision = required.iter().map(|request| request.decision).min()?;
    let undetermined = || required.iter().find_map(|request| request.reason);
    let (verdict, reason) = match (outcome, decision) {
        (Outcome::Failed, _) => (Verdict::NotComparable, None),
        (_, Decision::Undetermined) => (Verdict::Undetermined, undetermined()),
        (Outcome::Denied, Decision::Allowed) => {
            match required.iter().all(|request| request.assumes_nothing) {
                true => (Verdict::WouldBeAllowed, None),
                false => (Verdict::Undetermined, Some(Reason::AllowedUnderAssumption)),
            }
        }
        (Outcome::Denied, _) | (_, Decision::Allowed) => (Verdict::Agrees, None),
        _ => match required
            .iter()
            .any(|request| request.decision.is_denied() && request.certainty != Certainty::Guessed)
        {
            true => (Verdict::WouldBeDenied, None),
            false => (Verdict::Undetermined, Some(Reason::GuessedMapping)),
        },
    };
    Some((decision, verdict, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Allowed, ExplicitDeny, ImplicitDeny, Undetermined};

    fn request(decision: Decision) -> Judged {
        let reason = (decision == Undetermined).then_some(Reason::UnknownKeys);
        Judged {
            decision,
            certainty: Certainty::Verified,
            assumes_nothing: true,
            reason,
        }
    }

    #[track_caller]
    fn check(outcome: Outcome, decisions: &[Decision], decision: Decision, verdict: Verdict) {
        let required: Vec<_> = decisions
            .iter()
            .map(|decision| request(*decision))
            .collect();
        let (got, got_verdict, _) = judge(outcome, &required).expect("has required requests");
        assert_eq!((got, got_verdict), (decision, verdict));
    }

    /// The table of verdicts: outcome by decision.
    #[test]
    fn the_table() {
        check(
            Outcome::Succeeded,
            &[Allowed, Allowed],
            Allowed,
            Verdict::Agrees,
        );
        check(
            Outcome::Succeeded,
            &[Allowed, ImplicitDeny],
            ImplicitDeny,
            Verdict::WouldBeDenied,
        );
        check(
            Outcome::Succeeded,
            &[Undetermined, ExplicitDeny],
            ExplicitDeny,
            Verdict::WouldBeDenied,
        );
        check(
            Outcome::Succeeded,
            &[Allowed, Undetermined],
            Undetermined,
            Verdict::Undetermined,
        );
        check(
            Outcome::Denied,
            &[Allowed],
            Allowed,
            Verdict::WouldBeAllowed,
        );
        check(
            Outcome::Denied,
            &[ImplicitDeny, Undetermined],
            ImplicitDeny,
            Verdict::Agrees,
        );
        check(
            Outcome::Denied,
            &[Undetermined],
            Undetermined,
            Verdict::Undetermined,
        );
        check(
            Outcome::FailedAfterAuthorization,
            &[Allowed],
            Allowed,
            Verdict::Agrees,
        );
        check(
            Outcome::FailedAfterAuthorization,
            &[ImplicitDeny],
            ImplicitDeny,
            Verdict::WouldBeDenied,
        );
        check(
            Outcome::FailedAfterAuthorization,
            &[Undetermined],
            Undetermined,
            Verdict::Undetermined,
        );
        check(
            Outcome::Failed,
            &[ImplicitDeny],
            ImplicitDeny,
            Verdict::NotComparable,
        );
        check(Outcome::Failed, &[Allowed], Allowed, Verdict::NotComparable);
    }

    #[test]
    fn a_denial_that_is_allowed_under_an_assumption_is_undetermined() {
        let required = [Judged {
            assumes_nothing: false,
            ..request(Allowed)
        }];
        assert_eq!(
            judge(Outcome::Denied, &required),
            Some((
                Allowed,
                Verdict::Undetermined,
                Some(Reason::AllowedUnderAssumption)
            ))
        );
        assert_eq!(
            judge(Outcome::Succeeded, &required),
            Some((Allowed, Verdict::Agrees, None))
        );
    }

    #[test]
    fn a_guess_makes_no_would_be_denied() {
        let required = [Judged {
            certainty: Certainty::Guessed,
            ..request(ImplicitDeny)
        }];
        assert_eq!(
            judge(Outcome::Succeeded, &required),
            Some((
                ImplicitDeny,
                Verdict::Undetermined,
                Some(Reason::GuessedMapping)
            ))
        );
        assert_eq!(
            judge(Outcome::Denied, &required),
            Some((ImplicitDeny, Verdict::Agrees, None))
        );
    }

    #[test]
    fn no_required_request_no_decision() {
        assert_eq!(judge(Outcome::Succeeded, &[]), None);
    }
}
