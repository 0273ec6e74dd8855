//! Findings: what a person should act on, with its evidence.
//!
//! [`FindingEvidence`] gathers from the calls of a window what findings stand on, within bounds;
//! [`findings()`] joins it with the snapshot and with what follows from that alone. Every finding has a
//! kind, a severity, a name that stays ([`Finding::id`]), an owner, samples and a remedy. There is one per
//! principal, action and cause, with its resources folded, so that a page of them can be read.

mod asking;
mod causes;
mod differences;
mod escalation;
mod exclusions;
mod finding;
mod gather;
mod idle;
mod kept;
mod kind;
mod pass_role;
mod report;
mod role_needs;
mod statements;
mod trust;
mod wide;

pub use causes::{RecordedChange, RecordedChanges};
pub use differences::Contradiction;
pub use escalation::Escalations;
pub use exclusions::{ExclusionError, Exclusions};
pub use finding::{Finding, Hidden};
pub use gather::{FindingBasis, FindingEvidence};
pub use idle::PermissionEvidence;
pub use kind::{Cause, FindingKind, FindingSeverity};
pub use report::{DeadStatement, FindingReport, Occasion, findings};
pub use role_needs::{RoleNeedEvidence, RoleNeedFact, RoleNeedProblem};
