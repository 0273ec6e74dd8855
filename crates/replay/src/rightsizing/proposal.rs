//! What is proposed for one user, role or permission set.

use std::collections::BTreeSet;

use retrial_iam::{Catalogue, Principal, PrincipalKind};

use super::document::ProposedDocument;
use super::evidence::RightsizingEvidence;
use super::maker::Maker;
use super::mine::MineConditions;
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
    /// The present documents, with less in them. A managed policy that is among these is not this principal's
    /// alone: another one, a group or a boundary has it as well.
    Edit(&'i BTreeSet<String>),
}

/// New policies, or edits, in the place of what a user, role or permission set has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The user or role, with its path; of a permission set the first of its roles.
    pub principal_arn: String,
    /// User or role.
    pub kind: PrincipalKind,
    /// Its account.
    pub account: String,
    /// Its name; of a permission set the set's.
    pub name: String,
    /// The permission set that it is for.
    pub set: Option<PermissionSet>,
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
        match &self.set {
            Some(set) => &set.roles,
            None => std::slice::from_ref(&self.principal_arn),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoProposal {
    /// AWS alone changes the policies of service-linked roles.
    ServiceLinked,
    /// It is IAM Identity Center's, and its name tells no permission set.
    PermissionSet,
    /// It has no policies of its own.
    NoPolicies,
    /// An inline policy of it cannot be read: nobody knows what to put in its place.
    Unreadable,
    /// The roles of a permission set do not have the same inline policy: it is not provisioned everywhere.
    InlineDiffers,
    /// Nothing goes: all that it is allowed was used, or is kept.
    NothingGoes,
    /// Nothing that fits into IAM's quotas was found.
    DoesNotFit,
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
        return Err(NoProposal::NoPolicies);
    }
    match maker.edits() {
        true => maker.edit(),
        false => maker.make(),
    }
}
