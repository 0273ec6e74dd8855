//! KMS grants: a third source of permission for a key, beside its policy and identity policies.
//!
//! A grant allows a principal some operations on one key, perhaps only with an encryption context; it
//! never denies. <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::caller::CallerIdentity;
use crate::context::{KeyState, Keys, Values};
use crate::pattern::ActionName;
use crate::policy::{PrincipalName, PrincipalTruth};
use crate::truth::Truth;

/// One grant, as `aws kms list-grants` prints it, made ready for requests.
#[derive(Debug)]
pub(crate) struct KmsGrant {
    pub(crate) id: Box<str>,
    /// `None` where it was not told, as each of the following.
    grantee: Option<PrincipalName>,
    retiring: Option<PrincipalName>,
    /// As AWS spells them.
    operations: Option<Box<[Box<str>]>>,
    /// Condition keys `kms:EncryptionContext:<name>` with their values.
    encryption_context: Constraint,
}

/// What a grant asks of the encryption context.
#[derive(Debug)]
enum Constraint {
    None,
    /// These pairs and no others.
    Equals(Box<[(Box<str>, Box<str>)]>),
    /// These pairs, and perhaps others.
    Subset(Box<[(Box<str>, Box<str>)]>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    grant_id: String,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    operations: Option<Vec<String>>,
    constraints: Option<Constraints>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Constraints {
    encryption_context_equals: Option<BTreeMap<String, String>>,
    encryption_context_subset: Option<BTreeMap<String, String>>,
}

const CONTEXT_KEY: &str = "kms:EncryptionContext:";

/// The operations that a grant's constraints do not bind: they take no encryption context.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>
const WITHOUT_CONTEXT: [&str; 2] = ["describekey", "retiregrant"];

impl KmsGrant {
    /// Reads one entry of `aws kms list-grants`.
    pub(crate) fn parse(json: &str) -> Result<KmsGrant, serde_json::Error> {
        let entry: Entry = serde_json::from_str(json)?;
        let pairs = |map: BTreeMap<String, String>| {
            map.into_iter()
                .map(|(name, value)| (format!("{CONTEXT_KEY}{name}").into(), value.into()))
                .collect()
        };
        let encryption_context = match entry.constraints {
            Some(Constraints {
                encryption_context_equals: Some(map),
                ..
            }) => Constraint::Equals(pairs(map)),
            Some(Constraints {
                encryption_context_subset: Some(map),
                ..
            }) => Constraint::Subset(pairs(map)),
            _ => Constraint::None,
        };
        Ok(KmsGrant {
            id: entry.grant_id.into(),
            grantee: entry
                .grantee_principal
                .as_deref()
                .map(PrincipalName::of_grant),
            retiring: entry
                .retiring_principal
                .as_deref()
                .map(PrincipalName::of_grant),
            operations: entry
                .operations
                .map(|names| names.into_iter().map(Box::from).collect()),
            encryption_context,
        })
    }

    /// A grant of which nothing is known but that it is there.
    pub(crate) fn unreadable() -> KmsGrant {
        KmsGrant {
            id: "".into(),
            grantee: None,
            retiring: None,
            operations: None,
            encryption_context: Constraint::None,
        }
    }

    /// Whether the grant allows `action`, and how far it names the caller.
    pub(crate) fn allows(
        &self,
        caller: &CallerIdentity<'_>,
        action: ActionName<'_>,
        keys: &Keys<'_>,
    ) -> PrincipalTruth {
        let grantee = named(self.grantee.as_ref(), caller);
        let mut truth = grantee.and(self.lists(action.name));
        if WITHOUT_CONTEXT.contains(&action.name) {
            // The retiring principal may retire the grant whatever its operations are.
            // <https://docs.aws.amazon.com/kms/latest/developerguide/grant-delete.html>
            if action.name == "retiregrant" && self.retiring.is_some() {
                truth = truth.or(named(self.retiring.as_ref(), caller));
            }
            return truth;
        }
        truth.and(self.encryption_context.holds(action, keys))
    }

    fn lists(&self, name: &str) -> Truth {
        self.operations.as_ref().map_or(Truth::Unknown, |names| {
            Truth::from(names.iter().any(|listed| listed.eq_ignore_ascii_case(name)))
        })
    }

    /// The operations as AWS spells them.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().flatten().map(|name| &**name)
    }

    /// The values that its constraints ask of a condition key.
    pub(crate) fn wanted(&self, key: &str) -> impl Iterator<Item = &str> {
        let pairs = match &self.encryption_context {
            Constraint::Equals(pairs) | Constraint::Subset(pairs) => pairs.as_ref(),
            Constraint::None => &[],
        };
        pairs
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(key))
            .map(|(_, value)| &**value)
    }

    /// Calls `push` with the condition keys that leave the grant open.
    pub(crate) fn unknown_keys<'g>(&'g self, keys: &Keys<'_>, push: &mut impl FnMut(&'g str)) {
        let (Constraint::Equals(pairs) | Constraint::Subset(pairs)) = &self.encryption_context
        else {
            return;
        };
        for (key, _) in pairs {
            if keys.state(key) == KeyState::Unknown {
                push(key);
            }
        }
    }
}

fn named(name: Option<&PrincipalName>, caller: &CallerIdentity<'_>) -> PrincipalTruth {
    name.map_or(
        PrincipalTruth {
            caller: Truth::Unknown,
            principal: Truth::Unknown,
            account: Truth::Unknown,
        },
        |name| name.names(caller),
    )
}

impl Constraint {
    fn holds(&self, action: ActionName<'_>, keys: &Keys<'_>) -> Truth {
        let (pairs, exactly) = match self {
            Self::None => return Truth::True,
            Self::Equals(pairs) => (pairs, true),
            Self::Subset(pairs) => (pairs, false),
        };
        if action.name == "creategrant" {
            // It depends on the constraints of the new grant.
            return Truth::Unknown;
        }
        let mut truth = Truth::True;
        for (key, wanted) in pairs {
            truth = truth.and(match keys.state(key) {
                KeyState::Known(Values::One(found)) => Truth::from(found == wanted.as_ref()),
                KeyState::Known(Values::Many(_)) | KeyState::Absent => Truth::False,
                KeyState::Unknown => Truth::Unknown,
            });
        }
        if exactly {
            truth.and(has_no_others(pairs, keys))
        } else {
            truth
        }
    }
}

/// Whether the request's encryption context has no pair but these.
fn has_no_others(pairs: &[(Box<str>, Box<str>)], keys: &Keys<'_>) -> Truth {
    let mut truth = Truth::True;
    for (key, state) in keys.context.iter() {
        let is_pair = key
            .get(..CONTEXT_KEY.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(CONTEXT_KEY));
        if !is_pair || pairs.iter().any(|(own, _)| own.eq_ignore_ascii_case(key)) {
            continue;
        }
        truth = truth.and(match state {
            KeyState::Known(_) => Truth::False,
            KeyState::Absent => Truth::True,
            KeyState::Unknown => Truth::Unknown,
        });
    }
    // Pairs that nobody named stand for the whole family.
    match keys.state("kms:EncryptionContext:*") {
        KeyState::Unknown => truth.and(Truth::Unknown),
        KeyState::Known(_) | KeyState::Absent => truth,
    }
}
