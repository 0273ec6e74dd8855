use proptest::prelude::*;
use retrial_storage::{FolderStore, Store};
use retrial_tables::{SessionRow, TableWriter, sort_order};

use super::*;
use crate::manifest::ManifestFile;

const TRAINER: &str = "arn:aws:iam::111122223333:role/Trainer";
const NOON: u32 = 30_000_000;

fn row(access_key_id: &str) -> SessionRow<'_> {
    SessionRow {
        access_key_id,
        event_name: Some("AssumeRole"),
        caller_principal_arn: Some("arn:aws:iam::111122223333:user/ana"),
        role_arn: Some(TRAINER),
        ..SessionRow::default()
    }
}

/// A session of the role that another session asked for.
fn chained<'r>(access_key_id: &'r str, asking: &'r str) -> SessionRow<'r> {
    SessionRow {
        caller_principal_arn: Some("arn:aws:iam::111122223333:role/First"),
        caller_access_key_id: Some(asking),
        ..row(access_key_id)
    }
}

/// What is found: the session's tags and whether they are all, `not yet` or `never`.
fn found(sessions: &Sessions, key: &str, minute: u32, read_to: u32) -> String {
    match sessions.find(key, minute, read_to) {
        Found::NotYet => "not yet".to_owned(),
        Found::Never => "never".to_owned(),
        Found::Known(session) => {
            let mut words: Vec<String> = session
                .tags()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            if !session.tags_are_all() {
                words.push("and others".to_owned());
            }
            words.join(" ")
        }
    }
}

const A: &str = "ASIAEXAMPLEKEY00000A";
const B: &str = "ASIAEXAMPLEKEY00000B";
const C: &str = "ASIAEXAMPLEKEY00000C";

#[test]
fn the_horizon() {
    let mut sessions = Sessions::default();
    sessions.add(&row(A), NOON);
    #[track_caller]
    fn check(sessions: &Sessions, minute: u32, read_to: u32, expect: &str) {
        assert_eq!(found(sessions, A, minute, read_to), expect);
    }
    check(&sessions, NOON, NOON, "");
    check(&sessions, NOON + BEFORE, NOON + BEFORE, "");
    check(&sessions, NOON - AFTER, NOON, "");
    // Too long before, and too long after.
    let late = NOON + BEFORE + 1;
    check(&sessions, late, late, "not yet");
    check(&sessions, late, late + AFTER, "not yet");
    check(&sessions, late, late + AFTER + 1, "never");
    let early = NOON - AFTER - 1;
    check(&sessions, early, early + AFTER, "not yet");
    check(&sessions, early, early + AFTER + 1, "never");
    check(&sessions, early, u32::MAX, "never");
    assert_eq!(found(&sessions, B, 0, 0), "not yet");
    assert_eq!(found(&sessions, B, u32::MAX, u32::MAX), "not yet");
}

#[test]
fn of_several_issues_the_first_in_plan_order() {
    let mut sessions = Sessions::default();
    for (number, minute) in [
        ("1", NOON + 20),
        ("2", NOON),
        ("3", NOON + 20),
        ("4", NOON + 40),
    ] {
        let tags = [("n", number)];
        sessions.add(
            &SessionRow {
                tags: &tags,
                ..row(A)
            },
            minute,
        );
    }
    let at = |minute| found(&sessions, A, minute, u32::MAX);
    assert_eq!(at(NOON + 20), "n=1");
    assert_eq!(at(NOON + 5), "n=1");
    assert_eq!(at(NOON + 4), "n=2");
    assert_eq!(at(NOON + BEFORE), "n=1");
    assert_eq!(at(NOON + BEFORE + 21), "n=4");
}

#[test]
fn tags_are_handed_on_in_whatever_order_the_records_come() {
    let first_tags = [("team", "vision"), ("desk", "4")];
    let first = SessionRow {
        tags: &first_tags,
        transitive_tag_keys: &["team"],
        ..row(A)
    };
    let cost = [("cost", "7")];
    let second = SessionRow {
        tags: &cost,
        transitive_tag_keys: &["cost"],
        ..chained(B, A)
    };
    let third = chained(C, B);
    let whole = "cost=7 team=vision";
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut sessions = Sessions::default();
        for place in order {
            let late = u32::try_from(place).unwrap();
            sessions.add([&first, &second, &third][place], NOON + late);
        }
        assert_eq!(found(&sessions, C, NOON, NOON), whole, "{order:?}");
        assert_eq!(found(&sessions, B, NOON, NOON), whole, "{order:?}");
        assert!(sessions.waiting.is_empty());
    }
    // Without the first: they wait, and then go without.
    let mut sessions = Sessions::default();
    sessions.add(&third, NOON);
    sessions.add(&second, NOON);
    assert_eq!(found(&sessions, C, NOON, NOON + AFTER), "not yet");
    assert_eq!(
        found(&sessions, C, NOON, NOON + AFTER + 1),
        "cost=7 and others"
    );
    assert_eq!(found(&sessions, B, NOON, u32::MAX), "cost=7 and others");
}

#[test]
fn a_chain_that_bites_its_tail_ends() {
    let tags = [("n", "1")];
    let tagged = |row| SessionRow {
        tags: &tags,
        transitive_tag_keys: &["n"],
        ..row
    };
    let mut sessions = Sessions::default();
    sessions.add(&tagged(chained(A, A)), NOON);
    sessions.add(&tagged(chained(B, C)), NOON);
    sessions.add(&tagged(chained(C, B)), NOON);
    for key in [A, B, C] {
        assert_eq!(found(&sessions, key, NOON, NOON), "not yet");
        assert_eq!(found(&sessions, key, NOON, u32::MAX), "n=1 and others");
    }
}

#[test]
fn what_nobody_can_join_is_forgotten() {
    let mut sessions = Sessions::default();
    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let cut = SessionRow {
        session_policy: Some(policy),
        session_policy_id: Some("p"),
        ..row(A)
    };
    sessions.add(&cut, NOON);
    sessions.add(&row(A), NOON + 100);
    sessions.add(&chained(B, C), NOON);
    sessions.forget_before(NOON + BEFORE);
    assert_eq!((sessions.issued.len(), sessions.contents.len()), (2, 3));
    sessions.forget_before(NOON + KEPT + 61);
    assert_eq!((sessions.issued.len(), sessions.contents.len()), (1, 1));
    assert!(sessions.later.is_empty() && sessions.waiting.is_empty());
    assert_eq!(found(&sessions, A, NOON + 100, u32::MAX), "");
    sessions.forget_before(u32::MAX);
    assert_eq!((sessions.issued.len(), sessions.contents.len()), (0, 0));
}

#[test]
fn sessions_that_are_alike_are_held_once() {
    let mut sessions = Sessions::default();
    for number in 0..10_000 {
        sessions.add(&row(&format!("ASIAEXAMPLE{number:09}")), NOON + number % 7);
    }
    assert_eq!(
        (sessions.issued.len(), sessions.contents.len()),
        (10_000, 1)
    );
    assert_eq!(size_of::<(Key, Issue)>(), 20);
}

#[test]
fn policies_beyond_the_limit_stay_unknown() {
    let mut sessions = Sessions::new(4_000);
    for number in 0..100 {
        let policy = format!(r#"{{"Statement": [], "Id": "{number}"}}"#);
        let id = number.to_string();
        let key = format!("ASIAEXAMPLE{number:09}");
        let cut = SessionRow {
            session_policy: Some(&policy),
            session_policy_id: Some(&id),
            ..row(&key)
        };
        sessions.add(&cut, NOON);
    }
    // They are known, and their policies are not none.
    for key in ["ASIAEXAMPLE000000000", "ASIAEXAMPLE000000099"] {
        match sessions.find(key, NOON, NOON) {
            Found::Known(session) => assert!(session.policy_id().is_some()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn keys_of_any_form_are_told_apart() {
    let keys = [
        "ASIA0000000000000000",
        "ASIA0000000000000001",
        "ASIAZZZZZZZZZZZZZZZZ",
        "ASIA000000000000000",
        "ASIA00000000000000000",
        "BBBBBBBBBBBBBBBBBBBB",
        "asia0000000000000000",
        "ASIA000000000000000a",
        "",
    ];
    let mut packed: Vec<Key> = keys.iter().map(|key| Key::of(key)).collect();
    packed.sort();
    packed.dedup();
    assert_eq!(packed.len(), keys.len());
}

/// A committed file of these rows.
fn file(store: &FolderStore, batch: u64, rows: &[SessionRow<'_>]) -> ManifestFile {
    type Rows = retrial_tables::Sessions;
    let mut sorted: Vec<&SessionRow<'_>> = rows.iter().collect();
    sorted.sort_by(|left, right| sort_order::<Rows>(left, right));
    let key = format!("sessions/event_date=2026-11-02/{batch:06}.parquet");
    let mut upload = store.begin(&key).unwrap();
    let mut writer = TableWriter::<Rows, _>::new(&mut upload).unwrap();
    writer.write(&sorted).unwrap();
    let bytes = writer.finish().unwrap().bytes;
    upload.complete().unwrap();
    ManifestFile {
        table: "sessions".to_owned(),
        event_date: "2026-11-02".to_owned(),
        delivery_date: "2026-11-02".to_owned(),
        tail: false,
        batch,
        key,
        rows: rows.len() as u64,
        bytes,
        snapshot_ids: Vec::new(),
        mapping_versions: Vec::new(),
        evaluator_versions: Vec::new(),
        supersedes: Vec::new(),
        strict: false,
    }
}

/// One issue: which key, which minute after noon, who asked.
#[derive(Debug, Clone)]
struct Issuing {
    key: usize,
    minute: u32,
    asking: Option<usize>,
}

fn issuing() -> impl Strategy<Value = Issuing> {
    (0..6_usize, 0..4_u32, prop::option::of(0..6_usize)).prop_map(|(key, step, asking)| Issuing {
        key,
        minute: step * 9,
        asking,
    })
}

fn keys() -> Vec<String> {
    (0..6)
        .map(|number| format!("ASIAEXAMPLEKEY00000{number}"))
        .collect()
}

proptest! {
    // Each case writes and syncs files.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What is loaded from committed files is what was there when they were written, whatever their order.
    #[test]
    fn loading_restores(mut issues in prop::collection::vec(issuing(), 0..14)) {
        issues.sort_by_key(|issue| issue.minute);
        let keys = keys();
        let names: Vec<String> = (0..issues.len()).map(|number| number.to_string()).collect();
        let tags: Vec<[(&str, &str); 1]> = names.iter().map(|name| [(name.as_str(), "")]).collect();
        let files: Vec<String> = issues.iter().map(|issue| {
            format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/111122223333_CloudTrail_eu-west-1_20261102T12{:02}Z_AAAAAAAAAAAAAAAA.json.gz", issue.minute)
        }).collect();
        let noon = u32::try_from(retrial_cloudtrail::Timestamp::parse("2026-11-02T12:00:00Z").unwrap().micros() / 60_000_000).unwrap();
        let mut index = 0;
        let rows: Vec<(u32, SessionRow<'_>)> = issues.iter().enumerate().map(|(number, issue)| {
            index += 1;
            let base = match issue.asking {
                Some(asking) => chained(&keys[issue.key], &keys[asking]),
                None => row(&keys[issue.key]),
            };
            let transitive: &[&str] = std::slice::from_ref(&tags[number][0].0);
            (noon + issue.minute, SessionRow {
                tags: &tags[number], transitive_tag_keys: transitive, log_file: &files[number], record_index: index, ..base
            })
        }).collect();
        let mut live = Sessions::default();
        for (minute, row) in &rows {
            live.add(row, *minute);
        }
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(folder.path()).unwrap();
        let half = rows.len() / 2;
        let committed_rows = |batch: u64, rows: &[(u32, SessionRow<'_>)]| {
            let rows: Vec<SessionRow<'_>> = rows.iter().map(|(_, row)| *row).collect();
            (!rows.is_empty()).then(|| file(&store, batch, &rows))
        };
        let halves = [(1, &rows[..half]), (2, &rows[half..])];
        let mut committed: Vec<ManifestFile> = halves
            .into_iter()
            .filter_map(|(batch, rows)| committed_rows(batch, rows))
            .collect();
        committed.reverse();
        let mut loaded = Sessions::default();
        let files = || SessionFiles {
            store: &store,
            files: committed.iter().collect(),
        };
        loaded.load(&[files()], 0).unwrap();
        for key in &keys {
            for minute in [noon - 20, noon - 5, noon + 5, noon + 30, noon + BEFORE + 10] {
                for read_to in [noon, u32::MAX] {
                    prop_assert_eq!(found(&live, key, minute, read_to), found(&loaded, key, minute, read_to));
                }
            }
        }
        let mut none = Sessions::default();
        none.load(&[files()], noon + 100).unwrap();
        prop_assert_eq!(none.issued.len(), 0);
    }

}

proptest! {
    /// The first in plan order within the horizon, as a list says it.
    #[test]
    fn finding_is_searching_a_list(
        issues in prop::collection::vec((0..3_usize, 0..9_u32), 0..40),
        call in (0..3_usize, 0..20_u32),
        forget in prop::option::of(0..20_u32),
    ) {
        let keys = keys();
        const STEP: u32 = 300;
        let mut sessions = Sessions::default();
        let names: Vec<String> = (0..issues.len()).map(|number| number.to_string()).collect();
        for ((key, step), name) in issues.iter().zip(&names) {
            let tags = [(name.as_str(), "")];
            sessions.add(&SessionRow { tags: &tags, ..row(&keys[*key]) }, step * STEP);
        }
        let minute = call.1 * STEP;
        if let Some(forget) = forget {
            sessions.forget_before((forget * STEP).min(minute));
        }
        let expect = issues.iter().zip(&names).find(|((key, step), _)| {
            let issued = step * STEP;
            *key == call.0 && issued <= minute + 15 && issued + 36 * 60 >= minute
        });
        let expect = expect.map_or("never".to_owned(), |(_, name)| format!("{name}="));
        prop_assert_eq!(found(&sessions, &keys[call.0], minute, u32::MAX), expect);
    }
}
