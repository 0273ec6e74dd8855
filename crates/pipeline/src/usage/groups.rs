//! The groups that are in memory: small entries, whose texts are kept once.
//!
//! Callers and actions come again and again, and are numbered. So a group is found by two numbers and its
//! resource, and most of the order is one of numbers, too: of whole keys, with the texts of caller and action
//! in each, hashing, comparing and allocating was a fourteenth of a run.

use std::hash::{BuildHasher, RandomState};

use retrial_tables::UsageRow;
use twox_hash::XxHash3_64;

use super::key::Group;
use super::sums::{Counted, Counts};
use crate::dates::EventDate;

/// Groups by what they are grouped by.
///
/// # Memory
/// [`Groups::bytes`]
pub(super) struct Groups {
    /// Of this process: the texts were written by whoever made the calls.
    seed: u64,
    callers: Vec<Caller>,
    caller_places: Places,
    actions: Vec<Box<str>>,
    action_places: Places,
    entries: Vec<Entry>,
    entry_places: Places,
    /// Resources and event ids.
    texts: String,
    /// What the texts of callers and actions come to.
    named_bytes: usize,
}

/// Who called, and when.
struct Caller {
    date: EventDate,
    account_id: Option<Box<str>>,
    principal_arn: Option<Box<str>>,
    principal_type: Option<Box<str>>,
}

struct Entry {
    caller: u32,
    action: u32,
    resource: Option<Place>,
    required: bool,
    counts: Counts,
    event_id: Option<Place>,
}

/// A place in [`Groups::texts`].
#[derive(Clone, Copy)]
struct Place {
    begin: u32,
    length: u32,
}

impl Groups {
    /// None yet.
    pub(super) fn new() -> Self {
        Self::with_seed(RandomState::new().hash_one(0))
    }

    fn with_seed(seed: u64) -> Self {
        Self {
            seed,
            callers: Vec::new(),
            caller_places: Places::default(),
            actions: Vec::new(),
            action_places: Places::default(),
            entries: Vec::new(),
            entry_places: Places::default(),
            texts: String::new(),
            named_bytes: 0,
        }
    }

    /// Takes them out.
    pub(super) fn take(&mut self) -> Self {
        let none = Self::with_seed(self.seed);
        std::mem::replace(self, none)
    }

    /// What they take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.callers.capacity() * size_of::<Caller>()
            + self.actions.capacity() * size_of::<Box<str>>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.caller_places.bytes()
            + self.action_places.bytes()
            + self.entry_places.bytes()
            + self.texts.capacity()
            + self.named_bytes
    }

    /// Adds to a group.
    pub(super) fn add(
        &mut self,
        date: EventDate,
        group: &Group<&str>,
        (counts, event_id): Counted<'_>,
    ) {
        let caller = self.caller(date, group);
        let action = self.action(group.action);
        let resource = group.resource_arn;
        let asked = u64::from(caller) << 32 | u64::from(action) << 1 | u64::from(group.required);
        let hash = self.hash(asked, resource);
        let found = self.entry_places.find(hash, |number| {
            self.entry(number).is_some_and(|entry| {
                entry.caller == caller
                    && entry.action == action
                    && entry.required == group.required
                    && self.text(entry.resource) == resource
            })
        });
        match found {
            Some(number) => self.add_to(number, (counts, event_id)),
            None => {
                let entry = Entry {
                    caller,
                    action,
                    resource: self.keep(resource),
                    required: group.required,
                    counts,
                    event_id: self.keep(event_id),
                };
                self.entry_places.add(hash, self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// The groups' numbers, in the order of their rows.
    pub(super) fn order(&self) -> Vec<u32> {
        let callers = ranks(&self.callers, |caller| {
            let Caller {
                date,
                account_id,
                principal_arn,
                principal_type: _,
            } = caller;
            (date, account_id, principal_arn)
        });
        let actions = ranks(&self.actions, |action| action);
        let rank = |ranks: &[u32], number: u32| ranks.get(number as usize).copied().unwrap_or(0);
        let ranked = |(number, entry): (u32, &Entry)| {
            let caller = u64::from(rank(&callers, entry.caller));
            (
                caller << 32 | u64::from(rank(&actions, entry.action)),
                number,
            )
        };
        let mut order: Vec<(u64, u32)> = (0..).zip(&self.entries).map(ranked).collect();
        order.sort_unstable();
        for alike in order.chunk_by_mut(|(a, _), (b, _)| a == b) {
            alike.sort_unstable_by(|(_, a), (_, b)| self.rest(*a).cmp(&self.rest(*b)));
        }
        order.into_iter().map(|(_, number)| number).collect()
    }

    /// A group, what it comes to, and the id of its first event.
    pub(super) fn group(&self, number: u32) -> Option<(EventDate, Group<&str>, Counted<'_>)> {
        let entry = self.entry(number)?;
        let caller = self.callers.get(entry.caller as usize)?;
        let group = Group {
            account_id: caller.account_id.as_deref(),
            principal_arn: caller.principal_arn.as_deref(),
            action: self.actions.get(entry.action as usize)?,
            resource_arn: self.text(entry.resource),
            required: entry.required,
            principal_type: caller.principal_type.as_deref(),
        };
        let sums = (entry.counts, self.text(entry.event_id));
        Some((caller.date, group, sums))
    }

    /// A group's row.
    pub(super) fn row(&self, number: u32) -> Option<(EventDate, UsageRow<'_>)> {
        let (date, group, sums) = self.group(number)?;
        Some((date, group.row(sums)))
    }

    fn caller(&mut self, date: EventDate, group: &Group<&str>) -> u32 {
        let day = date.map_or(0, |day| u64::from(day.cast_unsigned()) + 1);
        let hash = self.hash(day, group.account_id);
        let hash = seeded(hash, group.principal_arn);
        let hash = seeded(hash, group.principal_type);
        let found = self.caller_places.find(hash, |number| {
            self.callers.get(number as usize).is_some_and(|caller| {
                caller.date == date
                    && caller.principal_arn.as_deref() == group.principal_arn
                    && caller.account_id.as_deref() == group.account_id
                    && caller.principal_type.as_deref() == group.principal_type
            })
        });
        found.unwrap_or_else(|| {
            let texts = [group.account_id, group.principal_arn, group.principal_type];
            let lengths = texts.iter().flatten().map(|text| text.len());
            self.named_bytes += lengths.sum::<usize>();
            let [account_id, principal_arn, principal_type] = texts.map(|text| text.map(Box::from));
            self.callers.push(Caller {
                date,
                account_id,
                principal_arn,
                principal_type,
            });
            self.caller_places.add(hash, self.callers.len() - 1)
        })
    }

    fn action(&mut self, action: &str) -> u32 {
        let hash = self.hash(0, Some(action));
        let found = self.action_places.find(hash, |number| {
            let other = self.actions.get(number as usize);
            other.is_some_and(|other| **other == *action)
        });
        found.unwrap_or_else(|| {
            self.named_bytes += action.len();
            self.actions.push(action.into());
            self.action_places.add(hash, self.actions.len() - 1)
        })
    }

    fn add_to(&mut self, number: u32, (counts, event_id): Counted<'_>) {
        let Some(entry) = self.entry(number) else {
            return;
        };
        let known = self.text(entry.event_id);
        let is_first = counts.first(event_id) < entry.counts.first(known);
        let kept = is_first.then(|| self.keep(event_id));
        if let Some(entry) = self.entries.get_mut(number as usize) {
            entry.counts.add(&counts, is_first);
            entry.event_id = kept.unwrap_or(entry.event_id);
        }
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)
    }

    /// What a group's order follows from behind caller and action.
    fn rest(&self, number: u32) -> (Option<&str>, bool, Option<&str>) {
        let Some(entry) = self.entry(number) else {
            return (None, false, None);
        };
        let caller = self.callers.get(entry.caller as usize);
        let principal_type = caller.and_then(|caller| caller.principal_type.as_deref());
        (self.text(entry.resource), entry.required, principal_type)
    }

    fn keep(&mut self, text: Option<&str>) -> Option<Place> {
        let text = text?;
        // What is in memory is limited to far less than 4 GB, and so is a record.
        let begin = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.texts.push_str(text);
        Some(Place { begin, length })
    }

    fn text(&self, place: Option<Place>) -> Option<&str> {
        let Place { begin, length } = place?;
        self.texts.get(begin as usize..)?.get(..length as usize)
    }

    fn hash(&self, number: u64, text: Option<&str>) -> u64 {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        seeded(self.seed ^ mixed, text)
    }
}

fn seeded(seed: u64, text: Option<&str>) -> u64 {
    match text {
        Some(text) => XxHash3_64::oneshot_with_seed(seed, text.as_bytes()),
        None => !seed,
    }
}

/// Each one's place in the order of what `key` gives; equal ones have the same.
fn ranks<'t, T, K: Ord>(all: &'t [T], key: impl Fn(&'t T) -> K) -> Vec<u32> {
    let mut order: Vec<(K, usize)> = all.iter().map(key).zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0; all.len()];
    for (rank, alike) in (0..).zip(order.chunk_by(|(a, _), (b, _)| a == b)) {
        for (_, number) in alike {
            if let Some(place) = ranks.get_mut(*number) {
                *place = rank;
            }
        }
    }
    ranks
}

/// Numbers by the hashes of what they number: a table of open addressing.
#[derive(Default)]
struct Places {
    /// The upper half of the hash, and the number + 1; 0 where there is none. As many as a power of 2.
    slots: Vec<u64>,
    used: usize,
}

impl Places {
    const LEAST: usize = 64;

    fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// The number of this hash that `is` the one sought.
    fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let last = self.slots.len().checked_sub(1)?;
        let mut at = (hash >> 32) as usize & last;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return None;
            }
            let number = (slot as u32).wrapping_sub(1);
            if slot >> 32 == hash >> 32 && is(number) {
                return Some(number);
            }
            at = (at + 1) & last;
        }
    }

    /// Adds a number that is not there.
    fn add(&mut self, hash: u64, number: usize) -> u32 {
        // Numbers of 4 bytes do for what fits into memory.
        let number = u32::try_from(number).unwrap_or(u32::MAX - 1);
        if self.used * 4 >= self.slots.len() * 3 {
            let room = (self.slots.len() * 2).max(Self::LEAST);
            let slots = std::mem::replace(&mut self.slots, vec![0; room]);
            slots
                .into_iter()
                .filter(|slot| *slot != 0)
                .for_each(|slot| self.put(slot));
        }
        self.used += 1;
        self.put(hash >> 32 << 32 | (u64::from(number) + 1));
        number
    }

    fn put(&mut self, slot: u64) {
        let last = self.slots.len().wrapping_sub(1);
        let mut at = (slot >> 32) as usize & last;
        while let Some(place) = self.slots.get_mut(at) {
            if *place == 0 {
                *place = slot;
                return;
            }
            at = (at + 1) & last;
        }
    }
}
