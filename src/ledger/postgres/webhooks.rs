//! The places of webhook entries.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use crate::domain::event::NewEvent;
use crate::domain::timestamp::Timestamp;
use crate::ledger::webhooks::{
    ALL, ARCHIVED, BEGIN, CLAIM, FORGET, MOVE, PLACE, RELEASE, REPLAY, SKIP, Skip, claim_of, failing_values,
    not_forgotten, not_skipped, place_of,
};
use crate::service::ledger::{
    Failing, Forgotten, LedgerError, Replayed, Skipped, WebhookClaim, WebhookPlace, WebhookPlaces,
};

use super::Postgres;
use super::apply::Change;

/// The commit does not wait for the disk.
const LAZILY: &str = " RETURNING set_config('synchronous_commit', 'off', true)";

#[async_trait]
impl Change for Skip<'_> {
    async fn write(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let update = sqlx::query(SKIP).bind(self.name).bind(self.seq);
        Ok(update.execute(connection).await?.rows_affected() == 1)
    }
}

impl Postgres {
    /// The place of an entry, and who holds it.
    async fn webhook(&self, name: &str) -> Result<Option<PgRow>, LedgerError> {
        self.limited(sqlx::query(PLACE).bind(name).fetch_optional(&self.core_pool)).await
    }
}

#[async_trait]
impl WebhookPlaces for Postgres {
    async fn begin_webhook(&self, name: &str) -> Result<(), LedgerError> {
        self.limited(sqlx::query(BEGIN).bind(name).execute(&self.core_pool)).await?;
        Ok(())
    }

    async fn webhooks(&self) -> Result<Vec<WebhookPlace>, LedgerError> {
        let rows = self.limited(sqlx::query(ALL).fetch_all(&self.core_pool)).await?;
        rows.iter().map(place_of).collect()
    }

    async fn claim_webhook(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<WebhookClaim>, LedgerError> {
        self.limited(self.store.check_chain(&self.core_pool)).await?;
        let update =
            sqlx::query(CLAIM).bind(name).bind(holder).bind(now.to_offset()).bind(lease_until.to_offset());
        let row = self.limited(update.fetch_optional(&self.core_pool)).await?;
        row.as_ref().map(claim_of).transpose()
    }

    async fn move_webhook(
        &self,
        claim: &WebhookClaim,
        seq: i64,
        failing: Option<&Failing>,
        lease_until: Timestamp,
    ) -> Result<bool, LedgerError> {
        let (failures, problem, retry_at) = failing_values(failing);
        let update = sqlx::query(sqlx::AssertSqlSafe(format!("{MOVE}{LAZILY}")))
            .bind(&claim.name)
            .bind(claim.fence)
            .bind(claim.seq)
            .bind(seq)
            .bind(failures)
            .bind(problem)
            .bind(retry_at.map(Timestamp::to_offset))
            .bind(lease_until.to_offset())
            .bind(&claim.holder)
            .bind(claim.acceptance);
        Ok(self.limited(update.fetch_optional(&self.core_pool)).await?.is_some())
    }

    async fn release_webhook(&self, claim: &WebhookClaim) -> Result<(), LedgerError> {
        let update = sqlx::query(RELEASE).bind(&claim.name).bind(claim.fence).bind(&claim.holder);
        self.limited(update.execute(&self.core_pool)).await?;
        Ok(())
    }

    async fn replay_webhook(
        &self,
        name: &str,
        from: i64,
        salt: Option<Uuid>,
    ) -> Result<Replayed, LedgerError> {
        self.limited(async {
            let mut transaction = self.store.pool.begin().await?;
            // `audit archive --drop` locks the places too, so no event is removed between the statements.
            let lock = sqlx::query("SELECT seq FROM webhooks WHERE name = $1 FOR UPDATE").bind(name);
            let Some(row) = lock.fetch_optional(&mut *transaction).await? else {
                return Ok(Replayed::Unknown);
            };
            let archived: i64 = sqlx::query(ARCHIVED).fetch_one(&mut *transaction).await?.try_get(0)?;
            if from <= archived {
                return Ok(Replayed::Archived(archived));
            }
            let update = sqlx::query(REPLAY).bind(name).bind(from).bind(salt);
            if update.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(Replayed::NotPassed(row.try_get(0)?));
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(Replayed::Moved)
        })
        .await
    }

    async fn skip_webhook(&self, name: &str, seq: i64, event: NewEvent) -> Result<Skipped, LedgerError> {
        if self.store.change(&Skip { name, seq }, event).await? {
            return Ok(Skipped::Skipped);
        }
        not_skipped(self.webhook(name).await?.as_ref(), seq)
    }

    async fn forget_webhook(&self, name: &str, now: Timestamp) -> Result<Forgotten, LedgerError> {
        let delete = sqlx::query(FORGET).bind(name).bind(now.to_offset()).execute(&self.core_pool);
        if self.limited(delete).await?.rows_affected() == 1 {
            return Ok(Forgotten::Forgotten);
        }
        not_forgotten(self.webhook(name).await?.as_ref())
    }
}
