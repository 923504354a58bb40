//! Writing steps.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use tokio::sync::broadcast;

use crate::domain::event::NewEvent;
use crate::domain::operation::OperationId;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::OPERATION;
use crate::ledger::idempotency::{KEY, used_key};
use crate::ledger::migrations::{self, APPLIED, Applied};
use crate::ledger::unready::not_ready;
use crate::service::ledger::{
    AcceptedLoss, FirstRequest, IDEMPOTENCY_WINDOW, LedgerError, NotReady, Step, Steps, Written,
};

use super::failure::unready;
use super::{Sqlite, space};

#[async_trait]
impl Steps for Sqlite {
    async fn write(&self, step: Step) -> Result<Written, LedgerError> {
        self.writer.write(step).await
    }

    fn steps(&self) -> broadcast::Receiver<OperationId> {
        self.writer.steps().subscribe()
    }

    async fn newest_seq(&self) -> Result<i64, LedgerError> {
        self.limited(self.store.check_chain(&self.pool)).await
    }

    async fn first_request(
        &self,
        principal_id: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<FirstRequest>, LedgerError> {
        let sql = format!(
            "SELECT {KEY}, {OPERATION} FROM idempotency_keys k JOIN operations o ON o.id = k.operation_id
             WHERE k.principal_id = $1 AND k.key = $2"
        );
        let select = sqlx::query(AssertSqlSafe(sql)).bind(principal_id).bind(key);
        let row = self.limited(select.fetch_optional(&self.pool)).await?;
        let key = row.map(|row| used_key(&row)).transpose()?;
        Ok(key.filter(|key| now.since(key.created_at) < IDEMPOTENCY_WINDOW).map(|key| key.first))
    }

    async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
        // The outer condition repeats the age: a key that a request renews meanwhile stays.
        let delete = sqlx::query(
            "DELETE FROM idempotency_keys
             WHERE created_at < $1 AND (principal_id, key) IN (
                SELECT principal_id, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
        );
        let delete = delete.bind(before.to_string()).bind(i64::from(limit)).execute(&self.write_pool);
        Ok(self.limited(delete).await?.rows_affected())
    }

    async fn accept_loss(&self, after: i64, event: NewEvent) -> Result<AcceptedLoss, LedgerError> {
        self.store.accept_loss(after, event).await
    }

    async fn time(&self) -> Result<Option<Timestamp>, LedgerError> {
        Ok(None)
    }

    async fn close(&self) {
        self.store.memory.flush().await;
    }

    async fn ready(&self) -> Result<(), NotReady> {
        let checked = self.limited(async {
            let has_table = "SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'";
            let rows = match sqlx::query(has_table).fetch_optional(&self.pool).await? {
                Some(_) => sqlx::query(APPLIED).fetch_all(&self.pool).await?,
                None => Vec::new(),
            };
            let applied = rows.iter().map(Applied::of).collect::<Result<Vec<_>, _>>()?;
            migrations::check(&migrations::FOR_SQLITE, &applied)?;
            self.store.check_chain(&self.pool).await?;
            // A write as small as the one below may still fit into the write-ahead log.
            space::check(&self.file)?;
            self.writer.ready()?;
            // Fails on a file that is not writable.
            let mut transaction = self.write_pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("UPDATE chain_head SET seq = seq").execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok::<_, LedgerError>(())
        });
        checked.await.map_err(|error| not_ready(error, unready))
    }
}
