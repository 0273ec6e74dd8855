//! Files that break in the middle: every whole record before the break, then one reject.

use std::ops::ControlFlow;

use retrial_cloudtrail::{FileKind, Framer, Limits};

use crate::support::{Outcome, check, gzip, log_file, read, record};

const A: &str = r#"{"eventName":"A"}"#;

/// Pushes `content` in chunks of `size` bytes.
fn frame(content: &[u8], size: usize, limits: Limits) -> Outcome {
    let mut outcome = Outcome::default();
    let mut framer = Framer::new(limits);
    for chunk in content.chunks(size) {
        let mut chunk = chunk.to_vec();
        let mut at = 0;
        while at < chunk.len() {
            // A pause behind each record must not show either.
            at += framer.push(&mut chunk[at..], &mut |framed| {
                outcome.take(framed);
                if size.is_multiple_of(2) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        }
    }
    outcome.kind = Some(framer.finish(&mut |framed| {
        outcome.take(framed);
        ControlFlow::Continue(())
    }));
    outcome
}

#[track_caller]
pub(crate) fn check_chunks(content: &[u8], limits: Limits) -> Outcome {
    let whole = frame(content, content.len().max(1), limits);
    for size in [1, 2, 7, 64] {
        assert_eq!(
            frame(content, size, limits),
            whole,
            "{} by {size}",
            String::from_utf8_lossy(content)
        );
    }
    whole
}

#[test]
fn a_break_at_every_byte() {
    let content = log_file(3);
    let ends: Vec<usize> = content
        .match_indices(r#"\\"}"#)
        .map(|(at, text)| at + text.len())
        .collect();
    for length in 1..content.len() {
        let outcome = check_chunks(&content.as_bytes()[..length], Limits::default());
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(outcome.records.len(), whole, "{length}");
        assert_eq!(outcome.rejects.len(), 1, "{length}: {:?}", outcome.rejects);
    }
    assert_eq!(
        check_chunks(content.as_bytes(), Limits::default()).rejects,
        []
    );
}

#[test]
fn a_break_at_every_byte_of_json_lines() {
    let content = format!("{}\n{}\n", record(0), record(1));
    for length in 0..content.len() {
        let outcome = check_chunks(&content.as_bytes()[..length], Limits::default());
        let is_between = matches!(content.as_bytes()[..length].last(), None | Some(b'\n'))
            || content[..length].ends_with(r#"\\"}"#);
        assert_eq!(
            outcome.rejects.len(),
            usize::from(!is_between),
            "{length}: {:?}",
            outcome.rejects
        );
    }
}

#[test]
fn a_break_at_every_byte_of_gzip() {
    let content = log_file(3);
    let compressed = gzip(content.as_bytes());
    let whole = read(&compressed);
    for length in 1..compressed.len() {
        let outcome = read(&compressed[..length]);
        assert_eq!(outcome.rejects.len(), 1, "{length}: {:?}", outcome.rejects);
        assert!(whole.records.starts_with(&outcome.records), "{length}");
    }
    assert_eq!(
        read(&compressed[..compressed.len() - 1]).records,
        whole.records
    );
}

#[test]
fn every_byte_exchanged() {
    let content = log_file(2);
    for at in 0..content.len() {
        for byte in [
            b'"', b'\\', b'{', b'}', b'[', b']', b',', b':', b'x', b' ', 0, 0xff,
        ] {
            let mut content = content.clone().into_bytes();
            content[at] = byte;
            let outcome = check_chunks(&content, Limits::default());
            assert!(outcome.breaks() <= 1, "{at} {byte}: {:?}", outcome.rejects);
            assert!(outcome.records.len() <= 2);
        }
    }
}

#[test]
fn where_a_file_ends_too_early() {
    for (content, code, offset, index) in [
        (
            format!(r#"{{"Records":[{A},{{"eventName":"B"#),
            "unterminated_string",
            30,
            Some(1),
        ),
        (
            format!(r#"{{"Records":[{A},{{"eventName":"B","#),
            "unterminated_record",
            30,
            Some(1),
        ),
        (
            format!(r#"{{"Records":[{A},"#),
            "unterminated_list",
            30,
            None,
        ),
        (
            format!(r#"{{"Records":[{A}]"#),
            "unterminated_document",
            30,
            None,
        ),
        (
            format!(r#"{{"Records":[{A}],"a":""#),
            "unterminated_string",
            36,
            None,
        ),
        (format!(r#"[{A}"#), "unterminated_list", 18, None),
        (
            r#"{"eventName":"A","x":[["#.to_owned(),
            "unterminated_record",
            0,
            Some(0),
        ),
        (r#"{"x":"#.to_owned(), "unterminated_document", 5, None),
    ] {
        let outcome = check_chunks(content.as_bytes(), Limits::default());
        assert_eq!(outcome.rejects, [(code, Some(offset), index)], "{content}");
    }
}

#[test]
fn what_does_not_belong_between_records() {
    let events = FileKind::Events;
    check(
        format!(r#"{{"Records":[{A} {A}]}}"#),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!(r#"{{"Records":[{A},]}}"#),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!(r#"{{"Records":[{A}}}]}}"#),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!(r#"{{"Records":[{A}] "x":1}}"#),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!("[{A};{A}]"),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!("{A}\n{A},{A}"),
        &[A, A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!("{A}\n# comment\n{A}"),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check(
        format!("{A}\0\0"),
        &[A],
        &["garbage_between_records"],
        events,
    );
    check("[,]", &[], &["garbage_between_records"], FileKind::Unknown);
    check("{1}", &[], &["garbage_between_records"], FileKind::Unknown);
}

#[test]
fn what_is_not_json_at_all() {
    for content in [
        "a text",
        "<html>",
        "\"{}\"",
        "12",
        "null",
        "PK\u{3}\u{4}",
        "\u{1f}",
    ] {
        check(content, &[], &["not_json"], FileKind::Unknown);
    }
    check([0xff, 0xfe, b'{', 0], &[], &["not_json"], FileKind::Unknown);
}
