//! What a store implements for lists.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::bucket::Bucket;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::StoredRow;
use crate::service::ledger::LedgerError;

use super::statement::{Dialect, Statement};

/// A store that lists read from.
#[async_trait]
pub(in crate::ledger) trait ListStore: Send + Sync + 'static {
    type Row: StoredRow + Send;

    const DIALECT: Dialect;

    /// The time limit of one call of [`crate::service::ledger::Lists`].
    fn limit(&self) -> Duration;

    /// Runs a statement, without a time limit.
    async fn fetch(&self, statement: Statement) -> Result<Vec<Self::Row>, LedgerError>;

    /// The column `bucket` of [`super::sql::event_counts`].
    fn bucket_start(row: &Self::Row, bucket: Bucket) -> Result<Timestamp, LedgerError>;
}
