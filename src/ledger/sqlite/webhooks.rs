//! The places of webhook entries.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
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

use super::Sqlite;
use super::apply::Change;

#[async_trait]
impl Change for Skip<'_> {
    async fn write(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let update = sqlx::query(SKIP).bind(self.name).bind(self.seq);
        Ok(update.execute(connection).await?.rows_affected() == 1)
    }
}

impl Sqlite {
    /// The place of an entry, and who holds it.
    async fn webhook(&self, name: &str) -> Result<Option<SqliteRow>, LedgerError> {
        self.limited(sqlx::query(PLACE).bind(name).fetch_optional(&self.pool)).await
    }
}

#[async_trait]
impl WebhookPlaces for Sqlite {
    async fn begin_webhook(&self, name: &str) -> Result<(), LedgerError> {
        self.limited(sqlx::query(BEGIN).bind(name).execute(&self.write_pool)).await?;
        Ok(())
    }

    async fn webhooks(&self) -> Result<Vec<WebhookPlace>, LedgerError> {
        let rows = self.limited(sqlx::query(ALL).fetch_all(&self.pool)).await?;
        rows.iter().map(place_of).collect()
    }

    async fn claim_webhook(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<WebhookClaim>, LedgerError> {
        self.limited(self.store.check_chain(&self.pool)).await?;
        let update =
            sqlx::query(CLAIM).bind(name).bind(holder).bind(now.to_string()).bind(lease_until.to_string());
        let row = self.limited(update.fetch_optional(&self.write_pool)).await?;
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
        let update = sqlx::query(MOVE)
            .bind(&claim.name)
            .bind(claim.fence)
            .bind(claim.seq)
            .bind(seq)
            .bind(failures)
            .bind(problem)
            .bind(retry_at.map(|at| at.to_string()))
            .bind(lease_until.to_string())
            .bind(&claim.holder)
            .bind(claim.acceptance);
        // The pool whose commits do not wait for the disk.
        Ok(self.limited(update.execute(&self.calls_pool)).await?.rows_affected() == 1)
    }

    async fn release_webhook(&self, claim: &WebhookClaim) -> Result<(), LedgerError> {
        let update = sqlx::query(RELEASE).bind(&claim.name).bind(claim.fence).bind(&claim.holder);
        self.limited(update.execute(&self.calls_pool)).await?;
        Ok(())
    }

    async fn replay_webhook(
        &self,
        name: &str,
        from: i64,
        salt: Option<Uuid>,
    ) -> Result<Replayed, LedgerError> {
        self.limited(async {
            let mut transaction = self.write_pool.begin_with("BEGIN IMMEDIATE").await?;
            let place = sqlx::query(PLACE).bind(name).fetch_optional(&mut *transaction).await?;
            let Some(row) = place else { return Ok(Replayed::Unknown) };
            let archived: i64 = sqlx::query(ARCHIVED).fetch_one(&mut *transaction).await?.try_get(0)?;
            if from <= archived {
                return Ok(Replayed::Archived(archived));
            }
            let update = sqlx::query(REPLAY).bind(name).bind(from).bind(salt.map(|salt| salt.to_string()));
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
        let delete = sqlx::query(FORGET).bind(name).bind(now.to_string()).execute(&self.write_pool);
        if self.limited(delete).await?.rows_affected() == 1 {
            return Ok(Forgotten::Forgotten);
        }
        not_forgotten(self.webhook(name).await?.as_ref())
    }
}
