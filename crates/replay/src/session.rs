//! Sessions: what a call's temporary credentials are limited by and tagged with.
//!
//! A [`Session`] is made of what the issuing record shows ([`crate::IssuedSession`], or a row of the
//! table `sessions`) and joined to a call by its access key ([`session_key`]). What is not known of it
//! stays unknown: a policy that cannot be parsed, or whose document nobody has, is never *no policy*.

use std::collections::HashMap;
use std::sync::Arc;

use retrial_cloudtrail::Record;
use retrial_iam::{CompiledPolicy, ManagedPolicies, Snapshot};
use sha2::{Digest, Sha256};

use crate::account_of_arn;
use crate::caller::{Caller, CallerKind};
use crate::issued_session::is_session_key;

/// What a call's own record does not show of its session.
#[derive(Debug, Clone, Copy, Default)]
pub enum SessionKnowledge<'x> {
    /// The issuing record was not seen.
    #[default]
    NotSeen,
    /// The session that the issuing record tells of.
    Known(&'x Session),
}

/// What a [`Session`] is made of; the names are the columns of the table `sessions`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the one of its name in `IssuedSession`"
)]
pub struct SessionFacts<'a> {
    pub event_name: Option<&'a str>,
    pub caller_principal_arn: Option<&'a str>,
    pub caller_access_key_id: Option<&'a str>,
    pub role_arn: Option<&'a str>,
    pub session_policy: Option<&'a str>,
    pub session_policy_id: Option<&'a str>,
    pub session_policy_arns: &'a [&'a str],
    pub tags: &'a [(&'a str, &'a str)],
    pub transitive_tag_keys: &'a [&'a str],
    pub source_identity: Option<&'a str>,
}

/// Where a session's inherited tags come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inheritance<'a> {
    /// It was asked for with credentials that pass nothing on.
    Nothing,
    /// From the session with this access key: a role chain.
    Session(&'a str),
    /// The record does not say who asked.
    NotShown,
}

/// One session.
///
/// # Memory
/// Its tags and names; the compiled policy is shared by all sessions with the same document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    role_arn: Option<Box<str>>,
    /// Names the policies, and so stands for `inline` in comparisons.
    policy_id: Option<Box<str>>,
    inline: Inline,
    managed: Box<[Box<str>]>,
    /// Invariant: of keys that differ in case only, one.
    tags: Vec<SessionTag>,
    /// There are no tags but those.
    tags_are_all: bool,
    source_identity: Option<Box<str>>,
    issued_to: IssuedTo,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionTag {
    key: Box<str>,
    value: Box<str>,
    transitive: bool,
}

/// The inline session policy.
#[derive(Debug, Clone)]
enum Inline {
    None,
    Policy(Arc<CompiledPolicy>),
    /// There is one, and it cannot be used.
    Unreadable,
}

/// Who asked for a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum IssuedTo {
    /// An AWS service, by its name: `sagemaker.amazonaws.com`.
    Service(Box<str>),
    /// A user, a role, root, a web or SAML identity.
    Person,
    /// The record does not say.
    NotShown,
}

impl PartialEq for Inline {
    /// The document itself is compared by [`Session::policy_id`].
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Eq for Inline {}

impl std::hash::Hash for Inline {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
    }
}

/// The inline session policies that were compiled, each content once.
///
/// # Memory
/// The compiled documents, up to a limit: what comes after it is not kept, and stays unknown until
/// [`SessionDocuments::release`] has made room.
#[derive(Debug)]
pub struct SessionDocuments {
    compiled: HashMap<[u8; 32], (Inline, usize)>,
    bytes: usize,
    limit: usize,
}

impl SessionDocuments {
    /// For documents of up to this many bytes, compiled (estimated).
    pub fn new(limit: usize) -> SessionDocuments {
        SessionDocuments {
            compiled: HashMap::new(),
            bytes: 0,
            limit,
        }
    }

    fn compile(&mut self, text: &str) -> Inline {
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some((found, _)) = self.compiled.get(&digest) {
            return found.clone();
        }
        // Measured on AWS's managed policies: a compiled document takes three to five times its text.
        let bytes = text.len().saturating_mul(5).saturating_add(512);
        if self.bytes.saturating_add(bytes) > self.limit {
            return Inline::Unreadable;
        }
        let inline = match CompiledPolicy::identity(text) {
            Ok(policy) => Inline::Policy(Arc::new(policy)),
            Err(_) => return Inline::Unreadable,
        };
        self.bytes += bytes;
        self.compiled.insert(digest, (inline.clone(), bytes));
        inline
    }

    /// Forgets the documents that no session has any more.
    pub fn release(&mut self) {
        let mut freed = 0;
        self.compiled.retain(|_, (inline, bytes)| {
            let used = matches!(inline, Inline::Policy(policy) if Arc::strong_count(policy) > 1);
            if !used {
                freed += *bytes;
            }
            used
        });
        self.bytes = self.bytes.saturating_sub(freed);
    }
}

impl<'a> SessionFacts<'a> {
    /// Where inherited tags come from.
    ///
    /// Only role sessions pass tags on, and only AssumeRole takes them over: GetFederationToken needs
    /// long-term credentials, and web and SAML identities come with a token of their own.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_role-chaining>
    pub fn inheritance(&self) -> Inheritance<'a> {
        if self.event_name != Some("AssumeRole") {
            return Inheritance::Nothing;
        }
        match (self.caller_principal_arn, self.caller_access_key_id) {
            (None, _) => Inheritance::NotShown,
            (Some(caller), _) if !caller.contains(":role/") => Inheritance::Nothing,
            (Some(_), Some(key)) if is_session_key(key) => Inheritance::Session(key),
            (Some(_), _) => Inheritance::NotShown,
        }
    }
}

impl Session {
    /// The session that these facts tell of, without what it inherits: see [`Session::inherit`].
    pub fn new(facts: &SessionFacts<'_>, documents: &mut SessionDocuments) -> Session {
        let mut tags: Vec<SessionTag> = Vec::new();
        for (key, value) in facts.tags {
            // "Session tag keys are not case sensitive": AWS refuses two that differ in case only.
            if tags.iter().any(|tag| tag.key.eq_ignore_ascii_case(key)) {
                continue;
            }
            tags.push(SessionTag {
                key: (*key).into(),
                value: (*value).into(),
                transitive: facts
                    .transitive_tag_keys
                    .iter()
                    .any(|transitive| transitive.eq_ignore_ascii_case(key)),
            });
        }
        Session {
            role_arn: facts.role_arn.map(Box::from),
            policy_id: facts.session_policy_id.map(Box::from),
            inline: match facts.session_policy {
                Some(text) => documents.compile(text),
                None => Inline::None,
            },
            managed: facts
                .session_policy_arns
                .iter()
                .map(|arn| Box::from(*arn))
                .collect(),
            tags,
            tags_are_all: facts.inheritance() == Inheritance::Nothing,
            source_identity: facts.source_identity.map(Box::from),
            issued_to: match facts.caller_principal_arn {
                Some(caller) if !caller.starts_with("arn:") => IssuedTo::Service(caller.into()),
                None if facts.event_name == Some("AssumeRole") => IssuedTo::NotShown,
                _ => IssuedTo::Person,
            },
        }
    }

    /// This session with the transitive tags of the one that asked for it. What was there stays: a tag
    /// that is inherited cannot be passed anew.
    #[must_use]
    pub fn inherit(&self, asking: &Session) -> Session {
        /// "You can pass up to 50 session tags", inherited ones on top: more is not AWS's doing.
        const MOST_TAGS: usize = 100;
        let mut session = self.clone();
        session.tags_are_all = asking.tags_are_all;
        for tag in asking.tags.iter().filter(|tag| tag.transitive) {
            let known = session
                .tags
                .iter()
                .any(|own| own.key.eq_ignore_ascii_case(&tag.key));
            if known {
                continue;
            }
            if session.tags.len() >= MOST_TAGS {
                session.tags_are_all = false;
                break;
            }
            session.tags.push(tag.clone());
        }
        session
    }

    /// Names the session policies; `None` where there are none.
    pub fn policy_id(&self) -> Option<&str> {
        self.policy_id.as_deref()
    }

    /// The session tags.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|tag| (&*tag.key, &*tag.value))
    }

    /// Whether [`Session::tags`] are all there are: a role chain whose beginning nobody saw may have
    /// passed on others.
    pub fn tags_are_all(&self) -> bool {
        self.tags_are_all
    }

    /// The source identity.
    pub fn source_identity(&self) -> Option<&str> {
        self.source_identity.as_deref()
    }

    pub(crate) fn issued_to(&self) -> &IssuedTo {
        &self.issued_to
    }

    /// Whether the session can be this caller's: exports repeat made-up access keys.
    pub(crate) fn is_of(&self, caller: &Caller<'_>) -> bool {
        match (caller.kind, &self.role_arn) {
            (CallerKind::RoleSession, Some(role)) => caller
                .principal_arn
                .is_some_and(|arn| is_same_role(arn, role)),
            (CallerKind::RoleSession, None) => false,
            (_, role) => role.is_none(),
        }
    }

    /// Whether managed policies were given for it.
    pub(crate) fn has_managed_policies(&self) -> bool {
        !self.managed.is_empty()
    }

    /// Its policies; `None` where one of them is not known.
    pub(crate) fn policies<'q>(&'q self, snapshot: &'q Snapshot) -> Option<Vec<SessionPolicy<'q>>> {
        let mut policies = Vec::new();
        match &self.inline {
            Inline::None => {}
            Inline::Policy(policy) => policies.push(SessionPolicy {
                name: INLINE_POLICY,
                policy,
                bundled: false,
            }),
            Inline::Unreadable => return None,
        }
        for arn in &self.managed {
            let collected = snapshot.managed_policy(arn);
            let bundled = collected.is_none();
            let policy = collected.or_else(|| ManagedPolicies::bundled().compiled(arn))?;
            policies.push(SessionPolicy {
                name: arn,
                policy,
                bundled,
            });
        }
        Some(policies)
    }
}

/// How rows name the inline session policy; `session_policy_id` tells which.
const INLINE_POLICY: &str = "session_policy";

/// One policy of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionPolicy<'q> {
    /// A managed policy's ARN.
    pub(crate) name: &'q str,
    pub(crate) policy: &'q CompiledPolicy,
    /// Its document is the compiled-in copy.
    pub(crate) bundled: bool,
}

/// The same account and name; the path is not always shown, and names are unique without it.
fn is_same_role(left: &str, right: &str) -> bool {
    let name = |arn: &str| {
        arn.bytes()
            .rposition(|byte| byte == b'/')
            .map_or(0, |at| at + 1)
    };
    let names = left.get(name(left)..).zip(right.get(name(right)..));
    names.is_some_and(|(name, other)| name.eq_ignore_ascii_case(other))
        && account_of_arn(left) == account_of_arn(right)
}

/// The access key whose issuing record the decision on a call depends on; `None` where none does:
/// long-term keys, services, session tokens of users (`GetSessionToken` takes no policies and no tags),
/// and masked keys.
pub fn session_key<'a>(record: &Record<'a>) -> Option<&'a str> {
    let identity = record.user_identity?;
    let key = identity.access_key_id.filter(|key| is_session_key(key))?;
    let is_session = match identity.kind {
        Some("FederatedUser") => true,
        Some("Root") => identity.assumed_root == Some(true),
        Some("IAMUser" | "AWSService" | "AWSAccount" | "WebIdentityUser" | "SAMLUser") => false,
        _ => identity
            .arn
            .is_some_and(|arn| arn.contains(":assumed-role/")),
    };
    is_session.then_some(key)
}
