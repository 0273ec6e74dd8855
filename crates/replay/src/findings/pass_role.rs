//! `iam:PassRole`: to which service, and of which roles nobody made use.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>

use retrial_iam::{Effect, Resource, StatementView};

use super::asking::{Answer, Asker};
use super::differences::last_name;
use super::finding::Finding;
use super::gather::FindingEvidence;
use super::kind::{FindingKind, FindingSeverity};
use super::report::Occasion;
use super::statements::{attached, holders, is_customers};

const PASS_ROLE: &str = "iam:PassRole";

/// All findings about passing roles.
pub(crate) fn pass_role(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut findings = to_any_service(occasion);
    findings.extend(never_passed(evidence, occasion));
    findings
}

/// Statements that let roles be passed without saying to which service.
fn to_any_service(occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, (policy, principals)) in attached(occasion) {
        let Ok(document) = &policy.policy else {
            continue;
        };
        for statement in document.statements_about(PASS_ROLE) {
            if !lets_pass_to_any(&statement) {
                continue;
            }
            let wide = statement.is_not_resource()
                || statement
                    .resources()
                    .any(|resource| resource == "*" || resource.ends_with(":role/*"));
            let (severity, which) = match wide {
                true => (FindingSeverity::Medium, "any role"),
                false => (FindingSeverity::Low, "the roles that it names"),
            };
            let message = format!("lets {} pass {which} to any service", holders(&principals));
            let remedy =
                "add a condition on iam:PassedToService with the services that are to get the role";
            let finding =
                Finding::new(FindingKind::PassRoleToAnyService, severity, message, remedy)
                    .of_statement(id, &statement)
                    .list("principals", principals.iter().map(|one| one.arn.clone()))
                    .list("resources", statement.resources().map(str::to_owned));
            findings.push(finding);
        }
    }
    findings
}

fn lets_pass_to_any(statement: &StatementView<'_>) -> bool {
    let says_service = || {
        statement.conditions().any(|condition| {
            condition.key().eq_ignore_ascii_case("iam:PassedToService")
                && !condition.values().any(|value| value == "*")
        })
    };
    // A statement about every action is an administrator's: that it also passes roles is no news.
    let is_administrators =
        || statement.is_not_action() || statement.actions().any(|one| one == "*");
    statement.effect() == Effect::Allow && !says_service() && !is_administrators()
}

/// Roles that a principal may pass, and that it did not pass in the window.
fn never_passed(evidence: &FindingEvidence<'_>, occasion: &Occasion<'_>) -> Vec<Finding> {
    let mut asker = Asker::new(occasion.snapshot, occasion.catalogue);
    let mut findings = Vec::new();
    for principal in occasion.snapshot.principals() {
        let names_it = principal.identity.iter().any(|policy| {
            let document = policy.policy.as_ref();
            is_customers(policy)
                && document.is_ok_and(|document| {
                    document.statements_about(PASS_ROLE).iter().any(|one| {
                        one.effect() == Effect::Allow && !one.actions().any(|a| a == "*")
                    })
                })
        });
        let is_observed = occasion.is_observed(&principal.account);
        if principal.is_service_linked() || !names_it || !is_observed {
            continue;
        }
        let roles = occasion.snapshot.principals().filter(|role| {
            role.account == principal.account
                && role.arn.contains(":role/")
                && !role.is_service_linked()
                && !role.is_of_permission_set()
        });
        let may_pass = roles.filter(|role| {
            let answer = asker.ask(principal, PASS_ROLE, Resource::Arn(&role.arn), &[]);
            matches!(answer, Answer::Yes | Answer::Depends(_))
        });
        let unused: Vec<String> = may_pass
            .filter(|role| {
                let pair = (principal.arn.as_str(), role.arn.as_str());
                !evidence.passed.contains_key(&pair)
            })
            .map(|role| role.arn.clone())
            .collect();
        if unused.is_empty() {
            continue;
        }
        let message = format!(
            "{} may pass {} role{} that it never passed",
            last_name(&principal.arn),
            unused.len(),
            if unused.len() == 1 { "" } else { "s" }
        );
        let remedy = "let `Resource` of the PassRole statement name the roles that are passed";
        let mut finding = Finding::new(
            FindingKind::RoleNeverPassed,
            FindingSeverity::Low,
            message,
            remedy,
        )
        .of(&principal.arn)
        .list("roles", unused);
        finding.action = Some(PASS_ROLE.to_owned());
        findings.push(finding);
    }
    findings
}
