//! Maps with the same keys: of the contexts of many rows, most are.

use crate::column::TextListMap;

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
    keys: Vec<&'r str>,
    /// Each key's number, or that of its value in `values`.
    pub(crate) numbers: Vec<u32>,
    /// Each key's list in the map of this shape that came last; none before the first.
    pub(crate) values: Vec<&'r [&'r str]>,
}

impl<'r> Shapes<'r> {
    /// The shape of a map, and whether it is known; one that was not known yet has no numbers, and no
    /// values.
    pub(crate) fn of(&mut self, map: TextListMap<'r>) -> Option<(&mut Shape<'r>, bool)> {
        if self.0.is_empty() {
            self.0.resize(PLACES, Shape::default());
        }
        let shape = self.0.get_mut(place_of(map))?;
        let is_known = shape.keys.len() == map.len()
            && shape
                .keys
                .iter()
                .zip(map)
                .all(|(known, (key, _))| std::ptr::eq(*known, *key));
        if !is_known {
            shape.keys.clear();
            shape.keys.extend(map.iter().map(|(key, _)| *key));
            shape.numbers.clear();
            shape.values.clear();
        }
        Some((shape, is_known))
    }
}

fn place_of(map: TextListMap<'_>) -> usize {
    let places = map.iter().map(|(key, _)| key.as_ptr().addr() as u64);
    let mixed = places.fold(0, |mixed: u64, place| mixed.rotate_left(7) ^ place);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % PLACES
}
