//! The evidence for findings, gathered from the calls of a window.
//!
//! # Memory
//! What is kept per principal, role and statement is bounded by the snapshot; the rest by fixed limits,
//! past which calls are counted only ([`Kept`]).

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{Decision, Effect, Layer, Principal, Snapshot};
use rustc_hash::FxHashMap;

use super::causes::{Differing, Explaining, RecordedChanges};
use super::kept::{Calls, Join, Kept, MICROS_PER_DAY};
use super::kind::Cause;
use super::wide::WideUse;
use crate::seen_call::{Gather, SeenCall, earlier};
use crate::{CallRequest, Certainty, Outcome, Reason, Verdict};

/// Groups of differing calls that are kept apart.
const MOST_DIFFERENCES: usize = 50_000;
/// Resources that are kept of one group.
const MOST_RESOURCES: usize = 256;
/// Statements, and writes, that are kept of one group.
const MOST_STATEMENTS: usize = 8;
/// Callers that are kept of one role.
const MOST_CALLERS: usize = 200;
/// Groups of denied calls.
const MOST_DENIALS: usize = 20_000;
/// Condition keys and layers that calls wait for.
const MOST_UNKNOWN: usize = 1_000;
/// Actions that are kept of one hour of denials.
pub(crate) const MOST_PROBED: usize = 20;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What a gatherer looks things up in.
#[derive(Debug, Clone, Copy)]
pub struct FindingBasis<'s> {
    /// The policies of now.
    pub snapshot: &'s Snapshot,
    /// The recorded writes of the window.
    pub changes: &'s RecordedChanges,
}

/// Gathers from calls what findings stand on.
#[derive(Debug)]
pub struct FindingEvidence<'s> {
    pub(crate) basis: FindingBasis<'s>,
    pub(crate) matrix: BTreeMap<(Outcome, Decision), u64>,
    pub(crate) verdicts: BTreeMap<Verdict, u64>,
    pub(crate) not_evaluated: BTreeMap<Reason, u64>,
    pub(crate) calls: u64,
    pub(crate) copies: u64,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    /// What undetermined calls wait for.
    pub(crate) undetermined_by: Kept<String, u64>,
    pub(crate) differences: Kept<DifferenceKey, Difference>,
    /// Of principals that are gone, or were made again.
    pub(crate) gone: Kept<(Reason, String), Calls>,
    pub(crate) activity: FxHashMap<&'s str, Activity>,
    /// Roles that principals passed to a service.
    pub(crate) passed: BTreeMap<(&'s str, &'s str), Calls>,
    /// Who assumed the roles of the snapshot.
    pub(crate) assumed: BTreeMap<&'s str, Kept<String, Calls>>,
    pub(crate) wide: WideUse<'s>,
    pub(crate) denials: Kept<(String, String), Denials>,
    /// Denied calls of a principal in one hour.
    pub(crate) probes: Kept<(String, i64), Probes>,
}

/// What makes differing calls one finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DifferenceKey {
    pub(crate) denied_now: bool,
    pub(crate) principal_arn: String,
    pub(crate) action: String,
    pub(crate) cause: Cause,
}

/// Calls that are answered otherwise today.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) calls: Calls,
    /// Calls by resource, the first of them in the order of bytes; the flag: there are others.
    pub(crate) resources: BTreeMap<String, u64>,
    pub(crate) more_resources: bool,
    pub(crate) layers: BTreeSet<Layer>,
    pub(crate) statements: BTreeSet<DenyingStatement>,
    pub(crate) writes: BTreeSet<Explaining>,
    pub(crate) services: BTreeSet<String>,
}

/// A statement that denies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DenyingStatement {
    pub(crate) policy: String,
    pub(crate) index: u32,
    pub(crate) sid: Option<String>,
}

impl Join for Difference {
    fn join(&mut self, other: Difference) {
        self.calls.join(other.calls);
        for (resource, calls) in other.resources {
            *self.resources.entry(resource).or_default() += calls;
        }
        self.more_resources |= other.more_resources;
        while self.resources.len() > MOST_RESOURCES {
            self.resources.pop_last();
            self.more_resources = true;
        }
        self.layers.extend(other.layers);
        join_set(&mut self.statements, other.statements, MOST_STATEMENTS);
        join_set(&mut self.services, other.services, MOST_STATEMENTS);
        // The latest writes explain most.
        self.writes.extend(other.writes);
        while self.writes.len() > MOST_STATEMENTS {
            self.writes.pop_first();
        }
    }
    fn calls(&self) -> u64 {
        self.calls.count
    }
}

fn join_set<T: Ord>(set: &mut BTreeSet<T>, more: BTreeSet<T>, limit: usize) {
    set.extend(more);
    while set.len() > limit {
        set.pop_last();
    }
}

/// When a principal called.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    pub(crate) calls: u64,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    pub(crate) days: BTreeSet<i64>,
    /// The day of the last call that was seen: most calls are of the same.
    day: Option<i64>,
}

impl Activity {
    fn see(&mut self, time: Option<i64>) {
        self.calls += 1;
        let Some(time) = time else { return };
        self.first = earlier(self.first, Some(time));
        self.last = self.last.max(Some(time));
        let day = time.div_euclid(MICROS_PER_DAY);
        if self.day != Some(day) {
            self.day = Some(day);
            self.days.insert(day);
        }
    }

    fn join(&mut self, other: Activity) {
        self.calls += other.calls;
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        self.days.extend(other.days);
    }
}

/// Denied calls of one principal and action.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    pub(crate) calls: Calls,
    /// Those that are denied today too.
    pub(crate) still: u64,
    pub(crate) resources: BTreeSet<String>,
}

impl Join for Denials {
    fn join(&mut self, other: Denials) {
        self.calls.join(other.calls);
        self.still += other.still;
        join_set(&mut self.resources, other.resources, MOST_STATEMENTS);
    }
    fn calls(&self) -> u64 {
        self.calls.count
    }
}

/// Denied calls of one principal in one hour.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pub(crate) calls: Calls,
    pub(crate) actions: BTreeSet<String>,
}

impl Join for Probes {
    fn join(&mut self, other: Probes) {
        self.calls.join(other.calls);
        join_set(&mut self.actions, other.actions, MOST_PROBED);
    }
    fn calls(&self) -> u64 {
        self.calls.count
    }
}

impl<'s> FindingEvidence<'s> {
    /// No evidence yet.
    pub fn new(basis: FindingBasis<'s>) -> FindingEvidence<'s> {
        FindingEvidence {
            basis,
            matrix: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            not_evaluated: BTreeMap::new(),
            calls: 0,
            copies: 0,
            first: None,
            last: None,
            undetermined_by: Kept::new(MOST_UNKNOWN),
            differences: Kept::new(MOST_DIFFERENCES),
            gone: Kept::new(MOST_DENIALS),
            activity: FxHashMap::default(),
            passed: BTreeMap::new(),
            assumed: BTreeMap::new(),
            wide: WideUse::default(),
            denials: Kept::new(MOST_DENIALS),
            probes: Kept::new(MOST_DENIALS),
        }
    }

    /// The outcomes of the calls against what is decided today.
    fn count(&mut self, seen: &SeenCall<'_>) {
        self.first = earlier(self.first, seen.event_time);
        self.last = self.last.max(seen.event_time);
        *self.verdicts.entry(seen.replayed.verdict).or_default() += 1;
        match (seen.replayed.decision, seen.replayed.reason) {
            (Some(decision), _) => {
                let place = self.matrix.entry((seen.call.outcome, decision));
                *place.or_default() += 1;
            }
            (None, Some(reason)) => *self.not_evaluated.entry(reason).or_default() += 1,
            (None, None) => {}
        }
    }

    /// What an undetermined call waits for; its first undetermined request is taken for all.
    fn wait(&mut self, seen: &SeenCall<'_>) {
        let open =
            seen.replayed.requests.iter().find(|request| {
                request.required && request.decision == Some(Decision::Undetermined)
            });
        let assumed = || {
            let requests = seen.replayed.requests.iter();
            requests
                .filter(|request| request.required)
                .find_map(|request| request.assumes.first())
        };
        let what = match open {
            Some(request) => {
                let service = request.action.split(':').next().unwrap_or_default();
                match (request.unknown_layers, request.unknown_keys) {
                    ([], []) => reason_name(seen.replayed.reason),
                    ([], keys) => format!("key {}", keys.join(" + ")),
                    (layers, _) => {
                        let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
                        format!("layer {} of {service}", names.join(" + "))
                    }
                }
            }
            None => match assumed() {
                Some(assumed) => format!("assumed {assumed}"),
                None => reason_name(seen.replayed.reason),
            },
        };
        self.undetermined_by.add(what, 1);
    }

    fn differ(&mut self, seen: &SeenCall<'_>, principal: Option<&'s Principal>) {
        let denied_now = seen.replayed.verdict == Verdict::WouldBeDenied;
        let Some(principal_arn) = seen.call.principal_arn.or(seen.call.identity_provider) else {
            return;
        };
        let requests = seen.replayed.requests.iter();
        let required: Vec<&CallRequest<'_>> = requests.filter(|one| one.required).collect();
        let shown: Vec<&CallRequest<'_>> = if denied_now {
            let firm = required.iter().filter(|request| {
                request.decision.is_some_and(Decision::is_denied)
                    && request.certainty != Certainty::Guessed
            });
            firm.copied().collect()
        } else {
            // In a denied call only the request that AWS named was denied.
            let named = required.iter().find(|request| {
                seen.denied_action
                    .is_some_and(|denied| denied.eq_ignore_ascii_case(request.action))
            });
            named.or(required.first()).copied().into_iter().collect()
        };
        for request in shown {
            let question = Differing {
                snapshot: self.basis.snapshot,
                principal,
                request,
                account: request
                    .resource_account
                    .or(seen.account_id)
                    .unwrap_or_default(),
            };
            let (cause, write) = match denied_now {
                true => self.basis.changes.cause(seen.event_time, &question),
                false => (Cause::Unexplained, None),
            };
            let key = DifferenceKey {
                denied_now,
                principal_arn: principal_arn.to_owned(),
                action: request.action.to_owned(),
                cause,
            };
            self.differences.add(key, difference(seen, request, write));
        }
    }

    fn deny(&mut self, seen: &SeenCall<'_>) {
        let Some(principal_arn) = seen.call.principal_arn else {
            return;
        };
        let named = seen.replayed.requests.iter().find(|request| {
            seen.denied_action
                .is_some_and(|denied| denied.eq_ignore_ascii_case(request.action))
        });
        let shown = named.or_else(|| {
            let mut requests = seen.replayed.requests.iter();
            requests.find(|request| request.required)
        });
        let action = shown
            .map(|request| request.action)
            .or(seen.denied_action)
            .or(seen.call.event_name)
            .unwrap_or_default();
        let denials = Denials {
            calls: Calls::of(seen.event_time, seen.event_id),
            still: u64::from(seen.replayed.verdict == Verdict::Agrees),
            resources: shown
                .map(|request| request.resource_arn.to_owned())
                .into_iter()
                .collect(),
        };
        let key = (principal_arn.to_owned(), action.to_owned());
        self.denials.add(key, denials);
        if let Some(time) = seen.event_time {
            let probes = Probes {
                calls: Calls::of(seen.event_time, seen.event_id),
                actions: BTreeSet::from([action.to_owned()]),
            };
            let hour = time.div_euclid(MICROS_PER_HOUR);
            self.probes.add((principal_arn.to_owned(), hour), probes);
        }
    }

    fn use_of(&mut self, seen: &SeenCall<'_>, principal: Option<&'s Principal>) {
        for request in seen.replayed.requests {
            match request.action {
                "iam:PassRole" => self.pass(seen, principal, request),
                "sts:AssumeRole" | "sts:AssumeRoleWithSAML" | "sts:AssumeRoleWithWebIdentity" => {
                    self.assume(seen, request);
                }
                _ => {}
            }
            if request.decision == Some(Decision::Allowed)
                && let Some(principal) = principal
            {
                let allows = request.determined_by.iter().filter(|statement| {
                    statement.layer == Layer::Identity && statement.effect == Effect::Allow
                });
                for statement in allows {
                    self.wide.see(principal, statement, request, seen);
                }
            }
        }
    }

    fn pass(
        &mut self,
        seen: &SeenCall<'_>,
        principal: Option<&'s Principal>,
        request: &CallRequest<'_>,
    ) {
        let role = self.basis.snapshot.principal(request.resource_arn);
        if let (Some(principal), Some(role)) = (principal, role) {
            self.passed
                .entry((&principal.arn, &role.arn))
                .or_default()
                .see(seen.event_time, seen.event_id);
        }
    }

    fn assume(&mut self, seen: &SeenCall<'_>, request: &CallRequest<'_>) {
        let Some(role) = self.basis.snapshot.principal(request.resource_arn) else {
            return;
        };
        let caller = seen
            .call
            .principal_arn
            .or(seen.call.identity_provider)
            .or(seen.call.invoked_by)
            .or(seen.call.caller_account_id)
            .unwrap_or("(caller not shown)");
        let callers = self
            .assumed
            .entry(&role.arn)
            .or_insert_with(|| Kept::new(MOST_CALLERS));
        callers.add(caller.to_owned(), Calls::of(seen.event_time, seen.event_id));
    }
}

impl Gather for FindingEvidence<'_> {
    fn see(&mut self, seen: &SeenCall<'_>) {
        self.calls += 1;
        if seen.copy {
            self.copies += 1;
            return;
        }
        self.count(seen);
        let snapshot = self.basis.snapshot;
        let principal = seen
            .call
            .principal_arn
            .and_then(|arn| snapshot.principal(arn));
        if let Some(principal) = principal {
            let activity = self.activity.entry(&principal.arn).or_default();
            activity.see(seen.event_time);
        }
        match seen.replayed.verdict {
            Verdict::WouldBeDenied | Verdict::WouldBeAllowed => self.differ(seen, principal),
            Verdict::Undetermined => self.wait(seen),
            Verdict::NotEvaluated => self.miss(seen),
            Verdict::Agrees | Verdict::NotComparable => {}
        }
        match seen.call.outcome {
            Outcome::Succeeded | Outcome::FailedAfterAuthorization => {
                self.use_of(seen, principal);
            }
            Outcome::Denied => self.deny(seen),
            Outcome::Failed => {}
        }
    }

    fn merge(&mut self, later: Self) {
        self.calls += later.calls;
        self.copies += later.copies;
        self.first = earlier(self.first, later.first);
        self.last = self.last.max(later.last);
        add_all(&mut self.matrix, later.matrix);
        add_all(&mut self.verdicts, later.verdicts);
        add_all(&mut self.not_evaluated, later.not_evaluated);
        self.undetermined_by.merge(later.undetermined_by);
        self.differences.merge(later.differences);
        self.gone.merge(later.gone);
        self.denials.merge(later.denials);
        self.probes.merge(later.probes);
        self.wide.merge(later.wide);
        for (arn, activity) in later.activity {
            self.activity.entry(arn).or_default().join(activity);
        }
        for (pair, calls) in later.passed {
            self.passed.entry(pair).or_default().join(calls);
        }
        for (role, callers) in later.assumed {
            match self.assumed.get_mut(role) {
                Some(known) => known.merge(callers),
                None => drop(self.assumed.insert(role, callers)),
            }
        }
    }
}

impl FindingEvidence<'_> {
    /// A call of a principal that is not there any more.
    fn miss(&mut self, seen: &SeenCall<'_>) {
        let Some(reason @ (Reason::PrincipalDeleted | Reason::PrincipalRecreated)) =
            seen.replayed.reason
        else {
            return;
        };
        if let Some(arn) = seen.call.principal_arn {
            let calls = Calls::of(seen.event_time, seen.event_id);
            self.gone.add((reason, arn.to_owned()), calls);
        }
    }

    /// Calls that are in no group, because there were too many groups.
    pub(crate) fn left_out(&self) -> u64 {
        self.differences.left_out() + self.gone.left_out() + self.denials.left_out()
    }
}

fn add_all<K: Ord>(sums: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key).or_default() += count;
    }
}

fn reason_name(reason: Option<Reason>) -> String {
    reason.map_or("unknown", Reason::name).to_owned()
}

fn difference(
    seen: &SeenCall<'_>,
    request: &CallRequest<'_>,
    write: Option<Explaining>,
) -> Difference {
    let denies = request
        .determined_by
        .iter()
        .filter(|statement| statement.effect == Effect::Deny);
    Difference {
        calls: Calls::of(seen.event_time, seen.event_id),
        resources: BTreeMap::from([(request.resource_arn.to_owned(), 1)]),
        more_resources: false,
        layers: request.layer.into_iter().collect(),
        statements: denies
            .map(|statement| DenyingStatement {
                policy: statement.policy.to_owned(),
                index: statement.index,
                sid: statement.sid.map(str::to_owned),
            })
            .take(MOST_STATEMENTS)
            .collect(),
        writes: write.into_iter().collect(),
        services: seen
            .call
            .event_source
            .map(str::to_owned)
            .into_iter()
            .collect(),
    }
}
