//! Execution roles that lack what their jobs ask for, or have what none of them does.

use std::collections::BTreeMap;

use super::differences::last_name;
use super::finding::{Finding, MOST_ENTRIES};
use super::kept::earlier;
use super::kind::{FindingKind, FindingSeverity};

/// Calls that are named for one finding.
const MOST_EVENT_IDS: usize = 3;

/// What an execution role lacks, or has in excess: a row of the table `role_needs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleNeedFact<'r> {
    /// The execution role.
    pub role_arn: &'r str,
    /// The action.
    pub action: &'r str,
    /// The resource; `*` in it stands for what is not told.
    pub resource_arn: &'r str,
    /// Whether the role lacks it; else it has it and no job asks for it.
    pub missing: bool,
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
    lacking: BTreeMap<(String, String), Lacking>,
    /// By role.
    excess: BTreeMap<String, Listed>,
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
        if !fact.missing {
            let excess = self.excess.entry(fact.role_arn.to_owned()).or_default();
            excess.add(|| format!("{} on {}", fact.action, fact.resource_arn));
            return;
        }
        let key = (fact.role_arn.to_owned(), fact.action.to_owned());
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
        lacking.chain(excess.map(|(role, listed)| in_excess(role, listed)))
    }
}

fn missing(role: &str, action: &str, lacking: &Lacking) -> Finding {
    let Listed { entries, all } = &lacking.resources;
    let others = match all {
        0 | 1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    let message = format!(
        "{} may not do {action} on {}{others}, which its jobs need: {}",
        last_name(role),
        entries.first().map_or("*", String::as_str),
        lacking.why
    );
    let remedy = format!("let the role do {action} there, or its next job fails");
    let mut finding = Finding::new(
        FindingKind::MissingRoleNeed,
        FindingSeverity::Medium,
        message,
        remedy,
    )
    .of(role)
    .list_of("resources", entries.clone(), *all);
    finding.action = Some(action.to_owned());
    finding.calls = lacking.jobs;
    finding.first_time = lacking.first_time;
    finding.last_time = lacking.last_time;
    finding.event_ids.clone_from(&lacking.event_ids);
    finding
}

fn in_excess(role: &str, listed: &Listed) -> Finding {
    let Listed { entries, all } = listed;
    let message = format!(
        "{} is granted {all} thing{} that none of its jobs asked for",
        last_name(role),
        if *all == 1 { "" } else { "s" }
    );
    Finding::new(
        FindingKind::ExcessRoleNeed,
        FindingSeverity::Low,
        message,
        "take them out of the role's policies, if the code that it runs does not need them either",
    )
    .of(role)
    .list_of("actions", entries.clone(), *all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_action_that_is_missing_and_one_for_all_in_excess() {
        let role = "arn:aws:iam::111122223333:role/service-role/Train";
        let mut evidence = RoleNeedEvidence::default();
        for (action, resource_arn, missing) in [
            ("s3:GetObject", "arn:aws:s3:::data/train/*", true),
            ("s3:GetObject", "arn:aws:s3:::data/test/*", true),
            ("s3:DeleteObject", "arn:aws:s3:::data/*", false),
            ("s3:PutObject", "arn:aws:s3:::data/*", false),
        ] {
            evidence.add(&RoleNeedFact {
                role_arn: role,
                action,
                resource_arn,
                missing,
                why: "the input channel `train`",
                jobs: 3,
                first_time: Some(1),
                last_time: Some(2),
                event_id: Some("e"),
            });
        }
        let findings: Vec<Finding> = evidence.findings().collect();
        let shown: Vec<_> = findings
            .iter()
            .map(|one| (one.kind, one.message.as_str(), one.calls))
            .collect();
        let missing = "Train may not do s3:GetObject on arn:aws:s3:::data/train/* and 1 more, which its jobs need: the input channel `train`";
        let excess = "Train is granted 2 things that none of its jobs asked for";
        assert_eq!(
            shown,
            [
                (FindingKind::MissingRoleNeed, missing, 3),
                (FindingKind::ExcessRoleNeed, excess, 0),
            ]
        );
    }
}
