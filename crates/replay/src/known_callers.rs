//! Callers that came up before, and what all calls of one have in common.
//!
//! In a log, calls of few callers are mixed: the same principal with the same session, from the same
//! address with the same agent. All that follows from that is found out once: who it is, which principal
//! of the snapshot that is, and most condition keys.

use std::hash::Hasher;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::Record;
use retrial_iam::{Context, ContextEntry, KeyState, Principal, SharedKeys, Snapshot, Values};
use rustc_hash::FxHasher;

use crate::Reason;
use crate::asker::asker_of;
use crate::call_session::{HeldSession, is_assumed_root};
use crate::caller::Caller;
use crate::key_order::{ContextColumn, KeyOrders, NamedValues};
use crate::keys::{KeySource, caller_keys};
use crate::memo::Question;
use crate::session::SessionKnowledge;

/// How many callers are remembered: those of a slice have a place each, nearly all.
const SLOTS: usize = 4096;

/// Where texts are kept that outlive a record.
pub trait KeepTexts<'k> {
    /// The text.
    fn keep(&self, text: &str) -> &'k str;

    /// The texts.
    fn keep_all(&self, texts: &[&str]) -> &'k [&'k str];

    /// Where they lie.
    fn arena(&self) -> &'k Bump;
}

/// Remembers the callers that came up last. What comes out is the same without it.
///
/// It is for one replayer. It tells sessions apart by where they are in memory, and therefore lives no
/// longer than they do.
///
/// # Memory
/// Some kilobytes for a caller; texts, and what is made of them, are where [`KeepTexts`] has put them.
#[derive(Debug, Default)]
pub struct KnownCallers<'s, 'k, 'x> {
    slots: Vec<Option<Box<Slot<'s, 'k, 'x>>>>,
    question: Vec<u8>,
    /// How keys were sorted, of callers and of requests.
    orders: KeyOrders<'k>,
}

#[derive(Debug)]
struct Slot<'s, 'k, 'x> {
    hash: u64,
    /// All that the caller follows from: what is written of `userIdentity`,
    identity: Box<str>,
    /// and the rest.
    question: Box<[u8]>,
    found: Found<'s, 'k, 'x>,
}

/// A caller, and who it is to the evaluator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'s, 'k, 'x> {
    pub(crate) principal: Result<&'s Principal, Reason>,
    /// As [`asker_of`] gives it.
    pub(crate) asker: Option<retrial_iam::Caller<'s, 'k>>,
    pub(crate) session: HeldSession<'x>,
    pub(crate) known: KnownCaller<'k>,
}

/// What all calls of a caller have in common.
#[derive(Debug, Clone, Copy)]
pub struct KnownCaller<'k> {
    /// The caller.
    pub caller: Caller<'k>,
    /// `userIdentity.accessKeyId`
    pub access_key_id: Option<&'k str>,
    /// `userIdentity.invokedBy`
    pub invoked_by: Option<&'k str>,
    /// `sourceIPAddress`
    pub source_ip_address: Option<&'k str>,
    /// `awsRegion`
    pub aws_region: Option<&'k str>,
    /// The condition keys that all its requests have, as [`crate::CallRequest::context`] has them.
    pub context: &'k [(&'k str, &'k [&'k str])],
    /// The number of the order of the context's keys; 0 where they have none.
    order: u64,
    pub(crate) keys: SharedKeys<'k>,
}

/// A record whose caller is asked for.
pub(crate) struct CallerOf<'a, 'r, 'x, 's> {
    pub(crate) record: &'r Record<'a>,
    pub(crate) session: SessionKnowledge<'x>,
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) arena: &'a Bump,
}

impl<'s, 'k, 'x> KnownCallers<'s, 'k, 'x> {
    /// The caller of a record; `None` where it is of a kind that does not come again.
    pub(crate) fn of<'a>(
        &mut self,
        asked: &CallerOf<'a, '_, 'x, 's>,
        keep: &impl KeepTexts<'k>,
    ) -> Option<Found<'s, 'k, 'x>>
    where
        's: 'a + 'k,
    {
        let identity = asked.record.user_identity?;
        // Their keys are in the rest of the record.
        if matches!(identity.kind, Some("WebIdentityUser" | "SAMLUser")) {
            return None;
        }
        let written = asked.record.json.get("userIdentity")?.written_members()?;
        self.question.clear();
        asked.write(&mut Question::new(&mut self.question));
        let hash = hash_of(written, &self.question);
        self.slots.resize_with(SLOTS, || None);
        let slot = self.slots.get_mut(hash as usize % SLOTS)?;
        if let Some(known) = slot.as_ref().filter(|slot| {
            slot.hash == hash && *slot.question == *self.question && *slot.identity == *written
        }) {
            return Some(known.found);
        }
        let found = asked.find(keep, &mut self.orders);
        *slot = Some(Box::new(Slot {
            hash,
            identity: written.into(),
            question: self.question.as_slice().into(),
            found,
        }));
        Some(found)
    }

    /// The whole context of a request of which [`crate::CallRequest::context`] has only a part, `own`, in
    /// order and kept. The caller was found by this very memory.
    pub fn context(
        &mut self,
        caller: &KnownCaller<'k>,
        own: &[(&str, &[&str])],
        keep: &impl KeepTexts<'k>,
    ) -> ContextColumn<'k> {
        let others = (caller.context, caller.order);
        self.orders.joined(others, own, keep)
    }
}

impl<'k> KnownCaller<'k> {
    /// The caller of a record, without the keys of its requests.
    pub fn kept(caller: &Caller<'_>, record: &Record<'_>, keep: &impl KeepTexts<'k>) -> Self {
        let kept = |text: Option<&str>| text.map(|text| keep.keep(text));
        let identity = record.user_identity.unwrap_or_default();
        KnownCaller {
            caller: Caller {
                principal_arn: kept(caller.principal_arn),
                principal_type: kept(caller.principal_type),
                session_name: kept(caller.session_name),
                principal_id: kept(caller.principal_id),
                user_id: kept(caller.user_id),
                account: kept(caller.account),
                user_name: kept(caller.user_name),
                kind: caller.kind,
            },
            access_key_id: kept(identity.access_key_id),
            invoked_by: kept(identity.invoked_by),
            source_ip_address: kept(record.source_ip_address),
            aws_region: kept(record.aws_region),
            context: &[],
            order: 0,
            keys: SharedKeys::default(),
        }
    }
}

impl<'a, 's: 'a, 'x> CallerOf<'a, '_, 'x, 's> {
    /// Writes all besides `userIdentity` that [`Caller::of`], [`Caller::principal`] and [`caller_keys`] depend
    /// on.
    fn write(&self, question: &mut Question<'_>) {
        let record = self.record;
        for text in [
            record.source_ip_address,
            record.vpc_endpoint_id,
            record.aws_region,
            record.user_agent,
        ] {
            question.write(text);
        }
        question.write_flag(has_tls_version(record));
        match self.session {
            SessionKnowledge::NotSeen => question.write_session(None, false),
            SessionKnowledge::Known(session) => question.write_session(Some(session), true),
        }
    }

    fn find<'k>(&self, keep: &impl KeepTexts<'k>, orders: &mut KeyOrders<'k>) -> Found<'s, 'k, 'x>
    where
        's: 'k,
    {
        let record = self.record;
        let caller = Caller::of(record, self.arena);
        let found = caller.principal(self.snapshot);
        let principal: Option<&'a Principal> = found.ok().map(|principal| principal as _);
        let session = HeldSession::new((is_assumed_root(record), &caller, principal), self.session);
        let context = caller_keys(KeySource {
            record,
            caller: &caller,
            principal,
            session: session.known(),
            arena: self.arena,
        });
        let kept = kept_keys(&context, orders, keep, self.arena);
        let known = KnownCaller {
            context: kept.context,
            order: kept.order,
            keys: SharedKeys::new(&context, kept.entries),
            ..KnownCaller::kept(&caller, record, keep)
        };
        Found {
            principal: found,
            asker: asker_of(&known.caller, found),
            session,
            known,
        }
    }
}

/// A context where it is kept.
struct KeptKeys<'k> {
    entries: &'k [ContextEntry<'k>],
    /// The column `context`, and the number of its keys' order.
    context: &'k [NamedValues<'k>],
    order: u64,
}

fn kept_keys<'k, 'a>(
    context: &Context<'a>,
    orders: &mut KeyOrders<'k>,
    keep: &impl KeepTexts<'k>,
    arena: &'a Bump,
) -> KeptKeys<'k> {
    // Their order is all that is asked of these: the values are not looked at.
    let known = |entry: &&ContextEntry<'a>| entry.state() != KeyState::Unknown;
    let known = context.entries().iter().filter(known);
    let mut column: BumpVec<'a, NamedValues<'a>> =
        BumpVec::with_capacity_in(context.entries().len(), arena);
    column.extend(known.map(|entry| -> NamedValues<'a> { (entry.key(), &[]) }));
    let order = orders.of(&column, keep);
    let mut keys = order.into_iter().flat_map(|order| order.keys.iter());
    let mut entries = BumpVec::with_capacity_in(context.entries().len(), arena);
    let mut kept = BumpVec::with_capacity_in(column.len(), arena);
    for entry in context.entries() {
        // Unknown ones are none of the column's.
        let known = match entry.state() {
            KeyState::Unknown => None,
            _ => keys.next().copied(),
        };
        let key = known.unwrap_or_else(|| keep.keep(entry.key()));
        let (state, values): (_, &'k [&'k str]) = match entry.state() {
            KeyState::Known(Values::One(value)) => {
                let values = keep.keep_all(&[value]);
                let value = values.first().copied().unwrap_or_default();
                (KeyState::Known(Values::One(value)), values)
            }
            KeyState::Known(Values::Many(values)) => {
                let values = keep.keep_all(values);
                (KeyState::Known(Values::Many(values)), values)
            }
            KeyState::Absent => (KeyState::Absent, &[]),
            KeyState::Unknown => {
                entries.push(entry.moved(key, KeyState::Unknown));
                continue;
            }
        };
        entries.push(entry.moved(key, state));
        kept.push((key, values));
    }
    let context: &'k [NamedValues<'k>] = match order {
        Some(order) => {
            let place = |at: &u8| kept.get(usize::from(*at)).copied().unwrap_or_default();
            let in_order = order.places.iter().map(place);
            keep.arena().alloc_slice_fill_iter(in_order)
        }
        None => {
            kept.sort_unstable_by_key(|(key, _)| *key);
            keep.arena().alloc_slice_copy(&kept)
        }
    };
    KeptKeys {
        entries: keep.arena().alloc_slice_copy(&entries),
        context,
        order: order.map_or(0, |order| order.number),
    }
}

/// Whether `aws:SecureTransport` is known: see [`caller_keys`].
fn has_tls_version(record: &Record<'_>) -> bool {
    record
        .tls_details
        .is_some_and(|tls| tls.get("tlsVersion").is_some())
}

/// What it is hashed to decides no more than which caller takes whose place.
fn hash_of(identity: &str, question: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(identity.as_bytes());
    hasher.write(question);
    hasher.finish()
}
