//! Marks: what keeps an id with thousands of bodies from being searched body by body.
//!
//! Entries are in order of id, body, minute, so that *this body within 7 days* is one search; *any
//! body within 7 days* would be a walk over the id's entries. So behind the entries of an id that has
//! more than one stand marks, entries with the reserved body 2⁶⁴−1: for each 7-day stretch of the
//! clock (minute / 10,080) that has entries, the first and the last minute. A minute within 7 days of
//! `m` lies in the stretch of `m` (then so do both its marks: they are within 7 days, too), or in the
//! one before (then its last mark is no earlier, and before `m`), or in the one after (likewise): some
//! mark is within 7 days exactly where some entry is.

use std::collections::BTreeMap;

use super::WINDOW;
use super::fingerprint::{Fingerprint, MARK};

/// Follows entries in their order, and gives the marks that are due.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The first entry of the id at hand.
    first: Option<Fingerprint>,
    /// Of the id at hand, where it has more than one entry: first and last minute, by stretch.
    stretches: BTreeMap<u32, (u32, u32)>,
}

impl Marks {
    /// Takes the next entry (no mark); `give` gets the marks that belong before it.
    pub(super) fn take<E>(
        &mut self,
        entry: &Fingerprint,
        give: impl FnMut(Fingerprint) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.first {
            Some(first) if first.same_id(entry) => {
                if self.stretches.is_empty() {
                    self.add(first.minute);
                }
                self.add(entry.minute);
                Ok(())
            }
            _ => {
                self.end(give)?;
                self.first = Some(*entry);
                Ok(())
            }
        }
    }

    /// The marks behind the last entry.
    pub(super) fn end<E>(
        &mut self,
        mut give: impl FnMut(Fingerprint) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(id) = self.first.take() else {
            return Ok(());
        };
        while let Some((_, (first, last))) = self.stretches.pop_first() {
            give(id.at(MARK, first))?;
            if first != last {
                give(id.at(MARK, last))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, minute: u32) {
        let (first, last) = self
            .stretches
            .entry(minute / WINDOW)
            .or_insert((minute, minute));
        *first = (*first).min(minute);
        *last = (*last).max(minute);
    }
}
