//! What a thread keeps from one part of its work to the next: buffers, and what it remembers.

use std::sync::{Mutex, PoisonError};

/// As many as threads work at once. `map_init` makes one for each few parts that rayon hands a thread.
pub(crate) struct Workers<W>(Mutex<Vec<W>>);

impl<W> Default for Workers<W> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<W: Default> Workers<W> {
    /// Does a part of the work with one that is idle.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut W) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle().pop();
        let mut worker = found.unwrap_or_default();
        let done = work(&mut worker);
        idle().push(worker);
        done
    }
}
