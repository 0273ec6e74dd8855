//! The policy documents in the files of a snapshot, each with its place in its file.
//!
//! Documents that nobody can change are left out: AWS managed policies and the policies of
//! service-linked roles.

mod details;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::report::place;
use super::{LintFinding, LintRule, Linter, PolicyKind};
use crate::SnapshotFile;
use details::Page;

/// One document of a snapshot file; the places of its findings count in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintedDocument {
    /// The policy's or resource's ARN, or `<principal ARN>#<name>` for an inline policy.
    pub id: String,
    /// Its findings, by place.
    pub findings: Vec<LintFinding>,
}

/// The members of an object, where they stand in the file.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Looks at every policy document of one file of a snapshot. A file that is no JSON gives one finding.
pub fn lint_snapshot_file(file: &SnapshotFile<'_>, linter: &Linter<'_>) -> Vec<LintedDocument> {
    let Ok(text) = std::str::from_utf8(file.bytes) else {
        return vec![broken(file.path, 1, 1, "the file is not UTF-8")];
    };
    let mut walk = Walk {
        text,
        linter,
        known: HashMap::new(),
        documents: Vec::new(),
    };
    let mut parts = file.path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    // Nothing of these holds policies.
    let others = [
        "snapshot.json",
        "kms-grants.json",
        "resource-tags.json",
        "trails.json",
        "s3-buckets.json",
        "last-accessed.json",
    ];
    if others.contains(&name) || !name.ends_with(".json") {
        return Vec::new();
    }
    let look = match (folder, name) {
        ("resource-policies", _) => Walk::resource_policies,
        (_, "vpc-endpoints.json") => Walk::endpoints,
        (_, "organization.json") => Walk::organization,
        _ => {
            // What AWS prints is one page.
            if let Some(page) = Page::of_text(text) {
                walk.page(page);
                return walk.documents;
            }
            Walk::details
        }
    };
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
                let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
                walk.documents
                    .push(broken(file.path, line, column, &error.to_string()));
                break;
            }
        };
        look(&mut walk, value);
    }
    walk.documents
}

fn broken(path: &str, line: u32, column: u32, message: &str) -> LintedDocument {
    let finding = LintFinding {
        rule: LintRule::JsonSyntax,
        severity: LintRule::JsonSyntax.severity(),
        line: line.max(1),
        column: column.max(1),
        message: message.to_owned(),
        hint: None,
    };
    LintedDocument {
        id: path.to_owned(),
        findings: vec![finding],
    }
}

struct Walk<'a, 'l, 'c> {
    text: &'a str,
    linter: &'l Linter<'c>,
    /// The findings of the texts seen: thousands of roles have the very same trust policy.
    known: HashMap<(&'a str, PolicyKind), Vec<LintFinding>>,
    documents: Vec<LintedDocument>,
}

impl<'a> Walk<'a, '_, '_> {
    /// A page of `get-account-authorization-details`, or an array of pages.
    fn details(&mut self, value: &'a RawValue) {
        for page in array(value) {
            self.details(page);
        }
        self.page(Page::of(value));
    }

    fn page(&mut self, page: Page<'a>) {
        for (list, quota) in [
            (page.users, 2_048),
            (page.groups, 5_120),
            (page.roles, 10_240),
        ] {
            for principal in list {
                self.principal(&principal, quota);
            }
        }
        for policy in page.policies {
            if policy.arn.split(':').nth(4) == Some("aws") {
                continue;
            }
            for document in policy.defaults {
                self.document(policy.arn.to_string(), document, PolicyKind::Identity);
            }
        }
    }

    fn principal(&mut self, principal: &details::Principal<'a>, quota: usize) {
        let arn = &principal.arn;
        if arn.contains(":role/aws-service-role/") {
            return;
        }
        for (name, document) in &principal.inline {
            self.document(format!("{arn}#{name}"), document, PolicyKind::Identity);
        }
        // No document has more characters than its text in the file has bytes.
        let documents = || principal.inline.iter().map(|(_, document)| *document);
        let at_most: usize = documents().map(|document| document.get().len()).sum();
        if at_most > quota {
            self.inline_size(arn, documents(), quota);
        }
        if let Some(document) = principal.trust {
            self.document(format!("{arn}#trust"), document, PolicyKind::Trust);
        }
    }

    /// Whether a principal's inline policies are larger together than AWS lets them be.
    fn inline_size(
        &mut self,
        arn: &str,
        mut documents: impl Iterator<Item = &'a RawValue> + Clone,
        quota: usize,
    ) {
        let characters = |document| {
            let text = decoded(document);
            text.chars().filter(|next| !next.is_whitespace()).count()
        };
        let size: usize = documents.clone().map(characters).sum();
        let Some(first) = documents.next().filter(|_| size > quota) else {
            return;
        };
        let (line, column) = place(self.text, self.offset(first));
        let rule = LintRule::PolicyTooLarge;
        let message =
            format!("{size} characters: AWS's quota for its inline policies together is {quota}");
        self.documents.push(LintedDocument {
            id: arn.to_owned(),
            findings: vec![LintFinding {
                rule,
                severity: rule.severity(),
                line,
                column,
                message,
                hint: Some("make managed policies of them".to_owned()),
            }],
        });
    }

    fn resource_policies(&mut self, value: &'a RawValue) {
        for (arn, document) in members(value) {
            if document.get() != "null" {
                self.document(arn, document, PolicyKind::Resource);
            }
        }
    }

    fn endpoints(&mut self, value: &'a RawValue) {
        for page in array(value) {
            self.endpoints(page);
        }
        let page = members(value);
        let endpoints = page.get("VpcEndpoints").copied();
        for endpoint in endpoints.into_iter().flat_map(array) {
            let endpoint = members(endpoint);
            if let Some(document) = endpoint.get("PolicyDocument") {
                let id = string(&endpoint, "VpcEndpointId");
                self.document(id, document, PolicyKind::VpcEndpoint);
            }
        }
    }

    fn organization(&mut self, value: &'a RawValue) {
        let organization = members(value);
        let policies = organization.get("Policies").copied();
        for policy in policies.into_iter().flat_map(array) {
            let policy = members(policy);
            let summary = policy
                .get("PolicySummary")
                .map(|summary| members(summary))
                .unwrap_or_default();
            let by_aws = summary
                .get("AwsManaged")
                .is_some_and(|flag| flag.get() == "true");
            let kind = match string(&summary, "Type").as_str() {
                "SERVICE_CONTROL_POLICY" => PolicyKind::Scp,
                "RESOURCE_CONTROL_POLICY" => PolicyKind::Rcp,
                _ => continue,
            };
            if let Some(content) = policy.get("Content").filter(|_| !by_aws) {
                let id = match string(&summary, "Arn") {
                    arn if arn.is_empty() => string(&summary, "Id"),
                    arn => arn,
                };
                self.document(id, content, kind);
            }
        }
    }

    fn document(&mut self, id: String, document: &'a RawValue, kind: PolicyKind) {
        let is_string = document.get().starts_with('"');
        let linted = self.known.entry((document.get(), kind));
        let mut findings = linted
            .or_insert_with(|| self.linter.lint(&decoded(document), kind))
            .clone();
        // To find the place, the file is read up to it: for each of thousands of documents, of which hardly
        // any has a finding, that was two fifths of a run.
        let (line, column) = match findings.as_slice() {
            [] => (1, 1),
            _ => place(self.text, self.offset(document)),
        };
        for finding in &mut findings {
            if is_string {
                // Escapes and URL encoding move everything inside the string.
                finding.message = format!(
                    "at {}:{} of the document in this string: {}",
                    finding.line, finding.column, finding.message
                );
                (finding.line, finding.column) = (line, column);
            } else {
                if finding.line == 1 {
                    finding.column = finding.column.saturating_add(column - 1);
                }
                finding.line = finding.line.saturating_add(line - 1);
            }
        }
        self.documents.push(LintedDocument { id, findings });
    }

    /// Where a value stands in the file: it borrows from its text.
    fn offset(&self, value: &RawValue) -> usize {
        (value.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
}

fn members(value: &RawValue) -> Members<'_> {
    // Whatever is not an object has no members; the reader of snapshots says what is wrong with it.
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn array(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn string(members: &Members<'_>, name: &str) -> String {
    members
        .get(name)
        .and_then(|value| serde_json::from_str(value.get()).ok())
        .unwrap_or_default()
}

/// An object's text, or what a string holds, URL-encoded as the IAM API sends it or plain.
fn decoded(document: &RawValue) -> Cow<'_, str> {
    let text = document.get();
    let text = match text.starts_with('"') {
        true => serde_json::from_str::<String>(text),
        false => return Cow::Borrowed(text),
    };
    match text {
        Ok(text) if text.trim_start().starts_with('%') => {
            Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned())
        }
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(document.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    /// What is kept of documents and of resource types changes no finding: each is found as by a linter that has
    /// seen nothing yet.
    #[test]
    fn what_is_kept_changes_nothing() -> Result<(), serde_json::Error> {
        let documents = [
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bucket/*","arn:aws:s3:::bucket"]}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"arn:aws:sqs:::queue"},{"Effect":"Allow","Action":"nosuch:Action","Resource":"arn:aws:nosuch:::x"}]}"#,
            r#""%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObjekt%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D""#,
        ];
        let mut policies = String::new();
        for (number, document) in documents.iter().chain(&documents).enumerate() {
            let comma = if number == 0 { "" } else { "," };
            policies +=
                &format!(r#"{comma}"arn:aws:sqs:eu-west-1:111122223333:q{number}": {document}"#);
        }
        let file = format!("{{{policies}}}");
        let file = SnapshotFile {
            path: "accounts/111122223333/resource-policies/sqs.json",
            bytes: file.as_bytes(),
        };
        let linter = || Linter::new(Catalogue::bundled(), BTreeMap::new());
        let messages = |findings: &[LintFinding]| -> Vec<String> {
            let texts = findings.iter().map(|one| {
                let message = one
                    .message
                    .split("this string: ")
                    .last()
                    .unwrap_or_default();
                format!("{}: {message} ({:?})", one.rule.id(), one.hint)
            });
            texts.collect()
        };
        let kept = lint_snapshot_file(&file, &linter());
        assert_eq!(kept.len(), documents.len() * 2);
        assert!(kept.iter().filter(|one| !one.findings.is_empty()).count() > 4);
        for (document, linted) in documents.iter().chain(&documents).zip(&kept) {
            let value: &RawValue = serde_json::from_str(document)?;
            let fresh = linter().lint(&decoded(value), PolicyKind::Resource);
            assert_eq!(messages(&linted.findings), messages(&fresh), "{document}");
        }
        Ok(())
    }
}
