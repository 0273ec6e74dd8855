//! Files made to exhaust whoever reads them.

use std::io::{self, Read};

use flate2::Compression;
use flate2::read::GzEncoder;
use retrial_cloudtrail::{FileKind, Limits, PartBudget, RecordError, RecordParser};

use crate::breaks::check_chunks;
use crate::support::{read, read_with};

const A: &str = r#"{"eventName":"A"}"#;
const MIB: u64 = 1024 * 1024;

/// `before`, `middle` bytes of `filling`, `after`; never in memory.
fn around(before: &'static str, filling: u8, middle: u64, after: &'static str) -> impl Read {
    before
        .as_bytes()
        .chain(io::repeat(filling).take(middle))
        .chain(after.as_bytes())
}

#[test]
fn ten_gigabytes_from_ten_megabytes() {
    // Not held as a file: what compresses it runs only as far as it is read.
    for (before, filling) in [
        ("{\"Records\":[", b' '),
        ("{\"Records\":[{\"a\":\"", b'x'),
        ("{\"Records\":[", b'['),
        ("{\"a\":", b'1'),
    ] {
        let bomb = GzEncoder::new(
            around(before, filling, 10 * 1024 * MIB, ""),
            Compression::best(),
        );
        let (outcome, _) = read_with(bomb, Limits::default(), PartBudget::UNLIMITED);
        let [("compression_ratio_too_high", _, _)] = outcome.rejects[..] else {
            panic!("{:?}", outcome.rejects)
        };
    }
    let zeros = GzEncoder::new(io::repeat(0).take(10 * 1024 * MIB), Compression::best());
    let (outcome, _) = read_with(zeros, Limits::default(), PartBudget::UNLIMITED);
    assert_eq!(outcome.rejects, [("not_json", Some(0), None)]);
}

#[test]
fn limits_stop_at_their_byte_and_keep_what_came_before() {
    let content = format!(r#"{{"Records":[{A},{A},{A}]}}"#);
    let limits = Limits {
        decompressed_bytes: 50,
        ..Limits::default()
    };
    let (outcome, _) = read_with(content.as_bytes(), limits, PartBudget::UNLIMITED);
    assert_eq!(
        (outcome.texts(), &outcome.rejects),
        (vec![A, A], &vec![("file_too_large", Some(48), Some(2))])
    );
    let limits = Limits {
        ratio: 0,
        ratio_floor_bytes: 29,
        ..Limits::default()
    };
    let (outcome, _) = read_with(content.as_bytes(), limits, PartBudget::UNLIMITED);
    assert_eq!(outcome.texts(), [A]);
    assert_eq!(
        outcome.rejects,
        [("compression_ratio_too_high", Some(29), None)]
    );
    // A file of exactly the limit is whole.
    let limits = Limits {
        decompressed_bytes: content.len() as u64,
        ..Limits::default()
    };
    assert_eq!(
        read_with(content.as_bytes(), limits, PartBudget::UNLIMITED)
            .0
            .rejects,
        []
    );
}

#[test]
fn a_record_of_a_gigabyte() {
    let before = r#"{"Records":[{"eventName":"A"},{"a":""#;
    let content = around(before, b'x', 1024 * MIB, r#""},{"eventName":"A"}]}"#);
    let (outcome, _) = read_with(content, Limits::default(), PartBudget::UNLIMITED);
    assert_eq!(outcome.texts(), [A, A]);
    assert_eq!(outcome.rejects, [("record_too_large", Some(30), Some(1))]);
    assert_eq!(outcome.records[1].0, 2);
}

#[test]
fn nesting_a_hundred_thousand_deep() {
    let deep = format!(
        r#"{{"eventName":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let outcome = read(format!(r#"{{"Records":[{A},{deep},{A}]}}"#).as_bytes());
    assert_eq!(outcome.texts(), [A, A]);
    assert_eq!(outcome.rejects, [("record_too_deep", Some(30), Some(1))]);
    assert_eq!(
        read(deep.as_bytes()).rejects,
        [("record_too_deep", Some(0), Some(0))]
    );
    let unclosed = format!(r#"{{"Records":[{A},{{"a":{}"#, "[".repeat(100_000));
    assert_eq!(
        read(unclosed.as_bytes()).rejects,
        [("unterminated_record", Some(30), Some(1))]
    );
    let error = RecordParser::new()
        .parse(deep.as_bytes(), |_| ())
        .unwrap_err();
    assert_eq!(error.code(), "record_too_deep");
}

#[test]
fn framer_and_parser_agree_on_depth() {
    let nested = |levels: usize| {
        format!(
            "{}1{}",
            "{\"eventName\":".repeat(levels),
            "}".repeat(levels)
        )
    };
    let mut parser = RecordParser::new();
    let deepest = Limits::default().depth as usize;
    for levels in [deepest - 1, deepest] {
        assert_eq!(read(nested(levels).as_bytes()).rejects, [], "{levels}");
        assert_eq!(
            parser.parse(nested(levels).as_bytes(), |_| ()),
            Ok(()),
            "{levels}"
        );
    }
    let limit = deepest as u64;
    assert_eq!(
        read(nested(deepest + 1).as_bytes()).rejects[0].0,
        "record_too_deep"
    );
    assert_eq!(
        parser.parse(nested(deepest + 1).as_bytes(), |_| ()),
        Err(RecordError::TooDeep { limit })
    );
}

#[test]
fn caps_do_not_depend_on_chunks() {
    let limits = Limits {
        record_bytes: 30,
        depth: 3,
        rejects: 3,
        ..Limits::default()
    };
    let large = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(30));
    let deep = r#"{"a":[[[]]]}"#;
    let whole = check_chunks(
        format!(r#"{{"Records":[{A},{large},{deep},{A}]}}"#).as_bytes(),
        limits,
    );
    assert_eq!(whole.texts(), [A, A]);
    assert_eq!(
        whole.rejects,
        [
            ("record_too_large", Some(30), Some(1)),
            ("record_too_deep", Some(77), Some(2))
        ]
    );
    let whole = check_chunks(format!("{A}\n{large}\n{A}").as_bytes(), limits);
    assert_eq!(whole.rejects, [("record_too_large", Some(18), Some(1))]);
    let exactly = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(14));
    assert_eq!(check_chunks(exactly.as_bytes(), limits).rejects, []);
    let whole = check_chunks(br#"{"Records":[1,2,3,4,5,6]}"#, limits);
    assert_eq!(
        whole
            .rejects
            .iter()
            .map(|(code, _, _)| *code)
            .collect::<Vec<_>>(),
        [
            "record_not_an_object",
            "record_not_an_object",
            "record_not_an_object",
            "too_many_rejects"
        ]
    );
}

#[test]
fn members_by_the_million_are_cheap() {
    let empty_members = flate2_member(b"").repeat(200_000);
    let outcome = read(&empty_members);
    assert_eq!(
        (outcome.kind, outcome.rejects),
        (Some(FileKind::Empty), vec![])
    );
}

fn flate2_member(content: &[u8]) -> Vec<u8> {
    crate::support::gzip(content)
}
