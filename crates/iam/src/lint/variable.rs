//! Policy variables: only under `2012-10-17`, and only of documented keys.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::document::{Located, Policy, Statement};
use super::report::Report;
use super::{LintRule, source, suggest};
use crate::Catalogue;

/// Checks the variables in resources and condition values.
pub(super) fn check(
    policy: &Policy,
    statement: &Statement,
    catalogue: &Catalogue,
    report: &mut Report<'_>,
) {
    let resources = statement
        .resource
        .iter()
        .flat_map(|element| &element.values);
    let values = statement
        .conditions
        .iter()
        .flat_map(|condition| &condition.values);
    for value in resources.chain(values) {
        for name in variables(&value.text) {
            if policy.has_variables {
                unknown(name, value, catalogue, report);
            } else {
                let message = format!(
                    "`${{{name}}}` is plain text: the document has not `\"Version\": \"2012-10-17\"`"
                );
                report
                    .add(LintRule::VariableInOldVersion, value.offset, message)
                    .hint("add `\"Version\": \"2012-10-17\"`");
            }
        }
    }
}

fn unknown(name: &str, value: &Located, catalogue: &Catalogue, report: &mut Report<'_>) {
    // `${key, 'default'}`
    let key = name.split(',').next().unwrap_or_default().trim();
    if matches!(key, "*" | "?" | "$") || catalogue.condition_key(key).is_some() {
        return;
    }
    let message = format!("the variable `${{{name}}}` names no documented condition key");
    let names = catalogue.global_keys().map(|known| known.name);
    report
        .add(LintRule::UnknownConditionKey, value.offset, message)
        .hint(match suggest::nearest(key, names) {
            Some(meant) => format!("did you mean `${{{meant}}}`? ({})", source(catalogue)),
            None => format!("by {}", source(catalogue)),
        });
}

/// What stands inside each `${…}`.
fn variables(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once("${") {
        let Some((name, tail)) = tail.split_once('}') else {
            break;
        };
        found.push(name);
        rest = tail;
    }
    found
}
