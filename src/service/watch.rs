//! Waiting for an operation's steps. Whoever waits watches its operation here, and one loop looks for all of them:
//! a step wakes those who watch that operation and nobody else, with one look however many they are. No database
//! connection is held while somebody waits.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::domain::event::Event;
use crate::domain::operation::{Operation, OperationId};

use super::Service;
use super::ledger::LedgerError;

/// Operations in one look.
const AT_ONCE: usize = 500;

/// An operation as one look showed it, with its steps so far, oldest first.
#[derive(Debug)]
pub struct Sight {
    pub operation: Operation,
    pub events: Vec<Event>,
}

type Seen = Option<Arc<Sight>>;

/// The operations that somebody watches.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashMap<OperationId, watch::Sender<Seen>>>);

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, watch::Sender<Seen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, without those that nobody watches any more: of two watchers that end at the same time neither may
    /// have been the last to see.
    fn all(&self) -> Vec<OperationId> {
        let mut watched = self.lock();
        watched.retain(|_, seen| seen.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    fn among(&self, which: HashSet<OperationId>) -> Vec<OperationId> {
        let watched = self.lock();
        which.into_iter().filter(|id| watched.contains_key(id)).collect()
    }

    /// True if the operation is not as its watchers know it.
    fn is_news(&self, operation: &Operation) -> bool {
        let known = |seen: &watch::Sender<Seen>| {
            seen.borrow().as_ref().is_some_and(|sight| sight.operation == *operation)
        };
        self.lock().get(&operation.id).is_some_and(|seen| !known(seen))
    }

    fn tell(&self, sight: Sight) {
        if let Some(seen) = self.lock().get(&sight.operation.id) {
            seen.send_replace(Some(Arc::new(sight)));
        }
    }
}

/// Sees the steps of one operation until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    id: OperationId,
    seen: watch::Receiver<Seen>,
    watched: Arc<Watched>,
}

impl Watcher {
    /// The operation as soon as a look shows it in another state. The first look of all may show what is known.
    pub async fn changed(&mut self) -> Arc<Sight> {
        loop {
            if self.seen.changed().await.is_err() {
                // The sender stays as long as this watcher does.
                return std::future::pending().await;
            }
            if let Some(sight) = self.seen.borrow_and_update().clone() {
                return sight;
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        // This watcher's own receiver still counts.
        if watched.get(&self.id).is_some_and(|seen| seen.receiver_count() <= 1) {
            watched.remove(&self.id);
            if watched.capacity() > 4 * watched.len() + 64 {
                watched.shrink_to_fit();
            }
        }
    }
}

impl Service {
    /// Watches an operation. Begin with this and look at the operation after: then no step falls between the two.
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

    /// Looks at watched operations, and tells those that have changed.
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
                self.watched.tell(Sight { operation, events });
            }
        }
        Ok(())
    }
}
