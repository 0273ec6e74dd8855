//! Right-sizing: the least policies that still allow what was used, and what nobody can tell is not.
//!
//! [`RightsizingEvidence`] gathers which resources the calls of a window used and by which statements they
//! were allowed; [`PermissionStates`] has what is to be said of everything else that those statements allow.
//! [`propose()`] makes a [`Proposal`] of both: new policies in the place of all that a user or role has
//! of its own. Each statement of a proposal is made of one statement (or several that say the same) of
//! today's policies: of its actions, within its resources, under its conditions. So it can allow nothing
//! that was not granted, whatever the names in the records are.
//!
//! What stands in it, by `StatementReason`:
//!
//! * what was **used**, on resources that are generalised by a stated rule (`README.md` beside this file);
//! * what got through and is **undetermined** today, in every statement that may allow it;
//! * what the jobs of an execution role **need**, also where the log is blind;
//! * what is **kept** because nobody can tell: unobservable, too new, or seen for too short a time;
//! * all that **denies**.
//!
//! Where [`RightsizingMode`] asks for it, the documents of today are edited instead: statements, their names
//! and their order stay, and [`EditedPolicy`] says what is taken out; [`propose_shared()`] edits a policy for all who
//! have it. [`propose_set()`] makes one proposal for all roles of a permission set of IAM Identity Center. [`MineConditions`] asks for conditions that
//! all uses meet.
//!
//! What goes is unused, or taken away by a boundary or a service control policy anyway. A used action is
//! narrowed to the used resources only where its other uses would have been seen.

mod document;
mod edit;
mod evidence;
mod fold;
mod generalise;
mod maker;
mod mine;
mod own;
mod permission_set;
mod proposal;
mod shared;
mod statement;
mod states;

pub use document::{MAX_ATTACHED_POLICIES, MAX_POLICY_CHARACTERS, ProposedDocument};
pub use edit::{EditPlace, EditedPolicy, EditedStatement, StatementEdit};
pub use evidence::{NeededRequest, RightsizingEvidence};
pub use mine::{MINED_KEYS, MineConditions, MinedCondition};
pub use permission_set::{permission_set_of, permission_sets};
pub use proposal::{
    DroppedActions, LeftPolicy, NoProposal, PermissionSet, Proposal, ProposedFor,
    RightsizingInputs, RightsizingMode, WhyLeft, propose, propose_set,
};
pub use shared::{Attachments, SharedPolicies, SharedPolicy, SharedSubject, propose_shared};
pub use statement::{
    Condition, Element, Evidence, KeptFor, Origin, ProposedStatement, StatementReason,
};
pub use states::PermissionStates;
