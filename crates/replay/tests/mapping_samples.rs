//! The mapping against AWS's own words: the action that each denial text of the real records names,
//! and the reference's special map. Both lie beside the project, not in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "tests may fail loudly; these read what lies beside the project, and say so where it does not"
)]

mod mapping_support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use mapping_support::{lines, map_text, mapping};
use retrial_replay::{Mapped, MappedResource};
use serde_json::value::RawValue;

/// The folder beside the project; `None`, loudly, where there is none, but a failure in CI.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "`{}` is missing",
        path.display()
    );
    eprintln!("skipped: `{}` is missing", path.display());
    None
}

#[derive(serde::Deserialize)]
struct LogFile<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

fn log_text(path: &Path) -> String {
    let mut text = String::new();
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    flate2::read::MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// What AWS's text calls a resource, as an ARN's last part: `role TrailDiscover` is `role/TrailDiscover`.
fn is_resource(named: &str, resource: &MappedResource<'_>) -> bool {
    let named = named.trim();
    match *resource {
        MappedResource::Any => named.is_empty() || named == "*",
        MappedResource::Arn { arn, spellings, .. } => arn == named || spellings.contains(&named),
        MappedResource::Unknown { .. } => false,
    }
}

#[test]
fn every_denial_names_an_action_that_the_mapping_yields() {
    let Some(folder) = shared("cloudtrail-samples") else {
        return;
    };
    let mapping = mapping();
    let table = std::fs::read_to_string(folder.join("ground_truth_denials.tsv")).unwrap();
    let (mut rows, mut arns, mut equal, mut known_form) = (0, 0, 0, 0);
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (event_id, action, named) = (cells[1], cells[7], cells[8]);
        let text = log_text(&folder.join(cells[0]));
        let file: LogFile<'_> = serde_json::from_str(&text).unwrap();
        let record = file
            .records
            .iter()
            .find(|record| record.get().contains(event_id))
            .expect(row);
        rows += 1;
        map_text(&mapping, record.get(), None, |record, mapped| {
            let named = &with_account(named, record.recipient_account_id.unwrap_or_default());
            let Mapped::Requests(requests) = mapped else {
                panic!("{row}: {}", lines(mapped, None).join("; "))
            };
            let asked: Vec<_> = requests
                .iter()
                .filter(|request| request.required && request.action.eq_ignore_ascii_case(action))
                .collect();
            assert!(
                !asked.is_empty(),
                "{row}: {}",
                lines(mapped, None).join("; ")
            );
            if named.starts_with("arn:") {
                arns += 1;
                let is_equal = asked
                    .iter()
                    .any(|request| is_resource(named, &request.resource));
                let is_known_form = asked.iter().any(|request| fits(named, &request.resource));
                equal += usize::from(is_equal);
                known_form += usize::from(is_equal || is_known_form);
                if !is_equal && !is_known_form {
                    eprintln!(
                        "{action}: AWS named `{named}`: {}",
                        lines(mapped, None).join("; ")
                    );
                }
            }
        });
    }
    eprintln!(
        "{rows} denials; of {arns} named ARNs {equal} are equal and {known_form} fit the form"
    );
    assert_eq!(rows, 189);
}

/// The publishers of the samples masked the accounts in the records' fields otherwise than those in
/// the messages: an ARN that AWS named is compared with the record's account.
fn with_account(arn: &str, account: &str) -> String {
    let mut fields: Vec<&str> = arn.splitn(6, ':').collect();
    if let Some(field) = fields.get_mut(4).filter(|field| field.len() == 12) {
        *field = account;
    }
    fields.join(":")
}

/// Whether the form of a resource that is not known whole has room for the ARN.
fn fits(named: &str, resource: &MappedResource<'_>) -> bool {
    let MappedResource::Unknown { pattern, .. } = resource else {
        return false;
    };
    let mut rest = named;
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else {
        return false;
    };
    rest = after;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn every_call_of_a_mission_service_is_mapped() {
    let Some(folder) = shared("cloudtrail-samples") else {
        return;
    };
    let mapping = mapping();
    let mut unmapped: BTreeMap<String, usize> = BTreeMap::new();
    let mut files = Vec::new();
    find_logs(&folder, &mut files);
    for path in files {
        let text = log_text(&path);
        let Ok(file) = serde_json::from_str::<LogFile<'_>>(&text) else {
            continue;
        };
        for record in &file.records {
            map_text(&mapping, record.get(), None, |record, mapped| {
                if matches!(mapped, Mapped::Unmapped) {
                    let name = format!(
                        "{} {}",
                        record.event_source.unwrap_or("-"),
                        record.event_name.unwrap_or("-")
                    );
                    *unmapped.entry(name).or_default() += 1;
                }
            });
        }
    }
    for (name, count) in &unmapped {
        eprintln!("unmapped {count:>4} {name}");
    }
    let mission = [
        "sagemaker.",
        "machinelearning.",
        "s3.",
        "ecr.",
        "kms.",
        "iam.",
        "sts.",
    ];
    let missed: Vec<_> = unmapped
        .keys()
        .filter(|name| mission.iter().any(|service| name.starts_with(service)))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

fn find_logs(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            find_logs(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "gz") {
            files.push(path);
        }
    }
}

/// Action, resource, when, and whether it is always asked (`R`), if (`C`) or perhaps (`M`).
type SpecialRow = (String, String, Option<String>, String);

/// Rows of the special map that the mapping leaves out on purpose, each with the reason.
const LEFT_OUT: [(&str, &str); 3] = [
    (
        "s3:JobCreated",
        "an AwsServiceEvent of S3 Batch Operations: no principal",
    ),
    ("sts:GetSessionToken", "needs no permission"),
    ("sts:GetCallerIdentity", "needs no permission"),
];

#[test]
fn the_special_map_holds() {
    let Some(folder) = shared("reference") else {
        return;
    };
    let mapping = mapping();
    let text = std::fs::read_to_string(folder.join("special_map.json")).unwrap();
    let map: BTreeMap<String, Vec<SpecialRow>> = serde_json::from_str(&text).unwrap();
    let mut missing = Vec::new();
    for (event, rows) in &map {
        let (source, name) = event.split_once(':').unwrap();
        if LEFT_OUT.iter().any(|(left_out, _)| left_out == event) {
            continue;
        }
        // Everything that a role could be passed in, so that each pass is asked.
        let role = r#""arn:aws:iam::111122223333:role/r""#;
        let text = format!(
            r#"{{"eventType":"AwsApiCall","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","recipientAccountId":"111122223333","requestParameters":{{"roleArn":{role},"executionRoleArn":{role},"clusterRole":{role},"ReplicationConfiguration":{{"Role":{role}}},"iAMRoleArn":{role}}}}}"#
        );
        let actual = map_text(&mapping, &text, None, |_, mapped| lines(mapped, None));
        for (action, _, _, kind) in rows.iter().filter(|row| row.3 == "R") {
            let action = action.replace("<eventName>", name);
            let found = actual.iter().any(|line| {
                line.starts_with("required ") && line.split(' ').nth(2) == Some(&*action)
            });
            if !found {
                missing.push(format!("{event}: {kind} {action}: {}", actual.join("; ")));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
