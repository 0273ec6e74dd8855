//! Condition keys in order, as the column `context` has them.
//!
//! Keys are sorted by what they begin with, as numbers, and only what these do not tell apart by whole texts.
//! And most requests have the keys of one before, in the same order: how those were sorted is tried first.
//! Comparing texts was a twentieth of a run.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// An entry of the column.
pub(crate) type NamedValues<'a> = (&'a str, &'a [&'a str]);

/// How the keys that came up last were sorted. What comes out is the same without it.
///
/// # Memory
/// A few kilobytes.
#[derive(Debug, Default)]
pub(crate) struct KeyOrders {
    /// For each entry in order its place in the unsorted list; empty before the first.
    guesses: Vec<Box<[u8]>>,
}

impl KeyOrders {
    const SLOTS: usize = 64;

    /// The entries, no two of which have the same key, in the order of their keys.
    pub(crate) fn sorted<'a>(
        &mut self,
        column: &[NamedValues<'a>],
        arena: &'a Bump,
    ) -> &'a [NamedValues<'a>] {
        let mut sorted = BumpVec::with_capacity_in(column.len(), arena);
        self.guesses.resize_with(Self::SLOTS, Box::default);
        let slot = self.guesses.get_mut(slot_of(column) % Self::SLOTS);
        let Some(guess) = slot.filter(|_| column.len() <= usize::from(u8::MAX)) else {
            sorted.extend_from_slice_copy(column);
            sorted.sort_unstable_by_key(|(key, _)| *key);
            return sorted.into_bump_slice();
        };
        if guess.len() == column.len() {
            let guessed = guess.iter().map_while(|at| column.get(usize::from(*at)));
            sorted.extend(guessed.copied());
            if sorted.len() == column.len() && is_sorted(&sorted) {
                return sorted.into_bump_slice();
            }
            sorted.clear();
        }
        let places = places(column, arena);
        let in_order = places.iter().filter_map(|at| column.get(usize::from(*at)));
        sorted.extend(in_order.copied());
        *guess = places.as_slice().into();
        sorted.into_bump_slice()
    }
}

/// Whether each key stands behind a lesser one; then none is there twice.
fn is_sorted(column: &[NamedValues<'_>]) -> bool {
    let mut before: Option<(u128, &str)> = None;
    column.iter().all(|(key, _)| {
        let this = (beginning(key), *key);
        before.replace(this).is_none_or(|before| before < this)
    })
}

/// The places of 256 entries at most, in the order of their keys.
fn places<'a>(column: &[NamedValues<'_>], arena: &'a Bump) -> BumpVec<'a, u8> {
    let mut order: BumpVec<'_, u128> = BumpVec::with_capacity_in(column.len(), arena);
    let numbers = (0..=u8::MAX).zip(column);
    order.extend(numbers.map(|(at, (key, _))| beginning(key) | u128::from(at)));
    order.sort_unstable();
    let key = |number: &u128| column.get(usize::from(*number as u8)).map(|(key, _)| *key);
    for alike in order.chunk_by_mut(|a, b| a >> u8::BITS == b >> u8::BITS) {
        if alike.len() > 1 {
            alike.sort_unstable_by_key(&key);
        }
    }
    BumpVec::from_iter_in(order.iter().map(|number| *number as u8), arena)
}

/// Lists with the same keys have the same slot.
fn slot_of(column: &[NamedValues<'_>]) -> usize {
    let lengths = column.iter().map(|(key, _)| key.len());
    lengths.fold(column.len(), |all, length| {
        all.wrapping_mul(31).wrapping_add(length)
    })
}

/// The first 15 bytes of a key, as a number of the same order whose last byte is 0.
pub(crate) fn beginning(key: &str) -> u128 {
    let bytes = key.as_bytes();
    let number = match bytes.first_chunk() {
        Some(whole) => u128::from_be_bytes(*whole),
        None => {
            let mut beginning = [0; 16];
            for (place, byte) in beginning.iter_mut().zip(bytes) {
                *place = *byte;
            }
            u128::from_be_bytes(beginning)
        }
    };
    number & !u128::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Some that begin with the same 15 bytes.
    fn keys() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::btree_set("[a-b]{0,3}(same beginning:)?[a-c\0]{0,2}", 0..30)
            .prop_map(Vec::from_iter)
            .prop_shuffle()
    }

    proptest! {
        #[test]
        fn keys_come_in_order(
            lists in proptest::collection::vec(keys(), 1..12),
            again in 0usize..12,
        ) {
            let arena = Bump::new();
            let mut orders = KeyOrders::default();
            // One list comes twice, with all others between.
            for list in lists.iter().chain(lists.get(again)) {
                let column: Vec<NamedValues<'_>> = list.iter().map(|key| (&**key, &[] as &[&str])).collect();
                let mut expect: Vec<&str> = list.iter().map(|key| &**key).collect();
                expect.sort_unstable();
                let sorted: Vec<&str> = orders.sorted(&column, &arena).iter().map(|(key, _)| *key).collect();
                prop_assert_eq!(sorted, expect);
            }
        }
    }

    #[test]
    fn many_keys_come_in_order() {
        let arena = Bump::new();
        for count in [255, 256, 257, 1000] {
            let keys: Vec<String> = (0..count)
                .rev()
                .map(|number| format!("aws:PrincipalTag/{number:04}"))
                .collect();
            let column: Vec<NamedValues<'_>> =
                keys.iter().map(|key| (&**key, &[] as &[&str])).collect();
            let mut orders = KeyOrders::default();
            for _ in 0..2 {
                let sorted = orders.sorted(&column, &arena);
                assert!(
                    sorted
                        .iter()
                        .map(|(key, _)| *key)
                        .eq(keys.iter().rev().map(|key| &**key))
                );
            }
        }
    }
}
