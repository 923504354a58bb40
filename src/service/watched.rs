//! The operations that requests wait for, each with the latest snapshot of its watchers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::event::Event;
use crate::domain::operation::{Operation, OperationId};

/// An operation with its steps so far, oldest first, as one query read them.
#[derive(Debug)]
pub struct Snapshot {
    pub operation: Operation,
    pub events: Vec<Event>,
}

type Seen = Option<Arc<Snapshot>>;

/// The watched operations.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashMap<OperationId, watch::Sender<Seen>>>);

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, watch::Sender<Seen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a watcher of an operation.
    pub(super) fn watch(self: &Arc<Self>, id: OperationId) -> Watcher {
        let seen = self.lock().entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Watcher { id, seen, watched: self.clone() }
    }

    /// All watched operations. Removes those without watchers: if two watchers end at the same time, neither may remove its
    /// operation itself.
    pub(super) fn all(&self) -> Vec<OperationId> {
        let mut watched = self.lock();
        watched.retain(|_, seen| seen.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    pub(super) fn among(&self, which: HashSet<OperationId>) -> Vec<OperationId> {
        let watched = self.lock();
        which.into_iter().filter(|id| watched.contains_key(id)).collect()
    }

    /// True if the operation differs from the snapshot that its watchers have.
    pub(super) fn is_news(&self, operation: &Operation) -> bool {
        let known = |seen: &watch::Sender<Seen>| {
            seen.borrow().as_ref().is_some_and(|snapshot| snapshot.operation == *operation)
        };
        self.lock().get(&operation.id).is_some_and(|seen| !known(seen))
    }

    pub(super) fn send(&self, snapshot: Snapshot) {
        if let Some(seen) = self.lock().get(&snapshot.operation.id) {
            seen.send_replace(Some(Arc::new(snapshot)));
        }
    }
}

/// Receives the steps of one operation until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    id: OperationId,
    seen: watch::Receiver<Seen>,
    watched: Arc<Watched>,
}

impl Watcher {
    /// Waits for the next state of the operation. The first snapshot may repeat a known state.
    pub async fn changed(&mut self) -> Arc<Snapshot> {
        loop {
            if self.seen.changed().await.is_err() {
                // The sender lives as long as this watcher.
                return std::future::pending().await;
            }
            if let Some(snapshot) = self.seen.borrow_and_update().clone() {
                return snapshot;
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        // The count includes this watcher's own receiver.
        if watched.get(&self.id).is_some_and(|seen| seen.receiver_count() <= 1) {
            watched.remove(&self.id);
            if watched.capacity() > 4 * watched.len() + 64 {
                watched.shrink_to_fit();
            }
        }
    }
}
