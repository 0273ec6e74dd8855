//! A case made ready to be decided many times.

use super::{ContextValue, SimulationCase};
use crate::caller::Caller;
use crate::evaluator::{CaseLayers, decide_case, turning_keys_of_case};
use crate::{
    Catalogue, CompiledPolicy, Context, Evaluation, KeyState, Layer, Request, Resource, Scratch,
    SessionPolicies, TurningKey, Values,
};

/// The values of a case in the form that requests borrow.
#[derive(Debug)]
pub struct CaseInputs<'c> {
    case: &'c SimulationCase,
    /// Of each context key.
    values: Vec<Vec<&'c str>>,
    session_policies: Vec<&'c CompiledPolicy>,
}

/// A case with its caller, its context and its layers laid out; a decision allocates nothing once the
/// scratch has grown.
#[derive(Debug)]
pub struct PreparedCase<'c> {
    case: &'c SimulationCase,
    catalogue: &'c Catalogue,
    caller: Caller<'c, 'c>,
    context: Context<'c>,
    session: SessionPolicies<'c>,
    layers: CaseLayers<'c>,
}

impl<'c> CaseInputs<'c> {
    pub(super) fn new(case: &'c SimulationCase) -> CaseInputs<'c> {
        CaseInputs {
            case,
            values: case.context.iter().map(|(_, value)| value.list()).collect(),
            session_policies: case.session_policies.iter().map(AsRef::as_ref).collect(),
        }
    }

    /// Lays the case out.
    pub fn prepare(&'c self, catalogue: &'c Catalogue) -> PreparedCase<'c> {
        PreparedCase {
            case: self.case,
            catalogue,
            caller: self.case.caller(),
            context: self.context(),
            session: if self.case.is_missing(Layer::Session) {
                SessionPolicies::Unknown
            } else {
                SessionPolicies::Known(&self.session_policies)
            },
            layers: self.case.layers(),
        }
    }

    fn context(&'c self) -> Context<'c> {
        let mut context = Context::new(self.case.missing_keys);
        for ((key, value), list) in self.case.context.iter().zip(&self.values) {
            let values = match value {
                ContextValue::One(value) => Values::One(value),
                ContextValue::Many(_) => Values::Many(list),
            };
            context.set(key, KeyState::Known(values));
        }
        for key in &self.case.context_unknown {
            context.set(key, KeyState::Unknown);
        }
        context
    }
}

impl<'c> PreparedCase<'c> {
    /// Decides the case.
    pub fn decide<'x>(&'c self, scratch: &'x mut Scratch<'c>) -> Evaluation<'x, 'c> {
        let (decision, layer) = decide_case(
            self.layers,
            self.caller,
            &self.request(),
            self.catalogue,
            scratch,
        );
        scratch.evaluation(decision, layer)
    }

    /// What the unknown keys of an undetermined case would have to be to turn it.
    pub fn turning_keys(&self) -> Vec<TurningKey> {
        turning_keys_of_case(self.layers, self.caller, &self.request(), self.catalogue)
    }

    fn request(&self) -> Request<'_> {
        Request {
            action: &self.case.action,
            resource: match self.case.resource.as_str() {
                "*" => Resource::Any,
                arn => Resource::Arn(arn),
            },
            resource_account: self.case.resource_account.as_deref(),
            context: &self.context,
            vpc_endpoint: None,
            session: self.session,
        }
    }
}
