//! Which statements the calls of the window used.

use retrial_iam::{Decision, Effect, Layer, Snapshot, StatementRef};
use rustc_hash::FxHashMap;

use super::days::Days;
use crate::call::CallRequest;
use crate::seen_call::{Gather, SeenCall, earlier};
use crate::{Outcome, SeenCall as Call};

/// The requests that a statement allowed, or that are not determined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) calls: u64,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    pub(crate) days: Days,
}

impl Use {
    fn add(&mut self, time: Option<i64>) {
        self.calls += 1;
        let Some(time) = time else {
            return;
        };
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = self.last.max(Some(time));
        self.days.add(Days::day_of(time));
    }

    fn merge(&mut self, other: &Use) {
        self.calls += other.calls;
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        self.days.merge(&other.days);
    }
}

/// What is known of the use of one action by one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementUse {
    /// Requests that it allowed.
    pub calls: u64,
    /// The first of them, in microseconds since the epoch.
    pub first_time: Option<i64>,
    /// The last of them.
    pub last_time: Option<i64>,
}

/// What one principal's calls used.
#[derive(Debug, Clone, Default)]
pub(crate) struct PrincipalUses {
    /// By policy, statement and action.
    pub(crate) used: FxHashMap<(u32, u32, u32), Use>,
    /// By action: requests that got through, of which the decision is not determined.
    pub(crate) undetermined: FxHashMap<u32, Use>,
    /// Whether any call of its own was seen.
    pub(crate) seen: bool,
}

/// Which statements the calls of the window used, gathered from them.
///
/// A request that AWS let through (also one that it only may ask, also where the call failed later) uses
/// every statement of the principal's own policies that allows it. Denied calls, calls that failed without
/// telling of authorization, and copies for the resource's owner show no use.
///
/// # Memory
/// An entry for each principal of the snapshot, statement that was used, and action: bounded by the snapshot and
/// the catalogue.
#[derive(Debug, Clone)]
pub struct PermissionUses<'s> {
    snapshot: &'s Snapshot,
    texts: FxHashMap<Box<str>, u32>,
    principals: FxHashMap<u32, PrincipalUses>,
}

impl<'s> PermissionUses<'s> {
    /// Of no calls yet.
    pub fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            texts: FxHashMap::default(),
            principals: FxHashMap::default(),
        }
    }

    /// The number of a text that came up.
    pub(crate) fn number(&self, text: &str) -> Option<u32> {
        self.texts.get(text).copied()
    }

    /// The text of each number.
    pub(crate) fn texts(&self) -> FxHashMap<u32, &str> {
        self.texts
            .iter()
            .map(|(text, number)| (*number, &**text))
            .collect()
    }

    /// How a principal used an action by a statement of its own policies; `None` where it did not.
    pub fn of_statement(
        &self,
        principal_arn: &str,
        statement: &StatementRef<'_>,
        action: &str,
    ) -> Option<StatementUse> {
        let policy = self.number(statement.policy)?;
        let key = (policy, statement.index, self.number(action)?);
        let used = self.of_principal(principal_arn)?.used.get(&key)?;
        Some(StatementUse {
            calls: used.calls,
            first_time: used.first,
            last_time: used.last,
        })
    }

    pub(crate) fn of_principal(&self, arn: &str) -> Option<&PrincipalUses> {
        self.principals.get(&self.number(arn)?)
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.insert(text.into(), number);
        number
    }

    fn see_request(&mut self, principal: u32, request: &CallRequest<'_>, time: Option<i64>) {
        match request.decision {
            Some(Decision::Allowed) => {
                for (place, statement) in request.determined_by.iter().enumerate() {
                    let again = request.determined_by.iter().take(place).any(|earlier| {
                        is_own(earlier)
                            && (earlier.policy, earlier.index)
                                == (statement.policy, statement.index)
                    });
                    if is_own(statement) && !again {
                        let policy = self.intern(statement.policy);
                        let action = self.intern(request.action);
                        let uses = self.principals.entry(principal).or_default();
                        let key = (policy, statement.index, action);
                        uses.used.entry(key).or_default().add(time);
                    }
                }
            }
            Some(Decision::Undetermined) => {
                let action = self.intern(request.action);
                let uses = self.principals.entry(principal).or_default();
                uses.undetermined.entry(action).or_default().add(time);
            }
            _ => {}
        }
    }
}

/// Whether it is a statement that grants the principal something.
fn is_own(statement: &StatementRef<'_>) -> bool {
    statement.layer == Layer::Identity && statement.effect == Effect::Allow
}

impl Gather for PermissionUses<'_> {
    fn see(&mut self, call: &Call<'_>) {
        let SeenCall {
            copy,
            event_time,
            call,
            replayed,
            ..
        } = *call;
        let principal = call
            .principal_arn
            .filter(|arn| !copy && self.snapshot.principal(arn).is_some());
        let Some(principal) = principal else {
            return;
        };
        let principal = self.intern(principal);
        self.principals.entry(principal).or_default().seen = true;
        if !matches!(
            call.outcome,
            Outcome::Succeeded | Outcome::FailedAfterAuthorization
        ) {
            return;
        }
        for request in replayed.requests {
            self.see_request(principal, request, event_time);
        }
    }

    fn merge(&mut self, later: Self) {
        let numbers: FxHashMap<u32, u32> = later
            .texts
            .iter()
            .map(|(text, number)| (*number, self.intern(text)))
            .collect();
        let number = |theirs: u32| numbers.get(&theirs).copied().unwrap_or(u32::MAX);
        for (principal, theirs) in later.principals {
            let ours = self.principals.entry(number(principal)).or_default();
            ours.seen |= theirs.seen;
            for ((policy, statement, action), used) in theirs.used {
                let key = (number(policy), statement, number(action));
                ours.used.entry(key).or_default().merge(&used);
            }
            for (action, calls) in theirs.undetermined {
                ours.undetermined
                    .entry(number(action))
                    .or_default()
                    .merge(&calls);
            }
        }
    }
}
