//! Evidence that is kept within bounds, whatever the order in which it comes.
//!
//! What is left out is what has the greatest keys: so the parts of a window give the same however they
//! were cut, and what stays is complete.

use std::collections::{BTreeMap, BTreeSet};

use crate::seen_call::earlier;

/// How many samples of calls are kept.
const SAMPLES: usize = 3;

/// What can be joined with more of the same.
pub(crate) trait Join {
    fn join(&mut self, other: Self);
    /// How many calls it stands for.
    fn calls(&self) -> u64;
}

/// A map with at most so many keys: the smallest ones.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    entries: BTreeMap<K, V>,
    limit: usize,
    /// Calls of the keys that were left out.
    left_out: u64,
}

impl<K: Ord + Clone, V: Join + Default> Kept<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Kept {
            entries: BTreeMap::new(),
            limit,
            left_out: 0,
        }
    }

    /// Adds to what stands under a key.
    pub(crate) fn add(&mut self, key: K, value: V) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.join(value);
            return;
        }
        self.entries.insert(key, value);
        if self.entries.len() > self.limit
            && let Some((_, last)) = self.entries.pop_last()
        {
            self.left_out += last.calls();
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.left_out += other.left_out;
        for (key, value) in other.entries {
            self.add(key, value);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Calls of what did not fit.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Join for u64 {
    fn join(&mut self, other: u64) {
        *self += other;
    }
    fn calls(&self) -> u64 {
        *self
    }
}

/// Calls: how many, when, on which days, and the last ones as samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) count: u64,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    /// Days since the epoch.
    pub(crate) days: BTreeSet<i64>,
    samples: BTreeSet<(Option<i64>, String)>,
}

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// More days than any window has: hostile times name any.
const MOST_DAYS: usize = 4096;

impl Calls {
    pub(crate) fn of(time: Option<i64>, event_id: Option<&str>) -> Calls {
        let mut calls = Calls::default();
        calls.see(time, event_id);
        calls
    }

    /// Takes in one call.
    pub(crate) fn see(&mut self, time: Option<i64>, event_id: Option<&str>) {
        self.count += 1;
        self.at(time);
        if let Some(id) = event_id {
            let full = self.samples.len() >= SAMPLES;
            let first = self.samples.first();
            if full && first.is_some_and(|(first, name)| (*first, &**name) >= (time, id)) {
                return;
            }
            self.samples.insert((time, id.to_owned()));
            if self.samples.len() > SAMPLES {
                self.samples.pop_first();
            }
        }
    }

    fn at(&mut self, time: Option<i64>) {
        self.first = earlier(self.first, time);
        self.last = self.last.max(time);
        if let Some(time) = time {
            let day = time.div_euclid(MICROS_PER_DAY);
            self.days.insert(day);
            if self.days.len() > MOST_DAYS {
                self.days.pop_first();
            }
        }
    }

    pub(crate) fn event_ids(&self) -> Vec<String> {
        self.samples.iter().map(|(_, id)| id.clone()).collect()
    }
}

impl Join for Calls {
    fn join(&mut self, other: Calls) {
        self.count += other.count;
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        self.days.extend(other.days);
        while self.days.len() > MOST_DAYS {
            self.days.pop_first();
        }
        self.samples.extend(other.samples);
        while self.samples.len() > SAMPLES {
            self.samples.pop_first();
        }
    }
    fn calls(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the calls are cut and in whatever order the parts are joined.
    #[test]
    fn the_order_does_not_matter() {
        let calls: Vec<(i64, i64)> = (0..200).map(|n| (n * 37 % 61, n * 13 % 101)).collect();
        let gather = |calls: &[(i64, i64)]| {
            let mut kept: Kept<i64, Calls> = Kept::new(7);
            for (key, time) in calls {
                kept.add(
                    *key,
                    Calls::of(Some(*time * MICROS_PER_DAY), Some(&format!("e{time}"))),
                );
            }
            kept
        };
        let shown = |kept: &Kept<i64, Calls>| {
            let entries: Vec<_> = kept
                .iter()
                .map(|(key, calls)| (*key, calls.clone()))
                .collect();
            (entries, kept.left_out())
        };
        let whole = gather(&calls);
        assert_eq!(whole.len(), 7);
        let total: u64 = whole.iter().map(|(_, calls)| calls.count).sum();
        assert_eq!(total + whole.left_out(), 200);
        for cut in [1, 50, 133, 199] {
            let (left, right) = calls.split_at(cut);
            let mut parts = gather(right);
            parts.merge(gather(left));
            assert_eq!(shown(&parts), shown(&whole), "cut at {cut}");
        }
    }

    #[test]
    fn the_latest_calls_are_the_samples() {
        let mut calls = Calls::default();
        for time in [5, 1, 9, 7, 3] {
            calls.see(Some(time), Some(&format!("e{time}")));
        }
        assert_eq!(calls.event_ids(), ["e5", "e7", "e9"]);
        assert_eq!(
            (calls.first, calls.last, calls.count),
            (Some(1), Some(9), 5)
        );
    }
}
