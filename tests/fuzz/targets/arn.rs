//! `ArnLike` and `Resource` against six parts compared one by one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use retrial_fuzz::{KEY, arn, decide, holds, lines};
use retrial_iam::Decision;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Some(lines) = lines(data, 2) else {
        return;
    };
    let (pattern, text) = (format!("arn:{}", lines[0]), format!("arn:{}", lines[1]));
    let expected = arn(&pattern, &text);
    for operator in ["ArnLike", "ArnEquals"] {
        let condition = json!({operator: {KEY: pattern}});
        let found = holds("2008-10-17", &condition, Some(&text));
        if pattern.splitn(6, ':').count() == 6 {
            assert_eq!(
                found,
                Some(expected),
                "{operator} {pattern:?} with {text:?}"
            );
        } else {
            // Whether missing parts are filled up is not documented; that nobody is let in is what counts.
            assert_ne!(found, Some(true), "{operator} {pattern:?} with {text:?}");
        }
    }
    // Short patterns are padded in `Resource`, which is not this comparison.
    if pattern.splitn(6, ':').count() == 6 && text.splitn(6, ':').count() == 6 {
        let document = json!({"Version": "2008-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": pattern
        }});
        let found = decide(&document, &text, None) == Decision::Allowed;
        assert_eq!(found, expected, "Resource {pattern:?} with {text:?}");
    }
});
