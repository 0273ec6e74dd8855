//! A change of policies, laid over the current snapshot.

use std::collections::BTreeSet;
use std::path::Path;

use retrial_iam::{ChangeScope, OverlayChange, Snapshot, SnapshotIssue, overlay};

use crate::error::ProgramError;
use crate::input::{self, LoadedSnapshot};
use crate::printer::Printer;

/// What a snapshot becomes with a change.
pub(crate) struct Change {
    pub(super) changed: Snapshot,
    /// Whether the change leaves nothing that cannot be read.
    pub(crate) whole: bool,
    pub(super) changes: Vec<OverlayChange>,
    pub(super) scope: ChangeScope,
}

impl Change {
    /// Reads the current snapshot and a change of it; what could not be used of either is said on
    /// standard error.
    pub(crate) fn load(
        iam: &Path,
        change: &Path,
        printer: &Printer,
    ) -> Result<(LoadedSnapshot, Change), ProgramError> {
        let path = change.display().to_string();
        let base =
            input::snapshot_files(iam).map_err(|cause| ProgramError::SnapshotUnreadable {
                path: iam.display().to_string(),
                cause,
            })?;
        let (current, issues) = input::snapshot_of(iam, &base)?;
        input::warn(&issues, printer);
        let change = input::snapshot_files(change).map_err(|cause| {
            let path = path.clone();
            ProgramError::ChangeUnreadable { path, cause }
        })?;
        let laid = overlay(&input::borrowed(&base), &input::borrowed(&change));
        let laid = laid.map_err(|cause| ProgramError::Change {
            path,
            cause: Box::new(cause),
        })?;
        let (changed, after) = input::snapshot_of(iam, &input::owned(laid.files))?;
        let known: BTreeSet<String> = issues.iter().map(without_place).collect();
        let new: Vec<SnapshotIssue> = after
            .into_iter()
            .filter(|issue| !known.contains(&without_place(issue)))
            .map(|issue| SnapshotIssue {
                message: format!("with the change: {}", issue.message),
                ..issue
            })
            .collect();
        input::warn(&new, printer);
        let change = Change {
            changed: changed.snapshot,
            whole: new.is_empty(),
            changes: laid.changes,
            scope: laid.scope,
        };
        Ok((current, change))
    }
}

/// What is wrong with a snapshot, wherever it stands: a change moves what it leaves alone.
fn without_place(issue: &SnapshotIssue) -> String {
    issue
        .message
        .replace(|character: char| character.is_ascii_digit(), "")
}
