//! `permissions` over sample-logs: what flips a state, and that it flips nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{analyze, duckdb, root, text};

/// Of every action of the expanded table: its state and the reason.
type States = BTreeMap<Vec<String>, (String, String)>;

/// The view in the documentation of the table.
fn documented() -> String {
    let page = fs::read_to_string(root().join("crates/tables/README.md")).unwrap();
    let section = page.split("## `permissions`").nth(1).unwrap();
    let block = section.split("```sql\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

fn expanded(out: &Path) -> States {
    let read = |table: &str| {
        format!("SELECT * FROM read_parquet('{table}/*/*.parquet', hive_partitioning = true)")
    };
    let sql = format!(
        "WITH permissions AS ({}), action_sets AS ({}), expanded AS ({}) SELECT principal_arn, policy, coalesce(group_arn, ''), coalesce(statement_index, -1)::VARCHAR, coalesce(action, ''), state, coalesce(reason, '') FROM expanded",
        read("permissions"),
        read("action_sets"),
        documented()
    );
    let mut states = States::new();
    for row in duckdb(out, &sql) {
        let row: Vec<String> = row
            .iter()
            .map(|cell| cell.as_str().unwrap().to_owned())
            .collect();
        let said = (row[5].clone(), row[6].clone());
        assert!(
            states.insert(row[..5].to_vec(), said).is_none(),
            "{row:?} twice"
        );
    }
    states
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The permissions of sample-logs under its snapshot after a change.
fn after(change: impl Fn(&Path), more: &[&str]) -> States {
    let folder = tempfile::tempdir().unwrap();
    let iam = folder.path().join("iam");
    copy(&root().join("sample-logs/iam"), &iam);
    change(&iam);
    let out = folder.path().join("out");
    let (status, _) = analyze(&root().join("sample-logs"), &iam, &out, more);
    assert_eq!(status, 0);
    expanded(&out)
}

fn edit(path: &Path, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// What has another state or reason, from what to what.
fn differences<'s>(before: &'s States, now: &'s States) -> Vec<Difference<'s>> {
    assert!(before.keys().eq(now.keys()), "the same permissions");
    before
        .iter()
        .zip(now.values())
        .filter(|((_, before), now)| before != now)
        .map(|((key, before), now)| (key.as_slice(), before, now))
        .collect()
}

/// A week of logs is enough here.
const WEEK: &[&str] = &["--min-window", "7"];

/// A permission, its state before, and its state now.
type Difference<'s> = (&'s [String], &'s (String, String), &'s (String, String));

#[test]
fn what_flips_a_state_flips_nothing_else() {
    let before = after(|_| {}, WEEK);
    let of_state =
        |states: &States, state: &str| states.values().filter(|said| said.0 == state).count();
    assert!(of_state(&before, "unused") > 1000 && of_state(&before, "used") > 50);

    // A data-event selector.
    let now = after(
        |iam| {
            for account in ["111122223333", "444455556666"] {
                edit(
                    &iam.join(format!("accounts/{account}/trails.json")),
                    |trails| {
                        let selectors = trails["eventSelectors"][0]["AdvancedEventSelectors"]
                            .as_array_mut()
                            .unwrap();
                        selectors.retain(|selector| selector["Name"] != "AWS::S3::Object");
                    },
                );
            }
        },
        WEEK,
    );
    let flipped = differences(&before, &now);
    assert!(flipped.len() > 20);
    for (key, before, now) in flipped {
        assert!(key[4].starts_with("s3:"), "{key:?}");
        assert_eq!(before.0, "unused", "{key:?}");
        assert_eq!(
            *now,
            (
                "unobservable".to_owned(),
                "data_events_not_recorded".to_owned()
            ),
            "{key:?}"
        );
    }

    // The window that is asked for.
    let now = after(|_| {}, &[]);
    for (key, before, now) in differences(&before, &now) {
        assert!(["unused", "too_new"].contains(&&*before.0), "{key:?}");
        assert_eq!(now.0, "window_too_short", "{key:?}");
    }
    assert_eq!(of_state(&now, "unused"), 0);

    // A younger role.
    const ROLE: &str = "PlatformServingRole";
    let is_role = |entry: &&mut Value| entry["RoleName"] == ROLE;
    let details = "accounts/444455556666/authorization-details.json";
    let now = after(
        |iam| {
            edit(&iam.join(details), |details| {
                let roles = details["RoleDetailList"].as_array_mut().unwrap();
                roles.iter_mut().find(is_role).unwrap()["CreateDate"] =
                    json!("2026-11-06T00:00:00+00:00");
            });
        },
        WEEK,
    );
    let flipped = differences(&before, &now);
    assert!(!flipped.is_empty());
    for (key, before, now) in flipped {
        assert!(key[0].ends_with(ROLE), "{key:?}");
        assert_eq!(before.0, "unused", "{key:?}");
        assert_eq!(
            *now,
            ("too_new".to_owned(), "new_principal".to_owned()),
            "{key:?}"
        );
    }

    // Nothing tells what the trail records: other Regions may not be recorded.
    let without_trails = |iam: &Path| {
        for account in ["111122223333", "444455556666"] {
            fs::remove_file(iam.join(format!("accounts/{account}/trails.json"))).unwrap();
        }
    };
    let now = after(without_trails, WEEK);
    let flipped = differences(&before, &now);
    assert!(
        flipped
            .iter()
            .any(|(.., now)| now.1 == "regions_not_observed")
    );
    for (key, before, now) in flipped {
        assert_ne!(before.0, "used", "{key:?}");
        assert_ne!(now.0, "used", "{key:?}");
    }
    let now = after(
        without_trails,
        &["--min-window", "7", "--assume-multi-region"],
    );
    for (key, before, now) in differences(&before, &now) {
        // Data events are then only known to be recorded where there are some.
        assert!(
            now.1.starts_with("data_events") || before.1.starts_with("data_events"),
            "{key:?} {before:?} {now:?}"
        );
    }
}

/// What AWS itself tells makes something of what nobody would have seen.
#[test]
fn last_accessed_information() {
    let before = after(|_| {}, WEEK);
    let hidden = |(_, said): &(&Vec<String>, &(String, String))| {
        said.1 == "never_recorded" || said.1 == "data_events_not_recorded"
    };
    let (key, _) = before.iter().find(hidden).unwrap();
    let (service, name) = key[4].split_once(':').unwrap();
    let told = |last: Option<&str>| {
        let principal = key[0].clone();
        let account = key[0].split(':').nth(4).unwrap().to_owned();
        let mut action = json!({"ActionName": name});
        if let Some(last) = last {
            action["LastAccessedTime"] = json!(last);
        }
        let information = json!({principal: {
            "JobStatus": "COMPLETED", "JobCreationDate": "2026-11-09T00:00:00+00:00",
            "ServicesLastAccessed": [{"ServiceNamespace": service, "ServiceName": service,
                "LastAuthenticated": "2026-11-05T00:00:00+00:00", "TrackedActionsLastAccessed": [action]}]}});
        move |iam: &Path| {
            let path = iam.join(format!("accounts/{account}/last-accessed.json"));
            fs::write(path, information.to_string()).unwrap();
        }
    };
    for (last, state) in [
        (Some("2026-11-05T00:00:00+00:00"), "used"),
        (None, "unused"),
    ] {
        let now = after(told(last), WEEK);
        let flipped = differences(&before, &now);
        assert!(!flipped.is_empty());
        for (of, before, now) in flipped {
            assert_eq!((&of[0], &of[4]), (&key[0], &key[4]));
            assert_eq!(before.0, "unobservable");
            assert_eq!(*now, (state.to_owned(), "last_accessed".to_owned()));
        }
    }
}

/// Who does not want it has none; the same again changes nothing.
#[test]
fn the_same_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (iam, out) = (root().join("sample-logs/iam"), folder.path().join("out"));
    let logs = root().join("sample-logs");
    analyze(&logs, &iam, &out, &["--no-findings"]);
    assert!(!out.join("permissions").exists());
    analyze(&logs, &iam, &out, &["--threads", "1"]);
    let files = || {
        let mut files = crate::support::files_under(&out);
        files.retain(|(path, _)| !path.contains("_retrial/"));
        files
    };
    let before = files();
    assert!(
        before
            .iter()
            .any(|(path, _)| path.starts_with("permissions/as_of=2026-11-08/")),
        "{}",
        text(&out)
    );
    let (_, report) = analyze(&logs, &iam, &out, &["--threads", "3"]);
    assert!(files() == before);
    assert_eq!(report["rows"], json!({}), "nothing was written");
    analyze(&logs, &iam, &out, &["--as-of", "2026-11-05"]);
    let now = files();
    assert_eq!(now.len(), before.len() + 4, "four tables of another day");
}
