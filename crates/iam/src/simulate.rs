//! One authorization case made of given documents, without a snapshot folder: a policy's unit test.
//!
//! [`SimulationCase::parse`] reads one line of JSON, [`SimulationCase::run`] decides it; [`CaseReader`]
//! reads many and compiles each document once, and [`PreparedCase::decide`] answers one again and again
//! without allocating. What a case leaves out does not exist: no policy, no key, no organization. Unknown members are errors.
//!
//! ```json
//! {"id": "readers cannot write",
//!  "request": {"principal": "arn:aws:sts::111122223333:assumed-role/reader/s1", "action": "s3:PutObject",
//!              "resource": {"arn": "arn:aws:s3:::data/a.csv", "account": "111122223333"},
//!              "context": {"aws:SecureTransport": "true", "aws:TagKeys": ["team"]}},
//!  "identity_policies": [{"Version": "2012-10-17", "Statement": []}],
//!  "expected": "implicit_deny"}
//! ```
//!
//! * `request.principal` is the ARN of a user, role, root user, role session or federated session, the
//!   name of a service (`cloudtrail.amazonaws.com`), an identity provider as a trust policy names it, or
//!   `anonymous`. `request.resource.arn` is `*` for actions without a resource; `account` says who owns
//!   a resource whose ARN does not. `request.wildcard_only_action` is a remark.
//! * `request.context` has a string for a single-valued key and a list for a multivalued one.
//! * `identity_policies`, `permission_boundary` (at most one), `session_policies` and
//!   `vpc_endpoint_policies` are lists of policy documents, `resource_policy` is one.
//! * `scps` and `rcps` are lists of levels from the root to the account:
//!   `{"org_identifier": "r-ab12", "policies": [<document>, …]}`. `FullAWSAccess` must be listed.
//! * `grants` are KMS grants on the key, as `aws kms list-grants` prints them.
//! * `s3_bucket` is an entry of a snapshot's `s3-buckets.json`: `OwnershipControls`, `Owner`, `OwnerAccount`,
//!   `Grants` (its ACL) and `PublicAccessBlockConfiguration`; `s3_account` has that of the bucket's account.
//! * `facts`: `principal_account_is_management`, `resource_account_is_management`, and
//!   `session_issuer_arn`, the role of a session with its path.
//! * `context_unknown` lists keys (`aws:PrincipalTag/*` for a family) of which nobody knows whether the
//!   request has them; `missing_keys` is `absent` (else) or `by_catalogue`: a key that the case does not
//!   name is then unknown if it is global or the catalogue has it for the action.
//! * `not_collected` lists layers that are there and that nobody saw: `identity`,
//!   `permissions_boundary`, `session`, `resource`, `scp`, `rcp`, `vpc_endpoint`, `kms_grant`.
//! * `expected` is `allowed`, `implicit_deny`, `explicit_deny`, `undetermined` or `null`;
//!   `expected_allowed` tells only whether it is allowed.
//! * `name`, `source`, `cite`, `why`, `note`, `confidence`, `expected_by`, `suite_expected` and
//!   `adjudication` are remarks.

mod form;
mod prepared;

use std::sync::Arc;

use crate::caller::{Caller, CallerIdentity, RoleName, SessionName};
use crate::evaluator::{CaseLayers, CaseLevels, CasePolicy};
use crate::kms_grant::KmsGrant;
use crate::s3_bucket::{Bucket, PublicAccessBlock};
use crate::snapshot::{AttachedPolicy, Level, Principal};
use crate::{
    Assumption, Catalogue, CompiledPolicy, Decision, Effect, Layer, MissingKeys, PolicyError,
    Scratch, StatementRef, TurningKey,
};

pub use form::CaseReader;
pub use prepared::{CaseInputs, PreparedCase};

/// One case, parsed and compiled.
#[derive(Debug)]
pub struct SimulationCase {
    id: String,
    action: String,
    /// As the case spells it.
    caller: String,
    /// A session's role is without its path: only the session's ARN is told.
    path_is_unknown: bool,
    /// Who has the identity policies and the boundary.
    principal: Option<Principal>,
    resource: String,
    resource_account: Option<String>,
    context: Vec<(String, ContextValue)>,
    context_unknown: Vec<String>,
    missing_keys: MissingKeys,
    session_policies: Vec<Arc<CompiledPolicy>>,
    resource_policy: Option<AttachedPolicy>,
    endpoint_policies: Vec<AttachedPolicy>,
    scps: Option<Vec<Level>>,
    rcps: Option<Vec<Level>>,
    grants: Vec<KmsGrant>,
    bucket: Option<Bucket>,
    account_block: PublicAccessBlock,
    principal_account_is_management: bool,
    resource_account_is_management: bool,
    not_collected: Vec<Layer>,
    expected: Option<String>,
    expected_allowed: Option<bool>,
}

/// The value of a context key.
#[derive(Debug)]
enum ContextValue {
    One(String),
    Many(Vec<String>),
}

/// What a case came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationResult {
    /// The case's id.
    pub id: String,
    /// The decision.
    pub decision: Decision,
    /// The layer that blocks.
    pub layer: Option<Layer>,
    /// The statements that determined it.
    pub determined_by: Vec<DeterminingStatement>,
    /// The keys that would turn an undetermined decision.
    pub unknown_keys: Vec<String>,
    /// What each of them would have to be.
    pub turning_keys: Vec<TurningKey>,
    /// The layers that would.
    pub unknown_layers: Vec<Layer>,
    /// What an allow assumes.
    pub assumes: Vec<Assumption<'static>>,
    /// The decision that the case expects, by name.
    pub expected: Option<String>,
    /// Whether the case expects it to be allowed.
    pub expected_allowed: Option<bool>,
    /// Whether the expectation was met; `None` where the case has none.
    pub passed: Option<bool>,
}

/// A statement that determined a decision, on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeterminingStatement {
    /// Where the policy stands.
    pub layer: Layer,
    /// `identity_policies[0]`, `scps[1].policies[0]`, …; of a grant its id.
    pub policy: String,
    /// The statement's index in the document, or the grant's in the list, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Its effect.
    pub effect: Effect,
}

/// Why a line is no case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// It is not JSON, or not of the case form.
    #[error("{line}:{column}: {message}")]
    Form {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// One of its documents is no policy; the place counts within the document.
    #[error("`{member}`: {error}")]
    Policy {
        /// `identity_policies[0]`, `scps[1].policies[0]`, …
        member: String,
        /// What is wrong with it.
        error: PolicyError,
    },
    /// A grant that is none.
    #[error("`grants[{index}]`: {message}")]
    Grant {
        /// From 0.
        index: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A principal that is neither an ARN of one, nor a service, nor an identity provider.
    #[error("`request.principal` is `{0}`, which names nobody")]
    Principal(String),
    /// More than one boundary: a principal has at most one.
    #[error("`permission_boundary` has {0} documents: a principal has at most one boundary")]
    Boundaries(usize),
    /// A role's ARN that is none.
    #[error("`facts.session_issuer_arn` is `{0}`, which is no role of the principal's session")]
    Issuer(String),
    /// A decision that does not exist.
    #[error("`expected` is `{0}`, which is no decision")]
    Expected(String),
    /// A layer that does not exist.
    #[error("`not_collected` has `{0}`, which is no layer")]
    Layer(String),
}

impl SimulationCase {
    /// Parses one line.
    pub fn parse(json_line: &str) -> Result<SimulationCase, CaseError> {
        CaseReader::default().read(json_line)
    }

    /// The case's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Decides the case.
    pub fn run(&self, catalogue: &Catalogue) -> SimulationResult {
        let inputs = self.inputs();
        let mut scratch = Scratch::default();
        let prepared = inputs.prepare(catalogue);
        let evaluation = prepared.decide(&mut scratch);
        let decision = evaluation.decision;
        SimulationResult {
            id: self.id.clone(),
            decision,
            layer: evaluation.layer,
            determined_by: evaluation
                .determined_by
                .iter()
                .map(|found| self.statement(found))
                .collect(),
            unknown_keys: evaluation
                .unknown_keys
                .iter()
                .map(|key| (*key).to_owned())
                .collect(),
            turning_keys: prepared.turning_keys(),
            unknown_layers: evaluation.unknown_layers.to_vec(),
            assumes: evaluation.assumes.iter().filter_map(owned).collect(),
            expected: self.expected.clone(),
            expected_allowed: self.expected_allowed,
            passed: self.passed(decision),
        }
    }

    /// The case's values, borrowed for [`CaseInputs::prepare`].
    pub fn inputs(&self) -> CaseInputs<'_> {
        CaseInputs::new(self)
    }

    fn caller(&self) -> Caller<'_, '_> {
        let Some(principal) = &self.principal else {
            return form::caller_without_policies(&self.caller);
        };
        let mut caller = Caller::principal(principal);
        match crate::caller::identity_of(&self.caller) {
            Some(CallerIdentity::Role {
                session: SessionName::Known(name),
                role: role @ RoleName::WithoutPath(_),
                ..
            }) => {
                caller = Caller::role_session(principal, name);
                if self.path_is_unknown
                    && let CallerIdentity::Role { role: known, .. } = &mut caller.identity
                {
                    *known = role;
                }
            }
            Some(identity @ CallerIdentity::FederatedUser { .. }) => caller.identity = identity,
            _ => {}
        }
        caller
    }

    fn layers(&self) -> CaseLayers<'_> {
        CaseLayers {
            resource_policy: match &self.resource_policy {
                _ if self.is_missing(Layer::Resource) => CasePolicy::NotCollected,
                Some(policy) => CasePolicy::Given(policy),
                None => CasePolicy::None,
            },
            grants: (!self.is_missing(Layer::KmsGrant)).then_some(&self.grants),
            bucket: self.bucket.as_ref(),
            account_block: self.account_block,
            scps: self.levels(Layer::Scp, self.scps.as_deref()),
            rcps: self.levels(Layer::Rcp, self.rcps.as_deref()),
            endpoint: (!self.is_missing(Layer::VpcEndpoint)).then_some(&self.endpoint_policies),
            principal_account_is_management: self.principal_account_is_management,
            resource_account_is_management: self.resource_account_is_management,
        }
    }

    fn levels<'c>(&self, layer: Layer, levels: Option<&'c [Level]>) -> CaseLevels<'c> {
        match levels {
            _ if self.is_missing(layer) => CaseLevels::NotCollected,
            Some(levels) => CaseLevels::Given(levels),
            None => CaseLevels::None,
        }
    }

    fn is_missing(&self, layer: Layer) -> bool {
        self.not_collected.contains(&layer)
    }

    fn statement(&self, found: &StatementRef<'_>) -> DeterminingStatement {
        // The evaluator keeps no Sid of policies that live with the request.
        let session_sid = || {
            let number = found
                .policy
                .split(['[', ']'])
                .nth(1)?
                .parse::<usize>()
                .ok()?;
            self.session_policies.get(number)?.sid(found.index)
        };
        let sid = match found.layer {
            Layer::Session => session_sid(),
            _ => found.sid,
        };
        DeterminingStatement {
            layer: found.layer,
            policy: found.policy.to_owned(),
            index: found.index,
            sid: sid.map(str::to_owned),
            effect: found.effect,
        }
    }

    fn passed(&self, decision: Decision) -> Option<bool> {
        let named = self.expected.as_deref().map(|name| name == decision.name());
        let allowed = self.expected_allowed.map(|allowed| {
            decision != Decision::Undetermined && (decision == Decision::Allowed) == allowed
        });
        match (named, allowed) {
            (Some(named), Some(allowed)) => Some(named && allowed),
            (named, allowed) => named.or(allowed),
        }
    }
}

impl ContextValue {
    fn list(&self) -> Vec<&str> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values.iter().map(String::as_str).collect(),
        }
    }
}

/// A case gives its documents: none comes from the compiled-in copy.
fn owned(assumption: &Assumption<'_>) -> Option<Assumption<'static>> {
    Some(match assumption {
        Assumption::Scp => Assumption::Scp,
        Assumption::Rcp => Assumption::Rcp,
        Assumption::VpcEndpointPolicy => Assumption::VpcEndpointPolicy,
        Assumption::KeyPolicy => Assumption::KeyPolicy,
        Assumption::TrustPolicy => Assumption::TrustPolicy,
        Assumption::ResourcePolicy => Assumption::ResourcePolicy,
        Assumption::SessionPolicy => Assumption::SessionPolicy,
        Assumption::BundledPolicy { .. } => return None,
    })
}
