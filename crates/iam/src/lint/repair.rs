//! From text to JSON values, past the mistakes that are made by hand.
//!
//! A missing comma hides everything after it from a parser that stops there. So the obvious repairs
//! are made, each is a finding, and the rest of the document is looked at as well.

use crate::policy::error::{PolicyError, PolicyErrorKind, Wanted};
use crate::policy::json::{self, Node};

/// A broken document is repaired at this many places, then given up.
const MAX_REPAIRS: usize = 50;

/// A text that was read.
pub(super) struct Read {
    /// `None` where it could not be repaired.
    pub(super) root: Option<Node>,
    pub(super) errors: Vec<SyntaxError>,
    insertions: Vec<Insertion>,
}

/// One error, with its place in the text as it was given.
pub(super) struct SyntaxError {
    pub(super) offset: usize,
    pub(super) kind: PolicyErrorKind,
    /// What would repair it.
    pub(super) repair: Option<String>,
}

/// Text that was added in front of what stands at this place of the repaired text.
struct Insertion {
    offset: usize,
    length: usize,
}

impl Read {
    /// Reads a text; what stands where a repair was made is given with its place in the original.
    pub(super) fn new(text: &str) -> Read {
        let mut read = Read {
            root: None,
            errors: Vec::new(),
            insertions: Vec::new(),
        };
        let mut repaired = text.to_owned();
        for _ in 0..=MAX_REPAIRS {
            let error = match json::parse(&repaired) {
                Ok(root) => {
                    read.root = Some(root);
                    return read;
                }
                Err(error) => error,
            };
            let at = offset_of(&repaired, &error);
            let repair = Repair::of(&error.kind, &repaired, at);
            read.errors.push(SyntaxError {
                offset: read.original(at),
                kind: error.kind,
                repair: repair.as_ref().map(|repair| repair.words.clone()),
            });
            let Some(repair) = repair else {
                return read;
            };
            repaired = read.apply(&repaired, &repair);
        }
        read
    }

    /// The place in the original text of a place in the repaired one.
    pub(super) fn original(&self, offset: usize) -> usize {
        // Each insertion's place counts in the text as it was when it was made, and later ones may
        // lie before it: undone in the opposite order they all count.
        self.insertions
            .iter()
            .rev()
            .fold(offset, |offset, insertion| {
                if offset >= insertion.offset + insertion.length {
                    offset - insertion.length
                } else {
                    offset.min(insertion.offset)
                }
            })
    }

    fn apply(&mut self, text: &str, repair: &Repair) -> String {
        let (before, after) = text.split_at_checked(repair.offset).unwrap_or((text, ""));
        self.insertions.push(Insertion {
            offset: repair.offset,
            length: repair.insert.len(),
        });
        let after = after.get(repair.blank..).unwrap_or_default();
        let blank = " ".repeat(repair.blank);
        format!("{before}{}{blank}{after}", repair.insert)
    }
}

/// A change to the text: something inserted, and so many bytes blanked.
struct Repair {
    offset: usize,
    insert: String,
    blank: usize,
    words: String,
}

impl Repair {
    fn of(kind: &PolicyErrorKind, text: &str, at: usize) -> Option<Repair> {
        let insert = |insert: &str, words: String| Repair {
            offset: at,
            insert: insert.to_owned(),
            blank: 0,
            words,
        };
        match kind {
            PolicyErrorKind::Expected {
                wanted: Wanted::CommaOrBrace | Wanted::CommaOrBracket,
                after,
                ..
            } => Some(insert(",", format!("put a `,` after {after}"))),
            PolicyErrorKind::TrailingComma { close } => Some(Repair {
                offset: at,
                insert: String::new(),
                blank: 1,
                words: format!("remove the `,` before `{close}`"),
            }),
            PolicyErrorKind::EndsInside { .. } => {
                let missing = unclosed(text);
                (!missing.is_empty())
                    .then(|| insert(&missing, format!("add the missing `{missing}` at the end")))
            }
            PolicyErrorKind::ExpectedValue { .. } => unquoted(text, at),
            _ => None,
        }
    }
}

/// Quotes a value that has none: `"Resource": arn:aws:…`.
fn unquoted(text: &str, at: usize) -> Option<Repair> {
    let rest = text.get(at..)?;
    let end = rest
        .find(['"', ',', '}', ']', '{', '[', '\n', '\r'])
        .unwrap_or(rest.len());
    let value = rest.get(..end)?.trim_end();
    if value.is_empty() || value.contains('\\') {
        return None;
    }
    Some(Repair {
        offset: at,
        insert: format!("\"{value}\""),
        blank: value.len(),
        words: format!("put the value in double quotes: `\"{value}\"`"),
    })
}

/// The closing brackets that a text lacks at its end; none where it ends inside a string.
fn unclosed(text: &str) -> String {
    let mut open = Vec::new();
    let mut in_string = false;
    let mut escaped = false;
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => drop(open.pop()),
            _ => {}
        }
    }
    if in_string {
        return String::new();
    }
    open.iter().rev().collect()
}

/// The place of an error in bytes.
fn offset_of(text: &str, error: &PolicyError) -> usize {
    let line = usize::try_from(error.line).unwrap_or(usize::MAX);
    let column = usize::try_from(error.column).unwrap_or(usize::MAX);
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = text.get(start..).unwrap_or_default();
    start
        + rest
            .char_indices()
            .nth(column.saturating_sub(1))
            .map_or(rest.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, errors: &[usize]) {
        let read = Read::new(text);
        let found: Vec<usize> = read.errors.iter().map(|error| error.offset).collect();
        assert_eq!(found, errors, "{text}");
        assert!(read.root.is_some(), "{text}");
    }

    #[test]
    fn repairs_and_their_places() {
        check(r#"{"a": 1}"#, &[]);
        check(r#"{"a": 1 "b": 2 "c": 3}"#, &[8, 15]);
        check(r#"{"a": [1, 2,], "b": 2,}"#, &[11, 21]);
        check(r#"{"a": {"b": [1"#, &[14]);
        check(
            r#"{"a": arn:aws:s3:::x, "b" : arn "c": 3 "d": 4}"#,
            &[6, 28, 32, 39],
        );
    }

    #[test]
    fn what_cannot_be_repaired() {
        let read = Read::new(r#"{"a" 1}"#);
        assert!(read.root.is_none());
        assert_eq!(read.errors.len(), 1);
        let read = Read::new(r#"{"a": "b"#);
        assert!(read.root.is_none());
    }
}
