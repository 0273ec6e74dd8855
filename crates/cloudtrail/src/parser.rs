//! From one record's text to a borrowed [`Record`].

use simd_json::{Buffers, ErrorType, Tape};

use crate::fields::Fields;
use crate::syntax::TreeBuffers;
use crate::{Json, JsonKind, Record};

/// How deep a record's JSON may nest. Real records stay below 20 levels; the limit keeps every
/// recursive reader of a record (printing, policy documents) far from the end of its stack.
pub const MAX_RECORD_DEPTH: usize = 128;

/// How many strings that hold a record may lie within each other: a SIEM's `message` around an
/// EventBridge event or a `LookupEvents` entry is two; more is not seen.
const MAX_WRAPPED_TEXTS: usize = 3;

/// Why one record's text is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Valid JSON, but a list, a string, a number, …
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// Not JSON.
    #[error("invalid JSON at byte {offset} of the record: {problem}")]
    InvalidJson {
        /// where, in the record's text
        offset: u64,
        /// what is wrong there
        problem: JsonProblem,
    },
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8 at byte {offset} of the record")]
    InvalidUtf8 {
        /// where, in the record's text
        offset: u64,
    },
    /// A `\u` escape for one half of a surrogate pair, which no UTF-8 text can hold.
    #[error(
        "an escape without a character (a lone surrogate) in the string at byte {offset} of the record"
    )]
    LoneSurrogate {
        /// where the string begins, in the record's text
        offset: u64,
    },
    /// Nested too deeply.
    #[error("the record nests deeper than {limit} levels")]
    TooDeep {
        /// the limit
        limit: u64,
    },
    /// Larger than the parser can address.
    #[error("the record is too large to be parsed")]
    TooLarge,
    /// The record is a wrapper, and what it holds cannot be read.
    #[error("in `{wrapper}`: {error}")]
    InWrapper {
        /// the wrapper's member
        wrapper: Wrapper,
        /// what is wrong with the text in it
        error: Box<RecordError>,
    },
    /// A list of records where one record should be.
    #[error("the record is a list of `Records` itself")]
    HoldsRecords,
    /// Strings within strings within strings.
    #[error("the record is wrapped in more than {limit} strings")]
    TooManyWrappers {
        /// the limit
        limit: u64,
    },
}

/// What is wrong with a record's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// no string where an object's key should be
    #[error("a key is not a string")]
    Key,
    /// a separator is missing or too many
    #[error("a comma, colon or bracket is missing or misplaced")]
    Structure,
    /// neither `true`, `false` nor `null`
    #[error("an unknown word")]
    Word,
    /// a number that JSON does not know
    #[error("a malformed number")]
    Number,
    /// a bad escape
    #[error("a malformed string")]
    Text,
    /// the string's end, or a control character within it
    #[error("a string with a control character or without an end")]
    ControlCharacter,
    /// anything else
    #[error("a syntax error")]
    Syntax,
}

/// The member of a wrapper that holds the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapper {
    /// EventBridge's `detail`
    Detail,
    /// `LookupEvents`' `CloudTrailEvent`
    CloudTrailEvent,
    /// a SIEM's `message`
    Message,
}

impl std::fmt::Display for Wrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Detail => "detail",
            Self::CloudTrailEvent => "CloudTrailEvent",
            Self::Message => "message",
        })
    }
}

impl RecordError {
    /// The stable name of the reason, for tables.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "record_not_an_object",
            Self::InvalidJson { .. } => "record_invalid_json",
            Self::InvalidUtf8 { .. } => "record_invalid_utf8",
            Self::LoneSurrogate { .. } => "record_lone_surrogate",
            Self::TooDeep { .. } => "record_too_deep",
            Self::TooLarge => "record_too_large",
            Self::InWrapper { .. } => "record_in_wrapper",
            Self::HoldsRecords => "record_holds_records",
            Self::TooManyWrappers { .. } => "record_too_many_wrappers",
        }
    }
}

/// Parses records, one after the other, in buffers that are used again.
///
/// Memory: a few times the size of the largest record seen.
#[derive(Default)]
pub struct RecordParser {
    /// What parsing one text needs: a record's own, or a text within it.
    levels: [TreeBuffers; MAX_WRAPPED_TEXTS + 1],
}

impl RecordParser {
    /// A parser with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses `text` and hands the record in it to `read`.
    ///
    /// A wrapper around one record (an EventBridge event, a `LookupEvents` entry, a SIEM's
    /// `message`) is taken off first. Any JSON object is a record, whatever it lacks: Insights
    /// and aggregated events have neither `eventSource` nor `eventName`.
    pub fn parse<T>(
        &mut self,
        text: &[u8],
        read: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<T, RecordError> {
        match simdutf8::basic::from_utf8(text) {
            Ok(text) => parse_text(&mut self.levels, text, read),
            Err(_) => Err(explain(text)),
        }
    }
}

fn parse_text<T, F>(levels: &mut [TreeBuffers], text: &str, read: F) -> Result<T, RecordError>
where
    F: FnOnce(&Record<'_>) -> T,
{
    let Some((level, inner_levels)) = levels.split_first_mut() else {
        return Err(RecordError::TooManyWrappers {
            limit: MAX_WRAPPED_TEXTS as u64,
        });
    };
    match level.parse(text) {
        Some(tree) => read_value(inner_levels, Json::root(&tree), read),
        None => Err(explain(text.as_bytes())),
    }
}

fn read_value<T, F>(levels: &mut [TreeBuffers], json: Json<'_>, read: F) -> Result<T, RecordError>
where
    F: FnOnce(&Record<'_>) -> T,
{
    if json.kind() != JsonKind::Object {
        return Err(RecordError::NotAnObject);
    }
    let fields = Fields::of(json);
    let Some((wrapper, wrapped)) = fields.wrapped() else {
        if fields.holds_records() {
            return Err(RecordError::HoldsRecords);
        }
        return Ok(read(&fields.into_record(json)));
    };
    let outcome = match wrapped.as_str() {
        Some(inner) => parse_text(levels, inner, read),
        None => read_value(levels, wrapped, read),
    };
    outcome.map_err(|error| RecordError::InWrapper {
        wrapper,
        error: Box::new(error),
    })
}

/// What is wrong with a text that is no JSON, for which simd-json has the words.
fn explain(text: &[u8]) -> RecordError {
    let mut copy = text.to_vec();
    let mut buffers = Buffers::with_max_depth(copy.len(), MAX_RECORD_DEPTH);
    match simd_json::fill_tape(&mut copy, &mut buffers, &mut Tape(Vec::new())) {
        Err(error) => in_our_words(&error, text),
        // Not seen: both accept the same.
        Ok(()) => RecordError::InvalidJson {
            offset: 0,
            problem: JsonProblem::Syntax,
        },
    }
}

/// simd-json's error. Where its first stage (UTF-8, quotes) failed, it gives no place.
fn in_our_words(error: &simd_json::Error, text: &[u8]) -> RecordError {
    let offset = error.index() as u64;
    let problem = match error.error() {
        ErrorType::InvalidUtf8 if error.index() == 0 => {
            let valid = std::str::from_utf8(text)
                .err()
                .map_or(0, |error| error.valid_up_to());
            return RecordError::InvalidUtf8 {
                offset: valid as u64,
            };
        }
        ErrorType::InvalidUtf8 | ErrorType::InvalidUnicodeCodepoint => {
            return RecordError::LoneSurrogate { offset };
        }
        ErrorType::DepthLimitExceeded => {
            return RecordError::TooDeep {
                limit: MAX_RECORD_DEPTH as u64,
            };
        }
        ErrorType::InputTooLarge => return RecordError::TooLarge,
        ErrorType::BadKeyType | ErrorType::KeyMustBeAString | ErrorType::ExpectedObjectKey => {
            JsonProblem::Key
        }
        ErrorType::ExpectedArrayComma
        | ErrorType::ExpectedArrayContent
        | ErrorType::ExpectedMapComma
        | ErrorType::ExpectedMapEnd
        | ErrorType::ExpectedObjectColon
        | ErrorType::ExpectedObjectContent
        | ErrorType::UnexpectedCharacter
        | ErrorType::TrailingData => JsonProblem::Structure,
        ErrorType::ExpectedTrue | ErrorType::ExpectedFalse | ErrorType::ExpectedNull => {
            JsonProblem::Word
        }
        ErrorType::ExpectedNumber | ErrorType::InvalidNumber | ErrorType::InvalidExponent => {
            JsonProblem::Number
        }
        ErrorType::InvalidEscape
        | ErrorType::InvalidUnicodeEscape
        | ErrorType::UnterminatedString => JsonProblem::Text,
        ErrorType::Syntax if error.index() == 0 => JsonProblem::ControlCharacter,
        _ => JsonProblem::Syntax,
    };
    let offset = if problem == JsonProblem::ControlCharacter {
        control_character(text)
    } else {
        offset
    };
    RecordError::InvalidJson { offset, problem }
}

/// Where the first control character inside a string of `text` stands; the beginning of the last
/// string, where there is none (then that string does not end).
fn control_character(text: &[u8]) -> u64 {
    let mut begin = None;
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match (begin, byte) {
            (None, b'"') => begin = Some(at),
            (None, _) => {}
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(_), b'"') => begin = None,
            (Some(_), 0..0x20) => return at as u64,
            (Some(_), _) => {}
        }
    }
    begin.unwrap_or(0) as u64
}
