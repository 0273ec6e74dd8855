//! The evaluator.
//!
//! [`layers`] finds the policies that count for a request, [`layer`] asks each layer what it says, and
//! [`verdict`] joins the answers. A limiting layer that was not collected is assumed to let the request
//! pass, and the allow says so; a granting source that was not collected, and could change the answer,
//! leaves it undetermined. Order and exceptions:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.
//!
//! A decision allocates nothing once the [`Scratch`] has grown. Why it came out so is a separate
//! question, [`Evaluator::explain`], asked rarely and answered at length.

mod case;
mod explain;
mod granting_source;
mod known_actions;
mod layer;
mod layers;
mod managed_key;
mod reach;
mod remedy;
mod resource_side;
mod turning;
mod verdict;

use crate::caller::{Caller, CallerIdentity};
use crate::context::Keys;
use crate::pattern::{ActionName, ResourceText};
use crate::request::{Request, Resource};
use crate::snapshot::{Principal, Snapshot};
use crate::truth::Truth;
use crate::{Catalogue, Decision, Effect, Evaluation, Explanation, Layer, Scratch, TurningKey};
pub(crate) use case::{CaseLayers, CaseLevels, CasePolicy, decide_case, turning_keys_of_case};
pub(crate) use known_actions::KnownActions;
pub use reach::Reach;

use granting_source::{ActionRules, GrantingSources};
use known_actions::KnownAction;
use layers::Layers;
use verdict::Truths;

/// Evaluates requests against a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'s> {
    catalogue: &'s Catalogue,
    snapshot: &'s Snapshot,
}

/// A request, made ready for many statements.
#[derive(Debug, Clone, Copy)]
struct Question<'a> {
    action: ActionName<'a>,
    rules: &'a ActionRules,
    resource: ResourceText<'a>,
    keys: Keys<'a>,
    caller: CallerIdentity<'a>,
    /// The caller's account, where it has one.
    account: Option<&'a str>,
    has_boundary: bool,
}

impl<'a> Question<'a> {
    /// What could grant the request beside the caller's own policies.
    fn granting_sources(&self, resource: Resource<'a>) -> GrantingSources<'a> {
        self.rules
            .granting_sources((resource, self.resource), &self.keys)
    }
}

impl<'s> Evaluator<'s> {
    /// An evaluator over a snapshot.
    pub fn new(catalogue: &'s Catalogue, snapshot: &'s Snapshot) -> Self {
        Self {
            catalogue,
            snapshot,
        }
    }

    /// Decides one request of a user, a root user, or a role of whose session nothing is known.
    pub fn evaluate<'x>(
        &self,
        principal: &'s Principal,
        request: &Request<'_>,
        scratch: &'x mut Scratch<'s>,
    ) -> Evaluation<'x, 's> {
        self.evaluate_as(Caller::principal(principal), request, scratch)
    }

    /// Decides one request of any caller.
    pub fn evaluate_as<'x, 'a>(
        &self,
        caller: Caller<'s, 'a>,
        request: &Request<'a>,
        scratch: &'x mut Scratch<'s>,
    ) -> Evaluation<'x, 's>
    where
        's: 'a,
    {
        scratch.clear();
        let mut actions = std::mem::take(&mut scratch.actions);
        let (decision, layer) = {
            let action = actions.of(request.action);
            let question = question(self.catalogue, &caller, request, action);
            let layers = Layers::new(self.snapshot, &caller, request, &question);
            decide(&layers, &question, self.catalogue, scratch)
        };
        scratch.actions = actions;
        scratch.evaluation(decision, layer)
    }

    /// What each unknown key of an undetermined request would have to be to turn the decision; as in
    /// [`Explanation::turning_keys`].
    pub fn turning_keys<'a>(&self, caller: Caller<'s, 'a>, request: &Request<'a>) -> Vec<TurningKey>
    where
        's: 'a,
    {
        self.explain_as(caller, request).turning_keys
    }

    /// Decides one request and says why.
    pub fn explain(&self, principal: &'s Principal, request: &Request<'_>) -> Explanation {
        self.explain_as(Caller::principal(principal), request)
    }

    /// Decides one request of any caller and says why.
    pub fn explain_as<'a>(&self, caller: Caller<'s, 'a>, request: &Request<'a>) -> Explanation
    where
        's: 'a,
    {
        let action = KnownAction::new(request.action);
        let question = question(self.catalogue, &caller, request, &action);
        let layers = Layers::new(self.snapshot, &caller, request, &question);
        explain::explain(&layers, &caller, request, &question, &|context| {
            let request = Request {
                context,
                ..*request
            };
            let mut scratch = Scratch::default();
            self.evaluate_as(caller, &request, &mut scratch).decision
        })
    }
}

/// Makes a request ready.
fn question<'a>(
    catalogue: &'a Catalogue,
    caller: &Caller<'a, 'a>,
    request: &Request<'a>,
    known: &'a KnownAction,
) -> Question<'a> {
    let action = known.name();
    let resource = match request.resource {
        Resource::Any if action.is("s3", "listallmybuckets") => ResourceText::all_buckets(
            caller
                .principal
                .map_or("aws", |principal| partition(&principal.arn)),
        ),
        resource => ResourceText::new(resource),
    };
    Question {
        action,
        rules: &known.rules,
        resource,
        keys: Keys {
            context: request.context,
            catalogue,
            action: request.action,
        },
        caller: caller.identity,
        account: caller.account(),
        has_boundary: caller.has_boundary(),
    }
}

fn decide<'s>(
    layers: &Layers<'s, '_>,
    question: &Question<'_>,
    catalogue: &'s Catalogue,
    scratch: &mut Scratch<'s>,
) -> (Decision, Option<Layer>) {
    if is_always_allowed(question.action) {
        return (Decision::Allowed, None);
    }
    let truths = layers.truths(question, &mut scratch.determined_by);
    match (truths.deny(), truths.allow()) {
        (Truth::True, _) => {
            scratch
                .determined_by
                .retain(|statement| statement.effect == Effect::Deny);
            let denying = Truths::WALK
                .into_iter()
                .find(|layer| truths.deny_of(*layer) == Truth::True);
            (Decision::ExplicitDeny, denying)
        }
        (_, Truth::False) => {
            scratch.forget_reasons();
            (Decision::ImplicitDeny, Some(truths.blocking_layer()))
        }
        (Truth::False, Truth::True) => {
            layers.assumptions(&truths, &mut scratch.assumes);
            (Decision::Allowed, None)
        }
        (Truth::Unknown, _) | (_, Truth::Unknown) => {
            scratch.determined_by.clear();
            layers.collect_unknown(&truths, question, scratch, catalogue);
            (Decision::Undetermined, None)
        }
    }
}

/// "No permissions are required to perform this operation", and no deny takes it away.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
fn is_always_allowed(action: ActionName<'_>) -> bool {
    action.is("sts", "getcalleridentity")
}

fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}
