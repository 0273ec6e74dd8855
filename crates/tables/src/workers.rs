//! What a thread keeps from one part of its work to the next: buffers, and what it remembers.

use std::sync::{Mutex, PoisonError};

/// As many as threads work at once. rayon's `map_init` makes one for each few parts that it hands a
/// thread, and one for each part where parts are to be handed out singly.
pub struct Workers<W>(Mutex<Vec<W>>);

impl<W> Default for Workers<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W> Workers<W> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<W: Default> Workers<W> {
    /// Does a part of the work with one that is idle.
    pub fn with<T>(&self, work: impl FnOnce(&mut W) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle().pop();
        let mut worker = found.unwrap_or_default();
        let done = work(&mut worker);
        idle().push(worker);
        done
    }
}
