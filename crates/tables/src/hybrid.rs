//! Parquet's hybrid of run lengths and packed bits, in which levels and dictionary indices are written.
//!
//! See <https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>.

/// Values are packed in groups of so many.
const GROUP: usize = 8;

/// The groups behind one header, at most: so many that the header is a single byte.
const GROUPS_A_RUN: usize = 63;

/// The bits that a value of at most `greatest` takes; 1 at least, since not every reader knows widths of
/// none.
pub(crate) fn width_of(greatest: u32) -> u8 {
    // 32 bits at most.
    (u32::BITS - greatest.leading_zeros()).max(1) as u8
}

/// The next width of whole bytes. Packed bits hide from zstd that a row's numbers are those of the row
/// before.
pub(crate) fn whole_bytes(width: u8) -> u8 {
    width.next_multiple_of(8)
}

/// Writes `values`, of `width` bits each, behind `out`.
pub(crate) fn encode<V: Copy + PartialEq + Into<u32>>(values: &[V], width: u8, out: &mut Vec<u8>) {
    let mut rest = values;
    let mut packed = 0;
    while let Some(first) = rest.get(packed) {
        let behind = rest.get(packed..).unwrap_or_default();
        let run = run_of(*first, behind);
        if run < GROUP {
            packed = rest.len().min(packed + GROUP);
            continue;
        }
        let (before, after) = rest.split_at_checked(packed).unwrap_or((rest, &[]));
        pack(before, width, out);
        push_varint((run as u64) << 1, out);
        let value: u32 = (*first).into();
        let bytes = usize::from(width).div_ceil(8);
        out.extend(value.to_le_bytes().iter().take(bytes));
        rest = after.get(run..).unwrap_or_default();
        packed = 0;
    }
    pack(rest, width, out);
}

/// How many values are equal to `first` before one is not.
fn run_of<V: Copy + PartialEq>(first: V, values: &[V]) -> usize {
    /// So many are compared at once.
    const BLOCK: usize = 32;
    let is_equal = |block: &[V]| {
        block
            .iter()
            .fold(true, |equal, value| equal & (*value == first))
    };
    let short = values.iter().take(GROUP);
    let run = short.take_while(|value| **value == first).count();
    if run < GROUP {
        return run;
    }
    let blocks = values.chunks_exact(BLOCK);
    let whole = blocks.take_while(|block| is_equal(block)).count() * BLOCK;
    let rest = values.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|value| **value == first).count()
}

/// Writes values as packed bits; all but the last run are whole groups.
fn pack<V: Copy + Into<u32>>(values: &[V], width: u8, out: &mut Vec<u8>) {
    for run in values.chunks(GROUPS_A_RUN * GROUP) {
        let groups = run.len().div_ceil(GROUP);
        push_varint((groups as u64) << 1 | 1, out);
        let end = out.len() + groups * usize::from(width);
        pack_bits(run, width, out);
        out.resize(end, 0);
    }
}

/// Packs values of `width` bits each, least significant bits first; what is over of the last byte is 0.
pub(crate) fn pack_bits<V: Copy + Into<u32>>(values: &[V], width: u8, out: &mut Vec<u8>) {
    match width {
        0 => {}
        8 => out.extend(values.iter().map(|value| (*value).into() as u8)),
        16 => values
            .iter()
            .for_each(|value| out.extend(((*value).into() as u16).to_le_bytes())),
        _ => {
            let mut rest = values;
            if width < 8 {
                let groups = values.chunks_exact(GROUP);
                rest = groups.remainder();
                for group in groups {
                    let bits = (0..).zip(group).fold(0_u64, |bits, (at, value)| {
                        let value: u32 = (*value).into();
                        bits | u64::from(value) << (at * u32::from(width))
                    });
                    out.extend_from_slice(&bits.to_le_bytes());
                    out.truncate(out.len() + usize::from(width) - GROUP);
                }
            }
            // Never more than 31 bits wait, and 32 join them.
            let (mut bits, mut waiting) = (0_u64, 0_u32);
            for value in rest {
                let value: u32 = (*value).into();
                bits |= u64::from(value) << waiting;
                waiting += u32::from(width);
                if waiting >= u32::BITS {
                    out.extend_from_slice(&(bits as u32).to_le_bytes());
                    bits >>= u32::BITS;
                    waiting -= u32::BITS;
                }
            }
            let bytes = waiting.div_ceil(8) as usize;
            out.extend(bits.to_le_bytes().iter().take(bytes));
        }
    }
}

/// Writes a number in groups of 7 bits.
pub(crate) fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoder as the specification has it.
    fn decode(mut bytes: &[u8], width: usize, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let mut header = 0;
            for shift in 0.. {
                header |= u64::from(bytes[0] & 0x7f) << (7 * shift);
                let last = bytes[0] < 0x80;
                bytes = &bytes[1..];
                if last {
                    break;
                }
            }
            if header & 1 == 0 {
                let length = width.div_ceil(8);
                let value = bytes[..length]
                    .iter()
                    .rev()
                    .fold(0, |value, byte| value << 8 | u32::from(*byte));
                values.extend(std::iter::repeat_n(value, (header >> 1) as usize));
                bytes = &bytes[length..];
            } else {
                let length = (header >> 1) as usize * width;
                let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                for value in 0..(header >> 1) as usize * 8 {
                    values.push((0..width).fold(0, |sum, at| sum | bit(value * width + at) << at));
                }
                bytes = &bytes[length..];
            }
        }
        assert!(bytes.is_empty());
        values.truncate(count);
        values
    }

    #[track_caller]
    fn check(values: &[u32]) {
        let width = width_of(values.iter().copied().max().unwrap_or_default());
        let mut bytes = Vec::new();
        encode(values, width, &mut bytes);
        assert_eq!(decode(&bytes, width.into(), values.len()), values);
        let width = whole_bytes(width);
        bytes.clear();
        encode(values, width, &mut bytes);
        assert_eq!(decode(&bytes, width.into(), values.len()), values);
    }

    #[test]
    fn what_is_written_is_read_back() {
        check(&[]);
        check(&[0]);
        check(&[7; 8]);
        check(&[7; 100_000]);
        check(&[1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        check(&[u32::MAX, 0, u32::MAX, 1]);
        for width in 0..32 {
            let value = |at: u32| at.wrapping_mul(0x9e37_79b9) >> (31 - width);
            check(&(0..2_000).map(value).collect::<Vec<_>>());
            check(&(0..2_000).map(|at| value(at / 11)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn widths() {
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(width_of), [1, 1, 2, 2, 3, 32]);
        assert_eq!([1, 7, 8, 9, 32].map(whole_bytes), [8, 8, 8, 16, 32]);
    }
}
