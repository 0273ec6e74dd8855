//! What the calls of one principal show, by the numbers of the catalogue's actions.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::documents::{Actions, Statement};
use super::uses::{PrincipalUses, Use};

/// What the calls of a principal show, by number of the catalogue's actions.
pub(super) struct Evidence<'d> {
    pub(super) used: FxHashMap<(u32, u32), Vec<UsedAction<'d>>>,
    pub(super) undetermined: Vec<(u32, &'d Use)>,
}

/// An action by its name and, where the catalogue has it, its number.
type UsedAction<'d> = (&'d str, Option<u32>, &'d Use);

/// What they show of one statement.
pub(super) struct Shown<'d> {
    pub(super) of_action: BTreeMap<u32, ShownAction<'d>>,
    /// Actions that the catalogue does not have.
    pub(super) unknown: BTreeMap<&'d str, &'d Use>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShownAction<'d> {
    pub(super) used: Option<&'d Use>,
    pub(super) undetermined: Option<&'d Use>,
}

impl<'d> Evidence<'d> {
    pub(super) fn of(
        uses: Option<&'d PrincipalUses>,
        texts: &FxHashMap<u32, &'d str>,
        actions: &Actions<'_>,
    ) -> Self {
        let mut evidence = Evidence {
            used: FxHashMap::default(),
            undetermined: Vec::new(),
        };
        let Some(uses) = uses else {
            return evidence;
        };
        let name = |number: &u32| texts.get(number).copied().unwrap_or_default();
        for ((policy, statement, action), used) in &uses.used {
            let name = name(action);
            let of_statement = evidence.used.entry((*policy, *statement)).or_default();
            of_statement.push((name, actions.number(name), used));
        }
        for (action, calls) in &uses.undetermined {
            let number = actions.number(name(action));
            evidence
                .undetermined
                .extend(number.map(|number| (number, calls)));
        }
        evidence
    }

    pub(super) fn of_statement(&self, policy: Option<u32>, statement: &Statement<'_>) -> Shown<'d> {
        let mut shown = Shown {
            of_action: BTreeMap::new(),
            unknown: BTreeMap::new(),
        };
        let of_statement = policy.and_then(|policy| self.used.get(&(policy, statement.index)));
        for (name, number, used) in of_statement.into_iter().flatten() {
            match number {
                Some(number) => shown.of_action.entry(*number).or_default().used = Some(used),
                None => drop(shown.unknown.insert(name, used)),
            }
        }
        for (number, calls) in &self.undetermined {
            let is_about = statement.spelled.binary_search(number).is_ok()
                || statement.wild.binary_search(number).is_ok();
            if is_about {
                shown.of_action.entry(*number).or_default().undetermined = Some(calls);
            }
        }
        shown
    }
}
