//! Execution roles that lack what their jobs ask for, or have what none of them does.

use std::collections::BTreeMap;

use super::differences::last_name;
use super::finding::Finding;
use super::kind::{FindingKind, FindingSeverity};
use super::report::RoleNeedFact;

/// What is missing is told one by one; what is in excess once per role.
pub(crate) fn role_needs(facts: &[RoleNeedFact]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts
        .iter()
        .filter(|one| one.missing)
        .map(missing)
        .collect();
    let mut excess: BTreeMap<&str, Vec<&RoleNeedFact>> = BTreeMap::new();
    for fact in facts.iter().filter(|one| !one.missing) {
        excess.entry(&fact.role_arn).or_default().push(fact);
    }
    findings.extend(
        excess
            .into_iter()
            .map(|(role, facts)| in_excess(role, &facts)),
    );
    findings
}

fn missing(fact: &RoleNeedFact) -> Finding {
    let on = fact.resource_arn.as_deref().map(|arn| format!(" on {arn}"));
    let message = format!(
        "{} may not do {}{}, which its jobs need: {}",
        last_name(&fact.role_arn),
        fact.action,
        on.unwrap_or_default(),
        fact.why
    );
    let remedy = format!(
        "let the role do {} there, or its next job fails",
        fact.action
    );
    let mut finding = Finding::new(
        FindingKind::MissingRoleNeed,
        FindingSeverity::Medium,
        message,
        remedy,
    )
    .of(&fact.role_arn);
    finding.action = Some(fact.action.clone());
    finding.resource_arn = fact.resource_arn.clone();
    finding.calls = fact.calls;
    finding.last_time = fact.last_time;
    finding.event_ids = fact.event_id.iter().cloned().collect();
    finding
}

fn in_excess(role: &str, facts: &[&RoleNeedFact]) -> Finding {
    let message = format!(
        "{} may do {} thing{} that none of its jobs asked for",
        last_name(role),
        facts.len(),
        if facts.len() == 1 { "" } else { "s" }
    );
    Finding::new(
        FindingKind::ExcessRoleNeed,
        FindingSeverity::Low,
        message,
        "take them out of the role's policies, if its code does not need them either",
    )
    .of(role)
    .list(
        "actions",
        facts.iter().map(|fact| match &fact.resource_arn {
            Some(arn) => format!("{} on {arn}", fact.action),
            None => fact.action.clone(),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_that_is_missing_and_one_for_all_in_excess() {
        let role = "arn:aws:iam::111122223333:role/service-role/Train";
        let fact = |action: &str, missing| RoleNeedFact {
            role_arn: role.to_owned(),
            action: action.to_owned(),
            resource_arn: Some("arn:aws:s3:::data/train/*".to_owned()),
            missing,
            why: "the input channel `train`".to_owned(),
            calls: 3,
            last_time: Some(1),
            event_id: Some("e".to_owned()),
        };
        let facts = [
            fact("s3:GetObject", true),
            fact("s3:DeleteObject", false),
            fact("s3:PutObject", false),
        ];
        let findings = role_needs(&facts);
        let shown: Vec<_> = findings
            .iter()
            .map(|one| (one.kind, one.message.as_str(), one.calls))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    FindingKind::MissingRoleNeed,
                    "Train may not do s3:GetObject on arn:aws:s3:::data/train/*, which its jobs need: the input channel `train`",
                    3
                ),
                (
                    FindingKind::ExcessRoleNeed,
                    "Train may do 2 things that none of its jobs asked for",
                    0
                ),
            ]
        );
    }
}
