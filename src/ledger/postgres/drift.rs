//! Writing about drift.

use async_trait::async_trait;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::time::timeout;

use crate::domain::timestamp::Timestamp;
use crate::failpoint;
use crate::ledger::batch;
use crate::ledger::drift::{Row, SWEEP, events, guards, needs, rows, steps, sweep_of};
use crate::service::ledger::{Finding, LedgerError, Progress, Recorded, Sweep, Sweeps, WatchedTunnel};

use super::Postgres;
use super::failure::Failure;
use super::load::load;
use super::write::{Path, write};

/// A new row starts with the oldest event that the ledger has.
const BEGIN: &str = "INSERT INTO drift_sweep (followed_seq)
     SELECT coalesce((SELECT seq FROM audit_events ORDER BY seq LIMIT 1), 1) - 1 ON CONFLICT DO NOTHING";

/// The lease of a holder that held it without a break keeps its fencing token.
const HOLD: &str = "UPDATE drift_sweep
     SET fence = fence + CASE WHEN lease_holder = $1 AND lease_until > $2 THEN 0 ELSE 1 END,
         lease_holder = $1, lease_until = $3, turned_on_at = coalesce(turned_on_at, $2)
     WHERE lease_holder = $1 OR lease_until IS NULL OR lease_until <= $2";

/// If events after `followed_seq` are archived already, later changes may have replaced the watched values. All are deleted, and the
/// log is followed from its oldest event.
const SKIP_ARCHIVED: &str = "WITH oldest AS (SELECT seq FROM audit_events ORDER BY seq LIMIT 1),
     skipped AS (
         UPDATE drift_sweep SET followed_seq = oldest.seq - 1 FROM oldest
         WHERE fence = $1 AND followed_seq < oldest.seq - 1 RETURNING followed_seq),
     emptied AS (DELETE FROM drift_watched WHERE EXISTS (SELECT FROM skipped))
     SELECT followed_seq FROM skipped";

#[async_trait]
impl Sweeps for Postgres {
    async fn hold_sweep(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, LedgerError> {
        self.limited(async {
            let pool = &self.core_pool;
            let sql = format!("{HOLD} RETURNING {SWEEP}");
            let hold = || {
                let hold = sqlx::query(AssertSqlSafe(sql.clone())).bind(holder);
                hold.bind(now.to_offset()).bind(lease_until.to_offset())
            };
            if let Some(row) = hold().fetch_optional(pool).await? {
                let mut sweep = sweep_of(&row)?;
                let skip = sqlx::query_scalar(SKIP_ARCHIVED).bind(sweep.fence);
                if let Some(followed_seq) = skip.fetch_optional(pool).await? {
                    sweep.progress.followed_seq = followed_seq;
                }
                return Ok(Some(sweep));
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
        self.limited(release.execute(&self.core_pool)).await?;
        Ok(())
    }

    async fn save_watched(
        &self,
        fence: i64,
        followed_seq: i64,
        tunnels: &[WatchedTunnel],
    ) -> Result<bool, LedgerError> {
        let text = |of: fn(&WatchedTunnel) -> &str| -> Vec<String> {
            tunnels.iter().map(|tunnel| of(tunnel).to_owned()).collect()
        };
        self.limited(async {
            let mut transaction = self.core_pool.begin().await?;
            let follow = sqlx::query("UPDATE drift_sweep SET followed_seq = $2 WHERE fence = $1");
            let follow = follow.bind(fence).bind(followed_seq).execute(&mut *transaction).await?;
            if follow.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO drift_watched (lock_id, vpc_id, gateway_id, tunnel_id, fields)
                 SELECT lock_id, vpc_id, gateway_id, tunnel_id, fields::jsonb
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                     AS w (lock_id, vpc_id, gateway_id, tunnel_id, fields)
                 ON CONFLICT (lock_id) DO UPDATE SET vpc_id = excluded.vpc_id, gateway_id = excluded.gateway_id,
                     tunnel_id = excluded.tunnel_id, fields = excluded.fields",
            )
            .bind(text(|tunnel| &tunnel.lock_id))
            .bind(text(|tunnel| tunnel.tunnel.vpc_id.as_str()))
            .bind(text(|tunnel| tunnel.tunnel.gateway_id.as_str()))
            .bind(text(|tunnel| tunnel.tunnel.tunnel_id.as_str()))
            .bind(tunnels.iter().map(|tunnel| json!(tunnel.fields).to_string()).collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(true)
        })
        .await
    }

    async fn save_progress(&self, fence: i64, progress: &Progress) -> Result<bool, LedgerError> {
        let save =
            sqlx::query("UPDATE drift_sweep SET began_at = $2, place = $3, swept_at = $4 WHERE fence = $1")
                .bind(fence)
                .bind(progress.began_at.map(Timestamp::to_offset))
                .bind(&progress.place)
                .bind(progress.swept_at.map(Timestamp::to_offset));
        Ok(self.limited(save.execute(&self.core_pool)).await?.rows_affected() == 1)
    }

    async fn record_findings(&self, fence: i64, findings: &[Finding]) -> Result<Recorded, LedgerError> {
        let recorded = timeout(self.limit, async {
            let mut connection = self.store.pool.acquire().await?;
            self.record(&mut connection, fence, findings).await
        });
        match recorded.await {
            Ok(Ok(recorded)) => Ok(recorded),
            Ok(Err(failure)) => Err(failure.into()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }
}

impl Postgres {
    async fn record(
        &self,
        connection: &mut PgConnection,
        fence: i64,
        findings: &[Finding],
    ) -> Result<Recorded, Failure> {
        let mut transaction = connection.begin().await?;
        let context = load(&mut transaction, needs(findings), &self.store.memory).await?;
        // A process that takes the lease over waits for this row.
        let held = sqlx::query("SELECT 1 FROM drift_sweep WHERE fence = $1 FOR UPDATE").bind(fence);
        if held.fetch_optional(&mut *transaction).await?.is_none() {
            return Ok(Recorded::LeaseLost);
        }
        let guards = guards(findings, &context);
        let events = events(findings, &guards);
        if events.is_empty() {
            return Ok(Recorded::Written(guards));
        }
        let before = context.head;
        let writes = batch::decide(&steps(&events), context)?;
        if !write(&mut transaction, before, &writes, Path::Locked).await? {
            return Err(LedgerError::Corrupt("chain_head changed under its lock".into()).into());
        }
        for row in rows(&events, &writes.events) {
            store(&mut transaction, &row).await?;
        }
        failpoint::at!("drift.before-commit");
        transaction.commit().await?;
        failpoint::at!("drift.after-commit");
        Ok(Recorded::Written(guards))
    }
}

async fn store(connection: &mut PgConnection, row: &Row<'_>) -> Result<(), sqlx::Error> {
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
        .bind(field.operation_id)
        .bind(&field.set)
        .bind(&field.observed)
        .bind(field.since.to_offset())
        .bind(event.row.seq),
        Row::Ended { lock_id, field } => {
            sqlx::query("DELETE FROM drift WHERE lock_id = $1 AND pointer = $2 AND operation_id = $3")
                .bind(*lock_id)
                .bind(&field.pointer)
                .bind(field.operation_id)
        }
    };
    statement.execute(connection).await?;
    Ok(())
}
