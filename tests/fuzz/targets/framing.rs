//! Framing: the same records however the bytes come in, and those that a JSON parser finds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use retrial_fuzz::{Yield, read};
use serde_json::Value;

/// The records of a `{"Records": […]}` that has nothing else to say; a JSON parser's word.
fn records(text: &str) -> Option<Vec<Value>> {
    // One name, written plainly and once: which of two of the same name counts is not the question.
    if text.matches("\"Records\"").count() != 1 || text.contains("\\u") {
        return None;
    }
    let Ok(Value::Object(document)) = serde_json::from_str(text) else {
        return None;
    };
    match document.get("Records") {
        Some(Value::Array(records)) if document.len() == 1 => Some(records.clone()),
        _ => None,
    }
}

/// Messages of other services come as `Records` too, and are set aside; so is what is no object.
fn is_plain(record: &Value) -> bool {
    let Value::Object(record) = record else {
        return false;
    };
    record.get("eventVersion").is_some_and(Value::is_string)
        && record.get("userIdentity").is_some_and(Value::is_object)
        && record
            .get("eventSource")
            .and_then(Value::as_str)
            .is_some_and(|source| source.ends_with(".amazonaws.com"))
}

fuzz_target!(|data: &[u8]| {
    let whole = read(data, usize::MAX);
    for piece in [1, 2, 7, 64] {
        assert_eq!(read(data, piece), whole, "in pieces of {piece}");
    }
    let Some(expected) = std::str::from_utf8(data).ok().and_then(records) else {
        return;
    };
    if !expected.iter().all(is_plain) {
        return;
    }
    let found: Vec<Value> = whole
        .iter()
        .map(|found| match found {
            Yield::Record { text, .. } => serde_json::from_slice(text).expect("a record is JSON"),
            Yield::Rejected(reject) => panic!("rejected: {reject}"),
        })
        .collect();
    assert_eq!(found, expected);
});
