//! JSON files of a snapshot: pages, and where in a file something stands.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};

/// Why a file cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonProblem {
    line: usize,
    column: usize,
    reason: String,
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.line, self.column, self.reason)
    }
}

impl From<serde_json::Error> for JsonProblem {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        // serde_json ends its message with the place, which stands at the front of ours.
        let reason = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(reason, _)| reason)
            .to_owned();
        Self {
            line: error.line().max(1),
            column: error.column().max(1),
            reason,
        }
    }
}

impl JsonProblem {
    /// Without the place.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// Line and column, from 1.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    fn at_start(reason: &str) -> Self {
        Self {
            line: 1,
            column: 1,
            reason: reason.to_owned(),
        }
    }
}

/// The text of a file. PowerShell's `>` writes a byte order mark, or even UTF-16.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, JsonProblem> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(JsonProblem::at_start(
            "the file is UTF-16, and must be UTF-8",
        ));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        JsonProblem {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: before.len() - line_start + 1,
            reason: "the text is not UTF-8".to_owned(),
        }
    })
}

/// All pages of a file: JSON values one after the other, or an array of them; most often one.
pub(super) fn read_pages<'a, P: Deserialize<'a>>(text: &'a str) -> Result<Vec<P>, JsonProblem> {
    let mut pages = Vec::new();
    if text.trim_start().starts_with('[') {
        for array in serde_json::Deserializer::from_str(text).into_iter::<Vec<P>>() {
            pages.append(&mut array?);
        }
    } else {
        for page in serde_json::Deserializer::from_str(text).into_iter::<P>() {
            pages.push(page?);
        }
    }
    if pages.is_empty() {
        return Err(JsonProblem::at_start("the file holds nothing"));
    }
    Ok(pages)
}

/// A file that is one JSON value.
pub(super) fn read_one<'a, P: Deserialize<'a>>(text: &'a str) -> Result<P, JsonProblem> {
    Ok(serde_json::from_str(text)?)
}

/// A JSON object in its order, a name that stands twice included.
#[derive(Debug)]
pub(super) struct Entries<'a, V>(pub(super) Vec<(Cow<'a, str>, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Entries<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<'a, V>(PhantomData<(&'a (), V)>);
        impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<'a, V> {
            type Value = Entries<'a, V>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    entries.push((name, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

/// A text that borrows where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Where the lines of a text start: only errors need it, so it is made on the first one.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(
            std::iter::once(0)
                .chain(newlines.map(|(at, _)| at + 1))
                .collect(),
        )
    }

    /// The line and column, both from 1, of a byte.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|line| self.0.get(line))
            .copied()
            .unwrap_or(0);
        (line.max(1), offset - start + 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn pages_in_all_their_forms() {
        let pages = |text| read_pages::<u32>(text).map_err(|problem| problem.to_string());
        assert_eq!(pages("1"), Ok(vec![1]));
        assert_eq!(pages("1\n2 3"), Ok(vec![1, 2, 3]));
        assert_eq!(pages(" [1, 2]"), Ok(vec![1, 2]));
        assert_eq!(pages("[1, 2] [3]"), Ok(vec![1, 2, 3]));
        assert_eq!(pages(""), Err("1:1: the file holds nothing".to_owned()));
        assert_eq!(pages("1\n 2 x"), Err("2:4: expected value".to_owned()));
    }

    #[test]
    fn text_that_is_none() {
        let text = |bytes| text_of(bytes).map_err(|problem| problem.to_string());
        assert_eq!(text(b"\xef\xbb\xbf{}"), Ok("{}"));
        assert_eq!(
            text(b"\xff\xfe{\0"),
            Err("1:1: the file is UTF-16, and must be UTF-8".to_owned())
        );
        assert_eq!(
            text(b"a\nbc\xff"),
            Err("2:3: the text is not UTF-8".to_owned())
        );
    }

    #[test]
    fn places() {
        let lines = Lines::of("ab\nc\n\nd");
        assert_eq!(
            [0, 2, 3, 5, 6].map(|offset| lines.place(offset)),
            [(1, 1), (1, 3), (2, 1), (3, 1), (4, 1)]
        );
    }

    #[test]
    fn entries_keep_their_order_and_what_stands_twice() {
        let entries: Entries<'_, u8> = read_one(r#"{"b": 1, "a\n": 2, "b": 3}"#).unwrap();
        assert_eq!(
            entries.0,
            [("b".into(), 1), ("a\n".into(), 2), ("b".into(), 3)]
        );
    }
}
