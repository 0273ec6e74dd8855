//! The least statement that would turn an implicit deny, and where it would go.

use super::Question;
use super::granting_source::PolicyKind;
use crate::caller::{Caller, CallerIdentity, RoleName};
use crate::explanation::{ProposedPrincipal, Remedy};
use crate::request::{Request, Resource};
use crate::{Decision, Layer};

/// The statement for the layer that blocks; `None` where nobody can add one there, or what it would
/// have to name is not known.
pub(super) fn remedy(
    (decision, layer): (Decision, Option<Layer>),
    caller: &Caller<'_, '_>,
    request: &Request<'_>,
    question: &Question<'_>,
) -> Option<Remedy> {
    let layer = layer.filter(|_| decision == Decision::ImplicitDeny)?;
    let resource = match request.resource {
        Resource::Arn(arn) => arn,
        Resource::Any => "*",
        // With `*` for what nobody recorded it would allow more than the request.
        Resource::Unknown(_) => return None,
    };
    let (place, principal, names_resource) = match layer {
        Layer::Identity => (caller.principal?.arn.clone(), None, true),
        Layer::PermissionsBoundary => {
            let boundary = caller.principal?.boundary.as_ref()?;
            (boundary.id.to_string(), None, true)
        }
        Layer::Resource => {
            let sources = question.granting_sources(request.resource);
            let policy = sources.policy?;
            (
                policy.holder?.to_owned(),
                Some(named(caller, resource)?),
                policy.kind != PolicyKind::Trust,
            )
        }
        _ => return None,
    };
    Some(Remedy {
        layer,
        place,
        principal,
        action: request.action.to_owned(),
        resource: names_resource.then(|| escaped(resource)),
    })
}

/// A `*` in a name is a wildcard in a policy: `${*}` is the character.
fn escaped(resource: &str) -> String {
    if resource == "*" {
        return "*".to_owned();
    }
    resource
        .replace('$', "${$}")
        .replace('*', "${*}")
        .replace('?', "${?}")
}

/// How a policy names the caller; the partition is the resource's.
fn named(caller: &Caller<'_, '_>, resource: &str) -> Option<ProposedPrincipal> {
    let aws = |value| {
        Some(ProposedPrincipal {
            principal_type: "AWS",
            value,
        })
    };
    if let Some(principal) = caller.principal {
        return aws(principal.arn.clone());
    }
    let partition = super::partition(resource);
    match caller.identity {
        CallerIdentity::User { account, name, .. } => {
            aws(format!("arn:{partition}:iam::{account}:user/{name}"))
        }
        CallerIdentity::Role {
            account,
            role: RoleName::WithPath(name),
            ..
        } => aws(format!("arn:{partition}:iam::{account}:role/{name}")),
        CallerIdentity::Role { account, .. } | CallerIdentity::FederatedUser { account, .. } => {
            aws(account.to_owned())
        }
        CallerIdentity::Root { account } => aws(format!("arn:{partition}:iam::{account}:root")),
        CallerIdentity::Service(name) => Some(ProposedPrincipal {
            principal_type: "Service",
            value: name.to_owned(),
        }),
        CallerIdentity::WebIdentity(provider) => Some(ProposedPrincipal {
            principal_type: "Federated",
            value: provider.to_owned(),
        }),
        CallerIdentity::Anonymous => aws("*".to_owned()),
    }
}
