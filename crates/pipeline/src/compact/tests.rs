//! What is merged is the same rows, in the one order that they have, however they were spread.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use retrial_storage::FolderStore;
use retrial_tables::{DecisionRow, TableReader, TableWriter, UsageRow, sort_order};
use tempfile::TempDir;

use super::merge::{Caps, Merger};
use super::order::Merged;
use super::*;

const FILES: usize = 4;

/// A folder with files of a table.
struct Place {
    folder: TempDir,
    store: FolderStore,
    scratch: Scratch,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: FolderStore::create(&folder.path().join("out")).unwrap(),
            scratch: Scratch::new(&folder.path().join("scratch")).unwrap(),
            folder,
        }
    }

    /// Writes rows as the file `key`, in row groups of so many, each sorted as a batch does it.
    fn write<'r, T: Table>(
        &self,
        key: &str,
        rows: &[&'r T::Row<'r>],
        row_group: usize,
    ) -> ManifestFile {
        let mut writer = TableWriter::<T, Vec<u8>>::new(Vec::new()).unwrap();
        for rows in rows.chunks(row_group) {
            let mut rows = rows.to_vec();
            rows.sort_by(|a, b| sort_order::<T>(a, b));
            writer.write(&rows).unwrap();
        }
        let written = writer.finish().unwrap();
        crate::work::create(&self.store, key, &written.output).unwrap();
        ManifestFile {
            table: T::NAME.to_owned(),
            event_date: "2026-11-02".to_owned(),
            delivery_date: "2026-11-02".to_owned(),
            batch: 1,
            tail: false,
            key: key.to_owned(),
            rows: written.rows,
            bytes: written.bytes,
            snapshot_ids: Vec::new(),
            mapping_versions: Vec::new(),
            evaluator_versions: Vec::new(),
            supersedes: Vec::new(),
            strict: false,
        }
    }

    fn merge<T: Merged>(&self, files: &[&ManifestFile], caps: Caps, key: &str) -> Vec<u8> {
        let merger = Merger {
            store: &self.store,
            scratch: &self.scratch,
            stop: &AtomicBool::new(false),
            caps,
        };
        let (_, bytes) = merger.merge::<T>(files, key).unwrap();
        let merged = std::fs::read(self.folder.path().join("out").join(key)).unwrap();
        assert_eq!(merged.len() as u64, bytes);
        merged
    }
}

/// One record, and the file that its rows are in.
#[derive(Debug, Clone)]
struct Spread {
    principal: Option<&'static str>,
    time: Option<i64>,
    minute: u32,
    requests: usize,
    file: usize,
}

fn records() -> impl Strategy<Value = Vec<Spread>> {
    let record = (
        prop::sample::select(vec![None, Some("arn:p"), Some("arn:q")]),
        prop::option::weighted(0.9, 0..3i64),
        0..4u32,
        1..4usize,
        0..FILES,
    );
    let record = record.prop_map(|(principal, time, minute, requests, file)| Spread {
        principal,
        time,
        minute,
        requests,
        file,
    });
    proptest::collection::vec(record, 1..60)
}

const ACTIONS: [&str; 3] = ["s3:GetObject", "kms:Decrypt", "s3:ListBucket"];

fn texts(data: &[u8]) -> Vec<String> {
    let reader = TableReader::<Decisions, Vec<u8>>::open(data.to_vec()).unwrap();
    let mut texts = Vec::new();
    for row_group in 0..reader.row_groups() {
        for batch in reader.batches(row_group).unwrap() {
            batch
                .unwrap()
                .with_rows(|rows| texts.extend(rows.iter().map(|row| format!("{row:?}"))));
        }
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn the_bytes_follow_from_the_rows(
        mut records in records(),
        row_group in prop::sample::select(vec![1, 3, 1_000]),
        runs_bytes in prop::sample::select(vec![1, 7 << 20, 1 << 30]),
    ) {
        // In the order of the plan: by stamp.
        records.sort_by_key(|record| record.minute);
        let ids: Vec<String> = (0..records.len()).map(|number| format!("id-{number}")).collect();
        let stamp = |minute: u32| format!("1_CloudTrail_x_20261102T080{minute}Z_u.json.gz");
        // Later in the plan and earlier in the alphabet.
        let files: Vec<String> = records.iter().map(|record| format!("{}/{}", 9 - record.minute, stamp(record.minute))).collect();
        let mut rows = Vec::new();
        for (number, record) in records.iter().enumerate() {
            for action in &ACTIONS[..record.requests] {
                rows.push((record.file, DecisionRow {
                    event_id: Some(&ids[number]),
                    principal_arn: record.principal,
                    event_time: record.time,
                    action: Some(action),
                    log_file: &files[number],
                    record_index: number as u64,
                    ..DecisionRow::default()
                }));
            }
        }
        let place = Place::new();
        let of_file = |file: usize| -> Vec<&DecisionRow<'_>> { rows.iter().filter(|row| row.0 == file).map(|row| &row.1).collect() };
        let spread: Vec<ManifestFile> = (0..FILES).map(|file| place.write::<Decisions>(&format!("decisions/{file}.parquet"), &of_file(file), row_group)).collect();
        let spread: Vec<&ManifestFile> = spread.iter().collect();
        let all: Vec<&DecisionRow<'_>> = rows.iter().map(|row| &row.1).collect();
        let together = place.write::<Decisions>("decisions/all.parquet", &all, 1_000);

        let caps = Caps { runs_bytes, row_group_bytes: 5_000, row_group_rows: 17 };
        let of_spread = place.merge::<Decisions>(&spread, caps, "decisions/a.parquet");
        let of_all = place.merge::<Decisions>(&[&together], Caps { runs_bytes: 1 << 30, ..caps }, "decisions/b.parquet");
        prop_assert!(of_spread == of_all);

        let mut expect = all.clone();
        expect.sort_by_key(|row| (row.principal_arn, row.event_time));
        let expect: Vec<String> = expect.iter().map(|row| format!("{row:?}")).collect();
        prop_assert_eq!(texts(&of_spread), expect);
    }
}

#[test]
fn equal_keys_of_usage_become_one() {
    let place = Place::new();
    let row = |principal_type, calls, first_time, event_id| UsageRow {
        action: "s3:GetObject",
        principal_type: Some(principal_type),
        calls,
        succeeded: calls - 1,
        denied: 1,
        first_time,
        last_time: first_time,
        event_id,
        ..UsageRow::default()
    };
    let rows = [
        [
            row("AssumedRole", 2, Some(5), Some("e5")),
            row("IAMUser", 3, None, None),
        ],
        [
            row("AssumedRole", 4, Some(3), Some("b3")),
            row("IAMUser", 1, Some(9), None),
        ],
        [
            row("AssumedRole", 1, Some(3), Some("a3")),
            row("Root", 1, None, Some("r")),
        ],
    ];
    let file = |number: usize| {
        place.write::<Usage>(
            &format!("usage/{number}.parquet"),
            &rows[number].each_ref(),
            10,
        )
    };
    let files = [file(0), file(1), file(2)];
    let check = |order: [usize; 3], key: &str| {
        let files: Vec<&ManifestFile> = order.iter().map(|number| &files[*number]).collect();
        // A row group ends behind each row: sums are not torn apart.
        let caps = Caps {
            runs_bytes: 1,
            row_group_bytes: 1,
            row_group_rows: 1,
        };
        let merged = place.merge::<Usage>(&files, caps, key);
        let reader = TableReader::<Usage, Vec<u8>>::open(merged.clone()).unwrap();
        assert_eq!(reader.row_groups(), 3);
        let mut found = Vec::new();
        for row_group in 0..3 {
            for batch in reader.batches(row_group).unwrap() {
                batch.unwrap().with_rows(|rows| {
                    found.extend(rows.iter().map(|row| {
                        let counts = (row.calls, row.succeeded, row.denied);
                        let times = (row.first_time, row.last_time);
                        let id = row.event_id.map(str::to_owned);
                        (row.principal_type.unwrap().to_owned(), counts, times, id)
                    }));
                });
            }
        }
        let own = |text: &str| Some(text.to_owned());
        let expect = [
            (
                "AssumedRole".to_owned(),
                (7, 4, 3),
                (Some(3), Some(5)),
                own("a3"),
            ),
            ("IAMUser".to_owned(), (4, 2, 2), (Some(9), Some(9)), None),
            ("Root".to_owned(), (1, 0, 1), (None, None), own("r")),
        ];
        assert_eq!(found, expect);
        merged
    };
    let first = check([0, 1, 2], "usage/a.parquet");
    assert!(first == check([2, 0, 1], "usage/b.parquet"));
    assert!(first == check([1, 2, 0], "usage/c.parquet"));
}

#[test]
fn a_stop_leaves_nothing() {
    let place = Place::new();
    let row = UsageRow {
        action: "s3:GetObject",
        ..UsageRow::default()
    };
    let file = place.write::<Usage>("usage/a.parquet", &[&row], 1);
    let merger = Merger {
        store: &place.store,
        scratch: &place.scratch,
        stop: &AtomicBool::new(true),
        caps: Caps::DEFAULT,
    };
    let stopped = merger.merge::<Usage>(&[&file], "usage/b.parquet");
    assert!(matches!(stopped, Err(PipelineError::Stopped)));
    assert_eq!(place.store.list("").unwrap().len(), 1);
}
