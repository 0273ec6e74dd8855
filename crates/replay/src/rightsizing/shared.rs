//! Policies that several have: each is edited once, for all who have it.
//!
//! A customer managed policy that two users or roles have, or a group, and what a group has of its own (its inline
//! policies, and AWS's policies that it has) belong to nobody alone. An edit of one takes out what nothing that
//! any of its holders did needs. It counts on no other policy: what a holder used and this policy allows stays in it,
//! also where another one allows it. So the edits of several policies can be applied together.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{AttachedPolicy, PolicySource, Principal, PrincipalKind, Snapshot};

use super::evidence::{PrincipalEvidence, RightsizingEvidence, StatementPlace};
use super::maker::Maker;
use super::permission_set::permission_set_of;
use super::proposal::{NoProposal, Proposal, ProposedFor, RightsizingInputs};

/// Who has a managed policy, as the snapshot's files and AWS's own counts say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachments {
    /// The users, groups and roles that it is attached to: their ARNs.
    pub shown: BTreeSet<String>,
    /// How many AWS counts: `AttachmentCount`.
    pub counted: u64,
    /// How many have it as their permissions boundary, as AWS counts: `PermissionsBoundaryUsageCount`.
    pub boundaries_counted: u64,
}

/// The policies of a snapshot that are nobody's alone.
///
/// # Memory
/// Their ids, and the ARNs of whom they are attached to.
#[derive(Debug, Default)]
pub struct SharedPolicies<'s>(BTreeMap<SharedKey, SharedPolicy<'s>>);

/// A policy's id; of AWS's own policies the group's ARN, too: each group has its own copy.
type SharedKey = (String, String);

/// A policy that is nobody's alone.
#[derive(Debug)]
pub struct SharedPolicy<'s> {
    /// What it is.
    named: SharedSubject,
    /// The users and roles who have it, by whatever way.
    holders: Vec<&'s Principal>,
    /// The users, roles and permission sets whose boundary it is.
    boundary_of: BTreeSet<String>,
    /// How many of AWS's count have it as a boundary that the snapshot does not show.
    boundaries_not_shown: u64,
    /// How many attachments AWS counts, where the snapshot shows fewer.
    counted: Option<u64>,
    /// Whether nobody knows who is in a group that has it.
    members_not_known: bool,
}

/// The policy that a proposal edits for all who have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSubject {
    /// Its id: the managed policy's ARN, or `<group ARN>#<name>` of an inline one.
    pub policy: String,
    /// The group whose inline policy it is, or that has a policy of AWS; `None`: a customer managed policy.
    pub group: Option<String>,
    /// The users and roles who have it: their ARNs.
    pub holders: Vec<String>,
    /// The users, groups and roles that it is attached to: their ARNs.
    pub attached_to: Vec<String>,
}

impl SharedSubject {
    /// What tells it from others: `arn:aws:iam::111122223333:policy/Team`, and `… of <group ARN>` for AWS's.
    pub fn title(&self) -> String {
        match &self.group {
            Some(group) if !self.policy.contains('#') => format!("{} of {group}", self.policy),
            _ => self.policy.clone(),
        }
    }

    /// Its name, or the group's.
    pub(super) fn name(&self) -> String {
        let arn = self.group.as_deref().unwrap_or(&self.policy);
        arn.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Its account, or the group's.
    pub(super) fn account(&self) -> String {
        let arn = self.group.as_deref().unwrap_or(&self.policy);
        account_of(arn).to_owned()
    }
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// Whether it is one of AWS's own policies.
pub(super) fn is_of_aws(policy: &str) -> bool {
    policy.contains(":iam::aws:")
}

impl<'s> SharedPolicies<'s> {
    /// Those of a snapshot, with what its files say of managed policies by their ARNs.
    pub fn of(snapshot: &'s Snapshot, attachments: &BTreeMap<String, Attachments>) -> Self {
        let mut all: BTreeMap<SharedKey, SharedPolicy<'s>> = BTreeMap::new();
        let mut boundaries: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let principals = snapshot.principals();
        for principal in principals.filter(|one| one.kind != PrincipalKind::Root) {
            if let Some(boundary) = &principal.boundary {
                let of = boundaries.entry(&*boundary.id).or_default();
                of.insert(bounded(principal));
            }
            for attached in &principal.identity {
                if let Some(key) = key_of(attached) {
                    let known = all.entry(key);
                    known
                        .or_insert_with(|| SharedPolicy::new(attached))
                        .held(principal, attached, snapshot);
                }
            }
        }
        for policy in all.values_mut() {
            policy.counted_by_aws(attachments);
            if let Some(of) = boundaries.get(&*policy.named.policy) {
                policy.boundary_of.clone_from(of);
            }
        }
        all.retain(|_, policy| policy.is_shared());
        SharedPolicies(all)
    }

    /// All of them, by their ids.
    pub fn iter(&self) -> impl Iterator<Item = &SharedPolicy<'s>> {
        self.0.values()
    }

    /// Whether a policy of a user or role is one of them.
    pub(super) fn has(&self, attached: &AttachedPolicy) -> bool {
        key_of(attached).is_some_and(|key| self.0.contains_key(&key))
    }
}

/// The roles of a permission set have the set's boundary.
fn bounded(principal: &Principal) -> String {
    match permission_set_of(principal) {
        Some(set) => format!("permission set {set}"),
        None => principal.arn.clone(),
    }
}

/// `None` where it is the principal's alone, or AWS's.
fn key_of(attached: &AttachedPolicy) -> Option<SharedKey> {
    let id = &*attached.id;
    let own = || Some((id.to_owned(), String::new()));
    match &attached.source {
        PolicySource::Managed if !is_of_aws(id) => own(),
        PolicySource::Group(group) if is_of_aws(id) => Some((id.to_owned(), group.to_string())),
        // A group that the snapshot does not have stands for policies that nobody knows.
        PolicySource::Group(group) if **group != *id => own(),
        _ => None,
    }
}

impl<'s> SharedPolicy<'s> {
    fn new(attached: &AttachedPolicy) -> Self {
        let policy = attached.id.to_string();
        let group = match &attached.source {
            PolicySource::Group(group) if is_of_aws(&policy) || policy.contains('#') => {
                Some(group.to_string())
            }
            _ => None,
        };
        SharedPolicy {
            named: SharedSubject {
                policy,
                group,
                holders: Vec::new(),
                attached_to: Vec::new(),
            },
            holders: Vec::new(),
            boundary_of: BTreeSet::new(),
            boundaries_not_shown: 0,
            counted: None,
            members_not_known: false,
        }
    }

    fn held(&mut self, principal: &'s Principal, attached: &AttachedPolicy, snapshot: &Snapshot) {
        let arn = &principal.arn;
        let to = match &attached.source {
            PolicySource::Group(group) => {
                self.members_not_known |= !snapshot.has_account(account_of(group));
                group.to_string()
            }
            _ => arn.clone(),
        };
        if !self.named.attached_to.contains(&to) {
            self.named.attached_to.push(to);
        }
        // They come one after the other.
        if self.named.holders.last() != Some(arn) {
            self.named.holders.push(arn.clone());
            self.holders.push(principal);
        }
    }

    fn counted_by_aws(&mut self, attachments: &BTreeMap<String, Attachments>) {
        let subject = &mut self.named;
        if subject.group.is_none()
            && let Some(told) = attachments.get(&subject.policy)
        {
            subject.attached_to.extend(told.shown.iter().cloned());
            subject.attached_to.sort_unstable();
            subject.attached_to.dedup();
            let is_more = told.counted > subject.attached_to.len() as u64;
            self.counted = is_more.then_some(told.counted);
            self.boundaries_not_shown = told.boundaries_counted;
        }
        subject.attached_to.sort_unstable();
    }

    fn is_shared(&mut self) -> bool {
        let shown = self.boundary_of.len() as u64;
        self.boundaries_not_shown = self.boundaries_not_shown.saturating_sub(shown);
        let subject = &self.named;
        let has_group = subject.attached_to.iter().any(|arn| is_group(arn));
        has_group || subject.holders.len() > 1 || self.counted.is_some() || self.is_boundary()
    }

    fn is_boundary(&self) -> bool {
        !self.boundary_of.is_empty() || self.boundaries_not_shown > 0
    }

    /// What it is, and who has it.
    pub fn subject(&self) -> &SharedSubject {
        &self.named
    }

    /// The users and roles who have it.
    pub fn holders(&self) -> impl Iterator<Item = &str> {
        self.named.holders.iter().map(String::as_str)
    }

    /// Why it is not to be edited, whatever was used.
    fn obstacle(&self, chosen: Option<&BTreeSet<String>>) -> Option<NoProposal> {
        if self.is_boundary() {
            return Some(NoProposal::IsBoundary {
                of: self.boundary_of.iter().cloned().collect(),
                not_shown: self.boundaries_not_shown,
            });
        }
        if let Some(counted) = self.counted {
            return Some(NoProposal::HoldersNotShown {
                shown: self.named.attached_to.len() as u64,
                counted,
            });
        }
        if self.members_not_known {
            return Some(NoProposal::MembersNotKnown);
        }
        let others = self
            .holders()
            .filter(|arn| chosen.is_some_and(|chosen| !chosen.contains(*arn)));
        let others: Vec<String> = others.map(str::to_owned).collect();
        (!others.is_empty()).then_some(NoProposal::HoldersNotChosen(others))
    }
}

fn is_group(arn: &str) -> bool {
    let name = arn.splitn(6, ':').nth(5);
    name.is_some_and(|name| name.starts_with("group/"))
}

/// Whether a user, role or group is a role of a permission set.
fn is_of_set(arn: &str) -> bool {
    arn.contains(":role/aws-reserved/")
}

impl<'i, 's> Maker<'i, 's> {
    /// Of a policy that several have; `None` where nobody has it.
    fn of_shared(
        inputs: &'i RightsizingInputs<'i, 's>,
        shared: &'i SharedPolicy<'_>,
    ) -> Option<Self> {
        let first = *shared.holders.first()?;
        let mut maker = Maker::empty(inputs, (first, shared.holders.clone()));
        maker.proposed_for = ProposedFor::SharedPolicy(shared.named.clone());
        let id = &shared.named.policy;
        let mut own = first.identity.iter().enumerate();
        let (place, attached) = own.find(|(_, attached)| *attached.id == **id)?;
        maker.policy(place, attached);
        let mut all = PrincipalEvidence::default();
        for holder in &shared.holders {
            absorb(&mut all, (holder, id), (place, inputs.evidence), inputs);
        }
        maker.evidence = std::borrow::Cow::Owned(all);
        Some(maker)
    }
}

/// Takes in what one holder used of the policy, at its place in the first one's.
fn absorb(
    all: &mut PrincipalEvidence,
    (holder, policy): (&Principal, &str),
    (to, evidence): (usize, &RightsizingEvidence<'_>),
    inputs: &RightsizingInputs<'_, '_>,
) {
    let place = |(place, index): StatementPlace| {
        let attached = holder.identity.get(place)?;
        (*attached.id == *policy).then_some((to, index))
    };
    if let Some(one) = evidence.of(&holder.arn) {
        all.absorb(one, &place, inputs.catalogue);
    }
}

/// Makes a proposal for a policy that several have: an edit of it for all of them; only where all of them are
/// chosen.
///
/// # Errors
/// Where there is none to make.
pub fn propose_shared(
    inputs: &RightsizingInputs<'_, '_>,
    shared: &SharedPolicy<'_>,
    chosen: Option<&BTreeSet<String>>,
) -> Result<Proposal, NoProposal> {
    if let Some(obstacle) = shared.obstacle(chosen) {
        return Err(obstacle);
    }
    let maker = Maker::of_shared(inputs, shared).ok_or(NoProposal::NoPolicies)?;
    if maker.replaced.is_empty() {
        return Err(NoProposal::Unreadable);
    }
    let proposal = maker.edit()?;
    let gone = proposal.documents.iter();
    let is_gone = gone
        .filter_map(|document| document.edit.as_ref())
        .any(|edit| edit.is_gone());
    let attached_to = &shared.named.attached_to;
    match is_gone && attached_to.iter().any(|arn| is_of_set(arn)) {
        // Only the set can detach it from its roles.
        true => Err(NoProposal::AttachedBySet),
        false => Ok(proposal),
    }
}
