//! What an unknown key would have to be: what is said of it against every value of a domain.

use retrial_iam::{
    Catalogue, Context, Decision, Evaluator, KeyState, MissingKeys, Operand, Resource, Turn,
    TurnValue, TurningKey, Values,
};

use crate::support::{all_collected, request, role, statement};

/// The turns of the only unknown key, in words.
fn turns(documents: &[&str], set: &[(&'static str, KeyState<'static>)]) -> Vec<String> {
    let snapshot = all_collected();
    let mut context = Context::new(MissingKeys::Absent);
    for (key, state) in set {
        context.set(key, *state);
    }
    let resource = Resource::Arn("arn:aws:example:::home/ana/x");
    let explanation = Evaluator::new(Catalogue::bundled(), &snapshot)
        .explain(&role(documents), &request("example:Do", resource, &context));
    explanation
        .turning_keys
        .iter()
        .flat_map(|key| key.turns.iter().map(move |turn| worded(&key.key, turn)))
        .collect()
}

fn worded(key: &str, turn: &Turn) -> String {
    let value = match &turn.value {
        TurnValue::Is(value) => format!("= {value}"),
        TurnValue::Meeting { operands, example } => {
            let met: Vec<String> = operands
                .iter()
                .map(|operand| format!("{} {}", operand.operator, operand.value))
                .collect();
            format!("~ {} ({example})", met.join(" & "))
        }
        TurnValue::Other => "other".to_owned(),
        TurnValue::Absent => "absent".to_owned(),
    };
    format!("{key} {value}: {}", turn.decision.name())
}

const UNKNOWN: KeyState<'static> = KeyState::Unknown;

#[test]
fn the_policies_own_operands_turn_it() {
    let allow = statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1a2b", "vpce-9"]}}"#,
    );
    assert_eq!(
        turns(&[&allow], &[("aws:SourceVpce", UNKNOWN)]),
        [
            "aws:SourceVpce = vpce-1a2b: allowed",
            "aws:SourceVpce = vpce-9: allowed",
            "aws:SourceVpce other: implicit_deny",
            "aws:SourceVpce absent: implicit_deny",
        ]
    );
    let deny = statement(
        r#""Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#,
    );
    let all = statement(r#""Effect": "Allow", "Action": "*", "Resource": "*""#);
    assert_eq!(
        turns(&[&all, &deny], &[("aws:SourceIp", UNKNOWN)]),
        [
            "aws:SourceIp ~ NotIpAddress 203.0.113.0/24 (203.0.113.0): allowed",
            "aws:SourceIp other: explicit_deny",
            "aws:SourceIp absent: explicit_deny",
        ]
    );
}

#[test]
fn a_variable_is_what_the_text_has_in_its_place() {
    let home = statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "arn:aws:example:::home/${aws:username}/*""#,
    );
    assert_eq!(
        turns(&[&home], &[("aws:username", UNKNOWN)]),
        [
            "aws:username = ana: allowed",
            "aws:username other: implicit_deny",
            "aws:username absent: implicit_deny",
        ]
    );
}

#[test]
fn two_unknown_keys_are_told_apart() {
    let both = statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"test:one": "a"}, "Bool": {"test:two": "true"}}"#,
    );
    assert_eq!(
        turns(&[&both], &[("test:one", UNKNOWN), ("test:two", UNKNOWN)]),
        [
            "test:one = a: undetermined",
            "test:one other: implicit_deny",
            "test:one absent: implicit_deny",
            "test:two = true: undetermined",
            "test:two other: implicit_deny",
            "test:two absent: implicit_deny",
        ]
    );
}

/// The values that a request might have, by the type of the operator.
const TEXTS: &[&str] = &[
    "", "a", "A", "b", "ab", "ba", "aab", "x", "zz", "other", "a*",
];
const NUMBERS: &[&str] = &["0", "3", "3.5", "4", "5", "7", "9", "10", "11"];
const ADDRESSES: &[&str] = &[
    "9.255.255.255",
    "10.0.0.0",
    "10.1.0.0",
    "10.1.255.255",
    "10.2.0.0",
    "11.0.0.0",
    "2001:db8::1",
];

/// Two condition blocks on one key with the values to try.
const BLOCKS: &[(&str, &[&str])] = &[
    (r#""StringEquals": {"test:one": ["a", "b"]}"#, TEXTS),
    (r#""StringNotEquals": {"test:one": ["a", "zz"]}"#, TEXTS),
    (r#""StringLike": {"test:one": ["a*", "b?"]}"#, TEXTS),
    (r#""StringNotLike": {"test:one": "*b"}"#, TEXTS),
    (r#""StringEqualsIgnoreCase": {"test:one": "A"}"#, TEXTS),
    (r#""StringLikeIfExists": {"test:one": ["*", "a"]}"#, TEXTS),
    (r#""NumericLessThan": {"test:one": ["4", "10"]}"#, NUMBERS),
    (r#""NumericGreaterThanEquals": {"test:one": "5"}"#, NUMBERS),
    (r#""NumericNotEquals": {"test:one": "7"}"#, NUMBERS),
    (r#""IpAddress": {"test:one": ["10.0.0.0/8"]}"#, ADDRESSES),
    (r#""NotIpAddress": {"test:one": "10.1.0.0/16"}"#, ADDRESSES),
    (r#""Null": {"test:one": "true"}"#, TEXTS),
];

/// The obvious matcher, exponential and all.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|eaten| matches(rest, &text[eaten..])),
        Some((b'?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && matches(rest, &text[1..]),
    }
}

/// Whether an operand is met, without regard to a negation.
fn meets(operand: &Operand, value: &str) -> bool {
    let wanted = operand.value.as_str();
    let number = |text: &str| text.parse::<f64>().unwrap();
    match operand.operator.as_str() {
        "StringEquals" | "StringNotEquals" => wanted == value,
        "StringEqualsIgnoreCase" => wanted.eq_ignore_ascii_case(value),
        "StringLike" | "StringNotLike" | "StringLikeIfExists" => {
            matches(wanted.as_bytes(), value.as_bytes())
        }
        "NumericLessThan" => number(value) < number(wanted),
        "NumericGreaterThanEquals" => number(value) >= number(wanted),
        "NumericNotEquals" => number(value) == number(wanted),
        "IpAddress" => value.starts_with("10."),
        "NotIpAddress" => value.starts_with("10.1."),
        other => panic!("{other}"),
    }
}

/// Every operand of the blocks.
fn operands(blocks: &[&str]) -> Vec<Operand> {
    let mut all = Vec::new();
    for block in blocks {
        let json: serde_json::Value = serde_json::from_str(&format!("{{{block}}}")).unwrap();
        for (operator, keys) in json.as_object().unwrap() {
            let values = &keys["test:one"];
            let values = values
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![values.clone()]);
            for value in values {
                let operand = Operand {
                    operator: operator.clone(),
                    value: value.as_str().unwrap().to_owned(),
                };
                if operator != "Null" && !all.contains(&operand) {
                    all.push(operand);
                }
            }
        }
    }
    all
}

/// What is said of a value.
fn said(key: &TurningKey, operands: &[Operand], value: &str) -> Option<Decision> {
    let met: Vec<&Operand> = operands.iter().filter(|it| meets(it, value)).collect();
    let is = |turn: &&Turn| turn.value == TurnValue::Is(value.to_owned());
    let met_by = |turn: &&Turn| match &turn.value {
        TurnValue::Meeting { operands, .. } => {
            operands.len() == met.len() && operands.iter().all(|operand| met.contains(&operand))
        }
        TurnValue::Other => met.is_empty(),
        TurnValue::Is(_) | TurnValue::Absent => false,
    };
    let turn = key.turns.iter().find(is);
    let turn = turn.or_else(|| key.turns.iter().find(met_by));
    turn.map(|turn| turn.decision)
}

#[test]
fn every_value_turns_it_as_was_said() {
    let snapshot = all_collected();
    let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
    let mut told = 0;
    for (first, values) in BLOCKS {
        for (second, others) in BLOCKS {
            if values.first() != others.first() && !second.starts_with("\"Null") {
                continue;
            }
            for effect in ["Allow", "Deny"] {
                let all = r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Null": {"test:two": "false"}}}"#;
                let tested = [first, second].map(|block| {
                    format!(
                        r#"{{"Effect": "{effect}", "Action": "*", "Resource": "*", "Condition": {{{block}}}}}"#
                    )
                });
                let principal = role(&[&format!(
                    r#"{{"Version": "2012-10-17", "Statement": [{all}, {}]}}"#,
                    tested.join(", ")
                )]);
                // With `Deny` the first statement allows.
                let state = |state| {
                    let mut context = Context::new(MissingKeys::Absent);
                    context.set("test:one", state);
                    if effect == "Deny" {
                        context.set("test:two", KeyState::Known(Values::One("x")));
                    }
                    context
                };
                let unknown = state(KeyState::Unknown);
                let asked = request("example:Do", Resource::Any, &unknown);
                let explanation = evaluator.explain(&principal, &asked);
                let Some(key) = explanation.turning_keys.first() else {
                    continue;
                };
                let operands = operands(&[first, second]);
                for value in *values {
                    let complete = state(KeyState::Known(Values::One(value)));
                    let asked = request("example:Do", Resource::Any, &complete);
                    let truth = evaluator.explain(&principal, &asked).decision;
                    assert_eq!(
                        said(key, &operands, value),
                        Some(truth),
                        "{effect} {first} and {second} for {value:?}: {:?}",
                        key.turns
                    );
                    told += 1;
                }
                let absent = state(KeyState::Absent);
                let asked = request("example:Do", Resource::Any, &absent);
                let last = key.turns.last().unwrap();
                assert_eq!(last.value, TurnValue::Absent);
                assert_eq!(
                    last.decision,
                    evaluator.explain(&principal, &asked).decision
                );
            }
        }
    }
    assert!(told > 300, "the test must meet open keys: {told}");
}
