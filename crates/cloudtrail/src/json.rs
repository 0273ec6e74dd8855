//! One JSON value inside a record, borrowed from the record's text.

use std::fmt::{self, Write};

use simd_json::prelude::Writable;

use crate::tree::{Node, Tree};

/// A borrowed JSON value. Copying it copies a pointer and a number.
#[derive(Clone, Copy)]
pub struct Json<'a> {
    tree: &'a Tree<'a>,
    at: u32,
}

/// What a [`Json`] value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// any number
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl<'a> Json<'a> {
    /// What the whole text is.
    pub(crate) fn root(tree: &'a Tree<'a>) -> Self {
        Self { tree, at: 0 }
    }

    fn node(self) -> &'a Node {
        self.tree.node(self.at)
    }

    /// What this value is.
    pub fn kind(self) -> JsonKind {
        match self.node() {
            Node::Null => JsonKind::Null,
            Node::Bool(_) => JsonKind::Bool,
            Node::Number(_) => JsonKind::Number,
            Node::Written(_) | Node::Unescaped(_) => JsonKind::String,
            Node::Array { .. } => JsonKind::Array,
            Node::Object { .. } => JsonKind::Object,
        }
    }

    /// The member `key` of an object; the first, where a key occurs twice.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        let Node::Object { behind } = *self.node() else {
            return None;
        };
        let tree = self.tree;
        let mut name = self.at + 1;
        while name < behind {
            let at = name + 1;
            if tree.is(name, key) {
                return Some(Self { tree, at });
            }
            name = tree.behind(at);
        }
        None
    }

    /// Follows `path` through objects: `["sessionContext", "sessionIssuer", "arn"]`.
    pub fn at(self, path: &[&str]) -> Option<Json<'a>> {
        let mut value = self;
        for key in path {
            value = value.get(key)?;
        }
        Some(value)
    }

    /// The text of a string; `None` for anything else.
    pub fn as_str(self) -> Option<&'a str> {
        self.tree.string(self.node())
    }

    /// A JSON boolean, or the strings `"true"` and `"false"`, which CloudTrail mixes.
    pub fn as_bool(self) -> Option<bool> {
        match (self.node(), self.as_str()) {
            (Node::Bool(is), _) => Some(*is),
            (_, Some("true")) => Some(true),
            (_, Some("false")) => Some(false),
            _ => None,
        }
    }

    /// A number's text in plain decimal form (`12`, `0.5`); `None` for anything else.
    ///
    /// Integers of up to 64 bits are exact. A fraction, or an integer beyond 64 bits, is the
    /// nearest double's shortest form.
    pub fn number_text(self) -> Option<String> {
        let written = self.tree.number(self.node())?;
        let fraction = || Some(written.parse::<f64>().ok()?.to_string());
        integer_text(written).or_else(fraction)
    }

    /// The items of an array; empty for anything else.
    pub fn items(self) -> impl Iterator<Item = Json<'a>> + 'a {
        let Self { tree, at } = self;
        let behind = match self.node() {
            Node::Array { behind } => *behind,
            _ => 0,
        };
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let at = next;
            if at >= behind {
                return None;
            }
            next = tree.behind(at);
            Some(Self { tree, at })
        })
    }

    /// The members of an object in their order; empty for anything else.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Json<'a>)> + 'a {
        let tree = self.tree;
        self.nodes_of_members()
            .filter_map(move |(key, value)| Some((tree.string(key)?, value)))
    }

    /// As [`Json::members`], with keys that are only to be compared.
    pub(crate) fn byte_members(self) -> impl Iterator<Item = (&'a [u8], Json<'a>)> + 'a {
        let tree = self.tree;
        self.nodes_of_members()
            .filter_map(move |(key, value)| Some((tree.bytes(key)?, value)))
    }

    fn nodes_of_members(self) -> impl Iterator<Item = (&'a Node, Json<'a>)> + 'a {
        let Self { tree, at } = self;
        let behind = match self.node() {
            Node::Object { behind } => *behind,
            _ => 0,
        };
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let (key, at) = (next, next + 1);
            if at >= behind {
                return None;
            }
            next = tree.behind(at);
            Some((tree.node(key), Self { tree, at }))
        })
    }

    /// What is written of an object from its first key on, and a little of what follows: where it is the
    /// same, so is the object. `None` where that is not told.
    pub fn written_members(self) -> Option<&'a str> {
        let Node::Object { behind } = *self.node() else {
            return None;
        };
        if behind <= self.at + 1 {
            return None;
        }
        let begin_of = |at| match self.tree.nodes.get(at as usize) {
            Some(Node::Written(place)) => Some(place.begin as usize),
            Some(_) => None,
            None => Some(self.tree.text.len()),
        };
        self.tree
            .text
            .get(begin_of(self.at + 1)?..begin_of(behind)?)
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        matches!(self.node(), Node::Null)
    }

    /// This value as compact JSON text.
    pub fn to_text(self) -> String {
        let mut text = String::new();
        // A string takes whatever is written.
        let _ = self.write(&mut text);
        text
    }

    fn write(self, text: &mut String) -> fmt::Result {
        match self.node() {
            Node::Null => text.write_str("null"),
            Node::Bool(is) => write!(text, "{is}"),
            Node::Number(_) => {
                let written = self.tree.number(self.node()).unwrap_or_default();
                let fraction = || fraction_text(written);
                text.write_str(&integer_text(written).unwrap_or_else(fraction))
            }
            Node::Written(_) | Node::Unescaped(_) => {
                write_string(text, self.as_str().unwrap_or_default())
            }
            Node::Array { .. } => {
                text.push('[');
                for (number, item) in self.items().enumerate() {
                    text.push_str(if number > 0 { "," } else { "" });
                    item.write(text)?;
                }
                text.write_char(']')
            }
            Node::Object { .. } => {
                text.push('{');
                for (number, (key, value)) in self.members().enumerate() {
                    text.push_str(if number > 0 { "," } else { "" });
                    write_string(text, key)?;
                    text.push(':');
                    value.write(text)?;
                }
                text.write_char('}')
            }
        }
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// An integer of up to 64 bits, without the sign of `-0`.
fn integer_text(written: &str) -> Option<String> {
    let signed = || Some(written.parse::<i64>().ok()?.to_string());
    let unsigned = || Some(written.parse::<u64>().ok()?.to_string());
    signed().or_else(unsigned)
}

/// A fraction's shortest form, in the way in which JSON is written.
fn fraction_text(written: &str) -> String {
    let mut text = written.as_bytes().to_vec();
    match simd_json::to_tape(&mut text) {
        Ok(tape) => tape.as_value().encode(),
        Err(_) => written.to_owned(),
    }
}

fn write_string(text: &mut String, string: &str) -> fmt::Result {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..'\u{20}' => write!(text, "\\u{:04x}", u32::from(character))?,
            _ => text.push(character),
        }
    }
    text.write_char('"')
}
