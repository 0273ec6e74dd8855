//! What a plan leaves out, and what could not be looked at.

use retrial_cloudtrail::LogKind;
use retrial_storage::StorageError;
use serde::{Deserialize, Serialize};

/// Files of other kinds, which the plan leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAside {
    /// Digest files.
    pub digest: u64,
    /// Insight files.
    pub insight: u64,
    /// Notifications of S3 and the like, which were recognised by their content.
    pub notification: u64,
    /// Files that are not `.json` or `.json.gz`, files beside CloudTrail's layout, and folders of
    /// other services in it, which are not entered (one each).
    pub other: u64,
}

impl SetAside {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.digest + self.insight + self.notification + self.other
    }

    /// Counts a file or folder of a kind that holds no records.
    pub(crate) fn add(&mut self, kind: LogKind) {
        match kind {
            LogKind::Digest => self.digest += 1,
            LogKind::Insight => self.insight += 1,
            LogKind::OtherFile | LogKind::Events => self.other += 1,
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.digest += other.digest;
        self.insight += other.insight;
        self.notification += other.notification;
        self.other += other.other;
    }
}

/// What could not be listed: a folder without permission, a broken link. It is stored with its plan,
/// so that a resumed run writes the same row of `rejects`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlisted {
    /// Which of the run's sources it is in.
    pub source: usize,
    /// Its key, or the source's root.
    pub key: String,
    /// The whole message, which names the key.
    pub message: String,
    /// Whether it may succeed later.
    pub retryable: bool,
}

impl Unlisted {
    pub(crate) fn new(source: usize, error: &StorageError) -> Self {
        Self {
            source,
            key: error.key().to_owned(),
            message: error.to_string(),
            retryable: error.is_retryable(),
        }
    }
}
