//! `retrial simulate` and `retrial who-can`: made-up requests, decided.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Ran, retrial, root, shared, snapshot_of_ana, text, write};

/// Runs cases, one JSON object each.
fn simulate(cases: &[Value]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    write(folder.path(), "cases.jsonl", lines.join("\n").as_bytes());
    retrial(&[
        "simulate",
        "--cases",
        text(&folder.path().join("cases.jsonl")),
    ])
}

/// The lines of standard output.
fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn case(id: &str, action: &str, expected: &Value) -> Value {
    json!({
        "id": id,
        "request": {
            "principal": "arn:aws:iam::111122223333:role/reader", "action": action,
            "resource": {"arn": "arn:aws:s3:::reports/a.csv", "account": "111122223333"},
            "context": {},
        },
        "identity_policies": [{"Version": "2012-10-17", "Statement": [
            {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reports/*"}]}],
        "expected": expected,
    })
}

#[test]
fn a_line_for_each_case_and_a_status_for_all() {
    let good = [
        case("reads", "s3:GetObject", &json!("allowed")),
        case("writes", "s3:PutObject", &json!("implicit_deny")),
        case("open", "s3:PutObject", &Value::Null),
    ];
    let ran = simulate(&good).expect_status(0);
    assert_eq!(
        ran.stderr,
        "retrial: 3 cases: 2 as expected, 0 missed, 1 without an expectation, 0 rejected\n"
    );
    let found = lines(&ran);
    assert_eq!(
        found[0],
        json!({
            "id": "reads", "decision": "allowed", "layer": null,
            "determined_by": [{"layer": "identity", "policy": "identity_policies[0]", "index": 0, "sid": "Read", "effect": "Allow"}],
            "unknown_keys": [], "unknown_layers": [], "assumes": [],
            "expected": "allowed", "passed": true,
        })
    );
    assert_eq!(found[1]["decision"], "implicit_deny");
    assert_eq!(found[1]["layer"], "identity");
    assert_eq!(found[2]["passed"], Value::Null);
    let missed = [case("reads", "s3:GetObject", &json!("implicit_deny"))];
    let ran = simulate(&missed).expect_status(1);
    assert_eq!(lines(&ran)[0]["passed"], json!(false));
    assert!(ran.stderr.contains("1 missed"), "{}", ran.stderr);
}

#[test]
fn a_line_that_is_no_case_is_said_and_the_others_are_run() {
    let mut typo = case("typo", "s3:GetObject", &json!("allowed"));
    typo["identity_policy"] = json!([]);
    let cases = [
        typo,
        json!({"condition": {}, "contxt": {}}),
        case("reads", "s3:GetObject", &json!("allowed")),
    ];
    let ran = simulate(&cases).expect_status(3);
    assert_eq!(lines(&ran).len(), 1);
    assert!(ran.stderr.contains("line 1: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("identity_policy"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("line 2: unknown member `contxt`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("2 rejected"), "{}", ran.stderr);
    retrial(&["simulate", "--cases", "nowhere.jsonl"]).expect_status(2);
    retrial(&["simulate"]).expect_status(2);
}

#[test]
fn conditions_alone() {
    let condition = |context: Value, expected: Value| {
        json!({
            "id": "c", "condition": {"StringEquals": {"aws:username": "ana"}}, "context": context,
            "policy_version": "2012-10-17", "expected": expected,
        })
    };
    let ran = simulate(&[
        condition(json!({"aws:username": "ana"}), json!(true)),
        condition(json!({}), json!(false)),
        condition(json!({"aws:username": "ben"}), json!(true)),
    ])
    .expect_status(1);
    let found = lines(&ran);
    let holds: Vec<&Value> = found.iter().map(|line| &line["holds"]).collect();
    assert_eq!(holds, [true, false, false]);
    assert_eq!(found[2]["passed"], json!(false));
    let mut open = condition(json!({}), json!(null));
    open["context_unknown"] = json!(["aws:username"]);
    let found = lines(&simulate(&[open]).expect_status(0));
    assert_eq!(found[0]["holds"], Value::Null);
    assert_eq!(found[0]["unknown_keys"], json!(["aws:username"]));
}

/// The vector that we hold to be wrong: it takes an operator that nobody documents for no match. AWS
/// refuses such a policy, so what it would answer is unknown, and on a Deny "no match" would allow.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn is_argued(line: &Value) -> bool {
    line["id"] == "trapc/unknown-operator" && line["decision"] == "undetermined"
}

/// Runs a file of vectors: every one with an expectation meets it.
#[track_caller]
fn all_pass(path: &Path) {
    let ran = retrial(&["simulate", "--cases", text(path)]);
    let missed: Vec<String> = lines(&ran)
        .iter()
        .filter(|line| line["passed"] == json!(false) && !is_argued(line))
        .map(Value::to_string)
        .collect();
    let argued = lines(&ran).iter().filter(|line| is_argued(line)).count();
    let status = i32::from(argued > 0);
    assert!(
        ran.status == status && missed.is_empty(),
        "{}: status {}, {}\n{}",
        path.display(),
        ran.status,
        ran.stderr,
        missed.join("\n")
    );
    assert_eq!(
        lines(&ran).len(),
        fs::read_to_string(path).unwrap().lines().count()
    );
}

/// The vectors that were written for this project.
#[test]
fn our_own_vectors() {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("crates/iam/tests/data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        all_pass(&file);
    }
}

/// Those of others, where they are.
#[test]
fn the_vectors_of_others() {
    let Some(folder) = shared("vectors") else {
        return;
    };
    for name in [
        "authorize.traps",
        "authorize.iam-rs",
        "authorize.iamspy",
        "conditions.traps",
        "conditions.scratchstack",
        "conditions.iam-rs",
    ] {
        all_pass(&folder.join(format!("{name}.jsonl")));
    }
    // Without expectations: each is decided.
    all_pass(&folder.join("bench.realistic.jsonl"));
}

const ANA: &str = "arn:aws:iam::111122223333:user/ana";

fn ask(iam: &Path, principal: &str, action: &str, more: &[&str]) -> Ran {
    let mut arguments = vec![
        "simulate",
        "--iam",
        text(iam),
        "--principal",
        principal,
        "--action",
        action,
        "--resource",
        "*",
    ];
    arguments.extend(more);
    retrial(&arguments)
}

#[test]
fn one_request_against_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_ana(folder.path());
    let list = "sagemaker:ListTrainingJobs";
    let ran = ask(&iam, ANA, list, &["--expect", "allowed"]).expect_status(0);
    let found = ran.json();
    assert_eq!(found["decision"], "allowed");
    assert_eq!(found["determined_by"][0]["sid"], "List");
    assert_eq!(found["assumes"], json!(["scp"]));
    assert_eq!(found["passed"], json!(true));
    ask(&iam, ANA, list, &["--expect", "explicit_deny"]).expect_status(1);
    let ran = ask(&iam, ANA, "s3:ListAllMyBuckets", &[]).expect_status(0);
    assert_eq!(ran.json()["decision"], "implicit_deny");
    assert_eq!(ran.json()["passed"], Value::Null);
    let ran = ask(&iam, "arn:aws:iam::111122223333:user/ben", list, &[]).expect_status(2);
    assert!(ran.stderr.contains("has no principal"), "{}", ran.stderr);
    retrial(&["simulate", "--iam", text(&iam)]).expect_status(2);
    retrial(&[
        "simulate",
        "--iam",
        text(&iam),
        "--principal",
        ANA,
        "--action",
        list,
    ])
    .expect_status(2);
}

/// A snapshot in which `ana` may list training jobs with MFA, tagged with her team, in two regions.
fn conditioned(folder: &Path) -> PathBuf {
    let path = snapshot_of_ana(folder);
    let mut details: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let user = &mut details["UserDetailList"][0];
    user["Tags"] = json!([{"Key": "team", "Value": "models"}]);
    user["UserPolicyList"][0]["PolicyDocument"]["Statement"][0]["Condition"] = json!({
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "StringEquals": {"aws:PrincipalTag/team": "models"},
    });
    fs::write(&path, details.to_string()).unwrap();
    path
}

#[test]
fn keys_given_unknown_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let iam = conditioned(folder.path());
    let decision = |more: &[&str]| {
        ask(&iam, ANA, "sagemaker:ListTrainingJobs", more)
            .expect_status(0)
            .json()
    };
    assert_eq!(decision(&[])["decision"], "implicit_deny");
    let with = decision(&["--context", "aws:MultiFactorAuthPresent=true"]);
    assert_eq!(with["decision"], "allowed");
    let unknown = decision(&["--unknown", "aws:MultiFactorAuthPresent"]);
    assert_eq!(unknown["decision"], "undetermined");
    assert_eq!(
        unknown["unknown_keys"],
        json!(["aws:MultiFactorAuthPresent"])
    );
    assert_eq!(
        unknown["turning_keys"],
        json!([{"key": "aws:MultiFactorAuthPresent", "turns": [
            {"is": "true", "decision": "allowed"},
            {"other": true, "decision": "implicit_deny"},
            {"absent": true, "decision": "implicit_deny"},
        ]}])
    );
    let by_default = decision(&["--unknown-by-default"]);
    assert_eq!(by_default["decision"], "undetermined");
    let other_team = decision(&[
        "--context",
        "aws:MultiFactorAuthPresent=true",
        "--context",
        "aws:PrincipalTag/team=other",
    ]);
    assert_eq!(other_team["decision"], "implicit_deny");
}

#[test]
fn who_can() {
    let folder = tempfile::tempdir().unwrap();
    let iam = conditioned(folder.path());
    let who = |more: &[&str]| {
        let mut arguments = vec![
            "who-can",
            "--iam",
            text(&iam),
            "--action",
            "sagemaker:ListTrainingJobs",
            "--resource",
            "*",
        ];
        arguments.extend(more);
        retrial(&arguments).expect_status(0)
    };
    let ran = who(&[]);
    assert_eq!(
        ran.stdout,
        "sagemaker:ListTrainingJobs on *\n\nallowed: 1\n  arn:aws:iam::111122223333:root\n      assumes scp\n\nundetermined: 1\n  arn:aws:iam::111122223333:user/ana\n      depends on aws:MultiFactorAuthPresent\n\ndenied: 0 explicitly, 0 implicitly\n"
    );
    let found = who(&["--absent-by-default", "--format", "json"]).json();
    assert_eq!(found["counts"]["implicit_deny"], json!(1));
    assert_eq!(found["principals"].as_array().unwrap().len(), 1);
    let found = who(&[
        "--context",
        "aws:MultiFactorAuthPresent=true",
        "--format",
        "json",
    ])
    .json();
    assert_eq!(found["counts"]["allowed"], json!(2));
    assert_eq!(found["principals"][1]["principal"], ANA);
    assert_eq!(found["principals"][1]["assumes"], json!(["scp"]));
}

#[test]
fn who_can_in_the_sample_organisation() {
    let iam = root().join("sample-logs/iam");
    let ran = retrial(&[
        "who-can",
        "--iam",
        text(&iam),
        "--action",
        "sagemaker:CreateTrainingJob",
        "--resource",
        "arn:aws:sagemaker:eu-west-1:111122223333:training-job/x",
        "--format",
        "json",
    ])
    .expect_status(0);
    let found = ran.json();
    let counts = found["counts"].as_object().unwrap();
    let listed = counts["allowed"].as_u64().unwrap() + counts["undetermined"].as_u64().unwrap();
    assert_eq!(found["principals"].as_array().unwrap().len() as u64, listed);
    assert!(counts["implicit_deny"].as_u64().unwrap() > 0);
}
