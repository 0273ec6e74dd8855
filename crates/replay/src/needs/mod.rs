//! Whether roles have what their jobs need.
//!
//! A [`Need`](crate::Need) is asked of the evaluator as the role itself would be: with the role's own
//! policies, its boundary, the organization's policies, and the policies of bucket, key and repository.
//! Each comes out as one of four states:
//!
//! * **present**: allowed.
//! * **missing**: the job needs it for sure, on what the request tells, and it is denied.
//! * **unverifiable**: neither can be told, and [`NeedDoubt`] says why. Unknown is never turned into
//!   present or missing.
//! * **excess**: granted, and no need covers it ([`RoleCheck::finish`] has the rule).
//!
//! [`RoleCheck`] takes the distinct needs of one role, in any order, one at a time: it holds none of them.

mod excess;
mod state;

use std::collections::BTreeSet;

use bumpalo::Bump;
use retrial_iam::{
    Assumption, Caller, Catalogue, Context, Decision, Evaluator, KeyState, Layer, MissingKeys,
    Principal, Request, Resource, Scratch, SessionPolicies, Snapshot, StatementRef, Values,
};

use crate::keys::{one, resource_keys, truth};
use crate::mapping::{Certainty, Mapping};
use excess::Candidates;

pub use state::{NeedDoubt, NeedState};

/// A need as it is asked. The fields are those of [`Need`](crate::Need).
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is that of `Need`")]
pub struct AskedNeed<'a> {
    pub action: &'a str,
    pub resource_arn: &'a str,
    pub resource_known: bool,
    pub spellings: &'a [&'a str],
    pub required: bool,
    pub certainty: Certainty,
    pub context: &'a [(&'a str, &'a [&'a str])],
}

/// What came of a need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedNeed<'s> {
    /// The state.
    pub state: NeedState,
    /// Why it is unverifiable.
    pub doubt: Option<NeedDoubt>,
    /// The evaluator's decision; `None` where it was not asked.
    pub decision: Option<Decision>,
    /// The layer that blocks.
    pub layer: Option<Layer>,
    /// The statements that determined it.
    pub determined_by: Vec<StatementRef<'s>>,
    /// The keys that would turn an undetermined decision.
    pub unknown_keys: Vec<&'s str>,
    /// The layers that would.
    pub unknown_layers: Vec<Layer>,
    /// What an allow assumes.
    pub assumes: Vec<Assumption<'s>>,
}

/// Something that a role may do and no need covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcessGrant<'s> {
    /// The action.
    pub action: &'s str,
    /// The resources, as the statement writes them; `*` for a `NotResource`.
    pub resource: &'s str,
    /// The evaluator's decision on all of them: allowed, or undetermined.
    pub decision: Decision,
    /// The first statement that grants it.
    pub granted_by: StatementRef<'s>,
    /// Whether that statement names no other resource: whoever uses it uses this.
    pub alone: bool,
}

/// The needs of one role, checked.
pub struct RoleCheck<'s> {
    catalogue: &'s Catalogue,
    mapping: &'s Mapping,
    snapshot: &'s Snapshot,
    evaluator: Evaluator<'s>,
    asker: Result<Asker<'s>, NeedDoubt>,
    candidates: Candidates<'s>,
    /// The kinds of jobs seen, by the actions' services that their rows are about.
    services: BTreeSet<&'s str>,
    scratch: Scratch<'s>,
}

/// Who will ask.
#[derive(Clone)]
enum Asker<'s> {
    Role(&'s Principal),
    /// A service in its own name.
    Service(Box<str>),
}

impl<'s> RoleCheck<'s> {
    /// Of the role with this ARN; of a service, by its name (`machinelearning.amazonaws.com`).
    pub fn new(
        (catalogue, mapping): (&'s Catalogue, &'s Mapping),
        snapshot: &'s Snapshot,
        role_arn: &str,
    ) -> Self {
        let asker = Asker::find(snapshot, role_arn);
        let evaluator = Evaluator::new(catalogue, snapshot);
        let role = match &asker {
            Ok(Asker::Role(role)) => Some(*role),
            Ok(Asker::Service(_)) | Err(_) => None,
        };
        Self {
            catalogue,
            mapping,
            snapshot,
            evaluator,
            candidates: Candidates::of_role(role, mapping),
            asker,
            services: BTreeSet::new(),
            scratch: Scratch::default(),
        }
    }

    /// Says that the role ran a job that began with this event.
    pub fn ran(&mut self, event_name: &str) {
        let services = self.mapping.needed_services(event_name);
        self.services.extend(services);
    }

    /// Checks one need.
    pub fn check(&mut self, need: &AskedNeed<'_>) -> CheckedNeed<'s> {
        self.candidates.strike(need);
        let asker = match self.asker.clone() {
            Ok(asker) => asker,
            Err(doubt) => return CheckedNeed::doubted(doubt),
        };
        let mut checked = self.asked(&asker, need, need.resource_arn);
        checked.doubt = self.doubt(&asker, need, &checked);
        checked.state = match (checked.decision, checked.doubt) {
            (Some(Decision::Allowed), _) => NeedState::Present,
            (_, Some(_)) => NeedState::Unverifiable,
            _ => NeedState::Missing,
        };
        checked
    }

    /// What the role may do and no need covers. Candidates are the actions that the files of needs
    /// know, of the services that the rows of its kinds of jobs are about; for each, the resources
    /// that an `Allow` statement of the role's own policies names. One of them is in excess if the role
    /// is not denied it, and no need of that action covers all that it stands for: `bucket/in/*` is
    /// covered by a need on `bucket/in*`, and `*` is not. A need on something that the request did not
    /// tell (`*`) covers all that it could have been.
    pub fn finish(mut self) -> Vec<ExcessGrant<'s>> {
        let Ok(asker) = self.asker.clone() else {
            return Vec::new();
        };
        let candidates = std::mem::take(&mut self.candidates);
        let mut excess = Vec::new();
        let services = std::mem::take(&mut self.services);
        for candidate in candidates.left(&services) {
            if !self.takes(candidate.action, candidate.resource) {
                continue;
            }
            let form = excess::form(candidate.resource);
            let need = AskedNeed {
                action: candidate.action,
                resource_arn: &form,
                resource_known: !form.contains(['*', '?']),
                spellings: &[],
                required: true,
                certainty: Certainty::Verified,
                context: &[],
            };
            let decision = self.asked(&asker, &need, &form).decision;
            if let Some(decision @ (Decision::Allowed | Decision::Undetermined)) = decision {
                excess.push(ExcessGrant {
                    action: candidate.action,
                    resource: candidate.resource,
                    decision,
                    granted_by: candidate.granted_by,
                    alone: candidate.alone,
                });
            }
        }
        excess
    }

    /// Whether a resource without wildcards is of a type that the action takes: otherwise the
    /// statement grants nothing.
    fn takes(&self, action: &str, resource: &str) -> bool {
        if resource.contains(['*', '?', '$']) {
            return true;
        }
        let Some((service, name)) = action.split_once(':') else {
            return true;
        };
        let kind = self.catalogue.type_of_arn(service, resource);
        let action = self.catalogue.action(service, name);
        kind.zip(action).is_none_or(|(kind, action)| {
            let mut taken = self.catalogue.resource_types(action);
            taken.any(|taken| taken.name == kind.name)
        })
    }

    /// Asks the evaluator.
    fn asked(
        &mut self,
        asker: &Asker<'s>,
        need: &AskedNeed<'_>,
        resource_arn: &str,
    ) -> CheckedNeed<'s> {
        let arena = Bump::new();
        let context = self.context(asker, need, resource_arn, &arena);
        let request = Request {
            action: need.action,
            resource: match (resource_arn, need.resource_known) {
                ("*", true) => Resource::Any,
                (arn, true) => Resource::Arn(arn),
                (form, false) => Resource::Unknown(form),
            },
            resource_account: account_of(resource_arn),
            context: &context,
            vpc_endpoint: None,
            session: match asker {
                Asker::Role(_) => SessionPolicies::Unknown,
                Asker::Service(_) => SessionPolicies::None,
            },
        };
        let evaluation = self
            .evaluator
            .evaluate_as(asker.caller(), &request, &mut self.scratch);
        CheckedNeed {
            state: NeedState::Unverifiable,
            doubt: None,
            decision: Some(evaluation.decision),
            layer: evaluation.layer,
            determined_by: evaluation.determined_by.to_vec(),
            unknown_keys: evaluation.unknown_keys.to_vec(),
            unknown_layers: evaluation.unknown_layers.to_vec(),
            assumes: evaluation.assumes.to_vec(),
        }
    }

    /// What stands in the way of calling it missing.
    fn doubt(
        &mut self,
        asker: &Asker<'s>,
        need: &AskedNeed<'_>,
        checked: &CheckedNeed<'s>,
    ) -> Option<NeedDoubt> {
        let decision = checked.decision?;
        if decision == Decision::Allowed {
            return None;
        }
        if !need.required {
            return Some(NeedDoubt::MayNotNeed);
        }
        if decision == Decision::Undetermined {
            return Some(match checked.unknown_keys.as_slice() {
                [] => NeedDoubt::LayersNotCollected,
                _ if checked.unknown_keys.contains(&"resource") => NeedDoubt::ResourceNotTold,
                _ => NeedDoubt::UnknownKeys,
            });
        }
        if need.certainty == Certainty::Guessed {
            return Some(NeedDoubt::Guessed);
        }
        let another = need.spellings.iter().any(|spelling| {
            let other = self.asked(asker, need, spelling).decision;
            other.is_some_and(|other| !other.is_denied())
        });
        if another {
            return Some(NeedDoubt::SpellingsDisagree);
        }
        // SageMaker's own images "are accessible without additional permission", and stand in accounts
        // of AWS.
        let owner = account_of(need.resource_arn);
        let foreign = |owner: &&str| asker.caller().account() != Some(*owner);
        let is_image = need.action.starts_with("ecr:");
        owner
            .filter(|_| is_image)
            .filter(foreign)
            .filter(|owner| !self.snapshot.has_account(owner))
            .map(|_| NeedDoubt::OtherAccount)
    }

    fn context<'a>(
        &self,
        asker: &'a Asker<'s>,
        need: &AskedNeed<'a>,
        resource_arn: &'a str,
        arena: &'a Bump,
    ) -> Context<'a>
    where
        's: 'a,
    {
        let mut context = Context::new(MissingKeys::ByCatalogue);
        asker.keys(&mut context);
        let through = |(key, _): &(&str, _)| *key == "kms:ViaService";
        let via = need.context.iter().any(through);
        context.set("aws:ViaAWSService", truth(via));
        for (key, values) in need.context {
            let state = match values {
                [] => KeyState::Absent,
                [value] => one(value),
                values => KeyState::Known(Values::Many(values)),
            };
            context.set(key, state);
        }
        let service = need.action.split(':').next().unwrap_or_default();
        let tags = match need.resource_known {
            true => self.snapshot.resource_tags(resource_arn),
            false => None,
        };
        resource_keys(service, account_of(resource_arn), tags, arena, &mut context);
        context
    }
}

impl<'s> Asker<'s> {
    fn find(snapshot: &'s Snapshot, role_arn: &str) -> Result<Self, NeedDoubt> {
        if !role_arn.starts_with("arn:") {
            return Ok(Self::Service(role_arn.into()));
        }
        if role_arn.contains('*') {
            return Err(NeedDoubt::RoleNotTold);
        }
        if let Some(role) = snapshot.principal(role_arn) {
            return Ok(Self::Role(role));
        }
        let collected = account_of(role_arn).is_some_and(|account| snapshot.has_account(account));
        Err(match collected {
            true => NeedDoubt::RoleDeleted,
            false => NeedDoubt::RoleNotInSnapshot,
        })
    }

    fn caller<'a>(&'a self) -> Caller<'s, 'a>
    where
        's: 'a,
    {
        match self {
            Self::Role(role) => Caller::principal(role),
            Self::Service(name) => Caller::service(name),
        }
    }

    /// The keys of the job's own requests; its session, and with it the session's tags, is not known.
    fn keys<'a>(&'a self, context: &mut Context<'a>) {
        let role = match self {
            Self::Service(name) => {
                context.set("aws:PrincipalIsAWSService", truth(true));
                context.set("aws:PrincipalServiceName", one(name));
                return;
            }
            Self::Role(role) => role,
        };
        context.set("aws:PrincipalIsAWSService", truth(false));
        context.set("aws:PrincipalArn", one(&role.arn));
        context.set("aws:PrincipalAccount", one(&role.account));
        context.set("aws:PrincipalType", one("AssumedRole"));
        for key in [
            "aws:PrincipalServiceName",
            "aws:PrincipalServiceNamesList",
            "aws:username",
        ] {
            context.set(key, KeyState::Absent);
        }
    }
}

impl CheckedNeed<'_> {
    fn doubted(doubt: NeedDoubt) -> Self {
        Self {
            state: NeedState::Unverifiable,
            doubt: Some(doubt),
            decision: None,
            layer: None,
            determined_by: Vec::new(),
            unknown_keys: Vec::new(),
            unknown_layers: Vec::new(),
            assumes: Vec::new(),
        }
    }
}

/// The account in an ARN.
fn account_of(arn: &str) -> Option<&str> {
    arn.split(':')
        .nth(4)
        .filter(|account| !account.is_empty() && !account.contains('*'))
}
