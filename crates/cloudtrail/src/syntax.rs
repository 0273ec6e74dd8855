//! Reads JSON text (RFC 8259) into the nodes of a [`Tree`], in one pass.
//!
//! It says only where a text is no JSON; what is wrong there is found out by simd-json, of which it
//! accepts the same: no number that is infinite as a double, no lone surrogate, nothing deeper than
//! [`MAX_RECORD_DEPTH`].

use wide::u8x16;

use crate::MAX_RECORD_DEPTH;
use crate::members::is_space;
use crate::tree::{Node, Place, Tree};

/// The number of no node.
const NONE: u32 = u32::MAX;

/// Looked at together.
const PART_BYTES: usize = 16;

/// A number of fewer digits, without an exponent, is finite.
const FINITE_BYTES: usize = 300;

/// Where a [`Tree`] lives; used again for the next text.
///
/// Memory: a node of 12 bytes per value, key and bracket pair, and the text of strings with escapes.
#[derive(Debug, Default)]
pub(crate) struct TreeBuffers {
    nodes: Vec<Node>,
    unescaped: String,
}

impl TreeBuffers {
    /// The tree of `text`; `None` where it is no JSON.
    pub(crate) fn parse<'a>(&'a mut self, text: &'a str) -> Option<Tree<'a>> {
        self.nodes.clear();
        self.unescaped.clear();
        u32::try_from(text.len()).ok()?;
        let mut reader = Reader {
            text,
            nodes: &mut self.nodes,
            unescaped: &mut self.unescaped,
            open: NONE,
            in_object: false,
            depth: 0,
        };
        reader.read(text.as_bytes())?;
        Some(Tree {
            text,
            unescaped: &self.unescaped,
            nodes: &self.nodes,
        })
    }
}

struct Reader<'a, 'b> {
    text: &'a str,
    nodes: &'b mut Vec<Node>,
    unescaped: &'b mut String,
    /// The innermost open array or object. While it is open, its node holds the number of the one around
    /// it.
    open: u32,
    in_object: bool,
    depth: usize,
}

/// All are `None` where the text is no JSON; places are handed from one to the other, so that they need not
/// go through memory: this is what reading a file mostly does.
impl Reader<'_, '_> {
    fn read(&mut self, bytes: &[u8]) -> Option<()> {
        let mut at = 0;
        let mut is_key = false;
        loop {
            let mut is_read = false;
            if is_key {
                (at, is_read) = self.members(bytes, at)?;
            }
            if !is_read {
                let byte;
                (at, byte) = next(bytes, at)?;
                match byte {
                    b'"' => at = self.string(bytes, at)?,
                    b'{' => {
                        self.open(Node::Object { behind: self.open })?;
                        (at, is_key) = next(bytes, at + 1).map(|(at, byte)| (at, byte != b'}'))?;
                        if is_key {
                            continue;
                        }
                        self.close();
                        at += 1;
                    }
                    b'[' => {
                        self.open(Node::Array { behind: self.open })?;
                        let byte;
                        (at, byte) = next(bytes, at + 1)?;
                        is_key = false;
                        if byte != b']' {
                            continue;
                        }
                        self.close();
                        at += 1;
                    }
                    _ => at = self.word_or_number(bytes, at, byte)?,
                }
            }
            loop {
                if self.open == NONE {
                    return next(bytes, at).is_none().then_some(());
                }
                let byte;
                (at, byte) = next(bytes, at)?;
                at += 1;
                match (byte, self.in_object) {
                    (b',', in_object) => {
                        is_key = in_object;
                        break;
                    }
                    (b'}', true) | (b']', false) => self.close(),
                    _ => return None,
                }
            }
        }
    }

    /// A key and what follows it: its value where that is a string, then the next key, and so on, as long
    /// as there is no white space. Says how far it came, and whether that is behind a value, or before one.
    #[inline(always)]
    fn members(&mut self, bytes: &[u8], at: usize) -> Option<(usize, bool)> {
        let (mut at, byte) = next(bytes, at)?;
        if byte != b'"' {
            return None;
        }
        loop {
            at = self.key(bytes, at)?;
            if !follows(bytes, at, *b":\"") {
                let (colon, byte) = next(bytes, at)?;
                return (byte == b':').then_some((colon + 1, false));
            }
            at = self.string(bytes, at + 1)?;
            if !follows(bytes, at, *b",\"") {
                return Some((at, true));
            }
            at += 1;
        }
    }

    /// A key, at its opening quote. Nearly all are shorter than one part.
    #[inline(always)]
    fn key(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let begin = at + 1;
        let marks = part(bytes, begin).map_or(0, marks);
        let end = if marks != 0 {
            begin + marks.trailing_zeros() as usize
        } else {
            plain_end(bytes, begin)
        };
        self.string_to(bytes, begin, end)
    }

    /// A string, at its opening quote.
    #[inline(always)]
    fn string(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let begin = at + 1;
        self.string_to(bytes, begin, plain_end(bytes, begin))
    }

    /// A string that begins behind its quote, and is plain up to `end`. Says where it ends, as all do.
    #[inline(always)]
    fn string_to(&mut self, bytes: &[u8], begin: usize, end: usize) -> Option<usize> {
        if *bytes.get(end)? != b'"' {
            return self.string_with_escapes(bytes, begin, end);
        }
        self.nodes.push(Node::Written(place(begin, end)));
        Some(end + 1)
    }

    fn open(&mut self, node: Node) -> Option<()> {
        if self.depth >= MAX_RECORD_DEPTH {
            return None;
        }
        self.depth += 1;
        self.open = self.nodes.len() as u32;
        self.in_object = matches!(node, Node::Object { .. });
        self.nodes.push(node);
        Some(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        let length = self.nodes.len() as u32;
        if let Some(Node::Array { behind } | Node::Object { behind }) =
            self.nodes.get_mut(self.open as usize)
        {
            self.open = std::mem::replace(behind, length);
        }
        let around = self.nodes.get(self.open as usize);
        self.in_object = matches!(around, Some(Node::Object { .. }));
    }

    #[inline(never)]
    fn word_or_number(&mut self, bytes: &[u8], at: usize, first: u8) -> Option<usize> {
        let (word, node) = match first {
            b't' => ("true", Node::Bool(true)),
            b'f' => ("false", Node::Bool(false)),
            b'n' => ("null", Node::Null),
            _ => return self.number(bytes, at),
        };
        bytes.get(at..)?.strip_prefix(word.as_bytes())?;
        self.nodes.push(node);
        Some(at + word.len())
    }

    fn number(&mut self, bytes: &[u8], begin: usize) -> Option<usize> {
        let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
        let integer = begin + usize::from(is(begin, b'-'));
        let mut at = if is(integer, b'0') {
            integer + 1
        } else {
            digits(bytes, integer)?
        };
        if is(at, b'.') {
            at = digits(bytes, at + 1)?;
        }
        let has_exponent = is(at, b'e') || is(at, b'E');
        if has_exponent {
            let has_sign = is(at + 1, b'-') || is(at + 1, b'+');
            at = digits(bytes, at + 1 + usize::from(has_sign))?;
        }
        if has_exponent || at - begin >= FINITE_BYTES {
            let number: f64 = self.text.get(begin..at)?.parse().ok()?;
            number.is_finite().then_some(())?;
        }
        self.nodes.push(Node::Number(place(begin, at)));
        Some(at)
    }

    /// A string that stands as written from `begin` to `at`.
    #[cold]
    fn string_with_escapes(&mut self, bytes: &[u8], begin: usize, at: usize) -> Option<usize> {
        let from = self.unescaped.len();
        let (mut begin, mut at) = (begin, at);
        loop {
            self.unescaped.push_str(self.text.get(begin..at)?);
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => begin = self.escape(bytes, at)?,
                _ => return None,
            }
            at = plain_end(bytes, begin);
        }
        let place = place(from, self.unescaped.len());
        self.nodes.push(Node::Unescaped(place));
        Some(at + 1)
    }

    /// An escape, at its backslash.
    fn escape(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let unescaped = match bytes.get(at + 1)? {
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.numbered_escape(bytes, at),
            _ => return None,
        };
        self.unescaped.push(unescaped);
        Some(at + 2)
    }

    /// `\u` and four digits; characters beyond 16 bits are two of them, a high and a low surrogate.
    fn numbered_escape(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let mut code = code_unit(bytes, at)?;
        let mut end = at + 6;
        if (0xd800..0xdc00).contains(&code) {
            let low = code_unit(bytes, end)?;
            if !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            code = 0x1_0000 + ((code - 0xd800) << 10 | (low - 0xdc00));
            end += 6;
        }
        self.unescaped.push(char::from_u32(code)?);
        Some(end)
    }
}

/// The next byte that is no white space, and its place.
#[inline(always)]
fn next(bytes: &[u8], mut at: usize) -> Option<(usize, u8)> {
    loop {
        let byte = *bytes.get(at)?;
        if byte > b' ' || !is_space(byte) {
            return Some((at, byte));
        }
        at += 1;
    }
}

#[inline(always)]
fn follows(bytes: &[u8], at: usize, marks: [u8; 2]) -> bool {
    bytes.get(at..at + 2) == Some(&marks[..])
}

/// Where the digits end that begin at `at`.
fn digits(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let count = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len());
    (count > 0).then_some(at + count)
}

/// What a `\u` escape stands for: a character, or half of one.
fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |code, digit| {
        Some(code << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// Places in a text of a length that is 32 bits.
fn place(begin: usize, end: usize) -> Place {
    Place {
        begin: begin as u32,
        end: end as u32,
    }
}

/// The first byte from `at` on that does not stand for itself in a string: a quote, a backslash or a
/// control character; the end of the text where there is none.
#[inline(always)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    // Most strings are shorter than two parts: then nothing is to be guessed about where they end.
    while let Some((first, second)) = parts(bytes, at) {
        let marks = marks(first) | marks(second) << PART_BYTES;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize;
        }
        at += 2 * PART_BYTES;
    }
    at + plain_bytes(bytes.get(at..).unwrap_or_default())
}

#[inline(always)]
fn parts(bytes: &[u8], at: usize) -> Option<(&[u8; PART_BYTES], &[u8; PART_BYTES])> {
    let both = bytes.get(at..)?.first_chunk::<{ 2 * PART_BYTES }>()?;
    Some((both.first_chunk()?, both.last_chunk()?))
}

#[inline(always)]
fn part(bytes: &[u8], at: usize) -> Option<&[u8; PART_BYTES]> {
    bytes.get(at..)?.first_chunk()
}

#[inline(always)]
fn marks(part: &[u8; PART_BYTES]) -> u32 {
    let part = u8x16::from(*part);
    let control = part.min(u8x16::splat(0x1f)).simd_eq(part);
    let marks = part.simd_eq(u8x16::splat(b'"')) | part.simd_eq(u8x16::splat(b'\\')) | control;
    marks.to_bitmask()
}

/// As [`plain_end`], of the last bytes of a text.
#[cold]
fn plain_bytes(rest: &[u8]) -> usize {
    rest.iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
        .unwrap_or(rest.len())
}
