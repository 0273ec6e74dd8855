//! The same evaluation at length.

use super::granting_source::PolicyKind;
use super::resource_side::ResourceSide;
use super::{Evaluator, OwnSide, Question, layer, layers};
use crate::condition::Condition;
use crate::context::{KeyState, Keys};
use crate::explanation::{
    ConditionExplanation, Explanation, FoundKey, LayerExplanation, LayerResult,
    ResourceExplanation, StatementExplanation, UnavailablePolicy,
};
use crate::pattern::{ActionName, ResourceElement};
use crate::policy::Statement;
use crate::request::{Request, Resource, SessionPolicies};
use crate::snapshot::{AttachedPolicy, Collected, Principal, PrincipalKind};
use crate::truth::Truth;
use crate::{Decision, Layer, Scratch};

impl<'s> Evaluator<'s> {
    /// Decides one request and says why.
    pub fn explain(&self, principal: &'s Principal, request: &Request<'_>) -> Explanation {
        let mut scratch = Scratch::default();
        let evaluation = self.evaluate(principal, request, &mut scratch);
        let (decision, layer) = (evaluation.decision, evaluation.layer);
        let unknown_keys = evaluation
            .unknown_keys
            .iter()
            .map(|key| (*key).to_owned())
            .collect();
        let unknown_layers = evaluation.unknown_layers.to_vec();
        let mut buffer = String::new();
        let question = self.question(
            principal,
            request,
            ActionName::fold(request.action, &mut buffer),
        );
        let mut matched = Vec::new();
        let own = OwnSide {
            identity: layer::identity(principal, &question, &mut matched),
            boundary: layer::boundary(principal, &question, &mut matched),
        };
        let side = ResourceSide::new(self.snapshot, principal, request, &question);
        let mut assumes = Vec::new();
        if decision == Decision::Allowed && !super::is_always_allowed(question.action) {
            self.assumptions(principal, request, &own, &side, &mut assumes);
        }
        let mut explained: Vec<LayerExplanation> = layers(principal, &own)
            .into_iter()
            .map(|(truth, layer, policies)| LayerExplanation {
                layer,
                result: own_result(principal, layer, truth),
                statements: policies
                    .iter()
                    .flat_map(|attached| statements(attached, request, &question))
                    .collect(),
                unavailable: policies.iter().filter_map(unavailable).collect(),
            })
            .collect();
        explained.extend(self.other_layers(principal, request, &side));
        Explanation {
            decision,
            layer,
            layers: explained,
            unknown_keys,
            unknown_layers,
            assumes,
        }
    }

    /// The layers that are not evaluated yet.
    fn other_layers(
        &self,
        principal: &Principal,
        request: &Request<'_>,
        side: &ResourceSide<'_>,
    ) -> Vec<LayerExplanation> {
        let scp_applies = !principal.is_service_linked()
            && self.snapshot.is_management_account(&principal.account) != Some(true);
        let rcp_applies = side.rcp_applies
            && !principal.is_service_linked()
            && self.snapshot.is_management_account(side.account) != Some(true);
        let is_kms_key = side.policy.is_some_and(|(kind, _)| kind == PolicyKind::Key);
        let session = match request.session {
            SessionPolicies::None => LayerResult::Empty,
            SessionPolicies::Unknown => LayerResult::NotCollected,
        };
        let results = [
            (Layer::Session, session),
            (
                Layer::Resource,
                side.policy
                    .map_or(LayerResult::DoesNotApply, |(_, collected)| {
                        other_result(collected)
                    }),
            ),
            (
                Layer::Scp,
                if scp_applies {
                    other_result(self.scp(principal))
                } else {
                    LayerResult::DoesNotApply
                },
            ),
            (
                Layer::Rcp,
                if rcp_applies {
                    other_result(self.rcp(principal, side))
                } else {
                    LayerResult::DoesNotApply
                },
            ),
            (
                Layer::VpcEndpoint,
                match request.vpc_endpoint {
                    Some(_) => other_result(self.vpc_endpoint(principal, request)),
                    None => LayerResult::DoesNotApply,
                },
            ),
            (
                Layer::KmsGrant,
                if is_kms_key {
                    other_result(side.kms_grants)
                } else {
                    LayerResult::DoesNotApply
                },
            ),
        ];
        let explain = |(layer, result)| LayerExplanation {
            layer,
            result,
            statements: Vec::new(),
            unavailable: Vec::new(),
        };
        results.into_iter().map(explain).collect()
    }
}

fn own_result(principal: &Principal, layer: Layer, truth: &layer::LayerTruth) -> LayerResult {
    if layer == Layer::PermissionsBoundary && principal.boundary.is_none() {
        return LayerResult::DoesNotApply;
    }
    if layer == Layer::Identity && principal.kind == PrincipalKind::Root {
        return LayerResult::Allows;
    }
    match (truth.deny, truth.allow) {
        (Truth::True, _) => LayerResult::Denies,
        (Truth::False, Truth::True) => LayerResult::Allows,
        // Denied explicitly or not at all, but never allowed.
        (_, Truth::False) => LayerResult::Silent,
        (Truth::Unknown, _) | (_, Truth::Unknown) => LayerResult::Open,
    }
}

fn other_result(collected: Collected) -> LayerResult {
    match collected {
        Collected::Empty => LayerResult::Empty,
        Collected::Present => LayerResult::NotEvaluated,
        Collected::No => LayerResult::NotCollected,
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
    policy
        .about(question.action)
        .map(|statement| explain_statement(attached, statement, request, question))
        .collect()
}

fn explain_statement(
    attached: &AttachedPolicy,
    statement: &Statement,
    request: &Request<'_>,
    question: &Question<'_>,
) -> StatementExplanation {
    StatementExplanation {
        policy: attached.id.to_string(),
        source: attached.source.clone(),
        index: statement.index,
        sid: statement.sid.as_deref().map(str::to_owned),
        effect: statement.effect,
        applies: statement.applies(question.resource, &question.keys),
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
        found: match request.resource {
            Resource::Arn(arn) | Resource::Unknown(arn) => arn.to_owned(),
            Resource::Any => "*".to_owned(),
        },
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
