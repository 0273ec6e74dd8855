//! A change of policies, laid over the files of a snapshot: documents in, documents out, and then the
//! usual reading.
//!
//! A change is a folder with the files of a snapshot (or one of them alone), that hold only what
//! changes. An entry replaces the snapshot's entry of the same ARN or id:
//!
//! * **In a list, as AWS prints it, an entry is whole.** What it leaves out is not there any more: a role
//!   without `RolePolicyList` has no inline policies.
//! * **In an object by ARN or id, an entry has only the members that change**, and `null` deletes: the
//!   entry, or the member.
//!
//! ```json
//! {"RoleDetailList": {
//!    "arn:aws:iam::111122223333:role/build": {"PermissionsBoundary": null,
//!                                             "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
//!    "arn:aws:iam::111122223333:role/old": null},
//!  "Policies": {
//!    "arn:aws:iam::111122223333:policy/team": {"PolicyVersionList": [
//!        {"VersionId": "v2", "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": []}}]}}}
//! ```
//!
//! Both forms stand for the lists of `authorization-details.json` (`UserDetailList`, `GroupDetailList`,
//! `RoleDetailList`, `Policies`), of `vpc-endpoints.json` (`VpcEndpoints`) and of `organization.json`
//! (`Roots`, `OrganizationalUnits`, `Accounts`, `Policies`). The other files are objects by ARN (or bucket)
//! anyway, and a value there is whole. Documents may be objects where AWS prints them as text.
//!
//! * A managed policy changes for all that it is attached to; AWS's own ones in every account. A deleted
//!   one is detached from everybody, and cannot be anybody's permissions boundary. A deleted group loses
//!   its members.
//! * `null` for a resource's policy, grants or tags means that it is known to have none; for an
//!   endpoint's policy, that it is AWS's default one.
//! * What was not collected stays so, but for the entries that the change gives.
//! * An entry that the snapshot does not have is added. An unknown account, a name of another form, a
//!   document that is none, a reference to something that is not there, and deleting what is not there
//!   are errors: a change that is not what was meant would give an answer to another question.

mod details;
mod entries;
mod error;
mod listing;
mod organization;
mod organization_reach;
mod scope;
mod status;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use self::details::AllDetails;
use self::entries::ChangeFile;
use self::organization_reach::ChangedActions;
use self::status::NewLayer;
use super::documents::DocumentProblem;
use super::json::text_of;
use super::read::FileKind;
use super::status::StatusLayer;
use crate::SnapshotFile;

pub use entries::OverlayEffect;
pub use error::{OverlayError, OverlayProblem, Place};
pub use scope::ChangeScope;

/// A snapshot with a change laid over it.
#[derive(Debug)]
pub struct OverlaidSnapshot<'a> {
    /// The files: those that the change does not touch are the snapshot's own.
    pub files: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    /// What became of each entry of the change, in the order of its files.
    pub changes: Vec<OverlayChange>,
    /// For whom it can make a difference.
    pub scope: ChangeScope,
}

/// What became of one entry of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayChange {
    /// The change's file.
    pub path: String,
    /// What it is.
    pub entry: OverlayEntry,
    /// Its ARN, id or name.
    pub id: String,
    /// What became of it.
    pub effect: OverlayEffect,
    /// Of a managed policy: how many users, groups and roles have it.
    pub concerns: Option<u64>,
}

/// What an entry of a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverlayEntry {
    /// A user.
    User,
    /// A group.
    Group,
    /// A role.
    Role,
    /// A managed policy.
    ManagedPolicy,
    /// The policy of a resource.
    ResourcePolicy,
    /// The grants on a key.
    KmsGrants,
    /// The tags of a resource.
    ResourceTags,
    /// A bucket's settings.
    Bucket,
    /// The policy of a VPC endpoint.
    VpcEndpointPolicy,
    /// A service control policy or resource control policy.
    OrganizationPolicy,
    /// The organization itself, a root, a unit or an account.
    OrganizationNode,
}

impl OverlayEntry {
    /// The words in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::ManagedPolicy => "managed policy",
            Self::ResourcePolicy => "resource policy",
            Self::KmsGrants => "KMS grants",
            Self::ResourceTags => "resource tags",
            Self::Bucket => "bucket",
            Self::VpcEndpointPolicy => "VPC endpoint policy",
            Self::OrganizationPolicy => "organization policy",
            Self::OrganizationNode => "organization",
        }
    }
}

/// Lays a change over a snapshot.
///
/// # Errors
/// Where an entry of the change cannot be what was meant; see the module.
pub fn overlay<'a>(
    snapshot: &[SnapshotFile<'a>],
    change: &[SnapshotFile<'a>],
) -> Result<OverlaidSnapshot<'a>, OverlayError> {
    if change.is_empty() {
        return Err(OverlayError::NoFiles);
    }
    let mut change = change.to_vec();
    change.sort_unstable_by_key(|file| file.path);
    let mut laying = Laying::new(snapshot);
    let mut any = false;
    for file in &change {
        any |= laying.file(*file, FileKind::of(file.path, change.len() == 1))?;
    }
    match any {
        true => laying.finish(),
        false => Err(OverlayError::NothingKnown),
    }
}

/// A snapshot while a change is laid over it.
struct Laying<'a, 'f> {
    base: &'f [SnapshotFile<'a>],
    details: AllDetails<'a>,
    /// The changed files, by path.
    written: BTreeMap<Cow<'a, str>, String>,
    changes: Vec<OverlayChange>,
    scope: ChangeScope,
    new_layers: Vec<NewLayer>,
}

impl<'a, 'f> Laying<'a, 'f> {
    fn new(base: &'f [SnapshotFile<'a>]) -> Self {
        let mut laying = Self {
            base,
            details: AllDetails::default(),
            written: BTreeMap::new(),
            changes: Vec::new(),
            scope: ChangeScope::default(),
            new_layers: Vec::new(),
        };
        laying.details = laying.read_details();
        laying
    }

    fn read_details(&self) -> AllDetails<'a> {
        let mut details = AllDetails::default();
        for file in self.base {
            if let FileKind::Details { folder } = self.kind(file.path) {
                details.read_base(file, folder);
            }
        }
        details
    }

    fn kind(&self, path: &'a str) -> FileKind<'a> {
        FileKind::of(path, self.base.len() == 1)
    }

    /// The snapshot's file of a kind.
    fn base_file(&self, kind: FileKind<'_>) -> Option<&'f SnapshotFile<'a>> {
        self.base.iter().find(|file| self.kind(file.path) == kind)
    }

    /// Lays one file over; whether it is one that a change can have.
    fn file(&mut self, file: SnapshotFile<'a>, kind: FileKind<'a>) -> Result<bool, OverlayError> {
        let path = file.path;
        let whole = |problem| OverlayError::File {
            path: path.to_owned(),
            place: Place(None),
            problem,
        };
        match kind {
            FileKind::Foreign => return Ok(false),
            FileKind::Unknown => {
                return Err(whole(OverlayProblem::NotAChange(
                    "no snapshot has one of its name",
                )));
            }
            FileKind::Status => {
                return Err(whole(OverlayProblem::NotAChange(
                    "it says what was collected, and a change collects nothing",
                )));
            }
            FileKind::Trails { .. } | FileKind::LastAccessed | FileKind::CredentialReport => {
                return Err(whole(OverlayProblem::NotAChange(
                    "no decision depends on it",
                )));
            }
            _ => {}
        }
        let text = text_of(file.bytes).map_err(|problem| OverlayError::File {
            path: path.to_owned(),
            place: Place(Some(problem.place())),
            problem: OverlayProblem::Form(problem.reason().to_owned()),
        })?;
        let file = ChangeFile { path, text };
        match kind {
            FileKind::Details { folder } => {
                self.details.lay_over(file, folder, &mut self.changes)?;
            }
            FileKind::Organization => self.organization(file)?,
            FileKind::ResourcePolicies { account, service } => {
                self.listing(file, kind, (account, StatusLayer::ResourcePolicy, service))?;
            }
            FileKind::KmsGrants { account } => {
                self.listing(file, kind, (account, StatusLayer::KmsGrants, "kms"))?;
            }
            FileKind::ResourceTags { account } => {
                self.listing(file, kind, (account, StatusLayer::ResourceTags, "*"))?;
            }
            FileKind::VpcEndpoints { account } => {
                self.listing(file, kind, (account, StatusLayer::VpcEndpointPolicy, "ec2"))?;
            }
            FileKind::S3Buckets { account } => {
                self.listing(file, kind, (account, StatusLayer::S3Acl, "s3"))?;
            }
            _ => {}
        }
        Ok(true)
    }

    fn organization(&mut self, file: ChangeFile<'a>) -> Result<(), OverlayError> {
        let base = self.base_file(FileKind::Organization);
        let changed = organization::lay_over(file, base)?;
        for account in changed.new_accounts {
            for layer in [StatusLayer::Scp, StatusLayer::Rcp] {
                self.new_layers.push(NewLayer {
                    account: account.clone(),
                    layer,
                    service: "organizations".to_owned(),
                });
            }
        }
        if changed.reach.is_more {
            self.scope = ChangeScope::everything();
        }
        for (account, actions) in changed.reach.scp {
            match actions {
                ChangedActions::All => self.scope.add_account(&account),
                ChangedActions::Of(actions) => self.scope.add_actions(&account, actions),
            }
        }
        self.scope.add_actions_everywhere(changed.reach.rcp);
        self.write(base, file.path, (changed.text, changed.changes));
        Ok(())
    }

    fn listing(
        &mut self,
        file: ChangeFile<'a>,
        kind: FileKind<'a>,
        (account, layer, service): (&str, StatusLayer, &str),
    ) -> Result<(), OverlayError> {
        let mut folders = self.base.iter().map(|file| self.kind(file.path));
        let has_account = self.details.has_account(account)
            || folders.any(|kind| kind.account() == Some(account));
        if !has_account {
            let problem = OverlayProblem::UnknownAccount(account.to_owned());
            return Err(file.wrong_at(Place(None), problem));
        }
        let base = self.base_file(kind);
        if base.is_none() {
            self.new_layers.push(NewLayer {
                account: account.to_owned(),
                layer,
                service: service.to_owned(),
            });
        }
        let changed = listing::lay_over(file, (kind, account), base)?;
        let others = changed
            .changes
            .iter()
            .filter(|change| change.effect != OverlayEffect::Unchanged);
        for change in others {
            match layer {
                // Who owns which bucket and which canonical id is of use for any of S3's requests.
                StatusLayer::S3Acl => self.scope = ChangeScope::everything(),
                StatusLayer::VpcEndpointPolicy => self.scope.add_endpoints(),
                _ => {
                    self.scope.add_resource(&change.id);
                    self.scope.add_service(service);
                }
            }
        }
        self.write(base, file.path, (changed.text, changed.changes));
        Ok(())
    }

    /// Takes a changed file over, where anything in it is another.
    fn write(
        &mut self,
        base: Option<&SnapshotFile<'a>>,
        path: &'a str,
        (text, changes): (String, Vec<OverlayChange>),
    ) {
        let differs = |change: &OverlayChange| change.effect != OverlayEffect::Unchanged;
        if changes.iter().any(differs) {
            let path = base.map_or(path, |base| base.path);
            self.written.insert(Cow::Borrowed(path), text);
        }
        self.changes.extend(changes);
    }

    fn finish(mut self) -> Result<OverlaidSnapshot<'a>, OverlayError> {
        self.details.settle(&mut self.changes)?;
        let before = self.read_details();
        let reach = self.details.reach(&before, &self.changes);
        for arn in &reach.principals {
            self.scope.add_principal(arn);
        }
        if !reach.policies.is_empty() {
            self.scope.add_managed_policy();
        }
        let details = std::mem::take(&mut self.details);
        for (path, text) in details.into_files() {
            self.written.insert(Cow::Borrowed(path), text);
        }
        if !self.written.is_empty() {
            let base = self.base_file(FileKind::Status);
            if let Some(text) = status::with_layers(base, &self.new_layers) {
                let path = base.map_or("snapshot.json", |base| base.path);
                self.written.insert(Cow::Borrowed(path), text);
            }
        }
        Ok(OverlaidSnapshot {
            files: self.files(),
            changes: self.changes,
            scope: self.scope,
        })
    }

    fn files(&mut self) -> Vec<(Cow<'a, str>, Cow<'a, [u8]>)> {
        let mut written = std::mem::take(&mut self.written);
        let mut files = Vec::with_capacity(self.base.len() + written.len());
        for file in self.base {
            let bytes = written.remove(file.path).map_or_else(
                || Cow::Borrowed(file.bytes),
                |text| Cow::Owned(text.into_bytes()),
            );
            files.push((Cow::Borrowed(file.path), bytes));
        }
        // A file that was the whole snapshot is known by its name once others stand beside it.
        if let [(path, _)] = files.as_mut_slice()
            && !written.is_empty()
            && matches!(FileKind::of(path, true), FileKind::Details { folder: None })
        {
            *path = Cow::Borrowed("authorization-details.json");
        }
        let new = written.into_iter();
        files.extend(new.map(|(path, text)| (path, Cow::Owned(text.into_bytes()))));
        files
    }
}

/// A policy that AWS would not take, at its place.
fn document(
    file: ChangeFile<'_>,
    (owner, raw): (String, &RawValue),
    problem: &DocumentProblem,
) -> OverlayError {
    // The place in the document is part of what is said.
    let why = problem.describe(file.place(raw));
    file.wrong_at(Place(None), OverlayProblem::Document { owner, why })
}
