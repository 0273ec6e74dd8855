//! One slice: its fingerprints as sorted queries, and the decision over them.

use std::collections::{BTreeMap, BTreeSet};

use super::fingerprint::Fingerprint;
use super::{Novelty, WINDOW};

/// What is there within 7 days of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Seen {
    /// No record of its id.
    Nothing,
    /// Another record of its id.
    Id,
    /// The record.
    Record,
}

/// A record of a slice, being looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub(super) fingerprint: Fingerprint,
    /// Its place in the plan's order.
    place: u32,
    /// What the records of earlier slices say.
    pub(super) seen: Seen,
}

/// The queries of a slice in the order of the fingerprints, equal ones in the plan's order.
pub(super) fn sorted_queries(fingerprints: &[Fingerprint]) -> Vec<Query> {
    // The leading bits nearly always decide, and sort twice as fast as whole queries.
    let mut order: Vec<(u64, u32)> = (0..)
        .zip(fingerprints)
        .map(|(place, f)| (f.id_high, place))
        .collect();
    order.sort_unstable();
    let mut queries: Vec<Query> = order
        .into_iter()
        .filter_map(|(_, place)| {
            Some(Query {
                fingerprint: *fingerprints.get(place as usize)?,
                place,
                seen: Seen::Nothing,
            })
        })
        .collect();
    for tied in queries.chunk_by_mut(|a, b| a.fingerprint.id_high == b.fingerprint.id_high) {
        if tied.len() > 1 {
            tied.sort_unstable_by_key(|query| (query.fingerprint, query.place));
        }
    }
    queries
}

/// What becomes of a slice.
pub(super) struct Decided {
    /// In the plan's order.
    pub(super) novelties: Vec<Novelty>,
    /// In the order of the fingerprints.
    pub(super) kept: Vec<Fingerprint>,
}

/// Decides over sorted queries that have been looked up.
pub(super) fn decide(mut queries: Vec<Query>) -> Decided {
    let mut decided = Decided {
        novelties: vec![Novelty::New; queries.len()],
        kept: Vec::with_capacity(queries.len()),
    };
    for of_id in queries.chunk_by_mut(|a, b| a.fingerprint.same_id(&b.fingerprint)) {
        if let [only] = of_id {
            decided.set(only, only.seen);
        } else {
            let start = decided.kept.len();
            decided.crowd(of_id);
            if let Some(added) = decided.kept.get_mut(start..) {
                added.sort_unstable();
            }
        }
    }
    decided
}

impl Decided {
    fn set(&mut self, query: &Query, seen: Seen) {
        let novelty = match seen {
            Seen::Nothing => Novelty::New,
            Seen::Id => Novelty::Conflict,
            Seen::Record => Novelty::Duplicate,
        };
        if novelty != Novelty::Duplicate {
            self.kept.push(query.fingerprint);
        }
        if let Some(slot) = self.novelties.get_mut(query.place as usize) {
            *slot = novelty;
        }
    }

    /// Several records of one id within the slice: in the plan's order, each may follow from one
    /// before it.
    fn crowd(&mut self, queries: &mut [Query]) {
        queries.sort_unstable_by_key(|query| query.place);
        let mut of_id = BTreeSet::new();
        let mut of_body: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for query in queries {
            let Fingerprint { body, minute, .. } = query.fingerprint;
            let of_body = of_body.entry(body).or_default();
            let here = match () {
                () if within_reach(of_body, minute) => Seen::Record,
                () if within_reach(&of_id, minute) => Seen::Id,
                () => Seen::Nothing,
            };
            let seen = query.seen.max(here);
            if seen != Seen::Record {
                of_body.insert(minute);
                of_id.insert(minute);
            }
            self.set(query, seen);
        }
    }
}

fn within_reach(minutes: &BTreeSet<u32>, minute: u32) -> bool {
    let reach = minute.saturating_sub(WINDOW)..=minute.saturating_add(WINDOW);
    minutes.range(reach).next().is_some()
}
