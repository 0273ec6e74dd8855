//! Actions: whether the catalogue knows them, and which ones a pattern stands for.

use super::document::{Located, Statement};
use super::form::Form;
use super::report::Report;
use super::{LintRule, PolicyKind, source, suggest};
use crate::{Action, Catalogue, Effect};

/// A value of `Action` and the actions that it stands for.
pub(super) struct Expanded<'c> {
    pub(super) offset: usize,
    pub(super) text: String,
    pub(super) actions: Vec<Action<'c>>,
    /// `*`: more than anyone lists.
    pub(super) all: bool,
    /// Whether it has a wildcard.
    pub(super) is_pattern: bool,
}

/// The actions of every value, with findings for those that stand for none.
pub(super) fn expand<'c>(
    statement: &Statement,
    catalogue: &'c Catalogue,
    report: &mut Report<'_>,
) -> Vec<Expanded<'c>> {
    let Some(element) = &statement.action else {
        return Vec::new();
    };
    element
        .values
        .iter()
        .map(|value| expand_one(value, catalogue, report))
        .collect()
}

fn expand_one<'c>(
    value: &Located,
    catalogue: &'c Catalogue,
    report: &mut Report<'_>,
) -> Expanded<'c> {
    let mut expanded = Expanded {
        offset: value.offset,
        text: value.text.clone(),
        actions: Vec::new(),
        all: is_all_stars(&value.text),
        is_pattern: value.text.contains(['*', '?']),
    };
    if expanded.all || value.text.contains('<') {
        // An unfilled placeholder is reported as one, and stands for anything.
        expanded.all = true;
        return expanded;
    }
    let Some((prefix, name)) = value.text.split_once(':') else {
        let message = format!("action `{}` has no service prefix", value.text);
        report
            .add(LintRule::InvalidAction, value.offset, message)
            .hint("an action is `service:Name`, such as `s3:GetObject`");
        return expanded;
    };
    let Some(service) = catalogue.service(prefix) else {
        unknown_service(prefix, value, catalogue, report);
        return expanded;
    };
    if let Some(retired) = service.retired {
        let message = format!(
            "`{}` is an action of {}: {retired}",
            value.text, service.name
        );
        report
            .add(LintRule::RetiredService, value.offset, message)
            .hint("remove it: no request can have this action any more");
    }
    expanded.actions = match catalogue.action(prefix, name) {
        Some(action) => vec![action],
        None if expanded.is_pattern => matching(catalogue, prefix, name),
        None => Vec::new(),
    };
    if expanded.actions.is_empty() {
        unknown_action(service.prefix, name, value, catalogue, report);
    }
    expanded
}

/// The actions of a service that a pattern matches, whatever the case.
fn matching<'c>(catalogue: &'c Catalogue, prefix: &str, pattern: &str) -> Vec<Action<'c>> {
    let form = Form::of_pattern(&pattern.to_ascii_lowercase());
    catalogue
        .actions(prefix)
        .filter(|action| form.meets(&Form::of_text(&short_name(action).to_ascii_lowercase())))
        .collect()
}

/// The name without its service.
pub(super) fn short_name<'c>(action: &Action<'c>) -> &'c str {
    action
        .full_name
        .split_once(':')
        .map_or(action.full_name, |(_, name)| name)
}

/// The service's prefix, as the name has it.
pub(super) fn service_of<'c>(action: &Action<'c>) -> &'c str {
    let name = short_name(action).len();
    action
        .full_name
        .get(..action.full_name.len().saturating_sub(name + 1))
        .unwrap_or_default()
}

fn unknown_service(prefix: &str, value: &Located, catalogue: &Catalogue, report: &mut Report<'_>) {
    let message = format!(
        "no service has the prefix `{prefix}`, so `{}` matches no action",
        value.text
    );
    let meant = suggest::nearest(prefix, catalogue.services().map(|service| service.prefix));
    report
        .add(LintRule::UnknownService, value.offset, message)
        .hint(match meant {
            Some(meant) => format!("did you mean `{meant}`? ({})", source(catalogue)),
            None => format!("unknown or retired service, by {}", source(catalogue)),
        });
}

fn unknown_action(
    prefix: &str,
    name: &str,
    value: &Located,
    catalogue: &Catalogue,
    report: &mut Report<'_>,
) {
    let message = if value.text.contains(['*', '?']) {
        format!("`{}` matches no action of {prefix}", value.text)
    } else {
        format!("{prefix} has no action `{name}`")
    };
    let meant = suggest::nearest(
        name,
        catalogue.actions(prefix).map(|action| short_name(&action)),
    );
    report
        .add(LintRule::UnknownAction, value.offset, message)
        .hint(match meant {
            Some(meant) => format!("did you mean `{prefix}:{meant}`? ({})", source(catalogue)),
            None => format!("by {}", source(catalogue)),
        });
}

/// What an allow of whole services and of `iam:PassRole` should be asked.
pub(super) fn breadth(
    statement: &Statement,
    expanded: &[Expanded<'_>],
    kind: PolicyKind,
    report: &mut Report<'_>,
) {
    // The `*` of a key's or an endpoint's own policy is that one, and limiting policies grant nothing.
    let grants = matches!(kind, PolicyKind::Identity | PolicyKind::Session);
    if !grants
        || statement.effect != Some(Effect::Allow)
        || statement
            .action
            .as_ref()
            .is_none_or(|element| element.negated)
    {
        return;
    }
    let on_everything = statement.resource.as_ref().is_some_and(|resource| {
        !resource.negated
            && resource
                .values
                .iter()
                .any(|value| is_all_stars(&value.text))
    });
    for value in expanded {
        let whole_service = value
            .text
            .split_once(':')
            .is_some_and(|(_, name)| is_all_stars(name));
        if (is_all_stars(&value.text) || whole_service)
            && on_everything
            && statement.conditions.is_empty()
        {
            let message = format!(
                "`{}` on `*` without a condition: every action on every resource",
                value.text
            );
            report
                .add(LintRule::FullServiceAccess, value.offset, message)
                .hint("for administrators only");
        }
        if value
            .actions
            .iter()
            .any(|action| action.full_name == "iam:PassRole")
            && !value.is_pattern
        {
            pass_role(statement, value, report);
        }
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>
fn pass_role(statement: &Statement, value: &Expanded<'_>, report: &mut Report<'_>) {
    let limited = statement.conditions.iter().any(|condition| {
        condition
            .key
            .text
            .eq_ignore_ascii_case("iam:PassedToService")
    });
    if !limited {
        report
            .add(
                LintRule::PassRoleWithoutService,
                value.offset,
                "`iam:PassRole` without a condition on `iam:PassedToService`: the roles can be passed to any service",
            )
            .hint(
                "add `\"Condition\": {\"StringEquals\": {\"iam:PassedToService\": \"sagemaker.amazonaws.com\"}}` or the like",
            );
    }
}

/// `*`, `**`, …
pub(super) fn is_all_stars(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'*')
}
