//! Golden cases of the mapping, one file per service: a minimal record and what AWS asks for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "tests may fail loudly"
)]

mod mapping_support;

use mapping_support::{ACCOUNT, lines, map_text, mapping};
use retrial_iam::{Catalogue, Snapshot, SnapshotFile};
use retrial_replay::Mapping;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    event_source: String,
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// One record. All JSON is text; what is left out is left out of the record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows, and the row that asks for it.
    shows: String,
    event: String,
    event_source: Option<String>,
    request: Option<String>,
    response: Option<String>,
    resources: Option<String>,
    additional: Option<String>,
    /// `eventContext` of an enriched record.
    context: Option<String>,
    error: Option<String>,
    event_type: Option<String>,
    /// The caller's `userIdentity`; by default an IAM user with a path.
    identity: Option<String>,
    /// Output of `get-account-authorization-details`.
    snapshot: Option<String>,
    /// The lines show the condition keys that begin so.
    with_keys: Option<String>,
    expect: Vec<String>,
}

const USER: &str = r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/team/ana","accountId":"111122223333","userName":"ana"}"#;

fn record(file: &File, case: &Case) -> String {
    let json = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    let source = case.event_source.as_ref().unwrap_or(&file.event_source);
    let kind = case.event_type.as_deref().unwrap_or("AwsApiCall");
    let identity = case.identity.as_deref().unwrap_or(USER);
    let error = case
        .error
        .as_ref()
        .map(|code| format!(r#","errorCode":"{code}""#))
        .unwrap_or_default();
    format!(
        r#"{{"eventVersion":"1.11","eventType":"{kind}","eventSource":"{source}","eventName":"{}","awsRegion":"us-east-1","recipientAccountId":"{ACCOUNT}","userIdentity":{identity},"requestParameters":{},"responseElements":{},"resources":{},"additionalEventData":{},"eventContext":{}{error}}}"#,
        case.event,
        json(&case.request),
        json(&case.response),
        json(&case.resources),
        json(&case.additional),
        json(&case.context),
    )
}

fn snapshot(text: &str) -> Snapshot {
    let path = "accounts/111122223333/authorization-details.json";
    let files = [SnapshotFile {
        path,
        bytes: text.as_bytes(),
    }];
    Snapshot::read(&files, Catalogue::bundled())
        .map(|(snapshot, _)| snapshot)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Compares all cases of a file; shows all that differ.
fn check(name: &str, text: &str, mapping: &Mapping) -> usize {
    let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut different = Vec::new();
    for case in &file.cases {
        let snapshot = case.snapshot.as_deref().map(snapshot);
        let actual = map_text(
            mapping,
            &record(&file, case),
            snapshot.as_ref(),
            |_, mapped| lines(mapped, case.with_keys.as_deref()),
        );
        if actual != case.expect {
            let expected: String = case
                .expect
                .iter()
                .map(|line| format!("\n  - {line}"))
                .collect();
            let actual: String = actual.iter().map(|line| format!("\n  + {line}")).collect();
            different.push(format!(
                "{name}: {} ({}){expected}{actual}",
                case.event, case.shows
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    file.cases.len()
}

macro_rules! golden {
    ($test:ident, $file:literal) => {
        #[test]
        fn $test() {
            assert!(
                check(
                    $file,
                    include_str!(concat!("mapping_golden/", $file)),
                    &mapping()
                ) > 0
            );
        }
    };
}

golden!(ec2, "ec2.toml");
golden!(ecr, "ecr.toml");
golden!(iam, "iam.toml");
golden!(kms, "kms.toml");
golden!(observability_and_notebooks, "observability.toml");
golden!(machinelearning, "machinelearning.toml");
golden!(s3, "s3.toml");
golden!(sagemaker, "sagemaker.toml");
golden!(services_without_a_file, "others.toml");
golden!(sts, "sts.toml");

/// Every event of Amazon S3 whose action has another name (one row each in `s3_renames.tsv`), asked
/// of a bucket `data` and a key `k`.
#[test]
fn s3_renames() {
    let mapping = mapping();
    let mut different = Vec::new();
    for row in include_str!("mapping_golden/s3_renames.tsv")
        .lines()
        .skip(1)
    {
        let cells: Vec<&str> = row.split('\t').collect();
        let (event, action, about) = (cells[0], cells[1], cells[2]);
        let resource = match about {
            "object" => " arn:aws:s3:::data/k",
            "bucket" => " arn:aws:s3:::data @",
            "directory-bucket" => " arn:aws:s3express:us-east-1:111122223333:bucket/data",
            "*" => " *",
            _ => " ",
        };
        let text = format!(
            r#"{{"eventType":"AwsApiCall","eventSource":"s3.amazonaws.com","eventName":"{event}","awsRegion":"us-east-1","recipientAccountId":"{ACCOUNT}","userIdentity":{USER},"requestParameters":{{"bucketName":"data","key":"k"}}}}"#
        );
        let asked = map_text(&mapping, &text, None, |_, mapped| lines(mapped, None));
        let begin = format!("required verified {action}{resource}");
        let is_asked = |line: &&String| line.starts_with(&begin);
        let others = asked
            .iter()
            .filter(|line| line.starts_with("required"))
            .count();
        // A copy reads its source besides, which this request does not name.
        let alone = others == 1 || event.contains("Copy");
        if asked.iter().filter(is_asked).count() != 1 || !alone {
            different.push(format!("{row}: {}", asked.join("; ")));
        }
    }
    assert!(different.is_empty(), "\n{}", different.join("\n"));
}
