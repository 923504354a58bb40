//! SQLite keeps all events: a file of it ends where one machine ends, and its triggers refuse every removal.

use async_trait::async_trait;

use crate::domain::event::NewEvent;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{Archive, ArchivedSegment, LedgerError, Range, Removal};

use super::Sqlite;

#[async_trait]
impl Archive for Sqlite {
    async fn archivable(&self, _: Timestamp) -> Result<Option<Vec<Range>>, LedgerError> {
        Ok(None)
    }

    async fn newest_archived(&self) -> Result<Option<ArchivedSegment>, LedgerError> {
        Ok(None)
    }

    async fn remove_events(&self, _: &ArchivedSegment, _: NewEvent) -> Result<Removal, LedgerError> {
        Ok(Removal::NotOldest)
    }

    async fn remove_operations(&self, _: u32) -> Result<u64, LedgerError> {
        Ok(0)
    }
}
