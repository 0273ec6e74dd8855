//! Waiting for a disk or a network, for several things at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::StorageError;
use crate::store::Upload;

/// How many wait at the same time: a disk's journal and a bucket take what comes together in one go.
const AT_ONCE: usize = 8;

/// Completes several objects, which wait for the disk or the network together; what came of each, in their
/// order. See [`Upload::complete`].
pub fn complete_all(uploads: Vec<Box<dyn Upload + '_>>) -> Vec<Result<u64, StorageError>> {
    at_once(uploads, |upload| upload.complete())
}

/// Does something that waits for each item; results are in the order of the items.
pub(crate) fn at_once<T: Send, R: Send>(items: Vec<T>, run: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = items.len().min(AT_ONCE);
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = locked(&queue).next();
            let Some((place, item)) = next else {
                return;
            };
            let result = run(item);
            locked(&done).push((place, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system has no thread left, the others do its part.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What a mutex holds, also where a thread panicked with it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, 2, 50] {
            let expect: Vec<usize> = (0..count).map(|number| number * 2).collect();
            assert_eq!(at_once((0..count).collect(), |number| number * 2), expect);
        }
    }
}
