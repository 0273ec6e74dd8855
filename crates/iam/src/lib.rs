//! IAM's authorization logic: policies, conditions, the action catalogue, a snapshot of accounts
//! and an evaluator that never guesses.

mod catalogue;
mod condition;
mod context;
mod evaluation;
mod evaluator;
mod explanation;
mod managed_policies;
mod pattern;
mod policy;
mod request;
mod snapshot;
mod truth;

pub use catalogue::{
    AccessLevel, Action, Catalogue, ConditionKey, KeyType, ResourceType, ResourceTypeUse,
    ServiceInfo,
};
pub use condition::ConditionReason;
pub use context::{Context, KeyState, MissingKeys, Values};
pub use evaluation::{Assumption, Decision, Effect, Evaluation, Layer, Scratch, StatementRef};
pub use evaluator::Evaluator;
pub use explanation::{
    ConditionExplanation, Explanation, FoundKey, LayerExplanation, LayerResult,
    ResourceExplanation, StatementExplanation, UnavailablePolicy,
};
pub use managed_policies::{ManagedPolicies, ManagedPolicy};
pub use policy::{CompiledPolicy, PolicyError, PolicyErrorKind};
pub use request::{Request, Resource, SessionPolicies};
pub use snapshot::{
    AttachedPolicy, Collected, PolicySource, PolicyUnavailable, Principal, PrincipalKind, Snapshot,
    SnapshotError, SnapshotFile, SnapshotIssue,
};
pub use truth::Truth;
