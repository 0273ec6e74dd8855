//! The issued sessions that calls may still join, by access key.
//!
//! A call joins the record that issued its access key if that record's file was delivered between
//! [`BEFORE`] and [`AFTER`] of the call's own; of several, the first in plan order. Files are read in
//! plan order and each record is added once, so what is found does not depend on how the plan was cut
//! into slices and batches.
//!
//! A role chain hands transitive tags on: what a session inherits is looked up with its own issuing
//! record for the call, by the same rule, and a session waits ([`Found::NotYet`]) until that is known or
//! the horizon has passed.

mod contents;
mod load;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use retrial_replay::{Inheritance, Session, SessionDocuments, SessionFacts};
use retrial_tables::SessionRow;
use sha2::{Digest, Sha256};

use contents::Contents;
pub(crate) use load::{SessionFiles, minute};

/// How long before a call its session can have been issued, in minutes: the longest session there is
/// (GetFederationToken).
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>
pub(crate) const BEFORE: u32 = 36 * 60;

/// How much later than a call the record of its session's issue can be delivered, in minutes.
pub(crate) const AFTER: u32 = 15;

/// A session whose issuing record may still be joined can itself have been asked for by one that was
/// issued up to [`BEFORE`] earlier; that is looked up within [`AFTER`] of its issue.
const KEPT: u32 = BEFORE + 2 * AFTER;

/// Expired sessions are looked for no more often than this, in minutes.
const SWEEP_EVERY: u32 = 60;

/// What a session inherits is handed on over so many sessions at once; people chain two or three roles.
const LONGEST_CHAIN: usize = 16;

/// An access key is issued once. Made-up keys of exports repeat; more issues than this are not kept.
const MOST_ISSUES: usize = 4096;

/// Compiled session policies that are kept at the same time, in bytes (estimated). Most sessions have
/// none, and most others share a few.
const MOST_DOCUMENTS: usize = 64 << 20;

/// What is known of the session behind an access key.
#[derive(Debug)]
pub(crate) enum Found<'x> {
    /// This session.
    Known(&'x Session),
    /// Its issuing record has not been read, and may come.
    NotYet,
    /// Its issuing record has not been read, and no file that may hold it is left.
    Never,
}

/// The sessions.
///
/// # Memory
/// 20 bytes and the hash table's slack for an issue (about 30 to 45 bytes); what sessions are limited by
/// and tagged with is held once for all that are alike, compiled policies up to a limit.
pub(crate) struct Sessions {
    /// The first issue of each key in plan order.
    issued: HashMap<Key, Issue>,
    /// Further issues of the same key, in plan order.
    later: HashMap<Key, Vec<Issue>>,
    /// Sessions that wait for the one that asked for them, by that one's key.
    waiting: HashMap<Key, Vec<Chained>>,
    contents: Contents,
    documents: SessionDocuments,
    /// The minute of the last sweep.
    swept: u32,
}

/// An access key in 96 bits.
///
/// AWS's session keys are `ASIA` and 16 letters or digits, which fit in 83; any other is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key([u32; 3]);

/// One issue of an access key.
#[derive(Debug, Clone, Copy)]
struct Issue {
    minute: u32,
    /// The number of its session in [`Contents`], shifted; the lowest bit: it waits.
    content: u32,
}

/// One issue, as its row tells it.
struct Issued {
    key: Key,
    minute: u32,
    session: Session,
    /// The key of the session that asked for it, in a role chain.
    asking: Option<Key>,
}

/// A session of a role chain.
#[derive(Debug, Clone, Copy)]
struct Chained {
    key: Key,
    minute: u32,
}

impl Key {
    fn of(access_key_id: &str) -> Key {
        let low = |value: u128, shift: u32| (value >> shift) as u32;
        let value = Self::packed(access_key_id).unwrap_or_else(|| {
            let digest = Sha256::digest(access_key_id);
            let value = digest
                .iter()
                .take(12)
                .fold(0, |value, byte| value << 8 | u128::from(*byte));
            // No packed key has this bit.
            value | 1 << 95
        });
        Key([low(value, 64), low(value, 32), low(value, 0)])
    }

    fn packed(access_key_id: &str) -> Option<u128> {
        let rest = access_key_id.strip_prefix("ASIA")?;
        if rest.len() != 16 {
            return None;
        }
        rest.bytes().try_fold(0, |value, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                _ => return None,
            };
            Some(value * 36 + u128::from(digit))
        })
    }
}

impl Issue {
    fn new(minute: u32, content: u32, waits: bool) -> Issue {
        Issue {
            minute,
            content: content << 1 | u32::from(waits),
        }
    }

    fn content(self) -> u32 {
        self.content >> 1
    }

    fn waits(self) -> bool {
        self.content & 1 == 1
    }

    /// Whether a call of this minute can join it.
    fn joins(self, minute: u32) -> bool {
        self.minute.saturating_add(BEFORE) >= minute && self.minute <= minute.saturating_add(AFTER)
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(MOST_DOCUMENTS)
    }
}

impl Sessions {
    fn new(most_documents: usize) -> Sessions {
        Sessions {
            issued: HashMap::new(),
            later: HashMap::new(),
            waiting: HashMap::new(),
            contents: Contents::default(),
            documents: SessionDocuments::new(most_documents),
            swept: 0,
        }
    }

    /// The session behind an access key for a call of `minute`, where every file before `read_to` has
    /// been read.
    pub(crate) fn find(&self, access_key_id: &str, minute: u32, read_to: u32) -> Found<'_> {
        let may_come = read_to <= minute.saturating_add(AFTER);
        let issue = self.first(Key::of(access_key_id), minute);
        match issue.and_then(|issue| Some((issue, self.contents.get(issue.content())?))) {
            Some((issue, _)) if issue.waits() && may_come => Found::NotYet,
            Some((_, session)) => Found::Known(session),
            None if may_come => Found::NotYet,
            None => Found::Never,
        }
    }

    /// Takes in an issued session, whose file was delivered at `minute`; in plan order.
    pub(crate) fn add(&mut self, row: &SessionRow<'_>, minute: u32) {
        if let Some(issued) = self.read(row, minute) {
            self.admit(issued);
        }
    }

    /// What a row tells; `None` where no call will ask for it.
    fn read(&mut self, row: &SessionRow<'_>, minute: u32) -> Option<Issued> {
        // A user's session token cuts and tags nothing.
        if row.event_name == Some("GetSessionToken") {
            return None;
        }
        let key = Key::of(row.access_key_id);
        if !self.is_of_use(key, minute) {
            return None;
        }
        let facts = facts(row);
        Some(Issued {
            key,
            minute,
            session: Session::new(&facts, &mut self.documents),
            asking: match facts.inheritance() {
                Inheritance::Session(asking) => Some(Key::of(asking)),
                Inheritance::Nothing | Inheritance::NotShown => None,
            },
        })
    }

    fn admit(&mut self, issued: Issued) {
        let Issued {
            key,
            minute,
            mut session,
            asking,
        } = issued;
        let mut waits = false;
        if let Some(asking) = asking {
            waits = match self.first(asking, minute) {
                Some(issue) => {
                    if let Some(asking) = self.contents.get(issue.content()) {
                        session = session.inherit(asking);
                    }
                    issue.waits()
                }
                None => true,
            };
            if waits {
                let chained = Chained { key, minute };
                self.waiting.entry(asking).or_default().push(chained);
            }
        }
        let issue = Issue::new(minute, self.contents.keep(session), waits);
        match self.issued.entry(key) {
            Entry::Vacant(place) => {
                place.insert(issue);
            }
            Entry::Occupied(_) => self.later.entry(key).or_default().push(issue),
        }
        self.hand_on(key);
    }

    /// Forgets what no file from `minute` on can join.
    pub(crate) fn forget_before(&mut self, minute: u32) {
        if minute.saturating_sub(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = minute;
        let Sessions {
            issued,
            later,
            waiting,
            contents,
            documents,
            ..
        } = self;
        let mut is_alive = |issue: &Issue| {
            let alive = issue.minute.saturating_add(KEPT) >= minute;
            if !alive {
                contents.release(issue.content());
            }
            alive
        };
        later.retain(|_, issues| {
            issues.retain(&mut is_alive);
            !issues.is_empty()
        });
        issued.retain(|key, first| {
            if is_alive(first) {
                return true;
            }
            // The next one takes its place.
            let Some(issues) = later.get_mut(key) else {
                return false;
            };
            *first = issues.remove(0);
            if issues.is_empty() {
                later.remove(key);
            }
            true
        });
        waiting.retain(|_, children| {
            children.retain(|child| child.minute.saturating_add(AFTER) >= minute);
            !children.is_empty()
        });
        if issued.len() < issued.capacity() / 4 {
            issued.shrink_to_fit();
        }
        documents.release();
    }

    /// The first issue of a key that a call of `minute` can join.
    fn first(&self, key: Key, minute: u32) -> Option<Issue> {
        let first = *self.issued.get(&key)?;
        if first.joins(minute) {
            return Some(first);
        }
        let later = self.later.get(&key)?;
        later.iter().copied().find(|issue| issue.joins(minute))
    }

    /// Of two issues of one key in the same minute the second is never joined.
    fn is_of_use(&self, key: Key, minute: u32) -> bool {
        let Some(first) = self.issued.get(&key) else {
            return true;
        };
        let later = self.later.get(&key).map_or(&[][..], Vec::as_slice);
        first.minute != minute
            && later.len() < MOST_ISSUES
            && later.iter().all(|issue| issue.minute != minute)
    }

    /// Hands on to the sessions that wait for `key`, to those that wait for them, and so on.
    fn hand_on(&mut self, key: Key) {
        let mut changed = vec![key];
        for _ in 0..LONGEST_CHAIN {
            let mut next = Vec::new();
            for asking in changed {
                let Some(mut children) = self.waiting.remove(&asking) else {
                    continue;
                };
                children.retain(|child| self.inherit(asking, *child, &mut next));
                if !children.is_empty() {
                    self.waiting.insert(asking, children);
                }
            }
            if next.is_empty() {
                return;
            }
            changed = next;
        }
    }

    /// Lets a session inherit what is known by now; `true` where it goes on waiting. What has changed
    /// is added to `changed`.
    fn inherit(&mut self, asking: Key, child: Chained, changed: &mut Vec<Key>) -> bool {
        let Some(from) = self.first(asking, child.minute) else {
            return true;
        };
        let Some(issue) = self.issue_mut(child) else {
            return false;
        };
        let before = *issue;
        let (Some(own), Some(asking)) = (
            self.contents.get(before.content()),
            self.contents.get(from.content()),
        ) else {
            return false;
        };
        let content = self.contents.keep(own.inherit(asking));
        self.contents.release(before.content());
        let after = Issue::new(child.minute, content, from.waits());
        if let Some(issue) = self.issue_mut(child) {
            *issue = after;
        }
        if after.content != before.content {
            changed.push(child.key);
        }
        after.waits()
    }

    fn issue_mut(&mut self, chained: Chained) -> Option<&mut Issue> {
        let first = self.issued.get_mut(&chained.key)?;
        if first.minute == chained.minute {
            return Some(first);
        }
        let later = self.later.get_mut(&chained.key)?;
        later
            .iter_mut()
            .find(|issue| issue.minute == chained.minute)
    }
}

fn facts<'r>(row: &SessionRow<'r>) -> SessionFacts<'r> {
    SessionFacts {
        event_name: row.event_name,
        caller_principal_arn: row.caller_principal_arn,
        caller_access_key_id: row.caller_access_key_id,
        role_arn: row.role_arn,
        session_policy: row.session_policy,
        session_policy_id: row.session_policy_id,
        session_policy_arns: row.session_policy_arns,
        tags: row.tags,
        transitive_tag_keys: row.transitive_tag_keys,
        source_identity: row.source_identity,
    }
}
