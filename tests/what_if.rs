//! `retrial what-if`: a planted change of each layer touches exactly the calls that it was planted for.

use std::fs;
use std::path::{Path, PathBuf};

use retrial_iam::{Catalogue, ChangeScope, Snapshot, SnapshotFile, overlay};
use retrial_pipeline::{Manifest, WhatIfReport, WhatIfRun, Window, what_if};
use retrial_replay::{Assumptions, Mapping, Replayer, WhatIf};
use retrial_storage::FolderStore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{analyze, duckdb, files_under, retrial, root, text, write};

const DETAILS: &str = "accounts/111122223333/authorization-details.json";
const S3: &str = "accounts/111122223333/resource-policies/s3.json";
const KMS: &str = "accounts/111122223333/resource-policies/kms.json";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000001";
const DATA: &str = "arn:aws:s3:::made-up-data";
const SHARED: &str = "arn:aws:s3:::made-up-shared";
const ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

fn user(name: &str) -> String {
    format!("arn:aws:iam::111122223333:user/{name}")
}

fn role() -> String {
    "arn:aws:iam::111122223333:role/deploy".to_owned()
}

fn policy(name: &str) -> String {
    format!("arn:aws:iam::111122223333:policy/{name}")
}

/// A document of statements with one effect, actions and resource each.
fn document(statements: &[(&str, &str, &str)]) -> Value {
    let statements: Vec<Value> = statements
        .iter()
        .map(|(effect, action, resource)| json!({"Effect": effect, "Action": action, "Resource": resource}))
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A document that lets a principal, or keeps everybody from, one action.
fn named(effect: &str, principal: &str, action: &str, resource: &str) -> Value {
    let principal = match principal {
        "*" => json!("*"),
        arn => json!({"AWS": arn}),
    };
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Planted", "Effect": effect, "Principal": principal, "Action": action, "Resource": resource}]})
}

fn inline(statements: &[(&str, &str, &str)]) -> Value {
    json!([{"PolicyName": "own", "PolicyDocument": document(statements)}])
}

fn version(statements: &[(&str, &str, &str)]) -> Value {
    json!([{"VersionId": "v1", "IsDefaultVersion": true, "Document": document(statements)}])
}

const LIST: (&str, &str, &str) = ("Allow", "sagemaker:List*", "*");
const GET: (&str, &str, &str) = ("Allow", "s3:GetObject", "*");
const DECRYPT: (&str, &str, &str) = ("Allow", "kms:Decrypt", "*");
const ASSUME: (&str, &str, &str) = ("Allow", "sts:AssumeRole", "*");

fn user_entry(name: &str, more: Value) -> Value {
    let mut entry = json!({"Path": "/", "UserName": name, "Arn": user(name),
        "UserId": format!("AIDAEXAMPLE{:0<10}", name.to_uppercase()), "CreateDate": "2024-03-01T08:00:00Z"});
    for (member, value) in more.as_object().unwrap() {
        entry[member] = value.clone();
    }
    entry
}

fn attached(name: &str) -> Value {
    json!([{"PolicyName": name, "PolicyArn": policy(name)}])
}

fn bounded(name: &str) -> Value {
    json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy(name)})
}

/// Two accounts of an organization, all layers collected.
fn snapshot(folder: &Path) {
    let details = json!({
        "UserDetailList": [
            user_entry("ana", json!({"UserPolicyList": inline(&[LIST, GET, DECRYPT, ASSUME])})),
            user_entry("bob", json!({"GroupList": ["readers"]})),
            user_entry("cleo", json!({"AttachedManagedPolicies": attached("team"), "PermissionsBoundary": bounded("fence")})),
            user_entry("dora", json!({})),
            user_entry("eli", json!({})),
            user_entry("gus", json!({})),
            user_entry("hal", json!({})),
        ],
        "GroupDetailList": [{"Path": "/", "GroupName": "readers", "GroupId": "AGPAEXAMPLEREADERS000",
            "Arn": "arn:aws:iam::111122223333:group/readers", "CreateDate": "2024-03-01T08:00:00Z",
            "GroupPolicyList": inline(&[LIST])}],
        "RoleDetailList": [{"Path": "/", "RoleName": "deploy", "RoleId": "AROAEXAMPLEDEPLOY0000", "Arn": role(),
            "CreateDate": "2024-03-01T08:00:00Z",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole"}]}}],
        "Policies": [
            {"PolicyName": "team", "Arn": policy("team"), "DefaultVersionId": "v1", "PolicyVersionList": version(&[LIST])},
            {"PolicyName": "fence", "Arn": policy("fence"), "DefaultVersionId": "v1",
             "PolicyVersionList": version(&[("Allow", "sagemaker:*", "*")])}]
    });
    let other = json!({"UserDetailList": [{"Path": "/", "UserName": "fay", "Arn": "arn:aws:iam::444455556666:user/fay",
        "UserId": "AIDAEXAMPLEFAY0000000", "CreateDate": "2024-03-01T08:00:00Z", "UserPolicyList": inline(&[LIST])}],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": []});
    let bucket = json!({"OwnerAccount": "111122223333",
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "BlockPublicPolicy": true,
            "IgnorePublicAcls": true, "RestrictPublicBuckets": true}});
    let grant = json!({"GrantId": "g1", "KeyId": KEY, "GranteePrincipal": user("eli"), "Operations": ["Decrypt"]});
    let full = |name: &str, policy_type: &str| {
        let content = match policy_type {
            "SERVICE_CONTROL_POLICY" => document(&[("Allow", "*", "*")]),
            _ => named("Allow", "*", "*", "*"),
        };
        json!({"PolicySummary": {"Id": name, "Type": policy_type, "AwsManaged": true}, "Content": content.to_string(),
            "Targets": [{"TargetId": "r-ab12"}, {"TargetId": "111122223333"}, {"TargetId": "444455556666"}]})
    };
    let organization = json!({
        "Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"},
        "Roots": [{"Id": "r-ab12"}],
        "Accounts": [{"Id": "111122223333", "ParentId": "r-ab12"}, {"Id": "444455556666", "ParentId": "r-ab12"},
            {"Id": "999900001111", "ParentId": "r-ab12"}],
        "Policies": [full("p-FullAWSAccess", "SERVICE_CONTROL_POLICY"), full("p-RCPFullAWSAccess", "RESOURCE_CONTROL_POLICY")]
    });
    let endpoint = json!({"VpcEndpoints": [{"VpcEndpointId": ENDPOINT, "VpcId": "vpc-0a1b2c3d",
        "PolicyDocument": named("Allow", "*", "*", "*").to_string()}]});
    let files = [
        (DETAILS, details),
        ("accounts/444455556666/authorization-details.json", other),
        (
            S3,
            json!({DATA: null, SHARED: named("Allow", &user("dora"), "s3:GetObject", "arn:aws:s3:::made-up-shared/*")}),
        ),
        (
            KMS,
            json!({KEY: named("Allow", "arn:aws:iam::111122223333:root", "kms:*", "*")}),
        ),
        (
            "accounts/111122223333/kms-grants.json",
            json!({KEY: [grant]}),
        ),
        (
            "accounts/111122223333/s3-buckets.json",
            json!({"made-up-data": bucket, "made-up-shared": bucket}),
        ),
        ("accounts/111122223333/vpc-endpoints.json", endpoint),
        ("organization.json", organization),
    ];
    for (path, value) in files {
        write(folder, path, value.to_string().as_bytes());
    }
}

/// A user's call; the event id tells which.
fn call(id: &str, name: &str, source: &str, event: &str, parameters: Value) -> Value {
    let account = if name == "fay" {
        "444455556666"
    } else {
        "111122223333"
    };
    json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "principalId": format!("AIDAEXAMPLE{:0<10}", name.to_uppercase()),
            "arn": format!("arn:aws:iam::{account}:user/{name}"), "accountId": account,
            "accessKeyId": "AKIAEXAMPLEKEY000000", "userName": name},
        "eventTime": "2026-11-02T09:30:00Z", "eventSource": format!("{source}.amazonaws.com"), "eventName": event,
        "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.31.0",
        "requestParameters": parameters, "responseElements": null, "eventID": id, "readOnly": true,
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management"
    })
}

fn list(id: &str, name: &str) -> Value {
    call(id, name, "sagemaker", "ListTrainingJobs", Value::Null)
}

fn with(mut call: Value, member: &str, value: Value) -> Value {
    call[member] = value;
    call
}

fn get(id: &str, name: &str, bucket: &str) -> Value {
    let call = call(
        id,
        name,
        "s3",
        "GetObject",
        json!({"bucketName": bucket, "key": "k"}),
    );
    let resources = json!([
        {"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::{bucket}/k")},
        {"accountId": "111122223333", "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")}]);
    with(call, "resources", resources)
}

fn decrypt(id: &str, name: &str) -> Value {
    let call = call(
        id,
        name,
        "kms",
        "Decrypt",
        json!({"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
    );
    with(
        call,
        "resources",
        json!([{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}]),
    )
}

fn logs(folder: &Path) {
    let parameters = json!({"roleArn": role(), "roleSessionName": "s"});
    let calls = [
        list("list-ana", "ana"),
        list("list-bob", "bob"),
        list("list-cleo", "cleo"),
        list("list-fay", "fay"),
        with(
            list("throttled-ana", "ana"),
            "errorCode",
            json!("ThrottlingException"),
        ),
        with(
            list("denied-gus", "gus"),
            "errorCode",
            json!("AccessDenied"),
        ),
        // It went through, and no policy allows it any more.
        list("drifted-hal", "hal"),
        get("get-ana", "ana", "made-up-data"),
        with(
            get("get-ana-by-endpoint", "ana", "made-up-data"),
            "vpcEndpointId",
            json!(ENDPOINT),
        ),
        get("get-dora", "dora", "made-up-shared"),
        decrypt("decrypt-ana", "ana"),
        decrypt("decrypt-eli", "eli"),
        call("assume-ana", "ana", "sts", "AssumeRole", parameters),
    ];
    let log = json!({ "Records": calls }).to_string();
    write(folder, "logs/a.json", log.as_bytes());
}

struct World {
    folder: TempDir,
}

impl World {
    #[track_caller]
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        logs(folder.path());
        snapshot(&folder.path().join("iam"));
        let world = World { folder };
        let (status, report) = analyze(
            &world.path("logs"),
            &world.path("iam"),
            &world.path("out"),
            &[],
        );
        assert_eq!(status, 0);
        // The world is as it was meant: but for the drift and the throttled call, all agree.
        assert_eq!(report["verdicts"]["agrees"], 11, "{report}");
        assert_eq!(report["verdicts"]["would_be_denied"], 1);
        assert_eq!(report["verdicts"]["not_comparable"], 1);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn change(&self, files: &[(&str, Value)]) -> PathBuf {
        let folder = self.path("change");
        let _ = fs::remove_dir_all(&folder);
        for (path, value) in files {
            write(&folder, path, value.to_string().as_bytes());
        }
        folder
    }

    /// The calls that a change makes a difference for, each with what it does to it.
    #[track_caller]
    fn check(&self, files: &[(&str, Value)], expect: &[&str]) -> Value {
        let change = self.change(files);
        let (out, iam) = (self.path("out"), self.path("iam"));
        let arguments = [
            "what-if",
            "--out",
            text(&out),
            "--iam",
            text(&iam),
            "--change",
            text(&change),
            "--format",
            "json",
        ];
        let report = retrial(&arguments).expect_status(0).json();
        let mut rows: Vec<String> = Vec::new();
        if report["table"]["rows"] != 0 {
            let sql = "SELECT event_id || ' ' || effect FROM 'out/what_if/*/*.parquet'";
            let read = duckdb(self.folder.path(), sql);
            rows.extend(read.iter().map(|row| row[0].as_str().unwrap().to_owned()));
        }
        rows.sort();
        let mut expect: Vec<String> = expect.iter().map(|&line| line.to_owned()).collect();
        expect.sort();
        assert_eq!(rows, expect, "{report:#}");
        assert_eq!(report["table"]["rows"], rows.len());
        let effects = report["effects"].as_object().unwrap().values();
        let counted: u64 = effects.map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(counted, rows.len() as u64);
        report
    }
}

fn users(entries: Value) -> (&'static str, Value) {
    (DETAILS, json!({ "UserDetailList": entries }))
}

#[test]
fn identity_policies() {
    let world = World::new();
    // Inline: the list that is left lets ana do all but list.
    let change = users(json!({user("ana"): {"UserPolicyList": inline(&[GET, DECRYPT, ASSUME])}}));
    let report = world.check(&[change], &["list-ana newly_denied", "throttled-ana other"]);
    let group = &report["groups"][0];
    assert_eq!(group["layer"], "identity");
    assert_eq!(
        group["allowed_before"]["policy"],
        format!("{}#own", user("ana"))
    );
    assert_eq!(
        (&group["calls"], &group["days"], &group["first_day"]),
        (&json!(1), &json!(1), &json!("2026-11-02"))
    );
    assert_eq!(group["event_ids"], json!(["list-ana"]));
    // The group's, the managed one's, the boundary's.
    let readers = json!({"arn:aws:iam::111122223333:group/readers": {"GroupPolicyList": []}});
    world.check(
        &[(DETAILS, json!({"GroupDetailList": readers}))],
        &["list-bob newly_denied"],
    );
    let readers = json!({"arn:aws:iam::111122223333:group/readers": null});
    world.check(
        &[(DETAILS, json!({"GroupDetailList": readers}))],
        &["list-bob newly_denied"],
    );
    let managed = |name: &str, list: Value| {
        (
            DETAILS,
            json!({"Policies": {policy(name): {"PolicyVersionList": list}}}),
        )
    };
    world.check(
        &[managed("team", version(&[GET]))],
        &["list-cleo newly_denied"],
    );
    world.check(
        &[(DETAILS, json!({"Policies": {policy("team"): null}}))],
        &["list-cleo newly_denied"],
    );
    let report = world.check(
        &[managed("fence", version(&[("Allow", "s3:*", "*")]))],
        &["list-cleo newly_denied"],
    );
    assert_eq!(report["groups"][0]["layer"], "permissions_boundary");
    let fenced = users(json!({user("ana"): {"PermissionsBoundary": bounded("fence")}}));
    world.check(
        &[fenced],
        &[
            "assume-ana newly_denied",
            "decrypt-ana newly_denied",
            "get-ana newly_denied",
            "get-ana-by-endpoint newly_denied",
        ],
    );
}

#[test]
fn what_opens_repairs_leaves_open_or_goes() {
    let world = World::new();
    let lists = |name: &str| users(json!({user(name): {"UserPolicyList": inline(&[LIST])}}));
    let report = world.check(&[lists("gus")], &["denied-gus newly_allowed"]);
    assert_eq!(
        report["groups"][0]["statement"]["policy"],
        format!("{}#own", user("gus"))
    );
    world.check(&[lists("hal")], &["drifted-hal no_longer_denied"]);
    // What AWS denied, and what is denied explicitly now.
    let denied =
        users(json!({user("gus"): {"UserPolicyList": inline(&[("Deny", "sagemaker:*", "*")])}}));
    world.check(&[denied], &["denied-gus other"]);
    let tagged = json!([{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sagemaker:List*", "kms:Decrypt", "sts:AssumeRole"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
         "Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "a"}}}]}}]);
    let report = world.check(
        &[users(json!({user("ana"): {"UserPolicyList": tagged}}))],
        &[
            "get-ana newly_undetermined",
            "get-ana-by-endpoint newly_undetermined",
        ],
    );
    assert_eq!(
        report["groups"][0]["waits_for"],
        json!(["the value of s3:ExistingObjectTag/team"])
    );
    let report = world.check(
        &[users(json!({user("bob"): null}))],
        &["list-bob no_longer_evaluated"],
    );
    assert_eq!(report["groups"][0]["reason"], "principal_deleted");
}

fn organization_policy(policy_type: &str, target: &str, content: Value) -> (&'static str, Value) {
    let policy = json!({"PolicySummary": {"Id": "p-planted01", "Name": "planted", "Type": policy_type},
        "Content": content, "Targets": [{"TargetId": target}]});
    (
        "organization.json",
        json!({"Policies": {"p-planted01": policy}}),
    )
}

#[test]
fn organization_policies() {
    let world = World::new();
    let no_lists = document(&[("Deny", "sagemaker:List*", "*")]);
    let in_account = [
        "list-ana newly_denied",
        "list-bob newly_denied",
        "list-cleo newly_denied",
        "throttled-ana other",
    ];
    // AWS denied gus without a word of any policy, and hal's call would be denied anyway.
    let denied_anyway = ["denied-gus other", "drifted-hal other"];
    let expect = [&in_account[..], &denied_anyway].concat();
    let report = world.check(
        &[organization_policy(
            "SERVICE_CONTROL_POLICY",
            "111122223333",
            no_lists.clone(),
        )],
        &expect,
    );
    assert_eq!(
        report["organization_policies"][0]["accounts"],
        json!(["111122223333"])
    );
    let expect = [&expect[..], &["list-fay newly_denied"]].concat();
    let report = world.check(
        &[organization_policy(
            "SERVICE_CONTROL_POLICY",
            "r-ab12",
            no_lists,
        )],
        &expect,
    );
    let policies = &report["organization_policies"];
    assert_eq!(
        policies[0]["accounts"],
        json!(["111122223333", "444455556666"])
    );
    assert_eq!(
        (&policies[0]["calls"], &policies[0]["principals"]),
        (&json!(4), &json!(4))
    );
    // Without the full access the level allows nothing.
    let without = json!({"Policies": {"p-FullAWSAccess": {"Targets": [{"TargetId": "r-ab12"}, {"TargetId": "111122223333"}]}}});
    let scp = json!({"PolicySummary": {"Id": "p-planted01", "Type": "SERVICE_CONTROL_POLICY"},
        "Content": document(&[("Allow", "s3:*", "*")]), "Targets": [{"TargetId": "444455556666"}]});
    let mut change = without;
    change["Policies"]["p-planted01"] = scp;
    let report = world.check(&[("organization.json", change)], &["list-fay newly_denied"]);
    assert_eq!(report["groups"][0]["layer"], "scp");
    let no_objects = named("Deny", "*", "s3:GetObject", "*");
    let report = world.check(
        &[organization_policy(
            "RESOURCE_CONTROL_POLICY",
            "111122223333",
            no_objects,
        )],
        &[
            "get-ana newly_denied",
            "get-ana-by-endpoint newly_denied",
            "get-dora newly_denied",
        ],
    );
    assert_eq!(report["groups"][0]["statement"]["sid"], "Planted");
    // An account that moves nowhere else, and a policy on the management account, change nothing.
    let moved = json!({"Accounts": {"444455556666": {"ParentId": "r-ab12"}}});
    world.check(&[("organization.json", moved)], &[]);
}

#[test]
fn policies_of_resources() {
    let world = World::new();
    world.check(&[(S3, json!({SHARED: null}))], &["get-dora newly_denied"]);
    let only_cleo = named(
        "Allow",
        &user("cleo"),
        "s3:GetObject",
        "arn:aws:s3:::made-up-shared/*",
    );
    world.check(
        &[(S3, json!({SHARED: only_cleo}))],
        &["get-dora newly_denied"],
    );
    let nobody = named("Deny", "*", "s3:*", "arn:aws:s3:::made-up-data/*");
    let report = world.check(
        &[(S3, json!({DATA: nobody}))],
        &["get-ana newly_denied", "get-ana-by-endpoint newly_denied"],
    );
    assert_eq!(report["groups"][0]["statement"]["layer"], "resource");
    assert_eq!(report["touched_calls"], 2);
    // The key no longer leaves it to the account's policies; eli's grant stands.
    let closed = named("Allow", &user("cleo"), "kms:*", "*");
    world.check(
        &[(KMS, json!({KEY: closed}))],
        &["decrypt-ana newly_denied"],
    );
    let grants = "accounts/111122223333/kms-grants.json";
    world.check(
        &[(grants, json!({KEY: null}))],
        &["decrypt-eli newly_denied"],
    );
    let endpoints = "accounts/111122223333/vpc-endpoints.json";
    let policy = named(
        "Allow",
        "*",
        "s3:GetObject",
        "arn:aws:s3:::made-up-shared/*",
    );
    let change = json!({"VpcEndpoints": {ENDPOINT: {"PolicyDocument": policy}}});
    let report = world.check(
        &[(endpoints, change)],
        &["get-ana-by-endpoint newly_denied"],
    );
    assert_eq!(report["groups"][0]["layer"], "vpc_endpoint");
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let change = json!({"RoleDetailList": {role(): {"AssumeRolePolicyDocument": trust}}});
    world.check(&[(DETAILS, change)], &["assume-ana newly_denied"]);
}

#[test]
fn a_change_that_changes_nothing() {
    let world = World::new();
    let iam = world.path("iam");
    let (out, base) = (world.path("out"), &iam);
    let arguments = [
        "what-if",
        "--out",
        text(&out),
        "--iam",
        text(base),
        "--change",
        text(&iam),
        "--format",
        "json",
        "--fail-on",
        "any",
    ];
    let report = retrial(&arguments).expect_status(0).json();
    assert_eq!(
        (&report["table"]["rows"], &report["touched_calls"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(report["snapshot_id"], report["changed_snapshot_id"]);
    assert_eq!(report["calls"], 13);
    // Written another way, it is the same to all callers.
    let rewritten = users(
        json!({user("ana"): {"UserPolicyList": inline(&[LIST, GET, DECRYPT, ASSUME, LIST])}}),
    );
    world.check(&[rewritten], &[]);
}

#[test]
fn the_table_keeps_the_last_change_of_a_day_and_nothing_else_moves() {
    let world = World::new();
    let out = world.path("out");
    let others = || -> Vec<(String, Vec<u8>)> {
        let files = files_under(&out).into_iter();
        files
            .filter(|(path, _)| path.ends_with(".parquet") && !path.starts_with("what_if/"))
            .collect()
    };
    let before = others();
    let no_list = users(json!({user("ana"): {"UserPolicyList": inline(&[GET, DECRYPT, ASSUME])}}));
    let change = world.change(&[no_list]);
    let iam = world.path("iam");
    let run = |more: &[&str]| {
        let mut arguments = vec![
            "what-if",
            "--out",
            text(&out),
            "--iam",
            text(&iam),
            "--change",
            text(&change),
        ];
        arguments.extend(more);
        retrial(&arguments)
    };
    let count = |sql: &str| duckdb(world.folder.path(), sql);
    let rows = "SELECT as_of, count(*) FROM read_parquet('out/what_if/*/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY 1";
    run(&["--fail-on", "newly-denied"]).expect_status(1);
    run(&["--fail-on", "newly-allowed,newly-undetermined"]).expect_status(0);
    run(&["--as-of", "2026-12-01"]).expect_status(0);
    run(&["--no-table"]).expect_status(0);
    assert_eq!(
        json!(count(rows)),
        json!([["2026-11-02", 2], ["2026-12-01", 2]])
    );
    let files: Vec<String> = files_under(&out.join("what_if"))
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    // Whatever the threads, the same bytes.
    let bytes = || {
        files_under(&out.join("what_if"))
            .into_iter()
            .map(|(_, bytes)| bytes)
            .next_back()
            .unwrap()
    };
    run(&["--as-of", "2026-12-01", "--threads", "1"]).expect_status(0);
    let one = bytes();
    run(&["--as-of", "2026-12-01", "--threads", "4"]).expect_status(0);
    assert!(one == bytes());
    assert!(before == others(), "another table changed");
    let status = retrial(&["status", "--out", text(&out)]);
    status.expect_status(0);
    // The next run of `analyze` goes on, and lets the table be.
    let (status, _) = analyze(&world.path("logs"), &iam, &out, &[]);
    assert_eq!(status, 0);
    assert_eq!(
        json!(count(rows)),
        json!([["2026-11-02", 2], ["2026-12-01", 2]])
    );
}

#[test]
fn at_the_end_of_a_run() {
    let world = World::new();
    let no_list = users(json!({user("ana"): {"UserPolicyList": inline(&[GET, DECRYPT, ASSUME])}}));
    let lost = ["list-ana newly_denied", "throttled-ana other"];
    let alone = world.check(&[no_list], &lost);
    let (logs, iam) = (world.path("logs"), world.path("iam"));
    let (out, change) = (world.path("out-at-once"), world.path("change"));
    let run = |more: &[&str]| {
        let mut arguments = vec!["--what-if", text(&change)];
        arguments.extend(more);
        analyze(&logs, &iam, &out, &arguments)
    };
    let (status, report) = run(&[]);
    assert_eq!((status, &report["what_if"]), (0, &alone));
    assert_eq!(report["books"]["records_read"], 13);
    let differing = "(FROM 'out/what_if/*/*.parquet' EXCEPT ALL FROM 'out-at-once/what_if/*/*.parquet')
        UNION ALL (FROM 'out-at-once/what_if/*/*.parquet' EXCEPT ALL FROM 'out/what_if/*/*.parquet')";
    let count = |sql: &str| duckdb(world.folder.path(), sql);
    assert_eq!(count(differing).len(), 0);
    // A run that finds no new log file tries it on the calls of all that were before.
    let (_, report) = run(&[]);
    assert_eq!(report["what_if"]["calls"], 13);
    assert_eq!(report["books"]["records_read"], 0);
    let fails_on = |effect: &str| {
        let mut arguments = vec!["analyze", text(&logs), "--iam", text(&iam)];
        arguments.extend(["--out", text(&out), "--what-if", text(&change)]);
        arguments.extend(["--fail-on", effect]);
        retrial(&arguments)
    };
    fails_on("newly-denied").expect_status(1);
    fails_on("newly-allowed").expect_status(0);
    // Calls after the day of today are left out.
    let (status, report) = run(&["--as-of", "2026-11-01"]);
    assert_eq!((status, &report["what_if"]["calls"]), (0, &json!(0)));
    let (_, report) = analyze(&logs, &iam, &out, &[]);
    assert_eq!(report["what_if"], Value::Null);
}

#[test]
fn at_the_end_of_a_run_in_words() {
    let world = World::new();
    let no_list = users(json!({user("ana"): {"UserPolicyList": inline(&[GET, DECRYPT, ASSUME])}}));
    let change = world.change(&[no_list]);
    let (logs, iam, out) = (
        world.path("logs"),
        world.path("iam"),
        world.path("out-in-words"),
    );
    let arguments = |change: &Path, more: &[&str]| {
        let (logs, iam, out) = (text(&logs), text(&iam), text(&out));
        let all = ["analyze", logs, "--iam", iam, "--out", out, "--what-if"];
        let mut all: Vec<String> = all.iter().map(ToString::to_string).collect();
        all.push(text(change).to_owned());
        all.extend(more.iter().map(ToString::to_string));
        all
    };
    let run = |change: &Path, more: &[&str]| {
        let all = arguments(change, more);
        retrial(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // What cannot be read ends it before anything is written.
    write(&world.path("broken"), DETAILS, b"{\"UserDetailList\": [");
    run(&world.path("broken"), &[]).expect_status(2);
    assert!(!out.exists());
    run(&change, &["--shard", "0/2"]).expect_status(2);
    let printed = run(&change, &[]).expect_status(0);
    let (summary, answer) = printed.stdout.split_once("\nwhat if: ").unwrap();
    assert!(summary.contains("records"), "{summary}");
    assert!(answer.starts_with("13 calls under snapshot"), "{answer}");
    assert!(answer.contains("would have broken: calls that went through"));
    let quiet = run(&change, &["--quiet", "--fail-on", "any"]);
    assert_eq!(quiet.expect_status(1).stdout, "");
}

#[test]
fn the_time_can_be_set() {
    let world = World::new();
    let until = json!([{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt", "sts:AssumeRole"], "Resource": "*"},
        {"Effect": "Allow", "Action": "sagemaker:List*", "Resource": "*",
         "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-12-01T00:00:00Z"}}}]}}]);
    let change = users(json!({user("ana"): {"UserPolicyList": until}}));
    world.check(std::slice::from_ref(&change), &[]);
    let change = world.change(&[change]);
    let (out, iam) = (world.path("out"), world.path("iam"));
    let arguments = [
        "what-if",
        "--out",
        text(&out),
        "--iam",
        text(&iam),
        "--change",
        text(&change),
        "--format",
        "json",
        "--now",
        "2026-12-24",
    ];
    let report = retrial(&arguments).expect_status(0).json();
    assert_eq!(report["effects"]["newly_denied"], 1);
    assert_eq!(report["now"], "2026-12-24T00:00:00Z");
}

#[test]
fn what_cannot_be_a_change() {
    let world = World::new();
    let (out, iam) = (world.path("out"), world.path("iam"));
    let refused = |files: &[(&str, Value)], expect: &str| {
        let change = world.change(files);
        let arguments = [
            "what-if",
            "--out",
            text(&out),
            "--iam",
            text(&iam),
            "--change",
            text(&change),
        ];
        let ran = retrial(&arguments).expect_status(2);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
        // One line for the error, one for what to do about it, and nothing that drives a terminal.
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
        assert!(!ran.stderr.trim_end().contains('\u{1b}'));
    };
    refused(
        &[users(
            json!({"arn:aws:iam::111122223333:user/\u{1b}[31mzoe": null}),
        )],
        "is to be deleted, and is not in the snapshot",
    );
    refused(
        &[users(json!({user("zoe"): {"UserPolicyList": []}}))],
        "missing field `UserName`",
    );
    refused(
        &[(S3, json!({"arn:aws:s3:::made-up-data": {"Statement": "x"}}))],
        "policy of `arn:aws:s3:::made-up-data`: 1:",
    );
    let missing = world.path("nothing");
    let arguments = [
        "what-if",
        "--out",
        text(&out),
        "--iam",
        text(&iam),
        "--change",
        text(&missing),
    ];
    assert!(
        retrial(&arguments)
            .expect_status(2)
            .stderr
            .contains("cannot read the change")
    );
}

/// What the sample organisation's calls make of a change, asked of all calls, or of those alone that it is said
/// to be able to touch.
fn sample_report(
    out: &Path,
    files: &[(String, Vec<u8>)],
    change: &[(String, Vec<u8>)],
    all: bool,
) -> WhatIfReport {
    fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<SnapshotFile<'_>> {
        files
            .iter()
            .map(|(path, bytes)| SnapshotFile { path, bytes })
            .collect()
    }
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue).unwrap();
    let base = borrowed(files);
    let laid = overlay(&base, &borrowed(change)).unwrap_or_else(|error| panic!("{error}"));
    let changed: Vec<SnapshotFile<'_>> = laid
        .files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect();
    let (current, _) = Snapshot::read(&base, catalogue).unwrap();
    let (changed, _) = Snapshot::read(&changed, catalogue).unwrap();
    let everything = ChangeScope::everything();
    let replayer = |snapshot| Replayer::new(catalogue, &mapping, snapshot, Assumptions::Named);
    let store = FolderStore::create(out).unwrap();
    let (manifest, _) = Manifest::read(&store).unwrap().unwrap();
    let run = WhatIfRun {
        worlds: WhatIf {
            current: replayer(&current),
            changed: replayer(&changed),
            scope: if all { &everything } else { &laid.scope },
        },
        store: &store,
        window: Window::default(),
        now: None,
        threads: 2,
    };
    what_if(&run, &manifest.files).unwrap()
}

/// The calls that a change is said not to touch are those that it does not: for each entry of the sample
/// snapshot, taken out or turned into a denial.
#[test]
fn what_is_not_asked_would_not_differ() {
    let logs = root().join("sample-logs");
    let files = files_under(&logs.join("iam"));
    let changes = sample_changes(&files);
    assert!(changes.len() > 20);
    let (differing, passed_over) = asked_and_not(&files, &changes);
    assert!(
        differing > 1000 && passed_over > 10_000,
        "{differing} {passed_over}"
    );
}

/// The same for statements of organization policies, changed where they are about some actions, or all.
#[test]
fn of_organization_policies_too() {
    let logs = root().join("sample-logs");
    let mut files = files_under(&logs.join("iam"));
    let policy = |id: &str, policy_type: &str, content: Value, targets: &[&str]| {
        let targets: Vec<Value> = targets.iter().map(|id| json!({ "TargetId": id })).collect();
        json!({"PolicySummary": {"Id": id, "Type": policy_type}, "Content": content.to_string(), "Targets": targets})
    };
    let full = document(&[("Allow", "*", "*")]);
    let two = document(&[
        ("Deny", "sagemaker:Create*", "*"),
        ("Deny", "kms:Decrypt", "*"),
    ]);
    let (scp, rcp) = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY");
    let organization = json!({
        "Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"},
        "Roots": [{"Id": "r-ab12"}],
        "Accounts": [{"Id": "111122223333", "ParentId": "r-ab12"}, {"Id": "444455556666", "ParentId": "r-ab12"}],
        "Policies": [
            policy("p-FullAWSAccess", scp, full, &["r-ab12", "111122223333", "444455556666"]),
            policy("p-planted02", scp, two, &["111122223333"]),
            policy("p-planted03", rcp, named("Deny", "*", "ecr:*", "*"), &["r-ab12"]),
        ],
    });
    files.push((
        "organization.json".to_owned(),
        organization.to_string().into_bytes(),
    ));
    let change = |policies: Value| {
        let text = json!({ "Policies": policies }).to_string();
        vec![("organization.json".to_owned(), text.into_bytes())]
    };
    let targets = json!([{"TargetId": "r-ab12"}]);
    let new = |policy_type: &str, content: Value| {
        change(
            json!({"p-planted01": {"PolicySummary": {"Id": "p-planted01", "Type": policy_type},
            "Content": content, "Targets": targets}}),
        )
    };
    let one = document(&[("Deny", "kms:Decrypt", "*")]);
    let not_s3 = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}});
    let changes = [
        new(scp, document(&[("Deny", "s3:Get*", "*")])),
        new(scp, document(&[("Deny", "s?:*", "*")])),
        new(scp, not_s3),
        new(rcp, named("Deny", "*", "s3:PutObject", "*")),
        new(rcp, named("Deny", "*", "*", "*")),
        change(json!({"p-planted02": {"Content": one}})),
        change(json!({ "p-planted02": null })),
        change(json!({ "p-planted03": null })),
        change(json!({"p-planted02": {"Targets": targets}})),
        change(json!({"p-FullAWSAccess": {"Targets": targets}})),
    ];
    let (differing, passed_over) = asked_and_not(&files, &changes);
    assert!(
        differing > 500 && passed_over > 1000,
        "{differing} {passed_over}"
    );
}

/// Of so many changes, the calls that differ, and those that were passed over.
fn asked_and_not(files: &[(String, Vec<u8>)], changes: &[Vec<(String, Vec<u8>)>]) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let logs = root().join("sample-logs");
    analyze(&logs, &logs.join("iam"), folder.path(), &[]);
    let (mut differing, mut passed_over) = (0, 0);
    for change in changes {
        let whole = sample_report(folder.path(), files, change, true);
        let mut scoped = sample_report(folder.path(), files, change, false);
        passed_over += whole.asked - scoped.asked;
        differing += whole.effects.values().sum::<u64>();
        scoped.asked = whole.asked;
        assert!(whole == scoped, "{}", String::from_utf8_lossy(&change[0].1));
    }
    (differing, passed_over)
}

fn sample_changes(files: &[(String, Vec<u8>)]) -> Vec<Vec<(String, Vec<u8>)>> {
    let deny_all = |principal: bool| {
        let mut statement = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        if principal {
            statement["Principal"] = json!("*");
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let mut changes = Vec::new();
    for (path, bytes) in files {
        let mut add =
            |value: Value| changes.push(vec![(path.clone(), value.to_string().into_bytes())]);
        let Ok(file) = serde_json::from_slice::<Value>(bytes) else {
            continue;
        };
        let none = Vec::new();
        let list = |name: &str| file[name].as_array().unwrap_or(&none).clone();
        if path.ends_with("authorization-details.json") {
            for role in list("RoleDetailList") {
                let arn = role["Arn"].as_str().unwrap();
                add(json!({"RoleDetailList": {arn: {"RolePolicyList": []}}}));
                add(json!({"RoleDetailList": {arn: null}}));
            }
            for policy in list("Policies") {
                let arn = policy["Arn"].as_str().unwrap();
                let versions = json!([{"VersionId": "v9", "IsDefaultVersion": true, "Document": deny_all(false)}]);
                add(json!({"Policies": {arn: {"PolicyVersionList": versions}}}));
            }
            for user in list("UserDetailList") {
                add(
                    json!({"UserDetailList": {user["Arn"].as_str().unwrap(): {"Tags": [], "GroupList": []}}}),
                );
            }
            for group in list("GroupDetailList") {
                add(json!({"GroupDetailList": {group["Arn"].as_str().unwrap(): null}}));
            }
        } else if path.contains("/resource-policies/") {
            for name in file.as_object().unwrap().keys() {
                add(json!({ name: deny_all(true) }));
            }
        } else if path.ends_with("kms-grants.json") || path.ends_with("resource-tags.json") {
            for name in file.as_object().unwrap().keys() {
                add(json!({ name: null }));
            }
        } else if path.ends_with("vpc-endpoints.json") {
            for endpoint in list("VpcEndpoints") {
                let id = endpoint["VpcEndpointId"].as_str().unwrap();
                add(json!({"VpcEndpoints": {id: {"PolicyDocument": deny_all(true)}}}));
            }
        }
    }
    let scp = json!({
        "Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"}, "Roots": [{"Id": "r-ab12"}],
        "Accounts": [{"Id": "111122223333", "ParentId": "r-ab12"}, {"Id": "444455556666", "ParentId": "r-ab12"}],
        "Policies": [{"PolicySummary": {"Id": "p-planted01", "Type": "SERVICE_CONTROL_POLICY"},
            "Content": deny_all(false), "Targets": [{"TargetId": "444455556666"}]}]});
    changes.push(vec![(
        "organization.json".to_owned(),
        scp.to_string().into_bytes(),
    )]);
    changes
}
