//! The files of a snapshot, told apart by their names.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    AccountIndex, Principal, PrincipalFacts, PrincipalKind, Snapshot, SnapshotError, SnapshotFile,
    SnapshotIssue, Told,
    accounts::Accounts,
    details::is_account_id,
    documents::Documents,
    json::{JsonProblem, read_one, text_of},
    keys_read::KeysRead,
    organization::Organization,
    resources::{Listing, Resources},
    status::{Part, Status, StatusLayer, Statuses},
    usage::{read_credential_report, read_last_accessed},
};
use crate::Catalogue;

/// What was found wrong, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Issues(Vec<SnapshotIssue>);

impl Issues {
    pub(super) fn add(&mut self, path: &str, message: String) {
        // Whoever wrote the file chose the names in it: a message stays one line whatever they hold.
        let escaped = |text: &str| text.chars().any(char::is_control);
        let message = if escaped(&message) {
            message.chars().map(visible).collect()
        } else {
            message
        };
        self.0.push(SnapshotIssue {
            path: path.to_owned(),
            message,
        });
    }
}

fn visible(character: char) -> char {
    if character.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

/// What a file of a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind<'p> {
    Status,
    Organization,
    Details {
        folder: Option<&'p str>,
    },
    ResourcePolicies {
        account: &'p str,
        service: &'p str,
    },
    KmsGrants {
        account: &'p str,
    },
    ResourceTags {
        account: &'p str,
    },
    VpcEndpoints {
        account: &'p str,
    },
    S3Buckets {
        account: &'p str,
    },
    /// These three are of no use to a decision.
    Trails {
        account: &'p str,
    },
    LastAccessed,
    CredentialReport,
    /// Looks as if it were meant to be part of the snapshot.
    Unknown,
    /// Something else: a README, say.
    Foreign,
}

impl<'p> FileKind<'p> {
    /// `alone`: the snapshot is this file.
    pub(super) fn of(path: &'p str, alone: bool) -> Self {
        let is_details =
            |name: &str| name.starts_with("authorization-details") && name.ends_with(".json");
        let parts: Vec<&str> = path.trim_start_matches("./").split('/').collect();
        match parts.as_slice() {
            ["snapshot.json"] => Self::Status,
            ["organization.json"] => Self::Organization,
            ["accounts", account, rest @ ..] if is_account_id(account) => match rest {
                [name] if is_details(name) => Self::Details {
                    folder: Some(account),
                },
                ["resource-policies", name] if name.ends_with(".json") => Self::ResourcePolicies {
                    account,
                    service: name.trim_end_matches(".json"),
                },
                ["kms-grants.json"] => Self::KmsGrants { account },
                ["resource-tags.json"] => Self::ResourceTags { account },
                ["vpc-endpoints.json"] => Self::VpcEndpoints { account },
                ["s3-buckets.json"] => Self::S3Buckets { account },
                ["trails.json"] => Self::Trails { account },
                ["last-accessed.json"] => Self::LastAccessed,
                ["credential-report.csv"] => Self::CredentialReport,
                _ => Self::unknown(path),
            },
            [name] if is_details(name) => Self::Details { folder: None },
            _ if alone => Self::Details { folder: None },
            _ => Self::unknown(path),
        }
    }

    /// The account whose folder it stands in.
    pub(super) fn account(self) -> Option<&'p str> {
        match self {
            Self::Details { folder } => folder,
            Self::ResourcePolicies { account, .. }
            | Self::KmsGrants { account }
            | Self::ResourceTags { account }
            | Self::VpcEndpoints { account }
            | Self::S3Buckets { account }
            | Self::Trails { account } => Some(account),
            Self::Status
            | Self::Organization
            | Self::LastAccessed
            | Self::CredentialReport
            | Self::Unknown
            | Self::Foreign => None,
        }
    }

    fn unknown(path: &str) -> Self {
        if path.ends_with(".json") || path.ends_with(".csv") {
            Self::Unknown
        } else {
            Self::Foreign
        }
    }
}

/// A snapshot while its files are read.
struct Reader<'a, 'c> {
    catalogue: &'c Catalogue,
    issues: Issues,
    statuses: Statuses,
    organization: Option<Organization>,
    organization_unreadable: bool,
    accounts: Accounts<'a>,
    /// Accounts with a file of details that could not be read.
    incomplete: BTreeSet<String>,
    documents: Documents<'a>,
    resources: Resources,
    told: Told,
    files_read: usize,
}

pub(super) fn read(
    files: &[SnapshotFile<'_>],
    catalogue: &Catalogue,
) -> Result<(Snapshot, Vec<SnapshotIssue>), SnapshotError> {
    if files.is_empty() {
        return Err(SnapshotError::NoFiles);
    }
    let mut files = files.to_vec();
    files.sort_unstable_by_key(|file| file.path);
    let mut reader = Reader {
        catalogue,
        issues: Issues::default(),
        statuses: Statuses::default(),
        organization: None,
        organization_unreadable: false,
        accounts: Accounts::default(),
        incomplete: BTreeSet::new(),
        documents: Documents::default(),
        resources: Resources::default(),
        told: Told::default(),
        files_read: 0,
    };
    for file in &files {
        reader.file(*file, FileKind::of(file.path, files.len() == 1))?;
    }
    if reader.files_read == 0 {
        return Err(match reader.issues.0.into_iter().next() {
            Some(issue) => SnapshotError::NothingReadable(issue),
            None => SnapshotError::NothingKnown,
        });
    }
    let id = hash(&files);
    Ok(reader.finish(id))
}

/// The first half of a hash over all files, whatever order they come in.
fn hash(sorted: &[SnapshotFile<'_>]) -> String {
    let mut hash = Sha256::new();
    for file in sorted {
        for part in [file.path.as_bytes(), file.bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl<'a> Reader<'a, '_> {
    fn file(&mut self, file: SnapshotFile<'a>, kind: FileKind<'_>) -> Result<(), SnapshotError> {
        let path = file.path;
        let text = || text_of(file.bytes);
        match kind {
            FileKind::Status => self.status(path, text())?,
            FileKind::Organization => self.organization(path, text()),
            FileKind::Details { folder } => self.details(path, text(), folder),
            FileKind::ResourcePolicies { account, service } => {
                if !self.catalogue.has_service(service) {
                    self.issues
                        .add(path, format!("`{service}` is no service that IAM knows"));
                }
                let documents = &mut self.documents;
                let read = text().and_then(|text| {
                    self.resources
                        .read_policies((account, service), text, documents)
                });
                self.listing(path, (account, StatusLayer::ResourcePolicy, service), read);
            }
            FileKind::KmsGrants { account } => {
                let read = text().and_then(|text| self.resources.read_grants(text));
                self.listing(path, (account, StatusLayer::KmsGrants, "kms"), read);
            }
            FileKind::ResourceTags { account } => {
                let read = text().and_then(|text| self.resources.read_tags(text));
                self.listing(path, (account, StatusLayer::ResourceTags, "*"), read);
            }
            FileKind::VpcEndpoints { account } => {
                let read = text().and_then(|text| self.resources.read_endpoints(text));
                self.listing(path, (account, StatusLayer::VpcEndpointPolicy, "ec2"), read);
            }
            FileKind::S3Buckets { account } => {
                let read = text().and_then(|text| self.resources.read_buckets(account, text));
                self.listing(path, (account, StatusLayer::S3Acl, "s3"), read);
            }
            FileKind::Unknown => self.issues.add(
                path,
                "the file is none that a snapshot has, and is not read".to_owned(),
            ),
            FileKind::Trails { account } => self.trails(path, account, text()),
            FileKind::LastAccessed => self.last_accessed(path, text()),
            FileKind::CredentialReport => self.credential_report(path, text()),
            FileKind::Foreign => {}
        }
        Ok(())
    }

    fn status(
        &mut self,
        path: &str,
        text: Result<&'a str, JsonProblem>,
    ) -> Result<(), SnapshotError> {
        // Without it nobody knows which of the other files are whole, and to guess would change decisions.
        let file = text.and_then(read_one).map_err(|problem| {
            SnapshotError::Statuses(SnapshotIssue {
                path: path.to_owned(),
                message: problem.to_string(),
            })
        })?;
        let (statuses, problems) = Statuses::from_file(file);
        self.statuses = statuses;
        self.files_read += 1;
        for problem in problems {
            self.issues.add(path, problem);
        }
        Ok(())
    }

    fn organization(&mut self, path: &str, text: Result<&'a str, JsonProblem>) {
        match text.and_then(read_one) {
            Ok(file) => {
                let (organization, problems) = Organization::from_file(file);
                self.organization = Some(organization);
                for problem in problems {
                    self.issues.add(path, problem);
                }
                self.files_read += 1;
            }
            Err(problem) => {
                self.organization_unreadable = true;
                self.issues.add(path, problem.to_string());
            }
        }
    }

    fn details(&mut self, path: &'a str, text: Result<&'a str, JsonProblem>, folder: Option<&str>) {
        let problem = match text {
            Ok(text) => match self.accounts.read_file(path, text, folder) {
                Ok(_) => {
                    self.files_read += 1;
                    return;
                }
                Err(problem) => problem.to_string(),
            },
            Err(problem) => problem.to_string(),
        };
        let account = folder
            .map(|account| format!(": account `{account}` counts as not collected"))
            .unwrap_or_default();
        self.issues.add(path, format!("{problem}{account}"));
        self.incomplete.extend(folder.map(str::to_owned));
    }

    fn trails(&mut self, path: &str, account: &str, text: Result<&'a str, JsonProblem>) {
        let read = text.and_then(|text| read_one::<&RawValue>(text).map(|_| text));
        match read {
            Ok(text) => {
                let file = (path.to_owned(), text.to_owned());
                self.told.trails.insert(account.to_owned(), file);
            }
            Err(problem) => self.issues.add(path, problem.to_string()),
        }
    }

    fn last_accessed(&mut self, path: &str, text: Result<&'a str, JsonProblem>) {
        match text.and_then(read_last_accessed) {
            Ok(read) => {
                self.told.last_accessed.extend(read.by_principal);
                for problem in read.problems {
                    self.issues.add(path, problem);
                }
            }
            Err(problem) => self.issues.add(path, problem.to_string()),
        }
    }

    fn credential_report(&mut self, path: &str, text: Result<&'a str, JsonProblem>) {
        let text = text.map_err(|problem| problem.to_string());
        match text.and_then(read_credential_report) {
            Ok(users) => {
                let by_arn = users.into_iter().map(|user| (user.arn.clone(), user));
                self.told.credentials.extend(by_arn);
            }
            Err(problem) => self.issues.add(path, problem),
        }
    }

    fn listing(
        &mut self,
        path: &str,
        (account, layer, service): (&str, StatusLayer, &str),
        read: Result<Listing, JsonProblem>,
    ) {
        self.resources
            .note_file(account, layer, service, read.as_ref().ok());
        match read {
            Ok(listing) => {
                self.files_read += 1;
                for problem in listing.problems {
                    self.issues.add(path, problem);
                }
                for name in listing.repeated {
                    self.issues.add(
                        path,
                        format!("`{name}` is listed more than once: the first entry counts"),
                    );
                }
            }
            Err(problem) => self.issues.add(path, problem.to_string()),
        }
    }

    fn finish(mut self, id: String) -> (Snapshot, Vec<SnapshotIssue>) {
        let mut accounts: BTreeMap<String, AccountIndex> = BTreeMap::new();
        let mut principals: Vec<(Principal, PrincipalFacts)> = Vec::new();
        for (account, details) in &self.accounts.accounts {
            let built = self
                .accounts
                .build(details, &mut self.documents, &mut self.issues);
            let collected =
                !self.incomplete.contains(account) && self.is_identity_complete(account, true);
            if collected {
                let mut root = Principal::root(account);
                root.arn = format!("arn:{}:iam::{account}:root", details.partition());
                principals.push((root, PrincipalFacts::default()));
            }
            let index = AccountIndex {
                collected,
                group_arns: built.group_arns,
                policy_arns: built.policy_arns,
                ..AccountIndex::default()
            };
            accounts.insert(account.clone(), index);
            principals.extend(built.principals.into_iter().map(|built| {
                (
                    built.principal,
                    PrincipalFacts {
                        trust_policy: built.trust_policy,
                        last_used: built.last_used,
                    },
                )
            }));
        }
        // Collected and empty: an entry says so, and there is no file.
        for account in self.statuses.accounts(StatusLayer::Identity) {
            if !accounts.contains_key(account)
                && !self.incomplete.contains(account)
                && self.is_identity_complete(account, false)
            {
                accounts.insert(
                    account.to_owned(),
                    AccountIndex {
                        collected: true,
                        ..AccountIndex::default()
                    },
                );
                principals.push((Principal::root(account), PrincipalFacts::default()));
            }
        }
        principals.sort_by(|(left, _), (right, _)| left.arn.cmp(&right.arn));
        let (principals, facts): (Vec<_>, Vec<_>) = principals.into_iter().unzip();
        let managed_policies = self.accounts.managed_policies(&mut self.documents);
        let organization = self.organization.iter();
        let keys_read = KeysRead::of(
            self.documents
                .compiled()
                .chain(organization.flat_map(Organization::compiled))
                .chain(self.resources.compiled_endpoints()),
        );
        let snapshot = Snapshot {
            id,
            keys_read,
            by_arn: numbers(&principals, |principal| &principal.arn),
            by_unique_id: numbers(&principals, |principal| &principal.unique_id),
            accounts: with_names(accounts, &principals),
            principals,
            facts,
            statuses: self.statuses,
            organization: self.organization,
            organization_unreadable: self.organization_unreadable,
            resources: self.resources,
            managed_policies,
            policies_created: self.accounts.policies_created(),
            told: self.told,
        };
        (snapshot, self.issues.0)
    }

    fn is_identity_complete(&self, account: &str, file: bool) -> bool {
        let part = Part {
            account,
            layer: StatusLayer::Identity,
            service: "iam",
            region: "",
        };
        match self.statuses.of(part) {
            Some(status) => status == Status::Complete,
            None => file,
        }
    }
}

/// The numbers of principals by a text of theirs; of two with the same, the first.
fn numbers(
    principals: &[Principal],
    key: impl Fn(&Principal) -> &str,
) -> FxHashMap<Box<str>, usize> {
    let mut numbers = FxHashMap::default();
    for (number, principal) in principals
        .iter()
        .enumerate()
        .filter(|(_, principal)| !key(principal).is_empty())
    {
        numbers.entry(key(principal).into()).or_insert(number);
    }
    numbers
}

fn with_names(
    mut accounts: BTreeMap<String, AccountIndex>,
    principals: &[Principal],
) -> BTreeMap<String, AccountIndex> {
    for (number, principal) in principals.iter().enumerate() {
        let Some(account) = accounts.get_mut(&principal.account) else {
            continue;
        };
        let names = match principal.kind {
            PrincipalKind::User => &mut account.users,
            PrincipalKind::Role => &mut account.roles,
            PrincipalKind::Root => continue,
        };
        names
            .entry(principal.name.as_str().into())
            .or_insert(number);
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_names() {
        let kind = |path| FileKind::of(path, false);
        assert_eq!(
            kind("accounts/111122223333/authorization-details.json"),
            FileKind::Details {
                folder: Some("111122223333")
            }
        );
        assert_eq!(
            kind("./accounts/111122223333/authorization-details-2.json"),
            FileKind::Details {
                folder: Some("111122223333")
            }
        );
        assert_eq!(
            kind("authorization-details.json"),
            FileKind::Details { folder: None }
        );
        assert_eq!(
            kind("accounts/111122223333/resource-policies/s3.json"),
            FileKind::ResourcePolicies {
                account: "111122223333",
                service: "s3"
            }
        );
        assert_eq!(
            kind("accounts/1111/authorization-details.json"),
            FileKind::Unknown
        );
        assert_eq!(
            kind("accounts/111122223333/trails.json"),
            FileKind::Trails {
                account: "111122223333"
            }
        );
        assert_eq!(
            kind("accounts/111122223333/buckets.json"),
            FileKind::Unknown
        );
        assert_eq!(kind("README.md"), FileKind::Foreign);
        assert_eq!(kind("gaad.json"), FileKind::Unknown);
        assert_eq!(
            FileKind::of("gaad.json", true),
            FileKind::Details { folder: None }
        );
        assert_eq!(FileKind::of("snapshot.json", true), FileKind::Status);
    }
}
