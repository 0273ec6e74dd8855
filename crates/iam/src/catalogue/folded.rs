//! A hash index over names that are compared without regard to ASCII case.

/// From a name to its number, without storing the names again and without allocating on a look-up:
/// a `HashMap` would need the name in lower case first, and this sits on the evaluation path.
#[derive(Debug, Default)]
pub(crate) struct FoldedIndex {
    /// Open addressing; a number plus one, or 0 for a free slot. Invariant: the length is a power
    /// of two and at least a quarter of the slots are free, so that every probe ends.
    slots: Box<[u32]>,
}

impl FoldedIndex {
    /// Indexes names by their position. Of names that differ in case only, the first one counts.
    pub(crate) fn new<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> Self {
        let size = (names.len() * 2).next_power_of_two().max(4);
        let mut index = Self {
            slots: vec![0; size].into_boxed_slice(),
        };
        for (number, name) in names.enumerate() {
            let mut at = index.start(name);
            while index.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = index.next(at);
            }
            if let Some(slot) = index.slots.get_mut(at) {
                *slot = u32::try_from(number).unwrap_or(u32::MAX - 1) + 1;
            }
        }
        index
    }

    /// The number of `name`; `name_of` tells the name of a number.
    pub(crate) fn get<'n>(
        &self,
        name: &str,
        name_of: impl Fn(usize) -> Option<&'n str>,
    ) -> Option<usize> {
        let mut at = self.start(name);
        loop {
            let number = usize::try_from(self.slots.get(at)?.checked_sub(1)?).ok()?;
            if name_of(number).is_some_and(|other| other.eq_ignore_ascii_case(name)) {
                return Some(number);
            }
            at = self.next(at);
        }
    }

    fn start(&self, name: &str) -> usize {
        // FNV-1a: the names are short, and come from files that are compiled in or from one's own accounts.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in name.bytes() {
            hash =
                (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3);
        }
        // The upper bits are the better mixed ones.
        ((hash ^ (hash >> 32)) as usize) & (self.slots.len().wrapping_sub(1))
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len().wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::FoldedIndex;

    #[test]
    fn finds_names_whatever_their_case() {
        let names = ["GetObject", "PutObject", "getobject", "ListBucket"];
        let index = FoldedIndex::new(names.iter().copied());
        let find = |name: &str| index.get(name, |number| names.get(number).copied());
        assert_eq!(find("GETOBJECT"), Some(0));
        assert_eq!(find("putObject"), Some(1));
        assert_eq!(find("ListBucket"), Some(3));
        assert_eq!(find("ListBuckets"), None);
        assert_eq!(FoldedIndex::default().get("x", |_| None), None);
        assert_eq!(FoldedIndex::new([].into_iter()).get("x", |_| None), None);
    }
}
