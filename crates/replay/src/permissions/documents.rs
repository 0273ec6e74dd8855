//! Documents, expanded into the catalogue's actions: once per content, not once per principal.

use std::sync::Arc;

use retrial_iam::{Action, Allowance, Catalogue, CompiledPolicy, PrincipalKind, Snapshot};
use rustc_hash::FxHashMap;

/// All actions of the catalogue, by number in the order of their names.
pub(crate) struct Actions<'c> {
    actions: Vec<Action<'c>>,
}

impl<'c> Actions<'c> {
    pub(crate) fn of(catalogue: &'c Catalogue) -> Self {
        Self {
            actions: catalogue.actions_by_name().collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.actions.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Action<'c>> {
        self.actions.iter().copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<Action<'c>> {
        self.actions.get(number as usize).copied()
    }

    pub(crate) fn name(&self, number: u32) -> &'c str {
        self.get(number).map_or("", |action| action.full_name)
    }

    /// The number of an action that has at least this one.
    fn number_from(&self, least: u32, name: &str) -> Option<u32> {
        let rest = self.actions.get(least as usize..)?;
        // Of a wildcard it is mostly the very next one.
        let found = match rest.first()?.full_name == name {
            true => Ok(0),
            false => rest.binary_search_by(|action| action.full_name.cmp(name)),
        };
        Some(least + u32::try_from(found.ok()?).ok()?)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        let found = self
            .actions
            .binary_search_by(|action| action.full_name.cmp(name));
        u32::try_from(found.ok()?).ok()
    }
}

/// One `Allow` statement of a document.
#[derive(Debug)]
pub(crate) struct Statement<'s> {
    pub(crate) index: u32,
    pub(crate) sid: Option<&'s str>,
    /// Ascending.
    pub(crate) spelled: Vec<u32>,
    /// Ascending: those that a wildcard or a `NotAction` stands for.
    pub(crate) wild: Vec<u32>,
    pub(crate) unknown: Vec<&'s str>,
    pub(crate) regions: Option<Vec<&'s str>>,
    pub(crate) passed_to: Option<Vec<&'s str>>,
}

impl<'s> Statement<'s> {
    fn of(allowance: Allowance<'s, '_>, actions: &Actions<'_>) -> Self {
        let (mut spelled, mut wild) = (Vec::new(), Vec::new());
        let mut next = 0;
        for allowed in &allowance.actions {
            if let Some(number) = actions.number_from(next, allowed.action.full_name) {
                next = number + 1;
                match allowed.spelled {
                    true => spelled.push(number),
                    false => wild.push(number),
                }
            }
        }
        Statement {
            index: allowance.index,
            sid: allowance.sid,
            spelled,
            wild,
            unknown: allowance.unknown,
            regions: allowance.regions,
            passed_to: allowance.passed_to,
        }
    }
}

/// Documents by where they are in memory: equal contents are one document there.
///
/// # Memory
/// 4 bytes for each action of each document kept, up to [`KEPT_ACTIONS`]; then all are forgotten.
#[derive(Clone, Default)]
pub(crate) struct Documents<'s> {
    expanded: FxHashMap<usize, Arc<Vec<Statement<'s>>>>,
    kept: usize,
}

/// Some hundred documents that allow everything.
pub(crate) const KEPT_ACTIONS: usize = 4 << 20;

/// What is expanded before it is asked for, a megabyte: it is kept while records are read, which need memory of their
/// own.
const READY_ACTIONS: usize = KEPT_ACTIONS / 16;

impl<'s> Documents<'s> {
    /// With those of a snapshot's principals, as many as are made ready.
    pub(crate) fn of(
        snapshot: &'s Snapshot,
        (catalogue, actions): (&Catalogue, &Actions<'_>),
    ) -> Self {
        let mut documents = Self::default();
        let principals = snapshot.principals();
        let policies = principals
            .filter(|principal| principal.kind != PrincipalKind::Root)
            .flat_map(|principal| &principal.identity)
            .flat_map(|attached| &attached.policy);
        for policy in policies {
            if documents.kept >= READY_ACTIONS {
                break;
            }
            documents.expand(policy, (catalogue, actions));
        }
        documents
    }

    pub(crate) fn expand(
        &mut self,
        policy: &'s CompiledPolicy,
        (catalogue, actions): (&Catalogue, &Actions<'_>),
    ) -> Arc<Vec<Statement<'s>>> {
        let place = std::ptr::from_ref(policy).addr();
        if let Some(found) = self.expanded.get(&place) {
            return Arc::clone(found);
        }
        let allowances = policy.allowances(catalogue).into_iter();
        let statements: Vec<Statement<'s>> = allowances
            .map(|allowance| Statement::of(allowance, actions))
            .collect();
        let size: usize = statements
            .iter()
            .map(|statement| statement.spelled.len() + statement.wild.len())
            .sum();
        if self.kept + size > KEPT_ACTIONS {
            self.expanded.clear();
            self.kept = 0;
        }
        self.kept += size;
        let statements = Arc::new(statements);
        self.expanded.insert(place, Arc::clone(&statements));
        statements
    }
}
