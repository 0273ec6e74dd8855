//! The vectors: those committed with the project, and third-party ones where they are at hand.
//!
//! Vectors are two-valued: a context key that is left out is absent.

use std::path::{Path, PathBuf};

use retrial_iam::{Catalogue, Decision, SimulationCase, SimulationResult};
use serde_json::Value;

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

fn run(line: &str) -> SimulationResult {
    SimulationCase::parse(line)
        .unwrap_or_else(|error| panic!("{error}: {line}"))
        .run(Catalogue::bundled())
}

#[track_caller]
fn check_authorize(lines: &str, expect_asserted: usize) {
    let (mut asserted, mut wrong) = (0, Vec::new());
    for line in lines.lines() {
        let result = run(line);
        let Some(passed) = result.passed else {
            continue;
        };
        asserted += 1;
        if !passed {
            wrong.push(format!(
                "{} is {}: {line}",
                result.id,
                result.decision.name()
            ));
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
    let (mut asserted, mut wrong) = (0, Vec::new());
    for vector in vectors {
        let decision = run(&as_authorization(vector).to_string()).decision;
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
        "id": "condition",
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
fn own_traps() {
    check_authorize(include_str!("../data/authorize.traps.jsonl"), 78);
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
        let text = |name| std::fs::read_to_string(folder.join(name)).unwrap();
        check_authorize(&text("authorize.traps.jsonl"), 78);
        check_authorize(&text("authorize.iam-rs.jsonl"), 27);
        check_authorize(&text("authorize.iamspy.jsonl"), 18);
    }
}
