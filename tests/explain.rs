//! `retrial explain`: one call at length, as users meet it.

use serde_json::{Value, json};

use crate::support::{record, retrial, root, snapshot_of_ana, text, write};

#[track_caller]
fn explained(event_id: &str) -> String {
    let logs = root().join("sample-logs");
    retrial(&[
        "explain",
        event_id,
        "--in",
        text(&logs),
        "--iam",
        text(&logs.join("iam")),
    ])
    .expect_status(0)
    .stdout
}

/// An event id of `sample-logs/truth.json`'s planted calls of this name.
fn planted(name: &str) -> String {
    let truth: Value =
        serde_json::from_slice(&std::fs::read(root().join("sample-logs/truth.json")).unwrap())
            .unwrap();
    let planted = truth["planted"]
        .as_array()
        .unwrap()
        .iter()
        .find(|planted| planted["id"] == name)
        .unwrap();
    planted["event_ids"][0].as_str().unwrap().to_owned()
}

#[test]
fn a_call_whose_role_can_no_longer_be_passed() {
    insta::assert_snapshot!(explained(&planted("old-execution-role")));
}

#[test]
fn a_call_that_a_statement_denies() {
    insta::assert_snapshot!(explained(&planted("models-are-frozen")));
}

#[test]
fn a_call_that_a_boundary_stops() {
    insta::assert_snapshot!(explained(&planted("cache-outside-the-boundary")));
}

#[test]
fn a_call_that_waits_for_a_key_nobody_recorded() {
    let text = explained(&planted("delete-by-tag"));
    assert!(
        text.contains("unknown   sagemaker:ResourceTag/owner"),
        "{text}"
    );
    assert!(
        text.contains("is open: what the request has is unknown"),
        "{text}"
    );
    let turning = "  the decision, if sagemaker:ResourceTag/owner is\n    ops: allowed\n    any other value: implicit_deny\n    absent: implicit_deny\n";
    assert!(text.contains(turning), "{text}");
}

#[test]
fn a_record_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "event.json",
        record("one").to_string().as_bytes(),
    );
    let iam = snapshot_of_ana(folder.path());
    let event = folder.path().join("event.json");
    let ran = retrial(&["explain", text(&event), "--iam", text(&iam)]).expect_status(0);
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "logs/event.json",
        json!({"Records": [record("one")]}).to_string().as_bytes(),
    );
    write(folder.path(), "empty.json", br#"{"Records":[]}"#);
    let iam = snapshot_of_ana(folder.path());
    let ran = retrial(&[
        "explain",
        "two",
        "--in",
        text(&folder.path().join("logs")),
        "--iam",
        text(&iam),
    ])
    .expect_status(2);
    assert!(
        ran.stderr.contains("no record with the event id `two`"),
        "{}",
        ran.stderr
    );
    let ran = retrial(&[
        "explain",
        text(&folder.path().join("empty.json")),
        "--iam",
        text(&iam),
    ])
    .expect_status(2);
    assert!(
        ran.stderr.contains("holds no CloudTrail record"),
        "{}",
        ran.stderr
    );
    let ran = retrial(&["explain", "some-event-id", "--iam", text(&iam)]).expect_status(2);
    assert!(
        ran.stderr
            .contains("hint: to look for an event id in log files, add `--in FOLDER`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_cannot_be_read_on_the_way_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "logs/broken.json",
        b"{\"Records\":[{\"eventName\":\"List",
    );
    let iam = snapshot_of_ana(folder.path());
    let logs = folder.path().join("logs");
    let ran = retrial(&["explain", "two", "--in", text(&logs), "--iam", text(&iam)]);
    let ran = ran.expect_status(2);
    assert!(
        ran.stderr
            .contains("`broken.json`: the file ends within a string"),
        "{}",
        ran.stderr
    );
}
