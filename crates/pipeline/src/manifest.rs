//! The manifest: which files count, and where the run stands. It is the output's one mutable object.
//!
//! Stored as JSON Lines under [`MANIFEST_KEY`]: the [`Header`] is the first line, each [`ManifestFile`]
//! a line of its own behind it. Header and files move together, in one compare-and-swap: no crash can
//! part the checkpoint from the files that it speaks of, and of two writers one loses.
//!
//! Every other object is immutable, is created only where it is not there yet, and counts only once
//! it is named here.

use std::collections::BTreeSet;

use retrial_storage::{Condition, StorageError, Store, Version};
use serde::{Deserialize, Serialize};

use crate::analyze::PipelineError;
use crate::duplicates::RunFile;
use crate::plan::PlanRef;
use crate::shards::ShardState;

/// Where the manifest stands.
pub const MANIFEST_KEY: &str = "_retrial/manifest";

/// The version of the manifest's own form. Version 1 had no checkpoint, version 2 one snapshot a file.
pub const MANIFEST_FORMAT: u32 = 3;

/// An output's state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// Where the run stands.
    pub header: Header,
    /// The files that count, in the order in which they were committed.
    pub files: Vec<ManifestFile>,
}

/// The checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`MANIFEST_FORMAT`]
    pub format: u32,
    /// Counts the swaps, so that a manifest that was changed and changed back is seen as another.
    /// A writer begins with one of its own: that is how it claims the output.
    pub generation: u64,
    /// The number that the next batch has; from 1.
    pub next_batch: u64,
    /// The number that the next plan has; from 1.
    pub next_plan: u64,
    /// What the output is limited to ([`Filter::text`](crate::Filter::text)); `None` before its first
    /// writer has said so.
    pub filter: Option<String>,
    /// The plan that is being worked.
    pub plan: Option<CurrentPlan>,
    /// The plans that are done, in the order in which they were.
    pub plans: Vec<PlanRef>,
    /// What is known of the records that were kept, to find duplicates.
    pub duplicates: Vec<RunFile>,
    /// The records that wait for the record that issued their session.
    pub waiting: Option<WaitingRef>,
    /// The log files and folders that could not be read, to be tried again.
    pub retry: Option<String>,
    /// Delivery days before this one were pruned, and count as read.
    pub pruned_before: Option<String>,
    /// The output is one shard of another, to be merged with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardState>,
    /// So many shards are being merged into the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merging: Option<u32>,
}

/// The plan that is being worked, and how far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrentPlan {
    /// Which.
    pub plan: PlanRef,
    /// How many of its files, in its order, are committed; always at the end of a batch.
    pub files_done: u64,
    /// The number of its first batch.
    pub first_batch: u64,
}

/// The stored queue of waiting records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingRef {
    /// Its object.
    pub key: String,
    /// How many wait.
    pub records: u64,
}

/// One committed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// The table.
    pub table: String,
    /// `2026-11-02`, or `unknown`.
    pub event_date: String,
    /// The delivery day of the log files that its rows are from, or `unknown`.
    pub delivery_date: String,
    /// The batch that wrote it, from 1; 0 for what is derived from all of them.
    pub batch: u64,
    /// Whether it holds what was still waiting at the end of a run: the next batch takes its place.
    pub tail: bool,
    /// Its key under the output's root.
    pub key: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The snapshots that its verdicts stand on: several only where files were merged.
    pub snapshot_ids: Vec<String>,
    /// The mappings that its requests stand on.
    pub mapping_versions: Vec<String>,
    /// The versions of the program that decided its requests ([`retrial_replay::EVALUATOR_VERSION`]); nothing where
    /// that was not written down yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluator_versions: Vec<String>,
    /// The files that it takes the place of: those that it was merged from.
    pub supersedes: Vec<String>,
    /// Whether an allow that assumes anything is `undetermined` in it (`--strict`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Default for Header {
    fn default() -> Self {
        Self {
            format: MANIFEST_FORMAT,
            generation: 0,
            next_batch: 1,
            next_plan: 1,
            filter: None,
            plan: None,
            plans: Vec::new(),
            duplicates: Vec::new(),
            waiting: None,
            retry: None,
            pruned_before: None,
            shard: None,
            merging: None,
        }
    }
}

impl Manifest {
    /// The manifest of an output, with the version that a swap needs; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, or is of another version of the program.
    pub fn read(store: &dyn Store) -> Result<Option<(Self, Version)>, PipelineError> {
        match store.read(MANIFEST_KEY)? {
            Some(object) => Ok(Some((Self::from_bytes(&object.bytes)?, object.version))),
            None => Ok(None),
        }
    }

    /// Writes it where the previous version still stands.
    ///
    /// # Errors
    /// [`PipelineError::Fenced`] where another writer came in between.
    pub fn swap(
        &self,
        store: &dyn Store,
        previous: Option<Version>,
    ) -> Result<Version, PipelineError> {
        let condition = previous.map_or(Condition::IfAbsent, Condition::IfMatch);
        store
            .put(MANIFEST_KEY, &self.to_bytes(), condition)
            .map_err(|error| fenced(store, error))
    }

    /// The keys of all objects that count, the manifest's own among them.
    pub fn keys(&self) -> BTreeSet<&str> {
        let Header {
            plan,
            plans,
            duplicates,
            waiting,
            retry,
            shard,
            ..
        } = &self.header;
        let records = shard.iter().flat_map(|shard| &shard.records);
        let files = self.files.iter().map(|file| file.key.as_str());
        let plans = plan.iter().map(|current| &current.plan).chain(plans);
        files
            .chain(plans.map(|plan| plan.key.as_str()))
            .chain(duplicates.iter().map(|run| run.key.as_str()))
            .chain(waiting.iter().map(|waiting| waiting.key.as_str()))
            .chain(retry.as_deref())
            .chain(records.map(|records| records.key.as_str()))
            .chain([MANIFEST_KEY])
            .collect()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut lines = serde_json::json!(self.header).to_string();
        for file in &self.files {
            lines.push('\n');
            lines.push_str(&serde_json::json!(file).to_string());
        }
        lines.push('\n');
        lines.into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, PipelineError> {
        let damaged = |line: usize, cause: serde_json::Error| PipelineError::Damaged {
            key: MANIFEST_KEY.to_owned(),
            place: format!("line {}", line + 1),
            cause: cause.to_string(),
        };
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.is_empty());
        let (_, first) = lines.next().unwrap_or((0, b""));
        let Format { format } = serde_json::from_slice(first).map_err(|cause| damaged(0, cause))?;
        if format != MANIFEST_FORMAT {
            return Err(PipelineError::OtherFormat { format });
        }
        let header = serde_json::from_slice(first).map_err(|cause| damaged(0, cause))?;
        let files = lines
            .map(|(index, line)| {
                serde_json::from_slice(line).map_err(|cause| damaged(index, cause))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { header, files })
    }
}

/// The one member that every version's header has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// A lost swap, or an object that is there already, is another writer's work.
pub(crate) fn fenced(store: &dyn Store, error: StorageError) -> PipelineError {
    if error.is_conflict() {
        PipelineError::Fenced {
            location: store.location().to_owned(),
            key: error.key().to_owned(),
        }
    } else {
        PipelineError::Storage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let file = ManifestFile {
            table: "decisions".to_owned(),
            event_date: "2026-11-02".to_owned(),
            delivery_date: "2026-11-02".to_owned(),
            batch: 1,
            tail: false,
            key: "decisions/event_date=2026-11-02/000001.parquet".to_owned(),
            rows: 7,
            bytes: 4096,
            snapshot_ids: vec!["s".to_owned()],
            mapping_versions: vec!["m".to_owned()],
            evaluator_versions: vec!["1.0.0".to_owned()],
            supersedes: Vec::new(),
            strict: false,
        };
        let manifest = Manifest {
            header: Header {
                generation: 3,
                filter: Some(String::new()),
                ..Header::default()
            },
            files: vec![file.clone(), file],
        };
        let read = Manifest::from_bytes(&manifest.to_bytes()).unwrap();
        assert_eq!(read, manifest);
    }

    #[test]
    fn what_is_no_manifest_of_ours() {
        let check = |text: &str, expect: &str| {
            let error = Manifest::from_bytes(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
        };
        check("", "`_retrial/manifest` is damaged at line 1");
        check("PAR1", "`_retrial/manifest` is damaged at line 1");
        check("{\"format\":2,\"generation\":2}\n", "format 2");
        check("{\"format\":3,\"generation\":2}\n", "damaged at line 1");
        let whole = Manifest::default().to_bytes();
        let broken = format!("{}{{\"table\":", String::from_utf8_lossy(&whole));
        check(&broken, "damaged at line 2");
    }
}
