//! How much of each service's operations the mapping knows, counted over minimal requests made from
//! AWS's SDK models (`mapping/derived/operations.tsv`), and compared with the committed table.
//!
//! `RETRIAL_UPDATE=1` writes the table; its difference is what a newer model or a changed row means.

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
    reason = "tests may fail loudly; this one reads the project's own data files"
)]

mod mapping_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use mapping_support::{ACCOUNT, lines, map_text, mapping};
use retrial_iam::Catalogue;
use retrial_replay::{Mapped, MappedResource, Mapping};

/// The services whose every operation must be mapped.
const MISSION: [&str; 6] = [
    "sagemaker",
    "machinelearning",
    "s3",
    "ecr",
    "ecr-public",
    "kms",
];

/// What ids begin with, by the end of the field's name; Amazon EC2 and Amazon EFS tell types by it.
const IDS: [(&str, &str); 25] = [
    ("instanceId", "i-1"),
    ("volumeId", "vol-1"),
    ("snapshotId", "snap-1"),
    ("SnapshotId", "snap-1"),
    ("imageId", "ami-1"),
    ("vpcId", "vpc-1"),
    ("subnetId", "subnet-1"),
    ("subnetIds", "subnet-1"),
    ("groupId", "sg-1"),
    ("networkInterfaceId", "eni-1"),
    ("internetGatewayId", "igw-1"),
    ("routeTableId", "rtb-1"),
    ("networkAclId", "acl-1"),
    ("natGatewayId", "nat-1"),
    ("allocationId", "eipalloc-1"),
    ("launchTemplateId", "lt-1"),
    ("vpcEndpointId", "vpce-1"),
    ("vpcPeeringConnectionId", "pcx-1"),
    ("vpnGatewayId", "vgw-1"),
    ("transitGatewayAttachmentId", "tgw-attach-1"),
    ("dhcpOptionsId", "dopt-1"),
    ("prefixListId", "pl-1"),
    ("resourceId", "i-1"),
    ("ileSystemId", "fs-1"),
    ("accessPointId", "fsap-1"),
];

#[derive(Clone)]
struct Operation {
    service: String,
    event_source: String,
    event: String,
    operation: String,
    client: String,
    recorded: String,
    texts: Vec<String>,
}

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("mapping/derived")
        .join(name)
}

fn operations() -> Vec<Operation> {
    let text = std::fs::read_to_string(data("operations.tsv")).unwrap();
    text.lines()
        .skip(2)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            Operation {
                service: cells[0].to_owned(),
                event_source: cells[1].to_owned(),
                event: cells[2].to_owned(),
                operation: cells[3].to_owned(),
                client: cells[4].to_owned(),
                recorded: cells[5].to_owned(),
                texts: cells[6].split_whitespace().map(str::to_owned).collect(),
            }
        })
        .collect()
}

/// An ARN for a field that holds one: of the type that the operation's own action takes.
fn arn_for(operation: &Operation, field: &str) -> String {
    if field.to_ascii_lowercase().contains("role") {
        return format!("arn:aws:iam::{ACCOUNT}:role/r");
    }
    let catalogue = Catalogue::bundled();
    let kind = catalogue
        .action(&operation.service, &operation.event)
        .and_then(|action| {
            let kind = catalogue.resource_types(action).next()?;
            catalogue.resource_type(&operation.service, kind.name)
        });
    let template = kind.map_or("arn:${Partition}:x:${Region}:${Account}:y", |kind| kind.arn);
    let mut arn = String::new();
    let mut rest = template.split(", ").next().unwrap_or_default();
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').unwrap();
        arn.push_str(before);
        arn.push_str(match name {
            "Partition" => "aws",
            "Region" => "us-east-1",
            "Account" => ACCOUNT,
            _ => "x",
        });
        rest = tail;
    }
    arn + rest
}

fn request(operation: &Operation) -> String {
    let mut members = BTreeMap::new();
    for text in &operation.texts {
        let (field, is_list) = match text.strip_suffix("[]") {
            Some(field) => (field, true),
            None => (text.as_str(), false),
        };
        let lower = field.to_ascii_lowercase();
        let value = if lower.ends_with("arn") || lower.ends_with("arns") {
            arn_for(operation, field)
        } else {
            let id = IDS.iter().find(|(end, _)| field.ends_with(end));
            id.map_or("x", |(_, id)| id).to_owned()
        };
        if is_list && operation.service == "ec2" {
            let items = format!(r#"{{"items":[{{"{field}":"{value}"}}]}}"#);
            members.insert(format!("{field}Set"), items);
        } else if is_list {
            members.insert(field.to_owned(), format!(r#"["{value}"]"#));
        } else {
            members.insert(field.to_owned(), format!(r#""{value}""#));
        }
    }
    if operation.service == "machinelearning" && members.contains_key("resourceId") {
        members.insert("resourceType".to_owned(), r#""MLModel""#.to_owned());
    }
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!(r#""{name}":{value}"#))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn record(operation: &Operation) -> String {
    let additional = match operation.service.as_str() {
        "application-autoscaling" => r#"{"service":"application-autoscaling"}"#,
        _ => "null",
    };
    let kind = match operation.event.as_str() {
        "JobCreated" | "JobStatusChanged" | "PolicyExecutionEvent" => "AwsServiceEvent",
        _ => "AwsApiCall",
    };
    format!(
        r#"{{"eventVersion":"1.11","eventType":"{kind}","eventSource":"{}","eventName":"{}","awsRegion":"us-east-1","recipientAccountId":"{ACCOUNT}","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::{ACCOUNT}:user/ana","accountId":"{ACCOUNT}","userName":"ana"}},"requestParameters":{},"additionalEventData":{additional}}}"#,
        operation.event_source,
        operation.event,
        request(operation),
    )
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// At least one required request has a whole ARN.
    Resource,
    /// No request has a resource.
    Star,
    /// Only the form of what is asked about is known.
    Form,
    /// No action or no permission.
    Nothing,
    Unmapped,
}

fn found(mapping: &Mapping, operation: &Operation) -> Found {
    map_text(mapping, &record(operation), None, |_, mapped| {
        let Mapped::Requests(requests) = mapped else {
            return match mapped {
                Mapped::Unmapped => Found::Unmapped,
                _ => Found::Nothing,
            };
        };
        let own = || requests.iter().filter(|request| request.required);
        if own().any(|request| matches!(request.resource, MappedResource::Arn { .. })) {
            Found::Resource
        } else if requests
            .iter()
            .all(|request| request.resource == MappedResource::Any)
        {
            Found::Star
        } else {
            Found::Form
        }
    })
}

const EXPLANATION: &str = "\
# What the mapping knows of each service's operations, by the SDK models of operations.tsv.
# recorded: by CloudTrail, as a management or a data event. The next four are over event names, asked
# with a minimal request: a resource whose ARN is known, none (`*`), one of which only the form is
# known (named below), no action or no permission.
";

fn table(mapping: &Mapping) -> (String, Vec<String>) {
    let mut by_service: BTreeMap<String, Vec<(Operation, Found)>> = BTreeMap::new();
    for operation in operations() {
        let found = found(mapping, &operation);
        by_service
            .entry(operation.service.clone())
            .or_default()
            .push((operation, found));
    }
    let mut text = EXPLANATION.to_owned();
    writeln!(
        text,
        "{:<24}{:>11}{:>7}{:>9}{:>8}{:>10}{:>6}{:>6}{:>9}{:>10}",
        "service",
        "operations",
        "mapped",
        "recorded",
        "events",
        "resource",
        "*",
        "form",
        "nothing",
        "unmapped"
    )
    .unwrap();
    let mut named = String::new();
    let mut unmapped = Vec::new();
    for (service, rows) in &by_service {
        let names = |wanted: &dyn Fn(&Operation, Found) -> bool| -> BTreeSet<String> {
            rows.iter()
                .filter(|(operation, found)| {
                    operation.operation != "-" && wanted(operation, *found)
                })
                .map(|(operation, _)| operation.operation.clone())
                .collect()
        };
        let all = names(&|_, _| true);
        let mapped = names(&|_, found| found != Found::Unmapped);
        let recorded =
            names(&|operation, _| matches!(operation.recorded.as_str(), "management" | "data"));
        let count = |wanted| rows.iter().filter(|(_, found)| *found == wanted).count();
        writeln!(
            text,
            "{service:<24}{:>11}{:>7}{:>9}{:>8}{:>10}{:>6}{:>6}{:>9}{:>10}",
            all.len(),
            mapped.len(),
            recorded.len(),
            rows.len(),
            count(Found::Resource),
            count(Found::Star),
            count(Found::Form),
            count(Found::Nothing),
            count(Found::Unmapped)
        )
        .unwrap();
        for (what, wanted) in [("form", Found::Form), ("unmapped", Found::Unmapped)] {
            let of_kind = rows.iter().filter(|(_, found)| *found == wanted);
            let events: BTreeSet<&str> = of_kind.map(|row| row.0.event.as_str()).collect();
            for event in &events {
                writeln!(named, "{service}\t{what}\t{event}").unwrap();
                if wanted == Found::Unmapped && MISSION.contains(&service.as_str()) {
                    unmapped.push(format!("{service}:{event}"));
                }
            }
        }
    }
    (format!("{text}\n{named}"), unmapped)
}

#[test]
fn every_operation_of_a_mission_service_is_mapped() {
    let (table, unmapped) = table(&mapping());
    eprintln!("{}", table.split("\n\n").next().unwrap_or_default());
    let path = data("coverage.txt");
    if std::env::var_os("RETRIAL_UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert!(unmapped.is_empty(), "{unmapped:?}");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        table == committed,
        "`{}` differs; write it with RETRIAL_UPDATE=1 and review",
        path.display()
    );
}

/// The reference's own list of what CloudTrail records, which lies beside the project.
#[test]
fn what_is_recorded_agrees_with_the_reference() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/coverage15.tsv");
    if !path.exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "`{}` is missing",
            path.display()
        );
        eprintln!("skipped: `{}` is missing", path.display());
        return;
    }
    let ours: BTreeMap<(String, String), String> = operations()
        .into_iter()
        .map(|row| ((row.client, row.operation), row.recorded))
        .collect();
    let mut different = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let client = cells[2];
        let key = (client.to_owned(), cells[1].to_owned());
        match ours.get(&key) {
            None => different.push(format!("{client} {}: not listed", cells[1])),
            Some(recorded) if recorded != cells[3] => {
                different.push(format!(
                    "{client} {}: {recorded}, not {}",
                    cells[1], cells[3]
                ));
            }
            Some(_) => {}
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Role fields that nobody passes in the sense of `iam:PassRole`, each with the reason.
const NOT_PASSED: [(&str, &str, &str); 11] = [
    ("sts", "AssumeRole", "assumed, not passed"),
    ("sts", "AssumeRoleWithSAML", "assumed, not passed"),
    ("sts", "AssumeRoleWithWebIdentity", "assumed, not passed"),
    (
        "ec2",
        "AssociateEnclaveCertificateIamRole",
        "the certificate's role, a resource of the call",
    ),
    (
        "ec2",
        "DisassociateEnclaveCertificateIamRole",
        "the certificate's role, a resource of the call",
    ),
    (
        "ec2",
        "DescribeCapacityReservationBillingRequests",
        "owner or consumer: no IAM role",
    ),
    (
        "machinelearning",
        "CreateDataSourceFromRDS",
        "rDSData holds names of roles; roleARN is passed",
    ),
    (
        "s3",
        "PutBucketNotification",
        "an element that AWS has retired",
    ),
    (
        "s3",
        "CreateBucketMetadataConfiguration",
        "not in the reference",
    ),
    (
        "s3",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "not in the reference",
    ),
    (
        "s3",
        "PutBucketReplication",
        "Amazon S3 on Outposts spells it `replicationConfiguration.role`",
    ),
];

#[test]
fn every_role_field_is_passed_or_excused() {
    let mapping = mapping();
    let text = std::fs::read_to_string(data("role-fields.tsv")).unwrap();
    let all = operations();
    let mut missing = Vec::new();
    for line in text.lines().skip(2) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (service, event, place) = (cells[0], cells[1], cells[2]);
        if NOT_PASSED
            .iter()
            .any(|(left, name, _)| *left == service && *name == event)
        {
            continue;
        }
        let Some(operation) = all
            .iter()
            .find(|row| row.service == service && row.operation == event)
        else {
            missing.push(format!("{service}:{event}: no operation"));
            continue;
        };
        let role = format!("arn:aws:iam::{ACCOUNT}:role/passed");
        let request = nested(place, &format!("\"{role}\""));
        let text = record(&Operation {
            texts: Vec::new(),
            ..operation.clone()
        });
        let text = text.replacen(
            r#""requestParameters":{}"#,
            &format!(r#""requestParameters":{request}"#),
            1,
        );
        let passed = map_text(&mapping, &text, None, |_, mapped| {
            lines(mapped, None)
                .iter()
                .any(|line| line.contains("iam:PassRole") && line.contains(&role))
        });
        if !passed {
            missing.push(format!("{service}:{event} {place}"));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// `a.b[].c` as JSON with this value at its end.
fn nested(place: &str, value: &str) -> String {
    let (first, rest) = match place.split_once('.') {
        Some((first, rest)) => (first, nested(rest, value)),
        None => (place, value.to_owned()),
    };
    match first.strip_suffix("[]") {
        Some(name) => format!(r#"{{"{name}":[{rest}]}}"#),
        None => format!(r#"{{"{first}":{rest}}}"#),
    }
}
