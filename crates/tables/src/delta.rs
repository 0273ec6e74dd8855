//! Parquet's encodings of integers as differences, and of texts that do not repeat: all their lengths as
//! differences, then all their bytes.
//!
//! A length before each text would be in the way of zstd, which takes it for something worth finding. See
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#delta-length-byte-array-delta_length_byte_array--6>.

use crate::hybrid::{self, push_varint};

/// Differences are written in blocks of so many.
const BLOCK: usize = 128;

/// Each block in parts with a width of their own.
const PARTS: usize = 4;

/// Differences of more bits take whole bytes, which the format leaves open: those between times of whole
/// seconds have many bits and few values, and zstd sees that in bytes alone.
const PACKED_BITS: u8 = 16;

/// Writes texts behind `out`.
pub(crate) fn encode_texts(texts: &[&str], out: &mut Vec<u8>) {
    // The pages' own lengths are checked: they have 32 bits, too.
    let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
    encode_integers(&lengths, out);
    texts
        .iter()
        .for_each(|text| out.extend_from_slice(text.as_bytes()));
}

/// Writes integers as differences (`DELTA_BINARY_PACKED`). As the format has it, a difference that 64 bits
/// cannot hold wraps around, and the reader's sum wraps back.
pub(crate) fn encode_integers(integers: &[i64], out: &mut Vec<u8>) {
    push_varint(BLOCK as u64, out);
    push_varint(PARTS as u64, out);
    push_varint(integers.len() as u64, out);
    let Some((first, rest)) = integers.split_first() else {
        return push_zigzag(0, out);
    };
    push_zigzag(*first, out);
    let mut before = *first;
    let mut above = [0; BLOCK];
    for block in rest.chunks(BLOCK) {
        let mut least = i64::MAX;
        let mut differences = [0; BLOCK];
        for (difference, integer) in differences.iter_mut().zip(block) {
            *difference = integer.wrapping_sub(before);
            least = least.min(*difference);
            before = *integer;
        }
        push_zigzag(least, out);
        for (above, difference) in above.iter_mut().zip(differences) {
            *above = difference.wrapping_sub(least).cast_unsigned();
        }
        let above = above.get(..block.len()).unwrap_or_default();
        let parts = above.chunks(BLOCK / PARTS);
        let width = |part: &[u64]| {
            let all = part.iter().fold(0, |all, more| all | more);
            // 64 bits at most.
            let width = (u64::BITS - all.leading_zeros()) as u8;
            match width <= PACKED_BITS {
                true => width,
                false => hybrid::whole_bytes(width),
            }
        };
        out.extend(parts.clone().map(width));
        out.extend(std::iter::repeat_n(0, PARTS - parts.len()));
        for part in parts {
            let width = width(part);
            let end = out.len() + BLOCK / PARTS * usize::from(width) / 8;
            pack(part, width, out);
            out.resize(end, 0);
        }
    }
}

/// Packs values of `width` bits each, least significant bits first.
fn pack(values: &[u64], width: u8, out: &mut Vec<u8>) {
    // Never more than 63 bits wait, and 64 join them.
    let (mut bits, mut waiting) = (0_u128, 0_u32);
    for value in values {
        bits |= u128::from(*value) << waiting;
        waiting += u32::from(width);
        if waiting >= u64::BITS {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= u64::BITS;
            waiting -= u64::BITS;
        }
    }
    out.extend(bits.to_le_bytes().iter().take(waiting.div_ceil(8) as usize));
}

fn push_zigzag(number: i64, out: &mut Vec<u8>) {
    push_varint(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn zigzag(bytes: &mut &[u8]) -> i64 {
        let number = varint(bytes);
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    /// A decoder as the specification has it.
    fn integers(bytes: &mut &[u8]) -> Vec<i64> {
        let (block, parts) = (varint(bytes) as usize, varint(bytes) as usize);
        let count = varint(bytes) as usize;
        let mut integers = vec![zigzag(bytes)];
        while integers.len() < count {
            let least = zigzag(bytes);
            let widths = &bytes[..parts];
            *bytes = &bytes[parts..];
            for width in widths.iter().map(|width| usize::from(*width)) {
                if integers.len() >= count {
                    break;
                }
                let bit = |at: usize| i64::from(bytes[at / 8] >> (at % 8) & 1);
                for value in 0..block / parts {
                    let more = (0..width).fold(0, |sum, at| sum | bit(value * width + at) << at);
                    let before = integers[integers.len() - 1];
                    integers.push(before.wrapping_add(least).wrapping_add(more));
                }
                *bytes = &bytes[block / parts * width / 8..];
            }
        }
        integers.truncate(count);
        integers
    }

    fn texts(mut bytes: &[u8]) -> Vec<String> {
        let lengths = integers(&mut bytes);
        let mut texts = Vec::new();
        for length in &lengths {
            let (text, rest) = bytes.split_at(*length as usize);
            texts.push(String::from_utf8(text.to_vec()).unwrap());
            bytes = rest;
        }
        assert!(bytes.is_empty());
        texts
    }

    #[track_caller]
    fn check(texts: &[String]) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut bytes = Vec::new();
        encode_texts(&texts, &mut bytes);
        assert_eq!(super::tests::texts(&bytes), texts);
    }

    #[track_caller]
    fn check_integers(expect: &[i64]) {
        let mut bytes = Vec::new();
        encode_integers(expect, &mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(integers(&mut rest), expect);
        assert!(rest.is_empty());
    }

    #[test]
    fn integers_are_read_back() {
        check_integers(&[]);
        check_integers(&[i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN, -1, 1]);
        for count in [1, 2, 32, 33, 34, 128, 129, 130, 1_000] {
            check_integers(&vec![-7; count]);
            check_integers(&(0..count as i64).collect::<Vec<_>>());
            let time = |at: i64| 1_793_577_840_000_000 + at * at % 977 * 1_000_000;
            check_integers(&(0..count as i64).map(time).collect::<Vec<_>>());
            let any = |at: i64| at.wrapping_mul(0x1e37_79b9_7f4a_7c15);
            check_integers(&(0..count as i64).map(any).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        check(&[]);
        check(&[String::new()]);
        check(&["a".repeat(100_000)]);
        check(&["a".repeat(70_000), String::new(), "b".repeat(70_000)]);
        for count in [2, 31, 32, 33, 34, 128, 129, 130, 161, 1_000] {
            check(&vec!["7f3c".to_owned(); count]);
            check(&(0..count).map(|at| at.to_string()).collect::<Vec<_>>());
            let length = |at: usize| at.wrapping_mul(0x9e37_79b9) >> 7 & 0xff;
            check(
                &(0..count)
                    .map(|at| "x".repeat(length(at)))
                    .collect::<Vec<_>>(),
            );
        }
    }
}
