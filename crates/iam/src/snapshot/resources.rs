//! What a snapshot says of resources: their policies, grants, access control lists, tags, endpoints.
//!
//! Two kinds of files. Some list what was asked for its policy: a resource that a complete one does not
//! list has none. Others (`vpc-endpoints.json`, `s3-buckets.json`, `resource-tags.json`) list the things
//! themselves: one that is not listed may belong to another account or be gone, so only a `snapshot.json`
//! that says `complete` makes it an empty one.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    AttachedPolicy, Collected, PolicyDocument, PolicySource, PolicyUnavailable,
    documents::Documents,
    json::{Entries, JsonProblem, Lines, read_one, read_pages},
    status::{Part, Status, StatusLayer, Statuses},
};
use crate::CompiledPolicy;
use crate::kms_grant::KmsGrant;
use crate::pattern::arn_part;
use crate::s3_bucket::{Acl, Bucket, BucketForm, PublicAccessBlock};

/// The resources of all accounts. ARNs, endpoint ids and bucket names are unique over accounts.
#[derive(Debug, Default)]
pub(super) struct Resources {
    /// By service, then by ARN; none where the file lists the resource with `null`.
    policies: FxHashMap<String, FxHashMap<String, Option<PolicyDocument>>>,
    /// By ARN, where that does not tell it: the account in whose folder the policy stands.
    owners: FxHashMap<String, String>,
    /// By key ARN.
    grants: FxHashMap<String, Option<Grants>>,
    tags: FxHashMap<String, Vec<(String, String)>>,
    endpoints: FxHashMap<String, Endpoint>,
    buckets: FxHashMap<String, Bucket>,
    /// Block Public Access of whole accounts.
    account_blocks: FxHashMap<String, PublicAccessBlock>,
    /// The account of each canonical user id that a bucket's owner tells.
    canonical_ids: FxHashMap<Box<str>, Box<str>>,
    /// By account.
    files: FxHashMap<String, Vec<ReadFile>>,
}

#[derive(Debug)]
struct Endpoint {
    /// None where the policy lets everything pass.
    policy: Option<PolicyDocument>,
    vpc: Option<String>,
}

#[derive(Debug)]
struct Grants {
    /// As JSON.
    text: Box<str>,
    grants: Box<[KmsGrant]>,
}

#[derive(Debug)]
struct ReadFile {
    layer: StatusLayer,
    service: String,
    readable: bool,
    holds_any: bool,
}

/// Whether a thing that a complete file does not list is without a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unlisted {
    HasNone,
    HasNoneIfSaid,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointPage {
    vpc_endpoints: Vec<EndpointEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointEntry {
    vpc_endpoint_id: String,
    vpc_id: Option<String>,
    policy_document: Option<String>,
}

/// What a file lists.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The ARNs, ids or names that it lists more than once, or that another file listed before.
    pub(super) repeated: Vec<String>,
    /// What of it could not be read, and why.
    pub(super) problems: Vec<String>,
    /// Whether it has a policy, a grant or an ACL for any of them.
    holds_any: bool,
}

/// Stands for every resource of a service, where nobody knows which one it is.
const EVERY_RESOURCE: &str = "*";

impl Resources {
    /// Notes that an account has a file of a layer; `None` where it could not be read.
    pub(super) fn note_file(
        &mut self,
        account: &str,
        layer: StatusLayer,
        service: &str,
        listing: Option<&Listing>,
    ) {
        let file = ReadFile {
            layer,
            service: service.to_owned(),
            readable: listing.is_some(),
            holds_any: listing.is_some_and(|listing| listing.holds_any),
        };
        self.files.entry(account.to_owned()).or_default().push(file);
    }

    /// `resource-policies/<service>.json`
    pub(super) fn read_policies<'a>(
        &mut self,
        (account, service): (&str, &str),
        text: &'a str,
        documents: &mut Documents<'a>,
    ) -> Result<Listing, JsonProblem> {
        let entries: Entries<'a, &'a RawValue> = read_one(text)?;
        let mut listing = Listing::default();
        let policies = self.policies.entry(service.to_owned()).or_default();
        for (arn, document) in entries.0 {
            let document = (document.get() != "null").then(|| {
                let policy = documents.resource(document).map_err(|problem| {
                    let why = problem.describe(place_of(text, document.get()));
                    listing.problems.push(format!("policy of `{arn}`: {why}"));
                    PolicyUnavailable::Unreadable
                });
                PolicyDocument {
                    text: documents.text(document),
                    attached: AttachedPolicy {
                        id: (&*arn).into(),
                        source: PolicySource::Resource,
                        policy,
                        bundled_date: None,
                    },
                }
            });
            listing.holds_any |= document.is_some();
            if arn.contains(":::") {
                let owner = self.owners.entry(arn.clone().into_owned());
                owner.or_insert_with(|| account.to_owned());
            }
            insert_first(policies, arn, document, &mut listing);
        }
        Ok(listing)
    }

    /// `kms-grants.json`
    pub(super) fn read_grants(&mut self, text: &str) -> Result<Listing, JsonProblem> {
        let entries: Entries<'_, Vec<&RawValue>> = read_one(text)?;
        let mut listing = Listing::default();
        for (arn, grants) in entries.0 {
            let mut parsed = Vec::with_capacity(grants.len());
            for (index, grant) in grants.iter().enumerate() {
                parsed.push(KmsGrant::parse(grant.get()).unwrap_or_else(|error| {
                    listing
                        .problems
                        .push(format!("grant {index} of `{arn}`: {error}"));
                    KmsGrant::unreadable()
                }));
            }
            let grants = (!grants.is_empty()).then(|| {
                let grants: Vec<&str> = grants.iter().map(|grant| grant.get()).collect();
                Grants {
                    text: format!("[{}]", grants.join(",")).into(),
                    grants: parsed.into_boxed_slice(),
                }
            });
            listing.holds_any |= grants.is_some();
            insert_first(&mut self.grants, arn, grants, &mut listing);
        }
        Ok(listing)
    }

    /// `resource-tags.json`
    pub(super) fn read_tags(&mut self, text: &str) -> Result<Listing, JsonProblem> {
        let entries: Entries<'_, Entries<'_, String>> = read_one(text)?;
        let mut listing = Listing::default();
        for (arn, tags) in entries.0 {
            let tags = tags
                .0
                .into_iter()
                .map(|(key, value)| (key.into_owned(), value))
                .collect();
            insert_first(&mut self.tags, arn, tags, &mut listing);
        }
        Ok(listing)
    }

    /// `vpc-endpoints.json`
    pub(super) fn read_endpoints(&mut self, text: &str) -> Result<Listing, JsonProblem> {
        let pages: Vec<EndpointPage> = read_pages(text)?;
        let mut listing = Listing::default();
        for entry in pages.into_iter().flat_map(|page| page.vpc_endpoints) {
            let policy = entry
                .policy_document
                .filter(|policy| !lets_everything_pass(policy));
            let id = entry.vpc_endpoint_id.as_str();
            let endpoint = Endpoint {
                policy: policy.map(|text| endpoint_document(id, text, &mut listing.problems)),
                vpc: entry.vpc_id,
            };
            listing.holds_any |= endpoint.policy.is_some();
            insert_first(
                &mut self.endpoints,
                entry.vpc_endpoint_id.into(),
                endpoint,
                &mut listing,
            );
        }
        Ok(listing)
    }

    /// `s3-buckets.json`
    pub(super) fn read_buckets(
        &mut self,
        account: &str,
        text: &str,
    ) -> Result<Listing, JsonProblem> {
        let entries: Entries<'_, BucketForm> = read_one(text)?;
        let mut listing = Listing::default();
        for (name, form) in entries.0 {
            if name == EVERY_RESOURCE {
                let block = form.public_access_block_configuration.unwrap_or_default();
                self.account_blocks.insert(account.to_owned(), block);
                continue;
            }
            let bucket = Bucket::new(&name, form);
            listing.holds_any |= !matches!(bucket.acl, Acl::Off);
            if let Some((id, account)) = &bucket.owner {
                self.canonical_ids.insert(id.clone(), account.clone());
            }
            insert_first(&mut self.buckets, name, bucket, &mut listing);
        }
        Ok(listing)
    }

    /// Whether the policy of a resource was collected, and the policy.
    pub(super) fn policy(
        &self,
        service: &str,
        resource_arn: &str,
        account: &str,
        statuses: &Statuses,
    ) -> (Collected, Option<&PolicyDocument>) {
        let arn = policy_holder(service, resource_arn);
        let listed = self
            .policies
            .get(service)
            .and_then(|policies| policies.get(arn));
        let collected = match listed {
            Some(Some(policy)) => policy.collected(),
            Some(None) => Collected::Empty,
            None => {
                let part = Part {
                    account,
                    layer: StatusLayer::ResourcePolicy,
                    service,
                    region: region_of(arn),
                };
                self.unlisted(part, arn, Unlisted::HasNone, statuses)
            }
        };
        (collected, listed.and_then(Option::as_ref))
    }

    pub(super) fn policy_document(&self, service: &str, resource_arn: &str) -> Option<&str> {
        Some(&self.find_policy(service, resource_arn)?.text)
    }

    pub(super) fn owner_of_policy(&self, resource_arn: &str) -> Option<&str> {
        self.owners.get(resource_arn).map(String::as_str)
    }

    pub(super) fn find_policy(&self, service: &str, resource_arn: &str) -> Option<&PolicyDocument> {
        self.policies
            .get(service)?
            .get(policy_holder(service, resource_arn))?
            .as_ref()
    }

    pub(super) fn grants(&self, key_arn: &str, account: &str, statuses: &Statuses) -> Collected {
        match self.grants.get(key_arn) {
            Some(Some(_)) => Collected::Present,
            Some(None) => Collected::Empty,
            None => {
                let part = Part {
                    account,
                    layer: StatusLayer::KmsGrants,
                    service: "kms",
                    region: region_of(key_arn),
                };
                self.unlisted(part, key_arn, Unlisted::HasNone, statuses)
            }
        }
    }

    pub(super) fn grants_document(&self, key_arn: &str) -> Option<&str> {
        Some(&self.grants.get(key_arn)?.as_ref()?.text)
    }

    pub(super) fn find_grants(&self, key_arn: &str) -> Option<&[KmsGrant]> {
        Some(&self.grants.get(key_arn)?.as_ref()?.grants)
    }

    pub(super) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(name)
    }

    /// The settings of an account, and of a bucket of it.
    pub(super) fn public_access_block(
        &self,
        bucket: Option<&str>,
        account: &str,
    ) -> PublicAccessBlock {
        let of_account = self.account_blocks.get(account).copied();
        let of_bucket = bucket.and_then(|name| Some(self.buckets.get(name)?.block));
        of_account
            .unwrap_or_default()
            .and(of_bucket.unwrap_or_default())
    }

    /// The account of a canonical user id.
    pub(super) fn account_of_canonical_id(&self, id: &str) -> Option<&str> {
        self.canonical_ids.get(id).map(|account| &**account)
    }

    pub(super) fn knows_canonical_id_of(&self, account: &str) -> bool {
        self.canonical_ids.values().any(|known| **known == *account)
    }

    pub(super) fn bucket_acl(&self, bucket: &str, account: &str, statuses: &Statuses) -> Collected {
        match self.buckets.get(bucket) {
            Some(bucket) => match bucket.acl {
                Acl::Off => Collected::Empty,
                Acl::NotTold | Acl::Grants(_) => Collected::Present,
            },
            None => {
                let part = Part {
                    account,
                    layer: StatusLayer::S3Acl,
                    service: "s3",
                    region: "",
                };
                self.unlisted(part, bucket, Unlisted::HasNoneIfSaid, statuses)
            }
        }
    }

    pub(super) fn endpoint_policy(
        &self,
        endpoint: &str,
        account: &str,
        statuses: &Statuses,
    ) -> Collected {
        match self.endpoints.get(endpoint) {
            Some(Endpoint {
                policy: Some(policy),
                ..
            }) => policy.collected(),
            Some(Endpoint { policy: None, .. }) => Collected::Empty,
            None => {
                let part = Part {
                    account,
                    layer: StatusLayer::VpcEndpointPolicy,
                    service: "ec2",
                    region: "",
                };
                self.unlisted(part, endpoint, Unlisted::HasNoneIfSaid, statuses)
            }
        }
    }

    pub(super) fn endpoint_policy_document(&self, endpoint: &str) -> Option<&str> {
        Some(&self.find_endpoint_policy(endpoint)?.text)
    }

    /// The policies of all endpoints; those of resources are among the snapshot's documents.
    pub(super) fn compiled_endpoints(&self) -> impl Iterator<Item = &CompiledPolicy> {
        self.endpoints
            .values()
            .filter_map(|endpoint| endpoint.policy.as_ref()?.attached.policy.as_deref().ok())
    }

    pub(super) fn find_endpoint_policy(&self, endpoint: &str) -> Option<&PolicyDocument> {
        self.endpoints.get(endpoint)?.policy.as_ref()
    }

    pub(super) fn endpoint_vpc(&self, endpoint: &str) -> Option<&str> {
        self.endpoints.get(endpoint)?.vpc.as_deref()
    }

    pub(super) fn tags(
        &self,
        resource_arn: &str,
        statuses: &Statuses,
    ) -> Option<&[(String, String)]> {
        if let Some(tags) = self.tags.get(resource_arn) {
            return Some(tags);
        }
        // Of a resource that is not listed a status alone can say that it has none.
        if !statuses.mentions(StatusLayer::ResourceTags) {
            return None;
        }
        // A text without that many parts is no ARN.
        let mut parts = resource_arn.split(':').skip(2);
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        if account.is_empty() {
            return None;
        }
        let part = Part {
            account,
            layer: StatusLayer::ResourceTags,
            service,
            region,
        };
        (self.unlisted(part, resource_arn, Unlisted::HasNoneIfSaid, statuses) == Collected::Empty)
            .then_some(&[])
    }

    /// What holds for a resource that no file lists, or for [`EVERY_RESOURCE`].
    fn unlisted(
        &self,
        part: Part<'_>,
        resource: &str,
        unlisted: Unlisted,
        statuses: &Statuses,
    ) -> Collected {
        let files = self.files.get(part.account).into_iter().flatten();
        let file = files.into_iter().find(|file| {
            file.layer == part.layer && (file.service == part.service || file.service == "*")
        });
        if file.is_some_and(|file| !file.readable) {
            return Collected::No;
        }
        if resource == EVERY_RESOURCE && file.is_some_and(|file| file.holds_any) {
            return Collected::Present;
        }
        let complete = match statuses.of(part) {
            Some(status) => status == Status::Complete,
            None => file.is_some() && unlisted == Unlisted::HasNone,
        };
        if complete {
            Collected::Empty
        } else {
            Collected::No
        }
    }
}

/// Where in a file a part of it begins.
fn place_of(text: &str, part: &str) -> (usize, usize) {
    Lines::of(text).place((part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize))
}

fn endpoint_document(id: &str, text: String, problems: &mut Vec<String>) -> PolicyDocument {
    let policy = CompiledPolicy::resource(&text).map_err(|error| {
        problems.push(format!(
            "policy of endpoint `{id}`: in the encoded document at {error}"
        ));
        PolicyUnavailable::Unreadable
    });
    PolicyDocument {
        text: text.into(),
        attached: AttachedPolicy {
            id: id.into(),
            source: PolicySource::VpcEndpoint,
            policy: policy.map(Arc::new),
            bundled_date: None,
        },
    }
}

/// The first of two entries with the same name counts.
fn insert_first<V>(
    map: &mut FxHashMap<String, V>,
    name: Cow<'_, str>,
    value: V,
    listing: &mut Listing,
) {
    match map.entry(name.into_owned()) {
        std::collections::hash_map::Entry::Vacant(place) => {
            place.insert(value);
        }
        std::collections::hash_map::Entry::Occupied(place) => {
            listing.repeated.push(place.key().clone())
        }
    }
}

/// The resource whose policy counts: for an S3 object its bucket.
fn policy_holder<'r>(service: &str, resource_arn: &'r str) -> &'r str {
    if service != "s3" || !region_of(resource_arn).is_empty() {
        return resource_arn;
    }
    match resource_arn.bytes().position(|byte| byte == b'/') {
        Some(end) => resource_arn.get(..end).unwrap_or(resource_arn),
        None => resource_arn,
    }
}

/// The region in an ARN; empty where it has none.
fn region_of(arn: &str) -> &str {
    arn_part(arn, 3).unwrap_or_default()
}

/// Whether an endpoint policy is the one that AWS sets where nobody gave one.
/// See <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html>.
fn lets_everything_pass(policy: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document {
        statement: Vec<HashMap<String, serde_json::Value>>,
    }
    let Ok(Document { statement }) = serde_json::from_str::<Document>(policy) else {
        return false;
    };
    let [statement] = statement.as_slice() else {
        return false;
    };
    let names: HashSet<&str> = statement
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "Sid")
        .collect();
    let is = |name: &str, value: &str| statement.get(name).is_some_and(|found| found == value);
    names == HashSet::from(["Effect", "Principal", "Action", "Resource"])
        && is("Effect", "Allow")
        && ["Principal", "Action", "Resource"]
            .iter()
            .all(|name| is(name, "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_of_an_object() {
        assert_eq!(
            policy_holder("s3", "arn:aws:s3:::logs/a/b"),
            "arn:aws:s3:::logs"
        );
        assert_eq!(
            policy_holder("s3", "arn:aws:s3:::logs"),
            "arn:aws:s3:::logs"
        );
        assert_eq!(
            policy_holder("s3", "arn:aws:s3:eu-west-1:111122223333:accesspoint/x"),
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/x"
        );
        assert_eq!(
            policy_holder("x", "arn:aws:x:::logs/a"),
            "arn:aws:x:::logs/a"
        );
    }

    #[test]
    fn the_default_endpoint_policy() {
        let default = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
        assert!(lets_everything_pass(default));
        assert!(!lets_everything_pass(
            &default.replace("\"Resource\"", "\"Condition\":{},\"Resource\"")
        ));
        assert!(!lets_everything_pass(&default.replace("Allow", "Deny")));
        assert!(!lets_everything_pass("{"));
    }
}
