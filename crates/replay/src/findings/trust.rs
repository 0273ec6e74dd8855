//! Trust policies: who may assume each role, outsiders first, and who does.

use std::collections::BTreeMap;

use retrial_iam::{Effect, Principal, PrincipalKind, StatementView};

use super::differences::{last_name, with_calls};
use super::finding::Finding;
use super::gather::FindingEvidence;
use super::kept::{Calls, Join, Kept};
use super::kind::{FindingKind, FindingSeverity};
use super::report::Occasion;

/// All findings about trust.
pub(crate) fn trust(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let roles = occasion
        .snapshot
        .principals()
        .filter(|one| one.kind == PrincipalKind::Role && !one.is_service_linked());
    for role in roles {
        let assumed = evidence.assumed.get(role.arn.as_str());
        let long_enough = occasion.is_observed(&role.account);
        findings.extend(assumed.map(|callers| assumption(role, callers)));
        for (name, trusted) in trusted_by(role, occasion) {
            let used = assumed
                .map(|callers| uses_of(&name, callers))
                .unwrap_or_default();
            if trusted.is_external {
                findings.push(external(role, (&name, &trusted), (&used, long_enough)));
            } else if long_enough
                && used.count == 0
                && !is_own_account(&name, role)
                && !role.is_of_permission_set()
            {
                findings.push(unused(role, &name));
            }
        }
    }
    findings
}

/// A principal that a role trusts.
#[derive(Debug, Default)]
struct Trusted {
    /// Everybody, or somebody of an account that is neither in the snapshot nor in the organization.
    is_external: bool,
    /// Every statement about it has conditions.
    conditions: Vec<String>,
    unconditional: bool,
    sids: Vec<String>,
}

/// The principals that a role's trust policy names, each once.
fn trusted_by(role: &Principal, occasion: &Occasion<'_>) -> BTreeMap<String, Trusted> {
    let mut all: BTreeMap<String, Trusted> = BTreeMap::new();
    let Some(policy) = occasion.snapshot.role_trust_policy(&role.arn) else {
        return all;
    };
    for statement in policy.statement_views() {
        if statement.effect() != Effect::Allow || !is_about_assuming(&statement) {
            continue;
        }
        let names: Vec<&str> = match statement.is_not_principal() {
            true => vec!["*"],
            false => statement.principals().collect(),
        };
        for name in names {
            let name = if name == "AWS:*" { "*" } else { name };
            let trusted = all.entry(name.to_owned()).or_default();
            trusted.is_external = is_external(name, occasion);
            let keys: Vec<String> = statement
                .conditions()
                .map(|condition| condition.key().to_owned())
                .collect();
            trusted.unconditional |= keys.is_empty();
            trusted.conditions.extend(keys);
            trusted.sids.extend(statement.sid().map(str::to_owned));
        }
    }
    all
}

fn is_about_assuming(statement: &StatementView<'_>) -> bool {
    statement.is_not_action()
        || statement.actions().any(|action| {
            let action = action.to_ascii_lowercase();
            action == "*" || action == "sts:*" || action.starts_with("sts:assume")
        })
}

/// The account that a name of a trust policy is of; `None` for services, providers and everybody.
fn account_of(name: &str) -> Option<&str> {
    let aws = name.strip_prefix("AWS:")?;
    let account = if aws.starts_with("arn:") {
        aws.split(':').nth(4)?
    } else {
        aws
    };
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

fn is_external(name: &str, occasion: &Occasion<'_>) -> bool {
    match account_of(name) {
        Some(account) => {
            !occasion.snapshot.has_account(account)
                && !occasion.snapshot.is_in_organization(account)
        }
        None => name == "*",
    }
}

fn is_own_account(name: &str, role: &Principal) -> bool {
    let names_account = name.ends_with(":root") || !name.contains("arn:");
    names_account && account_of(name) == Some(role.account.as_str())
}

/// The calls with which those whom a name stands for assumed the role.
fn uses_of(name: &str, callers: &Kept<String, Calls>) -> Calls {
    let mut uses = Calls::default();
    for (caller, calls) in callers.iter() {
        if names(name, caller) {
            uses.join(calls.clone());
        }
    }
    uses
}

/// Whether a name of a trust policy is that of a caller as the record shows it.
fn names(name: &str, caller: &str) -> bool {
    if name == "*" {
        return true;
    }
    let Some((kind, value)) = name.split_once(':') else {
        return false;
    };
    if kind != "AWS" {
        return value == caller;
    }
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    match value {
        _ if value == caller => true,
        // An account stands for whoever it lets.
        _ if value.ends_with(":root") || !value.starts_with("arn:") => {
            let named = account_of(name).map(str::to_owned);
            account(caller).or(Some(caller.to_owned())) == named
        }
        // A session is its role's, whose path the session's ARN drops.
        _ if value.contains(":assumed-role/") => {
            let role = value.split('/').nth(1);
            caller.contains(":role/")
                && Some(last_name(caller)) == role
                && account(caller) == account(value)
        }
        _ => false,
    }
}

fn external(
    role: &Principal,
    (name, trusted): (&str, &Trusted),
    (used, long_enough): (&Calls, bool),
) -> Finding {
    let who = match account_of(name) {
        Some(account) if name.ends_with(":root") || !name.contains("arn:") => {
            format!("all of account {account}")
        }
        _ if name == "*" => "everybody".to_owned(),
        _ => name.strip_prefix("AWS:").unwrap_or(name).to_owned(),
    };
    let condition = match (trusted.unconditional, trusted.conditions.first()) {
        (false, Some(key)) => format!(", under a condition on {key}"),
        _ => String::new(),
    };
    let never = match (used.count, long_enough) {
        (0, true) => ", who never assumed it",
        (0, false) => ", who did not assume it in the window",
        _ => "",
    };
    let severity = match (name, trusted.unconditional, used.count) {
        ("*", true, _) => FindingSeverity::High,
        ("*", false, _) | (_, _, 0) => FindingSeverity::Medium,
        _ => FindingSeverity::Low,
    };
    let message = format!("{} trusts {who}{condition}{never}", last_name(&role.arn));
    let remedy = match used.count {
        0 => "take it out of the trust policy, or say in an exclusion why it is there",
        _ => {
            "see that the outsider is one of yours; ask for sts:ExternalId where a third party assumes the role for you"
        }
    };
    let mut finding = Finding::new(FindingKind::ExternalTrust, severity, message, remedy)
        .of(&role.arn)
        .list("conditions", trusted.conditions.iter().cloned())
        .list("sids", trusted.sids.iter().cloned());
    finding.resource_arn = Some(name.to_owned());
    with_calls(finding, used)
}

fn unused(role: &Principal, name: &str) -> Finding {
    let message = format!(
        "{} trusts {name}, who never assumed it",
        last_name(&role.arn)
    );
    let remedy = "take it out of the trust policy";
    let mut finding = Finding::new(
        FindingKind::UnusedTrust,
        FindingSeverity::Low,
        message,
        remedy,
    )
    .of(&role.arn);
    finding.resource_arn = Some(name.to_owned());
    finding
}

/// Who assumed a role: no complaint, but what a review of its trust policy begins with.
fn assumption(role: &Principal, callers: &Kept<String, Calls>) -> Finding {
    let mut all = Calls::default();
    for (_, calls) in callers.iter() {
        all.join(calls.clone());
    }
    let message = format!(
        "{} was assumed by {} caller{}",
        last_name(&role.arn),
        callers.len(),
        if callers.len() == 1 { "" } else { "s" }
    );
    let finding = Finding::new(
        FindingKind::RoleAssumption,
        FindingSeverity::Information,
        message,
        "nothing is to be done",
    )
    .of(&role.arn)
    .list(
        "callers",
        callers
            .iter()
            .map(|(caller, calls)| format!("{caller}: {} calls", calls.count)),
    );
    with_calls(finding, &all)
}
