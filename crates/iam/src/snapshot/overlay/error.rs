//! Why a change cannot be laid over a snapshot.

use std::fmt;

/// Why a change cannot be laid over a snapshot, and where in the change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// There are no files.
    #[error("the change has no files")]
    NoFiles,
    /// None of the files has a name that a snapshot's files have.
    #[error(
        "no file of the change has the name of a snapshot's files, such as `accounts/111122223333/authorization-details.json`"
    )]
    NothingKnown,
    /// Something in one of its files.
    #[error("`{}`{place}: {problem}", path.escape_debug())]
    File {
        /// The file's path.
        path: String,
        /// Where in it.
        place: Place,
        /// What is wrong there.
        problem: OverlayProblem,
    },
}

/// A line and a column of a file, from 1; nothing where the whole file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub(super) Option<(usize, usize)>);

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(out, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with an entry of a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayProblem {
    /// No JSON, or not of the file's form.
    #[error("{0}")]
    Form(String),
    /// A file that says what was collected, or that no decision depends on.
    #[error("a change cannot have this file: {0}")]
    NotAChange(&'static str),
    /// The file of the snapshot that the change is for cannot be read.
    #[error(
        "the snapshot's own file of this name cannot be read, so that nothing can be changed in it"
    )]
    SnapshotUnreadable,
    /// Neither lists nor objects.
    #[error("`{0}` is neither a list of entries nor an object of them by name")]
    NeitherListNorObject(String),
    /// A member that such an entry does not have.
    #[error("`{id}` has no member `{member}`")]
    UnknownMember {
        /// The entry.
        id: String,
        /// The member.
        member: String,
    },
    /// An account that the snapshot does not have.
    #[error("the snapshot has no account `{0}`")]
    UnknownAccount(String),
    /// An entry of another account than the folder's.
    #[error("`{id}` is of account `{found}`, and the file is in the folder of another")]
    OtherAccount {
        /// The entry.
        id: String,
        /// Its account.
        found: String,
    },
    /// A name that is not of the form that the file's entries have.
    #[error("`{id}` is not {expected}")]
    OtherForm {
        /// The name.
        id: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The entry's own name is another than the one it stands under.
    #[error("`{id}` stands under another name, `{key}`")]
    OtherName {
        /// Where it stands.
        key: String,
        /// The entry's own.
        id: String,
    },
    /// An entry that stands twice in the change.
    #[error("`{0}` is changed twice")]
    Twice(String),
    /// What is to be deleted is not there.
    #[error("`{0}` is to be deleted, and is not in the snapshot")]
    NotThere(String),
    /// What cannot be deleted.
    #[error("`{id}` cannot be deleted: {why}")]
    NotDeletable {
        /// The entry.
        id: String,
        /// Why.
        why: String,
    },
    /// A policy that AWS would not take.
    #[error("{owner}: {why}")]
    Document {
        /// Whose.
        owner: String,
        /// Why, with the place in the document.
        why: String,
    },
    /// It names something that neither the snapshot nor the change has.
    #[error("`{id}` names `{named}`, which neither the snapshot nor the change has")]
    Dangling {
        /// The entry.
        id: String,
        /// What it names.
        named: String,
    },
    /// A type of organization policy that decides nothing.
    #[error(
        "policy `{id}` is of type `{policy_type}`, and neither a SERVICE_CONTROL_POLICY nor a RESOURCE_CONTROL_POLICY"
    )]
    PolicyType {
        /// The policy.
        id: String,
        /// Its type.
        policy_type: String,
    },
    /// The root of a target does not have this type of policy switched on.
    #[error(
        "policy `{id}` would have no effect: the type is not enabled on the root above `{target}`"
    )]
    TypeNotEnabled {
        /// The policy.
        id: String,
        /// The target.
        target: String,
    },
    /// Nobody says whom organization policies do not bind.
    #[error(
        "neither the snapshot nor the change names the management account (`Organization`, `MasterAccountId`), which no policy binds"
    )]
    NoManagementAccount,
}
