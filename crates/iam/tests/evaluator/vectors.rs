//! The vectors: those committed with the project, and third-party ones where they are at hand.
//!
//! Vectors are two-valued: a context key that is left out is absent.

use std::path::{Path, PathBuf};

use retrial_iam::{
    Catalogue, Context, Decision, Evaluator, KeyState, MissingKeys, Request, Resource, Scratch,
    SessionPolicies, Snapshot, Values,
};
use serde_json::Value;

use crate::support::{all_collected, principal};

/// The folder of third-party vectors, which are not part of the project.
fn third_party() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing",
        folder.display()
    );
    eprintln!("SKIPPED: {} is missing", folder.display());
    None
}

fn parse(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn read(path: &Path) -> Vec<Value> {
    parse(&std::fs::read_to_string(path).unwrap())
}

/// The context's keys with their values; one value is a single-valued key.
fn keys(vector: &Value) -> Vec<(String, Vec<String>, bool)> {
    let object = vector.as_object().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    object
        .iter()
        .map(|(key, value)| match value {
            Value::Array(values) => (key.clone(), values.iter().map(text).collect(), true),
            value => (key.clone(), vec![text(value)], false),
        })
        .collect()
}

fn decide(snapshot: &Snapshot, vector: &Value) -> Decision {
    let documents: Vec<String> = vector["identity_policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let boundary = vector
        .get("permission_boundary")
        .map(|documents| documents[0].to_string());
    let question = &vector["request"];
    let arn = role_arn(question["principal"].as_str().unwrap());
    let principal = principal(&arn, &documents, boundary.as_deref());
    let keys = keys(&question["context"]);
    let lists: Vec<Vec<&str>> = keys
        .iter()
        .map(|(_, values, _)| values.iter().map(String::as_str).collect())
        .collect();
    let mut context = Context::new(MissingKeys::Absent);
    for ((key, values, many), list) in keys.iter().zip(&lists) {
        context.set(
            key,
            KeyState::Known(if *many {
                Values::Many(list)
            } else {
                Values::One(&values[0])
            }),
        );
    }
    let arn = question["resource"]["arn"].as_str().unwrap();
    let request = Request {
        action: question["action"].as_str().unwrap(),
        resource: if arn == "*" {
            Resource::Any
        } else {
            Resource::Arn(arn)
        },
        resource_account: question["resource"]["account"].as_str(),
        context: &context,
        vpc_endpoint: None,
        session: SessionPolicies::None,
    };
    let evaluator = Evaluator::new(Catalogue::bundled(), snapshot);
    evaluator
        .evaluate(&principal, &request, &mut Scratch::default())
        .decision
}

/// Policies belong to the role, not to its session.
fn role_arn(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((start, rest)) => format!(
            "{}:role/{}",
            start.replace("sts", "iam"),
            rest.split('/').next().unwrap()
        ),
        None => arn.to_owned(),
    }
}

/// The vectors that identity policies and a boundary decide.
fn needs_other_layers(vector: &Value) -> bool {
    [
        "resource_policy",
        "scps",
        "rcps",
        "session_policies",
        "vpc_endpoint_policies",
    ]
    .iter()
    .any(|layer| vector.get(layer).is_some())
}

/// Federated sessions without a session policy have no permissions; the session layer is not evaluated yet.
const NEEDS_SESSION_LAYER: &str = "trap/fed-no-session-policy";

#[track_caller]
fn check_authorize(vectors: &[Value], expect_asserted: usize) {
    let snapshot = all_collected();
    let (mut asserted, mut wrong) = (0, Vec::new());
    for vector in vectors
        .iter()
        .filter(|vector| !needs_other_layers(vector) && vector["id"] != NEEDS_SESSION_LAYER)
    {
        let decision = decide(&snapshot, vector);
        let right = match (vector.get("expected"), vector.get("expected_allowed")) {
            (Some(Value::String(name)), _) => decision.name() == name,
            (_, Some(Value::Bool(allowed))) => {
                decision != Decision::Undetermined && (decision == Decision::Allowed) == *allowed
            }
            _ => continue,
        };
        asserted += 1;
        if !right {
            wrong.push(format!("{} is {}: {vector}", vector["id"], decision.name()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(asserted, expect_asserted);
}

#[track_caller]
fn check_conditions(vectors: &[Value], expect_asserted: usize) {
    let snapshot = all_collected();
    let (mut asserted, mut wrong) = (0, Vec::new());
    for vector in vectors {
        let decision = decide(&snapshot, &as_authorization(vector));
        let right = match vector["expected"] {
            // An operator that AWS does not document answers nothing: neither match nor no match.
            Value::Bool(false) if vector["id"] == "trapc/unknown-operator" => {
                decision == Decision::Undetermined
            }
            Value::Bool(true) => decision == Decision::Allowed,
            Value::Bool(false) => decision == Decision::ImplicitDeny,
            _ => continue,
        };
        asserted += 1;
        if !right {
            wrong.push(format!("{} is {}: {vector}", vector["id"], decision.name()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(asserted, expect_asserted);
}

/// A condition as the only thing that stands between a principal and an allow.
fn as_authorization(vector: &Value) -> Value {
    let mut document = serde_json::json!({
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": vector["condition"]}
    });
    if let Some(version) = vector["policy_version"].as_str() {
        document["Version"] = version.into();
    }
    serde_json::json!({
        "identity_policies": [document],
        "request": {
            "principal": "arn:aws:iam::111122223333:role/app",
            "action": "example:Do",
            "resource": {"arn": "*"},
            "context": vector["context"],
        }
    })
}

#[test]
fn own_condition_traps() {
    check_conditions(&parse(include_str!("../data/conditions.traps.jsonl")), 56);
}

#[test]
fn own_identity_traps() {
    check_authorize(
        &parse(include_str!("../data/authorize.identity-traps.jsonl")),
        31,
    );
}

#[test]
fn third_party_conditions() {
    if let Some(folder) = third_party() {
        check_conditions(&read(&folder.join("conditions.traps.jsonl")), 56);
        check_conditions(&read(&folder.join("conditions.scratchstack.jsonl")), 431);
        check_conditions(&read(&folder.join("conditions.iam-rs.jsonl")), 104);
    }
}

#[test]
fn third_party_authorizations() {
    if let Some(folder) = third_party() {
        check_authorize(&read(&folder.join("authorize.traps.jsonl")), 31);
        check_authorize(&read(&folder.join("authorize.iam-rs.jsonl")), 27);
        check_authorize(&read(&folder.join("authorize.iamspy.jsonl")), 9);
    }
}
