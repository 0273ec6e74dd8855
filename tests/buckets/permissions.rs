//! What the program asks of AWS: the policy in README is enough, and all of it is needed; and the options
//! that say how it asks.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::Place;
use crate::s3::proxy::{Fault, Proxy, Seen};
use crate::s3::server::{ACCESS_KEY, SECRET_KEY};
use crate::support::{files_under, retrial, retrial_with, root, text};

/// The IAM action that S3 asks for a request.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
fn action(seen: &Seen) -> &'static str {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let is_bucket = path.trim_matches('/').split('/').count() == 1;
    let has = |name: &str| {
        query
            .split('&')
            .any(|part| part.split('=').next() == Some(name))
    };
    match (seen.method.as_str(), is_bucket) {
        ("GET", true) if has("uploads") => "s3:ListBucketMultipartUploads",
        ("GET" | "HEAD", true) => "s3:ListBucket",
        ("GET" | "HEAD", false) => "s3:GetObject",
        ("PUT" | "POST", false) => "s3:PutObject",
        ("DELETE", false) if has("uploadId") => "s3:AbortMultipartUpload",
        ("DELETE", false) => "s3:DeleteObject",
        other => panic!("{other:?} {}", seen.path),
    }
}

/// README's policy.
fn policy() -> Value {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut blocks = readme.split("```json\n").skip(1);
    let block = blocks.find(|block| block.contains("\"s3:GetObject\""));
    let block = block.unwrap().split("```").next().unwrap();
    serde_json::from_str(block).unwrap()
}

/// The actions of its statements whose `Sid` begins so.
fn actions(policy: &Value, sid: &str) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let of_sid = statements.filter(|it| it["Sid"].as_str().unwrap().starts_with(sid));
    let actions = of_sid.flat_map(|it| it["Action"].as_array().unwrap());
    actions.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn readmes_policy_is_what_the_program_asks_for() {
    let policy = policy();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    fs::write(&file, policy.to_string()).unwrap();
    let linted = retrial(&["lint", text(&file)]).expect_status(0);
    assert!(
        linted.stdout.starts_with("0 errors, 0 warnings"),
        "{}",
        linted.stdout
    );

    // What the code names where S3 refuses.
    let mut named = BTreeSet::new();
    for (_, bytes) in files_under(&root().join("crates/storage/src/s3")) {
        let code = String::from_utf8(bytes).unwrap();
        let texts = code
            .split('"')
            .filter(|it| it.starts_with("s3:") && it.len() < 40);
        named.extend(texts.filter(|it| !it.contains('/')).map(str::to_owned));
    }
    let mut all = actions(&policy, "Read");
    all.extend(actions(&policy, "Write"));
    assert_eq!(all, named);
}

#[test]
fn a_run_asks_for_no_more() {
    let logs = root().join("sample-logs");
    let Some(place) = Place::holding(&logs) else {
        return;
    };
    let proxy = Proxy::start(place.port(), |_| Fault::None);
    let through = place.through(proxy.port());
    let iam = logs.join("iam");
    through.analyze(&iam, &[]);
    through.analyze(&iam, &[]);
    let out = place.address("out");
    through.retrial(&["status", "--out", &out]).expect_status(0);
    let replay = ["replay", "--out", &out, "--iam", text(&iam)];
    through.retrial(&replay).expect_status(0);
    let prune = ["prune", "--out", &out, "--before", "2026-11-05"];
    through.retrial(&prune).expect_status(0);

    let policy = policy();
    let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
    for seen in proxy.seen() {
        let of_source = ["/in/", "%2Fin%2F"].iter().any(|it| seen.path.contains(it))
            || seen.path.ends_with("/in");
        let actions = if of_source { &mut read } else { &mut written };
        actions.insert(action(&seen).to_owned());
    }
    assert_eq!(read, actions(&policy, "Read"));
    let mut allowed = actions(&policy, "Write");
    assert!(written.is_subset(&allowed), "{written:?}");
    // It is for what a crash has left a day ago.
    allowed.remove("s3:AbortMultipartUpload");
    assert_eq!(written, allowed);
}

/// Profile, region and payer are as the AWS CLI has them.
#[test]
fn profiles_regions_and_payers() {
    let logs = root().join("sample-logs");
    let Some(place) = Place::holding(&logs) else {
        return;
    };
    let iam = logs.join("iam");
    let folder = tempfile::tempdir().unwrap();
    let (config, credentials) = (folder.path().join("config"), folder.path().join("keys"));
    fs::write(
        &config,
        "[default]\nregion = eu-west-1\n[profile audit]\nregion = eu-central-1\n",
    )
    .unwrap();
    let keys = format!("aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    fs::write(&credentials, format!("[audit]\n{keys}")).unwrap();
    let proxy = Proxy::start(place.port(), |_| Fault::None);
    let endpoint = format!("http://127.0.0.1:{}", proxy.port());
    let (source, out) = (place.address("in"), place.address("out"));
    let analysis = [
        "analyze",
        &source,
        "--iam",
        text(&iam),
        "--out",
        &out,
        "--quiet",
        "--endpoint-url",
        &endpoint,
        "--path-style",
        "--profile",
        "audit",
        "--requester-pays",
    ];
    let environment = [
        ("AWS_CONFIG_FILE", text(&config)),
        ("AWS_SHARED_CREDENTIALS_FILE", text(&credentials)),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    retrial_with(&analysis, &environment).expect_status(0);
    let seen = proxy.seen();
    assert!(!seen.is_empty());
    for seen in seen {
        assert_eq!(
            seen.header("x-amz-request-payer"),
            Some("requester"),
            "{seen:?}"
        );
        let signed = seen.header("authorization").unwrap();
        let scope = signed.split("Credential=").nth(1).unwrap();
        let scope: Vec<&str> = scope.split(['/', ',']).collect();
        assert_eq!((scope[0], scope[2]), (ACCESS_KEY, "eu-central-1"));
    }
}
