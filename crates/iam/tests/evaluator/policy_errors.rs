//! What is wrong with a policy, and where.

use retrial_iam::CompiledPolicy;

#[track_caller]
fn check(text: &str, expect: &str) {
    match CompiledPolicy::identity(text) {
        Ok(policy) => assert_eq!(expect, "", "{policy:?}"),
        Err(error) => assert_eq!(error.to_string(), expect),
    }
}

/// A document around one statement's text, which begins at 1:15.
#[track_caller]
fn check_statement(text: &str, expect: &str) {
    check(&format!("{{\"Statement\":{{{text}}}}}"), expect);
}

#[test]
fn forms_of_a_document() {
    let statement = r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}"#;
    check(&format!(r#"{{"Statement": {statement}}}"#), "");
    check(
        &format!(
            r#"{{"Version": "2012-10-17", "Id": "x", "Statement": [{statement}, {statement}]}}"#
        ),
        "",
    );
    check(
        &format!("\u{feff}\r\n{{\"Statement\": [{statement}]}}\n"),
        "",
    );
    check(r#"{"Statement": []}"#, "");
    check_statement(
        r#""Effect":"Deny","NotAction":["iam:*"],"NotResource":["*"],"Sid":"","Condition":{}"#,
        "",
    );
    check_statement(
        r#""Effect":"Deny","Action":"**","Resource":"*","Condition":{"Bool":{"a:b":[true,"true"]},"NumericEquals":{"a:c":1.5e3}}"#,
        "",
    );
}

#[test]
fn broken_json() {
    check("", "1:1: document is empty");
    check(" \n ", "2:2: document is empty");
    check(
        "{\n  \"Version\": \"2012-10-17\",\n",
        "3:1: document ends inside an object",
    );
    check("{\"Statement\": [", "1:16: document ends inside an array");
    check("{\"Statement\": ", "1:15: document ends inside an object");
    check("{\"Statement\": \"", "1:16: document ends inside a string");
    check(
        "{\"Statement\": [\n{\n\"Sid\": \"Studio\"\n\"Effect\": \"Allow\"}]}",
        "4:1: expected `,` or `}` after the value of `Sid`, found `\"`",
    );
    check(
        "{\n\"Statement\": [],\n}",
        "2:16: trailing comma before `}`",
    );
    check("{\"Statement\": [{}, ]}", "1:18: trailing comma before `]`");
    check(
        "{\"Resource\": arn:aws:s3:::bucket}",
        "1:14: expected a value for `Resource`, found `a`",
    );
    check(
        "{\"Statement\": [arn:aws:s3:::bucket]}",
        "1:16: expected a value, found `a`",
    );
    check(
        "{Statement: []}",
        "1:2: expected a name in double quotes, found `S`",
    );
    check(
        "{\"Statement\" []}",
        "1:14: expected `:` after `Statement`, found `[`",
    );
    check(
        "{\"Statement\": [{} {}]}",
        "1:19: expected `,` or `]` after an array element, found `{`",
    );
    check("{} {}", "1:4: expected the end of the document, found `{`");
    check("{\"a\": 01}", "1:7: malformed number");
    check(
        "{\"a\": \"\\x\"}",
        "1:8: backslash before `x` is no escape sequence",
    );
    check(
        "{\"a\": \"\\ud800\"}",
        "1:8: `\\u` is not followed by the four hexadecimal digits of a character",
    );
    check("{\"a\": \"\t\"}", "1:8: control character inside a string");
    check(
        "{\"é\": 1, \"é\": 2}",
        "1:10: `é` stands twice in the same object",
    );
    check(&"[".repeat(100_000), "1:17: nested deeper than 16 levels");
    check(
        "{\"a\u{7f}\": nul}",
        "1:8: expected a value for `a\\u{7f}`, found `n`",
    );
}

#[test]
fn broken_documents() {
    check(
        "[]",
        "1:1: a policy document must be an object, not an array",
    );
    check("{}", "1:1: the document has no `Statement`");
    check(
        "{\n  \"Sid\": \"x\"}",
        "2:3: unknown element `Sid` in the document",
    );
    check(
        "{\"Statement\": \"x\"}",
        "1:15: `Statement` must be an object or an array of objects, not a string",
    );
    check(
        "{\"Statement\": [1]}",
        "1:16: `Statement` must be an object or an array of objects, not a number",
    );
    check(
        "{\"Version\": \"2012-10-18\", \"Statement\": []}",
        "1:13: unknown policy version `2012-10-18`",
    );
    check(
        "{\"Version\": 2012, \"Statement\": []}",
        "1:13: `Version` must be a string, not a number",
    );
    check(
        "{\"Statement\": [], \"Statement\": []}",
        "1:19: `Statement` stands twice in the same object",
    );
}

#[test]
fn broken_statements() {
    check_statement("", "1:14: the statement has no `Effect`");
    check_statement(r#""Effect":"Allow""#, "1:14: the statement has no `Action`");
    check_statement(
        r#""Effect":"Allow","Action":"s3:*""#,
        "1:14: the statement has no `Resource`",
    );
    check_statement(
        r#""Effect":"allow""#,
        "1:24: `Effect` must be `Allow` or `Deny`, not `allow`",
    );
    check_statement(
        r#""effect":"Allow""#,
        "1:15: unknown element `effect` in the statement",
    );
    check_statement(
        r#""Principal":"*""#,
        "1:15: `Principal` cannot stand in an identity policy",
    );
    check_statement(
        r#""NotPrincipal":"*""#,
        "1:15: `NotPrincipal` cannot stand in an identity policy",
    );
    check_statement(
        r#""Action":"s3:*","NotAction":"s3:*""#,
        "1:31: the statement has both `Action` and `NotAction`",
    );
    check_statement(
        r#""Resource":"*","NotResource":"*""#,
        "1:30: the statement has both `Resource` and `NotResource`",
    );
    check_statement(
        r#""Action":["s3:GetObject","GetObject"]"#,
        "1:40: action `GetObject` has no service prefix",
    );
    check_statement(r#""NotResource":[]"#, "1:29: `Resource` is empty");
    check_statement(
        r#""Action":[true]"#,
        "1:25: `Action` must be a string or an array of strings, not a boolean",
    );
    check_statement(
        r#""Condition":[]"#,
        "1:27: `Condition` must be an object, not an array",
    );
    check_statement(
        r#""Condition":{"Bool":"x"}"#,
        "1:35: `Bool` must be an object, not a string",
    );
    check_statement(
        r#""Condition":{"Bool":{"a:b":null}}"#,
        "1:42: `a:b` must be a string, number or boolean, or an array of them, not null",
    );
    check_statement(
        r#""Condition":{"Bool":{"a:b":true},"Bool":{"a:c":true}}"#,
        "1:48: `Bool` stands twice in the same object",
    );
}

#[test]
fn a_message_is_one_short_line() {
    let error = CompiledPolicy::identity(&format!("{{\"{}\\n\": 1}}", "x".repeat(5000)))
        .unwrap_err()
        .to_string();
    assert!(
        error.chars().count() < 200 && !error.contains('\n'),
        "{error}"
    );
}
