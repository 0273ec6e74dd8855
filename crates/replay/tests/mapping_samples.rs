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
use retrial_cloudtrail::Parameters;
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

/// How AWS's word for a resource compares with the mapping's, which does not look at that word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Compared {
    /// The same ARN, or one of its spellings.
    Equal,
    /// The record hides it; the form that the mapping knows has room for it.
    FormFits,
    Differs,
}

/// Rows of the table of reasons: an event, `*` for any where the record shows no parameters.
fn reasons() -> BTreeMap<String, String> {
    let text = include_str!("denials.tsv");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let (event, reason) = row.split_once('\t').unwrap();
        (event.to_owned(), reason.to_owned())
    })
    .collect()
}

/// AWS names a resource by its ARN; or, in IAM, by words: `user Ana`, `role R`, `instance profile P`,
/// `policy <ARN>`. Such words are equal to an ARN of that type (`user/…`, `instance-profile/…`) that
/// ends in that name, whatever its path, and to the ARN itself; a version (`… version v2`) is no part
/// of it. What AWS names otherwise (`SecretId`, an id) is compared with the last part of the ARN.
fn bare_name_fits(words: &str, arn: &str) -> bool {
    let words = words.split(" version ").next().unwrap_or_default();
    let kinds = ["user", "role", "group", "policy", "instance profile"];
    let kind = kinds.iter().find_map(|kind| {
        let name = words.strip_prefix(kind)?.strip_prefix(' ')?;
        Some((kind.replace(' ', "-"), name))
    });
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let last = resource.rsplit(['/', ':']).next().unwrap_or_default();
    match kind {
        Some((_, name)) if name.starts_with("arn:") => name == arn,
        Some((kind, name)) => {
            resource.starts_with(&format!("{kind}/")) && last.trim_start_matches('*') == name
        }
        None => last == words,
    }
}

fn compared(named: &str, resource: &MappedResource<'_>) -> Compared {
    if is_resource(named, resource) {
        return Compared::Equal;
    }
    if !named.starts_with("arn:") {
        let of = |arn: &str| bare_name_fits(named, arn);
        return match *resource {
            MappedResource::Arn { arn, .. } if of(arn) => Compared::Equal,
            // The mapping alone has no snapshot: `user/*Ana` is the name with any path.
            MappedResource::Unknown { pattern, .. } if of(pattern) => Compared::Equal,
            MappedResource::Unknown { pattern, .. } if pattern.ends_with('*') => Compared::FormFits,
            _ => Compared::Differs,
        };
    }
    match fits(named, resource) {
        true => Compared::FormFits,
        false => Compared::Differs,
    }
}

#[test]
fn every_denial_names_what_the_mapping_yields() {
    let Some(folder) = shared("cloudtrail-samples") else {
        return;
    };
    let mapping = mapping();
    let reasons = reasons();
    let table = std::fs::read_to_string(folder.join("ground_truth_denials.tsv")).unwrap();
    let mut counts: BTreeMap<(&str, bool, Compared), usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut used = std::collections::BTreeSet::new();
    let mut rows = 0;
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
            let kind = match named.as_str() {
                "" => "nothing",
                "*" => "`*`",
                named if named.starts_with("arn:") => "an ARN",
                _ => "words",
            };
            if kind == "nothing" {
                return;
            }
            let best = asked
                .iter()
                .map(|request| compared(named, &request.resource))
                .min();
            let best = best.unwrap_or(Compared::Differs);
            let shown = matches!(record.request_parameters, Parameters::Object(_));
            *counts.entry((kind, shown, best)).or_default() += 1;
            if best == Compared::Equal || !shown && best == Compared::FormFits {
                return;
            }
            let event = action.to_owned();
            match reasons.contains_key(&event) {
                true => drop(used.insert(event)),
                false => unexplained.push(format!(
                    "{event}\tAWS named `{named}`: {}",
                    lines(mapped, None).join("; ")
                )),
            }
        });
    }
    eprintln!(
        "{rows} denials; what AWS named, whether the record shows parameters, and the mapping:"
    );
    for ((kind, shown, compared), count) in &counts {
        let shown = if *shown { "shown" } else { "not shown" };
        eprintln!("  {count:>4} {kind}, {shown}: {compared:?}");
    }
    let total = |shown: Option<bool>, wanted: Option<Compared>| -> usize {
        let of = |key: &(&str, bool, Compared)| {
            key.0 == "an ARN"
                && shown.is_none_or(|shown| key.1 == shown)
                && wanted.is_none_or(|wanted| key.2 == wanted)
        };
        counts
            .iter()
            .filter(|(key, _)| of(key))
            .map(|(_, count)| count)
            .sum()
    };
    for (what, shown) in [("all", None), ("with parameters", Some(true))] {
        let (equal, all) = (total(shown, Some(Compared::Equal)), total(shown, None));
        let share = 100.0 * equal as f64 / all as f64;
        eprintln!("of {all} named ARNs ({what}) {equal} are equal: {share:.1} %");
    }
    assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
    let unused: Vec<_> = reasons
        .keys()
        .filter(|event| !used.contains(*event))
        .collect();
    assert!(
        unused.is_empty(),
        "reasons that explain nothing: {unused:?}"
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

/// Places that the reference lists by the name of their last member only, and that feed another key
/// or none, each with the reason.
fn feeds_another(key: &str, place: &str) -> bool {
    let is_output = |place: &str| {
        !place.ends_with("olumeKmsKeyId")
            && !["KmsKeyId", "HomeEfsFileSystemKmsKeyId"].contains(&place)
    };
    match key {
        // A volume's key is `VolumeKmsKeyId`, or a notebook's, domain's or endpoint's own `KmsKeyId`.
        "sagemaker:VolumeKmsKeyArn" => is_output(place),
        // Not the data sets that a query writes, and not what is captured.
        "sagemaker:OutputKmsKeyArn" => {
            place.contains("DatasetDefinition") || place.starts_with("DataCaptureConfig")
        }
        // The online store's key feeds the other key.
        "sagemaker:FeatureGroupOfflineStoreKmsKeyArn" => place.starts_with("OnlineStoreConfig"),
        // Which models are gated is not in the request; a call's parameters are not recorded.
        "sagemaker:DirectGatedModelAccess" | "sagemaker:TargetModel" => true,
        _ => place.contains("no field"),
    }
}

/// Seed rows that speak of no mapping, each with what they speak of.
const NO_MAPPING: [(&str, &str); 8] = [
    (
        "S0-01 S0-02 S0-03 S0-09 S0-10 S0-11 S0-12",
        "the grammar of policies: crates/iam",
    ),
    (
        "S0-04 S0-05 S0-06 S0-07 S0-17 S0-19",
        "the catalogue and its wildcards: crates/iam, lint",
    ),
    (
        "S0-08",
        "ARNs in policies: crates/iam; the ARNs of calls are S0-18's",
    ),
    ("S1-04 S1-08", "snapshot and parser: crates/iam"),
    ("S1-10", "the event's time as a key: tests/calls"),
    (
        "S2-19",
        "VPC endpoint policies: crates/iam, and the record's endpoint in tests/calls",
    ),
    (
        "S3-30 S3-32 S3-34 S3-35 S3-36 S3-38 S3-39 S3-40 S3-41 S3-45",
        "what an execution role will need",
    ),
    ("S3-46", "statement fragments: lint"),
];

/// The rows of the seed documents: each has a golden case that names it, or speaks of no mapping.
#[test]
fn every_seed_row_has_its_case() {
    let Some(folder) = shared("docs") else {
        return;
    };
    let mut named = std::collections::BTreeSet::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mapping_golden");
    for entry in std::fs::read_dir(golden).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let shows = text.lines().filter(|line| line.starts_with("shows = "));
        named.extend(shows.flat_map(row_ids));
    }
    let elsewhere: Vec<String> = NO_MAPPING
        .iter()
        .flat_map(|(rows, _)| row_ids(rows))
        .collect();
    let text = std::fs::read_to_string(folder.join("seed-rows.md")).unwrap();
    let rows: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("| S"))
        .flat_map(|line| row_ids(line).into_iter().take(1))
        .collect();
    assert_eq!(rows.len(), 88, "{rows:?}");
    let missing: Vec<_> = rows
        .iter()
        .filter(|row| !named.contains(*row) && !elsewhere.contains(row))
        .collect();
    assert!(missing.is_empty(), "rows without a case: {missing:?}");
    let stale: Vec<_> = elsewhere
        .iter()
        .filter(|row| named.contains(*row) || !rows.contains(row))
        .collect();
    assert!(
        stale.is_empty(),
        "rows that have a case, or are none: {stale:?}"
    );
}

/// `S2-13` and the like, in a line.
fn row_ids(line: &str) -> Vec<String> {
    let is_row = |word: &&str| {
        let bytes = word.as_bytes();
        bytes.len() == 5
            && bytes[0] == b'S'
            && bytes[2] == b'-'
            && [1, 3, 4].iter().all(|at| bytes[*at].is_ascii_digit())
    };
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(is_row)
        .map(str::to_owned)
        .collect()
}

/// Every field that the reference gives for a SageMaker condition key feeds it.
#[test]
fn every_field_of_a_sagemaker_condition_key_feeds_it() {
    let Some(folder) = shared("reference") else {
        return;
    };
    let mapping = mapping();
    let text = std::fs::read_to_string(folder.join("sagemaker_condkey_fields.json")).unwrap();
    let keys: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        serde_json::from_str(&text).unwrap();
    let mut missing = Vec::new();
    let mut fed = 0;
    for (key, operations) in &keys {
        for (event, places) in operations {
            for place in places.iter().filter(|place| !feeds_another(key, place)) {
                let arn = "arn:aws:x:us-east-1:111122223333:y/z";
                let request = nested(place, &format!("\"{arn}\""));
                let text = format!(
                    r#"{{"eventType":"AwsApiCall","eventSource":"sagemaker.amazonaws.com","eventName":"{event}","awsRegion":"us-east-1","recipientAccountId":"111122223333","requestParameters":{request}}}"#
                );
                let lines = map_text(&mapping, &text, None, |_, mapped| lines(mapped, Some(key)));
                fed += 1;
                let expected = [format!("{key}={arn}"), format!("{key}=[{arn}]")];
                if !lines
                    .iter()
                    .any(|line| expected.iter().any(|text| line.contains(text)))
                {
                    missing.push(format!("{key} {event} {place}: {}", lines.join("; ")));
                }
            }
        }
    }
    eprintln!("{fed} fields feed {} keys", keys.len());
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// `A.B[].C`, as CloudTrail spells it, with this value at its end.
fn nested(place: &str, value: &str) -> String {
    let (first, rest) = match place.split_once('.') {
        Some((first, rest)) => (first, nested(rest, value)),
        None => (place, value.to_owned()),
    };
    let (name, rest) = match first.strip_suffix("[]") {
        Some(name) => (name, format!("[{rest}]")),
        None => (first, rest),
    };
    let lowered = name[..1].to_ascii_lowercase() + &name[1..];
    format!(r#"{{"{lowered}":{rest}}}"#)
}
