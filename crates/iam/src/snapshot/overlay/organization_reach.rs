//! For whom a changed organization decides otherwise, and for which of their actions.
//!
//! A statement says nothing about actions that it does not match, and where every level of an account has
//! AWS's full access, before and after, the levels allow all else. So a changed statement there is about its
//! own actions only. Where that is not so, or cannot be seen, the change is about every action.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::super::organization::{Organization, PolicyType, Standing, StandingLevel};
use crate::pattern::ActionElement;

/// For whom a changed organization decides otherwise.
#[derive(Default)]
pub(super) struct OrganizationReach {
    /// The accounts whose service control policies are others now.
    pub(super) scp: BTreeMap<String, ChangedActions>,
    /// What changed statements of resource control policies are about.
    pub(super) rcp: Vec<Arc<ActionElement>>,
    /// Whether the resource control policies of any action, or who is the management account, are others.
    pub(super) is_more: bool,
}

/// What changed statements are about.
#[derive(Clone)]
pub(super) enum ChangedActions {
    /// Any action.
    All,
    /// These, level by level.
    Of(Vec<Arc<ActionElement>>),
}

/// What changed on a node: nothing, statements about these actions, or (`None` in place of them) any.
type OnNode = Option<Option<Arc<ActionElement>>>;

impl OrganizationReach {
    pub(super) fn of(before: Option<&Organization>, after: &Organization) -> OrganizationReach {
        let accounts: BTreeSet<&str> = before
            .into_iter()
            .flat_map(Organization::accounts)
            .chain(after.accounts())
            .collect();
        let mut reach = OrganizationReach::default();
        let mut nodes = Nodes::default();
        for account in accounts {
            reach.account(account, (before, after), &mut nodes);
        }
        reach
    }

    fn account<'o>(
        &mut self,
        account: &str,
        (before, after): (Option<&'o Organization>, &'o Organization),
        nodes: &mut Nodes<'o>,
    ) {
        let was = before.and_then(|before| before.standing(account));
        let is = after.standing(account);
        let management = |standing: &Option<Standing<'_>>| {
            standing.as_ref().map(|standing| standing.is_management)
        };
        self.is_more |= management(&was) != management(&is);
        for (number, policy_type) in [PolicyType::ServiceControl, PolicyType::ResourceControl]
            .into_iter()
            .enumerate()
        {
            let levels = |standing: &Option<Standing<'o>>| {
                let standing = standing.as_ref()?;
                standing.levels.get(number)?.clone()
            };
            let is_full = |organization: Option<&Organization>| {
                organization.is_some_and(|it| it.has_full_access(account, policy_type))
            };
            let told = (was.is_none(), is.is_none());
            let actions = match (levels(&was), levels(&is)) {
                (was, is) if was == is && told.0 == told.1 => continue,
                (Some(was), Some(is)) if is_full(before) && is_full(Some(after)) => {
                    nodes.changed(number, (&was, &is))
                }
                _ => ChangedActions::All,
            };
            match (policy_type, actions) {
                (PolicyType::ServiceControl, actions) => {
                    self.scp.insert(account.to_owned(), actions);
                }
                (PolicyType::ResourceControl, ChangedActions::All) => self.is_more = true,
                (PolicyType::ResourceControl, ChangedActions::Of(actions)) => {
                    let is_new = |one: &Arc<ActionElement>| {
                        !self.rcp.iter().any(|known| Arc::ptr_eq(known, one))
                    };
                    let new: Vec<_> = actions.into_iter().filter(is_new).collect();
                    self.rcp.extend(new);
                }
            }
        }
    }
}

/// What changed on each root, unit and account that was looked at: most accounts share most of them.
#[derive(Default)]
struct Nodes<'o>(FxHashMap<(usize, &'o str), OnNode>);

impl<'o> Nodes<'o> {
    fn changed(
        &mut self,
        of_type: usize,
        (was, is): (&[StandingLevel<'o>], &[StandingLevel<'o>]),
    ) -> ChangedActions {
        let path = |levels: &[StandingLevel<'o>]| -> Vec<&'o str> {
            levels.iter().map(|(node, _)| *node).collect()
        };
        if path(was) != path(is) {
            return ChangedActions::All;
        }
        let mut actions = Vec::new();
        for ((node, was), (_, is)) in was.iter().zip(is) {
            let on_node = self.0.entry((of_type, node));
            match on_node.or_insert_with(|| changed_on_node(was, is)) {
                None => {}
                Some(Some(element)) => actions.push(Arc::clone(element)),
                Some(None) => return ChangedActions::All,
            }
        }
        ChangedActions::Of(actions)
    }
}

/// A policy on a node: its id, and its document.
type OnLevel<'o> = (&'o str, Option<&'o str>);

fn changed_on_node(was: &[OnLevel<'_>], is: &[OnLevel<'_>]) -> OnNode {
    let only = |these: &[OnLevel<'_>], others: &[OnLevel<'_>]| -> Option<Vec<(Value, Value)>> {
        let new = these.iter().filter(|one| !others.contains(one));
        let mut statements = Vec::new();
        for (_, document) in new {
            statements.extend(statements_of((*document)?)?);
        }
        Some(statements)
    };
    if was == is {
        return None;
    }
    let (Some(mut gone), Some(new)) = (only(was, is), only(is, was)) else {
        return Some(None);
    };
    let mut changed = Vec::new();
    for statement in new {
        match gone.iter().position(|one| *one == statement) {
            Some(at) => drop(gone.swap_remove(at)),
            None => changed.push(statement),
        }
    }
    changed.append(&mut gone);
    let mut patterns = Vec::new();
    for (_, statement) in &changed {
        match actions_of(statement) {
            Some(of_statement) => patterns.extend(of_statement),
            None => return Some(None),
        }
    }
    if patterns.is_empty() {
        return None;
    }
    Some(Some(Arc::new(ActionElement::new(false, &patterns))))
}

/// The statements of a document, each with the version of the language that it is read in.
fn statements_of(document: &str) -> Option<Vec<(Value, Value)>> {
    let mut document: Value = serde_json::from_str(document).ok()?;
    let document = document.as_object_mut()?;
    let version = document.get("Version").cloned().unwrap_or_default();
    let statements = match document.remove("Statement")? {
        Value::Array(statements) => statements,
        statement => vec![statement],
    };
    let with_version = statements.into_iter().map(|one| (version.clone(), one));
    Some(with_version.collect())
}

/// The patterns of `Action`; `None` where the statement is about all others than it names.
fn actions_of(statement: &Value) -> Option<Vec<String>> {
    let statement = statement.as_object()?;
    let is_negated = statement
        .keys()
        .any(|key| key.eq_ignore_ascii_case("NotAction"));
    let (_, actions) = statement
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("Action"))
        .filter(|_| !is_negated)?;
    match actions {
        Value::String(action) => Some(vec![action.clone()]),
        Value::Array(actions) => actions
            .iter()
            .map(|action| action.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["s3:Delete*"],"Resource":"*"}}"#;
    const TWO: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","Action":"kms:Disable*","Resource":"*"},
        {"Effect":"Deny","Action":["s3:Delete*"],"Resource":"*"}]}"#;
    const OLD: &str = r#"{"Statement":{"Effect":"Deny","Action":["s3:Delete*"],"Resource":"*"}}"#;
    const ALL_BUT: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","NotAction":"s3:*","Resource":"*"}]}"#;

    fn patterns(was: &[OnLevel<'_>], is: &[OnLevel<'_>]) -> String {
        match changed_on_node(was, is) {
            None => "nothing".to_owned(),
            Some(None) => "all".to_owned(),
            Some(Some(element)) => element.source().join(" "),
        }
    }

    #[test]
    fn the_actions_of_statements_that_are_others() {
        let check = |was: &[(&'static str, &'static str)],
                     is: &[(&'static str, &'static str)],
                     expect: &str| {
            let level = |policies: &[(&'static str, &'static str)]| -> Vec<OnLevel<'static>> {
                let policies = policies.iter();
                policies.map(|(id, text)| (*id, Some(*text))).collect()
            };
            assert_eq!(patterns(&level(was), &level(is)), expect);
        };
        check(&[], &[("a", DENY)], "s3:Delete*");
        check(&[("a", DENY)], &[], "s3:Delete*");
        check(&[("a", DENY)], &[("a", DENY)], "nothing");
        check(&[("a", DENY)], &[("b", DENY)], "nothing");
        check(&[("a", DENY)], &[("a", TWO)], "kms:Disable*");
        check(
            &[("a", TWO)],
            &[("a", DENY), ("b", DENY)],
            "s3:Delete* kms:Disable*",
        );
        check(&[("a", DENY)], &[("a", OLD)], "s3:Delete* s3:Delete*");
        check(&[("a", DENY)], &[("a", ALL_BUT)], "all");
        check(
            &[("a", DENY), ("b", ALL_BUT)],
            &[("b", ALL_BUT)],
            "s3:Delete*",
        );
    }

    #[test]
    fn a_document_that_is_not_there_can_be_about_anything() {
        assert_eq!(patterns(&[], &[("a", None)]), "all");
        assert_eq!(patterns(&[("a", None)], &[("a", None)]), "nothing");
        assert_eq!(patterns(&[("a", Some("{}"))], &[]), "all");
    }
}
