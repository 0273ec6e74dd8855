//! Parquet's encoding of texts that do not repeat: all their lengths as differences, then all their bytes.
//!
//! A length before each text would be in the way of zstd, which takes it for something worth finding. See
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#delta-length-byte-array-delta_length_byte_array--6>.

use crate::hybrid::{pack_bits, push_varint, width_of};

/// Differences are written in blocks of so many.
const BLOCK: usize = 128;

/// Each block in parts with a width of their own.
const PARTS: usize = 4;

/// Writes texts behind `out`.
pub(crate) fn encode_texts(texts: &[&str], out: &mut Vec<u8>) {
    // The pages' own lengths are checked: they have 32 bits, too.
    let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
    encode_integers(&lengths, out);
    texts
        .iter()
        .for_each(|text| out.extend_from_slice(text.as_bytes()));
}

/// Writes 32-bit integers as differences (`DELTA_BINARY_PACKED`).
fn encode_integers(integers: &[i64], out: &mut Vec<u8>) {
    push_varint(BLOCK as u64, out);
    push_varint(PARTS as u64, out);
    push_varint(integers.len() as u64, out);
    push_zigzag(integers.first().copied().unwrap_or_default(), out);
    let pairs = integers.iter().zip(integers.iter().skip(1));
    let differences: Vec<i64> = pairs.map(|(before, integer)| integer - before).collect();
    for block in differences.chunks(BLOCK) {
        let least = block.iter().copied().min().unwrap_or_default();
        push_zigzag(least, out);
        // Texts are shorter than 2 GB: so is each difference from the least.
        let above: Vec<u32> = block.iter().map(|more| (more - least) as u32).collect();
        let parts = above.chunks(BLOCK / PARTS);
        let width = |part: &[u32]| match part.iter().copied().max() {
            Some(0) | None => 0,
            Some(greatest) => width_of(greatest),
        };
        out.extend(parts.clone().map(width));
        out.extend(std::iter::repeat_n(0, PARTS - parts.len()));
        for part in parts {
            let end = out.len() + BLOCK / PARTS * usize::from(width(part)) / 8;
            pack_bits(part, width(part), out);
            out.resize(end, 0);
        }
    }
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
    fn decode(mut bytes: &[u8]) -> Vec<String> {
        let (block, parts) = (varint(&mut bytes) as usize, varint(&mut bytes) as usize);
        let count = varint(&mut bytes) as usize;
        let mut lengths = vec![zigzag(&mut bytes)];
        while lengths.len() < count {
            let least = zigzag(&mut bytes);
            let widths = &bytes[..parts];
            bytes = &bytes[parts..];
            for width in widths.iter().map(|width| usize::from(*width)) {
                if lengths.len() >= count {
                    break;
                }
                let bit = |at: usize| i64::from(bytes[at / 8] >> (at % 8) & 1);
                for value in 0..block / parts {
                    let more = (0..width).fold(0, |sum, at| sum | bit(value * width + at) << at);
                    lengths.push(lengths[lengths.len() - 1] + least + more);
                }
                bytes = &bytes[block / parts * width / 8..];
            }
        }
        let mut texts = Vec::new();
        for length in &lengths[..count] {
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
        assert_eq!(decode(&bytes), texts);
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
