//! Sixty-four bytes of JSON at once: where its quotes and brackets stand, as bit masks.

use wide::u8x16;

/// So many bytes are looked at together; a bit each.
pub(crate) const BLOCK_BYTES: usize = 64;

const PART_BYTES: usize = 16;
const PARTS: usize = BLOCK_BYTES / PART_BYTES;

/// Some bytes of a JSON text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// In parts of the width that every processor of the kind has: not the wider types, whose masks are put
    /// together bit by bit where the processor at hand is not named when building.
    parts: [u8x16; PARTS],
    /// How many bytes of it are text.
    length: usize,
}

/// What a block takes over from the one before it, and hands on.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Carry {
    /// The block begins within a string.
    pub(crate) in_string: bool,
    /// Its first byte stands behind a backslash that is within a string.
    escaped: bool,
}

impl Block {
    /// The next block of `bytes`, from `at` on; the last one may be shorter. `None` at their end.
    #[inline]
    pub(crate) fn next(bytes: &[u8], at: usize) -> Option<Self> {
        let rest = bytes.get(at..)?;
        if let Some(block) = rest.first_chunk::<BLOCK_BYTES>() {
            return Some(Self::of(block, BLOCK_BYTES));
        }
        if rest.is_empty() {
            return None;
        }
        let mut block = [b' '; BLOCK_BYTES];
        for (place, byte) in block.iter_mut().zip(rest) {
            *place = *byte;
        }
        Some(Self::of(&block, rest.len()))
    }

    #[inline]
    fn of(block: &[u8; BLOCK_BYTES], length: usize) -> Self {
        let (parts, _) = block.as_chunks::<PART_BYTES>();
        let mut parts = parts.iter();
        Self {
            parts: std::array::from_fn(|_| {
                parts.next().copied().map(u8x16::from).unwrap_or_default()
            }),
            length,
        }
    }

    /// The brackets that are in no string, a bit each; the lowest is the first byte's.
    #[inline]
    pub(crate) fn brackets(&self, carry: &mut Carry) -> u64 {
        let backslashes = self.are(b'\\');
        let mut quotes = mask(self.are(b'"'));
        if any(backslashes) || carry.escaped {
            quotes = unescaped((quotes, mask(backslashes)), self.length, carry);
        }
        // The square brackets differ from the curly ones in one bit, and no other byte becomes one.
        let brackets = self.parts.map(|part| {
            let curled = part | u8x16::splat(0x20);
            curled.simd_eq(u8x16::splat(b'{')) | curled.simd_eq(u8x16::splat(b'}'))
        });
        if !any(brackets) {
            carry.in_string ^= quotes.count_ones() & 1 != 0;
            return 0;
        }
        let begin = if carry.in_string { u64::MAX } else { 0 };
        let in_string = parity(quotes) ^ begin;
        carry.in_string = in_string >> (BLOCK_BYTES - 1) != 0;
        mask(brackets) & !in_string
    }

    #[inline]
    fn are(&self, byte: u8) -> [u8x16; PARTS] {
        self.parts.map(|part| part.simd_eq(u8x16::splat(byte)))
    }
}

/// Of these quotes, those that open and close strings. A backslash outside of strings is an error, and none
/// that hides a quote.
#[inline(never)]
fn unescaped((all, backslashes): (u64, u64), length: usize, carry: &mut Carry) -> u64 {
    let mut marks = all | backslashes;
    if std::mem::take(&mut carry.escaped) {
        marks &= !1;
    }
    let mut in_string = carry.in_string;
    let mut quotes = 0;
    while marks != 0 {
        let at = marks.trailing_zeros() as usize;
        marks &= marks - 1;
        if all >> at & 1 != 0 {
            quotes |= 1 << at;
            in_string = !in_string;
        } else if in_string && at + 1 < length {
            marks &= !(2 << at);
        } else {
            carry.escaped = in_string;
        }
    }
    quotes
}

#[inline]
fn any([a, b, c, d]: [u8x16; PARTS]) -> bool {
    (a | b | c | d).to_bitmask() != 0
}

/// A bit for each byte, the lowest for the first.
#[inline]
fn mask(parts: [u8x16; PARTS]) -> u64 {
    let [a, b, c, d] = parts.map(|part| u64::from(part.to_bitmask()));
    a | b << PART_BYTES | c << (2 * PART_BYTES) | d << (3 * PART_BYTES)
}

/// Of each bit, whether an odd number of bits is set up to and with it: between a string's quotes, its
/// opening one included.
#[inline]
fn parity(bits: u64) -> u64 {
    let mut sum = bits;
    for distance in [1, 2, 4, 8, 16, 32] {
        sum ^= sum << distance;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `marks` has a `^` under each bracket that is in no string.
    #[track_caller]
    fn check(text: &str, marks: &str) {
        let mut carry = Carry::default();
        let block = Block::next(text.as_bytes(), 0).unwrap();
        let brackets = block.brackets(&mut carry);
        let found: String = (0..text.len())
            .map(|at| if brackets >> at & 1 != 0 { '^' } else { ' ' })
            .collect();
        assert_eq!(found.trim_end(), marks, "{text}");
    }

    #[test]
    fn brackets() {
        check(r#"{"a":[1,"{"]}"#, "^    ^     ^^");
        check(r#"{"\"{":1,"a\\":[]}"#, "^              ^^^");
        check(r#"\"{"{"#, "    ^");
    }
}
