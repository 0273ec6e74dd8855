//! Finds the end of a JSON value without reading it: brackets are counted, strings are skipped.
//!
//! This runs over every byte of every log file.

use crate::block::{BLOCK_BYTES, Block, Carry};

/// A string whose end is searched, across chunks.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct InString {
    /// The chunk before ended with a backslash.
    escaped: bool,
}

impl InString {
    /// The place behind the closing quote; `None` where it is not in `bytes`.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.escaped {
            bytes.first()?;
            self.escaped = false;
            at = 1;
        }
        loop {
            let rest = bytes.get(at..)?;
            let found = memchr::memchr2(b'"', b'\\', rest)?;
            at += found + 1;
            if rest.get(found) == Some(&b'"') {
                return Some(at);
            }
            if at == bytes.len() {
                self.escaped = true;
                return None;
            }
            at += 1;
        }
    }
}

/// An object or array whose end is searched, across chunks.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Nest {
    depth: u64,
    deepest: u64,
    carry: Carry,
}

impl Nest {
    /// How deep it got so far; an object without further ones is 1 deep.
    pub(crate) fn deepest(&self) -> u64 {
        self.deepest
    }

    pub(crate) fn in_string(&self) -> bool {
        self.carry.in_string
    }

    /// The place behind the bracket that closes what the first bracket opened; `None` where it
    /// is not in `bytes`. That brackets match in kind is left to the parser.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut begin = 0;
        while let Some(block) = Block::next(bytes, begin) {
            let mut brackets = block.brackets(&mut self.carry);
            while brackets != 0 {
                let at = begin + brackets.trailing_zeros() as usize;
                brackets &= brackets - 1;
                if matches!(bytes.get(at), Some(b'{' | b'[')) {
                    self.depth += 1;
                    self.deepest = self.deepest.max(self.depth);
                } else {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
            }
            begin += BLOCK_BYTES;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<usize>) {
        for size in 1..=text.len() {
            let mut nest = Nest::default();
            let mut before = 0;
            let mut found = None;
            for chunk in text.as_bytes().chunks(size) {
                found = nest.advance(chunk).map(|end| before + end);
                before += chunk.len();
                if found.is_some() {
                    break;
                }
            }
            assert_eq!(found, expected, "{text} by {size}");
        }
    }

    #[test]
    fn ends() {
        check("{}", Some(2));
        check("{} {}", Some(2));
        check(r#"{"a":[{"b":"}]\"{"},"\\"]},"#, Some(26));
        check(r#"{"a":"\\\\"}"#, Some(12));
        check(r#"["\""]]"#, Some(6));
        check(r#"{"a":"}"#, None);
        check(r#"{"a":[]"#, None);
    }

    #[test]
    fn ends_of_what_is_longer_than_a_block() {
        for length in 40..140 {
            let filler = "x".repeat(length);
            let text = format!(r#"{{"a{filler}\\":["{filler}]\"","\\\"{filler}}}"],"b":1}}"#);
            check(&text, Some(text.len()));
            check(&format!("{text}]]"), Some(text.len()));
        }
    }

    #[test]
    fn a_backslash_outside_of_strings_hides_no_quote() {
        check(r#"{\"}"}"#, Some(6));
    }

    #[test]
    fn depth() {
        let mut nest = Nest::default();
        nest.advance(br#"{"a":[{"b":1},[[]]]}"#).unwrap();
        assert_eq!(nest.deepest(), 4);
    }
}
