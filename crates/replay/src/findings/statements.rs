//! Findings about single statements: those that never apply, those whose time is over, and those about
//! all resources that are used for a few.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{AttachedPolicy, Effect, PolicySource, Principal, StatementView};

use super::causes::is_time_key;
use super::differences::with_calls;
use super::finding::Finding;
use super::gather::FindingEvidence;
use super::kind::{FindingKind, FindingSeverity};
use super::report::{Occasion, day};
use super::wide::{Place, Wide};

/// Calls of a statement from which on it is said that a few resources would do.
const ENOUGH_CALLS: u64 = 5;
/// No role session lasts longer than 12 hours, no other one longer than 36.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_request.html>
const LONGEST_SESSION_MICROS: i64 = 36 * 3_600 * 1_000_000;

/// All findings about single statements.
pub(crate) fn statements(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut findings = dead(occasion);
    findings.extend(time_is_over(occasion));
    findings.extend(over_broad(evidence, occasion));
    findings
}

fn dead(occasion: &Occasion<'_>) -> Vec<Finding> {
    let of = |dead: &super::report::DeadStatement| {
        let mut finding = Finding::new(
            FindingKind::DeadStatement,
            FindingSeverity::Low,
            dead.message.clone(),
            "correct the statement or take it out; `retrial lint` says more",
        )
        .list("places", [dead.place.clone()]);
        finding = finding.of_policy(&dead.policy);
        finding.sid = None;
        finding
    };
    // One finding per policy: the places tell its statements apart.
    let mut by_policy: BTreeMap<&str, Finding> = BTreeMap::new();
    for dead in occasion.dead_statements {
        let finding = of(dead);
        match by_policy.get_mut(dead.policy.as_str()) {
            Some(known) => known
                .details
                .entry("places")
                .or_default()
                .push(dead.place.clone()),
            None => drop(by_policy.insert(&dead.policy, finding)),
        }
    }
    by_policy.into_values().collect()
}

impl Finding {
    /// About a policy; of an inline one its principal too.
    pub(crate) fn of_policy(mut self, policy: &str) -> Finding {
        match policy.split_once('#') {
            Some((owner, _)) if !owner.contains(":group/") => self = self.of(owner),
            _ if policy.contains(":role/") || policy.contains(":user/") => self = self.of(policy),
            _ => {
                let account = policy.split(':').nth(4);
                self.account_id = account.map(str::to_owned);
            }
        }
        self.policy = Some(policy.to_owned());
        self
    }

    /// About one statement of a policy.
    pub(crate) fn of_statement(mut self, policy: &str, statement: &StatementView<'_>) -> Finding {
        self = self.of_policy(policy);
        self.statement_index = Some(statement.index());
        self.sid = statement.sid().map(str::to_owned);
        self
    }
}

/// Whether somebody can change the policy: not AWS's own.
pub(crate) fn is_customers(policy: &AttachedPolicy) -> bool {
    !policy.id.starts_with("arn:aws:iam::aws:") && policy.id.split(':').nth(4) != Some("aws")
}

/// The policies of customers that are attached to principals, each once, with the principals.
pub(crate) fn attached<'s>(
    occasion: &Occasion<'s>,
) -> BTreeMap<&'s str, (&'s AttachedPolicy, Vec<&'s Principal>)> {
    let mut all: BTreeMap<&str, (&AttachedPolicy, Vec<&Principal>)> = BTreeMap::new();
    for principal in occasion.snapshot.principals() {
        if principal.is_service_linked() {
            continue;
        }
        for policy in principal.identity.iter().filter(|one| is_customers(one)) {
            let entry = all.entry(&policy.id).or_insert((policy, Vec::new()));
            entry.1.push(principal);
        }
    }
    all
}

/// `role Name`, or `3 principals`.
pub(crate) fn holders(principals: &[&Principal]) -> String {
    match principals {
        [one] => super::differences::last_name(&one.arn).to_owned(),
        all => format!("{} principals", all.len()),
    }
}

/// Statements that a condition on the time has ended, or whose work is done.
fn time_is_over(occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, (policy, principals)) in attached(occasion) {
        let Ok(document) = &policy.policy else {
            continue;
        };
        for statement in document.statement_views() {
            let Some((severity, message, remedy)) = over(&statement, occasion.as_of) else {
                continue;
            };
            let finding =
                Finding::new(FindingKind::ExpiredTimeCondition, severity, message, remedy)
                    .of_statement(id, &statement)
                    .list("principals", principals.iter().map(|one| one.arn.clone()));
            findings.push(finding);
        }
    }
    findings
}

fn over(
    statement: &StatementView<'_>,
    as_of: i64,
) -> Option<(FindingSeverity, String, &'static str)> {
    for condition in statement.conditions().filter(|one| is_time_key(one.key())) {
        let Some(end) = condition.date_before() else {
            continue;
        };
        let issued = condition.key().eq_ignore_ascii_case("aws:TokenIssueTime");
        let found = match (statement.effect(), issued) {
            // What `AWSRevokeOlderSessions` is made of.
            (Effect::Deny, true) if end + LONGEST_SESSION_MICROS < as_of => (
                FindingSeverity::Information,
                format!(
                    "denies sessions from before {}: none of them can be alive any more",
                    day(end)
                ),
                "take the statement out",
            ),
            (Effect::Allow, false) if end < as_of => (
                FindingSeverity::Low,
                format!("allowed until {}: it allows nothing any more", day(end)),
                "take the statement out, or renew it if it is still wanted",
            ),
            (Effect::Deny, false) if end < as_of => (
                FindingSeverity::Medium,
                format!("denied until {}: it denies nothing any more", day(end)),
                "take the statement out, or renew it if what it guarded is still to be guarded",
            ),
            _ => continue,
        };
        return Some(found);
    }
    None
}

/// Statements about all resources that were used for a few only.
fn over_broad(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    // What was left out may have used the rest.
    if occasion.filtered {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (place, wide) in evidence.wide.used() {
        let Some(principal) = occasion.snapshot.principal(place.principal_arn) else {
            continue;
        };
        let Some(policy) = principal
            .identity
            .iter()
            .find(|policy| *policy.id == *place.policy)
            .filter(|policy| is_customers(policy))
        else {
            continue;
        };
        let Some(statement) = policy
            .policy
            .as_ref()
            .ok()
            .and_then(|document| document.statement(place.index))
        else {
            continue;
        };
        // Whoever may do anything anywhere is an administrator, whatever was needed so far.
        if statement.actions().any(|action| action == "*") || statement.is_not_action() {
            continue;
        }
        findings.extend(narrower(place, wide, (&statement, &policy.source)));
    }
    findings
}

fn narrower(
    place: Place<'_>,
    wide: &Wide,
    (statement, source): (&StatementView<'_>, &PolicySource),
) -> Option<Finding> {
    if wide.needs_all || wide.calls.count < ENOUGH_CALLS {
        return None;
    }
    let few: &BTreeSet<String> = match (&wide.resources, &wide.prefixes) {
        (resources, _) if !resources.more && resources.texts.len() <= 2 => &resources.texts,
        (_, prefixes) if !prefixes.more && prefixes.texts.len() <= 2 => &prefixes.texts,
        _ => return None,
    };
    let named: Vec<String> = few.iter().cloned().collect();
    let shared = match source {
        PolicySource::Group(_) | PolicySource::Managed => {
            " (others who have the policy may need more)"
        }
        _ => "",
    };
    let message = format!(
        "granted on all resources, and used on {} only: {}",
        if named.len() == 1 {
            "one".to_owned()
        } else {
            format!("{}", named.len())
        },
        named.join(", ")
    );
    let remedy = format!("let `Resource` name what is used{shared}");
    let mut finding = Finding::new(
        FindingKind::OverBroadResource,
        FindingSeverity::Low,
        message,
        remedy,
    )
    .of_statement(place.policy, statement)
    .of(place.principal_arn)
    .list("resources", named)
    .list("actions", wide.actions.iter().cloned());
    finding.policy = Some(place.policy.to_owned());
    Some(with_calls(finding, &wide.calls))
}
