//! Why a decision came out as it did: plain data, for a program to word.

use crate::snapshot::{PolicySource, PolicyUnavailable};
use crate::{Assumption, ConditionReason, Decision, Effect, Layer, Truth};

/// One decision at length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The layer that blocks; `None` where allowed.
    pub layer: Option<Layer>,
    /// Every layer, in the order of [`Layer`].
    pub layers: Vec<LayerExplanation>,
    /// As in [`crate::Evaluation`].
    pub unknown_keys: Vec<String>,
    /// For an undetermined decision: what each of these keys would have to be to turn it.
    pub turning_keys: Vec<TurningKey>,
    /// As in [`crate::Evaluation`].
    pub unknown_layers: Vec<Layer>,
    /// As in [`crate::Evaluation`].
    pub assumes: Vec<Assumption<'static>>,
    /// For an implicit deny by a layer that its owner can add a statement to: the least one.
    pub remedy: Option<Remedy>,
}

/// An unknown key, and what the decision would be for each of the values that the policies tell apart;
/// of more than two thousand operands, for those that come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurningKey {
    /// As the policy spells it.
    pub key: String,
    /// The classes of its values: those that meet some operand, then any other value, then its absence.
    pub turns: Vec<Turn>,
}

/// What a decision would be if one unknown key had certain values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The values.
    pub value: TurnValue,
    /// The decision then; undetermined where it still leans on something else that is unknown.
    pub decision: Decision,
}

/// Values of a key that no statement about the action can tell apart.
///
/// Of a multivalued key, lists of one such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnValue {
    /// This very value.
    Is(String),
    /// The values that meet just these operands of conditions on the key, whether or not the operator is
    /// negated.
    Meeting {
        /// As the policies write them, each once.
        operands: Vec<Operand>,
        /// One of the values.
        example: String,
    },
    /// Every value that meets none of the operands and is not told otherwise, of the type that the
    /// operators take.
    Other,
    /// The key is not in the request.
    Absent,
}

/// One value of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// As the policy spells it.
    pub operator: String,
    /// One of its values.
    pub value: String,
}

/// The least statement that would turn an implicit deny of one layer, and where it would go. Whether
/// it should be there is for people to say; layers after that one may still be in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The layer that blocks: identity, permissions boundary or resource.
    pub layer: Layer,
    /// The principal's ARN, the boundary's, or that of the resource whose policy it is.
    pub place: String,
    /// `Principal`, in the policy of a resource: the caller's ARN, service or account.
    pub principal: Option<ProposedPrincipal>,
    /// `Action`
    pub action: String,
    /// `Resource`; `None` in a trust policy, which has none.
    pub resource: Option<String>,
}

/// The `Principal` of a proposed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedPrincipal {
    /// `AWS`, `Service` or `Federated`.
    pub principal_type: &'static str,
    /// The ARN or name.
    pub value: String,
}

/// What one layer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerExplanation {
    /// The layer.
    pub layer: Layer,
    /// What it says.
    pub result: LayerResult,
    /// Its statements about the request's action, whether or not they apply to the request.
    pub statements: Vec<StatementExplanation>,
    /// Its policies whose document is missing.
    pub unavailable: Vec<UnavailablePolicy>,
}

/// What a layer says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerResult {
    /// A statement denies.
    Denies,
    /// A statement allows and none denies.
    Allows,
    /// No statement allows and none denies.
    Silent,
    /// It depends on what is unknown.
    Open,
    /// The layer does not count for this request: no boundary, no resource, an account or role that
    /// is exempt.
    DoesNotApply,
    /// It was collected, and there is no policy.
    Empty,
    /// It was not collected.
    NotCollected,
}

/// An attached policy without a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnavailablePolicy {
    /// As in [`crate::AttachedPolicy`].
    pub policy: String,
    /// Why.
    pub reason: PolicyUnavailable,
}

/// How one statement stands to the request; its action matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementExplanation {
    /// As in [`crate::AttachedPolicy`].
    pub policy: String,
    /// How the policy is attached.
    pub source: PolicySource,
    /// The statement's index in the document, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Its effect.
    pub effect: Effect,
    /// Whether it applies.
    pub applies: Truth,
    /// Its `Principal` or `NotPrincipal`, where it has one.
    pub principal: Option<PrincipalExplanation>,
    /// `Action` or `NotAction`.
    pub action_element: &'static str,
    /// The values of `Action` or `NotAction`.
    pub actions: Vec<String>,
    /// Its `Resource` or `NotResource`.
    pub resource: ResourceExplanation,
    /// Its conditions.
    pub conditions: Vec<ConditionExplanation>,
}

/// How a `Principal` or `NotPrincipal` stands to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalExplanation {
    /// `Principal` or `NotPrincipal`.
    pub element: &'static str,
    /// Its values, each with its type: `AWS:arn:…`, `Service:…`, or `*`.
    pub wanted: Vec<String>,
    /// Whether the statement is about the caller.
    pub holds: Truth,
}

/// How a `Resource` or `NotResource` stands to the request's resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceExplanation {
    /// `Resource` or `NotResource`.
    pub element: &'static str,
    /// Its values.
    pub wanted: Vec<String>,
    /// The request's resource; `*` where it has none.
    pub found: String,
    /// Whether the statement is about it.
    pub holds: Truth,
    /// Policy variables in it whose value is unknown.
    pub unknown_variables: Vec<String>,
}

/// How one condition stands to the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionExplanation {
    /// The operator as written.
    pub operator: String,
    /// The key as written.
    pub key: String,
    /// The policy's values.
    pub wanted: Vec<String>,
    /// What the request has.
    pub found: FoundKey,
    /// Whether it holds.
    pub holds: Truth,
    /// Why it does not hold, or is open.
    pub reason: Option<ConditionReason>,
}

/// What a request has for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKey {
    /// These values.
    Values(Vec<String>),
    /// Nothing, for sure.
    Absent,
    /// Nobody knows.
    Unknown,
}
