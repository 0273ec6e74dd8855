//! IAM's authorization logic: policies, conditions, the action catalogue, a snapshot of accounts
//! and an evaluator that never guesses.
//!
//! [`Snapshot::read`] takes the files of a snapshot (or one `get-account-authorization-details`
//! output) and compiles every policy document once. [`Evaluator::evaluate`] decides one [`Request`]
//! of a principal and gives an [`Evaluation`]: the [`Decision`], the statements that determined it,
//! the unknown keys and layers that would turn an undetermined one, and what an allow assumes.
//! [`Evaluator::explain`] gives the same at length. [`simulate`] decides cases made of given
//! documents, and [`lint()`] finds what is wrong with a document.
//!
//! ```
//! use retrial_iam::{Catalogue, Context, Decision, Evaluator, KeyState, MissingKeys, Request, Resource};
//! use retrial_iam::{Scratch, SessionPolicies, Snapshot, SnapshotFile, Values};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let details = br#"{"UserDetailList": [{
//!     "Path": "/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000",
//!     "Arn": "arn:aws:iam::111122223333:user/ana", "CreateDate": "2024-01-01T00:00:00Z",
//!     "GroupList": [], "AttachedManagedPolicies": [],
//!     "UserPolicyList": [{"PolicyName": "train", "PolicyDocument": {
//!         "Version": "2012-10-17",
//!         "Statement": {"Effect": "Allow", "Action": "sagemaker:CreateTrainingJob", "Resource": "*",
//!                       "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}}}]}],
//!     "GroupDetailList": [], "RoleDetailList": [], "Policies": []}"#;
//! let file = SnapshotFile { path: "iam.json", bytes: details };
//! let (snapshot, issues) = Snapshot::read(&[file], Catalogue::bundled())?;
//! assert!(issues.is_empty());
//!
//! let ana = snapshot.principal("arn:aws:iam::111122223333:user/ana").ok_or("no such user")?;
//! let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
//! let mut scratch = Scratch::default();
//! fn train<'a>(context: &'a Context<'a>) -> Request<'a> {
//!     Request {
//!         action: "sagemaker:CreateTrainingJob",
//!         resource: Resource::Arn("arn:aws:sagemaker:eu-west-1:111122223333:training-job/j"),
//!         resource_account: Some("111122223333"),
//!         context,
//!         vpc_endpoint: None,
//!         session: SessionPolicies::None,
//!     }
//! }
//!
//! // Nobody recorded the region: it could turn the decision, and the evaluation says so.
//! let context = Context::new(MissingKeys::ByCatalogue);
//! let unknown = evaluator.evaluate(ana, &train(&context), &mut scratch);
//! assert_eq!(unknown.decision, Decision::Undetermined);
//! assert_eq!(unknown.unknown_keys, ["aws:RequestedRegion"]);
//!
//! let mut context = Context::new(MissingKeys::ByCatalogue);
//! context.set("aws:RequestedRegion", KeyState::Known(Values::One("eu-west-1")));
//! let known = evaluator.evaluate(ana, &train(&context), &mut scratch);
//! assert_eq!(known.decision, Decision::Allowed);
//! // Nobody collected the organization's policies either: the allow names what it assumes.
//! assert_eq!(known.assumes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["scp"]);
//! # Ok(())
//! # }
//! ```
//!
//! **Covered:** identity policies (inline, managed, of groups), permissions boundaries, session
//! policies, resource policies (buckets, keys, repositories, trust policies, …), SCPs, RCPs, VPC
//! endpoint policies and KMS grants, same-account and cross-account, for users, roles, sessions, root,
//! services and anonymous callers; every documented condition operator and policy variables.
//! S3's ACLs of buckets and Block Public Access of buckets and accounts count too.
//! **Not covered:** the ACLs of S3 objects (where one could grant, the answer stays open), and
//! `BlockPublicPolicy`, which looks at a document that is no part of the request. What a request asks for
//! is the caller's matter: this crate knows no API calls and reads no logs.

mod allowance;
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
mod s3_bucket;
pub mod simulate;
mod snapshot;
mod truth;

pub use allowance::{Allowance, AllowedAction, Limits};
pub use caller::Caller;
pub use catalogue::{
    AccessLevel, Action, Catalogue, ConditionKey, KeyType, ResourceType, ResourceTypeUse,
    ServiceInfo,
};
pub use condition::ConditionReason;
pub use context::{Context, ContextEntry, KeyState, MissingKeys, SharedKeys, Values};
pub use evaluation::{Assumption, Decision, Effect, Evaluation, Layer, Scratch, StatementRef};
pub use evaluator::{Evaluator, Reach};
pub use explanation::{
    ConditionExplanation, Explanation, FoundKey, LayerExplanation, LayerResult, Operand,
    PrincipalExplanation, ProposedPrincipal, Remedy, ResourceExplanation, StatementExplanation,
    Turn, TurnValue, TurningKey, UnavailablePolicy,
};
pub use lint::{
    LintFinding, LintRule, LintedDocument, Linter, PolicyKind, Severity, acts_on, lint,
    lint_snapshot_file,
};
pub use managed_policies::{ManagedPolicies, ManagedPolicy};
pub use pattern::{ActionPattern, ResourcePattern, literal_pattern, without_variables};
pub use policy::{
    CompiledPolicy, ConditionView, GrantedResources, PolicyError, PolicyErrorKind, PolicyGrant,
    StatementView,
};
pub use request::{Request, Resource, SessionPolicies};
pub use simulate::{
    CaseError, CaseInputs, CaseReader, DeterminingStatement, PreparedCase, SimulationCase,
    SimulationResult,
};
pub use snapshot::{
    AttachedPolicy, ChangeScope, Collected, Credentials, LastAccessed, OverlaidSnapshot,
    OverlayChange, OverlayEffect, OverlayEntry, OverlayError, OverlayProblem, Place, PolicySource,
    PolicyUnavailable, Principal, PrincipalKind, ReportedKey, ServiceLastAccessed, Snapshot,
    SnapshotError, SnapshotFile, SnapshotIssue, overlay,
};
pub use truth::Truth;
