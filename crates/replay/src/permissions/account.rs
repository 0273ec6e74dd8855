//! What the permissions of one account share.

use std::rc::Rc;

use retrial_iam::{Layer, Limits, Principal};
use rustc_hash::FxHashMap;

use super::PermissionReason;
use super::derive::PermissionInputs;
use super::documents::{Actions, KEPT_ACTIONS, Statement};
use super::observed::{Observer, Reach, Window};
use super::rest::{Alike, Rest};

/// A statement of a document, and the limits that a principal has: document, statement and limits.
pub(super) type RestKey = (usize, u32, usize);

/// What the permissions of one account share.
///
/// # Memory
/// A few bytes for each action of the catalogue and set of limits; the rests of statements, up to 4 bytes for each of
/// [`KEPT_ACTIONS`] and then all are forgotten.
pub(super) struct Account<'i, 's> {
    pub(super) observer: Observer<'i>,
    /// For each action, what would have been seen of it wherever it may be used.
    pub(super) observed: Vec<Option<Result<Window, PermissionReason>>>,
    /// For each set of limits that principals of the account have, what they take away.
    pub(super) limits: Vec<(Limits<'s>, Vec<Option<Option<Layer>>>)>,
    rests: FxHashMap<RestKey, Rc<Vec<Rest>>>,
    alike: FxHashMap<RestKey, Rc<Vec<Alike<'s>>>>,
    /// Actions in them.
    kept: usize,
}

impl<'i, 's> Account<'i, 's> {
    pub(super) fn new(inputs: &PermissionInputs<'i, 's>, principals: &[&'s Principal]) -> Self {
        let account = principals
            .first()
            .map_or("", |principal| &*principal.account);
        Self {
            observer: Observer::new(
                account,
                (inputs.covered, inputs.writes),
                (inputs.trails, &inputs.ground.recorded),
                inputs.options,
            ),
            observed: vec![None; inputs.ground.actions.len()],
            limits: Vec::new(),
            rests: FxHashMap::default(),
            alike: FxHashMap::default(),
            kept: 0,
        }
    }

    /// The rest of a statement's wildcards for principals of whom there is nothing special to say.
    pub(super) fn rests(&self, key: RestKey) -> Option<Rc<Vec<Rest>>> {
        self.rests.get(&key).map(Rc::clone)
    }

    /// Keeps it for the next principal with the statement.
    pub(super) fn keep_rests(&mut self, key: RestKey, rests: &Rc<Vec<Rest>>) {
        self.make_place(rests.iter().map(|rest| rest.actions.len()).sum());
        self.rests.insert(key, Rc::clone(rests));
    }

    /// The actions of a statement's wildcards of which there is the same to say.
    pub(super) fn alike(&self, key: RestKey) -> Option<Rc<Vec<Alike<'s>>>> {
        self.alike.get(&key).map(Rc::clone)
    }

    /// Keeps them for the next principal with the statement.
    pub(super) fn keep_alike(&mut self, key: RestKey, alike: &Rc<Vec<Alike<'s>>>) {
        self.make_place(alike.iter().map(|alike| alike.actions.len()).sum());
        self.alike.insert(key, Rc::clone(alike));
    }

    fn make_place(&mut self, actions: usize) {
        if self.kept + actions > KEPT_ACTIONS {
            self.rests.clear();
            self.alike.clear();
            self.kept = 0;
        }
        self.kept += actions;
    }

    pub(super) fn limits_of(&mut self, limits: Limits<'s>, actions: usize) -> usize {
        let known = self.limits.iter().position(|(known, _)| known.are(&limits));
        known.unwrap_or_else(|| {
            self.limits.push((limits, vec![None; actions]));
            self.limits.len() - 1
        })
    }

    pub(super) fn blocks(&mut self, limits: usize, action: (u32, &str)) -> Option<Layer> {
        let (limits, known) = self.limits.get_mut(limits)?;
        let slot = known.get_mut(action.0 as usize)?;
        *slot.get_or_insert_with(|| limits.blocks(action.1))
    }
}

impl<'s> Account<'_, 's> {
    pub(super) fn observe(
        &mut self,
        action: u32,
        statement: &Statement<'_>,
        actions: &Actions<'s>,
    ) -> Result<Window, PermissionReason> {
        let found = actions.get(action).ok_or(PermissionReason::UnknownAction)?;
        let found = (action, found);
        let reach = Reach {
            regions: statement.regions.as_deref(),
            passed_to: statement.passed_to.as_deref(),
        };
        if reach.regions.is_some() || reach.passed_to.is_some() {
            return self.observer.observe(found, reach);
        }
        match self.observed.get_mut(action as usize) {
            Some(slot) => *slot.get_or_insert_with(|| self.observer.observe(found, reach)),
            None => self.observer.observe(found, reach),
        }
    }
}
