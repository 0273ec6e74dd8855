//! Laws that hold whatever the policies are: random cases over all layers.

use retrial_iam::{Catalogue, Decision, SimulationCase};
use serde_json::{Value, json};

/// A small generator of numbers; the seed makes a failure repeatable.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/s1";

/// The layers that a case can have, and how their documents are laid out.
const LAYERS: [&str; 7] = [
    "identity_policies",
    "permission_boundary",
    "session_policies",
    "resource_policy",
    "scps",
    "rcps",
    "vpc_endpoint_policies",
];

fn names_principals(layer: &str) -> bool {
    ["resource_policy", "rcps", "vpc_endpoint_policies"].contains(&layer)
}

fn statement(numbers: &mut Numbers, layer: &str) -> Value {
    let mut statement = json!({
        "Effect": numbers.pick(&["Allow", "Allow", "Allow", "Allow", "Allow", "Deny"]),
        "Action": numbers.pick(&["*", "*", "*", "s3:*", "s3:Get*", "kms:*", "sts:*", "ec2:*"]),
        "Resource": numbers.pick(&["*", "*", "*", "arn:aws:s3:::data/*", "arn:aws:s3:::other/*"]),
    });
    if numbers.below(3) == 0 {
        statement["Condition"] = numbers.pick(&[
            json!({"StringEquals": {"test:one": "a"}}),
            json!({"StringNotEquals": {"test:one": "a"}}),
            json!({"StringLike": {"test:two": "b*"}}),
            json!({"Null": {"test:two": "true"}}),
        ]);
    }
    if names_principals(layer) {
        statement["Principal"] = numbers.pick(&[
            json!("*"),
            json!("*"),
            json!({"AWS": "111122223333"}),
            json!({"AWS": ROLE}),
            json!({"AWS": SESSION}),
            json!({"AWS": "arn:aws:iam::444455556666:root"}),
            json!({"Service": "cloudtrail.amazonaws.com"}),
        ]);
    }
    statement
}

fn document(numbers: &mut Numbers, layer: &str) -> Value {
    let count = numbers.below(3) + 1;
    let statements: Vec<Value> = (0..count).map(|_| statement(numbers, layer)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn layer(numbers: &mut Numbers, name: &str) -> Value {
    match name {
        "resource_policy" => document(numbers, name),
        "permission_boundary" => json!([document(numbers, name)]),
        "scps" | "rcps" => {
            let levels: Vec<Value> = (0..2)
                .map(|_| json!({"org_identifier": "level", "policies": [document(numbers, name), document(numbers, name)]}))
                .collect();
            Value::Array(levels)
        }
        _ => {
            let count = numbers.below(2) + 1;
            (0..count).map(|_| document(numbers, name)).collect()
        }
    }
}

fn case(numbers: &mut Numbers) -> Value {
    let (action, arn) = numbers.pick(&[
        ("s3:GetObject", "arn:aws:s3:::data/a"),
        ("s3:GetObject", "arn:aws:s3:::data/a"),
        ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/0"),
        ("sts:AssumeRole", "arn:aws:iam::111122223333:role/target"),
    ]);
    let mut case = json!({
        "id": "law",
        "request": {
            "principal": numbers.pick(&[SESSION, SESSION, ROLE, "arn:aws:iam::444455556666:user/u", "anonymous", "cloudtrail.amazonaws.com"]),
            "action": action,
            "resource": {"arn": arn, "account": "111122223333"},
            "context": {},
        },
    });
    for name in LAYERS {
        if ["identity_policies", "resource_policy"].contains(&name) || numbers.below(4) == 0 {
            case[name] = layer(numbers, name);
        }
    }
    case
}

fn decide(case: &Value) -> Decision {
    let text = case.to_string();
    SimulationCase::parse(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
        .run(Catalogue::bundled())
        .decision
}

/// Every list of statements in a case.
fn documents<'c>(value: &'c mut Value, found: &mut Vec<&'c mut Vec<Value>>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name != "Statement" {
                    documents(member, found);
                } else if let Value::Array(statements) = member {
                    found.push(statements);
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                documents(element, found);
            }
        }
        _ => {}
    }
}

#[test]
fn adding_a_deny_never_allows() {
    let mut numbers = Numbers(0x5eed_0001);
    let mut allowed = 0;
    for _ in 0..3_000 {
        let before = case(&mut numbers);
        let decision = decide(&before);
        allowed += usize::from(decision == Decision::Allowed);
        let name = numbers.pick(&LAYERS);
        let mut deny = statement(&mut numbers, name);
        deny["Effect"] = "Deny".into();
        let mut after = before.clone();
        let mut found = Vec::new();
        documents(&mut after[name], &mut found);
        let Some(statements) = found.into_iter().next() else {
            continue;
        };
        statements.push(deny);
        if decision != Decision::Allowed {
            assert_ne!(decide(&after), Decision::Allowed, "{before}\n{after}");
        }
    }
    assert!(allowed > 200, "the cases must meet allows: {allowed}");
}

#[test]
fn the_order_of_policies_and_statements_is_irrelevant() {
    let mut numbers = Numbers(0x5eed_0002);
    for _ in 0..3_000 {
        let before = case(&mut numbers);
        let mut after = before.clone();
        let mut found = Vec::new();
        documents(&mut after, &mut found);
        found
            .into_iter()
            .for_each(|statements| statements.reverse());
        for name in [
            "identity_policies",
            "session_policies",
            "vpc_endpoint_policies",
        ] {
            if let Some(policies) = after.get_mut(name).and_then(Value::as_array_mut) {
                policies.reverse();
            }
        }
        assert_eq!(decide(&before), decide(&after), "{before}");
    }
}

#[test]
fn three_valued_answers_agree_with_all_completions() {
    let mut numbers = Numbers(0x5eed_0003);
    let values = [None, Some("a"), Some("b")];
    let (mut firm, mut open) = (0, 0);
    for _ in 0..3_000 {
        let mut partial = case(&mut numbers);
        partial["context_unknown"] = json!(["test:one", "test:two"]);
        let decision = decide(&partial);
        if decision == Decision::Undetermined {
            open += 1;
            continue;
        }
        firm += 1;
        partial["context_unknown"] = json!([]);
        for one in values {
            for two in values {
                let mut context = json!({});
                if let Some(one) = one {
                    context["test:one"] = one.into();
                }
                if let Some(two) = two {
                    context["test:two"] = two.into();
                }
                partial["request"]["context"] = context;
                let complete = decide(&partial);
                // An open deny of what nothing allows may turn an implicit deny into an explicit one.
                let agrees = complete == decision
                    || (decision == Decision::ImplicitDeny && complete == Decision::ExplicitDeny);
                assert!(agrees, "{decision:?}, but {complete:?}: {partial}");
            }
        }
    }
    assert!(firm > 1_000 && open > 100, "{firm} firm, {open} open");
}

#[test]
fn what_was_not_collected_only_adds_doubt() {
    let mut numbers = Numbers(0x5eed_0004);
    for _ in 0..3_000 {
        let complete = case(&mut numbers);
        let decision = decide(&complete);
        let (name, member) = numbers.pick(&[
            ("scp", "scps"),
            ("rcp", "rcps"),
            ("resource", "resource_policy"),
        ]);
        let mut partial = complete.clone();
        partial["not_collected"] = json!([name]);
        partial.as_object_mut().unwrap().remove(member);
        let doubtful = decide(&partial);
        // A granting source that nobody saw could allow: it never makes a firm deny of an allow.
        if decision == Decision::Allowed {
            assert!(
                matches!(doubtful, Decision::Allowed | Decision::Undetermined),
                "{doubtful:?}: {partial}"
            );
        }
    }
}
