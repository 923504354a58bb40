//! The calls of an account.

use std::time::Duration;

use async_trait::async_trait;

use crate::ledger::call_budgets::{FARTHEST, STILL_SLOW, micros, no_row, reserved_of};
use crate::service::ledger::{Calls, LedgerError, Reserved};

use super::Postgres;

/// The statement reads the clock under the row's lock. Its commit does not wait for the disk: a row that is lost when the
/// server crashes lets a few calls start early.
const RESERVE: &str = "UPDATE call_budgets
     SET next_at = $2 * interval '1 microsecond' + CASE
             WHEN next_at < clock_timestamp() + $3 * interval '1 microsecond' THEN greatest(next_at, clock_timestamp())
             ELSE clock_timestamp()
         END
     WHERE account = $1
     RETURNING (extract(epoch FROM next_at - clock_timestamp()) * 1000000)::bigint - $2 AS wait, slowed_to,
               (extract(epoch FROM clock_timestamp() - slowed_at) * 1000000)::bigint AS slowed_ago,
               set_config('synchronous_commit', 'off', true)";

const INSERT: &str =
    "INSERT INTO call_budgets (account, next_at) VALUES ($1, clock_timestamp()) ON CONFLICT DO NOTHING";

const SLOW_DOWN: &str = "UPDATE call_budgets
     SET slowed_at = clock_timestamp(),
         slowed_to = CASE
             WHEN slowed_at BETWEEN clock_timestamp() - $4 * interval '1 microsecond' AND clock_timestamp()
             THEN least(slowed_to, $2) ELSE $2
         END
     WHERE account = $1
       AND (slowed_at IS NULL
            OR slowed_at NOT BETWEEN clock_timestamp() - $3 * interval '1 microsecond' AND clock_timestamp())";

#[async_trait]
impl Calls for Postgres {
    async fn reserve(&self, account: &str, count: u32, interval: Duration) -> Result<Reserved, LedgerError> {
        let all = micros(interval.saturating_mul(count));
        let reserve = || sqlx::query(RESERVE).bind(account).bind(all).bind(micros(FARTHEST));
        self.limited(async {
            let pool = &self.core_pool;
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
        self.limited(update.execute(&self.core_pool)).await?;
        Ok(())
    }
}
