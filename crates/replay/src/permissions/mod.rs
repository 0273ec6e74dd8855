//! Permissions: what each statement of each attached policy allows each principal, and whether it is
//! used.
//!
//! A [`Permission`] is a row of the table `permissions`: one action, or a number of actions of one service
//! that are in the same [`PermissionState`] for the same [`PermissionReason`].

mod account;
mod days;
mod derive;
mod documents;
mod evidence;
mod ground;
mod observed;
mod rest;
mod row;
mod standing;
mod state;
mod uses;

pub use derive::{ActionSet, MIN_WINDOW_DAYS, PermissionInputs, PermissionOptions, permissions};
pub use ground::PermissionGround;
pub use observed::{Covered, CoveredHour, RecordedWrite, RecordedWrites};
pub use state::{PermissionReason, PermissionState};
pub use uses::{PermissionUses, StatementUse};

/// One action that a statement allows a principal, or several of which there is the same to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission<'a> {
    /// The principal's account.
    pub account_id: &'a str,
    /// The user or role, with its path.
    pub principal_arn: &'a str,
    /// `user` or `role`.
    pub principal_type: &'static str,
    /// The managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub policy: &'a str,
    /// How the policy is attached: `inline`, `managed` or `group`.
    pub attachment: &'static str,
    /// The group that the principal has the policy from.
    pub group_arn: Option<&'a str>,
    /// The statement's index in the document, from 0; `None` where the document is not known.
    pub statement_index: Option<u32>,
    /// Its `Sid`.
    pub sid: Option<&'a str>,
    /// The IAM prefix of the actions.
    pub service: Option<&'a str>,
    /// The action; `None` where the row stands for those of [`Permission::action_set`].
    pub action: Option<&'a str>,
    /// How many actions the row stands for.
    pub actions: u64,
    /// Names the actions of which the row stands for those that have no row of their own.
    pub action_set: Option<&'a str>,
    /// Whether it is used.
    pub state: PermissionState,
    /// Why it is in this state, where that needs a word.
    pub reason: Option<PermissionReason>,
    /// The state that it would be in without the requests that used it, and why: what can be said of
    /// whatever else it allows.
    pub otherwise: (PermissionState, Option<PermissionReason>),
    /// Requests that it allowed.
    pub calls: u64,
    /// The first of them, in microseconds since the epoch.
    pub first_time: Option<i64>,
    /// The last of them; where AWS tells of a later one, that one.
    pub last_time: Option<i64>,
    /// On how many days they were made.
    pub days: u64,
    /// Since when it would have been seen.
    pub window_begin: Option<i64>,
    /// Until when.
    pub window_end: Option<i64>,
    /// For how many days.
    pub window_days: u64,
}
