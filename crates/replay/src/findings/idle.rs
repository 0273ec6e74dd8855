//! What nobody used: permissions, policies, roles, users, keys, passwords.
//!
//! Without evidence over the window asked for nothing is called unused; what is not observable is a
//! blind spot, and not unused.

use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::Timestamp;
use retrial_iam::{AccessLevel, Principal, PrincipalKind};

use super::differences::last_name;
use super::finding::Finding;
use super::gather::FindingEvidence;
use super::kept::MICROS_PER_DAY;
use super::kind::{FindingKind, FindingSeverity};
use super::report::{Occasion, day};
use crate::permissions::{Permission, PermissionReason, PermissionState};

/// All findings about what is idle.
pub(crate) fn idle(
    evidence: &FindingEvidence<'_>,
    permissions: &[Permission<'_>],
    occasion: &Occasion<'_>,
) -> Vec<Finding> {
    let mut findings = principals(evidence, occasion);
    findings.extend(unattached(occasion));
    findings.extend(unused_permissions(permissions, occasion));
    findings.extend(unused_policies(permissions));
    findings.extend(once_long_ago(permissions, occasion));
    findings.extend(blind_spots(permissions));
    findings.extend(use_without_record(evidence, occasion));
    findings
}

/// Roles and users without a call.
fn principals(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let before = occasion.unused_before();
    let observed = evidence.first.is_some_and(|begin| begin <= before);
    let mut findings = Vec::new();
    for principal in occasion.snapshot.principals() {
        let created = principal.created.as_deref().and_then(moment);
        let is_new = created.is_none_or(|created| created > before);
        let called = evidence.activity.contains_key(principal.arn.as_str());
        if principal.kind == PrincipalKind::Root || is_new || called {
            continue;
        }
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
    let last_used = occasion
        .snapshot
        .role_last_used(&principal.arn)
        .and_then(moment);
    let told = tells_last_use(occasion, &principal.account);
    let since = match last_used {
        Some(last) if last >= occasion.unused_before() => return None,
        Some(last) => format!("was last used on {}", day(last)),
        None if told => {
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

/// Whether the account's details have `RoleLastUsed` at all: older exports leave it out.
fn tells_last_use(occasion: &Occasion<'_>, account: &str) -> bool {
    occasion
        .snapshot
        .principals()
        .any(|one| one.account == account && occasion.snapshot.role_last_used(&one.arn).is_some())
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

/// What is unused of one principal.
#[derive(Default)]
struct Unused {
    actions: BTreeSet<String>,
    services: BTreeMap<String, u64>,
    count: u64,
    matters: bool,
    days: u64,
}

/// One finding per principal: IAM Access Analyzer's, too, is about a principal with its services and
/// actions.
fn unused_permissions(permissions: &[Permission<'_>], occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut by_principal: BTreeMap<&str, Unused> = BTreeMap::new();
    for row in permissions {
        if row.state != PermissionState::Unused {
            continue;
        }
        let unused = by_principal.entry(row.principal_arn).or_default();
        let service = row.service.unwrap_or("*");
        unused.count += row.actions;
        *unused.services.entry(service.to_owned()).or_default() += row.actions;
        unused.days = unused.days.max(row.window_days);
        match row.action {
            Some(action) => {
                unused.matters |= matters(action, occasion);
                unused.actions.insert(action.to_owned());
            }
            None => unused.matters |= matters_as_whole(service),
        }
    }
    let of = |(arn, unused): (&str, Unused)| {
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
        let mut finding = Finding::new(
            FindingKind::UnusedPermission,
            severity,
            message,
            "take them out of its policies: the table `permissions` has each with its statement",
        )
        .of(arn)
        .list(
            "services",
            unused
                .services
                .iter()
                .map(|(service, actions)| format!("{service}: {actions} actions")),
        )
        .list("actions", unused.actions);
        finding.days = 0;
        finding
    };
    by_principal.into_iter().map(of).collect()
}

/// Unused is low unless it is write, permissions management or a way to more.
fn matters(action: &str, occasion: &Occasion<'_>) -> bool {
    let found = action
        .split_once(':')
        .and_then(|(service, name)| occasion.catalogue.action(service, name));
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
fn unused_policies(permissions: &[Permission<'_>]) -> Vec<Finding> {
    let mut states: BTreeMap<(&str, &str), BTreeSet<PermissionState>> = BTreeMap::new();
    for row in permissions {
        let place = states.entry((row.principal_arn, row.policy)).or_default();
        place.insert(row.state);
    }
    let of = |((arn, policy), _): ((&str, &str), _)| {
        let message = format!("{} used nothing of {}", last_name(arn), last_name(policy));
        let mut finding = Finding::new(
            FindingKind::UnusedPolicy,
            FindingSeverity::Low,
            message,
            "detach or delete the policy",
        )
        .of(arn);
        finding.policy = Some(policy.to_owned());
        finding
    };
    states
        .into_iter()
        .filter(|(_, states)| {
            states.contains(&PermissionState::Unused)
                && states.iter().all(|state| {
                    matches!(state, PermissionState::Unused | PermissionState::Blocked)
                })
        })
        .map(of)
        .collect()
}

/// Permissions that were used on one day only, and not for long since.
fn once_long_ago(permissions: &[Permission<'_>], occasion: &Occasion<'_>) -> Vec<Finding> {
    let long_ago = occasion.unused_before();
    let mut by_principal: BTreeMap<&str, BTreeMap<&str, i64>> = BTreeMap::new();
    for row in permissions {
        let (PermissionState::Used, Some(action), Some(last)) =
            (row.state, row.action, row.last_time)
        else {
            continue;
        };
        if row.days <= 1 && row.calls > 0 && last < long_ago {
            by_principal
                .entry(row.principal_arn)
                .or_default()
                .insert(action, last);
        }
    }
    let of = |(arn, actions): (&str, BTreeMap<&str, i64>)| {
        let last = actions.values().max().copied();
        let message = format!(
            "{} used {} action{} on one day, {} at the latest, and not since",
            last_name(arn),
            actions.len(),
            if actions.len() == 1 { "" } else { "s" },
            last.map(day).unwrap_or_default()
        );
        let mut finding = Finding::new(
            FindingKind::UsedOnceLongAgo,
            FindingSeverity::Low,
            message,
            "ask whether it was a one-off; if so take the permissions away",
        )
        .of(arn)
        .list("actions", actions.keys().copied());
        finding.last_time = last;
        finding
    };
    by_principal.into_iter().map(of).collect()
}

/// What the trail cannot show, by account and service: the first is what most permissions wait for.
fn blind_spots(permissions: &[Permission<'_>]) -> Vec<Finding> {
    #[derive(Default)]
    struct Blind<'a> {
        permissions: u64,
        principals: BTreeSet<&'a str>,
    }
    let mut blind: BTreeMap<(&str, &str), Blind<'_>> = BTreeMap::new();
    let mut whole: BTreeMap<&str, u64> = BTreeMap::new();
    for row in permissions {
        if row.state != PermissionState::Unobservable {
            continue;
        }
        *whole.entry(row.account_id).or_default() += row.actions;
        if row.reason == Some(PermissionReason::DataEventsNotRecorded) {
            let service = row.service.unwrap_or("*");
            let entry = blind.entry((row.account_id, service)).or_default();
            entry.permissions += row.actions;
            entry.principals.insert(row.principal_arn);
        }
    }
    let of = |((account, service), blind): ((&str, &str), Blind<'_>)| {
        let total = whole.get(account).copied().unwrap_or_default().max(1);
        let share = blind.permissions.saturating_mul(100) / total;
        let message = format!(
            "data events of {service} are not recorded in {account}: {} permissions of {} principals cannot be told used from unused, {share} % of all that cannot",
            blind.permissions,
            blind.principals.len()
        );
        let remedy = format!(
            "record them: a data event selector for {} in a trail of {account}",
            selector_of(service)
        );
        let severity = match share >= 20 {
            true => FindingSeverity::Low,
            false => FindingSeverity::Information,
        };
        let mut finding = Finding::new(FindingKind::BlindSpot, severity, message, remedy);
        finding.account_id = Some(account.to_owned());
        finding.resource_arn = Some(service.to_owned());
        finding.calls = 0;
        finding
    };
    blind.into_iter().map(of).collect()
}

/// The resource types of the selectors that record a service's data events.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html>
fn selector_of(service: &str) -> &str {
    match service {
        "s3" => "AWS::S3::Object",
        "s3express" => "AWS::S3Express::Object",
        "lambda" => "AWS::Lambda::Function",
        "dynamodb" => "AWS::DynamoDB::Table",
        "sagemaker" => {
            "AWS::SageMaker::Endpoint, AWS::SageMaker::FeatureGroup and AWS::SageMaker::ExperimentTrialComponent"
        }
        "machinelearning" => "AWS::MachineLearning::MlModel",
        "kms" => "AWS::KMS::Key",
        "sns" => "AWS::SNS::Topic",
        "sqs" => "AWS::SQS::Queue",
        other => other,
    }
}

/// Roles that AWS saw in use within the window, and of which no record shows a call.
fn use_without_record(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let (Some(begin), Some(end)) = (evidence.first, evidence.last) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for principal in occasion.snapshot.principals() {
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
