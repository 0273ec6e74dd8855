//! The manifest: the list of committed files, which is what readers go by.

use retrial_storage::{Condition, StorageError, Store, Version};
use retrial_tables::ReadError;
use serde::{Deserialize, Serialize};

use crate::analyze::PipelineError;

/// Where the manifest stands.
pub const MANIFEST_KEY: &str = "_retrial/manifest";

/// The version of the manifest's own form.
const FORMAT: u32 = 1;

/// The committed files of an output, in the order in which they were committed. Stored as JSON Lines:
/// `format` and `generation` first, then a line per file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// Counts commits, so that a manifest that was changed and changed back is seen as another.
    pub generation: u64,
    /// The files.
    pub files: Vec<ManifestFile>,
}

/// One committed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// The table.
    pub table: String,
    /// `2026-11-02`, or `unknown`.
    pub event_date: String,
    /// The batch that wrote it, from 1.
    pub batch: u64,
    /// Its key under the output's root.
    pub key: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The snapshot that its verdicts stand on.
    pub snapshot_id: String,
    /// The mapping that its requests stand on.
    pub mapping_version: String,
    /// The files that it takes the place of.
    pub supersedes: Vec<String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT,
            generation: 0,
            files: Vec::new(),
        }
    }
}

/// Writes the next manifest over `previous`; another writer's in between makes it fail.
pub(crate) fn commit(
    store: &dyn Store,
    manifest: &Manifest,
    previous: Option<Version>,
) -> Result<Version, StorageError> {
    let condition = previous.map_or(Condition::IfAbsent, Condition::IfMatch);
    store.put(MANIFEST_KEY, &manifest.to_bytes(), condition)
}

impl Manifest {
    /// The manifest of an output, with its version; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(store: &dyn Store) -> Result<Option<(Self, Version)>, PipelineError> {
        let Some(object) = store.read(MANIFEST_KEY)? else {
            return Ok(None);
        };
        let mut manifest = Self::default();
        for line in object.bytes.split(|byte| *byte == b'\n').skip(1) {
            if !line.is_empty() {
                let file = serde_json::from_slice(line);
                manifest
                    .files
                    .push(file.map_err(|cause| PipelineError::Read {
                        key: MANIFEST_KEY.to_owned(),
                        cause: ReadError::Damaged {
                            table: "manifest",
                            cause: Box::new(cause),
                        },
                    })?);
            }
        }
        Ok(Some((manifest, object.version)))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut lines =
            serde_json::json!({"format": self.format, "generation": self.generation}).to_string();
        for file in &self.files {
            lines.push('\n');
            lines.push_str(&serde_json::json!(file).to_string());
        }
        lines.push('\n');
        lines.into_bytes()
    }
}
