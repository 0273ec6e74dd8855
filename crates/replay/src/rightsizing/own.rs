//! One statement of today, with what is to become of its actions.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{Catalogue, ResourcePattern, StatementView, acts_on};

use super::maker::Entry;
use super::proposal::RightsizingInputs;
use super::statement::{Element, Granted, KeptFor, Origin};
use super::states::{ActionState, State};
use crate::permissions::PermissionState;

/// One `Allow` statement of the principal's own policies.
pub(super) struct Own<'s> {
    pub(super) origin: Origin,
    pub(super) statement: StatementView<'s>,
    pub(super) granted: Granted,
    /// Its actions that stay whole.
    pub(super) kept: BTreeMap<KeptFor, BTreeSet<String>>,
    pub(super) all_kept: BTreeSet<String>,
    /// Its actions that have no resource to act on, or whose service has ended.
    pub(super) dead: BTreeSet<String>,
    pub(super) dropped: BTreeMap<State, BTreeSet<String>>,
}

pub(super) fn actions_of(statement: StatementView<'_>) -> Element {
    let actions = statement.actions().map(str::to_owned).collect();
    match statement.is_not_action() {
        true => Element::AllBut(actions),
        false => Element::These(actions),
    }
}

impl<'s> Own<'s> {
    pub(super) fn new(
        (origin, statement, granted): (Origin, StatementView<'s>, Granted),
        states: &BTreeMap<String, ActionState>,
        inputs: &RightsizingInputs<'_, '_>,
    ) -> Self {
        let mut own = Own {
            origin,
            statement,
            granted,
            kept: BTreeMap::new(),
            all_kept: BTreeSet::new(),
            dead: BTreeSet::new(),
            dropped: BTreeMap::new(),
        };
        for (action, found) in states {
            let used = found.state.0 == PermissionState::Used;
            let goes = goes(found.otherwise.0, inputs);
            let is_of_the_past = is_retired(action, inputs.catalogue);
            if !used && (is_of_the_past || !own.is_live(action, inputs.catalogue)) {
                own.dead.insert(action.clone());
            } else if goes {
                let state = if used { found.state } else { found.otherwise };
                own.dropped.entry(state).or_default().insert(action.clone());
            } else {
                let why = KeptFor {
                    used,
                    state: found.otherwise.0,
                    reason: found.otherwise.1,
                };
                own.all_kept.insert(action.clone());
                own.kept.entry(why).or_default().insert(action.clone());
            }
        }
        own
    }

    /// The used actions that are narrowed; they stand in `dropped` as used.
    pub(super) fn narrowed(&self) -> BTreeSet<&String> {
        let used = self.dropped.iter();
        used.filter(|((state, _), _)| *state == PermissionState::Used)
            .flat_map(|(_, actions)| actions)
            .collect()
    }

    /// Whether any of its resources is one that the action acts on.
    pub(super) fn is_live(&self, action: &str, catalogue: &Catalogue) -> bool {
        match &self.granted.resources {
            Element::AllBut(_) => true,
            Element::These(values) => values.iter().any(|value| suits(action, value, catalogue)),
        }
    }

    /// Those of its resources that an action acts on.
    pub(super) fn suited(&self, action: &str, catalogue: &Catalogue) -> Element {
        let Element::These(values) = &self.granted.resources else {
            return self.granted.resources.clone();
        };
        let suited: Vec<String> = values
            .iter()
            .filter(|value| suits(action, value, catalogue))
            .cloned()
            .collect();
        match suited.is_empty() {
            true => self.granted.resources.clone(),
            false => Element::These(suited),
        }
    }

    /// Whether `*` is among its resources.
    pub(super) fn grants_all(&self) -> bool {
        matches!(&self.granted.resources, Element::These(values) if values.iter().any(|one| one == "*"))
    }

    /// Whether any of what was used may be granted by it.
    pub(super) fn may_grant(&self, entry: &Entry<'_>) -> bool {
        let clipped = entry.pattern.as_deref().map(|used| self.granted.clip(used));
        !matches!(clipped, Some(Some(values)) if values.is_empty())
    }

    /// Those of its resources that an action acts on, or was used on all the same.
    pub(super) fn reached(&self, entries: &[&Entry<'_>], catalogue: &Catalogue) -> Element {
        let Element::These(values) = &self.granted.resources else {
            return self.granted.resources.clone();
        };
        let used: Option<Vec<ResourcePattern>> = entries
            .iter()
            .map(|entry| Some(ResourcePattern::new(entry.pattern.as_deref()?)))
            .collect();
        let action = entries.first().map_or("", |entry| &entry.action);
        let is_reached = |value: &String, pattern: &ResourcePattern| {
            suits(action, value, catalogue)
                || used
                    .as_ref()
                    .is_none_or(|used| used.iter().any(|used| used.may_overlap(pattern)))
        };
        let reached = values.iter().zip(&self.granted.patterns);
        let reached = reached.filter(|(value, pattern)| is_reached(value, pattern));
        Element::These(reached.map(|(value, _)| value.clone()).collect())
    }

    pub(super) fn actions(&self) -> Element {
        actions_of(self.statement)
    }
}

/// Whether the catalogue knows no type of resource that the action acts on.
pub(super) fn is_of_no_type(action: &str, catalogue: &Catalogue) -> bool {
    let known = catalogue.action_named(action);
    known.is_some_and(|action| catalogue.resource_types(action).next().is_none())
}

/// Whether AWS has ended the service: nothing of it can be used any more.
pub(super) fn is_retired(action: &str, catalogue: &Catalogue) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    let known = catalogue.service(service);
    known.is_some_and(|service| service.retired.is_some())
}

pub(super) fn suits(action: &str, resource: &str, catalogue: &Catalogue) -> bool {
    let known = catalogue.action_named(action);
    known.is_none_or(|action| acts_on(catalogue, action, resource))
}

/// Whether an action goes that is in this state.
pub(super) fn goes(state: PermissionState, inputs: &RightsizingInputs<'_, '_>) -> bool {
    match state {
        PermissionState::Unused | PermissionState::Blocked => true,
        PermissionState::Unobservable => inputs.drop_unobservable,
        _ => false,
    }
}
