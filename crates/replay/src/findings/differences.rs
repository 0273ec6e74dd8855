//! Findings about calls that would be answered otherwise today, and about denials.
//!
//! One finding per principal, action and cause, its resources folded. What is contradicted is no finding:
//! it is counted as the error rate.

use std::collections::BTreeMap;

use retrial_iam::{Layer, Snapshot};

use super::finding::Finding;
use super::gather::{Difference, DifferenceKey, FindingEvidence, MOST_PROBED, Probes};
use super::kept::Calls;
use super::kind::{Cause, FindingKind, FindingSeverity};
use super::report::Occasion;
use super::wide::prefix_of;
use crate::Reason;

/// Calls that we would deny and that provably go through: the error rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The user or role.
    pub principal_arn: String,
    /// The action.
    pub action: String,
    /// The calls.
    pub calls: u64,
    /// Some of their resources.
    pub resources: Vec<String>,
    /// Some of them, by event id.
    pub event_ids: Vec<String>,
}

/// Denied calls of one principal and action from which on they are a finding.
const CLUSTER_CALLS: u64 = 10;

/// The findings, and what contradicts our decisions.
pub(crate) fn differences(
    evidence: &FindingEvidence<'_>,
    occasion: &Occasion<'_>,
) -> (Vec<Finding>, Vec<Contradiction>) {
    let mut findings = Vec::new();
    let mut contradictions = Vec::new();
    let mut contradicted: BTreeMap<(&str, &str), &Difference> = BTreeMap::new();
    for (key, difference) in evidence.differences.iter() {
        if key.denied_now && key.cause == Cause::Contradicted {
            let place = (key.principal_arn.as_str(), key.action.as_str());
            contradicted.insert(place, difference);
        }
    }
    let mut time_conditions: BTreeMap<String, Vec<(&DifferenceKey, &Difference)>> = BTreeMap::new();
    for (key, difference) in evidence.differences.iter() {
        if !key.denied_now {
            findings.push(would_be_allowed(key, difference));
            continue;
        }
        match key.cause {
            Cause::Contradicted => contradictions.push(contradiction(key, difference, None)),
            Cause::TimeCondition => {
                let policy = difference.statements.first();
                let policy = policy.map_or_else(String::new, |statement| statement.policy.clone());
                time_conditions
                    .entry(policy)
                    .or_default()
                    .push((key, difference));
            }
            Cause::PolicyChanged | Cause::Unexplained => {
                let place = (key.principal_arn.as_str(), key.action.as_str());
                let errors = contradicted.get(&place).copied();
                let wrong = errors.map_or(0, |errors| calls_on_same(difference, errors));
                if wrong > 0 {
                    contradictions.push(contradiction(key, difference, Some(wrong)));
                }
                if wrong < difference.calls.count {
                    findings.push(would_be_denied(key, (difference, errors), occasion));
                }
            }
        }
    }
    for (policy, groups) in time_conditions {
        findings.push(denied_by_time(&policy, &groups));
    }
    (findings, contradictions)
}

/// The calls on resources on which later ones went through; all of them where not all are known.
fn calls_on_same(difference: &Difference, errors: &Difference) -> u64 {
    if difference.more_resources || errors.more_resources {
        return difference.calls.count;
    }
    let resources = difference.resources.iter();
    let same = resources.filter(|(resource, _)| errors.resources.contains_key(*resource));
    same.map(|(_, calls)| *calls).sum()
}

fn contradiction(
    key: &DifferenceKey,
    difference: &Difference,
    calls: Option<u64>,
) -> Contradiction {
    Contradiction {
        principal_arn: key.principal_arn.clone(),
        action: key.action.clone(),
        calls: calls.unwrap_or(difference.calls.count),
        resources: difference.resources.keys().take(3).cloned().collect(),
        event_ids: difference.calls.event_ids(),
    }
}

/// With what the calls show.
pub(crate) fn with_calls(mut finding: Finding, calls: &Calls) -> Finding {
    finding.calls = calls.count;
    finding.first_time = calls.first;
    finding.last_time = calls.last;
    finding.days = calls.days.len() as u64;
    finding.event_ids = calls.event_ids();
    finding
}

fn would_be_denied(
    key: &DifferenceKey,
    (difference, errors): (&Difference, Option<&Difference>),
    occasion: &Occasion<'_>,
) -> Finding {
    let resources: Vec<&str> = difference
        .resources
        .keys()
        .map(String::as_str)
        .filter(|resource| errors.is_none_or(|errors| !errors.resources.contains_key(*resource)))
        .collect();
    let recent = occasion.days_of_last_30(&difference.calls.days);
    let severity = match key.cause {
        Cause::PolicyChanged if recent >= 3 => FindingSeverity::High,
        Cause::PolicyChanged => FindingSeverity::Medium,
        _ if recent >= 3 => FindingSeverity::Medium,
        _ => FindingSeverity::Low,
    };
    let why = why(difference);
    let message = format!("{} would be denied today: {why}", key.action);
    let remedy = match key.cause {
        Cause::PolicyChanged => format!(
            "if these calls are still wanted, let {} do {} again on these resources; else nothing is to be done",
            last_name(&key.principal_arn),
            key.action
        ),
        _ if occasion.changes.snapshot_time().is_none() => {
            "say when the snapshot was taken (`--snapshot-time`): only then can a recorded write explain it"
                .to_owned()
        }
        _ => "no recorded write explains it: see whether the trail has the account's writes, and look a call up with `retrial explain`"
            .to_owned(),
    };
    let mut finding = Finding::new(FindingKind::WouldBeDenied, severity, message, remedy)
        .of(&key.principal_arn)
        .list("resources", resources.iter().copied())
        .list("statements", statements(difference))
        .list("layers", difference.layers.iter().map(|layer| layer.name()))
        .list("writes", difference.writes.iter().map(written))
        .list("services", difference.services.iter().cloned());
    finding.action = Some(key.action.clone());
    finding.cause = Some(key.cause);
    if let Some(statement) = difference.statements.first() {
        finding = finding.list("policies", [statement.policy.clone()]);
    }
    with_calls(finding, &difference.calls).on(&resources)
}

/// What denies, in words.
fn why(difference: &Difference) -> String {
    if let Some(statement) = difference.statements.first() {
        let sid = statement.sid.as_deref().map(|sid| format!(" ({sid})"));
        return format!(
            "statement {}{} of {} denies it",
            statement.index,
            sid.unwrap_or_default(),
            statement.policy
        );
    }
    match difference.layers.first() {
        Some(layer) => format!("no statement of the {} allows it", layer_words(*layer)),
        None => "nothing allows it".to_owned(),
    }
}

fn layer_words(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity policies",
        Layer::PermissionsBoundary => "permissions boundary",
        Layer::Session => "session policies",
        Layer::Resource => "resource's policy",
        Layer::Scp => "service control policies",
        Layer::Rcp => "resource control policies",
        Layer::VpcEndpoint => "VPC endpoint's policy",
        Layer::KmsGrant => "key's grants",
    }
}

fn statements(difference: &Difference) -> Vec<String> {
    let statements = difference.statements.iter();
    statements
        .map(|statement| match &statement.sid {
            Some(sid) => format!("{} statement {} ({sid})", statement.policy, statement.index),
            None => format!("{} statement {}", statement.policy, statement.index),
        })
        .collect()
}

fn written(write: &super::causes::Explaining) -> String {
    let time = super::report::iso(write.time);
    match &write.event_id {
        Some(id) => format!("{} at {time}, event {id}", write.what),
        None => format!("{} at {time}", write.what),
    }
}

fn would_be_allowed(key: &DifferenceKey, difference: &Difference) -> Finding {
    let message = format!("{} was denied and would be allowed today", key.action);
    let remedy = "nothing is to be done if that was the intention";
    let resources: Vec<&str> = difference.resources.keys().map(String::as_str).collect();
    let mut finding = Finding::new(
        FindingKind::WouldBeAllowed,
        FindingSeverity::Information,
        message,
        remedy,
    )
    .of(&key.principal_arn)
    .list("resources", resources.iter().copied());
    finding.action = Some(key.action.clone());
    with_calls(finding, &difference.calls).on(&resources)
}

/// Once per policy, whoever called.
fn denied_by_time(policy: &str, groups: &[(&DifferenceKey, &Difference)]) -> Finding {
    let mut calls = Calls::default();
    for (_, difference) in groups {
        super::kept::Join::join(&mut calls, difference.calls.clone());
    }
    let named = if policy.is_empty() {
        "a statement".to_owned()
    } else {
        policy.to_owned()
    };
    let message = format!("a condition on the time in {named} denies today what went through then");
    let remedy =
        "nothing is to be done if the time limit was meant; remove the statement once it is spent";
    let mut finding = Finding::new(
        FindingKind::TimeConditionDenies,
        FindingSeverity::Low,
        message,
        remedy,
    )
    .list(
        "principals",
        groups.iter().map(|(key, _)| key.principal_arn.clone()),
    )
    .list("actions", groups.iter().map(|(key, _)| key.action.clone()));
    finding.cause = Some(Cause::TimeCondition);
    if !policy.is_empty() {
        finding.policy = Some(policy.to_owned());
    } else if let Some((key, _)) = groups.first() {
        finding = finding.of(&key.principal_arn);
    }
    with_calls(finding, &calls)
}

/// Principals that are gone or were made again, aggregated: neither is a denial.
pub(crate) fn gone(evidence: &FindingEvidence<'_>) -> Vec<Finding> {
    let of = |((reason, arn), calls): (&(Reason, String), &Calls)| {
        let (kind, message, remedy) = match reason {
            Reason::PrincipalRecreated => (
                FindingKind::PrincipalRecreated,
                "was deleted and made again since: its calls from before are not evaluated",
                "nothing is to be done; policies of resources that name the old one by its unique id match nobody",
            ),
            _ => (
                FindingKind::PrincipalDeleted,
                "is gone: its calls are not evaluated",
                "nothing is to be done if it was deleted on purpose",
            ),
        };
        let message = format!("{} {message}", last_name(arn));
        let finding = Finding::new(kind, FindingSeverity::Information, message, remedy).of(arn);
        with_calls(finding, calls)
    };
    evidence.gone.iter().map(of).collect()
}

/// Denials that come again and again, and many kinds of them at once.
pub(crate) fn denial_clusters(evidence: &FindingEvidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((arn, action), denials) in evidence.denials.iter() {
        if denials.still < CLUSTER_CALLS || !is_known(evidence.basis.snapshot, arn) {
            continue;
        }
        let message = format!(
            "{action} was denied {} times on {} days, and would be today",
            denials.calls.count,
            denials.calls.days.len()
        );
        let remedy = "give the permission if the calls are wanted, or stop what makes them: denials that are normal hide those that are not";
        let resources: Vec<&str> = denials.resources.iter().map(String::as_str).collect();
        let mut finding = Finding::new(
            FindingKind::DenialCluster,
            FindingSeverity::Low,
            message,
            remedy,
        )
        .of(arn)
        .list("resources", resources.iter().copied());
        finding.action = Some(action.clone());
        findings.push(with_calls(finding, &denials.calls).on(&resources));
    }
    findings.extend(probing(evidence));
    findings
}

/// Many actions denied within an hour: somebody tries what a stolen credential may do.
fn probing(evidence: &FindingEvidence<'_>) -> Vec<Finding> {
    let mut by_principal: BTreeMap<&str, (i64, &Probes)> = BTreeMap::new();
    for ((arn, hour), probes) in evidence.probes.iter() {
        if probes.actions.len() < MOST_PROBED / 2 {
            continue;
        }
        let place = by_principal.entry(arn).or_insert((*hour, probes));
        if probes.actions.len() > place.1.actions.len() {
            *place = (*hour, probes);
        }
    }
    let of = |(arn, (_, probes)): (&str, (i64, &Probes))| {
        let message = format!(
            "{} tried {}{} actions that it may not do within one hour",
            last_name(arn),
            probes.actions.len(),
            if probes.actions.len() >= MOST_PROBED {
                " or more"
            } else {
                ""
            },
        );
        let remedy =
            "see who held the session: so does whoever tries what a stolen credential can do";
        let finding = Finding::new(
            FindingKind::DenialCluster,
            FindingSeverity::Medium,
            message,
            remedy,
        )
        .of(arn)
        .list("actions", probes.actions.iter().cloned());
        with_calls(finding, &probes.calls)
    };
    by_principal.into_iter().map(of).collect()
}

fn is_known(snapshot: &Snapshot, arn: &str) -> bool {
    snapshot.principal(arn).is_some()
}

/// A principal's name without what stands before it.
pub(crate) fn last_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

impl Finding {
    /// On these resources: the one, or the prefix that all have.
    fn on(mut self, resources: &[&str]) -> Finding {
        self.resource_arn = match resources {
            [] => None,
            [one] => Some((*one).to_owned()),
            [first, rest @ ..] => {
                let prefix = prefix_of(first);
                let is_shared = rest.iter().all(|resource| prefix_of(resource) == prefix);
                is_shared.then_some(prefix)
            }
        };
        self
    }
}
