//! The session that a record issued: whose credentials, and what they are limited by and tagged with.
//!
//! CloudTrail shows a session's policies and tags only in the record of the call that issued it; later
//! calls name the access key. A record that hides any of that issues nothing here: half of what limits
//! a session would be worse than none.
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_ctlogs>.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::{Day, Json, JsonKind, Parameters, Record, Timestamp};
use sha2::{Digest, Sha256};

use crate::caller::{Caller, CallerKind};
use crate::session::SessionFacts;

/// One issued session: a row of the table `sessions`, but for where its record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedSession<'a> {
    /// The access key that was issued.
    pub access_key_id: &'a str,
    /// `AssumeRole`, `GetFederationToken`, …
    pub event_name: &'a str,
    /// Who asked for it: the ARN of a user, a role or root, or a service's name; `None` where the
    /// record does not say (a copy in the role's account) and for web and SAML identities.
    pub caller_principal_arn: Option<&'a str>,
    /// The access key that asked for it, unless it is masked.
    pub caller_access_key_id: Option<&'a str>,
    /// The role; `None` for federated users, root and session tokens.
    pub role_arn: Option<&'a str>,
    /// `AROA…:session`
    pub assumed_role_id: Option<&'a str>,
    /// The name of the role session or of the federated user.
    pub session_name: Option<&'a str>,
    /// The inline session policy, as it was passed.
    pub session_policy: Option<&'a str>,
    /// Names inline and managed session policies together; `None` where there are none.
    pub session_policy_id: Option<&'a str>,
    /// The managed session policies.
    pub session_policy_arns: &'a [&'a str],
    /// The session tags, those included that the record shows to be inherited.
    pub tags: &'a [(&'a str, &'a str)],
    /// The keys of the tags that pass on to sessions of a role chain.
    pub transitive_tag_keys: &'a [&'a str],
    /// The source identity.
    pub source_identity: Option<&'a str>,
    /// When the credentials expire.
    pub expires_at: Option<Timestamp>,
}

/// The operations whose answer has credentials, and whose request shows all that limits these.
const ISSUING: [&str; 6] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "GetFederationToken",
    "GetSessionToken",
];

/// STS takes 50 tags of at most 128 and 256 characters; inherited ones may come on top.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST_TAGS: usize = 100;
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;

/// STS takes 10 managed session policies.
const MOST_POLICY_ARNS: usize = 20;

/// The session that a record issued; `None` where it issued none, failed, masks the key, or hides what
/// the session is limited by.
pub fn issued_session<'a>(record: &Record<'a>, arena: &'a Bump) -> Option<IssuedSession<'a>> {
    if record.event_source != Some("sts.amazonaws.com") || record.error_code.is_some() {
        return None;
    }
    let event_name = record.event_name.filter(|name| ISSUING.contains(name))?;
    let response = record.response_elements?;
    let credentials = response.get("credentials")?;
    let access_key_id = text(credentials, "accessKeyId").filter(|key| is_session_key(key))?;
    let request = match record.request_parameters {
        Parameters::Object(request) => Some(request),
        // All of its parameters are optional.
        Parameters::Missing | Parameters::Null if event_name == "GetSessionToken" => None,
        _ => return None,
    };
    let asked = |key: &str| request.and_then(|request| request.get(key));
    let asked_text = |key: &str| asked(key).and_then(Json::as_str);
    let (tags, transitive_tag_keys) = tags(request, arena)?;
    let session_policy = asked("policy")
        .filter(|policy| !policy.is_null())
        .map(|policy| policy_text(policy, arena));
    let session_policy_arns = policy_arns(request, arena)?;
    let caller = Caller::of(record, arena);
    let identity = record.user_identity.unwrap_or_default();
    Some(IssuedSession {
        access_key_id,
        event_name,
        caller_principal_arn: match caller.kind {
            CallerKind::Service => identity.invoked_by,
            _ => caller.principal_arn,
        },
        caller_access_key_id: identity.access_key_id.filter(|key| is_whole_key(key)),
        role_arn: asked_text("roleArn"),
        assumed_role_id: response
            .at(&["assumedRoleUser", "assumedRoleId"])
            .and_then(Json::as_str),
        session_name: asked_text("roleSessionName").or(asked_text("name")),
        session_policy,
        session_policy_id: session_policy_id(session_policy, session_policy_arns)
            .map(|id| &*arena.alloc_str(&id)),
        session_policy_arns,
        tags,
        transitive_tag_keys,
        // It persists through a role chain, whose later requests need not name it again.
        source_identity: asked_text("sourceIdentity")
            .or_else(|| text(response, "sourceIdentity"))
            .or(identity.source_identity),
        expires_at: text(credentials, "expiration").and_then(expiration),
    })
}

impl<'a> IssuedSession<'a> {
    /// What a [`crate::Session`] is made of.
    pub fn facts(&self) -> SessionFacts<'a> {
        SessionFacts {
            event_name: Some(self.event_name),
            caller_principal_arn: self.caller_principal_arn,
            caller_access_key_id: self.caller_access_key_id,
            role_arn: self.role_arn,
            session_policy: self.session_policy,
            session_policy_id: self.session_policy_id,
            session_policy_arns: self.session_policy_arns,
            tags: self.tags,
            transitive_tag_keys: self.transitive_tag_keys,
            source_identity: self.source_identity,
        }
    }
}

fn text<'a>(object: Json<'a>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Json::as_str)
}

/// Whether an access key is written out: exports mask them (`ASIA****`, `…_REDACTED`), and many calls
/// then seem to have the same.
fn is_whole_key(key: &str) -> bool {
    /// AWS says 16 to 128 word characters.
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html>
    const LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;
    LENGTHS.contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !key.contains("REDACTED")
}

/// Whether an access key can be a session's: `AKIA` are the long-term ones.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
pub fn is_session_key(key: &str) -> bool {
    is_whole_key(key) && !key.starts_with("AKIA")
}

/// A policy is JSON inside a string; some exports unfold it.
fn policy_text<'a>(policy: Json<'a>, arena: &'a Bump) -> &'a str {
    policy
        .as_str()
        .unwrap_or_else(|| arena.alloc_str(&policy.to_text()))
}

/// `policyArns` is a list of `{"arn": …}`; `taskPolicyArn` (AssumeRoot) is one of these. `None` where
/// it has another form.
fn policy_arns<'a>(request: Option<Json<'a>>, arena: &'a Bump) -> Option<&'a [&'a str]> {
    let mut arns = BumpVec::new_in(arena);
    let arn_of = |value: Json<'a>| value.as_str().or_else(|| text(value, "arn"));
    for key in ["policyArns", "taskPolicyArn"] {
        let Some(value) = shown(request, key) else {
            continue;
        };
        match value.kind() {
            JsonKind::Array => {
                for item in value.items() {
                    arns.push(arn_of(item)?);
                }
            }
            _ => arns.push(arn_of(value)?),
        }
    }
    (arns.len() <= MOST_POLICY_ARNS).then_some(arns.into_bump_slice())
}

fn shown<'a>(request: Option<Json<'a>>, key: &str) -> Option<Json<'a>> {
    request?.get(key).filter(|value| !value.is_null())
}

type Tags<'a> = &'a [(&'a str, &'a str)];

/// The session tags and the keys of the transitive ones. AssumeRole and GetFederationToken record
/// `tags` as a list of `{"key", "value"}`, the other two `principalTags` as an object; what a role
/// chain passed on is in `incomingTransitiveTags`, an object, and stays transitive. `None` where any of
/// them has another form: then nobody knows the tags.
fn tags<'a>(request: Option<Json<'a>>, arena: &'a Bump) -> Option<(Tags<'a>, &'a [&'a str])> {
    let mut tags: BumpVec<'a, (&'a str, &'a str)> = BumpVec::new_in(arena);
    let mut transitive: BumpVec<'a, &'a str> = BumpVec::new_in(arena);
    for key in ["tags", "principalTags", "incomingTransitiveTags"] {
        let Some(value) = shown(request, key) else {
            continue;
        };
        let first = tags.len();
        match value.kind() {
            JsonKind::Array => {
                for item in value.items() {
                    tags.push((text(item, "key")?, text(item, "value").unwrap_or_default()));
                }
            }
            JsonKind::Object => {
                for (name, value) in value.members() {
                    tags.push((name, value.as_str()?));
                }
            }
            _ => return None,
        }
        if key == "incomingTransitiveTags" {
            transitive.extend(tags.iter().skip(first).map(|(name, _)| *name));
        }
    }
    if let Some(keys) = shown(request, "transitiveTagKeys") {
        if keys.kind() != JsonKind::Array {
            return None;
        }
        for key in keys.items() {
            transitive.push(key.as_str()?);
        }
    }
    let is_sts_made = tags.len() <= MOST_TAGS
        && transitive.len() <= MOST_TAGS
        && tags.iter().all(|(key, value)| {
            key.chars().count() <= LONGEST_TAG_KEY && value.chars().count() <= LONGEST_TAG_VALUE
        });
    is_sts_made.then(|| {
        (
            tags.into_bump_slice() as Tags<'a>,
            transitive.into_bump_slice() as &[&str],
        )
    })
}

/// A name for inline and managed policies together: equal policies, equal names, in whatever order the
/// managed ones were passed. It is stored: it never changes.
fn session_policy_id(inline: Option<&str>, arns: &[&str]) -> Option<String> {
    if inline.is_none() && arns.is_empty() {
        return None;
    }
    let mut sorted = arns.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut hash = Sha256::new();
    hash.update([u8::from(inline.is_some())]);
    hash.update(inline.unwrap_or_default());
    for arn in sorted {
        // No policy document and no ARN has a zero byte.
        hash.update([0]);
        hash.update(arn);
    }
    Some(
        hash.finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

/// `Jul 9, 2024, 4:41:37 PM`, without the second comma in older records, or ISO 8601.
fn expiration(text: &str) -> Option<Timestamp> {
    if let Some(instant) = Timestamp::parse(text) {
        return Some(instant);
    }
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text
        .split(|letter: char| letter == ',' || letter.is_whitespace())
        .filter(|word| !word.is_empty());
    let name = words.next()?;
    let month = MONTHS.iter().zip(1..).find(|(month, _)| **month == name)?.1;
    let (day, year) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut time = words.next()?.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let hour = match (words.next()?, hour) {
        ("AM", 12) => 0,
        ("AM", 1..=11) => hour,
        ("PM", 12) => 12,
        ("PM", 1..=11) => hour + 12,
        _ => return None,
    };
    if !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return None;
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    let begin = Day::new(year, month, day)?.begin().micros();
    Some(Timestamp::from_micros(begin + seconds * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_as_cloudtrail_writes_them() {
        let check = |text: &str, expect: Option<&str>| {
            let found = expiration(text).map(Timestamp::to_iso);
            assert_eq!(found.as_deref(), expect, "{text}");
        };
        check("Jul 9, 2024, 4:41:37 PM", Some("2024-07-09T16:41:37Z"));
        check("Oct 2, 2019 11:12:29 PM", Some("2019-10-02T23:12:29Z"));
        check(
            "Oct 2, 2019, 12:00:00\u{202f}AM",
            Some("2019-10-02T00:00:00Z"),
        );
        check("2024-07-09T16:41:37Z", Some("2024-07-09T16:41:37Z"));
        check("Jul 39, 2024, 4:41:37 PM", None);
        check("Jul 9, 2024, 14:41:37 PM", None);
        check("tomorrow", None);
        check("", None);
    }

    #[test]
    fn a_policy_id_names_the_set() {
        let id = |inline, arns: &[&str]| session_policy_id(inline, arns);
        assert_eq!(id(None, &[]), None);
        assert_eq!(id(None, &["a", "b"]), id(None, &["b", "a", "a"]));
        assert_ne!(id(Some("{}"), &[]), id(None, &["{}"]));
        assert_ne!(id(Some(""), &[]), id(Some("{}"), &[]));
        // Stored in tables: `printf '\x01{}' | sha256sum`, cut to 32 digits.
        assert_eq!(id(Some("{}"), &[]).as_deref(), Some(STORED));
    }

    const STORED: &str = "e6a9d8dbd2b2941a6b6c47bf7910f0a6";
}
