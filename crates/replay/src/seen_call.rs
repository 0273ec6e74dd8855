//! The calls of the window, one after the other, as evidence.
//!
//! What is derived for a whole window (permissions and their states, findings) looks at every call of it
//! once, replayed under the snapshot of now. Whoever gathers evidence implements [`Gather`]; who reads
//! the calls, cuts them into parts for several threads and merges the parts.

use crate::recorded::{RecordedCall, Replayed};
use crate::verdict::Verdict;

/// One call of the window, replayed under the snapshot of now. It is whole: all its requests are here.
///
/// Where its verdict was given under this very snapshot, `replayed` is what was stored with it.
#[derive(Debug, Clone, Copy)]
pub struct SeenCall<'a> {
    /// CloudTrail's `eventID`.
    pub event_id: Option<&'a str>,
    /// When it was made, in microseconds since the epoch.
    pub event_time: Option<i64>,
    /// The account whose trail recorded it (`recipientAccountId`).
    pub account_id: Option<&'a str>,
    /// `awsRegion`
    pub region: Option<&'a str>,
    /// The access key that signed it.
    pub access_key_id: Option<&'a str>,
    /// Where it came from.
    pub source_ip: Option<&'a str>,
    /// `errorCode`
    pub error_code: Option<&'a str>,
    /// The action that AWS's message says was denied.
    pub denied_action: Option<&'a str>,
    /// The layer that AWS's message says denied it.
    pub denied_layer: Option<&'a str>,
    /// The log file that has its record.
    pub log_file: &'a str,
    /// The record's index in that file, from 0.
    pub record_index: u64,
    /// Whether this is the resource owner's copy of another account's call: never evidence of use.
    pub copy: bool,
    /// Its verdict as it is stored.
    pub before: Verdict,
    /// The call. The contexts of its requests may be left out: nothing is to be told from their absence.
    pub call: &'a RecordedCall<'a>,
    /// What is found today: each request with its decision and the statements that determine it.
    pub replayed: &'a Replayed<'a>,
}

/// Gathers evidence from calls.
///
/// The calls of a window are cut into parts, in the order of the output's files and rows. Each part is
/// gathered by itself, and merged in that order: what comes out must not depend on where the cuts were.
///
/// # Memory
/// Bounded by the snapshot and by what an implementation keeps of samples, never by the number of calls.
pub trait Gather: Send {
    /// Takes in one call.
    fn see(&mut self, call: &SeenCall<'_>);

    /// Takes in what was gathered from the calls that follow.
    fn merge(&mut self, later: Self)
    where
        Self: Sized;
}

impl<A: Gather, B: Gather> Gather for (A, B) {
    fn see(&mut self, call: &SeenCall<'_>) {
        self.0.see(call);
        self.1.see(call);
    }

    fn merge(&mut self, later: Self) {
        self.0.merge(later.0);
        self.1.merge(later.1);
    }
}

/// The earlier of two times, where there are two; else the one that is there.
pub(crate) fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
