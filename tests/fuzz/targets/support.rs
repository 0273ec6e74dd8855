//! What the fuzz targets share: one way to ask the evaluator, and plain twins of its matchers; one way to
//! read a log file.

use std::io::{self, Read};

use retrial_cloudtrail::{Framed, Limits, LogFileReader, Part, PartBudget, RecordParser};
use retrial_iam::{Catalogue, Decision, SimulationCase};
use serde_json::{Value, json};

/// The name of the key that conditions are about.
pub const KEY: &str = "aws:PrincipalTag/fuzz";

/// Asks whether `document` lets a user read an object; `key` is the value of [`KEY`], where it has one.
pub fn decide(document: &Value, resource: &str, key: Option<&str>) -> Decision {
    let context = match key {
        Some(value) => json!({ KEY: value }),
        None => json!({}),
    };
    let case = json!({
        "id": "fuzz",
        "request": {
            "principal": "arn:aws:iam::111122223333:user/bob",
            "action": "s3:GetObject",
            "resource": {"arn": resource, "account": "111122223333"},
            "context": context,
        },
        "identity_policies": [document],
    });
    match SimulationCase::parse(&case.to_string()) {
        Ok(case) => case.run(Catalogue::bundled()).decision,
        Err(error) => panic!("{error}: {case}"),
    }
}

/// A document with one statement of `effect` under a condition, beside a plain allow for a `Deny`.
pub fn conditional(version: &str, effect: &str, condition: &Value) -> Value {
    let mut statements =
        vec![json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": condition})];
    if effect == "Deny" {
        statements.push(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    }
    json!({"Version": version, "Statement": statements})
}

/// Whether the condition holds, asked of an `Allow` and of a `Deny`, which must agree.
pub fn holds(version: &str, condition: &Value, key: Option<&str>) -> Option<bool> {
    const ANY: &str = "arn:aws:s3:::lake/a";
    let allow = decide(&conditional(version, "Allow", condition), ANY, key);
    let deny = decide(&conditional(version, "Deny", condition), ANY, key);
    let (holds, deny_expected) = match allow {
        Decision::Allowed => (Some(true), Decision::ExplicitDeny),
        Decision::ImplicitDeny => (Some(false), Decision::Allowed),
        Decision::Undetermined => (None, Decision::Undetermined),
        Decision::ExplicitDeny => panic!("an allow denies: {condition}"),
    };
    assert_eq!(deny, deny_expected, "{condition} with {key:?}");
    holds
}

/// `*` and `?` by the textbook: a table of which prefixes match which.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let mut matches = vec![vec![false; text.len() + 1]; pattern.len() + 1];
    matches[0][0] = true;
    for (p, wanted) in pattern.iter().enumerate() {
        matches[p + 1][0] = *wanted == '*' && matches[p][0];
        for (t, found) in text.iter().enumerate() {
            matches[p + 1][t + 1] = match wanted {
                '*' => matches[p][t + 1] || matches[p + 1][t],
                '?' => matches[p][t],
                _ => matches[p][t] && wanted == found,
            };
        }
    }
    matches[pattern.len()][text.len()]
}

/// Six parts, each by itself.
pub fn arn(pattern: &str, text: &str) -> bool {
    let patterns: Vec<&str> = pattern.splitn(6, ':').collect();
    let texts: Vec<&str> = text.splitn(6, ':').collect();
    patterns.len() == 6
        && texts.len() == 6
        && patterns
            .iter()
            .zip(&texts)
            .all(|(pattern, text)| glob(pattern, text))
}

/// The input's first `parts` lines; the last one takes the rest.
pub fn lines(data: &[u8], parts: usize) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(data).ok()?;
    let lines: Vec<&str> = text.splitn(parts, '\n').collect();
    (lines.len() == parts).then_some(lines)
}

/// What a log file yields.
#[derive(Debug, PartialEq, Eq)]
pub enum Yield {
    /// A record.
    Record {
        /// Its number in the file.
        index: u64,
        /// Where it begins.
        offset: u64,
        /// Its text.
        text: Vec<u8>,
    },
    /// A reject: its place and its reason, as text.
    Rejected(String),
}

/// Reads a log file that comes in pieces of so many bytes, parses its records, and gives what it yields:
/// the same, whether it may be decompressed at once or not.
pub fn read(bytes: &[u8], piece: usize) -> Vec<Yield> {
    let streamed = Limits {
        whole_bytes: 0,
        ..LIMITS
    };
    let found = read_with(bytes, piece, LIMITS);
    assert_eq!(read_with(bytes, piece, streamed), found, "as a stream");
    found
}

fn read_with(bytes: &[u8], piece: usize, limits: Limits) -> Vec<Yield> {
    let pieces = Pieces { bytes, piece };
    let mut found = Vec::new();
    let mut parser = RecordParser::new();
    let end = LogFileReader::new(pieces, limits).read_part(PartBudget::UNLIMITED, &mut |framed| {
        found.push(match framed {
            Framed::Record {
                index,
                offset,
                text,
            } => {
                let text = text.to_vec();
                // Whatever it is, it is a record or an error.
                let _ = parser.parse(&mut text.clone(), |record| record.event_id.is_some());
                Yield::Record {
                    index,
                    offset,
                    text,
                }
            }
            Framed::Rejected(reject) => Yield::Rejected(format!(
                "{:?} {:?} {}",
                reject.record_index, reject.offset, reject.reason
            )),
        });
    });
    assert!(matches!(end, Part::End(_)), "the file does not end");
    assert!(found.len() as u64 <= LIMITS.rejects + bytes.len() as u64 * LIMITS.ratio);
    found
}

/// Small, so that they are reached.
const LIMITS: Limits = Limits {
    decompressed_bytes: 1 << 20,
    ratio: 200,
    ratio_floor_bytes: 1 << 16,
    record_bytes: 1 << 12,
    depth: 64,
    rejects: 100,
    whole_bytes: 1 << 16,
};

/// Bytes that come a piece at a time.
struct Pieces<'b> {
    bytes: &'b [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.piece);
        self.bytes.read(&mut buffer[..length])
    }
}
