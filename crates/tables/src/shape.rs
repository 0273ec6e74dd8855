//! Maps with the same keys: of the contexts of many rows, most are.

use crate::map::TextListMap;

/// How many shapes are remembered: a caller's rows are of a handful of actions, and come together.
const PLACES: usize = 64;

/// The shapes of the maps that came last, each where a hash of its keys' places in memory tells: a shape
/// takes the place of another one with its hash.
///
/// # Memory
/// For each place, 36 bytes a key of the map that came last.
#[derive(Default)]
pub(crate) struct Shapes<'r>(Vec<Shape<'r>>);

/// The keys of a map, by where they lie in memory, and what was found out about it.
#[derive(Default, Clone)]
pub(crate) struct Shape<'r> {
    keys: Keys<'r>,
    /// Each key's number, or that of its value in `values`.
    pub(crate) numbers: Vec<u32>,
    /// Each key's list in the map of this shape that came last; none before the first.
    pub(crate) values: Vec<&'r [&'r str]>,
}

/// The keys of the shape.
#[derive(Clone)]
enum Keys<'r> {
    /// They lie here, for all rows that have them.
    Shared(&'r [&'r str]),
    /// Each lies where the map has it.
    Each(Vec<&'r str>),
}

impl Default for Keys<'_> {
    fn default() -> Self {
        Self::Each(Vec::new())
    }
}

impl<'r> Shapes<'r> {
    /// The shape of a map, and whether it is known; one that was not known yet has no numbers, and no
    /// values.
    pub(crate) fn of(&mut self, map: TextListMap<'r>) -> Option<(&mut Shape<'r>, bool)> {
        if self.0.is_empty() {
            self.0.resize(PLACES, Shape::default());
        }
        let shape = self.0.get_mut(place_of(map))?;
        let is_known = shape.keys.are_of(map);
        if !is_known {
            shape.keys.set(map);
            shape.numbers.clear();
            shape.values.clear();
        }
        Some((shape, is_known))
    }
}

impl<'r> Keys<'r> {
    fn are_of(&self, map: TextListMap<'r>) -> bool {
        match (self, map) {
            (Self::Shared(keys), TextListMap::Apart(map)) => std::ptr::eq(*keys, map.keys()),
            (Self::Each(keys), TextListMap::Pairs(map)) => {
                let is_same = |(known, (key, _)): (&&str, &(&str, _))| std::ptr::eq(*known, *key);
                keys.len() == map.len() && keys.iter().zip(map).all(is_same)
            }
            _ => false,
        }
    }

    fn set(&mut self, map: TextListMap<'r>) {
        match (&mut *self, map) {
            (_, TextListMap::Apart(map)) => *self = Self::Shared(map.keys()),
            (Self::Each(keys), TextListMap::Pairs(map)) => {
                keys.clear();
                keys.extend(map.iter().map(|(key, _)| *key));
            }
            (Self::Shared(_), TextListMap::Pairs(map)) => {
                *self = Self::Each(map.iter().map(|(key, _)| *key).collect());
            }
        }
    }
}

fn place_of(map: TextListMap<'_>) -> usize {
    let mixed = match map {
        TextListMap::Apart(map) => map.keys().as_ptr().addr() as u64,
        TextListMap::Pairs(pairs) => pairs.iter().fold(0, |mixed: u64, (key, _)| {
            mixed.rotate_left(7) ^ key.as_ptr().addr() as u64
        }),
    };
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % PLACES
}
