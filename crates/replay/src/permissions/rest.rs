//! The rest of a wildcard: actions of which there is the same to say, and the names of such sets.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::documents::Actions;
use super::standing::{Found, Seen};
use crate::recording::parts_of;

/// The distinct sets of actions that rows of `permissions` stand for.
#[derive(Default)]
pub(super) struct ActionSets {
    pub(super) by_name: BTreeMap<String, Vec<u32>>,
    /// The same the other way round: thousands of principals have the same few sets.
    names: FxHashMap<Vec<u32>, Rc<str>>,
    /// What is hashed: in pieces of a name each it would take longer.
    text: String,
}

impl ActionSets {
    /// Names a set by a hash of its actions.
    pub(super) fn name(&mut self, set: &[u32], actions: &Actions<'_>) -> Rc<str> {
        if let Some(name) = self.names.get(set) {
            return Rc::clone(name);
        }
        self.text.clear();
        for action in set {
            self.text.push_str(actions.name(*action));
            self.text.push('\n');
        }
        let name: String = Sha256::digest(&self.text)
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if !self.by_name.contains_key(&name) {
            self.by_name.insert(name.clone(), set.to_vec());
        }
        let name: Rc<str> = name.into();
        self.names.insert(set.to_vec(), Rc::clone(&name));
        name
    }
}

/// Actions of one service that a wildcard stands for, and of which there is the same to say.
pub(super) struct Rest {
    pub(super) found: Found,
    /// Ascending.
    pub(super) actions: Rc<[u32]>,
    pub(super) set: Rc<str>,
}

/// Actions of one service that a wildcard stands for, and of which there is the same to say whoever has it, but
/// for those of whom AWS tells service by service.
pub(super) struct Alike<'s> {
    pub(super) service: &'s str,
    pub(super) seen: Seen,
    /// Ascending.
    pub(super) actions: Rc<[u32]>,
    /// Their name, once they are named.
    pub(super) set: OnceCell<Rc<str>>,
}

impl Rest {
    pub(super) fn service<'s>(&self, actions: &Actions<'s>) -> &'s str {
        let first = self.actions.first().copied().unwrap_or(u32::MAX);
        service_of(actions.name(first))
    }
}

pub(super) fn service_of(action: &str) -> &str {
    parts_of(action).0
}
