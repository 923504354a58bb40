//! Waiting for an operation's steps. Waiting requests register a watcher here, and one loop queries the ledger for all of
//! them: a step wakes only the watchers of its operation, with one query for any number of watchers. A waiting request holds
//! no database connection.

use std::collections::{HashMap, HashSet};

use tokio::sync::broadcast;

use crate::domain::event::Event;
use crate::domain::operation::OperationId;

use super::Service;
use super::ledger::LedgerError;
pub use super::watched::{Snapshot, Watcher};

/// Operations per query.
const AT_ONCE: usize = 500;

impl Service {
    /// Watches an operation. Call this before reading the operation, so that no step is missed in between.
    #[must_use]
    pub fn watch(&self, id: OperationId) -> Watcher {
        self.watched.watch(id)
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
