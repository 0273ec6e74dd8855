//! The layers of one case that is made of given documents.

use super::granting_source::PolicyKind;
use super::known_actions::KnownAction;
use super::layers::{EndpointPolicies, Layers, OrganizationPolicies, OwnPolicies, Session};
use super::managed_key::managed_key_service;
use super::resource_side::{AclSource, CanonicalIds, ResourceSide};
use super::turning::turning_keys;
use super::{Question, decide, question};
use crate::caller::Caller;
use crate::kms_grant::KmsGrant;
use crate::request::Request;
use crate::s3_bucket::{Acl, Bucket, PublicAccessBlock};
use crate::snapshot::{AttachedPolicy, Found, Level, Levels};
use crate::{Catalogue, Decision, Layer, Scratch, TurningKey};

/// What a case gives, layer by layer; the caller's principal has its identity policies and boundary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CaseLayers<'s> {
    pub(crate) resource_policy: CasePolicy<'s>,
    pub(crate) grants: Option<&'s [KmsGrant]>,
    pub(crate) bucket: Option<&'s Bucket>,
    pub(crate) account_block: PublicAccessBlock,
    pub(crate) scps: CaseLevels<'s>,
    pub(crate) rcps: CaseLevels<'s>,
    /// `None`: not collected.
    pub(crate) endpoint: Option<&'s [AttachedPolicy]>,
    pub(crate) principal_account_is_management: bool,
    pub(crate) resource_account_is_management: bool,
}

/// The policy of the resource.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CasePolicy<'s> {
    Given(&'s AttachedPolicy),
    None,
    NotCollected,
}

/// The policies of the organization.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CaseLevels<'s> {
    Given(&'s [Level]),
    None,
    NotCollected,
}

/// Decides a case.
pub(crate) fn decide_case<'s>(
    case: CaseLayers<'s>,
    caller: Caller<'s, '_>,
    request: &Request<'_>,
    catalogue: &'s Catalogue,
    scratch: &mut Scratch<'s>,
) -> (Decision, Option<Layer>) {
    scratch.clear();
    let mut actions = std::mem::take(&mut scratch.actions);
    let decided = {
        let action = actions.of(request.action);
        let question = question(catalogue, &caller, request, action);
        let layers = case.layers(&caller, request, &question);
        decide(&layers, &question, catalogue, scratch)
    };
    scratch.actions = actions;
    decided
}

/// What the unknown keys of an undetermined case would have to be to turn it.
pub(crate) fn turning_keys_of_case<'s>(
    case: CaseLayers<'s>,
    caller: Caller<'s, '_>,
    request: &Request<'_>,
    catalogue: &'s Catalogue,
) -> Vec<TurningKey> {
    let mut scratch = Scratch::default();
    let (decision, _) = decide_case(case, caller, request, catalogue, &mut scratch);
    if decision != Decision::Undetermined {
        return Vec::new();
    }
    let action = KnownAction::new(request.action);
    let question = question(catalogue, &caller, request, &action);
    let layers = case.layers(&caller, request, &question);
    turning_keys(&scratch.unknown_keys, &layers, &question, &|context| {
        let request = Request {
            context,
            ..*request
        };
        decide_case(case, caller, &request, catalogue, &mut Scratch::default()).0
    })
}

impl<'s> CaseLayers<'s> {
    fn layers<'a>(
        self,
        caller: &Caller<'s, 'a>,
        request: &Request<'a>,
        question: &Question<'a>,
    ) -> Layers<'s, 'a> {
        let resource = self.resource_side(request, question);
        let is_management = self.principal_account_is_management;
        let scp = if is_management || caller.is_service_linked || question.account.is_none() {
            OrganizationPolicies::Exempt
        } else {
            self.scps.into()
        };
        let resource_is_management =
            self.resource_account_is_management || (is_management && !resource.is_foreign);
        let rcp_is_exempt = !resource.rcp_applies
            || caller.is_service_linked
            || resource_is_management
            || resource.managed_key.is_some();
        let rcp = if rcp_is_exempt {
            OrganizationPolicies::Exempt
        } else {
            self.rcps.into()
        };
        let endpoint = match self.endpoint {
            Some([]) => EndpointPolicies::None,
            Some(policies) => EndpointPolicies::Policies(policies),
            None => EndpointPolicies::NotCollected,
        };
        Layers {
            own: OwnPolicies::of(caller),
            session: Session::of(caller, request.session),
            resource,
            scp,
            rcp,
            endpoint,
        }
    }

    fn resource_side<'a>(
        self,
        request: &Request<'a>,
        question: &Question<'a>,
    ) -> ResourceSide<'s, 'a> {
        let account = super::resource_side::named_owner(request, question).or(question.account);
        let sources = question.granting_sources(request.resource);
        let kind = sources.policy.map(|policy| policy.kind);
        let (kind, policy) = match self.resource_policy {
            CasePolicy::Given(policy) => (
                Some(kind.unwrap_or(PolicyKind::Resource)),
                Found::Policy(policy),
            ),
            CasePolicy::NotCollected if kind.is_some() => (kind, Found::NotCollected),
            CasePolicy::NotCollected | CasePolicy::None => (kind, Found::None),
        };
        ResourceSide {
            account,
            is_foreign: account != question.account,
            kind,
            policy,
            acl: match self.bucket {
                Some(bucket) if sources.acl.is_some() && !matches!(bucket.acl, Acl::Off) => {
                    AclSource::Of(bucket, CanonicalIds::OwnerAlone)
                }
                _ => AclSource::None,
            },
            takes_grants: sources.kms_grant.is_some(),
            grants: match sources.kms_grant {
                Some(_) => self.grants,
                None => Some(&[]),
            },
            managed_key: kind
                .filter(|kind| *kind == PolicyKind::Key)
                .and_then(|_| managed_key_service(question)),
            block: match self.bucket {
                Some(bucket) if question.action.service == "s3" => {
                    bucket.block.and(self.account_block)
                }
                _ => PublicAccessBlock::default(),
            },
            may_be_shared: false,
            rcp_applies: question.rules.rcp_applies,
        }
    }
}

impl<'s> From<CaseLevels<'s>> for OrganizationPolicies<'s> {
    fn from(levels: CaseLevels<'s>) -> Self {
        let (levels, complete) = match levels {
            CaseLevels::None => return Self::Exempt,
            CaseLevels::Given(levels) => (levels, true),
            CaseLevels::NotCollected => (&[] as &[Level], false),
        };
        Self::Levels {
            levels: Levels { levels, complete },
            may_be_exempt: false,
        }
    }
}
