//! What could not be read and may be readable later: log files and folders that the storage refused.
//!
//! Their rejects are not facts of the log: they stand in a tail file of `rejects`, which the next
//! batch takes the place of, and their files are planned again by the next run.
//!
//! # Stored form
//! `_retrial/retry/<batch>` is JSON Lines, one [`Unread`] a line.

use retrial_storage::Store;
use retrial_tables::RejectRow;
use serde::{Deserialize, Serialize};

use crate::analyze::PipelineError;
use crate::work::create;

/// A log file or a folder that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    /// The source that it is in, as the user named it.
    pub source: String,
    /// Its key in the source.
    pub key: String,
    /// A log file's size, as listed; `None` for what could not be listed.
    pub size: Option<u64>,
    /// Why, as a code.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// Whether it may be readable later without being changed.
    pub retryable: bool,
    /// Whether it is of an earlier run, so that it is to be tried again.
    pub due: bool,
}

impl Unread {
    /// Its row in `rejects`.
    pub(crate) fn row(&self) -> RejectRow<'_> {
        RejectRow {
            log_file: &self.key,
            record_index: None,
            byte_offset: None,
            event_id: None,
            reason: &self.reason,
            message: &self.message,
            class: class(self.retryable),
            bytes: None,
        }
    }
}

/// The column `class` of `rejects`.
pub(crate) fn class(retryable: bool) -> &'static str {
    if retryable { "retryable" } else { "permanent" }
}

/// What could not be read, in the order in which it was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) unread: Vec<Unread>,
}

impl Retry {
    /// The list as it was stored.
    pub(crate) fn load(store: &dyn Store, key: Option<&str>) -> Result<Self, PipelineError> {
        let Some(key) = key else {
            return Ok(Self::default());
        };
        let object = store.read(key)?.ok_or_else(|| PipelineError::lost(key))?;
        let lines = object.bytes.split(|byte| *byte == b'\n');
        let unread = lines
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(index, line)| {
                serde_json::from_slice(line).map_err(|cause| PipelineError::Damaged {
                    key: key.to_owned(),
                    place: format!("line {}", index + 1),
                    cause: cause.to_string(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { unread })
    }

    /// Stores the list as an object of its own; nothing where it is empty.
    pub(crate) fn store(
        &self,
        store: &dyn Store,
        key: String,
    ) -> Result<Option<String>, PipelineError> {
        if self.unread.is_empty() {
            return Ok(None);
        }
        let mut text = String::new();
        for unread in &self.unread {
            text.push_str(&serde_json::json!(unread).to_string());
            text.push('\n');
        }
        create(store, &key, text.as_bytes())?;
        Ok(Some(key))
    }

    /// What an earlier run left to be tried again: the files among it.
    pub(crate) fn due_files(&self) -> impl Iterator<Item = &Unread> {
        self.unread
            .iter()
            .filter(|unread| unread.due && unread.size.is_some())
    }

    /// Whether an earlier run could not read a file.
    pub(crate) fn was_tried(&self, source: &str, key: &str) -> bool {
        let mut files = self.due_files();
        files.any(|unread| unread.key == key && unread.source == source)
    }

    /// Adds something; what is known of it from before is forgotten.
    pub(crate) fn add(&mut self, unread: Unread) {
        self.unread
            .retain(|known| known.key != unread.key || known.source != unread.source);
        self.unread.push(unread);
    }

    /// Whether both lists are of the same, whatever run they are of.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let sorted = |list: &Self| {
            let mut list = list.clone();
            list.close();
            list.unread.sort();
            list.unread
        };
        sorted(self) == sorted(other)
    }

    /// Takes a file off the list: it was read, or is there anew.
    pub(crate) fn settle(&mut self, source: &str, key: &str) {
        self.unread
            .retain(|unread| unread.key != key || unread.source != source);
    }

    /// Forgets what could not be listed by earlier runs: this one lists anew.
    pub(crate) fn forget_due_folders(&mut self) {
        self.unread
            .retain(|unread| !unread.due || unread.size.is_some());
    }

    /// All of it is to be tried again by the next run.
    pub(crate) fn close(&mut self) {
        self.unread.iter_mut().for_each(|unread| unread.due = true);
    }
}
