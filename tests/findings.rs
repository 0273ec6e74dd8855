//! `retrial findings`: what is planted in `sample-logs` is found with its cause, the page of somebody who
//! has no more than the authorization details is short and firm, and every format is safe.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::support::{
    Ran, analyze, duckdb, files_under, gzip, log, record, retrial, root, snapshot_of_ana, text,
    write,
};

fn findings(out: &Path, iam: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec!["findings", "--out", text(out), "--iam", text(iam)];
    arguments.extend(more);
    retrial(&arguments)
}

#[track_caller]
pub(crate) fn findings_json(out: &Path, iam: &Path, more: &[&str]) -> Value {
    let mut arguments = vec!["--format", "json"];
    arguments.extend(more);
    findings(out, iam, &arguments).expect_status(0).json()
}

/// The findings of a kind, as (principal, action, cause, calls).
pub(crate) fn of_kind(report: &Value, kind: &str) -> BTreeSet<(String, String, String, u64)> {
    let of = |finding: &Value| {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let calls = finding["calls"].as_u64().unwrap();
        (text("principal_arn"), text("action"), text("cause"), calls)
    };
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["kind"] == kind && finding["hidden"].is_null())
        .map(of)
        .collect()
}

fn sample_output(folder: &Path) -> (PathBuf, PathBuf) {
    let logs = root().join("sample-logs");
    let (out, iam) = (folder.join("out"), logs.join("iam"));
    analyze(&logs, &iam, &out, &[]);
    (out, iam)
}

/// What the truth file plants under a verdict, as [`of_kind`] gives it.
fn planted(verdict: &str, cause: &str) -> BTreeSet<(String, String, String, u64)> {
    let truth = fs::read(root().join("sample-logs/truth.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let stories = truth["planted"].as_array().unwrap().iter();
    let stories = stories.filter(|story| story["kind"] == verdict);
    let of = |story: &Value| {
        let text = |name: &str| story[name].as_str().unwrap().to_owned();
        let calls = story["calls"].as_u64().unwrap();
        (
            text("principal_arn"),
            text("action"),
            cause.to_owned(),
            calls,
        )
    };
    stories.map(of).collect()
}

#[test]
fn what_is_planted_is_found_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam) = sample_output(folder.path());
    let report = findings_json(&out, &iam, &[]);
    assert_eq!(
        of_kind(&report, "WouldBeDenied"),
        planted("would_be_denied", "policy_changed")
    );
    assert_eq!(
        of_kind(&report, "WouldBeAllowed"),
        planted("would_be_allowed", "")
    );
    assert_eq!(report["error_rate"]["contradicted"], 0);
    let deleted: Vec<u64> = of_kind(&report, "PrincipalDeleted")
        .iter()
        .map(|one| one.3)
        .collect();
    let recreated: Vec<u64> = of_kind(&report, "PrincipalRecreated")
        .iter()
        .map(|one| one.3)
        .collect();
    assert_eq!((deleted, recreated), (vec![12], vec![9]));
    let matrix: u64 = report["matrix"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| cell["calls"].as_u64().unwrap())
        .sum();
    let verdicts = report["verdicts"].as_object().unwrap();
    let calls: u64 = verdicts.values().map(|calls| calls.as_u64().unwrap()).sum();
    let not_evaluated = verdicts["not_evaluated"].as_u64().unwrap();
    assert_eq!(matrix, calls - not_evaluated);
    assert_eq!(
        calls + report["copies"].as_u64().unwrap(),
        report["calls"].as_u64().unwrap()
    );
    let ids: BTreeSet<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["finding_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids.len(),
        report["findings"].as_array().unwrap().len(),
        "ids are names"
    );
}

/// The snapshot's time is what lets a difference be laid to a write.
#[test]
fn without_a_time_of_the_snapshot_all_differences_are_unexplained() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam) = sample_output(folder.path());
    let bare = folder.path().join("iam");
    for account in ["111122223333", "444455556666"] {
        let key = format!("accounts/{account}/authorization-details.json");
        write(&bare, &key, &fs::read(iam.join(&key)).unwrap());
    }
    let report = findings_json(&out, &bare, &[]);
    let causes = |report: &Value| -> BTreeSet<String> {
        of_kind(report, "WouldBeDenied")
            .into_iter()
            .map(|one| one.2)
            .collect()
    };
    assert_eq!(causes(&report), BTreeSet::from(["unexplained".to_owned()]));
    let report = findings_json(&out, &bare, &["--snapshot-time", "2026-11-09"]);
    assert_eq!(
        causes(&report),
        BTreeSet::from(["policy_changed".to_owned()])
    );
    // Before the last writes the policies were others: the calls after it are compared with them.
    let report = findings_json(&out, &bare, &["--snapshot-time", "2026-11-01"]);
    assert!(!causes(&report).contains("policy_changed"));
}

/// `sample-logs` as a trail without data events delivers them.
fn without_data_events(folder: &Path) -> PathBuf {
    let logs = root().join("sample-logs");
    let into = folder.join("management-events");
    for (key, bytes) in files_under(&logs.join("AWSLogs")) {
        if !key.contains("/CloudTrail/") {
            continue;
        }
        let mut text = String::new();
        let mut file = MultiGzDecoder::new(bytes.as_slice());
        if file.read_to_string(&mut text).is_err() {
            continue;
        }
        let Ok(mut log) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        if let Some(records) = log["Records"].as_array_mut() {
            records.retain(|record| record["eventCategory"] != "Data");
        }
        write(
            &into.join("AWSLogs"),
            &key,
            &gzip(log.to_string().as_bytes()),
        );
    }
    into
}

/// The day-one user has `get-account-authorization-details` and a trail without data events.
#[test]
fn the_first_page_of_the_first_day() {
    let folder = tempfile::tempdir().unwrap();
    let logs = without_data_events(folder.path());
    let bare = folder.path().join("iam");
    for account in ["111122223333", "444455556666"] {
        let key = format!("accounts/{account}/authorization-details.json");
        let details = root().join("sample-logs/iam").join(&key);
        write(&bare, &key, &fs::read(details).unwrap());
    }
    let out = folder.path().join("out");
    analyze(&logs, &bare, &out, &[]);
    let page = findings(&out, &bare, &[]).expect_status(0);
    assert!(page.stderr.is_empty(), "{}", page.stderr);
    // One screen of a terminal, twice over at most.
    assert!(page.stdout.lines().count() <= 110, "{}", page.stdout);
    insta::assert_snapshot!("first day", page.stdout);
}

/// A share of undetermined calls above what the truth file demands fails.
#[test]
fn no_more_is_undetermined_than_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam) = sample_output(folder.path());
    let truth = fs::read(root().join("sample-logs/truth.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let report = findings_json(&out, &iam, &[]);
    assert_eq!(
        report["verdicts"]["undetermined"],
        truth["verdicts"]["undetermined"]
    );
}

#[test]
fn thresholds_and_exclusions() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam) = sample_output(folder.path());
    let status = |more: &[&str]| findings(&out, &iam, more).status;
    assert_eq!(status(&["--fail-on", "would-be-denied"]), 1);
    assert_eq!(status(&["--fail-on", "WouldBeDenied:high"]), 1);
    assert_eq!(status(&["--fail-on", "DeadStatement"]), 0);
    assert_eq!(status(&["--fail-on", "any:high"]), 1);
    assert_eq!(status(&["--fail-on", "nonsense"]), 2);

    let file = folder.path().join("exclusions.toml");
    let exclude = |entries: &str| {
        fs::write(&file, entries).unwrap();
        findings_json(&out, &iam, &["--exclude", text(&file)])
    };
    let all = "[[exclude]]\nkind = \"WouldBeDenied\"\nreason = \"meant\"\nowner = \"security\"\n";
    let report = exclude(all);
    assert!(of_kind(&report, "WouldBeDenied").is_empty());
    assert_eq!(report["hidden"]["excluded"], 5);
    assert_eq!(
        status(&["--exclude", text(&file), "--fail-on", "would-be-denied"]),
        0
    );
    // Through its last day it holds; what has expired is shown again.
    let report = exclude(&format!("{all}expires = \"2026-11-08\"\n"));
    assert_eq!(
        report["hidden"],
        json!({"service_linked_role": report["hidden"]["service_linked_role"], "excluded": 5, "expired_exclusions": 0})
    );
    let report = exclude(&format!("{all}expires = \"2026-11-07\"\n"));
    assert_eq!(of_kind(&report, "WouldBeDenied").len(), 5);
    assert_eq!(report["hidden"]["expired_exclusions"], 1);
    // By tag, of the principal.
    let by_tag = "[[exclude]]\ntag = \"team=research\"\nreason = \"known\"\nowner = \"research\"\n";
    let report = exclude(by_tag);
    let principals: BTreeSet<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| !finding["hidden"].is_null())
        .map(|finding| finding["principal_arn"].as_str().unwrap().to_owned())
        .filter(|arn| !arn.contains("/aws-service-role/"))
        .collect();
    assert_eq!(
        principals,
        BTreeSet::from([
            "arn:aws:iam::111122223333:role/service-role/ResearchTrainingRole".to_owned()
        ])
    );
    fs::write(&file, "[[exclude]]\nkind = \"WouldBeDenied\"\n").unwrap();
    let ran = findings(&out, &iam, &["--exclude", text(&file)]).expect_status(2);
    assert!(
        ran.stderr
            .contains("exclusions.toml`: line 1: missing field"),
        "{}",
        ran.stderr
    );
}

/// The owner is a tag of the principal; which one is an option.
#[test]
fn the_owner_is_a_tag() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam) = sample_output(folder.path());
    let owners = |more: &[&str]| -> BTreeSet<String> {
        let report = findings_json(&out, &iam, more);
        let all = report["findings"].as_array().unwrap().iter();
        all.filter_map(|finding| Some(finding["owner"].as_str()?.to_owned()))
            .collect()
    };
    assert_eq!(owners(&[]), BTreeSet::new());
    assert_eq!(
        owners(&["--owner-tag", "Team"]),
        BTreeSet::from(["research".to_owned()])
    );
}

const HOSTILE: &str = "=cmd|'/C calc'!A0\n\u{1b}[31m<script>alert(1)</script>|`x`\u{202e}";

/// What a caller wrote drives no terminal, spreadsheet, page or scanner.
#[test]
fn hostile_names_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_ana(folder.path());
    let mut records = Vec::new();
    for index in 0..12 {
        let mut denied = record(&format!("e{index}{HOSTILE}"));
        denied["eventName"] = json!("DescribeTrainingJob");
        denied["requestParameters"] = json!({"trainingJobName": format!("{HOSTILE}{index}")});
        denied["errorCode"] = json!("AccessDenied");
        denied["errorMessage"] = json!(HOSTILE);
        records.push(denied);
    }
    let log = json!({"Records": records}).to_string();
    let logs = folder.path().join("logs");
    write(&logs, "a.json", log.as_bytes());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    for format in ["text", "csv", "markdown", "sarif", "json"] {
        let ran = findings(&out, &iam, &["--format", format, "--limit", "0"]).expect_status(0);
        let printed = ran.stdout;
        assert!(!printed.contains('\u{1b}'), "{format}: {printed}");
        if format == "json" {
            serde_json::from_str::<Value>(&printed).unwrap();
            continue;
        }
        assert!(!printed.contains('\u{202e}'), "{format}: {printed}");
        if format == "sarif" {
            serde_json::from_str::<Value>(&printed).unwrap();
            continue;
        }
        for line in printed.lines() {
            assert!(
                !line.starts_with("=cmd") && !line.contains(",=cmd"),
                "{format}: {line}"
            );
        }
        if format == "markdown" {
            assert!(!printed.contains("<script>"), "{printed}");
        }
    }
}

#[test]
fn sarif_has_what_github_wants() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam) = sample_output(folder.path());
    let log = findings(&out, &iam, &["--format", "sarif"])
        .expect_status(0)
        .json();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty() && results.len() <= 5_000);
    let mut levels = Vec::new();
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let location = &result["locations"][0]["physicalLocation"];
        assert!(location["artifactLocation"]["uri"].is_string());
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
        levels.push(match result["level"].as_str().unwrap() {
            "error" => 0,
            "warning" => 1,
            "note" => 2,
            other => panic!("no level is called {other}"),
        });
    }
    assert!(levels.is_sorted(), "the worst first");
}

#[test]
fn nothing_to_say_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_ana(folder.path());
    let logs = folder.path().join("logs");
    write(&logs, "a.json", log(&["a"]).as_bytes());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    // `sagemaker:List*` grants actions of which no record can tell.
    let page = findings(&out, &iam, &[]).expect_status(0).stdout;
    assert!(
        page.contains("\n1 low\n") && page.contains("  low  BlindSpot  "),
        "{page}"
    );
    let file = folder.path().join("exclusions.toml");
    let known = "[[exclude]]\nkind = \"blind-spot\"\nreason = \"known\"\nowner = \"security\"\n";
    fs::write(&file, known).unwrap();
    let page = findings(&out, &iam, &["--exclude", text(&file)])
        .expect_status(0)
        .stdout;
    assert!(page.contains("nothing is to be done"), "{page}");

    // All that is granted is used.
    let granted = fs::read_to_string(&iam).unwrap();
    let used = granted.replace("sagemaker:List*", "sagemaker:ListTrainingJobs");
    fs::write(&iam, used).unwrap();
    let page = findings(&out, &iam, &[]).expect_status(0).stdout;
    assert!(page.contains("nothing is to be done"), "{page}");
}

/// A snapshot with the role that trains: all that its job needs but one thing, and more.
fn snapshot_of_a_training_role(folder: &Path) -> PathBuf {
    let iam = folder.join("iam");
    let statement = |actions: Value, resource: Value| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let role = json!({
        "Path": "/", "RoleName": "train", "RoleId": "AROAEXAMPLETRAIN0000", "Arn": "arn:aws:iam::111122223333:role/train",
        "CreateDate": "2024-03-01T08:00:00Z", "InstanceProfileList": [], "AttachedManagedPolicies": [],
        "Tags": [{"Key": "owner", "Value": "research"}],
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
        "RolePolicyList": [{"PolicyName": "job", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            statement(json!(["logs:CreateLogGroup", "logs:DescribeLogStreams", "logs:CreateLogStream", "logs:PutLogEvents", "ecr:GetAuthorizationToken"]), json!("*")),
            statement(json!(["s3:ListBucket", "s3:GetBucketLocation"]), json!("arn:aws:s3:::in")),
            statement(json!("s3:GetObject"), json!(["arn:aws:s3:::in/*", "arn:aws:s3:::payroll/*"])),
            statement(json!("s3:PutObject"), json!("arn:aws:s3:::out/*")),
        ]}}],
    });
    let details = json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "Policies": []});
    let path = "accounts/111122223333/authorization-details.json";
    write(&iam, path, details.to_string().as_bytes());
    iam
}

/// A training job that reads `s3://in/data` and writes below `s3://out/m`.
fn training_job() -> Value {
    let mut call = record("job");
    call["eventName"] = json!("CreateTrainingJob");
    call["requestParameters"] = json!({
        "trainingJobName": "job", "roleArn": "arn:aws:iam::111122223333:role/train",
        "inputDataConfig": [{"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": "s3://in/data"}}}],
        "outputDataConfig": {"s3OutputPath": "s3://out/m"},
    });
    call
}

/// The next job of the role fails for what it lacks; what it has besides is told once.
#[test]
fn what_an_execution_role_lacks_and_has_in_excess() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_a_training_role(folder.path());
    let logs = folder.path().join("logs");
    let log = json!({"Records": [training_job()]}).to_string();
    write(&logs, "a.json", log.as_bytes());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    let report = findings_json(&out, &iam, &[]);
    let train = "arn:aws:iam::111122223333:role/train".to_owned();
    let missing = "cloudwatch:PutMetricData".to_owned();
    assert_eq!(
        of_kind(&report, "MissingRoleNeed"),
        BTreeSet::from([(train.clone(), missing, String::new(), 1)])
    );
    assert_eq!(
        of_kind(&report, "ExcessRoleNeed"),
        BTreeSet::from([(train, String::new(), String::new(), 0)])
    );
    let of = |kind: &str| {
        let all = report["findings"].as_array().unwrap();
        all.iter().find(|one| one["kind"] == kind).unwrap().clone()
    };
    let (missing, excess) = (of("MissingRoleNeed"), of("ExcessRoleNeed"));
    assert_eq!(missing["severity"], "medium");
    assert_eq!(missing["owner"], "research");
    assert_eq!(missing["event_ids"], json!(["job"]));
    assert_eq!(excess["severity"], "low");
    let actions = json!(["s3:GetBucketLocation on arn:aws:s3:::in"]);
    assert_eq!(excess["evidence"]["actions"], actions);
    // The job reads, and not from there.
    let wider = excess["evidence"]["wider"].as_array().unwrap();
    assert!(wider.contains(&json!("s3:GetObject on arn:aws:s3:::payroll/*")));
}

/// What a filter left out may have been used.
#[test]
fn a_filtered_output_calls_nothing_unused() {
    let folder = tempfile::tempdir().unwrap();
    let (iam, logs) = (root().join("sample-logs/iam"), root().join("sample-logs"));
    let of = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let mut arguments = vec!["--min-window", "5", "--assume-multi-region"];
        arguments.extend(more);
        let (_, report) = analyze(&logs, &iam, &out, &arguments);
        let findings = findings_json(&out, &iam, &arguments[..3]);
        let unused = findings["findings"].as_array().unwrap().iter();
        let kinds = [
            "UnusedPermission",
            "UnusedIAMUser",
            "UnusedTrust",
            "UnusedPolicy",
            "RoleNeverPassed",
            "OverBroadResource",
        ];
        let unused = unused.filter(|one| kinds.contains(&one["kind"].as_str().unwrap()));
        let states = &report["permissions"]["states"];
        (unused.count(), states["unused"].as_u64().unwrap(), out)
    };
    let (found, unused, _) = of("whole", &[]);
    assert!(found > 5 && unused > 100, "{found} {unused}");
    let (found, unused, out) = of("kms", &["--service", "kms"]);
    assert_eq!((found, unused), (0, 0));
    let page = findings(&out, &iam, &[]).expect_status(0).stdout;
    assert!(
        page.contains("nothing is called unused: a filter"),
        "{page}"
    );
    // Times bound the window, and leave nothing of it out.
    let (_, unused, _) = of("since", &["--since", "2026-11-03"]);
    assert!(unused > 100, "{unused}");
}

/// A call of a session of the role that trains.
fn call_of_the_role(id: &str, event: &str, key: &str) -> Value {
    let mut call = record(id);
    call["eventSource"] = json!("s3.amazonaws.com");
    call["eventName"] = json!(event);
    call["requestParameters"] = json!({"bucketName": "in", "key": key});
    call["resources"] =
        json!([{"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::in/{key}")}]);
    call["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLETRAIN0000:SageMaker", "accountId": "111122223333",
        "arn": "arn:aws:sts::111122223333:assumed-role/train/SageMaker",
        "sessionContext": {"sessionIssuer": {
            "type": "Role", "principalId": "AROAEXAMPLETRAIN0000", "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:role/train", "userName": "train"}},
    });
    call
}

/// S3-45: what the role's own calls show that it uses becomes a need, whatever no request tells of it.
#[test]
fn what_an_execution_role_was_seen_to_use_is_no_excess() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_a_training_role(folder.path());
    let path = iam.join("accounts/111122223333/authorization-details.json");
    let mut details: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let policy = &mut details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"];
    let statements = policy["Statement"].as_array_mut().unwrap();
    for (action, resource) in [
        ("s3:DeleteObject", "arn:aws:s3:::in/*"),
        ("s3:DeleteObject", "arn:aws:s3:::old/*"),
    ] {
        statements.push(json!({"Effect": "Allow", "Action": action, "Resource": resource}));
    }
    fs::write(&path, details.to_string()).unwrap();
    let logs = folder.path().join("logs");
    let calls = [
        training_job(),
        call_of_the_role("deletes", "DeleteObject", "data/old"),
        call_of_the_role("reads", "GetObject", "data/a"),
    ];
    write(
        &logs,
        "a.json",
        json!({ "Records": calls }).to_string().as_bytes(),
    );
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    let rows = duckdb(
        &out,
        "SELECT action, resource_arn, state, reason FROM 'role_needs/*/*.parquet' WHERE action IN ('s3:GetObject', 's3:DeleteObject') AND (state = 'excess' OR reason = 'observed') ORDER BY ALL",
    );
    assert_eq!(
        json!(rows),
        json!([
            [
                "s3:DeleteObject",
                "arn:aws:s3:::in/*",
                "present",
                "observed"
            ],
            ["s3:DeleteObject", "arn:aws:s3:::old/*", "excess", null],
            // One statement grants both, and was used for one of them.
            [
                "s3:GetObject",
                "arn:aws:s3:::in/*",
                "excess",
                "used_in_part"
            ],
            [
                "s3:GetObject",
                "arn:aws:s3:::payroll/*",
                "excess",
                "used_in_part"
            ],
        ])
    );
    let report = findings_json(&out, &iam, &[]);
    let findings = report["findings"].as_array().unwrap();
    let excess = findings.iter().find(|one| one["kind"] == "ExcessRoleNeed");
    assert_eq!(
        excess.unwrap()["evidence"]["actions"],
        json!([
            "s3:DeleteObject on arn:aws:s3:::old/*",
            "s3:GetBucketLocation on arn:aws:s3:::in"
        ])
    );
}
