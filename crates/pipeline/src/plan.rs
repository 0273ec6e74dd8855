//! The plan: which log files a run reads, in which order, cut into slices and batches.
//!
//! Everything that follows from the plan (slices, batches, the order of rows) follows from keys and
//! sizes alone, so that the same files give the same output on any machine and with any number of
//! threads.

use std::collections::BTreeSet;

use retrial_cloudtrail::{LogKey, LogKind};
use retrial_storage::StorageError;

/// A slice's decompressed JSON, as estimated from sizes: large enough that all cores have work and row
/// groups compress well, small enough that its rows fit in memory several times over.
pub(crate) const SLICE_BYTES: u64 = 32 << 20;

/// A batch's gzip: what a killed run loses at most.
pub(crate) const BATCH_BYTES: u64 = 1 << 30;

/// How far CloudTrail's gzip compresses its JSON; real files lie between 8 and 12.
const TYPICAL_RATIO: u64 = 10;

/// One log file of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Which of the run's sources it is in.
    pub source: usize,
    /// Relative to the source's root.
    pub key: String,
    /// As stored.
    pub size: u64,
    /// When it was delivered, or the day that its path names: seconds since the Unix epoch.
    moment: Option<i64>,
}

/// Files of other kinds, which the plan leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAside {
    /// Digest files.
    pub digest: u64,
    /// Insight files.
    pub insight: u64,
    /// Notifications of S3 and the like, which were recognised by their content.
    pub notification: u64,
    /// Files that are not `.json` or `.json.gz`.
    pub other: u64,
}

impl SetAside {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.digest + self.insight + self.notification + self.other
    }
}

/// Files in the order in which they are worked.
#[derive(Debug, Default)]
pub struct Plan {
    files: Vec<PlannedFile>,
    unlisted: Vec<StorageError>,
    /// What was left out.
    pub set_aside: SetAside,
}

impl Plan {
    /// Adds what a listing found, or counts it as set aside.
    pub fn add(&mut self, source: usize, key: String, size: u64) {
        let parsed = LogKey::parse(&key);
        match parsed.kind {
            LogKind::Events => {}
            LogKind::Digest => return self.set_aside.digest += 1,
            LogKind::Insight => return self.set_aside.insight += 1,
            LogKind::OtherFile => return self.set_aside.other += 1,
        }
        let moment = parsed
            .stamp
            .or(parsed.date.map(|day| day.begin()))
            .map(|time| time.micros().div_euclid(1_000_000));
        self.files.push(PlannedFile {
            source,
            key,
            size,
            moment,
        });
    }

    /// Adds what could not be listed (a folder without permission): a row in `rejects`.
    pub fn add_unlisted(&mut self, error: StorageError) {
        self.unlisted.push(error);
    }

    /// What could not be listed.
    pub fn unlisted(&self) -> &[StorageError] {
        &self.unlisted
    }

    /// Ends the adding: brings the files in stamp order, then key; those without a moment come first.
    ///
    /// A folder that holds `AWSLogs/` is taken at its word: JSON files beside it (a snapshot of policies,
    /// a configuration) are no logs, and are set aside.
    pub fn finish(&mut self) {
        let beside: BTreeSet<(usize, &str)> = self
            .files
            .iter()
            .filter_map(|file| Some((file.source, layout_root(&file.key)?)))
            .collect();
        let is_log = |file: &PlannedFile| {
            layout_root(&file.key).is_some()
                || !beside
                    .iter()
                    .any(|(source, root)| *source == file.source && file.key.starts_with(root))
        };
        let keep: Vec<bool> = self.files.iter().map(is_log).collect();
        let mut keep = keep.into_iter();
        let all = self.files.len();
        self.files.retain(|_| keep.next().unwrap_or(true));
        self.set_aside.other += (all - self.files.len()) as u64;
        self.files.sort_unstable_by(|a, b| {
            (a.moment, a.source, &a.key).cmp(&(b.moment, b.source, &b.key))
        });
    }

    /// The files.
    pub fn files(&self) -> &[PlannedFile] {
        &self.files
    }

    /// Their stored bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The batches: a delivery day each, or about a gigabyte of it.
    pub fn batches(&self) -> impl Iterator<Item = &[PlannedFile]> {
        let mut bytes = 0;
        self.files.chunk_by(move |a, b| {
            bytes += a.size;
            let together = a.day() == b.day() && bytes < BATCH_BYTES;
            if !together {
                bytes = 0;
            }
            together
        })
    }
}

/// What stands before `AWSLogs/` in a key of CloudTrail's layout: nothing, or a folder with its `/`.
fn layout_root(key: &str) -> Option<&str> {
    let at = if key.starts_with("AWSLogs/") {
        0
    } else {
        key.find("/AWSLogs/")? + 1
    };
    key.get(..at)
}

impl PlannedFile {
    fn day(&self) -> Option<i64> {
        self.moment.map(|seconds| seconds.div_euclid(86_400))
    }

    /// What it will be once it is decompressed, as far as its size tells.
    fn estimated_bytes(&self) -> u64 {
        if self.key.ends_with(".gz") {
            self.size.saturating_mul(TYPICAL_RATIO)
        } else {
            self.size
        }
    }
}

/// The slices of a batch.
pub(crate) fn slices(batch: &[PlannedFile]) -> impl Iterator<Item = &[PlannedFile]> {
    let mut bytes = 0;
    batch.chunk_by(move |a, _| {
        bytes += a.estimated_bytes();
        let together = bytes < SLICE_BYTES;
        if !together {
            bytes = 0;
        }
        together
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(files: &[(&str, u64)]) -> Plan {
        let mut plan = Plan::default();
        for (key, size) in files {
            plan.add(0, (*key).to_owned(), *size);
        }
        plan.finish();
        plan
    }

    fn keys(files: &[PlannedFile]) -> Vec<&str> {
        files.iter().map(|file| file.key.as_str()).collect()
    }

    const EARLY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02/111122223333_CloudTrail_us-east-1_20261102T0005Z_AAAAAAAAAAAAAAAA.json.gz";
    const LATE: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/111122223333_CloudTrail_eu-west-1_20261102T2305Z_AAAAAAAAAAAAAAAA.json.gz";
    const NEXT: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/03/111122223333_CloudTrail_eu-west-1_20261103T0005Z_AAAAAAAAAAAAAAAA.json.gz";
    const DIGEST: &str = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/03/111122223333_CloudTrail-Digest_eu-west-1_trail_eu-west-1_20261103T000500Z.json.gz";

    #[test]
    fn in_stamp_order_a_batch_a_day() {
        let plan = plan(&[
            (NEXT, 1),
            (LATE, 1),
            (EARLY, 1),
            (DIGEST, 1),
            ("notes.txt", 1),
        ]);
        assert_eq!(keys(plan.files()), [EARLY, LATE, NEXT]);
        assert_eq!(
            plan.set_aside,
            SetAside {
                digest: 1,
                other: 1,
                ..SetAside::default()
            }
        );
        let batches: Vec<_> = plan.batches().map(keys).collect();
        assert_eq!(batches, [vec![EARLY, LATE], vec![NEXT]]);
    }

    #[test]
    fn the_undated_come_first() {
        let name = |key: &'static str| key.rsplit('/').next().expect("has a name");
        let plan = plan(&[(name(NEXT), 1), ("export.json", 1), (name(EARLY), 1)]);
        assert_eq!(keys(plan.files()), ["export.json", name(EARLY), name(NEXT)]);
    }

    #[test]
    fn beside_the_layout_nothing_is_a_log() {
        let inner = format!("exports/a/{EARLY}");
        let plan = plan(&[
            ("exports/a/iam/snapshot.json", 1),
            (&inner, 1),
            ("exports/b.json", 1),
        ]);
        assert_eq!(keys(plan.files()), ["exports/b.json", &inner]);
        assert_eq!(plan.set_aside.other, 1);
    }

    #[test]
    fn a_batch_ends_at_a_gigabyte_and_a_slice_at_its_estimate() {
        let plan = plan(&[
            ("a.json.gz", BATCH_BYTES),
            ("b.json.gz", 1),
            ("c.json", SLICE_BYTES),
            ("d.json", 1),
        ]);
        let batches: Vec<_> = plan.batches().map(keys).collect();
        assert_eq!(
            batches,
            [vec!["a.json.gz"], vec!["b.json.gz", "c.json", "d.json"]]
        );
        let second = plan.batches().nth(1).expect("two batches");
        let cut: Vec<_> = slices(second).map(keys).collect();
        assert_eq!(cut, [vec!["b.json.gz", "c.json"], vec!["d.json"]]);
    }
}
