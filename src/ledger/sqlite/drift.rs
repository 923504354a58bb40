//! Writing about drift.

use async_trait::async_trait;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use tokio::time::timeout;

use crate::domain::timestamp::Timestamp;
use crate::failpoint;
use crate::ledger::drift::{Row, SWEEP, events, guards, needs, rows, steps, sweep_of};
use crate::service::ledger::{Finding, LedgerError, Progress, Recorded, Sweep, Sweeps, WatchedTunnel};

use super::Sqlite;
use super::apply::{load, write};
use super::failure::Failure;

/// A new row starts with the oldest event that the ledger has.
const BEGIN: &str = "INSERT INTO drift_sweep (one, followed_seq)
     SELECT 1, coalesce((SELECT min(seq) FROM audit_events), 1) - 1 WHERE true ON CONFLICT DO NOTHING";

/// The lease of a holder that held it without a break keeps its fencing token.
const HOLD: &str = "UPDATE drift_sweep
     SET fence = fence + CASE WHEN lease_holder = $1 AND lease_until > $2 THEN 0 ELSE 1 END,
         lease_holder = $1, lease_until = $3, turned_on_at = coalesce(turned_on_at, $2)
     WHERE lease_holder = $1 OR lease_until IS NULL OR lease_until <= $2";

#[async_trait]
impl Sweeps for Sqlite {
    async fn hold_sweep(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, LedgerError> {
        self.limited(async {
            let pool = &self.write_pool;
            let (now, lease_until) = (now.to_string(), lease_until.to_string());
            let sql = format!("{HOLD} RETURNING {SWEEP}");
            let hold = || {
                sqlx::query(AssertSqlSafe(sql.clone()))
                    .bind(holder)
                    .bind(now.clone())
                    .bind(lease_until.clone())
            };
            if let Some(row) = hold().fetch_optional(pool).await? {
                return sweep_of(&row).map(Some);
            }
            if sqlx::query(BEGIN).execute(pool).await?.rows_affected() == 0 {
                return Ok(None);
            }
            hold().fetch_optional(pool).await?.as_ref().map(sweep_of).transpose()
        })
        .await
    }

    async fn release_sweep(&self, fence: i64) -> Result<(), LedgerError> {
        let release = sqlx::query("UPDATE drift_sweep SET lease_until = NULL WHERE fence = $1").bind(fence);
        self.limited(release.execute(&self.write_pool)).await?;
        Ok(())
    }

    async fn save_watched(
        &self,
        fence: i64,
        followed_seq: i64,
        tunnels: &[WatchedTunnel],
    ) -> Result<bool, LedgerError> {
        self.limited(async {
            let mut transaction = self.write_pool.begin_with("BEGIN IMMEDIATE").await?;
            let follow = sqlx::query("UPDATE drift_sweep SET followed_seq = $2 WHERE fence = $1");
            let follow = follow.bind(fence).bind(followed_seq).execute(&mut *transaction).await?;
            if follow.rows_affected() == 0 {
                return Ok(false);
            }
            for watched in tunnels {
                sqlx::query(
                    "INSERT INTO drift_watched (lock_id, vpc_id, gateway_id, tunnel_id, fields)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (lock_id) DO UPDATE SET vpc_id = excluded.vpc_id, gateway_id = excluded.gateway_id,
                         tunnel_id = excluded.tunnel_id, fields = excluded.fields",
                )
                .bind(&watched.lock_id)
                .bind(watched.tunnel.vpc_id.as_str())
                .bind(watched.tunnel.gateway_id.as_str())
                .bind(watched.tunnel.tunnel_id.as_str())
                .bind(json!(watched.fields).to_string())
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(true)
        })
        .await
    }

    async fn save_progress(&self, fence: i64, progress: &Progress) -> Result<bool, LedgerError> {
        let save =
            sqlx::query("UPDATE drift_sweep SET began_at = $2, place = $3, swept_at = $4 WHERE fence = $1")
                .bind(fence)
                .bind(progress.began_at.map(|at| at.to_string()))
                .bind(&progress.place)
                .bind(progress.swept_at.map(|at| at.to_string()));
        Ok(self.limited(save.execute(&self.write_pool)).await?.rows_affected() == 1)
    }

    async fn record_findings(&self, fence: i64, findings: &[Finding]) -> Result<Recorded, LedgerError> {
        match timeout(self.limit, self.record(fence, findings)).await {
            Ok(Ok(recorded)) => Ok(recorded),
            Ok(Err(failure)) => Err(failure.into()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }
}

impl Sqlite {
    async fn record(&self, fence: i64, findings: &[Finding]) -> Result<Recorded, Failure> {
        let mut transaction = self.write_pool.begin_with("BEGIN IMMEDIATE").await?;
        let context = load(&mut transaction, needs(findings), &self.store.memory).await?;
        let held = sqlx::query("SELECT 1 FROM drift_sweep WHERE fence = $1").bind(fence);
        if held.fetch_optional(&mut *transaction).await?.is_none() {
            return Ok(Recorded::LeaseLost);
        }
        let guards = guards(findings, &context);
        let events = events(findings, &guards);
        if events.is_empty() {
            return Ok(Recorded::Written(guards));
        }
        let writes = write(&mut transaction, &steps(&events), &self.store.memory).await?;
        for row in rows(&events, &writes.events) {
            store(&mut transaction, &row).await?;
        }
        failpoint::at!("drift.before-commit");
        transaction.commit().await?;
        failpoint::at!("drift.after-commit");
        Ok(Recorded::Written(guards))
    }
}

async fn store(connection: &mut SqliteConnection, row: &Row<'_>) -> Result<(), sqlx::Error> {
    let statement = match row {
        Row::Opened { lock_id, event, field } => sqlx::query(
            "INSERT INTO drift (lock_id, pointer, vpc_id, gateway_id, tunnel_id, account, region, api, operation_id,
                                was_set, observed, since, seq)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (lock_id, pointer) DO UPDATE SET vpc_id = excluded.vpc_id,
                gateway_id = excluded.gateway_id, tunnel_id = excluded.tunnel_id, account = excluded.account,
                region = excluded.region, api = excluded.api, operation_id = excluded.operation_id,
                was_set = excluded.was_set, observed = excluded.observed, since = excluded.since, seq = excluded.seq",
        )
        .bind(*lock_id)
        .bind(&field.pointer)
        .bind(&event.row.vpc_id)
        .bind(&event.row.gateway_id)
        .bind(&event.row.tunnel_id)
        .bind(&event.row.account)
        .bind(&event.row.region)
        .bind(&event.row.api)
        .bind(field.operation_id.to_string())
        .bind(field.set.to_string())
        .bind(field.observed.to_string())
        .bind(field.since.to_string())
        .bind(event.row.seq),
        Row::Ended { lock_id, field } => {
            sqlx::query("DELETE FROM drift WHERE lock_id = $1 AND pointer = $2 AND operation_id = $3")
                .bind(*lock_id)
                .bind(&field.pointer)
                .bind(field.operation_id.to_string())
        }
    };
    statement.execute(connection).await?;
    Ok(())
}
