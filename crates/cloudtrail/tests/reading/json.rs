//! The JSON of records is what another parser finds in it, and what that one refuses is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use retrial_cloudtrail::{Json, JsonKind, RecordError, RecordParser};
use serde_json::Value;

/// Panics where `found` is not `expected`. Of a key that occurs twice, the last counts there.
pub(crate) fn check_value(found: Json<'_>, expected: &Value) {
    match expected {
        Value::Null => assert!(found.is_null()),
        Value::Bool(is) => assert_eq!(found.as_bool(), Some(*is)),
        Value::String(text) => assert_eq!(found.as_str(), Some(text.as_str())),
        Value::Number(number) => check_number(&found.number_text().unwrap(), number),
        Value::Array(items) => {
            assert_eq!(found.kind(), JsonKind::Array);
            assert_eq!(found.items().count(), items.len());
            for (found, expected) in found.items().zip(items) {
                check_value(found, expected);
            }
        }
        Value::Object(members) => {
            assert_eq!(found.kind(), JsonKind::Object);
            for (key, expected) in members {
                let last = found.members().filter(|(name, _)| name == key).last();
                check_value(last.unwrap().1, expected);
                let first = found.members().find(|(name, _)| name == key).unwrap().1;
                assert_eq!(found.get(key).unwrap().to_text(), first.to_text());
            }
            assert!(found.members().all(|(key, _)| members.contains_key(key)));
        }
    }
}

fn check_number(found: &str, expected: &serde_json::Number) {
    if let Some(integer) = expected.as_u64() {
        assert_eq!(found, integer.to_string());
    } else if let Some(integer) = expected.as_i64() {
        assert_eq!(found, integer.to_string());
    } else {
        // The other parser may be off by the last bit.
        let (found, expected): (f64, _) = (found.parse().unwrap(), expected.as_f64().unwrap());
        assert!(
            (found - expected).abs() <= expected.abs() * 1e-15,
            "{found} {expected}"
        );
    }
}

/// Compares what `text` is for both parsers.
#[track_caller]
pub(crate) fn check(text: &[u8]) {
    let expected = serde_json::from_slice::<Value>(text);
    let parsed = RecordParser::new().parse(text, |record| {
        check_value(record.json, expected.as_ref().unwrap());
        let printed: Value = serde_json::from_str(&record.json.to_text()).unwrap();
        check_value(record.json, &printed);
    });
    let shown = String::from_utf8_lossy(text);
    match parsed {
        Ok(()) => {}
        Err(
            RecordError::InvalidJson { .. }
            | RecordError::InvalidUtf8 { .. }
            | RecordError::LoneSurrogate { .. },
        ) => assert!(expected.is_err(), "refused: {shown}"),
        Err(_) => assert!(expected.is_ok(), "{shown}"),
    }
}

#[test]
fn texts_that_are_nearly_json() {
    for value in [
        "",
        "1",
        "-1",
        "-",
        "+1",
        "01",
        "-01",
        "-0",
        "0",
        "0.",
        "0.0",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "1e5",
        "1E-5",
        "1e400",
        "-1e400",
        "1e-400",
        "0e99999999999",
        "1e99999999999",
        "1x",
        "1 x",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "nul",
        "null",
        "nullx",
        "nulll",
        "true",
        "True",
        "tru",
        "false",
        "fals",
        "falsee",
        "[]",
        "[",
        "]",
        "[1]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,2",
        "{}",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" :\t1\n,\r\"b\":2}",
        "[}",
        "{]",
        "\"",
        "\"a",
        "\"a\"b",
        "\"\\\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "\"\\x\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u00e9\"",
        "\"\\u00E9\"",
        "\"\\u+0e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\u0000\"",
        "\"\u{0}\"",
        "\"\t\"",
        "\"\n\"",
        "\"\u{7f}\"",
        "\"\u{1f}\"",
        "\"é😀\"",
        "é",
        "\u{a0}1",
        "\u{b}1",
        "1\u{0}",
        "{\"a\":1,\"a\":2}",
        "[1]]",
        "1}",
        "// 1",
        "'a'",
        "NaN",
        "Infinity",
    ] {
        for spaces in ["", " ", "\r\n\t"] {
            // Strings end at every place of what is looked at together.
            for filler in 0..40 {
                let filler = "x".repeat(filler);
                let text = format!(
                    "{spaces}{{\"eventName\":\"{filler}\",\"v\":{spaces}{value}{spaces}}}{spaces}"
                );
                check(text.as_bytes());
            }
            check(format!("{{\"eventName\":\"\",\"v\":[{value},{value}]}}{spaces}").as_bytes());
        }
    }
    check(b"{\"eventName\":\"\xff\"}");
    check(b"{\"eventName\":\"\xc3\"}");
    check(b"{\"eventName\":1}\xff");
    check(b"");
}

/// Any JSON value, as text, with keys that repeat.
fn value() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-c]{0,2}",
        "[ -~]{0,70}".prop_map(|text| serde_json::to_string(&text)
            .unwrap()
            .trim_matches('"')
            .to_owned()),
        "\\PC{0,40}".prop_map(|text| text.replace(['"', '\\'], "")),
        r"(\\u00[0-9a-fA-F]{2}|\\n|\\\\|x){0,20}",
        r"(\\ud83d\\ude00|\\u[0-9a-f]{4}|é){0,5}",
    ]
    .prop_map(|text| format!("\"{text}\""));
    let number = r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        string.clone(),
        number,
        prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let members = vec((string.clone(), "[ \n]{0,2}", inner.clone()), 0..6);
        prop_oneof![
            vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let texts = members
                    .iter()
                    .map(|(key, space, value)| format!("{key}{space}:{value}"));
                format!("{{{}}}", texts.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = format!("{{\"eventName\":\"A\",\"v\":{value}}}").into_bytes();
        check(&text);
        let mut damaged = text.clone();
        damaged[at.index(text.len())] = byte;
        check(&damaged);
        damaged.remove(at.index(text.len()));
        check(&damaged);
    }
}

/// What is written of an object is the same only where the object is.
#[test]
fn what_is_written_of_an_object() {
    let written = |text: &str| {
        let parsed = RecordParser::new().parse(text.as_bytes(), |record| {
            let object = record.json.get("o").unwrap();
            object.written_members().map(str::to_owned)
        });
        parsed.unwrap()
    };
    let of = |object: &str| written(&format!(r#"{{"a":1,"o":{object},"b":2}}"#));
    let objects = [
        r#"{"x":"y"}"#,
        r#"{"x":"z"}"#,
        r#"{"x":null}"#,
        r#"{"x":true}"#,
        r#"{"x":1}"#,
        r#"{"x":{}}"#,
        r#"{"x":[]}"#,
        r#"{"x":"y","z":null}"#,
        r#"{"x":"\u0079"}"#,
        r#"{"x":{"y":"z"}}"#,
        r#"{"x":{"y":{"z":1}}}"#,
    ];
    for one in objects {
        for other in objects {
            assert_eq!(of(one) == of(other), one == other, "{one} {other}");
        }
        assert!(of(one).is_some());
        // The last member.
        assert!(written(&format!(r#"{{"o":{one}}}"#)).is_some());
    }
    for not_told in [r#"{}"#, r#"{"\u0078":"y"}"#, r#""x""#, "[]", "null"] {
        assert_eq!(of(not_told), None, "{not_told}");
    }
    assert_eq!(written(r#"{"o":{"x":"y"},"\u0062":2}"#), None);
}
