//! Folders listed many at a time: each listing waits for a disk or a network.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use retrial_storage::{Child, Source, StorageError};

use crate::analyze::PipelineError;

/// Listings under way at once: an organization has thousands of accounts times Regions, and each listing
/// is a wait of some tens of milliseconds for S3.
const AT_ONCE: usize = 32;

/// What was found and not yet looked at.
const FOUND: usize = 4_096;

/// What stands in a folder, or why it could not be listed.
pub(crate) type Found = Result<Child, StorageError>;

/// Lists `folders`, and whatever folders `visit` answers with, level by level. The order of what is
/// visited is that of the answers, and differs from run to run.
///
/// # Memory
/// The names of the folders that are still to be listed.
pub(crate) fn walk(
    source: &dyn Source,
    folders: Vec<String>,
    visit: &mut dyn FnMut(Found) -> Result<Option<String>, PipelineError>,
) -> Result<(), PipelineError> {
    let mut unended = folders.len();
    let queue = Queue::new(folders);
    let (sender, receiver) = sync_channel(FOUND);
    thread::scope(|scope| {
        // However this ends, nobody waits for folders any more; and with the receiver nobody for room.
        let (_closing, receiver) = (Closing(&queue), receiver);
        let mut listers = 0;
        while unended > 0 {
            while listers < AT_ONCE.min(unended) {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || list(source, queue, &sender));
                listers += 1;
            }
            match receiver.recv() {
                Ok(Some(found)) => {
                    if let Some(folder) = visit(found)? {
                        unended += 1;
                        queue.push(folder);
                    }
                }
                Ok(None) => unended -= 1,
                // Not while this thread holds a sender.
                Err(_) => break,
            }
        }
        Ok(())
    })
}

/// Lists folders of the queue until it is closed; each one's end is a `None`.
fn list(source: &dyn Source, queue: &Queue, sender: &SyncSender<Option<Found>>) {
    while let Some(folder) = queue.pop() {
        let _ending = Ending(sender);
        for found in source.children(&folder) {
            if sender.send(Some(found)).is_err() {
                return;
            }
        }
    }
}

/// Says that a folder is at its end, however it came to that.
struct Ending<'s>(&'s SyncSender<Option<Found>>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        // Nobody is there any more where the walk has failed.
        let _ = self.0.send(None);
    }
}

/// Folders that are to be listed; the last one first, so that a deep tree is not held in its breadth.
struct Queue {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Queue {
    fn new(folders: Vec<String>) -> Self {
        Self {
            state: Mutex::new((folders, false)),
            changed: Condvar::new(),
        }
    }

    fn push(&self, folder: String) {
        self.lock().0.push(folder);
        self.changed.notify_one();
    }

    /// The next one, once there is one; `None` when the queue is closed.
    fn pop(&self) -> Option<String> {
        let mut state = self.lock();
        loop {
            let (folders, closed) = &mut *state;
            if *closed {
                return None;
            }
            if let Some(folder) = folders.pop() {
                return Some(folder);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<String>, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue when it goes.
struct Closing<'q>(&'q Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().1 = true;
        self.0.changed.notify_all();
    }
}
