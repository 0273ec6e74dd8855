//! One search for all that is sorted: runs and what is still in memory.

use std::convert::Infallible;
use std::io;

use super::fingerprint::{Fingerprint, MARK};
use super::marks::Marks;
use super::{Seen, WINDOW};

/// Entries in order, with their marks.
pub(super) trait Sorted {
    /// The first entry that is not before `target`.
    fn seek(&mut self, target: &Fingerprint) -> io::Result<Option<Fingerprint>>;
}

/// Whether a record, or another of its id, is there within 7 days of its minute.
pub(super) fn find(sorted: &mut impl Sorted, record: &Fingerprint) -> io::Result<Seen> {
    let from = record.minute.saturating_sub(WINDOW);
    let to = record.minute.saturating_add(WINDOW);
    let mut first_of_id = |body, minute| -> io::Result<Option<Fingerprint>> {
        let found = sorted.seek(&record.at(body, minute))?;
        Ok(found.filter(|found| found.same_id(record)))
    };
    let Some(first) = first_of_id(0, 0)? else {
        return Ok(Seen::Nothing);
    };
    let same = first_of_id(record.body, from)?;
    if same.is_some_and(|same| same.body == record.body && same.minute <= to) {
        return Ok(Seen::Record);
    }
    if (from..=to).contains(&first.minute) {
        return Ok(Seen::Id);
    }
    let mark = first_of_id(MARK, from)?;
    Ok(match mark {
        Some(mark) if mark.minute <= to => Seen::Id,
        _ => Seen::Nothing,
    })
}

/// Entries in memory.
#[derive(Debug, Default)]
pub(super) struct Level {
    entries: Vec<Fingerprint>,
}

impl Level {
    /// Of records in order.
    pub(super) fn new(records: &[Fingerprint]) -> Self {
        let mut entries = Vec::with_capacity(records.len());
        let mut marks = Marks::default();
        let push = |entries: &mut Vec<Fingerprint>, mark| {
            entries.push(mark);
            Ok::<(), Infallible>(())
        };
        for record in records {
            let Ok(()) = marks.take(record, |mark| push(&mut entries, mark));
            entries.push(*record);
        }
        let Ok(()) = marks.end(|mark| push(&mut entries, mark));
        Self { entries }
    }

    /// One level of two.
    pub(super) fn merged(mut self, mut other: Self) -> Self {
        self.entries.append(&mut other.entries);
        self.entries.retain(|entry| !entry.is_mark());
        // Stable, because that sort takes what is in order already as it is, and only merges.
        self.entries.sort();
        Self::new(&self.entries)
    }

    /// Entries, marks among them.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All records in order, without the marks.
    pub(super) fn records(&self) -> impl Iterator<Item = Fingerprint> {
        self.entries.iter().copied().filter(|e| !e.is_mark())
    }
}

impl Sorted for Level {
    fn seek(&mut self, target: &Fingerprint) -> io::Result<Option<Fingerprint>> {
        let place = self.entries.partition_point(|entry| entry < target);
        Ok(self.entries.get(place).copied())
    }
}
