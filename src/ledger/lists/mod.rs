//! Reading operations and events, on both stores.
//!
//! The planner of a database guesses how many rows it must read until a page is full. A wrong guess reads the whole
//! table. So each statement has a form in which only the right index helps; see
//! docs/decisions/008-list-queries-and-indexes.md.

mod drift;
mod events;
mod reach;
mod search;
mod sql;
mod statement;
mod store;

use async_trait::async_trait;

use crate::domain::bucket::Bucket;
use crate::domain::event::Event;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::VpcScope;
use crate::service::ledger::{
    Checkpoint, EventCount, EventFilter, LedgerError, Lists, OperationFilter, Order,
};

use super::columns::StoredRow;
use super::limited;
use reach::reach;
pub(super) use statement::{Dialect, Statement, Value};
pub(super) use store::ListStore;

#[async_trait]
impl<S: ListStore> Lists for S {
    async fn operation(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Operation>, LedgerError> {
        let rows = limited(self.limit(), self.fetch(sql::operation(S::DIALECT, id, vpcs))).await?;
        rows.first().map(StoredRow::operation).transpose()
    }

    async fn operations_by_id(&self, ids: &[OperationId]) -> Result<Vec<Operation>, LedgerError> {
        let rows = limited(self.limit(), self.fetch(sql::operations_by_id(S::DIALECT, ids))).await?;
        rows.iter().map(StoredRow::operation).collect()
    }

    async fn events_of(&self, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError> {
        let rows = limited(self.limit(), self.fetch(sql::events_of(S::DIALECT, ids))).await?;
        rows.iter().map(StoredRow::event).collect()
    }

    async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError> {
        let Some(reach) = reach(vpcs, filter.vpc_id.as_deref()) else { return Ok(Vec::new()) };
        let select = sql::operations(S::DIALECT, reach, filter, after, limit);
        let rows = limited(self.limit(), self.fetch(select)).await?;
        rows.iter().map(StoredRow::operation).collect()
    }

    async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError> {
        let rows = limited(self.limit(), self.fetch(sql::event(S::DIALECT, seq, vpcs))).await?;
        rows.first().map(StoredRow::event).transpose()
    }

    async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError> {
        limited(self.limit(), events::events(self, vpcs, filter, order, after, limit)).await
    }

    async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError> {
        let count = |row: &S::Row| -> Result<EventCount, LedgerError> {
            Ok(EventCount {
                from: S::bucket_start(row, bucket)?,
                event: row.text("event")?,
                count: row.number("events")?.unwrap_or_default().unsigned_abs(),
            })
        };
        limited(self.limit(), async {
            let Some(seqs) = events::seq_range(self, filter).await? else { return Ok(Vec::new()) };
            let select = sql::event_counts(S::DIALECT, vpcs, filter, seqs, bucket);
            self.fetch(select).await?.iter().map(count).collect()
        })
        .await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError> {
        let rows = limited(self.limit(), self.fetch(sql::checkpoint(S::DIALECT))).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let seq = row.number("seq")?.unwrap_or_default();
        Ok(Some(Checkpoint {
            seq,
            hash: row.hash("hash", "the newest event")?,
            at: row.timestamp("occurred_at")?,
        }))
    }
}
