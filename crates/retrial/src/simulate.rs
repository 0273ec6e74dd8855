//! `retrial simulate`: cases from a file, or one request against a snapshot.

use std::fs;
use std::path::Path;

use retrial_iam::{CaseReader, Catalogue, MissingKeys, Scratch, SimulationCase, SimulationResult};
use serde_json::{Map, Value, json};

use crate::Exit;
use crate::args::SimulateArgs;
use crate::error::ProgramError;
use crate::input;
use crate::printer::Printer;
use crate::request::{self, Asked, Asker};

/// What became of the cases.
#[derive(Default)]
struct Books {
    passed: usize,
    missed: usize,
    not_asserted: usize,
    rejected: usize,
}

pub(crate) fn run(args: &SimulateArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    match (&args.request, &args.principal, &args.iam) {
        (Some(_), Some(_), Some(_)) => one(args, &printer),
        _ => cases(args, &printer),
    }
}

/// Every line of every file of cases.
fn cases(args: &SimulateArgs, printer: &Printer) -> Result<Exit, ProgramError> {
    let mut books = Books::default();
    let mut reader = CaseReader::default();
    for path in &args.cases {
        let text = fs::read_to_string(path).map_err(|cause| ProgramError::Cases {
            path: path.display().to_string(),
            cause,
        })?;
        let mut out = String::new();
        for (number, line) in (1_usize..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            match case(line, &mut reader) {
                Ok(result) => {
                    books.count(&result);
                    out.push_str(&format!("{}\n", Value::Object(result.line)));
                }
                Err(message) => {
                    books.rejected += 1;
                    printer.warning(&at(path, number, &message));
                }
            }
        }
        printer.data(&out)?;
    }
    printer.warning(&books.summary());
    Ok(if books.rejected > 0 {
        Exit::Incomplete
    } else if books.missed > 0 {
        Exit::Threshold
    } else {
        Exit::Done
    })
}

fn at(path: &Path, line: usize, message: &str) -> String {
    format!("`{}` line {line}: {message}", path.display())
}

impl Books {
    fn count(&mut self, result: &CaseLine) {
        match result.passed {
            Some(true) => self.passed += 1,
            Some(false) => self.missed += 1,
            None => self.not_asserted += 1,
        }
    }

    fn summary(&self) -> String {
        let cases = self.passed + self.missed + self.not_asserted + self.rejected;
        format!(
            "{cases} cases: {} as expected, {} missed, {} without an expectation, {} rejected",
            self.passed, self.missed, self.not_asserted, self.rejected
        )
    }
}

/// What one line came to.
struct CaseLine {
    line: Map<String, Value>,
    passed: Option<bool>,
}

/// Runs one line: a case, or a condition alone.
fn case(text: &str, reader: &mut CaseReader) -> Result<CaseLine, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.get("condition").is_some() && value.get("request").is_none() {
        return condition(&value);
    }
    let result = reader
        .read(text)
        .map_err(|error| error.to_string())?
        .run(Catalogue::bundled());
    Ok(CaseLine {
        passed: result.passed,
        line: line(&result),
    })
}

/// A condition alone holds where a policy that allows everything under it allows.
fn condition(value: &Value) -> Result<CaseLine, String> {
    let known = [
        "id",
        "name",
        "source",
        "cite",
        "why",
        "confidence",
        "condition",
        "context",
        "policy_version",
        "expected",
        "suite_expected",
        "adjudication",
        "context_unknown",
        "missing_keys",
        "note",
    ];
    let members = value.as_object().ok_or("a case is an object")?;
    if let Some(unknown) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("unknown member `{unknown}` of a condition case"));
    }
    let mut policy = json!({
        "Statement": [{
            "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": value["condition"],
        }],
    });
    if let (Some(version), Some(members)) =
        (value["policy_version"].as_str(), policy.as_object_mut())
    {
        members.insert("Version".to_owned(), json!(version));
    }
    let expected = match value.get("expected") {
        Some(Value::Bool(expected)) => Some(*expected),
        Some(Value::Null) | None => None,
        Some(_) => return Err("`expected` of a condition is true, false or null".to_owned()),
    };
    let mut case = json!({
        "id": value["id"].as_str().unwrap_or_default(),
        "request": {
            "principal": "arn:aws:iam::111122223333:role/condition",
            "action": "ec2:DescribeInstances",
            "resource": {"arn": "*", "account": "111122223333"},
            "context": value.get("context").cloned().unwrap_or_else(|| json!({})),
        },
        "identity_policies": [policy],
        "expected": null,
    });
    if let Some(case) = case.as_object_mut() {
        for name in ["context_unknown", "missing_keys"] {
            if let Some(given) = value.get(name) {
                case.insert(name.to_owned(), given.clone());
            }
        }
    }
    let result = SimulationCase::parse(&case.to_string())
        .map_err(|error| error.to_string())?
        .run(Catalogue::bundled());
    let holds = match result.decision {
        retrial_iam::Decision::Allowed => Some(true),
        retrial_iam::Decision::ImplicitDeny | retrial_iam::Decision::ExplicitDeny => Some(false),
        retrial_iam::Decision::Undetermined => None,
    };
    let passed = expected.map(|expected| holds == Some(expected));
    let mut line = line(&result);
    line.insert("holds".to_owned(), json!(holds));
    line.insert("expected".to_owned(), json!(expected));
    line.insert("passed".to_owned(), json!(passed));
    Ok(CaseLine { line, passed })
}

fn line(result: &SimulationResult) -> Map<String, Value> {
    let determined_by: Vec<Value> = result
        .determined_by
        .iter()
        .map(|statement| {
            json!({
                "layer": statement.layer.name(), "policy": statement.policy,
                "index": statement.index, "sid": statement.sid, "effect": statement.effect.name(),
            })
        })
        .collect();
    let layers: Vec<&str> = result
        .unknown_layers
        .iter()
        .map(|layer| layer.name())
        .collect();
    let assumes: Vec<String> = result.assumes.iter().map(ToString::to_string).collect();
    let mut line = Map::new();
    line.insert("id".to_owned(), json!(result.id));
    line.insert("decision".to_owned(), json!(result.decision.name()));
    line.insert(
        "layer".to_owned(),
        json!(result.layer.map(|layer| layer.name())),
    );
    line.insert("determined_by".to_owned(), json!(determined_by));
    line.insert("unknown_keys".to_owned(), json!(result.unknown_keys));
    if !result.turning_keys.is_empty() {
        let keys = request::turning_keys(&result.turning_keys);
        line.insert("turning_keys".to_owned(), keys);
    }
    line.insert("unknown_layers".to_owned(), json!(layers));
    line.insert("assumes".to_owned(), json!(assumes));
    line.insert("expected".to_owned(), json!(result.expected));
    if let Some(expected_allowed) = result.expected_allowed {
        line.insert("expected_allowed".to_owned(), json!(expected_allowed));
    }
    line.insert("passed".to_owned(), json!(result.passed));
    line
}

/// One request from flags.
fn one(args: &SimulateArgs, printer: &Printer) -> Result<Exit, ProgramError> {
    let (Some(asked_for), Some(arn), Some(iam)) = (&args.request, &args.principal, &args.iam)
    else {
        return Ok(Exit::Done);
    };
    let loaded = input::snapshot(iam, printer)?;
    let asker =
        Asker::named(&loaded.snapshot, arn).ok_or_else(|| ProgramError::NoSuchPrincipal {
            arn: arn.clone(),
            path: iam.display().to_string(),
        })?;
    let missing = if args.unknown_by_default {
        MissingKeys::ByCatalogue
    } else {
        MissingKeys::Absent
    };
    let mut scratch = Scratch::default();
    let asked = Asked::new(asked_for, missing);
    let mut line = asked.evaluate(
        &loaded.snapshot,
        &asker,
        &mut scratch,
        |evaluation, turning_keys| {
            let mut line = request::evaluation(evaluation);
            let keys = turning_keys();
            if !keys.is_empty() {
                line.insert("turning_keys".to_owned(), request::turning_keys(&keys));
            }
            line
        },
    );
    let passed = args
        .expect
        .map(|expected| line.get("decision") == Some(&json!(expected.name())));
    line.insert("principal".to_owned(), json!(arn));
    line.insert("action".to_owned(), json!(asked_for.action));
    line.insert("resource".to_owned(), json!(asked_for.resource));
    line.insert(
        "expected".to_owned(),
        json!(args.expect.map(|expected| expected.name())),
    );
    line.insert("passed".to_owned(), json!(passed));
    printer.data(&format!("{}\n", Value::Object(line)))?;
    Ok(match (loaded.whole, passed) {
        (false, _) => Exit::Incomplete,
        (true, Some(false)) => Exit::Threshold,
        (true, _) => Exit::Done,
    })
}
