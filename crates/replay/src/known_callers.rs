//! Callers that came up before, and what all calls of one have in common.
//!
//! In a log, calls of few callers are mixed: the same principal with the same session, from the same
//! address with the same agent. All that follows from that is found out once: who it is, which principal
//! of the snapshot that is, and most condition keys.

use std::hash::Hasher;
use std::marker::PhantomData;

use bumpalo::Bump;
use retrial_cloudtrail::{Record, UserIdentity};
use retrial_iam::{Principal, SharedKeys, Snapshot};
use rustc_hash::FxHasher;

use crate::Reason;
use crate::call::{beginning, context_column};
use crate::call_session::{CallSession, is_assumed_root};
use crate::caller::Caller;
use crate::keys::{KeySource, caller_keys};
use crate::memo::Question;
use crate::session::SessionKnowledge;

/// How many callers are remembered: one file's have a place each.
const SLOTS: usize = 512;

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
#[derive(Debug)]
pub struct KnownCallers<'s, 'k, 'x> {
    slots: Vec<Option<Slot<'s, 'k>>>,
    question: Vec<u8>,
    sessions: PhantomData<&'x crate::Session>,
}

#[derive(Debug)]
struct Slot<'s, 'k> {
    /// All that the caller follows from.
    question: Box<[u8]>,
    principal: Result<&'s Principal, Reason>,
    known: KnownCaller<'k>,
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
    /// What the keys of the context begin with.
    beginnings: &'k [u128],
    pub(crate) keys: SharedKeys<'k>,
}

/// A record whose caller is asked for.
pub(crate) struct CallerOf<'a, 'r, 'x, 's> {
    pub(crate) record: &'r Record<'a>,
    pub(crate) session: SessionKnowledge<'x>,
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) arena: &'a Bump,
}

impl Default for KnownCallers<'_, '_, '_> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            question: Vec::new(),
            sessions: PhantomData,
        }
    }
}

impl<'s, 'k, 'x> KnownCallers<'s, 'k, 'x> {
    /// The caller of a record, and its principal; `None` where it is of a kind that does not come again.
    pub(crate) fn of<'a>(
        &mut self,
        asked: &CallerOf<'a, '_, 'x, 's>,
        keep: &impl KeepTexts<'k>,
    ) -> Option<(Result<&'s Principal, Reason>, KnownCaller<'k>)>
    where
        's: 'a,
    {
        let identity = asked.record.user_identity?;
        // Their keys are in the rest of the record.
        if matches!(identity.kind, Some("WebIdentityUser" | "SAMLUser")) {
            return None;
        }
        self.question.clear();
        asked.write(&identity, &mut Question::new(&mut self.question));
        self.slots.resize_with(SLOTS, || None);
        let slot = self.slots.get_mut(slot_of(&self.question))?;
        if let Some(known) = slot
            .as_ref()
            .filter(|slot| *slot.question == *self.question)
        {
            return Some((known.principal, known.known));
        }
        let (principal, known) = asked.find(keep);
        *slot = Some(Slot {
            question: self.question.as_slice().into(),
            principal,
            known,
        });
        Some((principal, known))
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
            beginnings: &[],
            keys: SharedKeys::default(),
        }
    }

    /// Where a key that is not in [`KnownCaller::context`], and does not stand before `from`, would stand
    /// there. Comparing whole texts was most of what it took.
    pub fn place_of(&self, key: &str, from: usize) -> usize {
        let number = beginning(key);
        let rest = self.beginnings.get(from..).unwrap_or_default();
        let place = from + rest.iter().take_while(|other| **other < number).count();
        let alike = self.context.iter().zip(self.beginnings).skip(place);
        let before = alike.take_while(|((other, _), begins)| **begins == number && *other < key);
        place + before.count()
    }
}

impl<'a, 's: 'a> CallerOf<'a, '_, '_, 's> {
    /// Writes all that [`Caller::of`], [`Caller::principal`] and [`caller_keys`] depend on.
    fn write(&self, identity: &UserIdentity<'a>, question: &mut Question<'_>) {
        let record = self.record;
        let UserIdentity {
            kind,
            arn,
            principal_id,
            account_id,
            access_key_id,
            user_name,
            invoked_by,
            identity_provider,
            session_issuer,
            mfa_authenticated,
            // Of its text.
            session_created: _,
            session_created_text,
            source_identity,
            federated_provider,
            ec2_role_delivery,
            assumed_root,
        } = *identity;
        for text in [
            kind,
            arn,
            principal_id,
            account_id,
            access_key_id,
            user_name,
            invoked_by,
            identity_provider,
            session_created_text,
            source_identity,
            federated_provider,
            ec2_role_delivery,
            record.source_ip_address,
            record.vpc_endpoint_id,
            record.aws_region,
            record.user_agent,
        ] {
            question.write(text);
        }
        question.write_flag(session_issuer.is_some());
        if let Some(issuer) = session_issuer {
            for text in [
                issuer.kind,
                issuer.principal_id,
                issuer.arn,
                issuer.account_id,
                issuer.user_name,
            ] {
                question.write(text);
            }
        }
        for truth in [
            mfa_authenticated,
            assumed_root,
            Some(has_tls_version(record)),
        ] {
            question.write_flag(truth.is_some());
            question.write_flag(truth == Some(true));
        }
        match self.session {
            SessionKnowledge::NotSeen => question.write_session(None, false),
            SessionKnowledge::Known(session) => question.write_session(Some(session), true),
        }
    }

    fn find<'k>(
        &self,
        keep: &impl KeepTexts<'k>,
    ) -> (Result<&'s Principal, Reason>, KnownCaller<'k>) {
        let record = self.record;
        let caller = Caller::of(record, self.arena);
        let found = caller.principal(self.snapshot);
        let principal: Option<&'a Principal> = found.ok().map(|principal| principal as _);
        let session = CallSession::new(
            (is_assumed_root(record), &caller, principal),
            self.session,
            self.snapshot,
        );
        let context = caller_keys(KeySource {
            record,
            caller: &caller,
            principal,
            session: session.known(),
            arena: self.arena,
        });
        let column = context_column(context.iter(), self.arena);
        let column = column
            .iter()
            .map(|(key, values)| (keep.keep(key), keep.keep_all(values)));
        let entries = context
            .entries()
            .iter()
            .map(|entry| entry.kept(|text| keep.keep(text), |texts| keep.keep_all(texts)));
        let column: &'k [(&str, &[&str])] = keep.arena().alloc_slice_fill_iter(column);
        let beginnings = column.iter().map(|(key, _)| beginning(key));
        let known = KnownCaller {
            context: column,
            beginnings: keep.arena().alloc_slice_fill_iter(beginnings),
            keys: SharedKeys::new(keep.arena().alloc_slice_fill_iter(entries)),
            ..KnownCaller::kept(&caller, record, keep)
        };
        (found, known)
    }
}

/// Whether `aws:SecureTransport` is known: see [`caller_keys`].
fn has_tls_version(record: &Record<'_>) -> bool {
    record
        .tls_details
        .is_some_and(|tls| tls.get("tlsVersion").is_some())
}

/// What it is hashed to decides no more than which caller takes whose place.
fn slot_of(question: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(question);
    hasher.finish() as usize % SLOTS
}
