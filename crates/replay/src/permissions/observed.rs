//! What would have been seen: of which account, in which Regions, since when.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::Action;

use super::days::{DAY, Days};
use super::rest::service_of;
use super::{PermissionOptions, PermissionReason};
use crate::recording::{
    Events, RecordKind, RecordedActions, Records, Selector, Trail, TrailWrite, Trails,
    changes_recording, is_read_only, put_selectors, recorded_since,
};

/// What the log files of the window covered, out of the table `coverage`.
#[derive(Debug, Default)]
pub struct Covered {
    accounts: BTreeMap<String, AccountCovered>,
}

#[derive(Debug)]
struct AccountCovered {
    first: i64,
    /// The end of the last hour.
    end: i64,
    days: Days,
    regions: BTreeSet<String>,
    /// Services (`s3.amazonaws.com`) with data events, and the first hour of them.
    data: BTreeMap<String, i64>,
    /// Whether digest files were there: a trail delivers them every hour, whether anything happens or not.
    digests: bool,
}

/// One row of `coverage`, as far as it counts here.
#[derive(Debug, Clone, Copy)]
pub struct CoveredHour<'a> {
    /// The account.
    pub account: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The service, as `s3.amazonaws.com`.
    pub event_source: &'a str,
    /// Its beginning, in microseconds since the epoch.
    pub hour: i64,
    /// Whether there are data events among the records.
    pub data_events: bool,
    /// Whether there was a digest file for it.
    pub digest: bool,
}

const HOUR: i64 = 3_600_000_000;

impl Covered {
    /// Since when anything of an account was seen.
    pub(crate) fn first(&self, account: &str) -> Option<i64> {
        self.accounts.get(account).map(|covered| covered.first)
    }

    /// On how many days something of an account would have been seen.
    pub(crate) fn days(&self, account: &str, trails: &Trails) -> u64 {
        let Some(covered) = self.accounts.get(account) else {
            return 0;
        };
        match trails.of_account(account).is_some() || covered.digests {
            true => days_between(covered.first, covered.end),
            false => covered.days.len(),
        }
    }

    /// Takes in a row.
    pub fn add(&mut self, row: CoveredHour<'_>) {
        if !self.accounts.contains_key(row.account) {
            let fresh = AccountCovered {
                first: row.hour,
                end: row.hour,
                days: Days::default(),
                regions: BTreeSet::new(),
                data: BTreeMap::new(),
                digests: false,
            };
            self.accounts.insert(row.account.to_owned(), fresh);
        }
        let Some(account) = self.accounts.get_mut(row.account) else {
            return;
        };
        account.first = account.first.min(row.hour);
        account.end = account.end.max(row.hour.saturating_add(HOUR));
        account.days.add(Days::day_of(row.hour));
        account.digests |= row.digest;
        if !account.regions.contains(row.region) {
            account.regions.insert(row.region.to_owned());
        }
        if row.data_events {
            match account.data.get_mut(row.event_source) {
                Some(first) => *first = (*first).min(row.hour),
                None => drop(account.data.insert(row.event_source.to_owned(), row.hour)),
            }
        }
    }
}

/// Recorded writes that tell how old things are, out of the table `changes`.
#[derive(Debug, Default)]
pub struct RecordedWrites {
    /// By account, in the order of time.
    trails: BTreeMap<String, Vec<TrailWrite>>,
    /// By account, `user/name` (or role, or group) and the policy's name or ARN: when it was last put there.
    policies: BTreeMap<(String, String, String), i64>,
}

/// One row of `changes`, as far as it counts here.
#[derive(Debug, Clone, Copy)]
pub struct RecordedWrite<'a> {
    /// The account.
    pub account: &'a str,
    /// The operation.
    pub event_name: &'a str,
    /// In microseconds since the epoch.
    pub time: i64,
    /// What it is changed for.
    pub target: Option<&'a str>,
    /// The inline policy's name or the managed policy's ARN.
    pub policy: Option<&'a str>,
    /// The payload.
    pub document: Option<&'a str>,
}

impl RecordedWrites {
    /// Takes in a write that succeeded; in any order.
    pub fn add(&mut self, write: &RecordedWrite<'_>) {
        let kind = match write.event_name {
            "PutEventSelectors" => {
                if let Some((trail, selectors)) = write.document.and_then(put_selectors) {
                    self.add_to_trail(write, trail, Some(selectors));
                }
                return;
            }
            name if changes_recording(name) => {
                if let Some(trail) = write.target {
                    self.add_to_trail(write, trail.to_owned(), None);
                }
                return;
            }
            "PutUserPolicy" | "AttachUserPolicy" => "user",
            "PutRolePolicy" | "AttachRolePolicy" => "role",
            "PutGroupPolicy" | "AttachGroupPolicy" => "group",
            _ => return,
        };
        let (Some(target), Some(policy)) = (write.target, write.policy) else {
            return;
        };
        let name = target.rsplit('/').next().unwrap_or(target);
        let key = (
            write.account.to_owned(),
            format!("{kind}/{name}"),
            policy.to_owned(),
        );
        let time = self.policies.entry(key).or_insert(write.time);
        *time = (*time).max(write.time);
    }

    fn add_to_trail(
        &mut self,
        write: &RecordedWrite<'_>,
        trail: String,
        selectors: Option<Vec<Selector>>,
    ) {
        let writes = self.trails.entry(write.account.to_owned()).or_default();
        let place = writes.partition_point(|other| other.time <= write.time);
        let time = write.time;
        writes.insert(
            place,
            TrailWrite {
                time,
                trail,
                selectors,
            },
        );
    }

    /// What was written to a trail, and to others of its account.
    fn history(&self, trail: &Trail) -> &[TrailWrite] {
        let account = trail.arn.split(':').nth(4).unwrap_or_default();
        self.trails.get(account).map_or(&[], Vec::as_slice)
    }

    /// When a policy was last put on a user, role or group, as far as it is recorded.
    pub(crate) fn put(&self, account: &str, owner: &str, policy: &str) -> Option<i64> {
        let key = (account.to_owned(), owner.to_owned(), policy.to_owned());
        self.policies.get(&key).copied()
    }
}

/// For how long something would have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Window {
    pub(crate) begin: i64,
    pub(crate) end: i64,
    pub(crate) days: u64,
}

/// What is known of the trails and the log files of one account.
pub(crate) struct Observer<'o> {
    recorded_actions: &'o RecordedActions,
    covered: Option<&'o AccountCovered>,
    trails: Option<&'o [Trail]>,
    writes: &'o RecordedWrites,
    multi_region: bool,
    filtered: bool,
    recorded: RefCell<RecordedSince>,
}

/// Since when the kinds of records of one service are there: its actions are asked for one after the other.
#[derive(Default)]
struct RecordedSince {
    service: String,
    known: Vec<(KindOfRecords, Result<Option<i64>, PermissionReason>)>,
}

/// A kind of records, and whether they are of calls that only read.
type KindOfRecords = (RecordKind, Option<bool>);

/// Where an action may be used by a statement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reach<'a> {
    /// Only in these Regions.
    pub(crate) regions: Option<&'a [&'a str]>,
    /// Only for these services (`iam:PassedToService`).
    pub(crate) passed_to: Option<&'a [&'a str]>,
}

/// Services whose calls are recorded in one Region, whatever they are about.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events>
const GLOBAL_SERVICES: [&str; 12] = [
    "account",
    "artifact",
    "budgets",
    "ce",
    "cloudfront",
    "health",
    "iam",
    "organizations",
    "route53",
    "route53domains",
    "shield",
    "support",
];
const GLOBAL_REGIONS: [&str; 3] = ["us-east-1", "cn-north-1", "us-gov-west-1"];

impl<'o> Observer<'o> {
    pub(crate) fn new(
        account: &str,
        (covered, writes): (&'o Covered, &'o RecordedWrites),
        (trails, recorded_actions): (&'o Trails, &'o RecordedActions),
        options: PermissionOptions,
    ) -> Self {
        let trails = trails.of_account(account);
        let any = |trails: &[Trail]| trails.iter().any(|trail| trail.multi_region);
        Self {
            recorded_actions,
            covered: covered.accounts.get(account),
            trails,
            writes,
            multi_region: options.assume_multi_region || trails.is_some_and(any),
            filtered: options.filtered,
            recorded: RefCell::default(),
        }
    }

    /// Since when anything of the account was seen.
    pub(crate) fn first(&self) -> Option<i64> {
        self.covered.map(|covered| covered.first)
    }

    /// Since when, and for how long, a use of the action would have been seen; or why it would not.
    pub(crate) fn observe(
        &self,
        (number, action): (u32, Action<'_>),
        reach: Reach<'_>,
    ) -> Result<Window, PermissionReason> {
        let covered = self.covered.ok_or(PermissionReason::NoLogs)?;
        if self.filtered {
            return Err(PermissionReason::FilteredOut);
        }
        let service = service_of(action.full_name);
        let mut since = None;
        for kind in self.recorded_actions.kinds(number) {
            let kind = (*kind, is_read_only(action));
            since = since.max(self.recorded_once(covered, service, kind)?);
        }
        if action.full_name == "iam:PassRole" && !self.sees_passing(reach.passed_to) {
            return Err(PermissionReason::RecordedInPart);
        }
        if !self.sees_regions(covered, service, reach.regions) {
            return Err(PermissionReason::RegionsNotObserved);
        }
        Ok(self.window(covered, since))
    }

    fn recorded_once(
        &self,
        covered: &AccountCovered,
        service: &str,
        kind: KindOfRecords,
    ) -> Result<Option<i64>, PermissionReason> {
        let mut of_service = self.recorded.borrow_mut();
        if of_service.service != service {
            service.clone_into(&mut of_service.service);
            of_service.known.clear();
        }
        if let Some((_, known)) = of_service.known.iter().find(|(known, _)| *known == kind) {
            return *known;
        }
        let found = self.recorded(covered, service, kind);
        of_service.known.push((kind, found));
        found
    }

    /// Since when a kind of records is there; `None`: all the time.
    fn recorded(
        &self,
        covered: &AccountCovered,
        service: &str,
        (kind, read_only): KindOfRecords,
    ) -> Result<Option<i64>, PermissionReason> {
        let event_source = format!("{service}.amazonaws.com");
        let events = Events {
            kind,
            event_source: &event_source,
            read_only,
        };
        let told = |trail: &&Trail| trail.selectors.is_some();
        let told: Vec<&Trail> = self
            .trails
            .unwrap_or_default()
            .iter()
            .filter(told)
            .collect();
        if kind == RecordKind::Never {
            return Err(PermissionReason::NeverRecorded);
        }
        if told.is_empty() {
            return match kind {
                RecordKind::Data(_) => match covered.data.get(&event_source) {
                    Some(first) => Ok(Some(*first)),
                    None => Err(PermissionReason::DataEventsNotRecorded),
                },
                _ => Ok(None),
            };
        }
        let found = told
            .into_iter()
            .map(|trail| recorded_since(trail, self.writes.history(trail), events));
        // Of those that record most, the one that has for longest; `None` is since ever.
        let best = found.max_by_key(|(records, since)| (*records, std::cmp::Reverse(*since)));
        match best {
            Some((Records::All, since)) => Ok(since),
            Some((Records::Part, _)) => Err(PermissionReason::RecordedInPart),
            _ if kind == RecordKind::Management => {
                Err(PermissionReason::ManagementEventsNotRecorded)
            }
            _ => Err(PermissionReason::DataEventsNotRecorded),
        }
    }

    /// A role is passed in the calls of other services; what asks for it is known of some of them only.
    fn sees_passing(&self, passed_to: Option<&[&str]>) -> bool {
        passed_to.is_some_and(|services| {
            services.iter().all(|service| {
                let prefix = service.split('.').next().unwrap_or_default();
                self.recorded_actions.knows_service(prefix)
            })
        })
    }

    fn sees_regions(
        &self,
        covered: &AccountCovered,
        service: &str,
        regions: Option<&[&str]>,
    ) -> bool {
        let sees = |region: &str| {
            let home = |trail: &Trail| trail.home_region.as_deref() == Some(region);
            covered.regions.contains(region) || self.trails.unwrap_or_default().iter().any(home)
        };
        if self.multi_region {
            return true;
        }
        if GLOBAL_SERVICES.contains(&service) {
            let global = |trail: &Trail| trail.global_services;
            return GLOBAL_REGIONS.into_iter().any(sees)
                || self.trails.unwrap_or_default().iter().any(global);
        }
        regions.is_some_and(|regions| regions.iter().all(|region| sees(region)))
    }

    fn window(&self, covered: &AccountCovered, since: Option<i64>) -> Window {
        let begin = since.map_or(covered.first, |since| since.max(covered.first));
        self.from(begin).unwrap_or(Window {
            begin,
            end: covered.end,
            days: 0,
        })
    }

    /// What was covered from a moment on; `None` where nothing was.
    pub(crate) fn from(&self, begin: i64) -> Option<Window> {
        let covered = self.covered?;
        // Where nobody says that a trail was there all the time, days without any record may be days
        // whose files are missing.
        let is_whole = self.trails.is_some() || covered.digests;
        let days = match is_whole {
            true => days_between(begin, covered.end),
            false => covered.days.from(Days::day_of(begin)),
        };
        Some(Window {
            begin,
            end: covered.end,
            days,
        })
    }
}

/// The days of which something lies between two moments.
pub(crate) fn days_between(begin: i64, end: i64) -> u64 {
    let days = (end - 1).div_euclid(DAY) - begin.div_euclid(DAY) + 1;
    u64::try_from(days).unwrap_or(0)
}
