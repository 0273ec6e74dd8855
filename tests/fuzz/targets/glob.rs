//! `StringLike` and the last part of `Resource` against the textbook's table.

#![no_main]

use libfuzzer_sys::fuzz_target;
use retrial_fuzz::{KEY, decide, glob, holds, lines};
use retrial_iam::Decision;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Some(lines) = lines(data, 2) else {
        return;
    };
    let (pattern, text) = (lines[0], lines[1]);
    // A document of the old version has no variables, so every pattern is only a pattern.
    let condition = json!({"StringLike": {KEY: pattern}});
    assert_eq!(
        holds("2008-10-17", &condition, Some(text)),
        Some(glob(pattern, text)),
        "StringLike {pattern:?} with {text:?}"
    );
    if text.is_empty() || pattern.is_empty() {
        return;
    }
    let (pattern, text) = (
        format!("arn:aws:s3:::{pattern}"),
        format!("arn:aws:s3:::{text}"),
    );
    let document = json!({"Version": "2008-10-17", "Statement": {
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": pattern
    }});
    assert_eq!(
        decide(&document, &text, None) == Decision::Allowed,
        glob(&pattern, &text),
        "Resource {pattern:?} with {text:?}"
    );
});
