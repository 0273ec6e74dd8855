//! Who asks, as the evaluator takes it: a principal of the snapshot, or somebody who has no policies of
//! its own and is let in, or not, by the policy of the resource alone.

use retrial_cloudtrail::{Json, Record};
use retrial_iam::{Principal, Snapshot};

use crate::caller::{Caller, CallerKind};
use crate::mapping::{Mapped, MappedResource};
use crate::{Reason, account_of_arn};

/// Services whose resources answer requests without credentials, by their policies.
const OPEN_TO_ANYBODY: [&str; 4] = [
    "s3.amazonaws.com",
    "sqs.amazonaws.com",
    "sns.amazonaws.com",
    "lambda.amazonaws.com",
];

/// What tells who asks, besides the caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) event_source: Option<&'a str>,
    pub(crate) event_name: Option<&'a str>,
    pub(crate) invoked_by: Option<&'a str>,
    /// As [`provider()`] gives it.
    pub(crate) identity_provider: Option<&'a str>,
}

impl<'a> Asking<'a> {
    pub(crate) fn of(record: &Record<'a>) -> Asking<'a> {
        Asking {
            event_source: record.event_source,
            event_name: record.event_name,
            invoked_by: record
                .user_identity
                .and_then(|identity| identity.invoked_by),
            identity_provider: provider(record),
        }
    }
}

/// The caller of a call as the evaluator takes it, or why there is nobody to evaluate; `principal` is what
/// [`Caller::principal`] gives.
pub(crate) fn asker<'s: 'a, 'a>(
    asking: &Asking<'a>,
    (caller, principal): (&Caller<'a>, Result<&'s Principal, Reason>),
    mapped: &Mapped<'a>,
    snapshot: &'s Snapshot,
) -> Result<retrial_iam::Caller<'s, 'a>, Reason> {
    let outsider = |asker: Option<retrial_iam::Caller<'s, 'a>>, reason: Reason| {
        let asker = asker.ok_or(reason)?;
        trusting_role(mapped, snapshot, reason)?;
        Ok(asker)
    };
    match caller.kind {
        CallerKind::Service => outsider(service(asking), Reason::ServicePrincipal),
        CallerKind::Federated => outsider(identity(asking), Reason::FederatedPrincipal),
        CallerKind::Anonymous
            if asking
                .event_source
                .is_some_and(|source| OPEN_TO_ANYBODY.contains(&source)) =>
        {
            Ok(retrial_iam::Caller::anonymous())
        }
        _ => Ok(of_principal(caller, principal?)),
    }
}

/// The same, where it follows from the caller alone; `None` where the call makes a difference, and where there
/// is nobody to evaluate.
pub(crate) fn asker_of<'s: 'a, 'a>(
    caller: &Caller<'a>,
    principal: Result<&'s Principal, Reason>,
) -> Option<retrial_iam::Caller<'s, 'a>> {
    match caller.kind {
        CallerKind::Service | CallerKind::Federated | CallerKind::Anonymous => None,
        _ => Some(of_principal(caller, principal.ok()?)),
    }
}

/// A policy can name a session, and not only its role.
pub(crate) fn of_principal<'s: 'a, 'a>(
    caller: &Caller<'a>,
    principal: &'s Principal,
) -> retrial_iam::Caller<'s, 'a> {
    match (caller.kind, caller.session_name) {
        (CallerKind::RoleSession, Some(name)) => retrial_iam::Caller::role_session(principal, name),
        (CallerKind::FederatedSession, Some(name)) => {
            retrial_iam::Caller::federated_session(principal, name)
        }
        _ => retrial_iam::Caller::principal(principal),
    }
}

/// A service that assumes a role: the role's trust policy alone decides. What else services do on
/// their own behalf, no policy that anybody collects decides.
fn service<'s: 'a, 'a>(asking: &Asking<'a>) -> Option<retrial_iam::Caller<'s, 'a>> {
    if asking.event_source != Some("sts.amazonaws.com") || asking.event_name != Some("AssumeRole") {
        return None;
    }
    let name = asking.invoked_by?;
    let is_service = name.contains(".amazonaws.com") || name.ends_with(".amazon.com");
    is_service.then(|| retrial_iam::Caller::service(name))
}

/// A web or SAML identity that asks for a role, by its provider as trust policies name it.
/// See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html#STS-API-SAML-WIF>.
fn identity<'s: 'a, 'a>(asking: &Asking<'a>) -> Option<retrial_iam::Caller<'s, 'a>> {
    asking
        .identity_provider
        .map(retrial_iam::Caller::web_identity)
}

/// The ARN of the identity provider, or the name of one of those that need none.
pub(crate) fn provider<'a>(record: &Record<'a>) -> Option<&'a str> {
    const WITHOUT_ARN: [&str; 4] = [
        "accounts.google.com",
        "cognito-identity.amazonaws.com",
        "graph.facebook.com",
        "www.amazon.com",
    ];
    let provider = match record.event_name? {
        // The identity's own field has a hash of the issuer, not its ARN.
        "AssumeRoleWithSAML" => record
            .request_parameters
            .get("principalArn")
            .and_then(Json::as_str)?,
        "AssumeRoleWithWebIdentity" => record.user_identity?.identity_provider?,
        _ => return None,
    };
    (provider.starts_with("arn:") || WITHOUT_ARN.contains(&provider)).then_some(provider)
}

/// Whether the snapshot has the role that somebody without policies of its own asks for. Of one whose
/// account was not collected nothing is known; one that is not there has been deleted since.
fn trusting_role(mapped: &Mapped<'_>, snapshot: &Snapshot, reason: Reason) -> Result<(), Reason> {
    let Mapped::Requests(requests) = mapped else {
        return Ok(());
    };
    for request in requests.iter().filter(|request| request.required) {
        let MappedResource::Arn { arn, .. } = request.resource else {
            return Err(reason);
        };
        let account = account_of_arn(arn).unwrap_or_default();
        if !snapshot.has_account(account) {
            return Err(reason);
        }
        if snapshot.principal(arn).is_none() {
            return Err(Reason::PrincipalDeleted);
        }
    }
    Ok(())
}
