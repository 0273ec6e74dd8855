//! IAM's authorization logic: policies, conditions, the action catalogue, a snapshot of accounts
//! and an evaluator that never guesses.

mod caller;
mod catalogue;
mod condition;
mod context;
mod evaluation;
mod evaluator;
mod explanation;
mod kms_grant;
mod lint;
mod managed_policies;
mod pattern;
mod policy;
mod request;
pub mod simulate;
mod snapshot;
mod truth;

pub use caller::Caller;
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
    PrincipalExplanation, ProposedPrincipal, Remedy, ResourceExplanation, StatementExplanation,
    UnavailablePolicy,
};
pub use lint::{
    LintFinding, LintRule, LintedDocument, Linter, PolicyKind, Severity, lint, lint_snapshot_file,
};
pub use managed_policies::{ManagedPolicies, ManagedPolicy};
pub use policy::{CompiledPolicy, PolicyError, PolicyErrorKind};
pub use request::{Request, Resource, SessionPolicies};
pub use simulate::{CaseError, DeterminingStatement, SimulationCase, SimulationResult};
pub use snapshot::{
    AttachedPolicy, Collected, PolicySource, PolicyUnavailable, Principal, PrincipalKind, Snapshot,
    SnapshotError, SnapshotFile, SnapshotIssue,
};
pub use truth::Truth;
