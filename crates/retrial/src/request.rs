//! One request from flags against a snapshot, for `simulate` and `who-can`.

use std::collections::BTreeMap;

use retrial_iam::{
    Caller, Catalogue, Context, Evaluation, Evaluator, KeyState, MissingKeys, Principal,
    PrincipalKind, Request, Resource, Scratch, SessionPolicies, Snapshot, Turn, TurnValue,
    TurningKey, Values,
};
use serde_json::{Map, Value, json};

use crate::args::RequestArgs;

/// A request's flags, in the form that the evaluator takes.
pub(crate) struct Asked<'a> {
    args: &'a RequestArgs,
    missing: MissingKeys,
    /// The values that were given for each key, by its name in lower case.
    given: BTreeMap<String, (&'a str, Vec<&'a str>)>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(args: &'a RequestArgs, missing: MissingKeys) -> Asked<'a> {
        let mut given: BTreeMap<String, (&str, Vec<&str>)> = BTreeMap::new();
        for (key, value) in &args.context {
            given
                .entry(key.to_ascii_lowercase())
                .or_insert_with(|| (key.as_str(), Vec::new()))
                .1
                .push(value);
        }
        Asked {
            args,
            missing,
            given,
        }
    }

    /// Asks the evaluator for this caller, and gives its answer to `show`, with a way to ask what the
    /// unknown keys would have to be.
    pub(crate) fn evaluate<'s, T>(
        &self,
        snapshot: &'s Snapshot,
        asker: &Asker<'s, '_>,
        scratch: &mut Scratch<'s>,
        show: impl FnOnce(&Evaluation<'_, 's>, &dyn Fn() -> Vec<TurningKey>) -> T,
    ) -> T {
        let catalogue = Catalogue::bundled();
        let own = own_keys(snapshot, asker.principal, &self.args.resource);
        let mut context = Context::new(self.missing);
        for (key, value) in &own {
            context.set(key, KeyState::Known(Values::One(value)));
        }
        if asker.principal.is_some() {
            // What the principal does not have as a tag is absent, not unknown.
            context.set("aws:PrincipalTag/*", KeyState::Absent);
        }
        for (key, values) in self.given.values() {
            let known = match values.as_slice() {
                [one] if catalogue.is_multivalued(key) != Some(true) => Values::One(one),
                many => Values::Many(many),
            };
            context.set(key, KeyState::Known(known));
        }
        for key in &self.args.unknown {
            context.set(key, KeyState::Unknown);
        }
        for key in &self.args.absent {
            context.set(key, KeyState::Absent);
        }
        let resource = match self.args.resource.as_str() {
            "*" => Resource::Any,
            arn => Resource::Arn(arn),
        };
        let in_arn = self
            .args
            .resource
            .split(':')
            .nth(4)
            .filter(|account| !account.is_empty());
        let request = Request {
            action: &self.args.action,
            resource,
            resource_account: self.args.resource_account.as_deref().or(in_arn),
            context: &context,
            vpc_endpoint: self.args.vpc_endpoint.as_deref(),
            session: SessionPolicies::None,
        };
        let evaluator = Evaluator::new(catalogue, snapshot);
        let evaluation = evaluator.evaluate_as(asker.caller, &request, scratch);
        show(&evaluation, &|| {
            evaluator.turning_keys(asker.caller, &request)
        })
    }
}

/// Who asks, and whose policies count.
pub(crate) struct Asker<'s, 'a> {
    caller: Caller<'s, 'a>,
    principal: Option<&'s Principal>,
}

impl<'s, 'a> Asker<'s, 'a>
where
    's: 'a,
{
    /// A principal of the snapshot; of a role, a session of which nothing else is known.
    pub(crate) fn principal(principal: &'s Principal) -> Asker<'s, 'a> {
        Asker {
            caller: Caller::principal(principal),
            principal: Some(principal),
        }
    }

    /// Whom a text names: a principal of the snapshot, a session of one of its roles, one of an account
    /// that was not collected, a service (`cloudtrail.amazonaws.com`), or `anonymous`.
    pub(crate) fn named(snapshot: &'s Snapshot, name: &'a str) -> Option<Asker<'s, 'a>> {
        let without_policies = |caller| Asker {
            caller,
            principal: None,
        };
        if let Some(principal) = snapshot.principal(name) {
            return Some(Asker::principal(principal));
        }
        if name == "anonymous" {
            return Some(without_policies(Caller::anonymous()));
        }
        if !name.starts_with("arn:") {
            let is_service = name.ends_with(".amazonaws.com");
            return is_service.then(|| without_policies(Caller::service(name)));
        }
        let mut parts = name.splitn(6, ':').skip(4);
        let (account, resource) = (parts.next()?, parts.next()?);
        if let Some(session) = resource.strip_prefix("assumed-role/") {
            let (role, session) = session.split_once('/')?;
            if let Some(role) = snapshot.role_by_name(account, role) {
                return Some(Asker {
                    caller: Caller::role_session(role, session),
                    principal: Some(role),
                });
            }
        }
        // In a collected account whoever is not listed does not exist.
        (!snapshot.has_account(account) || resource == "root")
            .then(|| Caller::not_collected(name))
            .flatten()
            .map(without_policies)
    }
}

/// The condition keys that the snapshot knows: of the principal, and the resource's tags.
fn own_keys(
    snapshot: &Snapshot,
    principal: Option<&Principal>,
    resource: &str,
) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    if let Some(principal) = principal {
        keys.push(("aws:PrincipalArn".to_owned(), principal.arn.clone()));
        keys.push(("aws:PrincipalAccount".to_owned(), principal.account.clone()));
        let principal_type = match principal.kind {
            PrincipalKind::User => "User",
            PrincipalKind::Role => "AssumedRole",
            PrincipalKind::Root => "Account",
        };
        keys.push(("aws:PrincipalType".to_owned(), principal_type.to_owned()));
        if principal.kind == PrincipalKind::User {
            keys.push(("aws:username".to_owned(), principal.name.clone()));
            keys.push(("aws:userid".to_owned(), principal.unique_id.clone()));
        }
        for (key, value) in &principal.tags {
            keys.push((format!("aws:PrincipalTag/{key}"), value.clone()));
        }
    }
    for (key, value) in snapshot.resource_tags(resource).unwrap_or_default() {
        keys.push((format!("aws:ResourceTag/{key}"), value.clone()));
    }
    keys
}

/// What unknown keys would have to be, in JSON: `"is"` a value, `"meets"` operands with an `"example"`, `"other"`
/// or `"absent"`, each with the decision.
pub(crate) fn turning_keys(keys: &[TurningKey]) -> Value {
    let turn = |turn: &Turn| {
        let mut members = match &turn.value {
            TurnValue::Is(value) => json!({"is": value}),
            TurnValue::Meeting { operands, example } => {
                let operands: Vec<Value> = operands
                    .iter()
                    .map(|operand| json!({"operator": operand.operator, "value": operand.value}))
                    .collect();
                json!({"meets": operands, "example": example})
            }
            TurnValue::Other => json!({"other": true}),
            TurnValue::Absent => json!({"absent": true}),
        };
        if let Some(members) = members.as_object_mut() {
            members.insert("decision".to_owned(), json!(turn.decision.name()));
        }
        members
    };
    let key = |key: &TurningKey| {
        let turns: Vec<Value> = key.turns.iter().map(turn).collect();
        json!({"key": key.key, "turns": turns})
    };
    keys.iter().map(key).collect()
}

/// What an evaluation is in JSON: the members that every line of `simulate` has.
pub(crate) fn evaluation(evaluation: &Evaluation<'_, '_>) -> Map<String, Value> {
    let determined_by: Vec<Value> = evaluation
        .determined_by
        .iter()
        .map(|statement| {
            json!({
                "layer": statement.layer.name(), "policy": statement.policy,
                "index": statement.index, "sid": statement.sid, "effect": statement.effect.name(),
            })
        })
        .collect();
    let layers: Vec<&str> = evaluation
        .unknown_layers
        .iter()
        .map(|layer| layer.name())
        .collect();
    let assumes: Vec<String> = evaluation.assumes.iter().map(ToString::to_string).collect();
    let mut members = Map::new();
    members.insert("decision".to_owned(), json!(evaluation.decision.name()));
    members.insert(
        "layer".to_owned(),
        json!(evaluation.layer.map(|layer| layer.name())),
    );
    members.insert("determined_by".to_owned(), json!(determined_by));
    members.insert("unknown_keys".to_owned(), json!(evaluation.unknown_keys));
    members.insert("unknown_layers".to_owned(), json!(layers));
    members.insert("assumes".to_owned(), json!(assumes));
    members
}
