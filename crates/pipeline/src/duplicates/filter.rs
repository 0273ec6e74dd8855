//! A filter: says quickly of most ids that a run does not have them.
//!
//! A Bloom filter in blocks of 32 bytes, so that a look-up costs one memory access. The block follows
//! from the id's leading bits: look-ups in the order of the ids walk through memory in one direction,
//! and two neighbouring blocks can be folded into one when space gets short.

use super::fingerprint::Fingerprint;

/// Bits per record of a new filter: one look-up in 400 or so is in vain.
const BITS: u64 = 16;

const BLOCK_BYTES: u64 = 32;

/// A new filter has a multiple of this many blocks, so that it can be folded four times: down to one
/// bit per record, where it is hardly worth asking.
const FOLDABLE: u64 = 16;

/// Which ids may be in a run.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// None at all: every id may be there.
    blocks: Vec<[u64; 4]>,
}

impl Filter {
    /// An empty filter for so many records, of at most `max_bytes`.
    pub(super) fn new(records: u64, max_bytes: u64) -> Self {
        let mut blocks = (records.max(1).saturating_mul(BITS) / (8 * BLOCK_BYTES))
            .max(1)
            .next_multiple_of(FOLDABLE);
        while blocks * BLOCK_BYTES > max_bytes {
            if !blocks.is_multiple_of(2) {
                return Self::default();
            }
            blocks /= 2;
        }
        let blocks = u32::try_from(blocks).unwrap_or_default();
        Self {
            blocks: vec![[0; 4]; blocks as usize],
        }
    }

    pub(super) fn insert(&mut self, id: &Fingerprint) {
        let place = self.place(id);
        if let Some(block) = self.blocks.get_mut(place) {
            for (word, bit) in block.iter_mut().zip(bits(id)) {
                *word |= bit;
            }
        }
    }

    pub(super) fn may_have(&self, id: &Fingerprint) -> bool {
        let Some([a, b, c, d]) = self.blocks.get(self.place(id)) else {
            return true;
        };
        let [p, q, r, s] = bits(id);
        (a & p != 0) & (b & q != 0) & (c & r != 0) & (d & s != 0)
    }

    /// Halves the filter. It then lets more ids through; at its end it lets all through.
    pub(super) fn fold(&mut self) {
        let (pairs, rest) = self.blocks.as_chunks::<2>();
        self.blocks = match rest {
            [] => pairs
                .iter()
                .map(|[[a, b, c, d], [e, f, g, h]]| [a | e, b | f, c | g, d | h])
                .collect(),
            _ => Vec::new(),
        };
    }

    /// Forgets all ids.
    pub(super) fn clear(&mut self) {
        self.blocks.fill([0; 4]);
    }

    /// Its memory.
    pub(super) fn bytes(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK_BYTES
    }

    fn place(&self, id: &Fingerprint) -> usize {
        (((id.id_high >> 32) * self.blocks.len() as u64) >> 32) as usize
    }
}

fn bits(id: &Fingerprint) -> [u64; 4] {
    let low = id.id_low;
    [low, low >> 6, low >> 12, low >> 18].map(|six| 1 << (six & 63))
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::body_hash;
    use super::*;

    fn id(number: u64) -> Fingerprint {
        Fingerprint::new(None, None, body_hash(&number.to_le_bytes()), 0)
    }

    #[test]
    fn what_is_in_is_found_however_often_folded_and_what_is_not_mostly_not() {
        let mut filter = Filter::new(10_000, u64::MAX);
        (0..10_000).for_each(|number| filter.insert(&id(number)));
        let mut vain = Vec::new();
        while filter.bytes() > 0 {
            assert!((0..10_000).all(|number| filter.may_have(&id(number))));
            vain.push(
                (10_000..110_000)
                    .filter(|number| filter.may_have(&id(*number)))
                    .count(),
            );
            filter.fold();
        }
        assert!(filter.may_have(&id(0)));
        // Of 100,000: at 16, 8 and 4 bits per record.
        assert!(
            vain[0] < 600 && vain[1] < 4_000 && vain[2] < 20_000,
            "{vain:?}"
        );
    }

    #[test]
    fn a_filter_keeps_to_its_size() {
        let check = |records, max_bytes, expect| {
            assert_eq!(Filter::new(records, max_bytes).bytes(), expect);
        };
        check(0, u64::MAX, 512);
        check(1 << 20, u64::MAX, 2 << 20);
        check(1 << 20, 1 << 20, 1 << 20);
        check(1 << 20, 3 << 18, 1 << 19);
        check(16, 31, 0);
        check(1 << 40, 64 << 20, 64 << 20);
    }
}
