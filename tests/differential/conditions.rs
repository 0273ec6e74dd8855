//! Random `Condition` elements, biased to hold.

use serde_json::{Map, Value, json};

use crate::documents::base_operator;
use crate::random::Random;
use crate::world::{KEYS, KeyKind};

const TEXT: [&str; 6] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const ARN: [&str; 4] = ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"];
const NUMBER: [&str; 6] = [
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATE: [&str; 6] = [
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
];
/// Has six parts and is no ARN.
const NO_ARN: &str = "foo:aws:s3:::lake";
const IP: [&str; 2] = ["IpAddress", "NotIpAddress"];

/// Policy values of every type, those that trip evaluators among them.
fn odd_values(operator: &str) -> &'static [&'static str] {
    match operator {
        _ if operator.starts_with("Arn") => &[
            "arn:aws:s3:::*",
            "arn:*:sns:*:111122223333:t?pic",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:cloudtrail:*:trail/main/a:b",
            "arn:aws:cloudtrail:*:*:trail/*",
            NO_ARN,
        ],
        _ if operator.starts_with("Numeric") => {
            &["0", "300", "10", "1000", "3600", "-5", "5abc", "299.5"]
        }
        _ if operator.starts_with("Date") => &[
            "2026-11-21T12:30:00Z",
            "2026-11-21",
            "2026-11-21T13:30:00+01:00",
            "2026-11-21T12:30:00.000Z",
            "1795264200",
            "1893456000",
            "2031-01-01T00:00:00Z",
        ],
        "IpAddress" | "NotIpAddress" => &[
            "203.0.113.0/24",
            "203.0.113.7",
            "10.0.0.0/8",
            "192.0.2.128/25",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/32",
            "2001:DB8:0:0:0:0:0:1",
            "2001:db8::1/128",
            "203.0.113.7/31",
        ],
        "Bool" => &["true", "false", "True", "FALSE"],
        "Null" => &["true", "false"],
        "BinaryEquals" => &["AQID", "aGVsbG8=", "AAAA"],
        _ => &[
            "ds",
            "*",
            "d?",
            "DS",
            "${aws:PrincipalTag/team}",
            "${aws:username}",
            "${aws:username, 'bob'}",
            "home/${aws:username}",
            "d${*}s",
            "${?}",
            "us-*",
            "two*lines",
            "team",
        ],
    }
}

/// Usually an operator of the key's own type, with a modifier now and then.
fn operator(random: &mut Random, kind: KeyKind, is_list: bool) -> String {
    let own: &[&str] = match kind {
        KeyKind::Text => &TEXT,
        KeyKind::Arn => match random.below(3) {
            0 => &TEXT,
            _ => &ARN,
        },
        KeyKind::Bool => &["Bool"],
        KeyKind::Number => &NUMBER,
        KeyKind::Date => &DATE,
        KeyKind::Ip => &IP,
        KeyKind::Binary => &["BinaryEquals"],
    };
    let base = match random.below(20) {
        0 | 1 => return String::from("Null"),
        2 => *random.pick(&TEXT),
        3 => *random.pick(&["StringLike", "ArnLike", "StringNotLike"]),
        _ => *random.pick(own),
    };
    let set = if random.chance(if is_list { 88 } else { 6 }) {
        *random.pick(&["ForAnyValue:", "ForAllValues:"])
    } else {
        ""
    };
    let if_exists = if random.chance(15) { "IfExists" } else { "" };
    let operator = format!("{set}{base}{if_exists}");
    if random.chance(2) {
        operator.to_lowercase()
    } else {
        operator
    }
}

/// A text as a pattern that matches it, mostly.
fn as_pattern(random: &mut Random, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return String::from("*");
    }
    let place = random.below(characters.len());
    match random.below(4) {
        0 => characters[place] = '?',
        1 => characters.truncate(place),
        2 => {
            let end = place + random.below(characters.len() - place);
            characters.splice(place..end, ['*']);
        }
        _ => {}
    }
    let mut pattern: String = characters.into_iter().collect();
    if pattern.chars().count() < text.chars().count() && !pattern.contains('*') {
        pattern.push('*');
    }
    pattern
}

fn policy_value(random: &mut Random, operator: &str, base: &str, held: Option<&str>) -> Value {
    if base == "Null" {
        return json!(random.pick(odd_values("Null")));
    }
    let text = match held {
        Some(held) if random.chance(60) => {
            if operator.to_lowercase().contains("like") && random.chance(60) {
                as_pattern(random, held)
            } else if random.chance(10) {
                held.to_uppercase()
            } else {
                held.to_owned()
            }
        }
        _ => (*random.pick(odd_values(base))).to_owned(),
    };
    json!(text)
}

fn values(random: &mut Random, operator: &str, held: &[&str]) -> Value {
    let lower = operator.to_lowercase();
    let base = [
        &TEXT[..],
        &ARN,
        &NUMBER,
        &DATE,
        &IP,
        &["Bool", "BinaryEquals", "Null"],
    ]
    .concat()
    .into_iter()
    .filter(|base| lower.contains(&base.to_lowercase()))
    .max_by_key(|base| base.len())
    .unwrap();
    let count = match random.below(10) {
        0..=6 => 1,
        7 | 8 => 2,
        _ => 3,
    };
    let one = |random: &mut Random| {
        let held = if held.is_empty() {
            None
        } else {
            Some(*random.pick(held))
        };
        policy_value(random, operator, base, held)
    };
    // Null and Bool take one value; IAM accepts more, and means nothing that it documents by it.
    if count == 1 || matches!(base, "Null" | "Bool") {
        return one(random);
    }
    (0..count).map(|_| one(random)).collect()
}

/// One `Condition` element about keys that the request mostly carries.
pub(crate) fn condition(random: &mut Random, context: &Map<String, Value>) -> Value {
    let mut element = Map::new();
    for _ in 0..=random.weighted(&[70, 25, 5]) {
        let (key, kind, is_list) = key(random, context);
        let held: Vec<&str> = match context.get(&key) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(value) => value.as_str().into_iter().collect(),
            None => Vec::new(),
        };
        let operator = operator(random, kind, is_list);
        let values = values(random, &operator, &held);
        let operator = documented(operator, &values, &held);
        let key = if random.chance(4) {
            key.to_lowercase()
        } else {
            key
        };
        let block = element.entry(operator).or_insert_with(|| json!({}));
        let block = block.as_object_mut().unwrap();
        // Two spellings of one key in one block are not valid.
        if !block.keys().any(|other| other.eq_ignore_ascii_case(&key)) {
            block.insert(key, values);
        }
    }
    Value::Object(element)
}

/// The operator, or one like it for which AWS documents the answer: not what a negated operator makes of a
/// text that is not of its type, nor whether an ARN pattern with missing parts is filled up.
fn documented(operator: String, values: &Value, held: &[&str]) -> String {
    let base = base_operator(&operator);
    let policy: Vec<&str> = match values {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let is_arn = |text: &str| text.starts_with("arn:") && text.split(':').count() >= 6;
    if base.starts_with("arn") && !policy.iter().all(|text| is_arn(text) || *text == NO_ARN) {
        return operator
            .to_lowercase()
            .replace("arnequals", "arnlike")
            .replace("arnnotequals", "arnnotlike")
            .replace("arn", "string");
    }
    let fits = |text: &&str| match base.as_str() {
        "arnnotequals" | "arnnotlike" => is_arn(text),
        "numericnotequals" => text.parse::<f64>().is_ok(),
        "datenotequals" => text.starts_with("20") || text.parse::<i64>().is_ok(),
        "notipaddress" => {
            let address = text.split('/').next().unwrap();
            address.parse::<std::net::IpAddr>().is_ok()
        }
        _ => true,
    };
    if policy.iter().all(fits) && held.iter().all(fits) {
        operator
    } else {
        operator.replace("Not", "").replace("not", "")
    }
}

fn key(random: &mut Random, context: &Map<String, Value>) -> (String, KeyKind, bool) {
    if random.chance(12) && context.contains_key("aws:PrincipalArn") {
        return (String::from("aws:PrincipalArn"), KeyKind::Arn, false);
    }
    let mut chosen = random.pick(&KEYS);
    for _ in 0..3 {
        if context.contains_key(chosen.0) {
            break;
        }
        chosen = random.pick(&KEYS);
    }
    (chosen.0.to_owned(), chosen.1, chosen.2)
}
