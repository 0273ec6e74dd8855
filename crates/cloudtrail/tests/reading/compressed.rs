//! gzip in all its forms.

use std::io::{self, Read};

use flate2::GzBuilder;
use retrial_cloudtrail::{
    FileKind, Framed, Limits, LogFileReader, Part, PartBudget, ReadBuffers, RejectReason,
};

use crate::support::{Outcome, check, gzip, log_file, read, read_with};

const A: &str = r#"{"eventName":"A"}"#;
const FILE: &str = r#"{"Records":[{"eventName":"A"}]}"#;

#[track_caller]
fn check_gzip(content: &[u8], texts: &[&str], codes: &[&str]) {
    let outcome = read(content);
    let found: Vec<&str> = outcome.rejects.iter().map(|(code, _, _)| *code).collect();
    assert_eq!((outcome.texts(), found), (texts.to_vec(), codes.to_vec()));
}

#[test]
fn members() {
    let one = gzip(FILE.as_bytes());
    check_gzip(&one, &[A], &[]);
    check_gzip(
        &[one.clone(), one.clone(), gzip(b""), one.clone()].concat(),
        &[A, A, A],
        &[],
    );
    // A record may cross members.
    let (begin, end) = FILE.split_at(20);
    check_gzip(
        &[gzip(begin.as_bytes()), gzip(end.as_bytes())].concat(),
        &[A],
        &[],
    );
    check(gzip(b""), &[], &[], FileKind::Empty);
}

#[test]
fn headers_with_everything() {
    let mut encoder = GzBuilder::new()
        .extra(&b"extra"[..])
        .filename(&b"name.json"[..])
        .comment(&b"comment"[..])
        .read(FILE.as_bytes(), flate2::Compression::fast());
    let mut content = Vec::new();
    encoder.read_to_end(&mut content).unwrap();
    check_gzip(&content, &[A], &[]);
    // With a header checksum (which nobody writes, and nobody checks).
    content[3] |= 2;
    let body = 10 + 2 + 5 + 10 + 8;
    content.splice(body..body, [0, 0]);
    check_gzip(&content, &[A], &[]);
    content[3] |= 0x80;
    check_gzip(&content, &[], &["gzip_corrupt"]);
}

#[test]
fn damage() {
    let whole = gzip(FILE.as_bytes());
    let length = whole.len();
    let with = |at: usize, byte: u8| {
        let mut content = whole.clone();
        content[at] ^= byte;
        content
    };
    check_gzip(&with(length - 8, 1), &[A], &["gzip_checksum"]);
    check_gzip(&with(length - 4, 1), &[A], &["gzip_checksum"]);
    check_gzip(&with(2, 1), &[], &["gzip_corrupt"]);
    // A block of the reserved type.
    check_gzip(&[&whole[..10], &[0x07]].concat(), &[], &["gzip_corrupt"]);
    check_gzip(&whole[..length - 3], &[A], &["gzip_truncated"]);
    check_gzip(&whole[..5], &[], &["gzip_truncated"]);
}

#[test]
fn bytes_behind_the_stream() {
    let whole = gzip(FILE.as_bytes());
    check_gzip(
        &[&whole[..], &[0; 512]].concat(),
        &[A],
        &["gzip_trailing_bytes"],
    );
    check_gzip(
        &[&whole[..], b"garbage"].concat(),
        &[A],
        &["gzip_trailing_bytes"],
    );
    check_gzip(
        &[&whole[..], &[0x1f, 0]].concat(),
        &[A],
        &["gzip_trailing_bytes"],
    );
    check_gzip(&[&whole[..], &[0x1f]].concat(), &[A], &["gzip_truncated"]);
}

/// Delivers a few bytes at a time, and may fail at the end.
struct Trickle<'c> {
    content: &'c [u8],
    size: usize,
    fails: bool,
    interrupts: bool,
}

impl Read for Trickle<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.interrupts = !self.interrupts;
        if self.interrupts {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = self.size.min(self.content.len()).min(room.len());
        if length == 0 && self.fails {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "connection reset",
            ));
        }
        let (now, later) = self.content.split_at(length);
        room[..length].copy_from_slice(now);
        self.content = later;
        Ok(length)
    }
}

#[test]
fn the_storage_may_trickle() {
    let text = log_file(500);
    for content in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        let whole = read(&content);
        assert_eq!(whole.records.len(), 500);
        for size in [1, 3, 1000] {
            let trickle = Trickle {
                content: &content,
                size,
                fails: false,
                interrupts: false,
            };
            assert_eq!(
                read_with(trickle, Limits::default(), PartBudget::UNLIMITED).0,
                whole
            );
        }
    }
}

#[test]
fn a_failing_storage_is_retryable() {
    let text = log_file(2);
    let content = &text.as_bytes()[..text.len() - 10];
    let trickle = Trickle {
        content,
        size: 50,
        fails: true,
        interrupts: false,
    };
    let mut reader = LogFileReader::new(trickle, Limits::default());
    let mut records = 0;
    let mut reasons = Vec::new();
    let part = reader.read_part(PartBudget::UNLIMITED, &mut |framed| match framed {
        Framed::Record { .. } => records += 1,
        Framed::Rejected(reject) => reasons.push(reject.reason),
    });
    assert_eq!((part, records), (Part::End(FileKind::Events), 1));
    assert!(matches!(&reasons[..], [RejectReason::Read(_)]));
    assert!(reasons[0].is_retryable());
    assert_eq!(reasons[0].to_string(), "reading failed: connection reset");
}

#[test]
fn buffers_serve_file_after_file() {
    let mut buffers = ReadBuffers::new();
    let long = log_file(2_000);
    let files = [
        gzip(FILE.as_bytes()),
        gzip(long.as_bytes())[..2_000].to_vec(),
        FILE.as_bytes()[..25].to_vec(),
        b"no json".to_vec(),
        gzip(long.as_bytes()),
    ];
    for content in &files {
        let mut outcome = Outcome::default();
        let mut reader = LogFileReader::with_buffers(&content[..], Limits::default(), buffers);
        if let Part::End(kind) =
            reader.read_part(PartBudget::UNLIMITED, &mut |framed| outcome.take(framed))
        {
            outcome.kind = Some(kind);
        }
        assert_eq!(outcome, read(content));
        assert!(reader.compressed_bytes() <= content.len() as u64);
        buffers = reader.into_buffers();
    }
}

#[test]
fn counts() {
    let text = log_file(2_000);
    let content = gzip(text.as_bytes());
    let mut reader = LogFileReader::new(&content[..], Limits::default());
    reader.read_part(PartBudget::UNLIMITED, &mut |_| {});
    assert_eq!(reader.compressed_bytes(), content.len() as u64);
    assert_eq!(reader.decompressed_bytes(), text.len() as u64);
    assert_eq!(reader.records(), 2_000);
}

/// Reads `content` once where it may be decompressed at once, and once as a stream, in pieces of several
/// sizes: the same must come out.
#[track_caller]
fn check_both_ways(content: &[u8]) -> Outcome {
    let streamed = Limits {
        whole_bytes: 0,
        ..Limits::default()
    };
    let expected = read_with(content, streamed, PartBudget::UNLIMITED).0;
    for size in [1, 7, content.len().max(1)] {
        let pieces = || Trickle {
            content,
            size,
            fails: false,
            interrupts: false,
        };
        let found = read_with(pieces(), Limits::default(), PartBudget::UNLIMITED).0;
        assert_eq!(found, expected, "{size}");
        let found = read_with(pieces(), streamed, PartBudget::UNLIMITED).0;
        assert_eq!(found, expected, "{size}, as a stream");
    }
    expected
}

#[test]
fn at_once_or_as_a_stream() {
    let small = gzip(log_file(40).as_bytes());
    assert_eq!(check_both_ways(&small).records.len(), 40);
    let twice = [small.clone(), small.clone()].concat();
    assert_eq!(check_both_ways(&twice).records.len(), 80);
    check_both_ways(&[&small[..], &[0; 8]].concat());
    // What follows ends as the member does.
    let trailer = &small[small.len() - 8..];
    for behind in [trailer, &trailer[4..], &trailer[7..]] {
        let outcome = check_both_ways(&[&small[..], behind].concat());
        assert_eq!(outcome.rejects[0].0, "gzip_trailing_bytes");
    }
    for at in 0..small.len() {
        check_both_ways(&small[..at]);
        let mut damaged = small.clone();
        damaged[at] ^= 0x10;
        check_both_ways(&damaged);
    }
}

#[test]
fn a_storage_that_fails_behind_whole_records() {
    let content = gzip(log_file(40).as_bytes());
    let broken = || Trickle {
        content: &content,
        size: 1_000,
        fails: true,
        interrupts: false,
    };
    let streamed = Limits {
        whole_bytes: 0,
        ..Limits::default()
    };
    let expected = read_with(broken(), streamed, PartBudget::UNLIMITED).0;
    let found = read_with(broken(), Limits::default(), PartBudget::UNLIMITED).0;
    assert_eq!(found.records.len(), 40);
    assert_eq!(found, expected);
}

#[test]
fn a_content_of_all_sizes_around_what_is_decompressed_at_once() {
    for bytes in [
        0,
        1,
        2,
        3,
        4,
        255,
        256,
        65_535,
        65_536,
        1 << 20,
        (4 << 20) - 1,
        4 << 20,
        (4 << 20) + 1,
    ] {
        let spaces = " ".repeat(bytes);
        check_both_ways(&gzip(spaces.as_bytes()));
    }
}
