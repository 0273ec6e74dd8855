//! What S3 has besides policies: access control lists, and Block Public Access.
//!
//! An ACL is a granting source: it can allow and never denies. It counts only where the bucket's
//! ownership setting is not `BucketOwnerEnforced`. Of the objects' own ACLs no snapshot tells.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use serde::Deserialize;

use crate::caller::CallerIdentity;
use crate::context::{KeyState, Keys};
use crate::policy::PrincipalTruth;
use crate::truth::Truth;

/// One bucket's settings.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// `<bucket ARN>#acl`, as statements name it.
    pub(crate) acl_id: Box<str>,
    pub(crate) acl: Acl,
    pub(crate) block: PublicAccessBlock,
    /// The owner's canonical user id and its account, where both are told.
    pub(crate) owner: Option<(Box<str>, Box<str>)>,
}

/// The bucket's ACL.
#[derive(Debug)]
pub(crate) enum Acl {
    /// `BucketOwnerEnforced`: ACLs are off, those of objects too.
    Off,
    NotTold,
    Grants(Box<[AclGrant]>),
}

/// One entry of an ACL.
#[derive(Debug)]
pub(crate) struct AclGrant {
    grantee: Grantee,
    permission: Permission,
}

#[derive(Debug, PartialEq, Eq)]
enum Grantee {
    /// Anyone in the world.
    AllUsers,
    /// Anyone with an AWS account.
    AuthenticatedUsers,
    /// The account with this canonical user id.
    Account(Box<str>),
    /// The service that delivers server access logs.
    LogDelivery,
    /// None of these, or not told.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
    Unknown,
}

/// The four settings of Block Public Access; of a bucket and its account, those of both.
///
/// `BlockPublicPolicy` looks at the document that `PutBucketPolicy` brings, which is no part of the
/// authorization request: it is kept for whoever asks, and changes no decision.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PublicAccessBlock {
    /// Requests that set a public ACL are refused.
    pub(crate) block_public_acls: bool,
    /// Public ACLs of the bucket and its objects do not count.
    pub(crate) ignore_public_acls: bool,
    /// Requests that set a public policy are refused.
    pub(crate) block_public_policy: bool,
    /// Where the bucket's policy is public, it counts only for the bucket's account and for services.
    pub(crate) restrict_public_buckets: bool,
}

/// What `aws s3api` prints of a bucket, merged.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BucketForm {
    ownership_controls: Option<OwnershipControls>,
    pub(crate) public_access_block_configuration: Option<PublicAccessBlock>,
    owner: Option<OwnerForm>,
    owner_account: Option<String>,
    grants: Option<Vec<GrantForm>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnershipControls {
    rules: Vec<OwnershipRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnershipRule {
    object_ownership: String,
}

#[derive(Deserialize)]
struct OwnerForm {
    #[serde(rename = "ID")]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GrantForm {
    grantee: Option<GranteeForm>,
    permission: Option<String>,
}

#[derive(Deserialize)]
struct GranteeForm {
    #[serde(rename = "ID")]
    id: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
}

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// The canned ACLs that are public.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>
const PUBLIC_CANNED_ACLS: [&str; 3] = ["public-read", "public-read-write", "authenticated-read"];

/// The headers that name grantees.
const GRANT_KEYS: [&str; 5] = [
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
];

impl Bucket {
    pub(crate) fn new(name: &str, form: BucketForm) -> Bucket {
        let mut rules = form.ownership_controls.into_iter().flat_map(|it| it.rules);
        let acl = if rules.any(|rule| rule.object_ownership == "BucketOwnerEnforced") {
            Acl::Off
        } else {
            form.grants.map_or(Acl::NotTold, |grants| {
                Acl::Grants(grants.into_iter().map(AclGrant::new).collect())
            })
        };
        let canonical_id = form.owner.and_then(|owner| owner.id);
        Bucket {
            acl_id: format!("arn:aws:s3:::{name}#acl").into(),
            acl,
            block: form.public_access_block_configuration.unwrap_or_default(),
            owner: canonical_id
                .zip(form.owner_account)
                .map(|(id, account)| (id.into(), account.into())),
        }
    }

    /// The grants of the bucket's ACL.
    pub(crate) fn grants(&self) -> &[AclGrant] {
        match &self.acl {
            Acl::Grants(grants) => grants,
            Acl::Off | Acl::NotTold => &[],
        }
    }
}

impl PublicAccessBlock {
    /// "Amazon S3 applies the most restrictive combination" of the bucket's and the account's.
    pub(crate) fn and(self, other: PublicAccessBlock) -> PublicAccessBlock {
        PublicAccessBlock {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }
}

impl AclGrant {
    fn new(form: GrantForm) -> AclGrant {
        let grantee = match form.grantee {
            Some(GranteeForm { uri: Some(uri), .. }) => match uri.as_str() {
                ALL_USERS => Grantee::AllUsers,
                AUTHENTICATED_USERS => Grantee::AuthenticatedUsers,
                LOG_DELIVERY => Grantee::LogDelivery,
                _ => Grantee::Unknown,
            },
            Some(GranteeForm { id: Some(id), .. }) => Grantee::Account(id.into()),
            _ => Grantee::Unknown,
        };
        let permission = match form.permission.as_deref() {
            Some("READ") => Permission::Read,
            Some("WRITE") => Permission::Write,
            Some("READ_ACP") => Permission::ReadAcp,
            Some("WRITE_ACP") => Permission::WriteAcp,
            Some("FULL_CONTROL") => Permission::FullControl,
            _ => Permission::Unknown,
        };
        AclGrant {
            grantee,
            permission,
        }
    }

    /// Whether this makes the ACL a public one.
    fn is_public(&self) -> bool {
        matches!(
            self.grantee,
            Grantee::AllUsers | Grantee::AuthenticatedUsers
        )
    }
}

/// Whom a request is of, as ACLs see it.
pub(crate) struct AclCaller<'q> {
    pub(crate) identity: CallerIdentity<'q>,
    pub(crate) account: Option<&'q str>,
    /// The account that a canonical user id stands for, and whether the caller's own id is known.
    pub(crate) account_of_id: &'q dyn Fn(&str) -> Option<&'q str>,
    pub(crate) own_id_is_known: bool,
}

/// Which ACL an action leans on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AclOf {
    /// The bucket's, with this permission.
    Bucket(Permission),
    /// The object's, which no snapshot tells.
    Object,
}

/// "Mapping of ACL permissions and access policy permissions".
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions>
fn acl_of(action_name: &str) -> AclOf {
    match action_name {
        "listbucket" | "listbucketversions" | "listbucketmultipartuploads" => {
            AclOf::Bucket(Permission::Read)
        }
        "putobject" | "deleteobject" | "deleteobjectversion" => AclOf::Bucket(Permission::Write),
        "getbucketacl" => AclOf::Bucket(Permission::ReadAcp),
        "putbucketacl" => AclOf::Bucket(Permission::WriteAcp),
        _ => AclOf::Object,
    }
}

/// A grant of which nothing is known.
const OPEN: PrincipalTruth = PrincipalTruth {
    caller: Truth::Unknown,
    principal: Truth::Unknown,
    account: Truth::Unknown,
};

/// What a bucket's ACL, or those of its objects, allow; `found` hears what each grant of it does.
pub(crate) fn acl_allows(
    (bucket, block): (&Bucket, PublicAccessBlock),
    action_name: &str,
    caller: &AclCaller<'_>,
    mut found: impl FnMut(u32, PrincipalTruth),
) -> PrincipalTruth {
    let wanted = match (&bucket.acl, acl_of(action_name)) {
        (Acl::Off, _) => return PrincipalTruth::NONE,
        (_, AclOf::Object) | (Acl::NotTold, _) => return unseen(block, caller),
        (Acl::Grants(_), AclOf::Bucket(wanted)) => wanted,
    };
    let is_public = bucket.grants().iter().any(AclGrant::is_public);
    let mut all = PrincipalTruth::NONE;
    for (number, grant) in (0..).zip(bucket.grants()) {
        if block.ignore_public_acls && grant.is_public() {
            continue;
        }
        let mut truth = grant.names(caller).and(grant.permits(wanted));
        if block.ignore_public_acls && is_public {
            // Whether the rest of a public ACL still counts is not documented.
            truth = truth.and(Truth::Unknown);
        }
        found(number, truth);
        all = all.or(truth);
    }
    all
}

/// What an ACL that nobody saw may allow.
fn unseen(block: PublicAccessBlock, caller: &AclCaller<'_>) -> PrincipalTruth {
    match caller.account {
        _ if !block.ignore_public_acls => OPEN,
        // What is left names accounts, and none of these callers is one.
        None if !matches!(caller.identity, CallerIdentity::Service(_)) => PrincipalTruth::NONE,
        _ => PrincipalTruth {
            account: Truth::Unknown,
            ..PrincipalTruth::NONE
        },
    }
}

impl AclGrant {
    /// Whether the grant is of the permission.
    fn permits(&self, wanted: Permission) -> Truth {
        match self.permission {
            Permission::Unknown => Truth::Unknown,
            // Who may create objects may overwrite or delete only those of its own, and whether there is
            // one is not told.
            Permission::Write | Permission::FullControl if wanted == Permission::Write => {
                Truth::Unknown
            }
            Permission::FullControl => Truth::True,
            permission => Truth::from(permission == wanted),
        }
    }

    /// How far it names the caller.
    fn names(&self, caller: &AclCaller<'_>) -> PrincipalTruth {
        let everybody = |truth: Truth| PrincipalTruth {
            // That a group passes a caller's own policies by, as `*` in a bucket policy does, is not
            // documented.
            caller: truth.and(open_if(caller.account.is_some())),
            principal: truth.and(open_if(caller.account.is_some())),
            account: truth,
        };
        let account = |truth: Truth| PrincipalTruth {
            account: truth,
            ..PrincipalTruth::NONE
        };
        match (&self.grantee, caller.identity) {
            (Grantee::AllUsers, _) => everybody(Truth::True),
            (Grantee::AuthenticatedUsers, CallerIdentity::Anonymous) => PrincipalTruth::NONE,
            (Grantee::AuthenticatedUsers, _) if caller.account.is_some() => everybody(Truth::True),
            (Grantee::LogDelivery, _) if caller.account.is_some() => PrincipalTruth::NONE,
            (Grantee::Account(id), _) if caller.account.is_some() => {
                account(match (caller.account_of_id)(id) {
                    Some(named) => Truth::from(Some(named) == caller.account),
                    None if caller.own_id_is_known => Truth::False,
                    None => Truth::Unknown,
                })
            }
            (_, CallerIdentity::Anonymous) => match self.grantee {
                Grantee::Unknown => OPEN,
                _ => PrincipalTruth::NONE,
            },
            _ => OPEN,
        }
    }
}

fn open_if(open: bool) -> Truth {
    if open { Truth::Unknown } else { Truth::True }
}

/// Whether `BlockPublicAcls` refuses a request because of the ACL that it sets.
pub(crate) fn sets_public_acl(action_name: &str, keys: &Keys<'_>) -> Truth {
    let names_acl_only = match action_name {
        "putobject" | "createbucket" => false,
        "putbucketacl" | "putobjectacl" | "putobjectversionacl" => true,
        _ => return Truth::False,
    };
    let canned = match keys.state("s3:x-amz-acl") {
        KeyState::Known(values) => {
            let mut values = values.iter();
            Some(Truth::from(
                values.any(|value| PUBLIC_CANNED_ACLS.contains(&value)),
            ))
        }
        KeyState::Absent => None,
        KeyState::Unknown => Some(Truth::Unknown),
    };
    let named = GRANT_KEYS.iter().filter_map(|key| match keys.state(key) {
        KeyState::Known(values) => {
            let mut values = values.iter();
            let names_everybody =
                |value: &str| value.contains(ALL_USERS) || value.contains(AUTHENTICATED_USERS);
            Some(Truth::from(values.any(names_everybody)))
        }
        KeyState::Absent => None,
        KeyState::Unknown => Some(Truth::Unknown),
    });
    let in_headers = named.chain(canned).reduce(Truth::or);
    match in_headers {
        Some(truth) => truth,
        // The ACL is in the body, which no key shows.
        None if names_acl_only => Truth::Unknown,
        None => Truth::False,
    }
}

/// The keys that [`sets_public_acl`] leans on and that are unknown.
pub(crate) fn unknown_acl_keys(keys: &Keys<'_>) -> impl Iterator<Item = &'static str> {
    let all = ["s3:x-amz-acl"].into_iter().chain(GRANT_KEYS);
    all.filter(|key| keys.state(key) == KeyState::Unknown)
}
