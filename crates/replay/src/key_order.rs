//! Condition keys in order, as the column `context` has them.
//!
//! Keys are sorted by what they begin with, as numbers, and only what these do not tell apart by whole texts.
//! And most requests have the keys of one before: how those were sorted, where they are kept and how they
//! join a caller's is remembered. Comparing and keeping these texts was a twentieth of a run.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_iam::{KeyState, Values};

use crate::KeepTexts;

/// An entry of the column.
pub(crate) type NamedValues<'a> = (&'a str, &'a [&'a str]);

/// Entries of the column `context`, in order, keys and values apart: many requests have the very same keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextColumn<'k> {
    /// The keys.
    pub keys: &'k [&'k str],
    /// The values of each.
    pub values: &'k [&'k [&'k str]],
}

/// Keys of a request, usually.
const USUAL_KEYS: usize = 16;

/// The entries of the column, in the order of `keys`: known ones with their values, absent ones with none.
/// Unknown ones stay out.
pub(crate) fn column_of<'a>(
    keys: impl Iterator<Item = (&'a str, KeyState<'a>)>,
    arena: &'a Bump,
) -> BumpVec<'a, NamedValues<'a>> {
    let mut column = BumpVec::with_capacity_in(USUAL_KEYS, arena);
    for (key, state) in keys {
        let values: &'a [&'a str] = match state {
            KeyState::Known(Values::One(value)) => arena.alloc_slice_copy(&[value]),
            KeyState::Known(Values::Many(values)) => values,
            KeyState::Absent => &[],
            KeyState::Unknown => continue,
        };
        column.push((key, values));
    }
    column
}

/// The entries, no two of which have the same key, in the order of their keys.
pub(crate) fn sorted<'a>(
    mut column: BumpVec<'a, NamedValues<'a>>,
    arena: &'a Bump,
) -> &'a [NamedValues<'a>] {
    match places(&column, arena) {
        Some(places) => {
            let in_order = places.iter().filter_map(|at| column.get(usize::from(*at)));
            let mut sorted = BumpVec::with_capacity_in(column.len(), arena);
            sorted.extend(in_order.copied());
            sorted.into_bump_slice()
        }
        None => {
            column.sort_unstable_by_key(|(key, _)| *key);
            column.into_bump_slice()
        }
    }
}

/// The orders of keys that came up last, and how they join. What comes out is the same without it.
///
/// # Memory
/// A few kilobytes, and for lists of as many keys as there can be some megabytes.
#[derive(Debug, Default)]
pub(crate) struct KeyOrders<'k> {
    orders: Vec<Option<Box<KeyOrder<'k>>>>,
    unions: Vec<Option<Box<Union<'k>>>>,
    /// The values of a context while it is joined.
    all: Vec<&'k [&'k str]>,
    /// How many orders were made.
    made: u64,
}

/// Some keys.
#[derive(Debug)]
pub(crate) struct KeyOrder<'k> {
    /// No other order of these [`KeyOrders`] has it.
    pub(crate) number: u64,
    /// The keys as they came, kept.
    pub(crate) keys: Box<[&'k str]>,
    /// The place of each in `keys`, in order.
    pub(crate) places: Box<[u8]>,
}

/// How the keys of two orders join.
#[derive(Debug)]
struct Union<'k> {
    orders: (u64, u64),
    /// The keys of both, in order.
    keys: &'k [&'k str],
    /// Where each comes from.
    sources: Box<[u32]>,
}

impl<'k> KeyOrders<'k> {
    const ORDERS: usize = 512;
    const UNIONS: usize = 1024;

    /// The order of the keys of a column, no two of which are the same; `None` of more than 256.
    pub(crate) fn of(
        &mut self,
        column: &[NamedValues<'_>],
        keep: &impl KeepTexts<'k>,
    ) -> Option<&KeyOrder<'k>> {
        if self.orders.is_empty() {
            self.orders.resize_with(Self::ORDERS, || None);
        }
        let slot = self.orders.get_mut(slot_of(column) % Self::ORDERS)?;
        if !slot.as_ref().is_some_and(|order| order.is_of(column)) {
            let places = places(column, &Bump::new())?.as_slice().into();
            self.made += 1;
            *slot = Some(Box::new(KeyOrder {
                number: self.made,
                keys: column.iter().map(|(key, _)| keep.keep(key)).collect(),
                places,
            }));
        }
        slot.as_deref()
    }

    /// The entries of `own` among those of `others`, a column in order whose keys have the order of the number
    /// `order` and are none of `own`; 0 where they have none. All are kept.
    pub(crate) fn joined(
        &mut self,
        (others, order): (&[NamedValues<'k>], u64),
        own: &[NamedValues<'_>],
        keep: &impl KeepTexts<'k>,
    ) -> ContextColumn<'k> {
        self.remembered((others, order), own, keep)
            .unwrap_or_else(|| {
                let kept = own
                    .iter()
                    .map(|(key, values)| (keep.keep(key), keep.keep_all(values)));
                let mut all: Vec<NamedValues<'k>> = others.iter().copied().chain(kept).collect();
                all.sort_unstable_by_key(|(key, _)| *key);
                let (keys, values): (Vec<_>, Vec<_>) = all.into_iter().unzip();
                ContextColumn {
                    keys: keep.arena().alloc_slice_copy(&keys),
                    values: keep.arena().alloc_slice_copy(&values),
                }
            })
    }

    /// The same, as it is remembered; `None` of more than 256.
    fn remembered(
        &mut self,
        (others, order): (&[NamedValues<'k>], u64),
        own: &[NamedValues<'_>],
        keep: &impl KeepTexts<'k>,
    ) -> Option<ContextColumn<'k>> {
        let number = self.of(own, keep)?.number;
        if self.unions.is_empty() {
            self.unions.resize_with(Self::UNIONS, || None);
        }
        let Self {
            orders,
            unions,
            all,
            ..
        } = self;
        let own_order = orders.get(slot_of(own) % Self::ORDERS)?.as_ref()?;
        let pair = (order, number);
        let mixed = (order.rotate_left(32) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let union = match unions.get_mut((mixed >> 48) as usize % Self::UNIONS)? {
            Some(known) if known.orders == pair && order != 0 => known,
            slot => {
                let sources = sources(others, own_order);
                let others = others.iter().map(|(key, _)| *key);
                let all: Vec<&'k str> = others.chain(own_order.keys.iter().copied()).collect();
                let key = |source: &u32| all.get(*source as usize).copied().unwrap_or_default();
                slot.insert(Box::new(Union {
                    orders: pair,
                    keys: keep.arena().alloc_slice_fill_iter(sources.iter().map(key)),
                    sources,
                }))
            }
        };
        // First behind one another, then in order: whose entry comes next is nothing that a processor guesses.
        all.clear();
        all.extend(others.iter().map(|(_, values)| *values));
        all.extend(own.iter().map(|(_, values)| keep.keep_all(values)));
        let values = |source: &u32| all.get(*source as usize).copied().unwrap_or_default();
        Some(ContextColumn {
            keys: union.keys,
            values: keep
                .arena()
                .alloc_slice_fill_iter(union.sources.iter().map(values)),
        })
    }
}

impl KeyOrder<'_> {
    /// Whether a column has these keys. Most keys are in a table or in the program, and come from there again.
    fn is_of(&self, column: &[NamedValues<'_>]) -> bool {
        let is_same = |(known, (key, _)): (&&str, &NamedValues<'_>)| {
            std::ptr::eq(*known, *key) || **known == **key
        };
        self.keys.len() == column.len() && self.keys.iter().zip(column).all(is_same)
    }
}

/// The numbers of the entries of both in order: first those of `others`, then those of `own`.
fn sources(others: &[NamedValues<'_>], own: &KeyOrder<'_>) -> Box<[u32]> {
    let first = others.len();
    let others = (0..).zip(others.iter().map(|(key, _)| *key));
    let mut others = others.peekable();
    let mut all = Vec::new();
    for at in &own.places {
        let at = usize::from(*at);
        let key = own.keys.get(at).copied().unwrap_or_default();
        while let Some((number, _)) = others.next_if(|(_, other)| *other < key) {
            all.push(number);
        }
        all.extend(u32::try_from(first + at));
    }
    all.extend(others.map(|(number, _)| number));
    all.into()
}

/// The places of 256 entries at most, in the order of their keys.
fn places<'a>(column: &[NamedValues<'_>], arena: &'a Bump) -> Option<BumpVec<'a, u8>> {
    if column.len() > usize::from(u8::MAX) + 1 {
        return None;
    }
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
    let places = order.iter().map(|number| *number as u8);
    Some(BumpVec::from_iter_in(places, arena))
}

/// Lists with the same keys have the same slot.
fn slot_of(column: &[NamedValues<'_>]) -> usize {
    let lengths = column.iter().map(|(key, _)| key.len() as u64);
    let mixed = lengths.fold(column.len() as u64, |all, length| {
        all.wrapping_mul(31).wrapping_add(length)
    });
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

/// The first 15 bytes of a key, as a number of the same order whose last byte is 0.
fn beginning(key: &str) -> u128 {
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

    struct InArena<'k>(&'k Bump);

    impl<'k> KeepTexts<'k> for InArena<'k> {
        fn keep(&self, text: &str) -> &'k str {
            self.0.alloc_str(text)
        }

        fn keep_all(&self, texts: &[&str]) -> &'k [&'k str] {
            let texts = texts.iter().map(|text| self.keep(text));
            self.0.alloc_slice_fill_iter(texts)
        }

        fn arena(&self) -> &'k Bump {
            self.0
        }
    }

    /// Each with its key and its number as its values.
    fn column<'a>(keys: &'a [String], arena: &'a Bump) -> BumpVec<'a, NamedValues<'a>> {
        let entries = keys.iter().enumerate().map(|(number, key)| {
            let number: &'a str = arena.alloc_str(&number.to_string());
            let values: &'a [&'a str] = arena.alloc([key.as_str(), number]);
            (&**key, values)
        });
        BumpVec::from_iter_in(entries, arena)
    }

    /// Joins lists, of each those of its keys that `is_own` to others, with one memory and without.
    fn check(lists: &[Vec<String>], is_own: impl Fn(&str) -> bool) {
        let (arena, kept) = (Bump::new(), Bump::new());
        let keep = InArena(&kept);
        let mut orders = KeyOrders::default();
        // Those of others, kept and in order, are joined by every list's own.
        let mut others = Vec::new();
        for list in lists {
            let list: Vec<String> = list.iter().filter(|key| !is_own(key)).cloned().collect();
            let of_list = column(&list, &arena);
            let order = orders.of(&of_list, &keep).map_or(0, |order| order.number);
            let of_list: Vec<NamedValues<'_>> = of_list
                .iter()
                .map(|(key, values)| (keep.keep(key), keep.keep_all(values)))
                .collect();
            let mut of_list = BumpVec::from_iter_in(of_list, &kept);
            of_list.sort_unstable_by_key(|(key, _)| *key);
            others.push((of_list.into_bump_slice() as &[_], order));
        }
        for _ in 0..2 {
            for list in lists {
                let own: Vec<String> = list.iter().filter(|key| is_own(key)).cloned().collect();
                let own = column(&own, &arena);
                for (others, order) in &others {
                    let mut expect: Vec<NamedValues<'_>> = others.to_vec();
                    expect.extend(own.iter().copied());
                    expect.sort_unstable_by_key(|(key, _)| *key);
                    let (keys, values): (Vec<_>, Vec<_>) = expect.into_iter().unzip();
                    let expect = ContextColumn {
                        keys: &keys,
                        values: &values,
                    };
                    assert_eq!(orders.joined((others, *order), &own, &keep), expect);
                    assert_eq!(orders.joined((others, 0), &own, &keep), expect);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn keys_come_in_order(lists in proptest::collection::vec(keys(), 1..12)) {
            for list in &lists {
                let arena = Bump::new();
                let mut expect: Vec<&str> = list.iter().map(|key| &**key).collect();
                expect.sort_unstable();
                let sorted = sorted(column(list, &arena), &arena);
                prop_assert!(sorted.iter().map(|(key, _)| *key).eq(expect));
                prop_assert!(sorted.iter().all(|(key, values)| values.first() == Some(key)));
            }
            check(&lists, |key| key.len() % 2 == 0);
        }
    }

    #[test]
    fn many_keys_come_in_order() {
        for count in [255, 256, 257, 1000] {
            let keys: Vec<String> = (0..count)
                .rev()
                .map(|number| format!("aws:PrincipalTag/{number:04}"))
                .collect();
            let arena = Bump::new();
            let in_order = sorted(column(&keys, &arena), &arena);
            assert!(
                in_order
                    .iter()
                    .map(|(key, _)| *key)
                    .eq(keys.iter().rev().map(|key| &**key))
            );
            check(std::slice::from_ref(&keys), |key| key.ends_with('7'));
            check(&[keys], |key| !key.ends_with('7'));
        }
    }
}
