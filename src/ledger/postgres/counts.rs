//! Counting events.

use sqlx::postgres::PgPool;
use sqlx::{QueryBuilder, Row};

use crate::domain::bucket::Bucket;
use crate::domain::principal::VpcScope;
use crate::ledger::unavailable;
use crate::service::ledger::{EventCount, EventFilter, LedgerError};

use super::read::{push_event_filter, push_scope, timestamp};

pub(super) async fn event_counts(
    pool: &PgPool,
    vpcs: &VpcScope,
    filter: &EventFilter,
    bucket: Bucket,
) -> Result<Vec<EventCount>, LedgerError> {
    let mut query = QueryBuilder::new("SELECT date_bin(make_interval(secs => ");
    query.push_bind(bucket.length().as_secs_f64());
    query.push(
        "), e.occurred_at, 'epoch') AS stretch, e.event, count(*) AS events FROM audit_events e WHERE true",
    );
    push_scope(&mut query, "e.vpc_id", vpcs);
    push_event_filter(&mut query, filter);
    query.push(" GROUP BY 1, 2 ORDER BY 1, 2");
    let rows = query.build().fetch_all(pool).await.map_err(unavailable)?;
    let count = |row| -> Result<EventCount, LedgerError> {
        let events: i64 = Row::try_get(row, "events").map_err(unavailable)?;
        Ok(EventCount {
            from: timestamp(row, "stretch")?,
            event: Row::try_get(row, "event").map_err(unavailable)?,
            count: events.unsigned_abs(),
        })
    };
    rows.iter().map(count).collect()
}
