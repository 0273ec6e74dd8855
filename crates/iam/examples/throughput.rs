//! How many decisions a second, on one core and without remembering any.
//!
//! `throughput cases FILE ROUNDS` answers the cases of a file in the form of `retrial simulate`;
//! `throughput statements COUNT ROUNDS` answers requests of a role with that many statements. Documents are
//! read and compiled before the clock starts. `tests/bench/evaluator` runs both.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a measurement reads files and the clock, and may fail loudly"
)]

use std::fmt::Write;
use std::time::Instant;

use retrial_iam::{
    CaseInputs, CaseReader, Catalogue, Context, Decision, Evaluator, KeyState, MissingKeys,
    PreparedCase, Request, Resource, Scratch, SessionPolicies, SimulationCase, Snapshot,
    SnapshotFile, Values,
};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = arguments[3].parse().unwrap();
    match arguments[1].as_str() {
        "cases" => cases(&std::fs::read_to_string(&arguments[2]).unwrap(), rounds),
        "statements" => statements(arguments[2].parse().unwrap(), rounds),
        other => panic!("`{other}` is neither `cases` nor `statements`"),
    }
}

/// Runs `decide` over all requests, once to warm up and `rounds` times against the clock.
fn measure(requests: usize, rounds: usize, mut decide: impl FnMut(usize) -> Decision) {
    let mut run = |rounds: usize| {
        (0..rounds * requests)
            .filter(|round| decide(round % requests) == Decision::Allowed)
            .count()
    };
    run(1);
    let start = Instant::now();
    let allowed = run(rounds);
    let seconds = start.elapsed().as_secs_f64();
    let decisions = rounds * requests;
    println!(r#"{{"decisions": {decisions}, "allowed": {allowed}, "seconds": {seconds}}}"#);
}

fn cases(text: &str, rounds: usize) {
    let catalogue = Catalogue::bundled();
    let mut reader = CaseReader::default();
    let cases: Vec<SimulationCase> = text
        .lines()
        .map(|line| reader.read(line).unwrap())
        .collect();
    let inputs: Vec<CaseInputs> = cases.iter().map(SimulationCase::inputs).collect();
    let prepared: Vec<PreparedCase> = inputs
        .iter()
        .map(|inputs| inputs.prepare(catalogue))
        .collect();
    let mut scratch = Scratch::default();
    measure(prepared.len(), rounds, |index| {
        prepared[index].decide(&mut scratch).decision
    });
}

/// Services that the role's statements and the requests are about, each with an ARN up to its last name.
const SERVICES: [(&str, &str); 5] = [
    ("s3:GetObject", "arn:aws:s3:::bucket-"),
    (
        "sagemaker:CreateTrainingJob",
        "arn:aws:sagemaker:us-east-1:111122223333:training-job/job-",
    ),
    (
        "dynamodb:GetItem",
        "arn:aws:dynamodb:us-east-1:111122223333:table/table-",
    ),
    (
        "sqs:SendMessage",
        "arn:aws:sqs:us-east-1:111122223333:queue-",
    ),
    (
        "logs:PutLogEvents",
        "arn:aws:logs:us-east-1:111122223333:log-group:group-",
    ),
];

/// A role whose only policy has `count` statements, spread over the services.
fn role(count: usize) -> String {
    let mut statements = String::new();
    for number in 0..count {
        let (action, arn) = SERVICES[number % SERVICES.len()];
        let (service, name) = action.split_once(':').unwrap();
        let verb = &name[..3];
        let condition = match number % 4 {
            0 => r#", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "ds"}}"#,
            1 => r#", "Condition": {"Bool": {"aws:SecureTransport": "true"}}"#,
            _ => "",
        };
        let comma = if number == 0 { "" } else { "," };
        write!(
            statements,
            r#"{comma}{{"Effect": "Allow", "Action": ["{action}", "{service}:{verb}*"],
                "Resource": ["{arn}{number}", "{arn}{number}/*"]{condition}}}"#
        )
        .unwrap();
    }
    format!(
        r#"{{"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [{{
            "Path": "/", "RoleName": "job", "RoleId": "AROAEXAMPLEEXAMPLE000",
            "Arn": "arn:aws:iam::111122223333:role/job", "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {{"Version": "2012-10-17", "Statement": []}},
            "AttachedManagedPolicies": [], "InstanceProfileList": [], "Tags": [],
            "RolePolicyList": [{{"PolicyName": "p", "PolicyDocument":
                {{"Version": "2012-10-17", "Statement": [{statements}]}}}}]
        }}]}}"#
    )
}

fn statements(count: usize, rounds: usize) {
    let details = role(count);
    let files = [SnapshotFile {
        path: "accounts/111122223333/authorization-details.json",
        bytes: details.as_bytes(),
    }];
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    let role = snapshot
        .principal("arn:aws:iam::111122223333:role/job")
        .unwrap();
    let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
    let mut context = Context::new(MissingKeys::Absent);
    for (key, value) in [
        ("aws:PrincipalTag/team", "ds"),
        ("aws:SecureTransport", "true"),
        ("aws:RequestedRegion", "us-east-1"),
    ] {
        context.set(key, KeyState::Known(Values::One(value)));
    }
    // Half of them are about a resource that no statement has.
    let questions: Vec<(&str, String)> = (0..2 * count)
        .map(|number| {
            let (action, arn) = SERVICES[number % SERVICES.len()];
            (action, format!("{arn}{number}"))
        })
        .collect();
    let mut scratch = Scratch::default();
    measure(questions.len(), rounds, |index| {
        let (action, arn) = &questions[index];
        let request = Request {
            action,
            resource: Resource::Arn(arn),
            resource_account: Some("111122223333"),
            context: &context,
            vpc_endpoint: None,
            session: SessionPolicies::None,
        };
        evaluator.evaluate(role, &request, &mut scratch).decision
    });
}
