//! The calls of an account.

use std::time::Duration;

use async_trait::async_trait;

use crate::ledger::call_budgets::{FARTHEST, STILL_SLOW, micros, no_row, reserved_of};
use crate::service::ledger::{Calls, LedgerError, Reserved};

use super::Sqlite;

/// Reads the clock once in a statement.
const RESERVE: &str = "WITH clock AS (SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) AS now)
     UPDATE call_budgets
     SET next_at = $2 + CASE WHEN next_at < clock.now + $3 THEN max(next_at, clock.now) ELSE clock.now END
     FROM clock WHERE account = $1
     RETURNING next_at - CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) - $2 AS wait, slowed_to,
               CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) - slowed_at AS slowed_ago";

const INSERT: &str = "INSERT INTO call_budgets (account, next_at) VALUES ($1, 0) ON CONFLICT DO NOTHING";

const SLOW_DOWN: &str = "WITH clock AS (SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) AS now)
     UPDATE call_budgets
     SET slowed_at = clock.now,
         slowed_to = CASE WHEN slowed_at BETWEEN clock.now - $4 AND clock.now THEN min(slowed_to, $2) ELSE $2 END
     FROM clock
     WHERE account = $1 AND (slowed_at IS NULL OR slowed_at NOT BETWEEN clock.now - $3 AND clock.now)";

#[async_trait]
impl Calls for Sqlite {
    async fn reserve(&self, account: &str, count: u32, interval: Duration) -> Result<Reserved, LedgerError> {
        let all = micros(interval.saturating_mul(count));
        let reserve = || sqlx::query(RESERVE).bind(account).bind(all).bind(micros(FARTHEST));
        self.limited(async {
            let pool = &self.calls_pool;
            if let Some(row) = reserve().fetch_optional(pool).await? {
                return reserved_of(&row);
            }
            sqlx::query(INSERT).bind(account).execute(pool).await?;
            let row = reserve().fetch_optional(pool).await?;
            row.map_or_else(|| Err(no_row()), |row| reserved_of(&row))
        })
        .await
    }

    async fn slow_down(&self, account: &str, rate: u32, pause: Duration) -> Result<(), LedgerError> {
        let update = sqlx::query(SLOW_DOWN);
        let update = update.bind(account).bind(i64::from(rate)).bind(micros(pause)).bind(micros(STILL_SLOW));
        self.limited(update.execute(&self.calls_pool)).await?;
        Ok(())
    }
}
