//! Permission sets of IAM Identity Center: one proposal for all the roles that a set made.
//!
//! A set's policies are the same in all accounts, but for customer managed policies, which it names and
//! each account has for itself. What is the same in all roles is replaced by one inline policy of the set,
//! with what any of the roles needs: no role is allowed more by it than it is today. What is not the same
//! stays attached. ARNs stand in it as they were used, each with its account: no account is generalised,
//! and an ARN of one account does nothing in another one.
//!
//! <https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetcustom.html>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use retrial_iam::{AttachedPolicy, Principal};

use super::evidence::{PrincipalEvidence, RightsizingEvidence, StatementPlace};
use super::maker::Maker;
use super::own::goes;
use super::proposal::{LeftPolicy, PermissionSet, ProposedFor, RightsizingInputs, WhyLeft};
use super::states::ActionState;
use crate::permissions::PermissionState;

/// How the names of such roles begin.
const PREFIX: &str = "AWSReservedSSO_";

/// The name of the permission set that made a role: `DataScientist` of
/// `AWSReservedSSO_DataScientist_0a1b2c3d4e5f6071`.
pub fn permission_set_of(role: &Principal) -> Option<&str> {
    let name = role.name.strip_prefix(PREFIX)?;
    let (set, suffix) = name.rsplit_once('_')?;
    let is_hex = !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_hexdigit());
    (role.is_of_permission_set() && is_hex && !set.is_empty()).then_some(set)
}

/// The places of a role's policies in the first role's; beyond all of them where that one does not have it.
struct Places(Vec<usize>);

impl<'i, 's> Maker<'i, 's> {
    /// Of the roles of one permission set; `None` where there are none.
    pub(super) fn of_set(
        inputs: &'i RightsizingInputs<'i, 's>,
        (name, roles): (&str, &[&'i Principal]),
    ) -> Option<Self> {
        let first = *roles.first()?;
        let mut maker = Maker::empty(inputs, (first, roles.to_vec()));
        maker.proposed_for = ProposedFor::PermissionSet(PermissionSet {
            name: name.to_owned(),
            roles: roles.iter().map(|role| role.arn.clone()).collect(),
        });
        let common = common(roles);
        let places: Vec<Places> = roles
            .iter()
            .enumerate()
            .map(|(number, role)| Places::of((number, role), &common))
            .collect();
        let mut left = BTreeMap::new();
        for (role, places) in roles.iter().zip(&places) {
            for (attached, place) in role.identity.iter().zip(&places.0) {
                if *place >= FOREIGN {
                    maker.left_places.insert(*place);
                    let why = match attached.policy {
                        Ok(_) => WhyLeft::DiffersByAccount,
                        Err(_) => WhyLeft::NotKnown,
                    };
                    left.insert(attached.id.to_string(), why);
                }
            }
        }
        for (place, attached) in first.identity.iter().enumerate() {
            if !left.contains_key(&*attached.id) {
                maker.policy(place, attached);
            }
        }
        let left = left
            .into_iter()
            .map(|(policy, why)| LeftPolicy { policy, why });
        maker.left.extend(left);
        maker.evidence = Cow::Owned(merged(inputs.evidence, (roles, &places), inputs));
        let early = maker.early_evidence();
        maker.early = early.map_or_else(Cow::default, |early| {
            Cow::Owned(merged(early, (roles, &places), inputs))
        });
        Some(maker)
    }
}

/// Places from here on are of policies that not all of the roles have.
const FOREIGN: usize = 1_000_000;

/// The policies of the first role that all of them have, each with its place.
fn common<'p>(roles: &[&'p Principal]) -> Vec<(usize, &'p AttachedPolicy)> {
    let first = roles.first().map_or(&[][..], |first| &first.identity);
    let in_all = |policy: &AttachedPolicy| {
        roles
            .iter()
            .all(|role| role.identity.iter().any(|one| is_same(one, policy)))
    };
    let places = first.iter().enumerate();
    places.filter(|(_, policy)| in_all(policy)).collect()
}

impl Places {
    fn of((number, role): (usize, &Principal), common: &[(usize, &AttachedPolicy)]) -> Places {
        let places = role.identity.iter().enumerate().map(|(place, attached)| {
            let same = common.iter().find(|(_, one)| is_same(one, attached));
            same.map_or(FOREIGN * (number + 1) + place, |(same, _)| *same)
        });
        Places(places.collect())
    }
}

/// Whether two roles of a set have the same policy there, with the same document.
pub(super) fn is_same(one: &AttachedPolicy, other: &AttachedPolicy) -> bool {
    let is_same_document = match (&one.policy, &other.policy) {
        // Equal documents are compiled once.
        (Ok(one), Ok(other)) => Arc::ptr_eq(one, other),
        // Nobody knows.
        _ => false,
    };
    is_same_document && without_account(&one.id) == without_account(&other.id)
}

/// The name of an inline policy, or a managed policy's ARN up to and after its account.
fn without_account(id: &str) -> (&str, &str) {
    if let Some((_, name)) = id.split_once('#') {
        return ("", name);
    }
    match id.split_once(":policy/") {
        Some((head, name)) if head.ends_with(":aws") => (head, name),
        Some((_, name)) => ("policy", name),
        None => (id, ""),
    }
}

/// What all the roles used, with the statements as places of the first one.
fn merged(
    evidence: &RightsizingEvidence<'_>,
    (roles, places): (&[&Principal], &[Places]),
    inputs: &RightsizingInputs<'_, '_>,
) -> PrincipalEvidence {
    let mut all = PrincipalEvidence::default();
    for (role, places) in roles.iter().zip(places) {
        let place = |(place, index): StatementPlace| {
            let known = places.0.get(place).copied();
            Some((known.unwrap_or(FOREIGN), index))
        };
        if let Some(one) = evidence.of(&role.arn) {
            all.absorb(one, &place, inputs.catalogue);
        }
    }
    all
}

/// One state of an action of several: what keeps the most.
pub(super) fn widest(
    one: ActionState,
    other: ActionState,
    inputs: &RightsizingInputs<'_, '_>,
) -> ActionState {
    let is_used = |state: &ActionState| state.state.0 == PermissionState::Used;
    let stays = |state: PermissionState| !goes(state, inputs);
    let otherwise = match stays(one.otherwise.0) {
        true => one.otherwise,
        false => other.otherwise,
    };
    let state = match (is_used(&one), is_used(&other)) {
        (true, _) => one.state,
        (_, true) => other.state,
        _ => otherwise,
    };
    ActionState { state, otherwise }
}

/// The permission sets of some roles, each with its roles; by partition, home Region and name.
pub fn permission_sets<'p>(
    principals: impl Iterator<Item = &'p Principal>,
) -> Vec<(String, Vec<&'p Principal>)> {
    let mut sets: BTreeMap<(&str, &str, &str), Vec<&Principal>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for role in principals {
        let Some(name) = permission_set_of(role) else {
            continue;
        };
        if seen.insert(&role.arn) {
            let partition = role.arn.split(':').nth(1).unwrap_or_default();
            let key = (partition, &*role.path, name);
            sets.entry(key).or_default().push(role);
        }
    }
    let sets = sets.into_iter();
    sets.map(|((_, _, name), roles)| (name.to_owned(), roles))
        .collect()
}
