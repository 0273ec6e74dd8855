//! The plan of one run over a whole source at once, as the loop before [`super::Planner`] works it.

use std::collections::BTreeSet;

use retrial_storage::StorageError;

use super::cut::BATCH_BYTES;
use super::file::PlannedFile;
use super::set_aside::SetAside;

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
        match PlannedFile::classify(source, key, size) {
            Ok(file) => self.files.push(file),
            Err(kind) => self.set_aside.add(kind),
        }
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
        self.files
            .sort_unstable_by(|a, b| a.order().cmp(&b.order()));
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
        let day = |file: &PlannedFile| file.minute().map(|minute| minute / (24 * 60));
        let mut bytes = 0;
        self.files.chunk_by(move |a, b| {
            bytes += a.size;
            let together = day(a) == day(b) && bytes < BATCH_BYTES;
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
    fn a_batch_ends_at_a_gigabyte() {
        let plan = plan(&[
            ("a.json.gz", BATCH_BYTES),
            ("b.json.gz", 1),
            ("c.json", 2),
            ("d.json", 1),
        ]);
        let batches: Vec<_> = plan.batches().map(keys).collect();
        assert_eq!(
            batches,
            [vec!["a.json.gz"], vec!["b.json.gz", "c.json", "d.json"]]
        );
    }
}
