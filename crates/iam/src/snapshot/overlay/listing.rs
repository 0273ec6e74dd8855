//! Files that list resources: policies, grants, tags, buckets, endpoints.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::documents::Documents;
use super::super::json::{Entries, read_one, read_pages, text_of};
use super::super::read::FileKind;
use super::entries::{
    ChangeFile, Entry, Given, Listed, OverlayEffect, form, object, quoted, with_members,
};
use super::error::{OverlayError, OverlayProblem, Place};
use super::{OverlayChange, OverlayEntry};
use crate::SnapshotFile;
use crate::kms_grant::KmsGrant;
use crate::pattern::arn_part;
use crate::s3_bucket::BucketForm;

const ENDPOINTS: &str = "VpcEndpoints";
const POLICY: &str = "PolicyDocument";

/// A listing of the snapshot, changed.
pub(super) struct Changed {
    pub(super) text: String,
    pub(super) changes: Vec<OverlayChange>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `VpcEndpoints`")]
struct EndpointsPage<'a> {
    #[serde(borrow, rename = "VpcEndpoints")]
    endpoints: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointName {
    vpc_endpoint_id: String,
}

fn endpoint_id(entry: &str) -> Option<String> {
    Some(
        serde_json::from_str::<EndpointName>(entry)
            .ok()?
            .vpc_endpoint_id,
    )
}

/// Lays a file of the change over the snapshot's file of the same name, where there is one.
pub(super) fn lay_over<'a>(
    file: ChangeFile<'a>,
    (kind, account): (FileKind<'_>, &str),
    base: Option<&SnapshotFile<'a>>,
) -> Result<Changed, OverlayError> {
    match kind {
        FileKind::VpcEndpoints { .. } => endpoints(file, base),
        _ => values(file, (kind, account), base),
    }
}

/// A file that is an object of entries: each value is whole, and `null` deletes.
fn values<'a>(
    file: ChangeFile<'a>,
    (kind, account): (FileKind<'_>, &str),
    base: Option<&SnapshotFile<'a>>,
) -> Result<Changed, OverlayError> {
    let mut listed = Listed::default();
    if let Some(base) = base {
        let entries = text_of(base.bytes).and_then(read_one::<Entries<'a, &'a RawValue>>);
        let entries =
            entries.map_err(|_| file.wrong_at(Place(None), OverlayProblem::SnapshotUnreadable))?;
        let entries = entries.0.into_iter();
        listed = Listed::new(entries.map(|(name, raw)| (name.into_owned(), raw)));
    }
    let mut documents = Documents::default();
    let mut changes = Vec::new();
    for entry in file.values()? {
        let name = &*entry.name;
        let wrong = |problem| file.wrong(entry.raw, problem);
        check_name(kind, account, name).map_err(wrong)?;
        let effect = match entry.raw.get() {
            "null" if listed.get(name).is_none() => {
                return Err(wrong(OverlayProblem::NotThere(name.to_owned())));
            }
            "null" => delete(kind, name, &mut listed),
            _ => {
                check_value(file, kind, (name, entry.raw), &mut documents)?;
                listed.set(name, entry.raw.get().to_owned())
            }
        };
        changes.push(OverlayChange {
            path: file.path.to_owned(),
            entry: entry_of(kind),
            id: name.to_owned(),
            effect,
            concerns: None,
        });
    }
    Ok(Changed {
        text: listed.object(),
        changes,
    })
}

/// What is known to have nothing is not the same as what was not collected.
fn delete(kind: FileKind<'_>, name: &str, listed: &mut Listed<'_>) -> OverlayEffect {
    let nothing = match kind {
        FileKind::ResourcePolicies { .. } => "null",
        FileKind::KmsGrants { .. } => "[]",
        FileKind::ResourceTags { .. } => "{}",
        _ => {
            listed.remove(name);
            return OverlayEffect::Deleted;
        }
    };
    match listed.set(name, nothing.to_owned()) {
        OverlayEffect::Unchanged => OverlayEffect::Unchanged,
        _ => OverlayEffect::Deleted,
    }
}

fn entry_of(kind: FileKind<'_>) -> OverlayEntry {
    match kind {
        FileKind::KmsGrants { .. } => OverlayEntry::KmsGrants,
        FileKind::ResourceTags { .. } => OverlayEntry::ResourceTags,
        FileKind::S3Buckets { .. } => OverlayEntry::Bucket,
        _ => OverlayEntry::ResourcePolicy,
    }
}

/// A name of another form than the file's entries have would never be asked for.
fn check_name(kind: FileKind<'_>, account: &str, name: &str) -> Result<(), OverlayProblem> {
    let expected = |expected| OverlayProblem::OtherForm {
        id: name.to_owned(),
        expected,
    };
    let is_arn = name.starts_with("arn:") && arn_part(name, 5).is_some_and(|part| !part.is_empty());
    let service = arn_part(name, 2).unwrap_or_default();
    match kind {
        FileKind::S3Buckets { .. } if name.contains(['/', ':']) => {
            return Err(expected("the name of a bucket"));
        }
        FileKind::S3Buckets { .. } => return Ok(()),
        _ if !is_arn => return Err(expected("the ARN of a resource")),
        FileKind::KmsGrants { .. } if service != "kms" || !name.contains(":key/") => {
            return Err(expected("the ARN of a KMS key"));
        }
        FileKind::ResourcePolicies { service: "s3", .. }
            if service == "s3" && name.contains(":::") && name.contains('/') =>
        {
            return Err(expected(
                "the ARN of a bucket, which has the policy of its objects",
            ));
        }
        FileKind::ResourcePolicies { service: file, .. } if !is_of_service(service, file) => {
            return Err(expected("the ARN of a resource of the file's service"));
        }
        _ => {}
    }
    let found = arn_part(name, 4).unwrap_or_default();
    if !found.is_empty() && found != account {
        return Err(OverlayProblem::OtherAccount {
            id: name.to_owned(),
            found: found.to_owned(),
        });
    }
    Ok(())
}

/// Whether ARNs of `service` can stand in the file of a service, which is named by the prefix of its
/// actions: a few services have another name in ARNs.
fn is_of_service(service: &str, file: &str) -> bool {
    let known = [
        "s3",
        "kms",
        "ecr",
        "sqs",
        "sns",
        "lambda",
        "secretsmanager",
        "iam",
        "sagemaker",
    ];
    service == file || !(known.contains(&service) && known.contains(&file))
}

fn check_value<'a>(
    file: ChangeFile<'a>,
    kind: FileKind<'_>,
    (name, raw): (&str, &'a RawValue),
    documents: &mut Documents<'a>,
) -> Result<(), OverlayError> {
    let unreadable = |error| file.wrong(raw, form(error));
    match kind {
        FileKind::KmsGrants { .. } => {
            let grants: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(unreadable)?;
            for grant in grants {
                KmsGrant::parse(grant.get()).map_err(|error| file.wrong(grant, form(error)))?;
            }
        }
        FileKind::ResourceTags { .. } => {
            serde_json::from_str::<Entries<'_, String>>(raw.get()).map_err(unreadable)?;
        }
        FileKind::S3Buckets { .. } => {
            serde_json::from_str::<BucketForm>(raw.get()).map_err(unreadable)?;
        }
        _ => {
            let owner = format!("policy of `{name}`");
            let compiled = documents.resource(raw);
            compiled.map_err(|problem| super::document(file, (owner, raw), &problem))?;
        }
    }
    Ok(())
}

/// `vpc-endpoints.json`; an endpoint without a policy has AWS's own, which lets everything pass.
fn endpoints<'a>(
    file: ChangeFile<'a>,
    base: Option<&SnapshotFile<'a>>,
) -> Result<Changed, OverlayError> {
    let mut listed = base_endpoints(base)
        .ok_or_else(|| file.wrong_at(Place(None), OverlayProblem::SnapshotUnreadable))?;
    let mut documents = Documents::default();
    let mut changes = Vec::new();
    let pages: Vec<EndpointsPage<'a>> =
        read_pages(file.text).map_err(|problem| file.json(&problem))?;
    for page in pages {
        for entry in file.entries((ENDPOINTS, page.endpoints), endpoint_id)? {
            let id = &*entry.name;
            let wrong = |problem| file.wrong(entry.raw, problem);
            if !id.starts_with("vpce-") {
                let (id, expected) = (id.to_owned(), "the id of a VPC endpoint");
                return Err(wrong(OverlayProblem::OtherForm { id, expected }));
            }
            let is_deleted = matches!(entry.given, Given::Deleted);
            let text = endpoint(file, &entry, listed.get(id), &mut documents)?;
            let effect = match listed.set(id, text) {
                OverlayEffect::Replaced if is_deleted => OverlayEffect::Deleted,
                effect => effect,
            };
            changes.push(OverlayChange {
                path: file.path.to_owned(),
                entry: OverlayEntry::VpcEndpointPolicy,
                id: id.to_owned(),
                effect,
                concerns: None,
            });
        }
    }
    let text = object([(ENDPOINTS, &*listed.list())].into_iter());
    Ok(Changed { text, changes })
}

/// An endpoint as it is to stand.
fn endpoint<'a>(
    file: ChangeFile<'a>,
    entry: &Entry<'a>,
    before: Option<&str>,
    documents: &mut Documents<'a>,
) -> Result<String, OverlayError> {
    let id = &*entry.name;
    let wrong = |problem| file.wrong(entry.raw, problem);
    let unreadable = |error| wrong(form(error));
    let members = match &entry.given {
        Given::Deleted => {
            let before = before.ok_or_else(|| wrong(OverlayProblem::NotThere(id.to_owned())))?;
            let nothing = vec![(Cow::Borrowed(POLICY), RawValue::NULL)];
            return with_members(before, &nothing).map_err(unreadable);
        }
        Given::Whole(members) | Given::Members(members) => members,
    };
    let mut text = entry.raw.get().to_owned();
    if matches!(entry.given, Given::Members(_)) {
        let own = object([("VpcEndpointId", &*quoted(id))].into_iter());
        text = with_members(before.unwrap_or(&own), members).map_err(unreadable)?;
    }
    let policy = members.iter().find(|(name, _)| name == POLICY);
    if let Some((_, raw)) = policy.filter(|(_, raw)| raw.get() != "null") {
        let owner = format!("policy of endpoint `{id}`");
        let compiled = documents.resource(raw);
        compiled.map_err(|problem| super::document(file, (owner, raw), &problem))?;
        text = with_text(&text, POLICY, raw).map_err(unreadable)?;
    }
    Ok(text)
}

/// `None` where the file cannot be read.
fn base_endpoints<'a>(base: Option<&SnapshotFile<'a>>) -> Option<Listed<'a>> {
    let Some(base) = base else {
        return Some(Listed::default());
    };
    let pages: Vec<EndpointsPage<'a>> = read_pages(text_of(base.bytes).ok()?).ok()?;
    let mut items = Vec::new();
    for page in pages {
        let entries: Vec<&'a RawValue> = serde_json::from_str(page.endpoints.get()).ok()?;
        for entry in entries {
            items.push((endpoint_id(entry.get())?, entry));
        }
    }
    Some(Listed::new(items))
}

/// A document given as an object, as the text that AWS prints there.
pub(super) fn with_text(
    text: &str,
    member: &'static str,
    document: &RawValue,
) -> Result<String, serde_json::Error> {
    if !document.get().starts_with('{') {
        return Ok(text.to_owned());
    }
    let written = quoted(document.get());
    let value: &RawValue = serde_json::from_str(&written)?;
    with_members(text, &vec![(Cow::Borrowed(member), value)])
}
