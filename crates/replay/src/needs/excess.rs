//! What a role is granted that may be in excess.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{Effect, GrantedResources, Layer, Principal, StatementRef};

use super::AskedNeed;
use crate::mapping::Mapping;

/// Grants of a role that are looked at, at most: so many that no policies within IAM's quotas come to
/// them, so few that a made-up snapshot fills no memory.
const MAX_CANDIDATES: usize = 20_000;

/// What a role's own policies grant of the actions that needs know, by action and resource.
#[derive(Debug, Default)]
pub(super) struct Candidates<'s> {
    of_action: BTreeMap<&'s str, BTreeMap<&'s str, Granted<'s>>>,
}

/// By what something is granted, and whether that names no other resource.
type Granted<'s> = (StatementRef<'s>, bool);

/// Something that is granted.
pub(super) struct Candidate<'s> {
    pub(super) action: &'s str,
    pub(super) resource: &'s str,
    pub(super) granted_by: StatementRef<'s>,
    pub(super) alone: bool,
}

impl<'s> Candidates<'s> {
    /// All that a role is granted; nothing where there is no role.
    pub(super) fn of_role(role: Option<&'s Principal>, mapping: &'s Mapping) -> Self {
        let mut candidates = Self::default();
        let mut room = MAX_CANDIDATES;
        for attached in role.iter().flat_map(|role| &role.identity) {
            let Ok(policy) = &attached.policy else {
                continue;
            };
            for action in mapping.needed_actions() {
                let action = &**action;
                if action.ends_with('*') {
                    continue;
                }
                for grant in policy.grants(action) {
                    let granted_by = StatementRef {
                        layer: Layer::Identity,
                        policy: &attached.id,
                        index: grant.index,
                        sid: grant.sid,
                        effect: Effect::Allow,
                    };
                    let resources: Vec<&'s str> = match grant.resources {
                        GrantedResources::These(these) => these.iter().map(|one| &**one).collect(),
                        GrantedResources::AllBut(_) => vec!["*"],
                    };
                    let alone = resources.len() == 1;
                    for resource in resources.into_iter().take(room) {
                        let of_action = candidates.of_action.entry(action).or_default();
                        of_action.entry(resource).or_insert((granted_by, alone));
                        room -= 1;
                    }
                }
            }
        }
        candidates
    }

    /// Takes out what a need covers.
    pub(super) fn strike(&mut self, need: &AskedNeed<'_>) {
        let covers = |resource: &str| covers(need.resource_arn, resource);
        if let Some(of_action) = self.of_action.get_mut(need.action) {
            of_action.retain(|resource, _| {
                !covers(resource) && !need.spellings.iter().any(|one| self::covers(one, resource))
            });
        } else if let Some(service) = need.action.strip_suffix('*') {
            for (action, of_action) in &mut self.of_action {
                if action.starts_with(service) {
                    of_action.retain(|resource, _| !covers(resource));
                }
            }
        }
    }

    /// What is left of these services.
    pub(super) fn left(self, services: &BTreeSet<&'s str>) -> impl Iterator<Item = Candidate<'s>> {
        let of_services = self.of_action.into_iter().filter(|(action, _)| {
            action
                .split_once(':')
                .is_some_and(|(service, _)| services.contains(service))
        });
        of_services.flat_map(|(action, of_action)| {
            of_action
                .into_iter()
                .map(move |(resource, (granted_by, alone))| Candidate {
                    action,
                    resource,
                    granted_by,
                    alone,
                })
        })
    }
}

/// Whether all that `granted` stands for is among what `needed` stands for. Each `*` in `needed` is
/// any text; what wildcards of `granted` stand for, only such a `*` is sure to cover.
fn covers(needed: &str, granted: &str) -> bool {
    let (needed, granted) = (needed.as_bytes(), granted.as_bytes());
    let (mut n, mut g) = (0, 0);
    // Where to go on when a `*` has to take in one character more.
    let mut back: Option<(usize, usize)> = None;
    while let Some(byte) = granted.get(g) {
        match needed.get(n) {
            Some(b'*') => {
                back = Some((n + 1, g));
                n += 1;
            }
            Some(same) if same == byte && !matches!(byte, b'*' | b'?' | b'$') => {
                n += 1;
                g += 1;
            }
            _ => match &mut back {
                Some((after, taken)) => {
                    *taken += 1;
                    (n, g) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    needed
        .get(n..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// The form of all that a policy's resource stands for, with `*` for variables.
pub(super) fn form(resource: &str) -> String {
    let mut form = String::with_capacity(resource.len());
    let mut rest = resource;
    while let Some((before, after)) = rest.split_once("${") {
        form.push_str(before);
        form.push('*');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    form.push_str(rest);
    form.replace('?', "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(needed: &str, granted: &str, expect: bool) {
        assert_eq!(covers(needed, granted), expect, "{needed} covers {granted}");
    }

    #[test]
    fn a_need_covers_what_is_within_it() {
        check("arn:aws:s3:::b/in*", "arn:aws:s3:::b/in/*", true);
        check("arn:aws:s3:::b/in*", "arn:aws:s3:::b/in*", true);
        check("arn:aws:s3:::b/in*", "arn:aws:s3:::b/in/a.csv", true);
        check("arn:aws:s3:::b/in*", "arn:aws:s3:::b/i*", false);
        check("arn:aws:s3:::b/in*", "arn:aws:s3:::*", false);
        check("arn:aws:s3:::b/in*", "*", false);
        check("arn:aws:s3:::b/k", "arn:aws:s3:::b/k", true);
        check("arn:aws:s3:::b/k", "arn:aws:s3:::b/?", false);
        check("arn:aws:s3:::*/*", "arn:aws:s3:::b/*", true);
        check("*", "*", true);
        check("*", "arn:aws:s3:::b/${aws:username}/*", true);
        check("a*b*c", "a1b2b3c", true);
        check("a*b*c", "a1b2b3", false);
        check("a", "", false);
        check("", "", true);
    }

    #[test]
    fn variables_stand_for_any_text() {
        assert_eq!(
            form("arn:aws:s3:::b/${aws:username}/?"),
            "arn:aws:s3:::b/*/*"
        );
        assert_eq!(form("arn:aws:s3:::b/${open"), "arn:aws:s3:::b/*");
    }
}
