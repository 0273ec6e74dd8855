//! The output: claimed by one writer, cleaned of what does not count, changed by swaps of its manifest.
//!
//! Whatever is to count is made first, under names that nothing has yet; the swap makes it count; what
//! no longer counts is deleted last. So a crash at any moment leaves the output as the manifest says,
//! and objects that it does not name, which the next writer removes.

use std::collections::BTreeSet;

use retrial_replay::EVALUATOR_VERSION;
use retrial_storage::{Store, Version};
use retrial_tables::tables;
use tracing::{debug, info};

use crate::analyze::PipelineError;
use crate::batch::FinishedFile;
use crate::manifest::{Header, Manifest, ManifestFile};
use crate::plan::{SetAside, Shard};
use crate::shards::{SHARDS_FOLDER, ShardInputs, ShardProblem, ShardState};

/// What stands before the keys of the state's objects.
const STATE_FOLDER: &str = "_retrial/";

/// What every row of this run stands on.
#[derive(Clone, Copy)]
pub(crate) struct Basis<'r> {
    pub(crate) snapshot_id: &'r str,
    pub(crate) mapping_version: &'r str,
    /// Whether an allow that assumes anything is `undetermined`.
    pub(crate) strict: bool,
}

/// An output that this writer has claimed.
pub(crate) struct Output<'r> {
    store: &'r dyn Store,
    manifest: Manifest,
    version: Version,
    /// What counted at the last swap.
    counted: BTreeSet<String>,
}

impl<'r> Output<'r> {
    /// Claims an output for this writer: from here on, every other one is fenced off.
    ///
    /// It is also how an output that cannot be written is known before the work, and how a run without
    /// any record leaves a readable one.
    pub(crate) fn claim(store: &'r dyn Store, filter: &str) -> Result<Self, PipelineError> {
        let (mut manifest, previous) = match Manifest::read(store)? {
            Some((manifest, version)) => (manifest, Some(version)),
            None if store.list("")?.is_empty() => (Manifest::default(), None),
            None => {
                return Err(PipelineError::NotAnOutput {
                    location: store.location().to_owned(),
                });
            }
        };
        check_filter(store, &mut manifest, filter)?;
        Self::take_over(store, (manifest, previous))
    }

    /// Claims an output as it was read: where another writer has changed it since, this one is fenced.
    pub(crate) fn take_over(
        store: &'r dyn Store,
        (manifest, previous): (Manifest, Option<Version>),
    ) -> Result<Self, PipelineError> {
        check_whole(store, &manifest.header)?;
        Self::swap_claim(store, (manifest, previous))
    }

    /// Claims the output of a shard.
    pub(crate) fn claim_shard(
        store: &'r dyn Store,
        filter: &str,
        (shard, inputs): (Shard, ShardInputs),
    ) -> Result<Self, PipelineError> {
        let not_an_output = || PipelineError::NotAnOutput {
            location: store.location().to_owned(),
        };
        let (mut manifest, previous) = match Manifest::read(store)? {
            Some((manifest, version)) => (manifest, Some(version)),
            None if store.list("")?.is_empty() => {
                let mut manifest = Manifest::default();
                manifest.header.shard = Some(ShardState {
                    shard,
                    inputs: inputs.clone(),
                    records: Vec::new(),
                    set_aside: SetAside::default(),
                    complete: false,
                });
                (manifest, None)
            }
            None => return Err(not_an_output()),
        };
        let state = manifest.header.shard.as_ref();
        let state = state.filter(|state| state.shard == shard);
        state
            .ok_or_else(not_an_output)?
            .inputs
            .check(shard, &inputs)?;
        check_filter(store, &mut manifest, filter)?;
        Self::swap_claim(store, (manifest, previous))
    }

    /// Claims an output that so many shards are to be merged into.
    pub(crate) fn claim_merge(
        store: &'r dyn Store,
        filter: &str,
        count: u32,
    ) -> Result<Self, PipelineError> {
        let (mut manifest, previous) = match Manifest::read(store)? {
            Some((manifest, version)) => (manifest, Some(version)),
            None => {
                let entries = store.list("")?;
                if !entries
                    .iter()
                    .all(|entry| entry.key.starts_with(SHARDS_FOLDER))
                {
                    return Err(PipelineError::NotAnOutput {
                        location: store.location().to_owned(),
                    });
                }
                let mut manifest = Manifest::default();
                manifest.header.merging = Some(count);
                (manifest, None)
            }
        };
        let location = || store.location().to_owned();
        match manifest.header.merging {
            Some(before) if before == count => {}
            Some(count) => {
                let location = location();
                return Err(ShardProblem::Merging { location, count }.into());
            }
            None => {
                let location = location();
                return Err(ShardProblem::OutputThere { location }.into());
            }
        }
        check_filter(store, &mut manifest, filter)?;
        Self::swap_claim(store, (manifest, previous))
    }

    fn swap_claim(
        store: &'r dyn Store,
        (mut manifest, previous): (Manifest, Option<Version>),
    ) -> Result<Self, PipelineError> {
        manifest.header.generation += 1;
        let version = manifest.swap(store, previous)?;
        Ok(Self {
            store,
            manifest,
            version,
            counted: BTreeSet::new(),
        })
    }

    /// Claims an output that is there, whatever it is limited to.
    pub(crate) fn claim_existing(store: &'r dyn Store) -> Result<Self, PipelineError> {
        let filter = match Manifest::read(store)? {
            Some((manifest, _)) => manifest.header.filter,
            None => {
                return Err(PipelineError::NotAnOutput {
                    location: store.location().to_owned(),
                });
            }
        };
        Self::claim(store, &filter.unwrap_or_default())
    }

    /// Removes what does not count: the leftovers of a crash, or of a writer that was fenced.
    ///
    /// Only under the tables' folders and the state's: nothing else is ours.
    pub(crate) fn clean(&self) -> Result<(), PipelineError> {
        self.store.clean()?;
        let counts = self.manifest.keys();
        let folders: Vec<String> = tables()
            .iter()
            .map(|table| format!("{}/", table.name))
            .chain([STATE_FOLDER.to_owned()])
            .collect();
        let mut removed: u64 = 0;
        for folder in folders {
            for entry in self.store.list(&folder)? {
                if counts.contains(entry.key.as_str()) {
                    continue;
                }
                // Another writer may have claimed the output since, and made an object of this name.
                self.check_claim()?;
                self.store.delete(&entry.key)?;
                removed += 1;
            }
        }
        if removed > 0 {
            info!(
                objects = removed,
                "removed what an interrupted writer left behind"
            );
        }
        Ok(())
    }

    fn check_claim(&self) -> Result<(), PipelineError> {
        let current = self.store.read(crate::manifest::MANIFEST_KEY)?;
        if current.is_some_and(|object| object.version == self.version) {
            return Ok(());
        }
        Err(PipelineError::Fenced {
            location: self.store.location().to_owned(),
            key: crate::manifest::MANIFEST_KEY.to_owned(),
        })
    }

    pub(crate) fn store(&self) -> &'r dyn Store {
        self.store
    }

    pub(crate) fn header(&self) -> &Header {
        &self.manifest.header
    }

    pub(crate) fn files(&self) -> &[ManifestFile] {
        &self.manifest.files
    }

    /// Whether what waits has been decided, for now.
    pub(crate) fn has_tail(&self) -> bool {
        self.manifest.files.iter().any(|file| file.tail)
    }

    /// Changes the manifest with the next swap.
    pub(crate) fn change_later(&mut self, change: impl FnOnce(&mut Manifest)) {
        self.note_superseded();
        change(&mut self.manifest);
    }

    /// What counts now may not count after the next swap.
    fn note_superseded(&mut self) {
        let keys = self.manifest.keys().into_iter().map(str::to_owned);
        let keys: Vec<String> = keys.collect();
        self.counted.extend(keys);
    }

    /// Changes the manifest in one swap, then deletes what it does not name any more.
    pub(crate) fn change(
        &mut self,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<(), PipelineError> {
        self.change_later(change);
        self.manifest.header.generation += 1;
        self.version = self.manifest.swap(self.store, Some(self.version.clone()))?;
        let counts = self.manifest.keys();
        let mut superseded: u64 = 0;
        for key in &std::mem::take(&mut self.counted) {
            if !counts.contains(key.as_str()) {
                self.store.delete(key)?;
                superseded += 1;
            }
        }
        debug!(
            generation = self.manifest.header.generation,
            objects = counts.len() as u64,
            superseded,
            "manifest swapped"
        );
        Ok(())
    }
}

/// An output may grow, but not change what it is an output of.
fn check_filter(
    store: &dyn Store,
    manifest: &mut Manifest,
    filter: &str,
) -> Result<(), PipelineError> {
    match &manifest.header.filter {
        Some(before) if before != filter => {
            return Err(PipelineError::OtherFilter {
                location: store.location().to_owned(),
                before: before.clone(),
            });
        }
        Some(_) => {}
        None => manifest.header.filter = Some(filter.to_owned()),
    }
    Ok(())
}

/// What is a part of an output, or still in parts, is for its merge alone.
fn check_whole(store: &dyn Store, header: &Header) -> Result<(), ShardProblem> {
    let location = || store.location().to_owned();
    if let Some(state) = &header.shard {
        return Err(ShardProblem::IsShard {
            location: location(),
            shard: state.shard,
        });
    }
    match header.merging {
        Some(count) => Err(ShardProblem::Merging {
            location: location(),
            count,
        }),
        None => Ok(()),
    }
}

/// The manifest's line for a file of a batch.
pub(crate) fn listed(
    file: FinishedFile,
    (batch, tail): (u64, bool),
    basis: Basis<'_>,
) -> ManifestFile {
    ManifestFile {
        table: file.table.to_owned(),
        event_date: file.event_date,
        delivery_date: file.delivery_date,
        batch,
        tail,
        key: file.key,
        rows: file.rows,
        bytes: file.bytes,
        snapshot_ids: vec![basis.snapshot_id.to_owned()],
        mapping_versions: vec![basis.mapping_version.to_owned()],
        evaluator_versions: vec![EVALUATOR_VERSION.to_owned()],
        supersedes: Vec::new(),
        strict: basis.strict,
    }
}
