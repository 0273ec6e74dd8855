//! One way to read a file, and one way to write down what came out.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use retrial_cloudtrail::{FileKind, Framed, Limits, LogFileReader, Part, PartBudget, Reject};

/// What a file yielded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) kind: Option<FileKind>,
    pub(crate) records: Vec<(u64, u64, String)>,
    /// code, offset, record index
    pub(crate) rejects: Vec<(&'static str, Option<u64>, Option<u64>)>,
}

impl Outcome {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.records
            .iter()
            .map(|(_, _, text)| text.as_str())
            .collect()
    }

    /// Rejects that are not of one record.
    pub(crate) fn breaks(&self) -> usize {
        self.rejects
            .iter()
            .filter(|(code, _, _)| !code.starts_with("record_"))
            .count()
    }

    pub(crate) fn take(&mut self, framed: Framed<'_>) {
        match framed {
            Framed::Record {
                index,
                offset,
                text,
            } => {
                let text = String::from_utf8_lossy(text).into_owned();
                self.records.push((index, offset, text));
            }
            Framed::Rejected(reject) => self.reject(&reject),
        }
    }

    pub(crate) fn reject(&mut self, reject: &Reject) {
        let message = reject.reason.to_string();
        assert!(
            !message.contains('\n') && !message.ends_with('.'),
            "{message}"
        );
        self.rejects
            .push((reject.reason.code(), reject.offset, reject.record_index));
    }
}

pub(crate) fn read(content: &[u8]) -> Outcome {
    read_with(content, Limits::default(), PartBudget::UNLIMITED).0
}

/// Also says how many parts it took.
pub(crate) fn read_with(content: impl Read, limits: Limits, budget: PartBudget) -> (Outcome, u64) {
    let mut outcome = Outcome::default();
    let mut reader = LogFileReader::new(content, limits);
    let mut parts = 0;
    loop {
        parts += 1;
        match reader.read_part(budget, &mut |framed| outcome.take(framed)) {
            Part::More => {}
            Part::End(kind) => {
                outcome.kind = Some(kind);
                return (outcome, parts);
            }
        }
    }
}

/// The records' texts, the rejects' codes and the kind.
#[track_caller]
pub(crate) fn check(content: impl AsRef<[u8]>, texts: &[&str], codes: &[&str], kind: FileKind) {
    let content = content.as_ref();
    let outcome = read(content);
    let found: Vec<&str> = outcome.rejects.iter().map(|(code, _, _)| *code).collect();
    let shown = String::from_utf8_lossy(content);
    assert_eq!(
        (outcome.texts(), found, outcome.kind),
        (texts.to_vec(), codes.to_vec(), Some(kind)),
        "{shown}"
    );
    for (_, offset, text) in &outcome.records {
        let place = *offset as usize;
        assert_eq!(&content[place..place + text.len()], text.as_bytes());
    }
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A file with this many small records.
pub(crate) fn log_file(records: usize) -> String {
    format!(
        "{{\"Records\":[{}]}}",
        (0..records).map(record).collect::<Vec<_>>().join(",")
    )
}

pub(crate) fn record(number: usize) -> String {
    format!(
        r#"{{"eventVersion":"1.08","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"{number:08}","note":"a \"}}]\\"}}"#
    )
}
