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

/// Writes `values`, of `width` bits each, behind `out`.
pub(crate) fn encode<V: Copy + PartialEq + Into<u32>>(values: &[V], width: u8, out: &mut Vec<u8>) {
    let mut rest = values;
    let mut packed = 0;
    while let Some(first) = rest.get(packed) {
        let behind = rest.get(packed..).unwrap_or_default();
        let run = behind.iter().take_while(|value| *value == first).count();
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

/// Writes values as packed bits; all but the last run are whole groups.
fn pack<V: Copy + Into<u32>>(values: &[V], width: u8, out: &mut Vec<u8>) {
    for run in values.chunks(GROUPS_A_RUN * GROUP) {
        let groups = run.len().div_ceil(GROUP);
        push_varint((groups as u64) << 1 | 1, out);
        let end = out.len() + groups * usize::from(width);
        // Never more than 31 bits wait, and 32 join them.
        let (mut bits, mut waiting) = (0_u64, 0_u32);
        for value in run {
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
        out.resize(end, 0);
    }
}

fn push_varint(mut number: u64, out: &mut Vec<u8>) {
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
    }
}
