//! Objects that are fetched before they are asked for, so that not each of them costs a wait for the
//! network.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::bucket::S3Bucket;
use super::read::Body;
use crate::error::StorageError;

/// What is held, or on its way, and not yet asked for.
const AHEAD_BYTES: u64 = 32 << 20;

/// Larger objects stream when they are asked for: there the network's speed counts, not its answer's
/// delay.
const LARGEST: u64 = AHEAD_BYTES / 4;

/// Objects that are held, however small.
const MOST_OBJECTS: usize = 4_096;

/// Requests under way at once.
const IN_FLIGHT: usize = 64;

/// What is fetched ahead for one source.
///
/// # Memory
/// [`AHEAD_BYTES`] of bodies, as their sizes were listed, and the keys of what was announced last.
#[derive(Debug)]
pub(super) struct Ahead {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Announced and not begun, the next one last.
    queue: Vec<(String, u64)>,
    begun: HashMap<String, Begun>,
    /// The sizes of all of them.
    bytes: u64,
    /// Asked for before they were begun.
    passed: HashSet<String>,
}

#[derive(Debug)]
struct Begun {
    size: u64,
    task: JoinHandle<Result<Body, StorageError>>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        // One that was taken has ended by then.
        self.task.abort();
    }
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(IN_FLIGHT)),
            state: Mutex::default(),
        }
    }

    /// What comes next, in this order; what was announced before and is not among it is let go.
    pub(super) fn announce(&self, bucket: &S3Bucket, next: &[(&str, u64)]) {
        let mut state = self.lock();
        let wanted: HashSet<&str> = next.iter().map(|(key, _)| *key).collect();
        state.begun.retain(|key, _| wanted.contains(key.as_str()));
        state.bytes = state.begun.values().map(|begun| begun.size).sum();
        state.passed.clear();
        let queue = next
            .iter()
            .rev()
            .filter(|(key, size)| *size <= LARGEST && !state.begun.contains_key(*key))
            .map(|(key, size)| ((*key).to_owned(), *size))
            .collect();
        state.queue = queue;
        self.begin(bucket, &mut state);
    }

    /// The object, if it is on its way: with an error where it could not be opened.
    pub(super) fn take(&self, bucket: &S3Bucket, key: &str) -> Option<Result<Body, StorageError>> {
        let mut begun = {
            let mut state = self.lock();
            let begun = state.begun.remove(key);
            match &begun {
                Some(begun) => state.bytes = state.bytes.saturating_sub(begun.size),
                None if !state.queue.is_empty() => {
                    state.passed.insert(key.to_owned());
                }
                None => {}
            }
            self.begin(bucket, &mut state);
            begun?
        };
        // A task that was ended from outside has nothing to say: the caller asks again.
        bucket.wait(&mut begun.task).ok()
    }

    /// Begins as many as there is room for.
    fn begin(&self, bucket: &S3Bucket, state: &mut State) {
        while state.begun.len() < MOST_OBJECTS
            && let Some((key, size)) = state.queue.pop()
        {
            if state.passed.remove(&key) {
                continue;
            }
            if state.bytes + size > AHEAD_BYTES {
                state.queue.push((key, size));
                return;
            }
            // A key that is none is said when it is asked for.
            let Ok(object) = bucket.object_key(&key) else {
                continue;
            };
            let permits = Arc::clone(&self.permits);
            let (bucket_too, key_too) = (bucket.clone(), key.clone());
            let task = bucket.spawn(async move {
                let permit = permits.acquire_owned().await.ok();
                Body::fetch(&bucket_too, &key_too, object, Some((size, permit))).await
            });
            state.bytes += size;
            state.begun.insert(key, Begun { size, task });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
