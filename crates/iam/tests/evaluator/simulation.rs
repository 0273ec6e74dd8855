//! The form of a case: what it adds to plain documents, and what it refuses.

use retrial_iam::{Catalogue, SimulationCase};

/// A case with more members than an id and a request.
fn case(action: &str, arn: &str, more: &str) -> String {
    format!(
        r#"{{"id": "c", "request": {{"principal": "arn:aws:sts::111122223333:assumed-role/app/s1", "action": "{action}", "resource": {{"arn": "{arn}", "account": "111122223333"}}, "context": {{}}}}{more}}}"#
    )
}

#[track_caller]
fn check(case: &str, expect: &str) {
    let result = SimulationCase::parse(case)
        .unwrap_or_else(|error| panic!("{error}: {case}"))
        .run(Catalogue::bundled());
    let mut line = result.decision.name().to_owned();
    for layer in &result.unknown_layers {
        line += &format!(" ?{}", layer.name());
    }
    for key in &result.unknown_keys {
        line += &format!(" ?{key}");
    }
    for assumption in &result.assumes {
        line += &format!(" +{assumption}");
    }
    for found in &result.determined_by {
        line += &format!(" [{} {:?}]", found.policy, found.sid);
    }
    assert_eq!(line, expect);
}

const ALL: &str =
    r#"{"Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
const OBJECT: &str = "arn:aws:s3:::data/a";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0";

#[test]
fn what_nobody_knows_can_be_said() {
    let conditional = r#", "identity_policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]}]"#;
    let get = |more: &str| case("s3:GetObject", OBJECT, more);
    check(&get(conditional), "implicit_deny");
    check(
        &get(&format!(
            "{conditional}, \"context_unknown\": [\"aws:SourceIp\"]"
        )),
        "undetermined ?aws:SourceIp",
    );
    check(
        &get(&format!(
            "{conditional}, \"missing_keys\": \"by_catalogue\""
        )),
        "undetermined ?aws:SourceIp",
    );
    let allowed = format!(", \"identity_policies\": [{ALL}]");
    check(
        &get(&format!(
            "{allowed}, \"not_collected\": [\"scp\", \"rcp\", \"resource\", \"session\", \"vpc_endpoint\"]"
        )),
        r#"allowed +scp +rcp +vpce +resource_policy +session_policy [identity_policies[0] Some("All")]"#,
    );
    check(
        &get(", \"not_collected\": [\"resource\"]"),
        "undetermined ?resource",
    );
    check(
        &get(&format!(
            "{allowed}, \"not_collected\": [\"permissions_boundary\"]"
        )),
        "undetermined ?permissions_boundary",
    );
    check(
        &get(&format!("{allowed}, \"session_policies\": [{ALL}]")),
        r#"allowed [identity_policies[0] Some("All")] [session_policies[0] Some("All")]"#,
    );
}

#[test]
fn grants_are_part_of_a_case() {
    let grants = r#", "resource_policy": {"Statement": []}, "grants": [{"GrantId": "g", "GranteePrincipal": "arn:aws:iam::111122223333:role/app", "Operations": ["Decrypt"]}]"#;
    check(&case("kms:Decrypt", KEY, grants), "allowed [g None]");
    check(&case("kms:Encrypt", KEY, grants), "implicit_deny");
}

#[test]
fn what_is_no_case_is_refused() {
    let error = |more: &str| {
        SimulationCase::parse(&case("s3:GetObject", OBJECT, more))
            .unwrap_err()
            .to_string()
    };
    assert!(error(", \"idenity_policies\": []").contains("unknown field `idenity_policies`"));
    assert_eq!(
        error(r#", "scps": [{"policies": [{}]}]"#),
        "`scps[0].policies[0]`: 1:1: the document has no `Statement`"
    );
    assert_eq!(
        error(r#", "expected": "denied""#),
        "`expected` is `denied`, which is no decision"
    );
    assert_eq!(
        error(r#", "not_collected": ["moon"]"#),
        "`not_collected` has `moon`, which is no layer"
    );
    assert_eq!(
        error(r#", "facts": {"session_issuer_arn": "arn:aws:iam::111122223333:role/other"}"#),
        "`facts.session_issuer_arn` is `arn:aws:iam::111122223333:role/other`, which is no role of the principal's session"
    );
    let nobody = case("s3:GetObject", OBJECT, "").replace("arn:aws:sts", "arn:aws:s3");
    assert!(SimulationCase::parse(&nobody).is_err());
}
