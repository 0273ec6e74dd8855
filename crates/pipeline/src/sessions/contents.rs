//! What sessions are limited by and tagged with, each once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use retrial_replay::Session;

/// Sessions by number, counted by the issues that have them: thousands of sessions of one pipeline or
/// one role are alike but for their keys.
#[derive(Default)]
pub(super) struct Contents {
    slots: Vec<Slot>,
    /// Numbers that are free again.
    free: Vec<u32>,
    by_hash: HashMap<u64, Vec<u32>>,
    /// Seeded by chance: whoever writes logs chooses what is hashed.
    hasher: RandomState,
}

#[derive(Default)]
struct Slot {
    session: Option<Session>,
    issues: u32,
    hash: u64,
}

impl Contents {
    pub(super) fn get(&self, number: u32) -> Option<&Session> {
        self.slots.get(number as usize)?.session.as_ref()
    }

    /// The number of this session, which is counted once more.
    pub(super) fn keep(&mut self, session: Session) -> u32 {
        let hash = self.hasher.hash_one(&session);
        let alike = self.by_hash.entry(hash).or_default();
        for number in alike.iter() {
            let slot = self.slots.get_mut(*number as usize);
            if let Some(slot) = slot.filter(|slot| slot.session.as_ref() == Some(&session)) {
                slot.issues += 1;
                return *number;
            }
        }
        let slot = Slot {
            session: Some(session),
            issues: 1,
            hash,
        };
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(place) = self.slots.get_mut(number as usize) {
                    *place = slot;
                }
                number
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        alike.push(number);
        number
    }

    /// Counts one issue less; a session that none has is forgotten.
    pub(super) fn release(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        slot.issues = slot.issues.saturating_sub(1);
        if slot.issues > 0 || slot.session.take().is_none() {
            return;
        }
        if let Some(alike) = self.by_hash.get_mut(&slot.hash) {
            alike.retain(|known| *known != number);
            if alike.is_empty() {
                self.by_hash.remove(&slot.hash);
            }
        }
        self.free.push(number);
    }

    /// How many are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
