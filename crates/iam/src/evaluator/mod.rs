//! The evaluator.
//!
//! Identity policies and the permissions boundary are evaluated; of every other layer it is known
//! only whether it was collected, and a layer that is there but not evaluated counts as one that was
//! not collected. Order and exceptions:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.
//!
//! A decision allocates nothing once the [`Scratch`] has grown. Why it came out so is a separate
//! question, [`Evaluator::explain`], asked rarely and answered at length.

mod explain;
mod granting_source;
mod layer;
mod resource_side;

use crate::context::Keys;
use crate::pattern::{ActionName, ResourceText};
use crate::request::{Request, Resource, SessionPolicies};
use crate::snapshot::{AttachedPolicy, Collected, Principal, PrincipalKind, Snapshot};
use crate::truth::Truth;
use crate::{Assumption, Catalogue, Decision, Effect, Evaluation, Layer, Scratch};
use granting_source::PolicyKind;
use layer::LayerTruth;
use resource_side::{ResourceSide, Side};

/// Evaluates requests against a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'s> {
    catalogue: &'s Catalogue,
    snapshot: &'s Snapshot,
}

/// A request, made ready for many statements.
#[derive(Debug, Clone, Copy)]
struct Question<'a> {
    action: ActionName<'a>,
    resource: ResourceText<'a>,
    keys: Keys<'a>,
}

/// What the caller's own policies say.
struct OwnSide {
    identity: LayerTruth,
    boundary: LayerTruth,
}

impl OwnSide {
    fn deny(&self) -> Truth {
        self.identity.deny.or(self.boundary.deny)
    }

    fn allow(&self) -> Truth {
        self.identity.allow.and(self.boundary.allow)
    }

    /// The layer that keeps `allow` from being true.
    fn blocking_layer(&self) -> Layer {
        if self.identity.allow == Truth::False || self.boundary.allow == Truth::True {
            Layer::Identity
        } else {
            Layer::PermissionsBoundary
        }
    }
}

impl<'s> Evaluator<'s> {
    /// An evaluator over a snapshot.
    pub fn new(catalogue: &'s Catalogue, snapshot: &'s Snapshot) -> Self {
        Self {
            catalogue,
            snapshot,
        }
    }

    /// Decides one request.
    pub fn evaluate<'x>(
        &self,
        principal: &'s Principal,
        request: &Request<'_>,
        scratch: &'x mut Scratch<'s>,
    ) -> Evaluation<'x, 's> {
        scratch.clear();
        let mut buffer = std::mem::take(&mut scratch.action);
        let question = self.question(
            principal,
            request,
            ActionName::fold(request.action, &mut buffer),
        );
        let (decision, layer) = self.decide(principal, request, &question, scratch);
        scratch.action = buffer;
        scratch.evaluation(decision, layer)
    }

    fn decide(
        &self,
        principal: &'s Principal,
        request: &Request<'_>,
        question: &Question<'_>,
        scratch: &mut Scratch<'s>,
    ) -> (Decision, Option<Layer>) {
        if is_always_allowed(question.action) {
            return (Decision::Allowed, None);
        }
        let own = OwnSide {
            identity: layer::identity(principal, question, &mut scratch.determined_by),
            boundary: layer::boundary(principal, question, &mut scratch.determined_by),
        };
        if own.deny() == Truth::True {
            scratch
                .determined_by
                .retain(|statement| statement.effect == Effect::Deny);
            return (
                Decision::ExplicitDeny,
                scratch
                    .determined_by
                    .first()
                    .map(|statement| statement.layer),
            );
        }
        let side = ResourceSide::new(self.snapshot, principal, request, question);
        match join(&own, &side, &mut scratch.unknown_layers) {
            Side::Denied(layer) => {
                scratch.forget_reasons();
                (Decision::ImplicitDeny, Some(layer))
            }
            Side::Allowed if own.deny() == Truth::False => {
                self.assumptions(principal, request, &own, &side, &mut scratch.assumes);
                (Decision::Allowed, None)
            }
            Side::Allowed | Side::Open => {
                scratch.determined_by.clear();
                collect_unknown(principal, question, &own, scratch);
                (Decision::Undetermined, None)
            }
        }
    }

    fn question<'a>(
        &self,
        principal: &'a Principal,
        request: &Request<'a>,
        action: ActionName<'a>,
    ) -> Question<'a>
    where
        's: 'a,
    {
        let resource = match request.resource {
            Resource::Any if action.is("s3", "listallmybuckets") => {
                ResourceText::all_buckets(partition(&principal.arn))
            }
            resource => ResourceText::new(resource),
        };
        Question {
            action,
            resource,
            keys: Keys {
                context: request.context,
                catalogue: self.catalogue,
                action: request.action,
            },
        }
    }

    /// What an allow leans on without having seen it, in the order of [`Assumption`].
    fn assumptions<'v>(
        &self,
        principal: &Principal,
        request: &Request<'_>,
        own: &OwnSide,
        side: &ResourceSide<'_>,
        out: &mut Vec<Assumption<'v>>,
    ) {
        if self.scp(principal) != Collected::Empty {
            out.push(Assumption::Scp);
        }
        if self.rcp(principal, side) != Collected::Empty {
            out.push(Assumption::Rcp);
        }
        if self.vpc_endpoint(principal, request) != Collected::Empty {
            out.push(Assumption::VpcEndpointPolicy);
        }
        match side.policy {
            Some((_, Collected::Empty)) | None => {}
            Some((PolicyKind::Key, _)) => out.push(Assumption::KeyPolicy),
            Some((PolicyKind::Trust, _)) => out.push(Assumption::TrustPolicy),
            Some((PolicyKind::Resource, _)) => out.push(Assumption::ResourcePolicy),
        }
        if request.session == SessionPolicies::Unknown {
            out.push(Assumption::SessionPolicy);
        }
        for date in [own.identity.bundled, own.boundary.bundled]
            .into_iter()
            .flatten()
        {
            let bundled = Assumption::BundledPolicy { date };
            if !out.contains(&bundled) {
                out.push(bundled);
            }
        }
    }

    /// Service control policies: none apply to the management account and to service-linked roles.
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>
    fn scp(&self, principal: &Principal) -> Collected {
        if principal.is_service_linked()
            || self.snapshot.is_management_account(&principal.account) == Some(true)
        {
            return Collected::Empty;
        }
        self.snapshot.scp(&principal.account)
    }

    /// Resource control policies: of the account that owns the resource, else of the caller's.
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>
    fn rcp(&self, principal: &Principal, side: &ResourceSide<'_>) -> Collected {
        if !side.rcp_applies
            || principal.is_service_linked()
            || self.snapshot.is_management_account(side.account) == Some(true)
        {
            return Collected::Empty;
        }
        self.snapshot.rcp(side.account)
    }

    fn vpc_endpoint(&self, principal: &Principal, request: &Request<'_>) -> Collected {
        request.vpc_endpoint.map_or(Collected::Empty, |endpoint| {
            self.snapshot
                .vpc_endpoint_policy(endpoint, &principal.account)
        })
    }
}

/// "No permissions are required to perform this operation", and no deny takes it away.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
fn is_always_allowed(action: ActionName<'_>) -> bool {
    action.is("sts", "getcalleridentity")
}

fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}

/// Joins the two sides; whatever the caller's unknown allow turns out to be, both must agree.
fn join(own: &OwnSide, side: &ResourceSide<'_>, unknown_layers: &mut Vec<Layer>) -> Side {
    match own.allow() {
        Truth::True => side.where_allowed(unknown_layers),
        Truth::False => side.where_not_allowed(own.blocking_layer(), unknown_layers),
        Truth::Unknown => {
            let allowed = side.where_allowed(unknown_layers);
            let not_allowed = side.where_not_allowed(own.blocking_layer(), unknown_layers);
            match (allowed, not_allowed) {
                (Side::Denied(layer), Side::Denied(_)) => Side::Denied(layer),
                _ => Side::Open,
            }
        }
    }
}

/// Names what could turn an undetermined decision.
fn collect_unknown<'s>(
    principal: &'s Principal,
    question: &Question<'_>,
    own: &OwnSide,
    scratch: &mut Scratch<'s>,
) {
    let allow_is_open = own.allow() == Truth::Unknown;
    for (truth, layer, policies) in layers(principal, own) {
        let effects = [
            (
                Effect::Allow,
                allow_is_open && truth.allow == Truth::Unknown,
            ),
            (Effect::Deny, truth.deny == Truth::Unknown),
        ];
        for (effect, _) in effects.into_iter().filter(|(_, matters)| *matters) {
            if layer::collect_unknown_keys(policies, effect, question, &mut scratch.unknown_keys) {
                scratch.unknown_layers.push(layer);
            }
        }
    }
    scratch.unknown_layers.sort_unstable();
    scratch.unknown_layers.dedup();
}

fn layers<'s, 'o>(
    principal: &'s Principal,
    own: &'o OwnSide,
) -> [(&'o LayerTruth, Layer, &'s [AttachedPolicy]); 2] {
    let identity: &[AttachedPolicy] = if principal.kind == PrincipalKind::Root {
        &[]
    } else {
        &principal.identity
    };
    [
        (&own.identity, Layer::Identity, identity),
        (
            &own.boundary,
            Layer::PermissionsBoundary,
            principal.boundary.as_slice(),
        ),
    ]
}
