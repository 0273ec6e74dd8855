//! CloudTrail log files and records as they really are.
//!
//! A log file goes through three steps, none of which touches a file system:
//! [`key::LogKey`] says what an object key promises (events, digest, insight, when it was
//! delivered); [`LogFileReader`] gunzips and frames its bytes, yielding each record's text or a
//! [`Reject`] with its place; [`RecordParser`] parses one record's text into a borrowed [`Record`].
//!
//! ```
//! use retrial_cloudtrail::{Framed, Limits, LogFileReader, PartBudget, RecordParser};
//!
//! let content = br#"{"Records":[{"eventName":"Decrypt"},{"eventName":tru},{"eventName":"Sign"}]}"#;
//! let mut names = Vec::new();
//! let mut rejects = Vec::new();
//! let mut parser = RecordParser::new();
//! let mut reader = LogFileReader::new(&content[..], Limits::default());
//! reader.read_part(PartBudget::UNLIMITED, &mut |framed| match framed {
//!     Framed::Record { text, .. } => {
//!         match parser.parse(text, |record| record.event_name.map(str::to_owned)) {
//!             Ok(name) => names.extend(name),
//!             Err(error) => rejects.push(error.to_string()),
//!         }
//!     }
//!     Framed::Rejected(reject) => rejects.push(reject.reason.to_string()),
//! });
//! assert_eq!(names, ["Decrypt", "Sign"]);
//! assert_eq!(rejects, ["invalid JSON at byte 13 of the record: an unknown word"]);
//! ```
//!
//! The crate knows the quirks of the format and nothing of what a record means for a policy.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )
)]

mod block;
mod document;
mod fields;
mod frame;
mod gunzip;
mod json;
pub mod key;
mod limits;
mod log_file;
mod members;
mod nest;
mod parser;
mod record;
mod reject;
mod source;
mod span;
mod syntax;
mod time;
mod tree;
mod whole;

pub use frame::{FileKind, Framed, Framer, Sink};
pub use json::{Json, JsonKind};
pub use key::{LogKey, LogKind};
pub use limits::Limits;
pub use log_file::{LogFileReader, Part, PartBudget, ReadBuffers};
pub use parser::{JsonProblem, MAX_RECORD_DEPTH, RecordError, RecordParser, Wrapper};
pub use record::{Parameters, Record, RecordResource, SessionIssuer, UserIdentity};
pub use reject::{Reject, RejectReason, RejectScope, Unterminated};
pub use time::{Day, Timestamp};
