//! Counts by name, where whoever made a call wrote the names.

use std::collections::BTreeMap;

use crate::report::MAX_GROUPS;

/// Counts by key. Keys beyond [`MAX_GROUPS`] are counted together, so that hostile names cannot fill
/// memory; the total is always right.
#[derive(Debug, Clone)]
pub struct Ledger<K> {
    listed: BTreeMap<K, u64>,
    not_listed: u64,
}

impl<K> Default for Ledger<K> {
    fn default() -> Self {
        Self {
            listed: BTreeMap::new(),
            not_listed: 0,
        }
    }
}

impl<K: Ord> Ledger<K> {
    pub(crate) fn add(&mut self, key: K, count: u64) {
        let full = self.listed.len() >= MAX_GROUPS;
        match self.listed.get_mut(&key) {
            Some(listed) => *listed += count,
            None if full => self.not_listed += count,
            None => drop(self.listed.insert(key, count)),
        }
    }

    /// Adds the counts of a later part.
    pub(crate) fn merge(&mut self, later: Self) {
        self.not_listed += later.not_listed;
        for (key, count) in later.listed {
            self.add(key, count);
        }
    }

    /// The keys, in their order, with their counts.
    pub fn listed(&self) -> impl Iterator<Item = (&K, u64)> {
        self.listed.iter().map(|(key, count)| (key, *count))
    }

    /// What the keys beyond [`MAX_GROUPS`] come to.
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.listed.values().sum::<u64>() + self.not_listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_beyond_the_limit_are_counted_together() {
        let mut ledger = Ledger::default();
        for key in 0..MAX_GROUPS {
            ledger.add(key, 1);
        }
        let mut later = Ledger::default();
        later.add(0, 5);
        later.add(MAX_GROUPS, 7);
        ledger.merge(later);
        assert_eq!(ledger.listed().count(), MAX_GROUPS);
        assert_eq!(ledger.listed().next(), Some((&0, 6)));
        assert_eq!(ledger.not_listed(), 7);
        assert_eq!(ledger.total(), MAX_GROUPS as u64 + 12);
    }
}
