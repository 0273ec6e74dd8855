//! Execution roles that lack what their jobs ask for, or have what none of them does.

use std::collections::BTreeMap;

use super::differences::last_name;
use super::finding::Finding;
use super::kept::earlier;
use super::kind::{FindingKind, FindingSeverity};
use super::report::RoleNeedFact;

/// One finding per role and action that is missing, resources folded; one per role for all in excess.
pub(crate) fn role_needs(facts: &[RoleNeedFact]) -> Vec<Finding> {
    let mut lacking: BTreeMap<(&str, &str), Vec<&RoleNeedFact>> = BTreeMap::new();
    let mut excess: BTreeMap<&str, Vec<&RoleNeedFact>> = BTreeMap::new();
    for fact in facts {
        match fact.missing {
            true => lacking
                .entry((&fact.role_arn, &fact.action))
                .or_default()
                .push(fact),
            false => excess.entry(&fact.role_arn).or_default().push(fact),
        }
    }
    let lacking = lacking
        .into_iter()
        .map(|((role, action), facts)| missing(role, action, &facts));
    let excess = excess
        .into_iter()
        .map(|(role, facts)| in_excess(role, &facts));
    lacking.chain(excess).collect()
}

fn missing(role: &str, action: &str, facts: &[&RoleNeedFact]) -> Finding {
    let first = facts.first();
    let others = match facts.len() {
        0 | 1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    let message = format!(
        "{} may not do {action} on {}{others}, which its jobs need: {}",
        last_name(role),
        first.map_or("*", |fact| fact.resource_arn.as_str()),
        first.map_or("", |fact| fact.why.as_str())
    );
    let remedy = format!("let the role do {action} there, or its next job fails");
    let mut finding = Finding::new(
        FindingKind::MissingRoleNeed,
        FindingSeverity::Medium,
        message,
        remedy,
    )
    .of(role)
    .list(
        "resources",
        facts.iter().map(|fact| fact.resource_arn.clone()),
    );
    finding.action = Some(action.to_owned());
    // Several needs are of one job: the most jobs of one need are as many as there are at least.
    finding.calls = facts.iter().map(|fact| fact.jobs).max().unwrap_or_default();
    for fact in facts {
        finding.first_time = earlier(finding.first_time, fact.first_time);
        finding.last_time = finding.last_time.max(fact.last_time);
    }
    finding.event_ids = facts
        .iter()
        .filter_map(|fact| fact.event_id.clone())
        .take(3)
        .collect();
    finding.event_ids.dedup();
    finding
}

fn in_excess(role: &str, facts: &[&RoleNeedFact]) -> Finding {
    let message = format!(
        "{} is granted {} thing{} that none of its jobs asked for",
        last_name(role),
        facts.len(),
        if facts.len() == 1 { "" } else { "s" }
    );
    Finding::new(
        FindingKind::ExcessRoleNeed,
        FindingSeverity::Low,
        message,
        "take them out of the role's policies, if the code that it runs does not need them either",
    )
    .of(role)
    .list(
        "actions",
        facts
            .iter()
            .map(|fact| format!("{} on {}", fact.action, fact.resource_arn)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_action_that_is_missing_and_one_for_all_in_excess() {
        let role = "arn:aws:iam::111122223333:role/service-role/Train";
        let fact = |action: &str, resource: &str, missing| RoleNeedFact {
            role_arn: role.to_owned(),
            action: action.to_owned(),
            resource_arn: format!("arn:aws:s3:::{resource}"),
            missing,
            why: "the input channel `train`".to_owned(),
            jobs: 3,
            first_time: Some(1),
            last_time: Some(2),
            event_id: Some("e".to_owned()),
        };
        let facts = [
            fact("s3:GetObject", "data/train/*", true),
            fact("s3:GetObject", "data/test/*", true),
            fact("s3:DeleteObject", "data/*", false),
            fact("s3:PutObject", "data/*", false),
        ];
        let findings = role_needs(&facts);
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
