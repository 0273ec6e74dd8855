//! The JSON of a record is what another parser finds in it, and what that one refuses is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use retrial_cloudtrail::{Json, JsonKind, RecordError, RecordParser};
use serde_json::{Number, Value};

/// Of a key that occurs twice, the last counts there.
fn is(found: Json<'_>, expected: &Value) -> bool {
    match expected {
        Value::Null => found.is_null(),
        Value::Bool(expected) => {
            found.kind() == JsonKind::Bool && found.as_bool() == Some(*expected)
        }
        Value::String(text) => found.as_str() == Some(text),
        Value::Number(number) => is_number(&found.number_text().expect("a number"), number),
        Value::Array(items) => {
            found.kind() == JsonKind::Array
                && found.items().count() == items.len()
                && found.items().zip(items).all(|(found, expected)| is(found, expected))
        }
        Value::Object(members) => {
            found.kind() == JsonKind::Object
                && found.members().all(|(key, _)| members.contains_key(key))
                && members.iter().all(|(key, expected)| {
                    let last = found.members().filter(|(name, _)| name == key).last();
                    last.is_some_and(|(_, found)| is(found, expected))
                })
        }
    }
}

fn is_number(found: &str, expected: &Number) -> bool {
    if expected.is_u64() || expected.is_i64() {
        return found == expected.to_string();
    }
    // The other parser may be off by the last bit.
    let (Ok(found), Some(expected)) = (found.parse::<f64>(), expected.as_f64()) else {
        return false;
    };
    (found - expected).abs() <= expected.abs() * 1e-15
}

fuzz_target!(|data: &[u8]| {
    // As a record, and as a member of one; no wrapper is taken off where there is a name.
    let member = [br#"{"eventName":"A","v":"#, data, b"}"].concat();
    for text in [data, &member] {
        let expected = serde_json::from_slice::<Value>(text);
        let parsed = RecordParser::new().parse(text, |record| {
            let Ok(expected) = &expected else {
                // It refuses to go as deep as that.
                assert!(text.len() > 120, "accepted");
                return;
            };
            if !text.starts_with(b"{\"eventName\"") {
                return;
            }
            assert!(is(record.json, expected), "{expected}");
            let printed = serde_json::from_str::<Value>(&record.json.to_text()).expect("is JSON");
            assert!(is(record.json, &printed), "{printed}");
        });
        if let Err(
            RecordError::InvalidJson { .. }
            | RecordError::InvalidUtf8 { .. }
            | RecordError::LoneSurrogate { .. },
        ) = parsed
        {
            assert!(expected.is_err(), "refused");
        }
    }
});
