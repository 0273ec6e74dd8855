//! The policies of one or more accounts at one moment.
//!
//! A snapshot is a folder of what AWS's own commands print, or a single file of one account's
//! `aws iam get-account-authorization-details`:
//!
//! ```text
//! snapshot.json                               optional: when it was taken, and which layers were collected
//! organization.json                           optional: the organization, its SCPs and RCPs
//! accounts/<account id>/
//!   authorization-details.json                aws iam get-account-authorization-details
//!   resource-policies/<service>.json          {"<resource ARN>": <policy document or null>, …}
//!   kms-grants.json                           {"<key ARN>": [<entries of aws kms list-grants>], …}
//!   resource-tags.json                        {"<resource ARN>": {"<key>": "<value>", …}, …}
//!   vpc-endpoints.json                        aws ec2 describe-vpc-endpoints
//!   s3-buckets.json                           {"<bucket>": {…}, …}
//! ```
//!
//! **`last-accessed.json`** holds, by the ARN of each user and role, what `aws iam
//! get-service-last-accessed-details` prints, and **`credential-report.csv`** what `aws iam
//! get-credential-report` does, decoded ([`LastAccessed`], [`Credentials`]): they are no part of a
//! decision, and tell what is used. `trails.json` beside them is kept as it is
//! ([`Snapshot::trails_documents`]).
//!
//! **`authorization-details.json`** holds one page, several one after the other, an array of them, or
//! the one object that the AWS CLI makes of all pages; or several files `authorization-details*.json`
//! hold them. Documents are objects or strings, URL-encoded or plain.
//!
//! **`snapshot.json`** is `{"taken_at": "<ISO 8601>", "collected_by": "<text>", "layers": [<entry>, …]}`
//! with entries `{"account", "layer", "service", "region", "status"}`. The layer is `identity`, `scp`,
//! `rcp`, `resource_policy`, `kms_grants`, `s3_acl`, `vpc_endpoint_policy` or `resource_tags`, the status
//! `complete`, `partial` or `failed`; the other three may be `*`, and service and region may be left out.
//! The most specific entry counts. Without one, a file that is there is complete, and one that is not
//! was not collected. `complete` without a file means collected and empty; for `identity` only where the
//! entry names the account.
//!
//! **`organization.json`** puts together what `aws organizations` prints:
//!
//! ```json
//! {"Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"},
//!  "Roots": [{"Id": "r-ab12", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}],
//!  "OrganizationalUnits": [{"Id": "ou-ab12-work0000", "Name": "work", "ParentId": "r-ab12"}],
//!  "Accounts": [{"Id": "111122223333", "Name": "build", "ParentId": "ou-ab12-work0000"}],
//!  "Policies": [{"PolicySummary": {"Id": "p-examplepol1", "Name": "regions", "Type": "SERVICE_CONTROL_POLICY"},
//!                "Content": "{\"Version\": …}",
//!                "Targets": [{"TargetId": "ou-ab12-work0000"}]}]}
//! ```
//!
//! that is `describe-organization`, `list-roots`, `list-organizational-units-for-parent`, `list-accounts`
//! with the parent of each, and of each policy `describe-policy` with `list-targets-for-policy`.
//!
//! **`s3-buckets.json`** has for each bucket what `aws s3api get-bucket-ownership-controls`,
//! `get-public-access-block` and `get-bucket-acl` print, merged, and its account:
//! `{"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
//! "PublicAccessBlockConfiguration": {…}, "Owner": {…}, "Grants": […], "OwnerAccount": "111122223333"}`.
//! An entry `"*"` has what `aws s3control get-public-access-block` prints: the settings of the account.
//! Those that nobody told are taken for off.

mod accounts;
mod details;
mod documents;
mod json;
mod keys_read;
mod organization;
mod overlay;
mod read;
mod resources;
mod status;
mod usage;
mod views;

use std::{collections::BTreeMap, fmt, sync::Arc};

use rustc_hash::FxHashMap;

use self::{
    organization::{OnAccount, Organization, PolicyType},
    resources::Resources,
    status::{Part, Status, StatusLayer, Statuses},
};
use crate::kms_grant::KmsGrant;
use crate::s3_bucket::{Bucket, PublicAccessBlock};
use crate::{Catalogue, CompiledPolicy};
pub(crate) use organization::{FullAccess, Level, Levels};
pub use overlay::{
    ChangeScope, OverlaidSnapshot, OverlayChange, OverlayEffect, OverlayEntry, OverlayError,
    OverlayProblem, Place, overlay,
};
pub use usage::{Credentials, LastAccessed, ReportedKey, ServiceLastAccessed};

/// Users, groups, roles and their policies; which other layers were collected.
///
/// # Memory
/// A principal's names, tags and references to its policies; each distinct policy document once,
/// compiled; trust policies, resource policies, grants and organization policies as text.
#[derive(Debug)]
pub struct Snapshot {
    id: String,
    /// Invariant: sorted by ARN; `facts` goes with it.
    principals: Vec<Principal>,
    facts: Vec<PrincipalFacts>,
    by_arn: FxHashMap<Box<str>, usize>,
    by_unique_id: FxHashMap<Box<str>, usize>,
    accounts: BTreeMap<String, AccountIndex>,
    statuses: Statuses,
    organization: Option<Organization>,
    organization_unreadable: bool,
    resources: Resources,
    /// Managed policies by ARN, also those that are attached to nobody.
    managed_policies: FxHashMap<Box<str>, Arc<CompiledPolicy>>,
    keys_read: keys_read::KeysRead,
    /// When the version in force of each managed policy was made, by ARN.
    policies_created: FxHashMap<Box<str>, String>,
    told: Told,
}

/// What files tell that are no part of a decision.
#[derive(Debug, Default)]
struct Told {
    /// By account: the file's path and its text.
    trails: BTreeMap<String, (String, String)>,
    /// By the principal's ARN.
    last_accessed: BTreeMap<String, LastAccessed>,
    /// By the user's ARN.
    credentials: BTreeMap<String, Credentials>,
}

/// What is known of a principal besides what decides about its requests.
#[derive(Debug, Default)]
struct PrincipalFacts {
    trust_policy: Option<PolicyDocument>,
    last_used: Option<Option<String>>,
}

/// The policy of a role, a resource or an endpoint.
#[derive(Debug)]
struct PolicyDocument {
    text: Arc<str>,
    attached: AttachedPolicy,
}

impl PolicyDocument {
    fn collected(&self) -> Collected {
        if self.attached.policy.is_ok() {
            Collected::Present
        } else {
            Collected::No
        }
    }
}

/// The policy of one resource or endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'s> {
    Policy(&'s AttachedPolicy),
    /// Collected, and there is none.
    None,
    /// Not collected, not readable, or nobody knows which resource it is.
    NotCollected,
}

impl<'s> Found<'s> {
    fn new(collected: Collected, policy: Option<&'s PolicyDocument>) -> Found<'s> {
        match (collected, policy) {
            (Collected::Empty, _) => Self::None,
            (Collected::Present, Some(policy)) => Self::Policy(&policy.attached),
            (Collected::Present, None) | (Collected::No, _) => Self::NotCollected,
        }
    }
}

/// An account's names.
#[derive(Debug, Default)]
struct AccountIndex {
    /// Whether all of its users, groups, roles and policies are in the snapshot.
    collected: bool,
    roles: FxHashMap<Box<str>, usize>,
    users: FxHashMap<Box<str>, usize>,
    group_arns: FxHashMap<String, String>,
    policy_arns: FxHashMap<String, String>,
}

/// One file of a snapshot folder; its path is relative to the folder, with `/`.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotFile<'a> {
    /// `accounts/111122223333/authorization-details.json`
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A user, a role or a root user, with the policies that count.
#[derive(Debug)]
pub struct Principal {
    /// With its path.
    pub arn: String,
    /// `AIDA…`, `AROA…`; empty for root.
    pub unique_id: String,
    /// User, role or root.
    pub kind: PrincipalKind,
    /// The account's id.
    pub account: String,
    /// Without its path.
    pub name: String,
    /// `/`, `/service-role/`, …
    pub path: String,
    /// `CreateDate` as written.
    pub created: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Inline and attached managed policies; a user's groups' policies too.
    pub identity: Vec<AttachedPolicy>,
    /// The permissions boundary.
    pub boundary: Option<AttachedPolicy>,
}

impl Principal {
    /// The root user of an account: no policies, allowed everything that no limiting layer takes.
    pub fn root(account: &str) -> Principal {
        Principal {
            arn: format!("arn:aws:iam::{account}:root"),
            unique_id: String::new(),
            kind: PrincipalKind::Root,
            account: account.to_owned(),
            name: "root".to_owned(),
            path: "/".to_owned(),
            created: None,
            tags: Vec::new(),
            identity: Vec::new(),
            boundary: None,
        }
    }

    /// Whether this is a service-linked role (`/aws-service-role/`).
    pub fn is_service_linked(&self) -> bool {
        self.path.starts_with("/aws-service-role/")
    }

    /// Whether this is a role of IAM Identity Center (`/aws-reserved/`): its permission set makes it, and nobody
    /// else can change it.
    /// <https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html>
    pub fn is_of_permission_set(&self) -> bool {
        self.path.starts_with("/aws-reserved/")
    }
}

/// What a [`Principal`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// An IAM user.
    User,
    /// An IAM role.
    Role,
    /// The account's root user.
    Root,
}

/// A policy as attached to a principal.
#[derive(Debug, Clone)]
pub struct AttachedPolicy {
    /// The managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub id: Arc<str>,
    /// How it is attached.
    pub source: PolicySource,
    /// The policy, shared by all principals with the same content; or why there is none.
    pub policy: Result<Arc<CompiledPolicy>, PolicyUnavailable>,
    /// The date of the compiled-in copy, where the document came from it.
    pub bundled_date: Option<&'static str>,
}

/// How a policy is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// Embedded in the principal.
    Inline,
    /// Attached to the principal.
    Managed,
    /// Embedded in, or attached to, this group (its ARN).
    Group(Arc<str>),
    /// Given for the session when it was issued.
    Session,
    /// The policy of the resource itself, or the role's trust policy.
    Resource,
    /// Attached to this root, organizational unit or account (its id).
    Organization(Arc<str>),
    /// The policy of a VPC endpoint.
    VpcEndpoint,
    /// A KMS grant on the key.
    Grant,
}

/// Why an attached policy's document cannot be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyUnavailable {
    /// Neither in the snapshot nor in the compiled-in copy of AWS managed policies.
    NotCollected,
    /// Its document could not be parsed; a [`SnapshotIssue`] says why.
    Unreadable,
}

/// Whether a layer, or one resource's part of it, was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collected {
    /// Collected, and there is no policy that applies.
    Empty,
    /// Collected, and there is a policy.
    Present,
    /// Not collected, or only in part.
    No,
}

/// Something in a snapshot that could not be used, and where; the rest of the snapshot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotIssue {
    /// The file's path.
    pub path: String,
    /// One line: where in the file, which policy of which principal, and why.
    pub message: String,
}

impl fmt::Display for SnapshotIssue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`: {}", self.path.escape_debug(), self.message)
    }
}

/// Why a whole snapshot cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// There are no files.
    #[error("the snapshot has no files")]
    NoFiles,
    /// None of the files has a name that a snapshot's files have.
    #[error(
        "no file has the name of a snapshot's files, such as `accounts/111122223333/authorization-details.json`"
    )]
    NothingKnown,
    /// Nothing could be read; this is what was wrong first.
    #[error("nothing of the snapshot could be read: {0}")]
    NothingReadable(SnapshotIssue),
    /// `snapshot.json` could not be read, so that nobody knows which layers were collected.
    #[error("{0}")]
    Statuses(SnapshotIssue),
}

impl Snapshot {
    /// Reads the files of a snapshot folder, or a single `get-account-authorization-details` output.
    pub fn read(
        files: &[SnapshotFile<'_>],
        catalogue: &Catalogue,
    ) -> Result<(Snapshot, Vec<SnapshotIssue>), SnapshotError> {
        read::read(files, catalogue)
    }

    /// A hash of all content: 16 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was taken, as `snapshot.json` says (ISO 8601).
    pub fn taken_at(&self) -> Option<&str> {
        self.statuses.taken_at.as_deref()
    }

    /// Who or what collected it, as `snapshot.json` says.
    pub fn collected_by(&self) -> Option<&str> {
        self.statuses.collected_by.as_deref()
    }

    /// The accounts whose authorization details were collected, sorted.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts
            .iter()
            .filter(|(_, index)| index.collected)
            .map(|(account, _)| account.as_str())
    }

    /// Whether the account's users, groups, roles and policies were collected, all of them.
    pub fn has_account(&self, account: &str) -> bool {
        self.accounts
            .get(account)
            .is_some_and(|index| index.collected)
    }

    /// The user, role or root with this ARN (with its path).
    pub fn principal(&self, arn: &str) -> Option<&Principal> {
        self.principals.get(*self.by_arn.get(arn)?)
    }

    /// The role with this name, whatever its path (role names are unique in an account).
    pub fn role_by_name(&self, account: &str, name: &str) -> Option<&Principal> {
        self.principals
            .get(*self.accounts.get(account)?.roles.get(name)?)
    }

    /// The user with this name, whatever its path.
    pub fn user_by_name(&self, account: &str, name: &str) -> Option<&Principal> {
        self.principals
            .get(*self.accounts.get(account)?.users.get(name)?)
    }

    /// The user or role with this unique id (`AIDA…`, `AROA…`).
    pub fn principal_by_id(&self, unique_id: &str) -> Option<&Principal> {
        self.principals.get(*self.by_unique_id.get(unique_id)?)
    }

    /// All users, roles and roots, sorted by ARN.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        self.principals.iter()
    }

    /// The ARN of a group by name, whatever its path.
    pub fn group_arn(&self, account: &str, name: &str) -> Option<&str> {
        self.accounts
            .get(account)?
            .group_arns
            .get(name)
            .map(String::as_str)
    }

    /// The ARN of a customer managed policy by name, whatever its path.
    pub fn policy_arn(&self, account: &str, name: &str) -> Option<&str> {
        self.accounts
            .get(account)?
            .policy_arns
            .get(name)
            .map(String::as_str)
    }

    /// A managed policy that the snapshot holds, attached or not: `None` also where its document
    /// cannot be read.
    pub fn managed_policy(&self, arn: &str) -> Option<&CompiledPolicy> {
        self.managed_policies.get(arn).map(Arc::as_ref)
    }

    /// Whether a decision under this snapshot can depend on a condition key, session policies apart: a
    /// policy of it reads the key, in a condition or as a variable. A key that ends in `*` stands for
    /// its family, as in [`crate::Context::set`].
    pub fn reads_key(&self, key: &str) -> bool {
        self.keys_read.reads(key)
    }

    /// When the role was last used, as AWS tracks it (`RoleLastUsed`, over 400 days).
    pub fn role_last_used(&self, role_arn: &str) -> Option<&str> {
        self.facts
            .get(*self.by_arn.get(role_arn)?)?
            .last_used
            .as_ref()?
            .as_deref()
    }

    /// What AWS tells of a role's use (`RoleLastUsed`): `None` where it is not told, `Some(None)` where the
    /// role was not used in the tracking period.
    pub fn role_use(&self, role_arn: &str) -> Option<Option<&str>> {
        let facts = self.facts.get(*self.by_arn.get(role_arn)?)?;
        facts.last_used.as_ref().map(Option::as_deref)
    }

    /// When the version in force of a managed policy was made (`CreateDate` as written); `None` where the
    /// snapshot does not hold the policy.
    pub fn policy_version_created(&self, arn: &str) -> Option<&str> {
        self.policies_created.get(arn).map(String::as_str)
    }

    /// What AWS tells of the services that a principal has used, where it was collected.
    pub fn last_accessed(&self, principal_arn: &str) -> Option<&LastAccessed> {
        self.told.last_accessed.get(principal_arn)
    }

    /// A user's line of the credential report, where it was collected; root's too.
    pub fn credentials(&self, user_arn: &str) -> Option<&Credentials> {
        self.told.credentials.get(user_arn)
    }

    /// All lines of the credential reports, sorted by ARN.
    pub fn all_credentials(&self) -> impl Iterator<Item = &Credentials> {
        self.told.credentials.values()
    }

    /// The `trails.json` of each account that has one, sorted by account: the account, the file's path, its
    /// text. It is JSON; nothing else of it was looked at.
    pub fn trails_documents(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let files = self.told.trails.iter();
        files.map(|(account, (path, text))| (account.as_str(), path.as_str(), text.as_str()))
    }

    /// Whether `organization.json` lists the account.
    pub fn is_in_organization(&self, account: &str) -> bool {
        let organization = self.organization.as_ref();
        organization.is_some_and(|organization| organization.has_account(account))
    }

    /// What takes actions away from a principal whole, as far as it was collected.
    pub fn limits_of<'s>(&'s self, principal: &'s Principal) -> crate::Limits<'s> {
        // Nobody knows what binds where the management account, which nothing binds, may be this one.
        let binds = !principal.is_service_linked()
            && self.is_management_account(&principal.account) == Some(false);
        let levels = match binds {
            true => self.scp_levels(&principal.account),
            false => Levels {
                levels: &[],
                complete: false,
            },
        };
        crate::Limits {
            boundary: principal.boundary.as_ref(),
            levels: levels.levels,
            complete: levels.complete,
        }
    }

    /// Service control policies on the account.
    pub fn scp(&self, account: &str) -> Collected {
        self.organization_policies(account, StatusLayer::Scp, PolicyType::ServiceControl)
    }

    /// Whether this is the organization's management account; `None` where nothing says so.
    pub fn is_management_account(&self, account: &str) -> Option<bool> {
        self.organization.as_ref()?.is_management_account(account)
    }

    /// Resource control policies on the account.
    pub fn rcp(&self, account: &str) -> Collected {
        self.organization_policies(account, StatusLayer::Rcp, PolicyType::ResourceControl)
    }

    /// The service control policies on an account and above it, by ARN or id, without AWS's full access.
    pub fn scp_documents(&self, account: &str) -> Vec<(&str, &str)> {
        self.organization
            .as_ref()
            .map(|organization| organization.documents(account, PolicyType::ServiceControl))
            .unwrap_or_default()
    }

    /// The resource control policies on an account and above it, by ARN or id, without AWS's full access.
    pub fn rcp_documents(&self, account: &str) -> Vec<(&str, &str)> {
        self.organization
            .as_ref()
            .map(|organization| organization.documents(account, PolicyType::ResourceControl))
            .unwrap_or_default()
    }

    fn organization_policies(
        &self,
        account: &str,
        layer: StatusLayer,
        policy_type: PolicyType,
    ) -> Collected {
        let found = self
            .organization
            .as_ref()
            .map(|organization| organization.policies_on(account, policy_type));
        let status = self.statuses.of(Part {
            account,
            layer,
            service: "organizations",
            region: "",
        });
        match (found, status) {
            // What is there counts all the same: see `levels`.
            (_, Some(Status::Partial | Status::Failed)) => Collected::No,
            (Some(OnAccount::Some), _) => Collected::Present,
            (Some(OnAccount::None), _) => Collected::Empty,
            (Some(OnAccount::Unknown) | None, Some(Status::Complete))
                if !self.organization_unreadable =>
            {
                Collected::Empty
            }
            _ => Collected::No,
        }
    }

    /// The policy of the resource (bucket, key, repository, …) in `account`; for `sts` the role's trust policy.
    /// An S3 object's is its bucket's. Where nobody knows which resource it is, `*` asks for all of the
    /// service's in the account: `Empty` only if none has a policy.
    pub fn resource_policy(&self, service: &str, resource_arn: &str, account: &str) -> Collected {
        if matches!(service, "sts" | "iam") {
            return self.trust_policy(resource_arn, account);
        }
        let resources = &self.resources;
        let (collected, _) = resources.policy(service, resource_arn, account, &self.statuses);
        collected
    }

    /// Every role has a trust policy; in an account that was collected there are no others.
    fn trust_policy(&self, role_arn: &str, account: &str) -> Collected {
        let has_roles = self
            .accounts
            .get(account)
            .is_some_and(|index| !index.roles.is_empty());
        if let Some(policy) = self.trust_policy_of(role_arn) {
            policy.collected()
        } else if role_arn == "*" && has_roles {
            Collected::Present
        } else if self.has_account(account)
            && self
                .principal(role_arn)
                .is_none_or(|principal| principal.kind != PrincipalKind::Role)
        {
            Collected::Empty
        } else {
            Collected::No
        }
    }

    /// The text of the role's trust policy.
    pub fn trust_policy_document(&self, role_arn: &str) -> Option<&str> {
        Some(&self.trust_policy_of(role_arn)?.text)
    }

    fn trust_policy_of(&self, role_arn: &str) -> Option<&PolicyDocument> {
        self.facts
            .get(*self.by_arn.get(role_arn)?)?
            .trust_policy
            .as_ref()
    }

    /// The policy of a resource, compiled; as [`Self::resource_policy`].
    pub(crate) fn find_resource_policy(
        &self,
        service: &str,
        resource_arn: &str,
        account: &str,
    ) -> Found<'_> {
        let (collected, policy) = if matches!(service, "sts" | "iam") {
            let collected = self.trust_policy(resource_arn, account);
            (collected, self.trust_policy_of(resource_arn))
        } else {
            let resources = &self.resources;
            resources.policy(service, resource_arn, account, &self.statuses)
        };
        Found::new(collected, policy)
    }

    /// The account that a bucket's policy was collected in: a bucket's ARN does not tell it.
    pub(crate) fn owner_of_policy(&self, resource_arn: &str) -> Option<&str> {
        self.resources.owner_of_policy(resource_arn)
    }

    /// The policy of an endpoint, compiled; as [`Self::vpc_endpoint_policy`].
    pub(crate) fn find_endpoint_policy(&self, endpoint_id: &str, account: &str) -> Found<'_> {
        Found::new(
            self.vpc_endpoint_policy(endpoint_id, account),
            self.resources.find_endpoint_policy(endpoint_id),
        )
    }

    /// The grants on a key, where they were collected.
    pub(crate) fn find_kms_grants(&self, key_arn: &str, account: &str) -> Option<&[KmsGrant]> {
        match self.kms_grants(key_arn, account) {
            Collected::Empty => Some(&[]),
            Collected::Present => self.resources.find_grants(key_arn),
            Collected::No => None,
        }
    }

    /// What is told of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.resources.bucket(name)
    }

    /// Block Public Access of an account and one of its buckets together.
    pub(crate) fn public_access_block(
        &self,
        bucket: Option<&str>,
        account: &str,
    ) -> PublicAccessBlock {
        self.resources.public_access_block(bucket, account)
    }

    /// The account of a canonical user id, where a bucket that it owns tells it.
    pub(crate) fn account_of_canonical_id(&self, id: &str) -> Option<&str> {
        self.resources.account_of_canonical_id(id)
    }

    pub(crate) fn knows_canonical_id_of(&self, account: &str) -> bool {
        self.resources.knows_canonical_id_of(account)
    }

    /// The service control policies that bind an account, level by level.
    pub(crate) fn scp_levels(&self, account: &str) -> Levels<'_> {
        self.levels(account, PolicyType::ServiceControl, self.scp(account))
    }

    /// The resource control policies that bind an account's resources, level by level.
    pub(crate) fn rcp_levels(&self, account: &str) -> Levels<'_> {
        self.levels(account, PolicyType::ResourceControl, self.rcp(account))
    }

    fn levels(&self, account: &str, policy_type: PolicyType, collected: Collected) -> Levels<'_> {
        let found = self
            .organization
            .as_ref()
            .and_then(|organization| organization.levels(account, policy_type));
        match (collected, found) {
            (Collected::Empty, _) => Levels {
                levels: &[],
                complete: true,
            },
            // What is there counts, also where it may not be all.
            (Collected::No, Some(levels)) => Levels {
                levels,
                complete: false,
            },
            (Collected::Present, Some(levels)) => Levels {
                levels,
                complete: true,
            },
            (_, None) => Levels {
                levels: &[],
                complete: false,
            },
        }
    }

    /// The text of the resource's policy; for `sts` of the role's trust policy.
    pub fn resource_policy_document(&self, service: &str, resource_arn: &str) -> Option<&str> {
        if matches!(service, "sts" | "iam") {
            return self.trust_policy_document(resource_arn);
        }
        self.resources.policy_document(service, resource_arn)
    }

    /// The KMS grants of a key; of all keys in the account where its ARN is `*`.
    pub fn kms_grants(&self, key_arn: &str, account: &str) -> Collected {
        self.resources.grants(key_arn, account, &self.statuses)
    }

    /// The KMS grants of a key, as a JSON array.
    pub fn kms_grants_document(&self, key_arn: &str) -> Option<&str> {
        self.resources.grants_document(key_arn)
    }

    /// Whether ACLs can grant on this bucket: `Empty` where ownership controls switch them off. `*`
    /// asks for all buckets of the account.
    pub fn bucket_acl(&self, bucket: &str, account: &str) -> Collected {
        self.resources.bucket_acl(bucket, account, &self.statuses)
    }

    /// The VPC endpoint's policy.
    pub fn vpc_endpoint_policy(&self, endpoint_id: &str, account: &str) -> Collected {
        self.resources
            .endpoint_policy(endpoint_id, account, &self.statuses)
    }

    /// The text of the VPC endpoint's policy; none where it is the one that lets everything pass.
    pub fn vpc_endpoint_policy_document(&self, endpoint_id: &str) -> Option<&str> {
        self.resources.endpoint_policy_document(endpoint_id)
    }

    /// The VPC that an endpoint is in.
    pub fn vpc_of_endpoint(&self, endpoint_id: &str) -> Option<&str> {
        self.resources.endpoint_vpc(endpoint_id)
    }

    /// Tags of a resource, where collected.
    pub fn resource_tags(&self, resource_arn: &str) -> Option<&[(String, String)]> {
        self.resources.tags(resource_arn, &self.statuses)
    }
}
