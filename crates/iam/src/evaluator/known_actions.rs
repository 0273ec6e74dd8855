//! Actions that came up before, made ready for policies: in lower case, with the rules of their service.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use super::granting_source::ActionRules;
use crate::pattern::{ActionName, FoldedAction};

/// An action, made ready.
#[derive(Debug)]
pub(crate) struct KnownAction {
    /// As requests write it.
    written: Box<str>,
    folded: FoldedAction,
    pub(super) rules: ActionRules,
}

impl KnownAction {
    pub(super) fn new(action: &str) -> KnownAction {
        let folded = FoldedAction::new(action);
        KnownAction {
            written: action.into(),
            rules: ActionRules::of(folded.name()),
            folded,
        }
    }

    pub(super) fn name(&self) -> ActionName<'_> {
        self.folded.name()
    }
}

/// The actions that came up last. What comes out is the same without them.
///
/// # Memory
/// A few hundred bytes for each of some hundred actions.
#[derive(Debug, Default)]
pub(crate) struct KnownActions {
    slots: Vec<Option<Box<KnownAction>>>,
    /// One that has no place among them.
    other: Option<Box<KnownAction>>,
}

impl KnownActions {
    const SLOTS: usize = 512;
    /// Longer than any in a catalogue.
    const LONGEST: usize = 128;

    pub(super) fn of(&mut self, action: &str) -> &KnownAction {
        if self.slots.is_empty() {
            self.slots.resize_with(Self::SLOTS, || None);
        }
        let hash = FxBuildHasher.hash_one(action) as usize;
        let slot = match self.slots.get_mut(hash % Self::SLOTS) {
            Some(slot) if action.len() <= Self::LONGEST => slot,
            _ => &mut self.other,
        };
        if slot.as_ref().is_some_and(|known| *known.written != *action) {
            *slot = None;
        }
        slot.get_or_insert_with(|| Box::new(KnownAction::new(action)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    /// All that there are, twice: more than there are places.
    #[test]
    fn an_action_is_itself_whoever_came_before() {
        let mut known = KnownActions::default();
        let long = "x".repeat(KnownActions::LONGEST + 1);
        let services = Catalogue::bundled().services();
        let all: Vec<&str> = services
            .flat_map(|service| Catalogue::bundled().actions(service.prefix))
            .map(|action| action.full_name)
            .chain(["", ":", "a", "S3:getobject", &long])
            .collect();
        for action in all.iter().chain(&all) {
            let found = known.of(action);
            let mut buffer = String::new();
            let plain = ActionName::fold(action, &mut buffer);
            assert_eq!(found.name().text, plain.text);
            assert_eq!(found.name().service, plain.service);
            assert_eq!(found.name().name, plain.name);
            assert_eq!(found.name().hash, plain.hash);
        }
    }
}
