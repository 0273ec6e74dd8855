//! The rule, held against a model that remembers everything.

use proptest::prelude::*;
use retrial_storage::{
    Condition, Entry, FolderStore, Object, StorageError, Store, Upload, Version,
};
use tempfile::TempDir;

use super::*;

/// A record as the tests state it: event id, account, body, minute.
type Plain = (Option<u8>, u8, u8, u32);

fn fingerprint((id, account, body, minute): Plain) -> Fingerprint {
    let id = id.map(|id| format!("id-{id}"));
    let account = format!("{account:012}");
    let body = body_hash(format!("{{\"body\":{body}}}").as_bytes());
    Fingerprint::new(id.as_deref(), Some(&account), body, minute)
}

/// The rule of the module's documentation, word by word.
#[derive(Clone, Default)]
struct Model {
    kept: Vec<Plain>,
}

impl Model {
    fn check(&mut self, record: Plain) -> Novelty {
        let (id, account, body, minute) = record;
        let near: Vec<&Plain> = self
            .kept
            .iter()
            .filter(|kept| kept.3.abs_diff(minute) <= 7 * 24 * 60)
            .filter(|kept| match (id, kept.0) {
                (Some(id), Some(other)) => id == other && account == kept.1,
                (None, None) => body == kept.2,
                _ => false,
            })
            .collect();
        let novelty = if near.iter().any(|kept| kept.2 == body) {
            return Novelty::Duplicate;
        } else if near.is_empty() {
            Novelty::New
        } else {
            Novelty::Conflict
        };
        self.kept.push(record);
        novelty
    }
}

/// A store whose objects are no files of this machine.
struct Remote(FolderStore);

impl Store for Remote {
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        self.0.list(prefix)
    }
    fn read(&self, key: &str) -> Result<Option<Object>, StorageError> {
        self.0.read(key)
    }
    fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        self.0.size(key)
    }
    fn read_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        self.0.read_range(key, offset, length)
    }
    fn put(&self, key: &str, bytes: &[u8], condition: Condition) -> Result<Version, StorageError> {
        self.0.put(key, bytes, condition)
    }
    fn begin(&self, key: &str) -> Result<Box<dyn Upload>, StorageError> {
        self.0.begin(key)
    }
    fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.0.delete(key)
    }
    fn clean(&self) -> Result<u64, StorageError> {
        self.0.clean()
    }
    fn location(&self) -> &str {
        self.0.location()
    }
}

struct Place {
    folder: TempDir,
    scratch: Scratch,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(&folder.path().join("scratch")).unwrap();
        Self { folder, scratch }
    }

    fn store(&self) -> FolderStore {
        FolderStore::create(&self.folder.path().join("out")).unwrap()
    }
}

/// One thing that a run does.
#[derive(Debug, Clone)]
enum Act {
    Check(Vec<Plain>),
    Commit,
    /// The run ends here, and another goes on from the last commit.
    Reopen,
    /// Nothing delivered before the minute comes any more.
    Retire(u32),
}

fn record() -> impl Strategy<Value = Plain> {
    // Few ids and bodies, and minutes around the 7 days and their stretches of the clock.
    let minute = prop_oneof![
        4 => 30_000u32..30_010,
        2 => (0u32..5).prop_map(|week| 30_240 + week * 10_080),
        2 => (0u32..5).prop_map(|week| 30_239 + week * 10_080),
        2 => (0u32..5).prop_map(|week| 30_241 + week * 10_080),
        2 => 20_000u32..90_000,
        1 => 0u32..3,
        1 => u32::MAX - 3..=u32::MAX,
    ];
    (prop::option::weighted(0.9, 0u8..4), 0u8..2, 0u8..6, minute)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => proptest::collection::vec(record(), 0..40).prop_map(Act::Check),
        3 => Just(Act::Commit),
        2 => Just(Act::Reopen),
        1 => (0u32..100_000).prop_map(Act::Retire),
    ]
}

fn check_against_the_model(acts: &[Act], caps: Caps, store: &dyn Store, scratch: &Scratch) {
    let mut runs: Vec<RunFile> = Vec::new();
    let mut duplicates = Duplicates::open_with(store, &runs, scratch, caps).unwrap();
    let (mut model, mut committed) = (Model::default(), Model::default());
    let mut earliest = 0;
    for (number, act) in acts.iter().enumerate() {
        match act {
            Act::Check(records) => {
                let records: Vec<Plain> = records
                    .iter()
                    .map(|(id, account, body, minute)| {
                        (*id, *account, *body, *minute.max(&earliest))
                    })
                    .collect();
                let fingerprints: Vec<Fingerprint> =
                    records.iter().copied().map(fingerprint).collect();
                let expect: Vec<Novelty> = records.iter().map(|r| model.check(*r)).collect();
                // Among the records of some bodies, the same ones are duplicates.
                let some: Vec<usize> = (0..records.len())
                    .filter(|at| records[*at].2.is_multiple_of(2))
                    .collect();
                let among: Vec<Fingerprint> = some.iter().map(|at| fingerprints[*at]).collect();
                let is_duplicate = |novelty: &Novelty| *novelty == Novelty::Duplicate;
                assert_eq!(
                    duplicates
                        .preview(&among)
                        .unwrap()
                        .iter()
                        .map(is_duplicate)
                        .collect::<Vec<_>>(),
                    some.iter()
                        .map(|at| is_duplicate(&expect[*at]))
                        .collect::<Vec<_>>(),
                    "{records:?}"
                );
                assert_eq!(
                    duplicates.check(&fingerprints).unwrap(),
                    expect,
                    "{records:?}"
                );
            }
            Act::Commit => {
                let key = format!("_retrial/duplicates/{number:06}");
                let run = duplicates.commit(&key, "2026-11-02").unwrap();
                let new = model.kept.get(committed.kept.len()..).unwrap();
                let expect = (!new.is_empty()).then(|| RunFile {
                    key,
                    records: new.len() as u64,
                    delivery_date: "2026-11-02".to_owned(),
                    first_minute: new.iter().map(|r| r.3).min().unwrap(),
                    last_minute: new.iter().map(|r| r.3).max().unwrap(),
                });
                assert_eq!(run, expect);
                runs.extend(run);
                committed = model.clone();
            }
            Act::Reopen => {
                duplicates = Duplicates::open_with(store, &runs, scratch, caps).unwrap();
                model = committed.clone();
            }
            Act::Retire(minute) => {
                earliest = earliest.max(*minute);
                let retired = duplicates.retire(earliest);
                let far = |run: &RunFile| u64::from(run.last_minute) + 10_080 < u64::from(earliest);
                let expect: Vec<String> =
                    runs.extract_if(.., |run| far(run)).map(|r| r.key).collect();
                assert_eq!(retired, expect);
                retired.iter().for_each(|key| store.delete(key).unwrap());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn answers_as_the_model_does(
        acts in proptest::collection::vec(act(), 1..30),
        pending in prop::sample::select(vec![1, 5, 40, 1 << 20]),
        filter_bytes in prop::sample::select(vec![0, 256, 4096, 64 << 20]),
        remote in any::<bool>(),
    ) {
        let place = Place::new();
        let caps = Caps { pending, filter_bytes };
        if remote {
            check_against_the_model(&acts, caps, &Remote(place.store()), &place.scratch);
        } else {
            check_against_the_model(&acts, caps, &place.store(), &place.scratch);
        }
    }
}

#[test]
fn the_rule_by_example() {
    let check = |records: &[Plain], expect: &[Novelty]| {
        let place = Place::new();
        let store = place.store();
        let fingerprints: Vec<Fingerprint> = records.iter().copied().map(fingerprint).collect();
        // As one slice, as slices, and as batches.
        let mut duplicates = Duplicates::open(&store, &[], &place.scratch).unwrap();
        assert_eq!(duplicates.check(&fingerprints).unwrap(), expect);
        for each_a_batch in [false, true] {
            let mut duplicates = Duplicates::open(&store, &[], &place.scratch).unwrap();
            for (place, (one, expect)) in fingerprints.iter().zip(expect).enumerate() {
                assert_eq!(duplicates.check(&[*one]).unwrap(), [*expect]);
                if each_a_batch {
                    duplicates.commit(&format!("d/{place}"), "unknown").unwrap();
                }
            }
        }
    };
    let at = |minute| (Some(1), 1, 1, minute);
    use Novelty::{Conflict, Duplicate, New};
    check(&[at(5), at(5)], &[New, Duplicate]);
    // 7 days to the minute, in either direction.
    check(
        &[at(20_000), at(30_080), at(9_920)],
        &[New, Duplicate, Duplicate],
    );
    check(&[at(20_000), at(30_081), at(9_919)], &[New, New, New]);
    // A duplicate does not extend the 7 days.
    check(&[at(0), at(10_000), at(10_081)], &[New, Duplicate, New]);
    // Another body: kept, flagged, and itself remembered.
    let other = |minute| (Some(1), 1, 2, minute);
    check(
        &[at(5), other(6), other(7), at(8)],
        &[New, Conflict, Duplicate, Duplicate],
    );
    check(&[at(5), other(10_086)], &[New, New]);
    // Another account, another id: other records.
    check(
        &[at(5), (Some(1), 2, 1, 5), (Some(2), 1, 1, 5)],
        &[New, New, New],
    );
    // Without an id, the content.
    check(
        &[(None, 1, 1, 5), (None, 2, 1, 5), (None, 1, 2, 5)],
        &[New, Duplicate, New],
    );
}

#[test]
fn commits_give_the_same_bytes_whatever_was_spilled() {
    let bytes_of = |pending, slice| {
        let place = Place::new();
        let store = place.store();
        let caps = Caps {
            pending,
            filter_bytes: 1 << 20,
        };
        let mut duplicates = Duplicates::open_with(&store, &[], &place.scratch, caps).unwrap();
        let all: Vec<Fingerprint> = (0..20_000u32)
            .map(|n| fingerprint((Some((n % 50) as u8), (n % 7) as u8, (n % 13) as u8, n * 9)))
            .collect();
        all.chunks(slice)
            .for_each(|slice| drop(duplicates.check(slice).unwrap()));
        duplicates.commit("run", "2026-11-02").unwrap();
        store.read("run").unwrap().unwrap().bytes
    };
    let expect = bytes_of(1 << 20, 20_000);
    assert!(expect.len() > 24 * 4_000);
    for (pending, slice) in [(1, 1_000), (100, 1_700), (3_000, 500), (20_000, 77)] {
        assert!(bytes_of(pending, slice) == expect, "{pending} {slice}");
    }
}

/// A hundred thousand of records of one id: if any of this were quadratic, it would not end.
#[test]
fn one_id_with_any_number_of_bodies_and_minutes() {
    let check = |of: &dyn Fn(u64) -> Fingerprint, expect_new: usize, expect_duplicate: usize| {
        let place = Place::new();
        let store = place.store();
        let caps = Caps {
            pending: 8_000,
            filter_bytes: 1 << 20,
        };
        let mut duplicates = Duplicates::open_with(&store, &[], &place.scratch, caps).unwrap();
        let mut counts = [0; 3];
        for slice in 0..100 {
            let slice: Vec<Fingerprint> = (slice * 1_000..(slice + 1) * 1_000).map(of).collect();
            for novelty in duplicates.check(&slice).unwrap() {
                counts[novelty as usize] += 1;
            }
        }
        let kept = 100_000 - expect_duplicate;
        assert_eq!(counts, [expect_new, expect_duplicate, kept - expect_new]);
        let run = duplicates.commit("run", "unknown").unwrap().unwrap();
        assert_eq!(run.records, kept as u64);
        // And once more, against the committed run.
        let again: Vec<Fingerprint> = (0..100_000).map(of).collect();
        let all = duplicates.check(&again).unwrap();
        assert!(all.iter().all(|novelty| *novelty == Novelty::Duplicate));
        let others: Vec<Fingerprint> = (0..100_000)
            .map(|n| {
                let record = of(n);
                record.at(body_hash(&(n + 1_000_000).to_le_bytes()), record.minute)
            })
            .collect();
        let all = duplicates.check(&others).unwrap();
        assert!(all.iter().all(|novelty| *novelty == Novelty::Conflict));
    };
    let record = |body: u64, minute: u32| {
        Fingerprint::new(
            Some("EXAMPLE"),
            Some("111122223333"),
            body_hash(&body.to_le_bytes()),
            minute,
        )
    };
    // All equal.
    check(&|_| record(0, 30_000_000), 1, 99_999);
    // All bodies different, within a week.
    check(&|n| record(n, 30_000_000 + (n % 1_440) as u32), 1, 0);
    // All bodies different, in no order, each further than 7 days from all others.
    check(
        &|n| record(n, (n * 7_919 % 100_000) as u32 * 10_081),
        100_000,
        0,
    );
}

#[test]
fn a_run_that_is_not_as_it_was_written_is_an_error_that_names_it() {
    let place = Place::new();
    let store = place.store();
    let mut duplicates = Duplicates::open(&store, &[], &place.scratch).unwrap();
    let slice: Vec<Fingerprint> = (0..200).map(|n| fingerprint((Some(n), 1, 1, 7))).collect();
    duplicates.check(&slice).unwrap();
    let run = duplicates.commit("d/run", "2026-11-02").unwrap().unwrap();
    let whole = store.read("d/run").unwrap().unwrap().bytes;
    let check = |bytes: Option<&[u8]>, expect: &str| {
        store.delete("d/run").unwrap();
        if let Some(bytes) = bytes {
            store.put("d/run", bytes, Condition::Always).unwrap();
        }
        for store in [&store as &dyn Store, &Remote(store.clone())] {
            let opened = Duplicates::open(store, std::slice::from_ref(&run), &place.scratch);
            assert_eq!(
                opened.err().map(|e| e.to_string()).unwrap_or_default(),
                expect
            );
        }
    };
    let changed = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        bytes
    };
    check(Some(&whole), "");
    let torn = "`d/run`: it is cut short or has been added to";
    for length in [
        16,
        17,
        40,
        whole.len() / 2,
        whole.len() - 24,
        whole.len() - 1,
    ] {
        check(Some(&whole[..length]), torn);
    }
    check(Some(&[&whole[..], b"x"].concat()), torn);
    check(Some(b""), "`d/run`: not a run of fingerprints");
    check(Some(b"PAR1"), "`d/run`: not a run of fingerprints");
    check(Some(&changed(3)), "`d/run`: not a run of fingerprints");
    check(
        Some(&changed(11)),
        "`d/run`: its format is 5, which this version does not know",
    );
    let checksum = "`d/run`: its checksum does not match its content";
    for place in [
        16,
        100,
        whole.len() - 65,
        whole.len() - 40,
        whole.len() - 10,
    ] {
        check(Some(&changed(place)), checksum);
    }
    check(None, "`d/run`: cannot read: entity not found");
    let other = RunFile {
        records: 3,
        ..run.clone()
    };
    store.put("d/run", &whole, Condition::Always).unwrap();
    let opened = Duplicates::open(&store, &[other], &place.scratch);
    let message = opened.err().unwrap().to_string();
    assert_eq!(
        message,
        "`d/run`: it has 200 records, and 3 by the manifest"
    );
}

#[test]
fn memory_stays_within_what_is_stated() {
    let place = Place::new();
    let store = place.store();
    let caps = Caps {
        pending: 10_000,
        filter_bytes: 32 << 10,
    };
    let mut duplicates = Duplicates::open_with(&store, &[], &place.scratch, caps).unwrap();
    let mut most = 0;
    for slice in 0..200u64 {
        let slice: Vec<Fingerprint> = (0..1_000)
            .map(|n| Fingerprint::new(None, None, body_hash(&(slice * 1_000 + n).to_le_bytes()), 7))
            .collect();
        let new = duplicates.check(&slice).unwrap();
        assert!(new.iter().all(|novelty| *novelty == Novelty::New));
        most = most.max(duplicates.bytes());
    }
    duplicates.commit("run", "2026-11-02").unwrap();
    // Levels 240 KiB, filters 32 KiB, and up to 16 runs of 8 cached blocks.
    assert!(most < (240 << 10) + (32 << 10) + 16 * (70 << 10), "{most}");
    assert!(duplicates.bytes() < (100 << 10), "{}", duplicates.bytes());
}
