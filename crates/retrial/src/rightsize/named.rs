//! Proposals with the names of their policies and of their files, and where each document goes.

use std::collections::BTreeSet;

use retrial_iam::{PrincipalKind, Snapshot};
use retrial_replay::{
    EditPlace, Proposal, ProposedDocument, ProposedFor, ProposedStatement, SharedSubject,
};
use serde_json::Value;

use super::current::{Current, CurrentManaged, CurrentPolicies};

/// The inline policy that IAM Identity Center makes in the roles of a permission set.
pub(crate) const INLINE_OF_SET: &str = "AwsSSOInlinePolicy";

/// A proposal with names.
pub(crate) struct Named<'a> {
    pub(crate) proposal: &'a Proposal,
    /// Its documents, each with where it goes.
    pub(crate) documents: Vec<NamedDocument<'a>>,
    /// Its folder: `111122223333/role-build`.
    pub(crate) folder: String,
}

/// A document of a proposal.
pub(crate) struct NamedDocument<'a> {
    pub(crate) statements: &'a [ProposedStatement],
    pub(crate) to: To<'a>,
    /// The document's file, and its text; `None` where nothing is left of the one that is edited.
    pub(crate) written: Option<(String, String)>,
}

/// Where a document goes.
pub(crate) enum To<'a> {
    /// Into a new managed policy, in the place of those that the proposal replaces, or of AWS's that it is an
    /// edit of.
    Policy { name: String, arn: String },
    /// Into the inline policy of this name.
    Inline(&'a str),
    /// Into a new version of this policy.
    Version(&'a str, &'a CurrentManaged),
    /// Into the permission set.
    Set,
}

impl NamedDocument<'_> {
    /// The document as a value.
    pub(crate) fn value(&self) -> Option<Value> {
        let (_, text) = self.written.as_ref()?;
        serde_json::from_str(text).ok()
    }

    /// The name that is short and says where it goes.
    pub(crate) fn name(&self) -> &str {
        match &self.to {
            To::Policy { name, .. } => name,
            To::Inline(name) => name,
            To::Version(arn, _) => last(arn),
            To::Set => INLINE_OF_SET,
        }
    }
}

/// What stands behind the last `/`.
pub(crate) fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

impl Named<'_> {
    /// `user`, `role` or `group`: who has the policies; `policy` where it is a managed one that several have.
    pub(crate) fn kind(&self) -> &'static str {
        kind(self.proposal)
    }

    /// What the user, role or group has today; of a managed policy that several have, nothing is of one of them.
    pub(crate) fn own<'c>(&self, current: &'c Current) -> Option<&'c CurrentPolicies> {
        const NOTHING: &CurrentPolicies = &CurrentPolicies {
            inline: Vec::new(),
            attached: Vec::new(),
        };
        match self.proposal.shared() {
            None => current.of(&self.proposal.principal_arn),
            Some(SharedSubject {
                group: Some(group), ..
            }) => current.of(group),
            Some(shared) => current.managed(&shared.policy).map(|_| NOTHING),
        }
    }

    /// The managed policy that several have and of which nothing is left, with whom it is attached to.
    pub(crate) fn detached_from_all(&self) -> Option<(&str, &[String])> {
        let shared = self.proposal.shared()?;
        let is_gone = self.documents.iter().all(|one| one.written.is_none());
        let is_managed = shared.group.is_none();
        (is_gone && is_managed).then_some((&*shared.policy, &*shared.attached_to))
    }

    /// Whether this policy has a new version.
    pub(crate) fn has_version_of(&self, arn: &str) -> bool {
        let is_it = |document: &NamedDocument<'_>| {
            matches!(document.to, To::Version(of, _) if of == arn) && document.written.is_some()
        };
        self.documents.iter().any(is_it)
    }

    /// Whether it changes a policy that stays where it is.
    pub(crate) fn makes_versions(&self) -> bool {
        let is_version = |document: &NamedDocument<'_>| {
            matches!(document.to, To::Version(..)) && document.written.is_some()
        };
        self.documents.iter().any(is_version)
    }
}

fn kind(proposal: &Proposal) -> &'static str {
    match (&proposal.proposed_for, proposal.kind) {
        (ProposedFor::SharedPolicy(shared), _) => match shared.group {
            Some(_) => "group",
            None => "policy",
        },
        (_, PrincipalKind::User) => "user",
        (_, PrincipalKind::Role | PrincipalKind::Root) => "role",
    }
}

/// `user`, `group` or `role` of an ARN, and the name.
pub(crate) fn entity(arn: &str) -> (&'static str, &str) {
    let kind = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let kind = match kind.split('/').next() {
        Some("user") => "user",
        Some("group") => "group",
        _ => "role",
    };
    (kind, last(arn))
}

/// What a proposal's folder is called after.
fn base(proposal: &Proposal) -> String {
    match proposal.shared() {
        // A group has several policies, each with a proposal of its own.
        Some(shared) if shared.group.is_some() => {
            let policy = shared.policy.split_once('#');
            let policy = policy.map_or_else(|| last(&shared.policy), |(_, name)| name);
            safe(&format!("{}-{policy}", proposal.name))
        }
        _ => safe(&proposal.name),
    }
}

/// `arn:aws:iam::111122223333:policy/build-rightsized-1`
fn policy_arn(proposal: &Proposal, name: &str) -> String {
    let partition = proposal.principal_arn.split(':').nth(1);
    let partition = partition.unwrap_or("aws");
    format!("arn:{partition}:iam::{}:policy/{name}", proposal.account)
}

/// Names all of them: no policy has the name of another one, and no folder that of another.
pub(crate) fn all<'a>(
    proposals: impl Iterator<Item = &'a Proposal>,
    (snapshot, current): (&Snapshot, &'a Current),
) -> Vec<Named<'a>> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut named = Vec::new();
    for proposal in proposals {
        let base = base(proposal);
        let of = match proposal.set() {
            Some(_) => "permission-sets/set".to_owned(),
            None => format!("{}/{}", safe(&proposal.account), kind(proposal)),
        };
        // File systems and IAM tell no names apart by case.
        let folder = free(
            |suffix| format!("{of}-{base}{suffix}"),
            |name| taken.insert(format!("folder {}", name.to_lowercase())),
        );
        let mut is_free = |name: &str| {
            let arn = policy_arn(proposal, name);
            snapshot.managed_policy(&arn).is_none()
                && snapshot.policy_arn(&proposal.account, name).is_none()
                && taken.insert(arn.to_lowercase())
        };
        let mut documents = Vec::new();
        for document in &proposal.documents {
            let number = documents.len() + 1;
            let mut new = || {
                let name = free(
                    |suffix| format!("{base}-rightsized{suffix}-{number}"),
                    &mut is_free,
                );
                let arn = policy_arn(proposal, &name);
                To::Policy { name, arn }
            };
            let to = match (proposal.set(), &document.edit) {
                (Some(_), _) => To::Set,
                (None, None) => new(),
                (None, Some(edit)) => match (edit.place, current.managed(&edit.policy)) {
                    (EditPlace::Inline, _) => {
                        let name = edit.policy.split_once('#').map(|(_, name)| name);
                        To::Inline(name.unwrap_or_default())
                    }
                    (EditPlace::Version, Some(managed)) => To::Version(&edit.policy, managed),
                    _ => new(),
                },
            };
            let file = format!("policy-{number}.json");
            documents.push(NamedDocument {
                statements: &document.statements,
                to,
                written: text(document, current).map(|text| (file, text)),
            });
        }
        named.push(Named {
            proposal,
            documents,
            folder,
        });
    }
    named
}

/// The text of a document's file.
fn text(document: &ProposedDocument, current: &Current) -> Option<String> {
    let Some(edit) = &document.edit else {
        return Some(document.pretty());
    };
    if edit.is_gone() {
        return None;
    }
    let today = current.document(&edit.policy);
    let edited = today.and_then(|today| edit.applied_to(&today));
    // The files have all documents that the snapshot has; what it says of one is the same otherwise.
    Some(edited.map_or_else(|| document.pretty(), |edited| format!("{edited:#}\n")))
}

/// The first name that is free.
fn free(name: impl Fn(&str) -> String, mut is_free: impl FnMut(&str) -> bool) -> String {
    let first = name("");
    if is_free(&first) {
        return first;
    }
    let mut number = 2_u64;
    loop {
        let next = name(&format!("-{number}"));
        if is_free(&next) {
            return next;
        }
        number += 1;
    }
}

/// A name of the characters that IAM's names have, and short enough with what is added to it.
///
/// A snapshot that somebody made by hand can name a principal `../x`.
fn safe(name: &str) -> String {
    /// IAM's longest names have 64 characters for roles and users, and 128 for policies.
    const LONGEST: usize = 96;
    let mut safe: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '=' | ',' | '.' | '@' | '_' | '-' => {
                character
            }
            _ => '_',
        })
        .take(LONGEST)
        .collect();
    if safe.is_empty() || safe.starts_with('.') {
        safe.insert(0, '_');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn names_of_others_are_no_paths() {
        assert_eq!(safe("ops+deploy=a,b.c@d_e-f"), "ops+deploy=a,b.c@d_e-f");
        assert_eq!(safe("../../etc/passwd"), "_.._.._etc_passwd");
        assert_eq!(safe("a\u{202e}b\nc"), "a_b_c");
        assert_eq!(safe(""), "_");
        assert_eq!(safe(&"x".repeat(500)).len(), 96);
    }
}
