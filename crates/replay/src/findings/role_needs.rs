//! Execution roles that lack what their jobs ask for, or have what none of them does.

use std::collections::BTreeMap;

use super::differences::last_name;
use super::finding::{Finding, MOST_ENTRIES};
use super::kind::{FindingKind, FindingSeverity};
use crate::seen_call::earlier;

/// Calls that are named for one finding.
const MOST_EVENT_IDS: usize = 3;

/// What is wrong with what a role has for its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleNeedProblem {
    /// A job needs it, and the role may not do it.
    Missing,
    /// The role may do it, and no job asks for the action.
    Unasked,
    /// The role may do it on more than its jobs ask for.
    Wider,
}

/// What an execution role lacks, or has in excess: a row of the table `role_needs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleNeedFact<'r> {
    /// The account whose jobs ask for it.
    pub account_id: Option<&'r str>,
    /// The execution role; or the service that acts in its own name.
    pub role_arn: &'r str,
    /// The action.
    pub action: &'r str,
    /// The resource; `*` in it stands for what is not told.
    pub resource_arn: &'r str,
    /// What is wrong.
    pub problem: RoleNeedProblem,
    /// Why it is needed.
    pub why: &'r str,
    /// The jobs that ask for it.
    pub jobs: u64,
    /// The first of them, in microseconds since the epoch.
    pub first_time: Option<i64>,
    /// The last of them.
    pub last_time: Option<i64>,
    /// One of them.
    pub event_id: Option<&'r str>,
}

/// What is wrong with execution roles, put together in the order of the facts.
///
/// # Memory
/// Of each role and action some resources and calls, however many there are.
#[derive(Debug, Default)]
pub struct RoleNeedEvidence {
    /// By role and action.
    lacking: BTreeMap<(Role, String), Lacking>,
    /// By role.
    excess: BTreeMap<Role, Excess>,
}

/// A role; or a service that acts in its own name, with the account whose jobs it runs.
type Role = (Option<String>, String);

/// What a role has besides.
#[derive(Debug, Default)]
struct Excess {
    unasked: Listed,
    wider: Listed,
}

/// Some entries of so many.
#[derive(Debug, Default)]
struct Listed {
    entries: Vec<String>,
    all: u64,
}

impl Listed {
    fn add(&mut self, entry: impl FnOnce() -> String) {
        self.all += 1;
        if self.entries.len() < MOST_ENTRIES {
            self.entries.push(entry());
        }
    }
}

#[derive(Debug, Default)]
struct Lacking {
    resources: Listed,
    /// Why the first of them is needed.
    why: String,
    /// Several needs are of one job: the most jobs of one need are as many as there are at least.
    jobs: u64,
    first_time: Option<i64>,
    last_time: Option<i64>,
    event_ids: Vec<String>,
}

impl RoleNeedEvidence {
    /// Takes in a fact.
    pub fn add(&mut self, fact: &RoleNeedFact<'_>) {
        // A role's ARN has its account.
        let account = fact
            .account_id
            .filter(|_| !fact.role_arn.starts_with("arn:"));
        let role = (account.map(str::to_owned), fact.role_arn.to_owned());
        let entry = || format!("{} on {}", fact.action, fact.resource_arn);
        match fact.problem {
            RoleNeedProblem::Missing => {}
            RoleNeedProblem::Unasked => {
                return self.excess.entry(role).or_default().unasked.add(entry);
            }
            RoleNeedProblem::Wider => return self.excess.entry(role).or_default().wider.add(entry),
        }
        let key = (role, fact.action.to_owned());
        let lacking = self.lacking.entry(key).or_default();
        if lacking.resources.all == 0 {
            lacking.why = fact.why.to_owned();
        }
        lacking.resources.add(|| fact.resource_arn.to_owned());
        lacking.jobs = lacking.jobs.max(fact.jobs);
        lacking.first_time = earlier(lacking.first_time, fact.first_time);
        lacking.last_time = lacking.last_time.max(fact.last_time);
        if let Some(event_id) = fact.event_id
            && lacking.event_ids.len() < MOST_EVENT_IDS
            && !lacking.event_ids.iter().any(|known| known == event_id)
        {
            lacking.event_ids.push(event_id.to_owned());
        }
    }

    /// One finding per role and action that is missing, resources folded; one per role for all in excess.
    pub(crate) fn findings(&self) -> impl Iterator<Item = Finding> {
        let lacking = self.lacking.iter();
        let lacking = lacking.map(|((role, action), lacking)| missing(role, action, lacking));
        let excess = self.excess.iter();
        lacking.chain(excess.map(|(role, excess)| in_excess(role, excess)))
    }
}

fn finding_of((account, role): &Role, finding: Finding) -> Finding {
    let mut finding = finding.of(role);
    finding.account_id = finding.account_id.or_else(|| account.clone());
    finding
}

fn missing(role: &Role, action: &str, lacking: &Lacking) -> Finding {
    let Listed { entries, all } = &lacking.resources;
    let others = match all {
        0 | 1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    let message = format!(
        "{} may not do {action} on {}{others}, which AWS says its jobs need: {}",
        last_name(&role.1),
        entries.first().map_or("*", String::as_str),
        lacking.why
    );
    // A service that acts in its own name is let in by the resource's policy.
    let remedy = match role.1.ends_with(".amazonaws.com") {
        true => format!(
            "let the policy of the resource allow {} to do {action}",
            role.1
        ),
        false => format!("let the role do {action} there, or jobs that cannot do without it fail"),
    };
    let finding = Finding::new(
        FindingKind::MissingRoleNeed,
        FindingSeverity::Medium,
        message,
        remedy,
    );
    let mut finding = finding_of(role, finding).list_of("resources", entries.clone(), *all);
    finding.action = Some(action.to_owned());
    finding.calls = lacking.jobs;
    finding.first_time = lacking.first_time;
    finding.last_time = lacking.last_time;
    finding.event_ids.clone_from(&lacking.event_ids);
    finding
}

fn in_excess(role: &Role, Excess { unasked, wider }: &Excess) -> Finding {
    let things = |count: u64| format!("{count} thing{}", if count == 1 { "" } else { "s" });
    let said = match (unasked.all, wider.all) {
        (0, wider) => format!("{} more widely than its jobs asked for", things(wider)),
        (unasked, 0) => format!("{} that none of its jobs asked for", things(unasked)),
        (unasked, wider) => format!(
            "{} that none of its jobs asked for, and {wider} more widely than they did",
            things(unasked)
        ),
    };
    let severity = match unasked.all {
        0 => FindingSeverity::Information,
        _ => FindingSeverity::Low,
    };
    let finding = Finding::new(
        FindingKind::ExcessRoleNeed,
        severity,
        format!("{} is granted {said}", last_name(&role.1)),
        "take them out of the role's policies, if the code that it runs does not need them either",
    );
    finding_of(role, finding)
        .list_of("actions", unasked.entries.clone(), unasked.all)
        .list_of("wider", wider.entries.clone(), wider.all)
}

#[cfg(test)]
mod tests {
    use super::RoleNeedProblem::{Missing, Unasked, Wider};
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/service-role/Train";

    fn findings(facts: &[(&str, &str, &str, &str, RoleNeedProblem)]) -> Vec<Finding> {
        let mut evidence = RoleNeedEvidence::default();
        for (account, role_arn, action, resource_arn, problem) in facts {
            evidence.add(&RoleNeedFact {
                account_id: Some(account),
                role_arn,
                action,
                resource_arn,
                problem: *problem,
                why: "the input channel `train`",
                jobs: 3,
                first_time: Some(1),
                last_time: Some(2),
                event_id: Some("e"),
            });
        }
        evidence.findings().collect()
    }

    #[test]
    fn one_for_each_action_that_is_missing_and_one_for_all_in_excess() {
        let fact = |action, resource, problem| ("111122223333", ROLE, action, resource, problem);
        let findings = findings(&[
            fact("s3:GetObject", "arn:aws:s3:::data/train/*", Missing),
            fact("s3:GetObject", "arn:aws:s3:::data/test/*", Missing),
            fact("s3:DeleteObject", "arn:aws:s3:::data/*", Unasked),
            fact("s3:PutObject", "arn:aws:s3:::data/*", Wider),
        ]);
        let shown: Vec<_> = findings
            .iter()
            .map(|one| (one.kind, one.message.as_str(), one.calls))
            .collect();
        let missing = "Train may not do s3:GetObject on arn:aws:s3:::data/train/* and 1 more, which AWS says its jobs need: the input channel `train`";
        let excess = "Train is granted 1 thing that none of its jobs asked for, and 1 more widely than they did";
        assert_eq!(
            shown,
            [
                (FindingKind::MissingRoleNeed, missing, 3),
                (FindingKind::ExcessRoleNeed, excess, 0),
            ]
        );
    }

    /// What is only granted more widely than it must be is no more than information.
    #[test]
    fn wider_is_information() {
        let fact = ("111122223333", ROLE, "s3:PutObject", "*", Wider);
        let severities: Vec<_> = findings(&[fact]).iter().map(|one| one.severity).collect();
        assert_eq!(severities, [FindingSeverity::Information]);
    }

    /// A service is no role: the resource's policy lets it in, and each account has its own.
    #[test]
    fn a_service_that_lacks_something() {
        let service = "machinelearning.amazonaws.com";
        let of = |account| {
            (
                account,
                service,
                "s3:GetObject",
                "arn:aws:s3:::a/*",
                Missing,
            )
        };
        let findings = findings(&[of("111122223333"), of("444455556666")]);
        let accounts: Vec<_> = findings
            .iter()
            .map(|one| one.account_id.as_deref())
            .collect();
        assert_eq!(accounts, [Some("111122223333"), Some("444455556666")]);
        let lets_in = |one: &Finding| one.remedy.contains("policy of the resource");
        assert!(findings.iter().all(lets_in));
    }
}
