//! The state of an output, from its manifest.

use std::collections::BTreeMap;

use retrial_storage::Store;
use retrial_tables::{Decisions, Table};

use crate::analyze::PipelineError;
use crate::manifest::Manifest;
use crate::plan::{DecidedBy, ListedObject, Status, StatusParts, parse_delivery_date, status};
use crate::retry::Retry;

/// What an output's manifest and plans tell of it. Nothing is changed.
///
/// # Errors
/// Where the output cannot be listed, or what the manifest names is damaged.
pub fn output_status(store: &dyn Store, manifest: &Manifest) -> Result<Status, PipelineError> {
    let header = &manifest.header;
    let sizes = manifest
        .files
        .iter()
        .map(|file| (file.key.as_str(), file.bytes));
    let sizes: BTreeMap<&str, u64> = sizes.collect();
    let listed = |key| ListedObject {
        key,
        bytes: sizes.get(key).copied(),
    };
    // A list that is lost is seen among the objects.
    let retry = match Retry::load(store, header.retry.as_deref()) {
        Ok(retry) => retry.unread.len() as u64,
        Err(PipelineError::Damaged { .. }) => 0,
        Err(error) => return Err(error),
    };
    let pruned_before = header.pruned_before.as_deref();
    let mut status = status(
        store,
        &StatusParts {
            plans: &header.plans,
            interrupted: header
                .plan
                .as_ref()
                .map(|current| (&current.plan, current.files_done)),
            objects: manifest.keys().into_iter().map(listed).collect(),
            waiting: header.waiting.as_ref().map_or(0, |waiting| waiting.records),
            retry,
            pruned_before: pruned_before.and_then(parse_delivery_date).flatten(),
        },
    )?;
    status.decided_by = decided_by(manifest);
    Ok(status)
}

fn decided_by(manifest: &Manifest) -> DecidedBy {
    let mut by = DecidedBy::default();
    let files = manifest.files.iter();
    for file in files.filter(|file| file.table == Decisions::NAME) {
        let unknown = [String::new()];
        let evaluators = match file.evaluator_versions.as_slice() {
            [] => &unknown[..],
            versions => versions,
        };
        for (versions, counts) in [
            (evaluators, &mut by.evaluator_versions),
            (&file.mapping_versions, &mut by.mapping_versions),
            (&file.snapshot_ids, &mut by.snapshot_ids),
        ] {
            for version in versions {
                *counts.entry(version.clone()).or_default() += 1;
            }
        }
    }
    by
}
