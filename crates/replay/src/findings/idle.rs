//! What nobody used: permissions, policies, roles, users, keys, passwords.
//!
//! Without evidence over the window asked for nothing is called unused; what is not observable is a
//! blind spot, and not unused.

use std::cmp::Reverse;
use std::collections::btree_map::OccupiedEntry;
use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::Timestamp;
use retrial_iam::{AccessLevel, Catalogue, Principal, PrincipalKind};

use super::differences::last_name;
use super::finding::Finding;
use super::gather::FindingEvidence;
use super::kept::MICROS_PER_DAY;
use super::kind::{FindingKind, FindingSeverity};
use super::report::{Occasion, day};
use crate::permissions::{Permission, PermissionReason, PermissionState};
use crate::recording::data_event_types;

/// What the rows of `permissions` say that findings stand on.
///
/// # Memory
/// Of each principal its unused actions and services, and the states of its policies.
#[derive(Debug, Default)]
pub struct PermissionEvidence {
    unused: BTreeMap<String, Unused>,
    /// By principal and policy.
    states: BTreeMap<String, BTreeMap<String, BTreeSet<PermissionState>>>,
    once: BTreeMap<String, BTreeMap<String, i64>>,
    /// By account and service.
    blind: BTreeMap<String, BTreeMap<String, Blind>>,
    /// Permissions that cannot be observed, by account, and why.
    unobservable: BTreeMap<String, BTreeMap<PermissionReason, u64>>,
}

/// What is unused of one principal.
#[derive(Debug, Default)]
struct Unused {
    actions: BTreeSet<String>,
    services: BTreeMap<String, u64>,
    count: u64,
    matters: bool,
}

/// Permissions that no trail shows, of one account and service.
#[derive(Debug, Default)]
struct Blind {
    permissions: u64,
    principals: BTreeSet<String>,
}

impl PermissionEvidence {
    /// Takes in one row.
    pub fn see(&mut self, row: &Permission<'_>, catalogue: &Catalogue) {
        let states = of(&mut self.states, row.principal_arn);
        if let Some(states) = states.and_then(|states| of(states, row.policy)) {
            states.insert(row.state);
        }
        match row.state {
            PermissionState::Unused => self.unused(row, catalogue),
            PermissionState::Used => self.used(row),
            PermissionState::Unobservable => self.unobservable(row),
            _ => {}
        }
    }

    fn unused(&mut self, row: &Permission<'_>, catalogue: &Catalogue) {
        let Some(unused) = of(&mut self.unused, row.principal_arn) else {
            return;
        };
        let service = row.service.unwrap_or("*");
        unused.count += row.actions;
        if let Some(actions) = of(&mut unused.services, service) {
            *actions += row.actions;
        }
        match row.action {
            Some(action) => {
                unused.matters |= matters(action, catalogue);
                unused.actions.insert(action.to_owned());
            }
            None => unused.matters |= matters_as_whole(service),
        }
    }

    fn used(&mut self, row: &Permission<'_>) {
        if let (Some(action), Some(last)) = (row.action, row.last_time)
            && row.days <= 1
            && row.calls > 0
        {
            let actions = self.once.entry(row.principal_arn.to_owned()).or_default();
            let known = actions.entry(action.to_owned()).or_insert(last);
            *known = last.max(*known);
        }
    }

    fn unobservable(&mut self, row: &Permission<'_>) {
        if let Some(reason) = row.reason
            && let Some(reasons) = of(&mut self.unobservable, row.account_id)
        {
            *reasons.entry(reason).or_default() += row.actions;
        }
        if row.reason == Some(PermissionReason::DataEventsNotRecorded)
            && let Some(blind) = of(&mut self.blind, row.account_id)
            && let Some(blind) = of(blind, row.service.unwrap_or("*"))
        {
            blind.permissions += row.actions;
            if !blind.principals.contains(row.principal_arn) {
                blind.principals.insert(row.principal_arn.to_owned());
            }
        }
    }
}

/// What is kept under a key. Rows come in their order: it is mostly the last one, and no search is needed.
fn of<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> Option<&'m mut V> {
    let is_last = map.last_key_value().is_some_and(|(last, _)| last == key);
    match is_last {
        true => map.last_entry().map(OccupiedEntry::into_mut),
        false => Some(map.entry(key.to_owned()).or_default()),
    }
}

/// All findings about what is idle.
pub(crate) fn idle(
    evidence: &FindingEvidence<'_>,
    permissions: &PermissionEvidence,
    occasion: &Occasion<'_>,
) -> Vec<Finding> {
    let mut findings = principals(evidence, occasion);
    findings.extend(credentials(evidence, occasion));
    findings.extend(unattached(occasion));
    findings.extend(unused_permissions(permissions));
    findings.extend(unused_policies(permissions));
    findings.extend(once_long_ago(permissions, occasion));
    findings.extend(blind_spots(permissions));
    findings.extend(use_without_record(evidence, occasion));
    findings
}

/// Roles and users without a call.
fn principals(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let before = occasion.unused_before();
    let mut findings = Vec::new();
    for principal in occasion.snapshot.principals() {
        let created = principal.created.as_deref().and_then(moment);
        let is_new = created.is_none_or(|created| created > before);
        let called = evidence.activity.contains_key(principal.arn.as_str());
        if principal.kind == PrincipalKind::Root || is_new || called {
            continue;
        }
        let observed = occasion.is_observed(&principal.account);
        findings.extend(match principal.kind {
            PrincipalKind::Role => {
                let assumed = evidence.assumed.contains_key(principal.arn.as_str());
                (!assumed)
                    .then(|| role(principal, observed, occasion))
                    .flatten()
            }
            _ => observed.then(|| user(principal, created)),
        });
    }
    findings
}

/// AWS tells when a role was last used, over 400 days: that is enough without any record.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html>
fn role(principal: &Principal, observed: bool, occasion: &Occasion<'_>) -> Option<Finding> {
    let told = occasion.snapshot.role_use(&principal.arn);
    let last_used = told.flatten().and_then(moment);
    let since = match last_used {
        Some(last) if last >= occasion.unused_before() => return None,
        Some(last) => format!("was last used on {}", day(last)),
        None if told.is_some() => {
            "was not used in the 400 days that AWS remembers, or since it was made".to_owned()
        }
        None if observed => "made no call and was not assumed in the window".to_owned(),
        None => return None,
    };
    let message = format!("{} {since}", last_name(&principal.arn));
    let remedy = "delete the role, or tag it as one for emergencies and exclude it";
    let mut finding = Finding::new(
        FindingKind::UnusedIAMRole,
        severity_of(principal),
        message,
        remedy,
    )
    .of(&principal.arn);
    finding.last_time = last_used;
    Some(finding)
}

fn user(principal: &Principal, created: Option<i64>) -> Finding {
    let message = format!(
        "{} made no call in the window{}",
        last_name(&principal.arn),
        created.map_or_else(String::new, |at| format!(
            ", and is there since {}",
            day(at)
        ))
    );
    Finding::new(
        FindingKind::UnusedIAMUser,
        FindingSeverity::Medium,
        message,
        "take its access keys and password away, then delete the user",
    )
    .of(&principal.arn)
}

/// An idle principal matters by what it may do.
fn severity_of(principal: &Principal) -> FindingSeverity {
    let is_strong = principal.identity.iter().any(|policy| {
        policy.id.ends_with(":policy/AdministratorAccess")
            || policy.id.ends_with(":policy/PowerUserAccess")
            || policy.id.ends_with(":policy/IAMFullAccess")
    });
    match is_strong {
        true => FindingSeverity::Medium,
        false => FindingSeverity::Low,
    }
}

/// Customer managed policies that nobody has.
fn unattached(occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut attached: BTreeSet<&str> = BTreeSet::new();
    for principal in occasion.snapshot.principals() {
        let policies = principal.identity.iter().chain(&principal.boundary);
        attached.extend(policies.map(|policy| &*policy.id));
    }
    let of = |arn: &str| {
        let message = format!(
            "{} is attached to no user, role or group with members",
            last_name(arn)
        );
        Finding::new(
            FindingKind::UnusedPolicy,
            FindingSeverity::Information,
            message,
            "delete the policy, if no session is given it by its ARN",
        )
        .of_policy(arn)
    };
    let policies = occasion.snapshot.managed_policies();
    policies
        .into_iter()
        .map(|(arn, _)| arn)
        .filter(|arn| arn.split(':').nth(4) != Some("aws") && !attached.contains(arn))
        .map(of)
        .collect()
}

/// Access keys and passwords, as the credential report has them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>
fn credentials(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let before = occasion.unused_before();
    // A credential that is younger than the window had no time to be used.
    let idle = |since: &Option<String>, last: &Option<String>| {
        let since = since.as_deref().and_then(moment);
        let last = last.as_deref().and_then(moment);
        since.is_some_and(|since| since < before) && last.is_none_or(|last| last < before)
    };
    let mut findings = Vec::new();
    for user in occasion.snapshot.all_credentials() {
        let name = last_name(&user.arn);
        let told = |last: &Option<String>| match last.as_deref().and_then(moment) {
            Some(last) => format!("was last used on {}", day(last)),
            None => "was never used".to_owned(),
        };
        for (number, key) in (1..).zip(&user.access_keys) {
            if !key.active || !idle(&key.rotated, &key.last_used) {
                continue;
            }
            let message = format!("access key {number} of {name} {}", told(&key.last_used));
            let mut finding = Finding::new(
                FindingKind::UnusedIAMUserAccessKey,
                FindingSeverity::Medium,
                message,
                "deactivate the key, and delete it when nobody has missed it",
            )
            .of(&user.arn);
            finding.resource_arn = Some(format!("access_key_{number}"));
            finding.last_time = key.last_used.as_deref().and_then(moment);
            findings.push(finding);
        }
        let called = evidence.activity.contains_key(user.arn.as_str());
        if user.password && idle(&user.password_changed, &user.password_last_used) {
            let message = format!("the password of {name} {}", told(&user.password_last_used));
            let remedy = match called {
                true => "delete the login profile: the user calls with access keys",
                false => "delete the login profile",
            };
            let mut finding = Finding::new(
                FindingKind::UnusedIAMUserPassword,
                FindingSeverity::Medium,
                message,
                remedy,
            )
            .of(&user.arn);
            finding.last_time = user.password_last_used.as_deref().and_then(moment);
            findings.push(finding);
        }
    }
    findings
}

/// One finding per principal: IAM Access Analyzer's, too, is about a principal with its services and
/// actions.
fn unused_permissions(permissions: &PermissionEvidence) -> Vec<Finding> {
    let of = |(arn, unused): (&String, &Unused)| {
        let severity = match unused.matters {
            true => FindingSeverity::Medium,
            false => FindingSeverity::Low,
        };
        let message = format!(
            "{} did not use {} of its permissions, in {} service{}",
            last_name(arn),
            unused.count,
            unused.services.len(),
            if unused.services.len() == 1 { "" } else { "s" }
        );
        let services = unused.services.iter();
        Finding::new(
            FindingKind::UnusedPermission,
            severity,
            message,
            "take them out of its policies: the table `permissions` has each with its statement",
        )
        .of(arn)
        .list(
            "services",
            services.map(|(service, actions)| format!("{service}: {actions} actions")),
        )
        .list("actions", unused.actions.iter().cloned())
    };
    permissions.unused.iter().map(of).collect()
}

/// Unused is low unless it is write, permissions management or a way to more.
fn matters(action: &str, catalogue: &Catalogue) -> bool {
    let found = catalogue.action_named(action);
    found.is_some_and(|action| {
        matches!(
            action.access_level,
            AccessLevel::Write | AccessLevel::PermissionsManagement
        )
    })
}

/// The remainder of a wildcard in a service by which one comes to more.
fn matters_as_whole(service: &str) -> bool {
    matches!(service, "iam" | "sts" | "organizations" | "*")
}

/// Policies of a principal of which nothing is used and all would have been seen.
fn unused_policies(permissions: &PermissionEvidence) -> Vec<Finding> {
    let of = |(arn, policy): (&String, &String)| {
        let message = format!("{} used nothing of {}", last_name(arn), last_name(policy));
        let mut finding = Finding::new(
            FindingKind::UnusedPolicy,
            FindingSeverity::Low,
            message,
            "detach or delete the policy",
        )
        .of(arn);
        finding.policy = Some(policy.clone());
        finding
    };
    let is_idle = |states: &BTreeSet<PermissionState>| {
        let mut states = states.iter();
        states.any(|state| *state == PermissionState::Unused)
    };
    let is_all_seen = |states: &BTreeSet<PermissionState>| {
        let mut states = states.iter();
        states.all(|state| matches!(state, PermissionState::Unused | PermissionState::Blocked))
    };
    let states = permissions.states.iter();
    let states = states.flat_map(|(arn, policies)| {
        policies
            .iter()
            .map(move |(policy, states)| (arn, policy, states))
    });
    states
        .filter(|(.., states)| is_idle(states) && is_all_seen(states))
        .map(|(arn, policy, _)| of((arn, policy)))
        .collect()
}

/// Permissions that were used on one day only, and not for long since.
fn once_long_ago(permissions: &PermissionEvidence, occasion: &Occasion<'_>) -> Vec<Finding> {
    let long_ago = occasion.unused_before();
    let of = |(arn, actions): (&String, &BTreeMap<String, i64>)| {
        let account = arn.split(':').nth(4).unwrap_or_default();
        if !occasion.is_observed(account) {
            return None;
        }
        let old: Vec<(&String, i64)> = actions
            .iter()
            .filter(|(_, last)| **last < long_ago)
            .map(|(action, last)| (action, *last))
            .collect();
        let last = old.iter().map(|(_, last)| *last).max()?;
        let message = format!(
            "{} used {} action{} on one day, {} at the latest, and not since",
            last_name(arn),
            old.len(),
            if old.len() == 1 { "" } else { "s" },
            day(last)
        );
        let mut finding = Finding::new(
            FindingKind::UsedOnceLongAgo,
            FindingSeverity::Low,
            message,
            "ask whether it was a one-off; if so take the permissions away",
        )
        .of(arn)
        .list("actions", old.iter().map(|(action, _)| (*action).clone()));
        finding.last_time = Some(last);
        Some(finding)
    };
    permissions.once.iter().filter_map(of).collect()
}

/// What the trail cannot show: one finding per account, about what would tell most.
fn blind_spots(permissions: &PermissionEvidence) -> Vec<Finding> {
    let mut by_account: BTreeMap<&str, Vec<(&str, &Blind)>> = BTreeMap::new();
    let blind = permissions.blind.iter();
    let blind = blind.flat_map(|(account, services)| {
        services
            .iter()
            .map(move |(service, blind)| (account, service, blind))
    });
    for (account, service, blind) in blind {
        by_account
            .entry(account)
            .or_default()
            .push((service, blind));
    }
    let accounts = permissions.unobservable.iter();
    accounts
        .filter_map(|(account, reasons)| {
            let mut services = by_account.remove(account.as_str()).unwrap_or_default();
            services.sort_by_key(|(service, blind)| (Reverse(blind.permissions), *service));
            blind_spot(account, reasons, &services)
        })
        .collect()
}

fn blind_spot(
    account: &str,
    reasons: &BTreeMap<PermissionReason, u64>,
    services: &[(&str, &Blind)],
) -> Option<Finding> {
    let told: Vec<(PermissionReason, u64)> = reasons
        .iter()
        .map(|(reason, permissions)| (*reason, *permissions))
        .collect();
    let total: u64 = told.iter().map(|(_, permissions)| permissions).sum();
    // What nobody can record needs nobody to act.
    let (reason, most) = told
        .iter()
        .filter(|(reason, _)| what_would_tell(*reason).is_some())
        .max_by_key(|(reason, permissions)| (*permissions, Reverse(*reason)))?;
    let share = most.saturating_mul(100) / total.max(1);
    let message = format!(
        "{total} permissions cannot be told used from unused in {account}: {most} of them ({share} %) because {}",
        why_unobservable(*reason)
    );
    let mut remedy = what_would_tell(*reason).unwrap_or_default().to_owned();
    if !services.is_empty() {
        let selectors = services.iter().filter_map(|(service, blind)| {
            let selectors = selectors_of(service)?;
            Some(format!("{selectors} would tell {}", blind.permissions))
        });
        let selectors: Vec<String> = selectors.take(3).collect();
        remedy = format!(
            "{remedy}; of the data-event selectors {}",
            selectors.join(", ")
        );
    }
    let principals: BTreeSet<&String> = services
        .iter()
        .flat_map(|(_, blind)| &blind.principals)
        .collect();
    let mut finding = Finding::new(
        FindingKind::BlindSpot,
        FindingSeverity::Low,
        message,
        remedy,
    )
    .list(
        "reasons",
        told.iter()
            .map(|(reason, permissions)| format!("{}: {permissions}", reason.name())),
    )
    .list(
        "services",
        services
            .iter()
            .map(|(service, blind)| format!("{service}: {} permissions", blind.permissions)),
    )
    .list("principals", principals.into_iter().cloned());
    finding.account_id = Some(account.to_owned());
    Some(finding)
}

fn why_unobservable(reason: PermissionReason) -> &'static str {
    match reason {
        PermissionReason::NoLogs => "no log files of the account were read",
        PermissionReason::DataEventsNotRecorded => "no trail is known to record the data events",
        PermissionReason::ManagementEventsNotRecorded => "trails leave out the management events",
        PermissionReason::RecordedInPart => "trails record them for some resources only",
        _ => "some Regions are not known to be recorded",
    }
}

/// What would tell them, where somebody can do something about it.
fn what_would_tell(reason: PermissionReason) -> Option<&'static str> {
    Some(match reason {
        PermissionReason::NoLogs => "read the account's log files too",
        PermissionReason::DataEventsNotRecorded => "let a trail record data events",
        PermissionReason::ManagementEventsNotRecorded => {
            "let a trail record read and write management events"
        }
        PermissionReason::RecordedInPart => "let a trail record them for all resources",
        PermissionReason::RegionsNotObserved => {
            "put `trails.json` into the snapshot, or say `--assume-multi-region` if a trail records all Regions"
        }
        _ => return None,
    })
}

/// The resource types of the selectors that record a service's data events.
fn selectors_of(service: &str) -> Option<String> {
    let types = data_event_types(service);
    let (last, others) = types.split_last()?;
    Some(match others {
        [] => (*last).to_owned(),
        others => format!("{} and {last}", others.join(", ")),
    })
}

/// Roles that AWS saw in use within the window, and of which no record shows a call.
fn use_without_record(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let (Some(end), false) = (evidence.last, occasion.filtered) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for principal in occasion.snapshot.principals() {
        // Of an account without any log file there is another finding.
        let Some(begin) = occasion.covered.first(&principal.account) else {
            continue;
        };
        let last = occasion
            .snapshot
            .role_last_used(&principal.arn)
            .and_then(moment);
        // AWS's word is as late as some hours.
        let within = last.filter(|last| *last > begin + MICROS_PER_DAY && *last < end);
        let arn = principal.arn.as_str();
        let recorded = evidence.activity.contains_key(arn) || evidence.assumed.contains_key(arn);
        let Some(last) = within.filter(|_| !recorded) else {
            continue;
        };
        let message = format!(
            "{} was used on {}, and no record shows it",
            last_name(arn),
            day(last)
        );
        let mut finding = Finding::new(
            FindingKind::BlindSpot,
            FindingSeverity::Low,
            message,
            "see whether the trail covers the account and all Regions, and whether it records data events",
        )
        .of(arn);
        finding.last_time = Some(last);
        findings.push(finding);
    }
    findings
}

/// A date as AWS prints it.
pub(crate) fn moment(text: &str) -> Option<i64> {
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .map(Timestamp::micros)
}
