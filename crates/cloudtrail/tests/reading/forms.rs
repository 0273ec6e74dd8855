//! The forms in which records come, and the files that hold none.

use retrial_cloudtrail::{FileKind, Limits, PartBudget};

use crate::support::{Outcome, check, log_file, read, read_with, record};

const A: &str = r#"{"eventName":"A","n":[{}]}"#;
const B: &str = r#"{"eventName":"B"}"#;
const KINESIS: &str = r#"{"eventSource":"aws:kinesis","kinesis":{}}"#;

#[test]
fn a_log_file() {
    check(
        format!(r#"{{"Records":[{A},{B}]}}"#),
        &[A, B],
        &[],
        FileKind::Events,
    );
    check(
        format!("\n{{ \"Records\" : [\r\n\t{A} ,\n{B}\n]\n}}\n"),
        &[A, B],
        &[],
        FileKind::Events,
    );
    check(r#"{"Records":[]}"#, &[], &[], FileKind::Events);
}

#[test]
fn members_around_the_records() {
    check(
        format!(
            r#"{{"a":"]","b":{{"Records":[1]}},"c":-1.5e3,"Records":[{A}],"d":[[]],"e":null}}"#
        ),
        &[A],
        &[],
        FileKind::Events,
    );
}

#[test]
fn two_lists_in_one_wrapper() {
    check(
        format!(r#"{{"Records":[{A}],"Records":[{B}]}}"#),
        &[A, B],
        &[],
        FileKind::Events,
    );
}

#[test]
fn a_page_of_lookup_events() {
    let entry = r#"{"EventId":"x","CloudTrailEvent":"{\"eventName\":\"A\"}"}"#;
    check(
        format!(r#"{{"NextToken":"t","Events":[{entry}]}}"#),
        &[entry],
        &[],
        FileKind::Events,
    );
}

#[test]
fn arrays_single_records_and_json_lines() {
    check(format!("[{A},{B}]"), &[A, B], &[], FileKind::Events);
    check(A, &[A], &[], FileKind::Events);
    check(format!("{A}\n{B}\n"), &[A, B], &[], FileKind::Events);
    check(format!("{A}{B}"), &[A, B], &[], FileKind::Events);
    check("[]", &[], &[], FileKind::Events);
}

#[test]
fn several_documents() {
    let file = format!(r#"{{"Records":[{A}]}}"#);
    check(
        format!("{file}{B}\n[{A},{file}] {file}"),
        &[A, B, A, A, A],
        &[],
        FileKind::Events,
    );
}

#[test]
fn byte_order_mark_and_empty_files() {
    check(
        format!("\u{feff}{{\"Records\":[{A}]}}"),
        &[A],
        &[],
        FileKind::Events,
    );
    check("", &[], &[], FileKind::Empty);
    check(" \r\n", &[], &[], FileKind::Empty);
    check("\u{feff}", &[], &[], FileKind::Empty);
    check([0xef, 0xbb], &[], &["not_json"], FileKind::Unknown);
    check([0xef, b'{', b'}'], &[], &["not_json"], FileKind::Unknown);
}

// Quirk 26.
#[test]
fn notifications_are_set_aside() {
    for source in ["aws:s3", "aws:sqs"] {
        let record =
            format!(r#"{{"eventVersion":"2.1","eventSource":"{source}","s3":{{"object":{{}}}}}}"#);
        check(
            format!(r#"{{"Records":[{record},{record}]}}"#),
            &[],
            &[],
            FileKind::Notification,
        );
        check(
            format!("{record}\n{record}\n"),
            &[],
            &[],
            FileKind::Notification,
        );
    }
    check(
        r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#,
        &[],
        &[],
        FileKind::Notification,
    );
    check(
        r#"{"Records":[{"EventSource":"aws:sns","Sns":{}}]}"#,
        &[],
        &[],
        FileKind::Notification,
    );
}

#[test]
fn nothing_inside_a_record_makes_it_a_notification() {
    let record = r#"{"eventSource":"lambda.amazonaws.com","requestParameters":{"eventSource":"aws:s3","insightDetails":{},"digestStartTime":1}}"#;
    check(
        format!(r#"{{"Records":[{record}]}}"#),
        &[record],
        &[],
        FileKind::Events,
    );
    check(record, &[record], &[], FileKind::Events);
}

#[test]
fn digests_are_set_aside() {
    let digest = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-11-02T09:00:00Z","logFiles":[{"s3Object":"a"}]}"#;
    check(digest, &[], &[], FileKind::Digest);
}

// Quirk 25: Insights events are records like others; the file's kind tells them.
#[test]
fn a_file_of_insights() {
    let insight = r#"{"eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start"}}"#;
    check(
        format!(r#"{{"Records":[{insight},{insight}]}}"#),
        &[insight, insight],
        &[],
        FileKind::Insight,
    );
    check(
        format!(r#"{{"Records":[{insight},{A}]}}"#),
        &[insight, A],
        &[],
        FileKind::Events,
    );
    check(insight, &[insight], &[], FileKind::Insight);
}

#[test]
fn what_holds_no_records_is_one_reject() {
    check(
        r#"{"name":"retrial","version":[1,2]}"#,
        &[],
        &["no_records"],
        FileKind::Unknown,
    );
    check("{}", &[], &["no_records"], FileKind::Unknown);
    check("{}{}\n{}", &[], &["no_records"], FileKind::Unknown);
    check(
        r#"[1,"a",[{}],null,-1]"#,
        &[],
        &["no_records"],
        FileKind::Unknown,
    );
    check(
        r#"{"Records":null}"#,
        &[],
        &["no_records"],
        FileKind::Unknown,
    );
    check(
        r#"{"message":"a line of another log"}"#,
        &[],
        &["no_records"],
        FileKind::Unknown,
    );
}

#[test]
fn documents_without_records_among_records() {
    check(
        format!("{{}}{{}}{A}{{}}{B}"),
        &[A, B],
        &["no_records", "no_records"],
        FileKind::Events,
    );
    // Set aside alone, but not in silence beside records.
    check(
        format!(r#"{{"digestStartTime":""}}{A}{{"Records":[{KINESIS}]}}"#),
        &[A],
        &["no_records"],
        FileKind::Events,
    );
    check(
        format!(r#"{A}{{"digestStartTime":""}}"#),
        &[A],
        &["no_records"],
        FileKind::Events,
    );
    let rejects = read(format!("{A}{{}} {{}}").as_bytes()).rejects;
    assert_eq!(rejects, [("no_records", Some(A.len() as u64), None)]);
}

#[test]
fn items_that_are_no_objects_are_rejected_one_by_one() {
    let outcome = read(format!(r#"{{"Records":[1,"a\"]",[{{}}],{A},null,{B}]}}"#).as_bytes());
    assert_eq!(outcome.texts(), [A, B]);
    assert_eq!(
        outcome
            .records
            .iter()
            .map(|(index, _, _)| *index)
            .collect::<Vec<_>>(),
        [3, 5]
    );
    assert_eq!(outcome.rejects.len(), 4);
    assert_eq!(
        outcome.rejects[2],
        ("record_not_an_object", Some(21), Some(2))
    );
    assert_eq!(outcome.kind, Some(FileKind::Events));
}

#[test]
fn a_malformed_record_does_not_break_the_file() {
    let broken = r#"{"a": tru}"#;
    check(
        format!(r#"{{"Records":[{broken},{A}]}}"#),
        &[broken, A],
        &[],
        FileKind::Events,
    );
}

#[test]
fn parts_are_cut_by_content_alone() {
    let content = log_file(100);
    let (whole, _) = read_with(content.as_bytes(), Limits::default(), PartBudget::UNLIMITED);
    assert_eq!(whole.records.len(), 100);
    let (by_records, parts) = read_with(
        content.as_bytes(),
        Limits::default(),
        PartBudget {
            bytes: u64::MAX,
            records: 10,
        },
    );
    assert_eq!((&by_records, parts), (&whole, 11));
    let three_records = 3 * record(0).len() as u64 + 2;
    let (by_bytes, parts) = read_with(
        content.as_bytes(),
        Limits::default(),
        PartBudget {
            bytes: three_records,
            records: u64::MAX,
        },
    );
    assert_eq!((&by_bytes, parts), (&whole, 34));
    let (nothing, parts) = read_with(
        &b""[..],
        Limits::default(),
        PartBudget {
            bytes: 0,
            records: 0,
        },
    );
    assert_eq!(
        (nothing, parts),
        (
            Outcome {
                kind: Some(FileKind::Empty),
                ..Outcome::default()
            },
            1
        )
    );
}
