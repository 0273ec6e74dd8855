//! Which policies count for one request, layer by layer.

use super::Question;
use super::layer::{self, LayerTruth, LimitTruth, UnknownKeys, policies_of};
use super::resource_side::ResourceSide;
use super::verdict::Truths;
use crate::caller::{Caller, CallerIdentity};
use crate::request::{Request, SessionPolicies};
use crate::s3_bucket::unknown_acl_keys;
use crate::snapshot::{AttachedPolicy, Found, Levels, Snapshot};
use crate::truth::Truth;
use crate::{Assumption, Effect, Layer, Scratch, StatementRef};

/// The policies that count for one request.
#[derive(Debug)]
pub(super) struct Layers<'s, 'a> {
    pub(super) own: OwnPolicies<'s>,
    pub(super) session: Session<'a>,
    pub(super) resource: ResourceSide<'s, 'a>,
    pub(super) scp: OrganizationPolicies<'s>,
    pub(super) rcp: OrganizationPolicies<'s>,
    pub(super) endpoint: EndpointPolicies<'s>,
}

/// The caller's identity policies and boundary.
#[derive(Debug, Clone, Copy)]
pub(super) enum OwnPolicies<'s> {
    /// A service, a web identity, somebody without credentials: there are none.
    Nobodys,
    /// The root user has full access in its account.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>
    Root,
    Of {
        identity: &'s [AttachedPolicy],
        boundary: &'s [AttachedPolicy],
    },
    NotCollected,
}

/// The session's policies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Session<'a> {
    /// No session, or one without policies of its own.
    None,
    /// A session of `GetFederationToken` without policies has no permissions of its own.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
    FederatedWithout,
    Unknown,
    Known(&'a [&'a crate::CompiledPolicy]),
}

/// Service or resource control policies.
#[derive(Debug, Clone, Copy)]
pub(super) enum OrganizationPolicies<'s> {
    /// None binds the caller, or the resource.
    Exempt,
    Levels {
        levels: Levels<'s>,
        /// Nobody knows whether this is the management account, which none binds.
        may_be_exempt: bool,
    },
}

/// The policies of the VPC endpoint that the request came through.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndpointPolicies<'s> {
    /// It came through none, or one that lets everything pass.
    None,
    NotCollected,
    Policies(&'s [AttachedPolicy]),
}

impl<'s> From<Found<'s>> for EndpointPolicies<'s> {
    fn from(found: Found<'s>) -> Self {
        match found {
            Found::Policy(policy) => Self::Policies(std::slice::from_ref(policy)),
            Found::None => Self::None,
            Found::NotCollected => Self::NotCollected,
        }
    }
}

impl<'s> OwnPolicies<'s> {
    pub(super) fn of(caller: &Caller<'s, '_>) -> OwnPolicies<'s> {
        match (caller.identity, caller.principal) {
            (CallerIdentity::Root { .. }, _) => Self::Root,
            _ if !caller.has_own_policies() => Self::Nobodys,
            (_, Some(principal)) => Self::Of {
                identity: &principal.identity,
                boundary: principal.boundary.as_slice(),
            },
            (_, None) => Self::NotCollected,
        }
    }
}

impl<'a> Session<'a> {
    pub(super) fn of(caller: &Caller<'_, '_>, session: SessionPolicies<'a>) -> Session<'a> {
        let is_federated = matches!(caller.identity, CallerIdentity::FederatedUser { .. });
        match session {
            SessionPolicies::None | SessionPolicies::Known([]) if is_federated => {
                Self::FederatedWithout
            }
            SessionPolicies::None | SessionPolicies::Known([]) => Self::None,
            SessionPolicies::Unknown => Self::Unknown,
            SessionPolicies::Known(policies) => Self::Known(policies),
        }
    }
}

impl<'s: 'a, 'a> Layers<'s, 'a> {
    /// What a snapshot holds for a request.
    pub(super) fn new(
        snapshot: &'s Snapshot,
        caller: &Caller<'s, 'a>,
        request: &Request<'a>,
        question: &Question<'a>,
    ) -> Layers<'s, 'a> {
        let resource = ResourceSide::new(snapshot, request, question);
        let scp = match question.account {
            Some(account) if !caller.is_service_linked => {
                OrganizationPolicies::new(snapshot, account, Snapshot::scp_levels)
            }
            // "SCPs don't affect service-linked roles", and bind users and roles only.
            // <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>
            _ => OrganizationPolicies::Exempt,
        };
        // <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>
        let rcp_applies =
            resource.rcp_applies && !caller.is_service_linked && resource.managed_key.is_none();
        let rcp = if rcp_applies {
            let account = resource.account.unwrap_or_default();
            OrganizationPolicies::new(snapshot, account, Snapshot::rcp_levels)
        } else {
            OrganizationPolicies::Exempt
        };
        let endpoint = request.vpc_endpoint.map_or(EndpointPolicies::None, |id| {
            snapshot
                .find_endpoint_policy(id, question.account.unwrap_or_default())
                .into()
        });
        Layers {
            own: OwnPolicies::of(caller),
            session: Session::of(caller, request.session),
            resource,
            scp,
            rcp,
            endpoint,
        }
    }

    /// What each layer says; the statements that apply for sure are added to `matched`.
    pub(super) fn truths(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> Truths {
        let identity = self.identity_truth(question, matched);
        let boundary = self.boundary_truth(question, matched);
        let session = self.session_truth(question, matched);
        let resource = self.resource.policy_truth(question, matched);
        Truths {
            has_own_policies: !matches!(self.own, OwnPolicies::Nobodys),
            refused: self.resource.refused(question),
            is_foreign: self.resource.is_foreign,
            answers_first: self.resource.answers_first(),
            // Assumed: the key policy delegates to the account, the trust policy lets it in.
            delegates: if self.resource.is_assumed() {
                Truth::True
            } else {
                resource.allow.account
            },
            identity,
            boundary,
            session,
            resource,
            grants: self.resource.grants_truth(question, matched),
            scp: self.scp.truth(Layer::Scp, question, matched),
            rcp: self.rcp.truth(Layer::Rcp, question, matched),
            endpoint: self.endpoint_truth(question, matched),
        }
    }

    fn identity_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> LayerTruth {
        match self.own {
            OwnPolicies::Nobodys => LayerTruth::SILENT,
            OwnPolicies::Root => LayerTruth::OPEN,
            OwnPolicies::Of { identity, .. } => {
                layer::own(Layer::Identity, identity, question, matched)
            }
            OwnPolicies::NotCollected => LayerTruth::UNKNOWN,
        }
    }

    fn boundary_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> LayerTruth {
        match self.own {
            OwnPolicies::Of {
                boundary: boundary @ [_, ..],
                ..
            } => layer::own(Layer::PermissionsBoundary, boundary, question, matched),
            OwnPolicies::NotCollected => LayerTruth::UNKNOWN,
            _ => LayerTruth::OPEN,
        }
    }

    fn session_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> LayerTruth {
        match self.session {
            Session::None | Session::Unknown => LayerTruth::OPEN,
            Session::FederatedWithout => LayerTruth::SILENT,
            Session::Known(policies) => layer::session(policies, question, matched),
        }
    }

    fn endpoint_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> LimitTruth {
        match self.endpoint {
            EndpointPolicies::None => LimitTruth::OPEN,
            EndpointPolicies::NotCollected => LimitTruth::ASSUMED,
            EndpointPolicies::Policies(policies) => {
                layer::limit(Layer::VpcEndpoint, policies, question, matched)
            }
        }
    }

    /// What an allow leans on without having seen it, in the order of [`Assumption`].
    pub(super) fn assumptions<'v>(&self, truths: &Truths, out: &mut Vec<Assumption<'v>>) {
        use super::granting_source::PolicyKind;
        if truths.scp.assumed {
            out.push(Assumption::Scp);
        }
        if truths.rcp.assumed {
            out.push(Assumption::Rcp);
        }
        if truths.endpoint.assumed {
            out.push(Assumption::VpcEndpointPolicy);
        }
        if self.resource.is_assumed() {
            match self.resource.kind {
                Some(PolicyKind::Key) => out.push(Assumption::KeyPolicy),
                Some(PolicyKind::Trust) => out.push(Assumption::TrustPolicy),
                Some(PolicyKind::Resource) => out.push(Assumption::ResourcePolicy),
                None => {}
            }
        }
        if matches!(self.session, Session::Unknown) {
            out.push(Assumption::SessionPolicy);
        }
        if truths.leans_on_own_policies() {
            for date in [truths.identity.bundled, truths.boundary.bundled]
                .into_iter()
                .flatten()
            {
                let bundled = Assumption::BundledPolicy { date };
                if !out.contains(&bundled) {
                    out.push(bundled);
                }
            }
        }
    }

    /// Names what could turn an undetermined decision.
    pub(super) fn collect_unknown(
        &self,
        truths: &Truths,
        question: &Question<'_>,
        scratch: &mut Scratch<'s>,
        catalogue: &'s crate::Catalogue,
    ) {
        let allow_is_open = truths.allow() == Truth::Unknown;
        let is_open = |effect, layer| match effect {
            Effect::Allow => allow_is_open && truths.allow_of(layer) == Truth::Unknown,
            Effect::Deny => truths.deny_of(layer) == Truth::Unknown,
        };
        for effect in [Effect::Allow, Effect::Deny] {
            for layer in Truths::LAYERS
                .into_iter()
                .filter(|layer| is_open(effect, *layer))
            {
                if self.unknown_of(
                    layer,
                    effect,
                    question,
                    &mut scratch.unknown_keys,
                    catalogue,
                ) {
                    scratch.unknown_layers.push(layer);
                }
            }
        }
        scratch.unknown_layers.sort_unstable();
        scratch.unknown_layers.dedup();
    }

    /// Adds the keys that leave a layer open; `true` where something else does.
    fn unknown_of(
        &self,
        layer: Layer,
        effect: Effect,
        question: &Question<'_>,
        keys: &mut Vec<&'s str>,
        catalogue: &'s crate::Catalogue,
    ) -> bool {
        let mut keys = UnknownKeys(keys);
        match (layer, self.own) {
            (Layer::Identity, OwnPolicies::Of { identity, .. }) => {
                keys.of_policies(identity, effect, question)
            }
            (Layer::PermissionsBoundary, OwnPolicies::Of { boundary, .. }) => {
                keys.of_policies(boundary, effect, question)
            }
            (Layer::Identity | Layer::PermissionsBoundary, _) => true,
            (Layer::Session, _) => self.unknown_of_session(effect, question, &mut keys, catalogue),
            (Layer::Resource, _) => self.unknown_of_resource(effect, question, &mut keys),
            (Layer::Scp, _) => self.scp.unknown(effect, question, &mut keys),
            (Layer::Rcp, _) => self.rcp.unknown(effect, question, &mut keys),
            (Layer::VpcEndpoint, _) => match self.endpoint {
                EndpointPolicies::Policies(policies) => {
                    keys.of_policies(policies, effect, question);
                    false
                }
                EndpointPolicies::None | EndpointPolicies::NotCollected => false,
            },
            (Layer::KmsGrant, _) => match self.resource.grants {
                Some(grants) => {
                    let before = keys.0.len();
                    for grant in grants {
                        if grant
                            .allows(&question.caller, question.action, &question.keys)
                            .account
                            == Truth::Unknown
                        {
                            grant.unknown_keys(&question.keys, &mut |key| keys.push(key));
                        }
                    }
                    keys.0.len() == before
                }
                None => true,
            },
        }
    }

    fn unknown_of_resource(
        &self,
        effect: Effect,
        question: &Question<'_>,
        keys: &mut UnknownKeys<'_, 's>,
    ) -> bool {
        let policy = match self.resource.policy {
            Found::Policy(attached) => attached.policy.as_ref().ok(),
            Found::None | Found::NotCollected => None,
        };
        let acl = self.resource.acl_truth(question, &mut Vec::new());
        let acl_is_open = effect == Effect::Allow
            && [acl.caller, acl.principal, acl.account].contains(&Truth::Unknown);
        let before = keys.0.len();
        if effect == Effect::Allow && self.resource.refused(question) == Truth::Unknown {
            for key in unknown_acl_keys(&question.keys) {
                keys.push(key);
            }
        }
        let Some(policy) = policy else {
            let is_collected = matches!(self.resource.policy, Found::None);
            return !is_collected || acl_is_open || keys.0.len() == before;
        };
        let principal_is_open = keys.of_policy(policy, effect, question);
        // Else a public policy that Block Public Access may or may not see as such, or an ACL in the
        // request's body.
        let other = effect == Effect::Allow && (acl_is_open || keys.0.len() == before);
        principal_is_open || other
    }

    /// Session policies live with the request: their keys are named as the catalogue spells them.
    fn unknown_of_session(
        &self,
        effect: Effect,
        question: &Question<'_>,
        keys: &mut UnknownKeys<'_, 's>,
        catalogue: &'s crate::Catalogue,
    ) -> bool {
        let Session::Known(policies) = self.session else {
            return true;
        };
        for policy in policies {
            for statement in policy.about_request(question.action, question.resource) {
                let open = statement.effect == effect
                    && statement.applies(question.resource, &question.keys) == Truth::Unknown;
                if open {
                    statement.unknown_keys(question.resource, &question.keys, &mut |key| {
                        if let Some(known) = catalogue.condition_key(key) {
                            keys.push(known.name);
                        } else if key == "resource" {
                            keys.push("resource");
                        }
                    });
                }
            }
        }
        true
    }
}

impl<'s> OrganizationPolicies<'s> {
    fn new(
        snapshot: &'s Snapshot,
        account: &str,
        levels: fn(&'s Snapshot, &str) -> Levels<'s>,
    ) -> OrganizationPolicies<'s> {
        let is_management = snapshot.is_management_account(account);
        if is_management == Some(true) {
            return Self::Exempt;
        }
        Self::Levels {
            levels: levels(snapshot, account),
            may_be_exempt: is_management.is_none(),
        }
    }

    fn truth(
        &self,
        layer: Layer,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> LimitTruth {
        let Self::Levels {
            levels,
            may_be_exempt,
        } = *self
        else {
            return LimitTruth::OPEN;
        };
        let mut truth = layer::levels(layer, levels, question, matched);
        if may_be_exempt {
            truth.allow = truth.allow.or(Truth::Unknown);
            if truth.deny == Truth::True {
                truth.deny = Truth::Unknown;
                matched.retain(|statement| statement.layer != layer);
            }
        }
        truth
    }

    fn unknown(
        &self,
        effect: Effect,
        question: &Question<'_>,
        keys: &mut UnknownKeys<'_, 's>,
    ) -> bool {
        match *self {
            Self::Exempt => false,
            Self::Levels {
                levels,
                may_be_exempt,
            } => {
                keys.of_policies(policies_of(levels.levels), effect, question);
                may_be_exempt
            }
        }
    }
}
