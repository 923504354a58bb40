//! Counting events.

use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Row};

use crate::domain::bucket::Bucket;
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;
use crate::ledger::unavailable;
use crate::service::ledger::{EventCount, EventFilter, LedgerError};

use super::read::{push_event_filter, push_scope};

pub(super) async fn event_counts(
    pool: &SqlitePool,
    vpcs: &VpcScope,
    filter: &EventFilter,
    bucket: Bucket,
) -> Result<Vec<EventCount>, LedgerError> {
    let seconds = i64::try_from(bucket.length().as_secs()).unwrap_or(i64::MAX);
    let mut query = QueryBuilder::new("SELECT unixepoch(e.occurred_at) / ");
    query.push_bind(seconds);
    query.push(" AS stretch, e.event, count(*) AS events FROM audit_events e WHERE true");
    push_scope(&mut query, "e.vpc_id", vpcs);
    push_event_filter(&mut query, filter);
    query.push(" GROUP BY 1, 2 ORDER BY 1, 2");
    let rows = query.build().fetch_all(pool).await.map_err(unavailable)?;
    let count = |row| -> Result<EventCount, LedgerError> {
        let stretch: i64 = Row::try_get(row, "stretch").map_err(unavailable)?;
        let events: i64 = Row::try_get(row, "events").map_err(unavailable)?;
        Ok(EventCount {
            from: Timestamp::from_micros(stretch.saturating_mul(seconds).saturating_mul(1_000_000)),
            event: Row::try_get(row, "event").map_err(unavailable)?,
            count: events.unsigned_abs(),
        })
    };
    rows.iter().map(count).collect()
}
