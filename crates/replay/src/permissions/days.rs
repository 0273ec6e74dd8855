//! Sets of days.

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;

/// Days since the epoch, as runs of consecutive ones.
///
/// # Memory
/// 8 bytes for each run: one for who works every day, and never more than half the days of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Days {
    /// Invariant: ascending, and a day at least between two of them.
    runs: Vec<(i32, i32)>,
}

impl Days {
    /// The day of a time.
    pub(crate) fn day_of(micros: i64) -> i32 {
        i32::try_from(micros.div_euclid(DAY)).unwrap_or(i32::MAX - 1)
    }

    pub(crate) fn add(&mut self, day: i32) {
        self.add_run((day, day));
    }

    pub(crate) fn merge(&mut self, other: &Days) {
        for run in &other.runs {
            self.add_run(*run);
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.from(i32::MIN)
    }

    /// How many there are from a day on.
    pub(crate) fn from(&self, first: i32) -> u64 {
        let runs = self.runs.iter().filter(|(_, last)| *last >= first);
        let days = runs.map(|(begin, last)| i64::from(*last) - i64::from((*begin).max(first)) + 1);
        u64::try_from(days.sum::<i64>()).unwrap_or(0)
    }

    fn add_run(&mut self, (mut first, mut last): (i32, i32)) {
        // Days come mostly in their order.
        if let Some((_, end)) = self.runs.last_mut()
            && first == *end
            && last == *end
        {
            return;
        }
        let touches = |run: &(i32, i32)| {
            i64::from(run.0) <= i64::from(last) + 1 && i64::from(run.1) + 1 >= i64::from(first)
        };
        let begin = self
            .runs
            .partition_point(|run| i64::from(run.1) + 1 < i64::from(first));
        let count = self
            .runs
            .iter()
            .skip(begin)
            .take_while(|run| touches(run))
            .count();
        for run in self.runs.iter().skip(begin).take(count) {
            first = first.min(run.0);
            last = last.max(run.1);
        }
        self.runs.splice(begin..begin + count, [(first, last)]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn as_a_set() {
        let mut seed = 7_u32;
        let mut next = move || {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            i32::try_from(seed >> 16).unwrap() % 60
        };
        for _ in 0..200 {
            let (mut days, mut other) = (Days::default(), Days::default());
            let mut set = BTreeSet::new();
            for place in 0..30 {
                let day = next();
                set.insert(day);
                match place % 2 {
                    0 => days.add(day),
                    _ => other.add(day),
                }
            }
            days.merge(&other);
            let first = next();
            assert_eq!(days.len(), set.len() as u64);
            assert_eq!(days.from(first), set.range(first..).count() as u64);
            let apart = days.runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0);
            assert!(apart, "{days:?}");
        }
    }
}
