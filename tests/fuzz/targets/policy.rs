//! Policy documents of any text: never a panic, and the laws of those that compile.

#![no_main]

use libfuzzer_sys::fuzz_target;
use retrial_fuzz::decide;
use retrial_iam::{Catalogue, CompiledPolicy, Decision, PolicyKind, lint};
use serde_json::{Value, json};

const OBJECT: &str = "arn:aws:s3:::lake/a";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for kind in [PolicyKind::Identity, PolicyKind::Resource] {
        for finding in lint(text, kind, Catalogue::bundled()) {
            assert!(finding.line > 0 && finding.column > 0, "{finding:?}");
        }
    }
    // A byte order mark is let pass, and serde_json does not know it.
    let text = text.trim_start_matches('\u{feff}');
    if CompiledPolicy::identity(text).is_err() {
        return;
    }
    let document: Value = serde_json::from_str(text).expect("what compiles is JSON");
    let printed = document.to_string();
    assert!(
        CompiledPolicy::identity(&printed).is_ok(),
        "printed again: {printed}"
    );
    let decision = decide(&document, OBJECT, Some("value"));
    let Some(statement) = document.get("Statement") else {
        return;
    };
    let mut statements = match statement {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let with = |statements: &[Value]| {
        let mut document = document.clone();
        document["Statement"] = json!(statements);
        decide(&document, OBJECT, Some("value"))
    };
    statements.reverse();
    assert_eq!(with(&statements), decision, "statements in another order");
    statements.push(json!({"Effect": "Deny", "Action": "*", "Resource": "*"}));
    assert_eq!(with(&statements), Decision::ExplicitDeny, "a deny wins");
});
