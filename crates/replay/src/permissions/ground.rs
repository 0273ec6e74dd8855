//! What permissions stand on beside the calls of the window.

use retrial_iam::{Catalogue, Snapshot};

use super::documents::{Actions, Documents};
use crate::Mapping;
use crate::recording::{RecordedActions, Recording};

/// What permissions stand on beside the calls of the window: it follows from snapshot, mapping and catalogue, so
/// that it can be made while calls are still being read.
///
/// # Memory
/// Some fifty bytes for each action of the catalogue, and the documents of the snapshot, expanded, as far as they are
/// made ready.
pub struct PermissionGround<'s> {
    pub(super) actions: Actions<'s>,
    pub(super) recorded: RecordedActions,
    pub(super) documents: Documents<'s>,
}

impl<'s> PermissionGround<'s> {
    /// Of a snapshot.
    pub fn of(snapshot: &'s Snapshot, mapping: &Mapping, catalogue: &'s Catalogue) -> Self {
        let recording = Recording::new(mapping);
        let actions = Actions::of(catalogue);
        Self {
            recorded: recording.of_actions(actions.iter()),
            documents: Documents::of(snapshot, (catalogue, &actions)),
            actions,
        }
    }
}
