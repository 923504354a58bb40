//! Writing steps.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::broadcast;

use crate::domain::event::NewEvent;
use crate::domain::operation::OperationId;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{OPERATION, StoredRow};
use crate::ledger::idempotency::{KEY, used_key};
use crate::ledger::migrations::{self, APPLIED, Applied};
use crate::ledger::unready::{Reason, not_ready};
use crate::service::ledger::{
    AcceptedLoss, FirstRequest, IDEMPOTENCY_WINDOW, LedgerError, NotReady, Step, Steps, Written,
};

use super::Postgres;
use super::sqlstate::{NO_TABLE, unready};

/// The tables of a change that the role may not insert into; NULL if there is none.
const MISSING_RIGHTS: &str = "SELECT string_agg(name, ', ')
    FROM unnest(ARRAY['operations', 'audit_events', 'audit_vpcs', 'audit_hours', 'tracking', 'idempotency_keys']) AS name
    WHERE NOT has_table_privilege(name, 'INSERT')";

#[async_trait]
impl Steps for Postgres {
    async fn write(&self, step: Step) -> Result<Written, LedgerError> {
        self.writer.write(step).await
    }

    fn steps(&self) -> broadcast::Receiver<OperationId> {
        self.writer.steps().subscribe()
    }

    async fn newest_seq(&self) -> Result<i64, LedgerError> {
        self.limited(self.store.check_chain(&self.core_pool)).await
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
        let row = self.limited(select.fetch_optional(&self.core_pool)).await?;
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
        let delete = delete.bind(before.to_offset()).bind(i64::from(limit)).execute(&self.core_pool);
        Ok(self.limited(delete).await?.rows_affected())
    }

    async fn accept_loss(&self, after: i64, event: NewEvent) -> Result<AcceptedLoss, LedgerError> {
        self.store.accept_loss(after, event).await
    }

    async fn time(&self) -> Result<Option<Timestamp>, LedgerError> {
        let select = sqlx::query("SELECT clock_timestamp() AS now").fetch_one(&self.core_pool);
        self.limited(select).await?.optional_timestamp("now")
    }

    async fn close(&self) {
        self.store.memory.flush().await;
    }

    async fn ready(&self) -> Result<(), NotReady> {
        let checked = self.limited(async {
            let rows = match sqlx::query(APPLIED).fetch_all(&self.pool).await {
                Err(sqlx::Error::Database(refusal))
                    if refusal.code().is_some_and(|code| code == NO_TABLE) =>
                {
                    Vec::new()
                }
                rows => rows?,
            };
            let applied = rows.iter().map(Applied::of).collect::<Result<Vec<_>, _>>()?;
            migrations::check(&migrations::FOR_POSTGRES, &applied)?;
            self.store.check_chain(&self.pool).await?;
            self.writer.ready()?;
            // Fails on a read-only server. Matches no row, so it waits for no lock.
            sqlx::query("UPDATE chain_head SET seq = seq WHERE false").execute(&self.pool).await?;
            let missing: Option<String> =
                sqlx::query(MISSING_RIGHTS).fetch_one(&self.pool).await?.try_get(0)?;
            if let Some(tables) = missing {
                return Err(Reason::MayNotInsert(tables).into());
            }
            Ok::<_, LedgerError>(())
        });
        match checked.await {
            Ok(()) => Ok(()),
            Err(error) => Err(not_ready(self.direct.reason_of(error).await, unready)),
        }
    }
}
