//! What is proposed for one user, role or permission set.

use retrial_iam::{Catalogue, Principal, PrincipalKind};

use super::document::ProposedDocument;
use super::evidence::RightsizingEvidence;
use super::maker::Maker;
use super::mine::MineConditions;
use super::shared::{SharedPolicies, SharedSubject};
use super::statement::Origin;
use super::states::{PermissionStates, State};

/// What a proposal is made of.
#[derive(Clone, Copy)]
pub struct RightsizingInputs<'i, 's> {
    /// The actions.
    pub catalogue: &'s Catalogue,
    /// What was used.
    pub evidence: &'i RightsizingEvidence<'s>,
    /// What is to be said of the rest.
    pub states: &'i PermissionStates,
    /// What nobody could have seen goes, too.
    pub drop_unobservable: bool,
    /// New policies, or the present ones edited.
    pub mode: RightsizingMode<'i>,
    /// Whether conditions are looked for that all uses meet.
    pub mine: MineConditions<'i, 's>,
}

/// What takes the place of the present policies.
#[derive(Debug, Clone, Copy)]
pub enum RightsizingMode<'i> {
    /// New policies.
    New,
    /// The present documents, with less in them; those that are nobody's alone once, for all who have them.
    Edit(&'i SharedPolicies<'i>),
}

/// New policies, or edits, in the place of what a user, role or permission set has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The user or role, with its path; of a permission set or a shared policy the first of those who have it.
    pub principal_arn: String,
    /// User or role.
    pub kind: PrincipalKind,
    /// Its account; of a shared policy the policy's, or the group's.
    pub account: String,
    /// Its name; of a permission set the set's, of a shared policy the policy's, or the group's.
    pub name: String,
    /// What it is for.
    pub proposed_for: ProposedFor,
    /// Its calls that got through.
    pub calls: u64,
    /// Those among them that today's policies deny: a proposal does not bring them back.
    pub denied_today: u64,
    /// The new policies, none where nothing is to stay; or the edited ones.
    pub documents: Vec<ProposedDocument>,
    /// The policies whose place they take: ARNs of managed ones, `<principal ARN>#<name>` of inline ones.
    pub replaced: Vec<String>,
    /// What stays as it is.
    pub left: Vec<LeftPolicy>,
    /// What goes.
    pub dropped: Vec<DroppedActions>,
    /// How many actions were used of those that stay, and are narrowed to the used resources.
    pub narrowed: u64,
    /// How many patterns an action may have in a statement; `None` where only whole statements went,
    /// because nothing less fits into the quotas. Of edits, in the least narrow policy.
    pub bound: Option<usize>,
}

/// What a proposal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposedFor {
    /// The user or role alone.
    Principal,
    /// All roles of a permission set.
    PermissionSet(PermissionSet),
    /// All who have a policy.
    SharedPolicy(SharedSubject),
}

/// A permission set of IAM Identity Center, as far as its roles show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionSet {
    /// `DataScientist` of `AWSReservedSSO_DataScientist_0a1b2c3d4e5f6071`.
    pub name: String,
    /// The roles that it made in the accounts of the snapshot: their ARNs.
    pub roles: Vec<String>,
}

impl Proposal {
    /// The ARNs of those whom it is for.
    pub fn principals(&self) -> &[String] {
        match &self.proposed_for {
            ProposedFor::Principal => std::slice::from_ref(&self.principal_arn),
            ProposedFor::PermissionSet(set) => &set.roles,
            ProposedFor::SharedPolicy(shared) => &shared.holders,
        }
    }

    /// The permission set that it is for.
    pub fn set(&self) -> Option<&PermissionSet> {
        match &self.proposed_for {
            ProposedFor::PermissionSet(set) => Some(set),
            _ => None,
        }
    }

    /// The shared policy that it is for.
    pub fn shared(&self) -> Option<&SharedSubject> {
        match &self.proposed_for {
            ProposedFor::SharedPolicy(shared) => Some(shared),
            _ => None,
        }
    }

    /// Whether another one is for the same: that of the first four fifths, and that of all of the window.
    pub fn is_for_the_same(&self, other: &Proposal) -> bool {
        match (self.shared(), other.shared()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => self.principal_arn == other.principal_arn,
            _ => false,
        }
    }
}

/// A policy that a proposal leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftPolicy {
    /// Its id.
    pub policy: String,
    /// Why.
    pub why: WhyLeft,
}

impl LeftPolicy {
    /// Whether it is the principal's own, and not a group's.
    pub fn stays_attached(&self) -> bool {
        self.why != WhyLeft::OfAGroup
    }
}

/// Why a policy is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyLeft {
    /// It comes from a group, and others have it too.
    OfAGroup,
    /// Others have it too: a proposal of its own edits it for all of them.
    Shared,
    /// Its document was not collected or cannot be read: nobody knows what it allows.
    NotKnown,
    /// The roles of a permission set do not have the same one.
    DiffersByAccount,
    /// All of it stays.
    NothingGoes,
    /// Nothing less fits into IAM's quotas.
    DoesNotFit,
}

/// Actions that are allowed today and not in the proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedActions {
    /// The statement that allows them.
    pub origin: Origin,
    /// The state that they are in.
    pub state: State,
    /// The actions.
    pub actions: Vec<String>,
}

/// Why there is no proposal for a principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoProposal {
    /// AWS alone changes the policies of service-linked roles.
    ServiceLinked,
    /// It is IAM Identity Center's, and its name tells no permission set.
    PermissionSet,
    /// It has no policies of its own.
    NoPolicies,
    /// It has none of its own alone: each of those that it has is edited for all who have it.
    OnlyShared,
    /// Its document, or an inline policy of a principal, was not collected or cannot be read: nobody knows what to
    /// put in its place.
    Unreadable,
    /// The roles of a permission set do not have the same inline policy: it is not provisioned everywhere.
    InlineDiffers,
    /// Nothing goes: all that it is allowed was used, or is kept.
    NothingGoes,
    /// Nothing that fits into IAM's quotas was found.
    DoesNotFit,
    /// Refused: the policy also serves as a permissions boundary. Whoever has it so must not have it changed.
    IsBoundary {
        /// The users, roles and permission sets whose boundary it is.
        of: Vec<String>,
        /// How many more AWS counts.
        not_shown: u64,
    },
    /// AWS counts more who have the policy than the snapshot shows: what they need is not known.
    HoldersNotShown {
        /// How many the snapshot shows.
        shown: u64,
        /// How many AWS counts.
        counted: u64,
    },
    /// The snapshot does not have all users of the account: nobody knows who is in the group.
    MembersNotKnown,
    /// These have the policy, and are not asked for.
    HoldersNotChosen(Vec<String>),
    /// Nothing of the policy is needed, and only a permission set can detach it from its roles.
    AttachedBySet,
}

impl NoProposal {
    /// Whether what was asked for is refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::IsBoundary { .. })
    }
}

/// Makes a proposal for a user or role.
///
/// # Errors
/// Where there is none to make.
pub fn propose(
    inputs: &RightsizingInputs<'_, '_>,
    principal: &Principal,
) -> Result<Proposal, NoProposal> {
    if principal.is_service_linked() {
        return Err(NoProposal::ServiceLinked);
    }
    if principal.is_of_permission_set() {
        return Err(NoProposal::PermissionSet);
    }
    made(Maker::new(inputs, principal))
}

/// Makes a proposal for a permission set: one inline policy with what any of its roles needs.
///
/// # Errors
/// Where there is none to make.
pub fn propose_set(
    inputs: &RightsizingInputs<'_, '_>,
    (name, roles): (&str, &[&Principal]),
) -> Result<Proposal, NoProposal> {
    let maker = Maker::of_set(inputs, (name, roles)).ok_or(NoProposal::PermissionSet)?;
    made(maker)
}

fn made(maker: Maker<'_, '_>) -> Result<Proposal, NoProposal> {
    for left in maker.left.iter().filter(|left| left.policy.contains('#')) {
        match left.why {
            WhyLeft::NotKnown => return Err(NoProposal::Unreadable),
            WhyLeft::DiffersByAccount => return Err(NoProposal::InlineDiffers),
            _ => {}
        }
    }
    if maker.replaced.is_empty() {
        let is_shared = |left: &LeftPolicy| left.why == WhyLeft::Shared;
        return Err(match maker.left.iter().any(is_shared) {
            true => NoProposal::OnlyShared,
            false => NoProposal::NoPolicies,
        });
    }
    match maker.edits() {
        true => maker.edit(),
        false => maker.make(),
    }
}
