//! Arbitrary bytes: never a panic, and the same outcome however they arrive.

use proptest::collection::vec;
use proptest::prelude::*;
use retrial_cloudtrail::{Limits, RecordParser};

use crate::breaks::check_chunks;
use crate::support::{gzip, log_file, read};

/// Text out of the pieces that framing knows.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ",",
        ":",
        " ",
        "\n",
        "a",
        "1",
        "null",
        "\"Records\"",
        "\"Records\":[",
        "\"Events\":[",
        "{\"eventName\":\"A\"}",
        "\"eventSource\":\"aws:s3\"",
        "\"digestStartTime\":1",
        "\u{feff}",
        "{\"a\":{\"b\":[1,2]}}",
    ]);
    vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    // A failure prints its input; it becomes a test of its own, not a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn framing_survives_any_bytes(content in vec(any::<u8>(), 0..300)) {
        check_chunks(&content, Limits::default());
    }

    #[test]
    fn framing_survives_almost_json(content in pieces()) {
        let limits = Limits { record_bytes: 40, depth: 3, rejects: 4, ..Limits::default() };
        let outcome = check_chunks(&content, limits);
        prop_assert!(outcome.rejects.len() <= 5);
        check_chunks(&content, Limits::default());
    }

    #[test]
    fn gunzip_survives_any_bytes(content in vec(any::<u8>(), 0..300), at in 0..300usize, byte in any::<u8>()) {
        read(&[&[0x1f, 0x8b, 8, 0][..], &content].concat());
        let mut damaged = gzip(log_file(3).as_bytes());
        let place = at % damaged.len();
        damaged[place] = byte;
        prop_assert!(read(&damaged).breaks() <= 1);
    }

    #[test]
    fn parsing_survives_any_bytes(content in vec(any::<u8>(), 0..200), almost in pieces()) {
        let mut parser = RecordParser::new();
        for text in [&content, &almost] {
            let _ = parser.parse(text, |record| record.json.to_text());
        }
    }
}
