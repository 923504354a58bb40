//! Waiting for an operation's steps. Waiting requests register a watcher here, and one loop queries the ledger for all of
//! them: a step wakes only the watchers of its operation, with one query for any number of watchers. A waiting request holds
//! no database connection.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::domain::event::Event;
use crate::domain::operation::{Operation, OperationId};

use super::Service;
use super::ledger::LedgerError;

/// Operations per query.
const AT_ONCE: usize = 500;

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

    /// All watched operations. Removes those without watchers: if two watchers end at the same time, neither may remove its
    /// operation itself.
    fn all(&self) -> Vec<OperationId> {
        let mut watched = self.lock();
        watched.retain(|_, seen| seen.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    fn among(&self, which: HashSet<OperationId>) -> Vec<OperationId> {
        let watched = self.lock();
        which.into_iter().filter(|id| watched.contains_key(id)).collect()
    }

    /// True if the operation differs from the snapshot that its watchers have.
    fn is_news(&self, operation: &Operation) -> bool {
        let known = |seen: &watch::Sender<Seen>| {
            seen.borrow().as_ref().is_some_and(|snapshot| snapshot.operation == *operation)
        };
        self.lock().get(&operation.id).is_some_and(|seen| !known(seen))
    }

    fn send(&self, snapshot: Snapshot) {
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

impl Service {
    /// Watches an operation. Call this before reading the operation, so that no step is missed in between.
    #[must_use]
    pub fn watch(&self, id: OperationId) -> Watcher {
        let mut watched = self.watched.lock();
        let seen = watched.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Watcher { id, seen, watched: self.watched.clone() }
    }

    /// Reports the operations that take a step.
    #[must_use]
    pub fn steps(&self) -> broadcast::Receiver<OperationId> {
        self.ledger.steps()
    }

    /// Reads these operations as far as they are watched, or all watched operations, and notifies the watchers of changed
    /// ones.
    pub async fn refresh_watched(&self, stepped: Option<HashSet<OperationId>>) -> Result<(), LedgerError> {
        let ids = match stepped {
            Some(stepped) => self.watched.among(stepped),
            None => self.watched.all(),
        };
        self.look(&ids).await
    }

    /// Queries watched operations and sends changed ones to their watchers.
    async fn look(&self, ids: &[OperationId]) -> Result<(), LedgerError> {
        for ids in ids.chunks(AT_ONCE) {
            let mut operations = self.ledger.operations_by_id(ids).await?;
            operations.retain(|operation| self.watched.is_news(operation));
            if operations.is_empty() {
                continue;
            }
            let ids: Vec<OperationId> = operations.iter().map(|operation| operation.id).collect();
            let mut events: HashMap<OperationId, Vec<Event>> = HashMap::new();
            for event in self.ledger.events_of(&ids).await? {
                if let Some(id) = event.row.operation_id {
                    events.entry(id).or_default().push(event);
                }
            }
            for operation in operations {
                let events = events.remove(&operation.id).unwrap_or_default();
                self.watched.send(Snapshot { operation, events });
            }
        }
        Ok(())
    }
}
