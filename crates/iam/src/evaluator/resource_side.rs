//! The resource's side of a request: its owner, its policy, and what else could grant access to it.

use super::Question;
use super::granting_source::PolicyKind;
use super::layer::{self, Naming, ResourceTruth};
use super::managed_key::{managed_key_allows, managed_key_service};
use crate::caller::CallerIdentity;
use crate::kms_grant::KmsGrant;
use crate::pattern::{ResourceText, arn_part};
use crate::policy::PrincipalTruth;
use crate::request::{Request, Resource};
use crate::s3_bucket::{AclCaller, Bucket, PublicAccessBlock, acl_allows, sets_public_acl};
use crate::snapshot::{Collected, Found, Snapshot};
use crate::truth::Truth;
use crate::{Effect, Layer, StatementRef};

/// Asks the snapshot of all resources of a service, where nobody knows which one it is: empty only
/// if none of them has a policy.
const EVERY_RESOURCE: &str = "*";

/// What is known of the resource's owner and its policies.
#[derive(Debug)]
pub(super) struct ResourceSide<'s, 'a> {
    /// The account that owns the resource; the caller's where nothing else is known.
    pub(super) account: Option<&'a str>,
    /// The resource belongs to another account than the caller.
    pub(super) is_foreign: bool,
    /// What its policy means, where its type has one.
    pub(super) kind: Option<PolicyKind>,
    pub(super) policy: Found<'s>,
    /// The ACL that could grant the action.
    pub(super) acl: AclSource<'s>,
    /// A grant could allow the action.
    pub(super) takes_grants: bool,
    /// `None`: not collected.
    pub(super) grants: Option<&'s [KmsGrant]>,
    /// The request names an AWS managed key of this service.
    pub(super) managed_key: Option<&'a str>,
    /// Its type has no policy that is known of, and yet it is another account's.
    pub(super) may_be_shared: bool,
    /// Block Public Access of the bucket and its account.
    pub(super) block: PublicAccessBlock,
    /// Resource control policies reach the action.
    pub(super) rcp_applies: bool,
}

/// The ACL of a bucket.
#[derive(Debug, Clone, Copy)]
pub(super) enum AclSource<'s> {
    /// None can grant the action.
    None,
    /// There may be one, and nobody knows of which bucket.
    NotCollected,
    Of(&'s Bucket, CanonicalIds<'s>),
}

/// Where it is told whose a canonical user id is.
#[derive(Debug, Clone, Copy)]
pub(super) enum CanonicalIds<'s> {
    Of(&'s Snapshot),
    /// The bucket tells its owner's alone.
    OwnerAlone,
}

/// Somebody's grant of which nothing is known.
const OPEN: PrincipalTruth = PrincipalTruth {
    caller: Truth::Unknown,
    principal: Truth::Unknown,
    account: Truth::Unknown,
};

impl<'s: 'a, 'a> ResourceSide<'s, 'a> {
    pub(super) fn new(
        snapshot: &'s Snapshot,
        request: &Request<'a>,
        question: &Question<'a>,
    ) -> ResourceSide<'s, 'a> {
        let sources = question.granting_sources(request.resource);
        let collected_in = || snapshot.owner_of_policy(sources.policy?.holder?);
        let account = named_owner(request, question)
            .or_else(collected_in)
            .or(question.account);
        // Of a resource whose owner nobody knows, nothing was collected.
        let owner = account.unwrap_or_default();
        let policy = sources.policy.map_or(Found::None, |policy| {
            match (policy.kind, policy.holder) {
                // Every role has a trust policy.
                (PolicyKind::Trust, None) => Found::NotCollected,
                (_, holder) => snapshot.find_resource_policy(
                    policy.service,
                    holder.unwrap_or(EVERY_RESOURCE),
                    owner,
                ),
            }
        });
        let acl = sources.acl.map_or(AclSource::None, |bucket| {
            let name = bucket.unwrap_or(EVERY_RESOURCE);
            match (snapshot.bucket_acl(name, owner), snapshot.bucket(name)) {
                (Collected::Empty, _) => AclSource::None,
                (_, Some(bucket)) => AclSource::Of(bucket, CanonicalIds::Of(snapshot)),
                (_, None) => AclSource::NotCollected,
            }
        });
        let no_grants: Option<&'s [KmsGrant]> = Some(&[]);
        let grants = sources.kms_grant.map_or(no_grants, |key| {
            snapshot.find_kms_grants(key.unwrap_or(EVERY_RESOURCE), owner)
        });
        let bucket = sources
            .policy
            .filter(|policy| policy.service == "s3")
            .and_then(|policy| arn_part(policy.holder?, 5));
        let kind = sources.policy.map(|policy| policy.kind);
        ResourceSide {
            account,
            is_foreign: account != question.account,
            kind,
            policy,
            acl,
            takes_grants: sources.kms_grant.is_some(),
            grants,
            managed_key: kind
                .filter(|kind| *kind == PolicyKind::Key)
                .and_then(|_| managed_key_service(question)),
            // No type of resource that AWS documents can be shared without a policy: the recorded
            // account may be the odd thing here, and is no reason for a firm answer.
            may_be_shared: kind.is_none()
                && question.account.is_some_and(|own| account != Some(own)),
            block: match kind {
                Some(_) if question.action.service == "s3" => {
                    snapshot.public_access_block(bucket, owner)
                }
                _ => PublicAccessBlock::default(),
            },
            rcp_applies: question.rules.rcp_applies,
        }
    }

    /// What the resource's policy says; the statements that count are added to `matched`.
    pub(super) fn policy_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> ResourceTruth {
        let mut truth = ResourceTruth {
            allow: PrincipalTruth::NONE,
            deny: Truth::False,
        };
        match self.policy {
            Found::Policy(attached) => {
                if let Ok(policy) = &attached.policy {
                    truth =
                        layer::resource(attached, policy, question, self.naming(question), matched);
                    if self.block.restrict_public_buckets && self.keeps_out(question) {
                        truth.allow = truth.allow.and(!policy.is_public());
                    }
                }
            }
            Found::NotCollected => {
                truth.allow = match (self.managed_key, self.account) {
                    (Some(service), Some(account)) => {
                        managed_key_allows(service, account, question)
                    }
                    _ => OPEN,
                };
            }
            Found::None if self.may_be_shared => truth.allow = OPEN,
            Found::None => {}
        }
        truth.allow = truth.allow.or(self.acl_truth(question, matched));
        truth
    }

    /// What the ACL allows.
    pub(super) fn acl_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> PrincipalTruth {
        let (bucket, ids) = match self.acl {
            AclSource::None => return PrincipalTruth::NONE,
            AclSource::NotCollected => return OPEN,
            AclSource::Of(bucket, ids) => (bucket, ids),
        };
        let owner = bucket.owner.as_ref();
        let caller = AclCaller {
            identity: question.caller,
            account: question.account,
            account_of_id: &|id| match ids {
                CanonicalIds::Of(snapshot) => snapshot.account_of_canonical_id(id),
                CanonicalIds::OwnerAlone => owner
                    .filter(|(own, _)| **own == *id)
                    .map(|(_, account)| &**account),
            },
            own_id_is_known: question.account.is_some_and(|account| match ids {
                CanonicalIds::Of(snapshot) => snapshot.knows_canonical_id_of(account),
                CanonicalIds::OwnerAlone => owner.is_some_and(|(_, own)| **own == *account),
            }),
        };
        let naming = self.naming(question);
        acl_allows(
            (bucket, self.block),
            question.action.name,
            &caller,
            |index, truth| {
                if naming.of(truth) == Truth::True {
                    matched.push(StatementRef {
                        layer: Layer::Resource,
                        policy: &bucket.acl_id,
                        index,
                        sid: None,
                        effect: Effect::Allow,
                    });
                }
            },
        )
    }

    /// Whether Block Public Access refuses the request because of the ACL that it sets. Where ACLs are
    /// off, S3 takes none, whatever the block says.
    pub(super) fn refused(&self, question: &Question<'_>) -> Truth {
        if self.block.block_public_acls && !matches!(self.acl, AclSource::None) {
            sets_public_acl(question.action.name, &question.keys)
        } else {
            Truth::False
        }
    }

    /// What the grants on the key allow.
    pub(super) fn grants_truth(
        &self,
        question: &Question<'_>,
        matched: &mut Vec<StatementRef<'s>>,
    ) -> PrincipalTruth {
        match self.grants {
            Some(grants) => layer::grants(grants, question, matched),
            None => OPEN,
        }
    }

    /// Whether the policy must allow, whatever the caller's own policies say.
    pub(super) fn answers_first(&self) -> bool {
        matches!(self.kind, Some(PolicyKind::Key | PolicyKind::Trust))
    }

    /// Whether the policy is there, and nobody saw it.
    pub(super) fn is_assumed(&self) -> bool {
        matches!(self.policy, Found::NotCollected) && self.managed_key.is_none()
    }

    fn naming(&self, question: &Question<'_>) -> Naming {
        if question.account.is_none() || self.is_foreign || self.answers_first() {
            Naming::Account
        } else {
            Naming::Principal
        }
    }

    /// Block Public Access (`RestrictPublicBuckets`) spares the bucket's account and AWS services.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
    fn keeps_out(&self, question: &Question<'_>) -> bool {
        self.is_foreign && !matches!(question.caller, CallerIdentity::Service(_))
    }
}

/// The account that the request says owns the resource.
pub(super) fn named_owner<'a>(request: &Request<'a>, question: &Question<'a>) -> Option<&'a str> {
    match request.resource {
        Resource::Any => question.account.or(request.resource_account),
        Resource::Arn(_) | Resource::Unknown(_) => {
            request.resource_account.or(account_of(question.resource))
        }
    }
}

/// The account that the resource's ARN shows.
fn account_of(resource: ResourceText<'_>) -> Option<&str> {
    match resource {
        ResourceText::Arn(arn) => arn.account(),
        ResourceText::Any | ResourceText::NoArn => None,
    }
}
