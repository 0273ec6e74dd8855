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
