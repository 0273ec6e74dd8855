//! Walks over the members of one JSON object, told of each key and of how its value begins,
//! while the object still arrives.

use crate::nest::{InString, Nest};

/// Keys that matter are shorter; longer ones are only skipped.
const KEY_BYTES: usize = 24;
/// What is kept of a value's beginning.
const HEAD_BYTES: usize = 8;

/// Where a walk stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the first key, or the end.
    FirstKey,
    /// Behind a comma.
    NextKey,
    InKey(InString),
    Colon,
    Value,
    /// At a string's opening quote.
    Quote,
    InText(InString),
    InNest,
    InWord,
    /// Behind a value.
    Separator,
}

/// What a walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The bytes are used up.
    More,
    /// A value begins at this place; [`Members::key`] names it. The caller goes over it and calls
    /// [`Members::value_taken`], or calls [`Members::skip_value`].
    Value,
    /// The value ended before this place; [`Members::head`] is its beginning.
    Member,
    /// The object ended before this place.
    End,
    /// The byte at this place belongs to no object.
    Bad,
}

/// A walk over one object's members, starting behind its `{`.
#[derive(Debug)]
pub(crate) struct Members {
    state: State,
    nest: Nest,
    key: Head<KEY_BYTES>,
    head: Head<HEAD_BYTES>,
    deepest: u64,
}

/// The first bytes of something that arrives in chunks.
#[derive(Debug)]
struct Head<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Head<N> {
    fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    fn add(&mut self, more: &[u8]) {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(more) {
            *place = *byte;
        }
        self.length = self.length.saturating_add(more.len());
    }

    /// What was kept; at most `N` bytes.
    fn get(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl Members {
    pub(crate) fn new() -> Self {
        Self {
            state: State::FirstKey,
            nest: Nest::default(),
            key: Head::new(),
            head: Head::new(),
            deepest: 1,
        }
    }

    /// The key of the value at hand, as written; empty where it is too long to matter.
    pub(crate) fn key(&self) -> &[u8] {
        // The closing quote is kept with it.
        let key = self.key.get();
        if self.key.length > KEY_BYTES {
            &[]
        } else {
            key.strip_suffix(b"\"").unwrap_or(key)
        }
    }

    /// The first bytes of the value at hand, as written: a string's begin with its quote.
    pub(crate) fn head(&self) -> &[u8] {
        self.head.get()
    }

    /// How deep the object nests so far.
    pub(crate) fn deepest(&self) -> u64 {
        self.deepest.max(1 + self.nest.deepest())
    }

    pub(crate) fn in_string(&self) -> bool {
        match self.state {
            State::InKey(_) | State::InText(_) => true,
            State::InNest => self.nest.in_string(),
            _ => false,
        }
    }

    /// The value that [`Step::Value`] announced, and which begins with `first`, is to be skipped.
    pub(crate) fn skip_value(&mut self, first: u8) {
        self.head = Head::new();
        self.state = match first {
            b'"' => State::Quote,
            b'{' | b'[' => State::InNest,
            _ => State::InWord,
        };
    }

    /// The caller went over the value that [`Step::Value`] announced.
    pub(crate) fn value_taken(&mut self) {
        self.state = State::Separator;
    }

    /// Goes on with `bytes`, and says how far it came.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (length, step) = self.step(rest);
            at += length;
            if let Some(step) = step {
                return (at, step);
            }
        }
        (at, Step::More)
    }

    fn step(&mut self, rest: &[u8]) -> (usize, Option<Step>) {
        match self.state {
            State::FirstKey | State::NextKey | State::Colon | State::Value | State::Separator => {
                self.between(rest)
            }
            State::InKey(mut string) => {
                let end = string.advance(rest);
                self.key
                    .add(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                self.state = if end.is_some() {
                    State::Colon
                } else {
                    State::InKey(string)
                };
                (end.unwrap_or(rest.len()), None)
            }
            State::Quote => {
                self.head.add(b"\"");
                self.state = State::InText(InString::default());
                (1, None)
            }
            State::InText(mut string) => {
                let end = string.advance(rest);
                self.state = State::InText(string);
                self.go_over(rest, end)
            }
            State::InNest => {
                let end = self.nest.advance(rest);
                self.go_over(rest, end)
            }
            State::InWord => {
                let end = rest.iter().position(|byte| ends_word(*byte));
                self.go_over(rest, end)
            }
        }
    }

    /// The value at hand goes on to `end`, or through all of `rest`.
    fn go_over(&mut self, rest: &[u8], end: Option<usize>) -> (usize, Option<Step>) {
        let length = end.unwrap_or(rest.len());
        self.head.add(rest.get(..length).unwrap_or_default());
        if end.is_none() {
            return (length, None);
        }
        self.deepest = self.deepest();
        self.nest = Nest::default();
        self.state = State::Separator;
        (length, Some(Step::Member))
    }

    /// White space, and the marks between keys and values.
    fn between(&mut self, rest: &[u8]) -> (usize, Option<Step>) {
        let Some(at) = rest.iter().position(|byte| !is_space(*byte)) else {
            return (rest.len(), None);
        };
        let byte = rest.get(at).copied().unwrap_or_default();
        match (self.state, byte) {
            (State::FirstKey | State::NextKey, b'"') => {
                self.key = Head::new();
                self.state = State::InKey(InString::default());
            }
            (State::FirstKey | State::Separator, b'}') => return (at + 1, Some(Step::End)),
            (State::Colon, b':') => self.state = State::Value,
            (State::Separator, b',') => self.state = State::NextKey,
            (State::Value, _) if begins_value(byte) => return (at, Some(Step::Value)),
            _ => return (at, Some(Step::Bad)),
        }
        (at + 1, None)
    }
}

/// JSON's white space.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Whether a value can begin with `byte`; whether it is one is left to the parser.
pub(crate) fn begins_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'{' | b'[' | b'"' | b'-')
}

/// Whether a number or word ends before `byte`.
pub(crate) fn ends_word(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b',' | b'}' | b']' | b'{' | b'[' | b'"' | b':')
}
