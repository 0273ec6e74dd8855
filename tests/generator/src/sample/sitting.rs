//! Somebody at work: one call after the other, each with what is to be said of it.

use super::Week;
use crate::record::{Caller, Draft};
use crate::rng::Rng;
use crate::truth::{AGREES, Expect};

/// A run of calls by one caller in one account.
pub(crate) struct Sitting<'w> {
    pub(crate) week: &'w mut Week,
    pub(crate) caller: Caller,
    account: String,
    /// When the next call is made.
    pub(crate) at: i64,
    /// Seconds between calls: at least, below.
    pace: (u64, u64),
}

impl<'w> Sitting<'w> {
    pub(crate) fn new(
        week: &'w mut Week,
        caller: Caller,
        account: &str,
        at: i64,
        pace: (u64, u64),
    ) -> Sitting<'w> {
        Sitting {
            week,
            caller,
            account: account.into(),
            at,
            pace,
        }
    }

    pub(crate) fn rng(&mut self) -> &mut Rng {
        &mut self.week.rng
    }

    fn next(&mut self) -> i64 {
        let at = self.at;
        self.at += self.week.rng.range(self.pace.0, self.pace.1) as i64;
        at
    }

    /// A call on which today's policies agree with the record.
    pub(crate) fn does(&mut self, draft: Draft) {
        self.expects(draft, AGREES);
    }

    pub(crate) fn expects(&mut self, draft: Draft, expect: Expect) {
        let at = self.next();
        self.week
            .record(&self.caller, &self.account, at, &draft, expect);
    }

    /// One of the calls of the planted story `id`.
    pub(crate) fn planted(&mut self, id: &'static str, draft: Draft, expect: Expect) {
        let at = self.next();
        let event_id = self
            .week
            .record(&self.caller, &self.account, at, &draft, expect);
        self.week.planted.entry(id).or_default().push(event_id);
    }
}
