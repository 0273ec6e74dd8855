//! Condition operators with values of every kind: total, and faithful to the laws among operators.

#![no_main]

use libfuzzer_sys::fuzz_target;
use retrial_fuzz::{KEY, holds, lines};
use serde_json::{Value, json};

const VERSION: &str = "2012-10-17";

const OPERATORS: [&str; 26] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
];

/// Text operators and their negations, which differ on every value that is there.
const OPPOSITES: [(&str, &str); 3] = [
    ("StringEquals", "StringNotEquals"),
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    ("StringLike", "StringNotLike"),
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let Some(lines) = lines(rest, 2) else {
        return;
    };
    let values: Vec<&str> = lines[0].split('\t').collect();
    let value = Some(lines[1]);
    let operator = OPERATORS[usize::from(*first) % OPERATORS.len()];
    let ask = |operator: &str, values: Value, value| {
        holds(VERSION, &json!({operator: {KEY: values}}), value)
    };
    let found = ask(operator, json!(values), value);
    let if_exists = format!("{operator}IfExists");
    assert_eq!(ask(&if_exists, json!(values), value), found, "{if_exists}");
    assert_eq!(
        ask(&if_exists, json!(values), None),
        Some(true),
        "{if_exists}, absent"
    );
    let is_negated = operator.contains("Not");
    assert_eq!(
        ask(operator, json!(values), None),
        Some(is_negated),
        "{operator}, absent"
    );
    // One value under a set operator is a list of one.
    for set in ["ForAnyValue", "ForAllValues"] {
        let operator = format!("{set}:{operator}");
        assert_eq!(ask(&operator, json!(values), value), found, "{operator}");
    }
    if let Some((_, opposite)) = OPPOSITES.iter().find(|(own, _)| *own == operator) {
        let opposite = ask(opposite, json!(values), value);
        assert_eq!(opposite, found.map(|found| !found), "not {operator}");
    }
    // Values are alternatives, whatever their order.
    let reversed: Vec<&str> = values.iter().rev().copied().collect();
    assert_eq!(
        ask(operator, json!(reversed), value),
        found,
        "{operator}, reversed"
    );
});
