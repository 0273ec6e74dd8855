//! Proposals with the names of their policies and of their files.

use std::collections::BTreeSet;

use retrial_iam::{PrincipalKind, Snapshot};
use retrial_replay::Proposal;

/// A proposal with names.
pub(crate) struct Named<'a> {
    pub(crate) proposal: &'a Proposal,
    /// The new policies' names, one for each document.
    pub(crate) policies: Vec<String>,
    /// Its folder: `111122223333/role-build`.
    pub(crate) folder: String,
}

impl Named<'_> {
    /// `arn:aws:iam::111122223333:policy/build-rightsized-1`
    pub(crate) fn policy_arn(&self, name: &str) -> String {
        let partition = self.proposal.principal_arn.split(':').nth(1);
        format!(
            "arn:{}:iam::{}:policy/{name}",
            partition.unwrap_or("aws"),
            self.proposal.account
        )
    }

    /// `user` or `role`
    pub(crate) fn kind(&self) -> &'static str {
        kind(self.proposal)
    }
}

fn kind(proposal: &Proposal) -> &'static str {
    match proposal.kind {
        PrincipalKind::User => "user",
        PrincipalKind::Role | PrincipalKind::Root => "role",
    }
}

/// Names all of them: no policy has the name of another one, and no folder that of another.
pub(crate) fn all<'a>(
    proposals: impl Iterator<Item = &'a Proposal>,
    snapshot: &Snapshot,
) -> Vec<Named<'a>> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut named = Vec::new();
    for proposal in proposals {
        let base = safe(&proposal.name);
        // File systems and IAM tell no names apart by case.
        let folder = free(
            |suffix| {
                format!(
                    "{}/{}-{base}{suffix}",
                    safe(&proposal.account),
                    kind(proposal)
                )
            },
            |name| taken.insert(format!("folder {}", name.to_lowercase())),
        );
        let mut this = Named {
            proposal,
            policies: Vec::new(),
            folder,
        };
        for number in 1..=proposal.documents.len() {
            let name = free(
                |suffix| format!("{base}-rightsized{suffix}-{number}"),
                |name| {
                    let arn = this.policy_arn(name);
                    snapshot.managed_policy(&arn).is_none()
                        && snapshot.policy_arn(&proposal.account, name).is_none()
                        && taken.insert(arn.to_lowercase())
                },
            );
            this.policies.push(name);
        }
        named.push(this);
    }
    named
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
