//! What is to become of each permission, by the states that the table `permissions` has.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::Catalogue;

use crate::permissions::{ActionSet, Permission, PermissionReason, PermissionState};

/// A state, and why.
pub(super) type State = (PermissionState, Option<PermissionReason>);

/// The permissions of the chosen principals, as [`crate::permissions()`] gives them.
///
/// # Memory
/// The rows of the chosen principals, and the sets of actions that they name.
#[derive(Debug, Default)]
pub struct PermissionStates {
    chosen: Option<BTreeSet<String>>,
    /// By principal, policy and statement.
    rows: BTreeMap<(String, String, u32), Vec<StateRow>>,
    sets: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StateRow {
    /// An action, or a set of them.
    name: String,
    is_set: bool,
    state: State,
    otherwise: State,
}

/// The state of one action of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ActionState {
    pub(super) state: State,
    /// Of what it allows beside what was used.
    pub(super) otherwise: State,
}

impl PermissionStates {
    /// Of the chosen principals, or of all.
    pub fn new(chosen: Option<BTreeSet<String>>) -> Self {
        Self {
            chosen,
            ..Self::default()
        }
    }

    /// Takes in a permission.
    pub fn see(&mut self, permission: &Permission<'_>) {
        let chosen = self.chosen.as_ref();
        if chosen.is_some_and(|chosen| !chosen.contains(permission.principal_arn)) {
            return;
        }
        let Some(index) = permission.statement_index else {
            return;
        };
        let Some(name) = permission.action.or(permission.action_set) else {
            return;
        };
        let is_set = permission.action.is_none();
        if is_set && !self.sets.contains_key(name) {
            self.sets.insert(name.to_owned(), Vec::new());
        }
        let key = (
            permission.principal_arn.to_owned(),
            permission.policy.to_owned(),
            index,
        );
        self.rows.entry(key).or_default().push(StateRow {
            name: name.to_owned(),
            is_set,
            state: (permission.state, permission.reason),
            otherwise: permission.otherwise,
        });
    }

    /// Takes in a set of actions that permissions name; after all of them.
    pub fn set(&mut self, (name, actions): ActionSet<'_, '_>) {
        if let Some(set) = self.sets.get_mut(name) {
            let names = actions.iter().map(|action| action.full_name.to_owned());
            *set = names.collect();
        }
    }

    /// What is said of a statement.
    pub(super) fn rows(&self, (principal, policy, index): (&str, &str, u32)) -> &[StateRow] {
        let key = (principal.to_owned(), policy.to_owned(), index);
        self.rows.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The actions of a statement, each with its state; in the catalogue's spelling where it has them.
    pub(super) fn of(
        &self,
        statement: (&str, &str, u32),
        catalogue: &Catalogue,
    ) -> BTreeMap<String, ActionState> {
        let mut actions = BTreeMap::new();
        let rows = self.rows(statement);
        for row in rows.iter().filter(|row| row.is_set) {
            for action in self.sets.get(&row.name).into_iter().flatten() {
                actions.insert(action.clone(), row.action());
            }
        }
        // Those that have a row of their own are not what the sets stand for.
        for row in rows.iter().filter(|row| !row.is_set) {
            actions.insert(spelled(&row.name, catalogue), row.action());
        }
        actions
    }
}

impl StateRow {
    fn action(&self) -> ActionState {
        ActionState {
            state: self.state,
            otherwise: self.otherwise,
        }
    }
}

/// An action as the catalogue spells it.
pub(super) fn spelled(action: &str, catalogue: &Catalogue) -> String {
    let known = catalogue.action_named(action);
    known.map_or_else(|| action.to_owned(), |action| action.full_name.to_owned())
}
