//! What a JSON object's top-level keys say it is.

use crate::members::{Members, Step};

/// The keys that hold a list of records: a log file's, and a `LookupEvents` page's.
pub(crate) const LIST_KEYS: [&[u8]; 2] = [b"Records", b"Events"];

/// Keys of a record, or of a wrapper around one; aggregated events have `eventId` only.
const RECORD_KEYS: [&[u8]; 8] = [
    b"eventVersion",
    b"eventName",
    b"eventSource",
    b"eventID",
    b"eventId",
    b"eventType",
    b"insightDetails",
    b"CloudTrailEvent",
];

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    /// a record of an API call or another event
    Record,
    /// a record of CloudTrail Insights
    Insight,
    /// a digest
    Digest,
    /// a message that something happened to an object or queue (S3, SQS, SNS, Kinesis)
    Notification,
    /// something else
    Stranger,
}

/// What the members seen so far speak for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Marks {
    record: bool,
    insight: bool,
    digest: bool,
    notification: bool,
    detail: bool,
    detail_type: bool,
}

impl Marks {
    /// Takes note of a member: its key, and how its value begins.
    pub(crate) fn note(&mut self, key: &[u8], head: &[u8]) {
        match key {
            b"insightDetails" => self.insight = true,
            b"digestStartTime" => self.digest = true,
            b"detail" => self.detail = head.starts_with(b"{"),
            b"detail-type" => self.detail_type = true,
            // S3 announces a new notification with a document of this form.
            b"Event" => self.notification |= head == b"\"s3:Test",
            b"message" => self.record |= head.starts_with(b"\"{"),
            // `aws:s3`, `aws:sqs`, `aws:kinesis`, `aws:sns`; no record's source begins so.
            b"eventSource" | b"EventSource" => self.notification |= head.starts_with(b"\"aws:"),
            _ => {}
        }
        self.record |= RECORD_KEYS.contains(&key);
    }

    /// Whether the object is a record, as far as it is known.
    pub(crate) fn are_of_record(self) -> bool {
        matches!(self.kind(), DocumentKind::Record | DocumentKind::Insight)
    }

    pub(crate) fn kind(self) -> DocumentKind {
        if self.notification {
            DocumentKind::Notification
        } else if self.insight {
            DocumentKind::Insight
        } else if self.record || (self.detail && self.detail_type) {
            DocumentKind::Record
        } else if self.digest {
            DocumentKind::Digest
        } else {
            DocumentKind::Stranger
        }
    }
}

/// What the object in `text` is, by its members; as far as it is well-formed.
pub(crate) fn kind_of(text: &[u8]) -> DocumentKind {
    let mut members = Members::new();
    let mut marks = Marks::default();
    let mut rest = text.get(1..).unwrap_or_default();
    loop {
        let (length, step) = members.advance(rest);
        rest = rest.get(length..).unwrap_or_default();
        match step {
            Step::Value => members.skip_value(rest.first().copied().unwrap_or_default()),
            Step::Member => marks.note(members.key(), members.head()),
            Step::More | Step::End | Step::Bad => return marks.kind(),
        }
    }
}
