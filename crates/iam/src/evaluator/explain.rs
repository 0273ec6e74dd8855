//! The same evaluation at length.

use super::layer::{self, LayerTruth, LimitTruth, policies_of, session_policy_name};
use super::layers::{EndpointPolicies, Layers, OrganizationPolicies, OwnPolicies, Session};
use super::remedy::remedy;
use super::turning::turning_keys;
use super::verdict::Truths;
use super::{Question, decide, is_always_allowed};
use crate::caller::Caller;
use crate::condition::Condition;
use crate::context::{Context, KeyState, Keys};
use crate::explanation::{
    ConditionExplanation, Explanation, FoundKey, LayerExplanation, LayerResult,
    PrincipalExplanation, ResourceExplanation, StatementExplanation, UnavailablePolicy,
};
use crate::pattern::ResourceElement;
use crate::policy::{CompiledPolicy, PrincipalElement, Statement};
use crate::request::{Request, Resource};
use crate::snapshot::{AttachedPolicy, Found, PolicySource};
use crate::truth::Truth;
use crate::{Decision, Effect, Layer, Scratch};

/// Decides a request and says what each layer made of it.
pub(super) fn explain<'s, 'a>(
    layers: &Layers<'s, 'a>,
    caller: &Caller<'s, 'a>,
    request: &Request<'a>,
    question: &Question<'a>,
    decide_with: &dyn Fn(&Context<'_>) -> Decision,
) -> Explanation {
    let catalogue = question.keys.catalogue;
    let mut scratch = Scratch::default();
    let (decision, layer) = decide(layers, question, catalogue, &mut scratch);
    let truths = layers.truths(question, &mut Vec::new());
    let mut assumes = Vec::new();
    if decision == Decision::Allowed && !is_always_allowed(question.action) {
        layers.assumptions(&truths, &mut assumes);
    }
    let explained = Truths::LAYERS
        .into_iter()
        .map(|layer| layers.explain(layer, &truths, request, question));
    Explanation {
        decision,
        layer,
        layers: explained.collect(),
        unknown_keys: scratch
            .unknown_keys
            .iter()
            .map(|key| (*key).to_owned())
            .collect(),
        turning_keys: turning_keys(&scratch.unknown_keys, layers, question, decide_with),
        unknown_layers: scratch.unknown_layers.clone(),
        assumes,
        remedy: remedy((decision, layer), caller, request, question),
    }
}

impl<'s> Layers<'s, '_> {
    fn explain(
        &self,
        layer: Layer,
        truths: &Truths,
        request: &Request<'_>,
        question: &Question<'_>,
    ) -> LayerExplanation {
        let policies = self.policies(layer);
        let mut explained: Vec<StatementExplanation> = policies
            .iter()
            .flat_map(|attached| statements(attached, request, question))
            .collect();
        if layer == Layer::Session
            && let Session::Known(policies) = self.session
        {
            for (number, policy) in policies.iter().enumerate() {
                let id = session_policy_name(number);
                explained.extend(statements_of(
                    (id, &PolicySource::Session),
                    policy,
                    request,
                    question,
                ));
            }
        }
        if layer == Layer::KmsGrant {
            explained.extend(self.grant_explanations(request, question));
        }
        LayerExplanation {
            layer,
            result: self.result(layer, truths),
            statements: explained,
            unavailable: policies.into_iter().filter_map(unavailable).collect(),
        }
    }

    /// The policies of a layer that are attached to something; a session's and grants are not.
    pub(super) fn policies(&self, layer: Layer) -> Vec<&'s AttachedPolicy> {
        match (layer, self.own) {
            (Layer::Identity, OwnPolicies::Of { identity, .. }) => identity.iter().collect(),
            (Layer::PermissionsBoundary, OwnPolicies::Of { boundary, .. }) => {
                boundary.iter().collect()
            }
            (Layer::Resource, _) => match self.resource.policy {
                Found::Policy(policy) => vec![policy],
                Found::None | Found::NotCollected => Vec::new(),
            },
            (Layer::Scp, _) => self.scp.policies(),
            (Layer::Rcp, _) => self.rcp.policies(),
            (Layer::VpcEndpoint, _) => match self.endpoint {
                EndpointPolicies::Policies(policies) => policies.iter().collect(),
                EndpointPolicies::None | EndpointPolicies::NotCollected => Vec::new(),
            },
            (
                Layer::Identity | Layer::PermissionsBoundary | Layer::Session | Layer::KmsGrant,
                _,
            ) => Vec::new(),
        }
    }

    /// Each grant as a statement: it allows its operations to its grantee.
    fn grant_explanations(
        &self,
        request: &Request<'_>,
        question: &Question<'_>,
    ) -> Vec<StatementExplanation> {
        let grants = self.resource.grants.unwrap_or_default();
        let explain = |(index, grant): (u32, &'s crate::kms_grant::KmsGrant)| {
            let applies = grant.allows(&question.caller, question.action, &question.keys);
            StatementExplanation {
                policy: grant.id.to_string(),
                source: PolicySource::Grant,
                index,
                sid: None,
                effect: Effect::Allow,
                applies: applies.principal,
                principal: None,
                action_element: "Action",
                actions: grant.operations().map(str::to_owned).collect(),
                resource: ResourceExplanation {
                    element: "Resource",
                    wanted: vec!["*".to_owned()],
                    found: found_resource(request),
                    holds: Truth::True,
                    unknown_variables: Vec::new(),
                },
                conditions: Vec::new(),
            }
        };
        (0_u32..).zip(grants).map(explain).collect()
    }

    fn result(&self, layer: Layer, truths: &Truths) -> LayerResult {
        match layer {
            Layer::Identity => match self.own {
                OwnPolicies::Nobodys => LayerResult::DoesNotApply,
                OwnPolicies::Root => LayerResult::Allows,
                OwnPolicies::NotCollected => LayerResult::NotCollected,
                OwnPolicies::Of { .. } => own_result(truths.identity),
            },
            Layer::PermissionsBoundary => match self.own {
                OwnPolicies::Of {
                    boundary: [_, ..], ..
                } => own_result(truths.boundary),
                OwnPolicies::NotCollected => LayerResult::NotCollected,
                _ => LayerResult::DoesNotApply,
            },
            Layer::Session => match self.session {
                Session::None => LayerResult::Empty,
                Session::Unknown => LayerResult::NotCollected,
                Session::FederatedWithout => LayerResult::Silent,
                Session::Known(_) => own_result(truths.session),
            },
            Layer::Resource => self.resource_result(truths),
            Layer::Scp => self.scp.result(truths.scp),
            Layer::Rcp => self.rcp.result(truths.rcp),
            Layer::VpcEndpoint => match self.endpoint {
                EndpointPolicies::None => LayerResult::DoesNotApply,
                EndpointPolicies::NotCollected => LayerResult::NotCollected,
                EndpointPolicies::Policies(_) => limit_result(truths.endpoint),
            },
            Layer::KmsGrant => match self.resource.grants {
                _ if !self.resource.takes_grants => LayerResult::DoesNotApply,
                None => LayerResult::NotCollected,
                Some([]) => LayerResult::Empty,
                Some(_) => result_of(Truth::False, truths.grants.account),
            },
        }
    }

    fn resource_result(&self, truths: &Truths) -> LayerResult {
        match (self.resource.kind, self.resource.policy) {
            (None, _) => LayerResult::DoesNotApply,
            (Some(_), Found::None) => LayerResult::Empty,
            (Some(_), Found::NotCollected) if self.resource.managed_key.is_none() => {
                LayerResult::NotCollected
            }
            (Some(_), _) => result_of(truths.resource.deny, truths.resource.allow.account),
        }
    }
}

impl<'s> OrganizationPolicies<'s> {
    fn policies(&self) -> Vec<&'s AttachedPolicy> {
        match *self {
            Self::Exempt => Vec::new(),
            Self::Levels { levels, .. } => policies_of(levels.levels).collect(),
        }
    }

    fn result(&self, truth: LimitTruth) -> LayerResult {
        match self {
            Self::Exempt => LayerResult::DoesNotApply,
            Self::Levels { levels, .. } if levels.levels.is_empty() && levels.complete => {
                LayerResult::Empty
            }
            Self::Levels { levels, .. } if levels.levels.is_empty() => LayerResult::NotCollected,
            Self::Levels { .. } => limit_result(truth),
        }
    }
}

fn own_result(truth: LayerTruth) -> LayerResult {
    result_of(truth.deny, truth.allow)
}

fn limit_result(truth: LimitTruth) -> LayerResult {
    result_of(truth.deny, truth.allow)
}

fn result_of(deny: Truth, allow: Truth) -> LayerResult {
    match (deny, allow) {
        (Truth::True, _) => LayerResult::Denies,
        (Truth::False, Truth::True) => LayerResult::Allows,
        // Denied explicitly or not at all, but never allowed.
        (_, Truth::False) => LayerResult::Silent,
        (Truth::Unknown, _) | (_, Truth::Unknown) => LayerResult::Open,
    }
}

fn unavailable(attached: &AttachedPolicy) -> Option<UnavailablePolicy> {
    let reason = *attached.policy.as_ref().err()?;
    Some(UnavailablePolicy {
        policy: attached.id.to_string(),
        reason,
    })
}

/// The statements of a policy about the request's action.
fn statements(
    attached: &AttachedPolicy,
    request: &Request<'_>,
    question: &Question<'_>,
) -> Vec<StatementExplanation> {
    let Ok(policy) = &attached.policy else {
        return Vec::new();
    };
    statements_of((&attached.id, &attached.source), policy, request, question)
}

fn statements_of(
    attached: (&str, &PolicySource),
    policy: &CompiledPolicy,
    request: &Request<'_>,
    question: &Question<'_>,
) -> Vec<StatementExplanation> {
    policy
        .about(question.action)
        .map(|statement| explain_statement(attached, statement, request, question))
        .collect()
}

fn explain_statement(
    (policy, source): (&str, &PolicySource),
    statement: &Statement,
    request: &Request<'_>,
    question: &Question<'_>,
) -> StatementExplanation {
    StatementExplanation {
        policy: policy.to_owned(),
        source: source.clone(),
        index: statement.index,
        sid: statement.sid.as_deref().map(str::to_owned),
        effect: statement.effect,
        applies: layer::limiting(statement, question),
        principal: statement
            .principal
            .as_ref()
            .map(|principal| explain_principal(principal, statement.effect, question)),
        action_element: if statement.action.is_negated() {
            "NotAction"
        } else {
            "Action"
        },
        actions: texts(statement.action.source()),
        resource: explain_resource(&statement.resource, request, question),
        conditions: statement
            .conditions
            .iter()
            .map(|condition| explain_condition(condition, &question.keys))
            .collect(),
    }
}

fn explain_principal(
    principal: &PrincipalElement,
    effect: Effect,
    question: &Question<'_>,
) -> PrincipalExplanation {
    PrincipalExplanation {
        element: if principal.is_negated() {
            "NotPrincipal"
        } else {
            "Principal"
        },
        wanted: texts(principal.source()),
        holds: match effect {
            Effect::Allow => principal.allows(&question.caller).account,
            Effect::Deny => principal.denies(&question.caller, question.has_boundary),
        },
    }
}

fn found_resource(request: &Request<'_>) -> String {
    match request.resource {
        Resource::Arn(arn) | Resource::Unknown(arn) => arn.to_owned(),
        Resource::Any => "*".to_owned(),
    }
}

fn explain_resource(
    element: &ResourceElement,
    request: &Request<'_>,
    question: &Question<'_>,
) -> ResourceExplanation {
    let holds = element.matches(question.resource, &question.keys);
    ResourceExplanation {
        element: if element.is_negated() {
            "NotResource"
        } else {
            "Resource"
        },
        wanted: texts(element.source()),
        found: found_resource(request),
        holds,
        unknown_variables: if holds == Truth::Unknown {
            element
                .unknown_variables(question.resource, question.keys)
                .map(str::to_owned)
                .collect()
        } else {
            Vec::new()
        },
    }
}

fn explain_condition(condition: &Condition, keys: &Keys<'_>) -> ConditionExplanation {
    let source = condition.source();
    let holds = condition.holds(keys);
    ConditionExplanation {
        operator: source.operator.clone(),
        key: source.key.clone(),
        wanted: source.values.clone(),
        found: match keys.state(&source.key) {
            KeyState::Known(values) => FoundKey::Values(values.iter().map(str::to_owned).collect()),
            KeyState::Absent => FoundKey::Absent,
            KeyState::Unknown => FoundKey::Unknown,
        },
        holds,
        reason: (holds != Truth::True).then(|| condition.reason(keys)),
    }
}

fn texts(source: &[Box<str>]) -> Vec<String> {
    source.iter().map(|text| text.to_string()).collect()
}
