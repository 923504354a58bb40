//! Counting events.

use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::domain::bucket::Bucket;
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{EventCount, EventFilter, LedgerError};

use super::rows::push_vpcs;

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
    push_vpcs(&mut query, "e.vpc_id", vpcs);
    push_event_filter(&mut query, filter);
    query.push(" GROUP BY 1, 2 ORDER BY 1, 2");
    let rows = query.build().fetch_all(pool).await?;
    let count = |row| -> Result<EventCount, LedgerError> {
        let stretch: i64 = Row::try_get(row, "stretch")?;
        let events: i64 = Row::try_get(row, "events")?;
        Ok(EventCount {
            from: Timestamp::from_micros(stretch.saturating_mul(seconds).saturating_mul(1_000_000)),
            event: Row::try_get(row, "event")?,
            count: events.unsigned_abs(),
        })
    };
    rows.iter().map(count).collect()
}

/// Adds what the events have to be like.
fn push_event_filter(query: &mut QueryBuilder<Sqlite>, filter: &EventFilter) {
    push_filters!(query,
        filter.operation_id.map(|id| id.to_string()) => "e.operation_id =",
        filter.event.map(crate::domain::event::EventKind::as_str) => "e.event =",
        filter.vpc_id.clone() => "e.vpc_id =",
        filter.tunnel_id.clone() => "e.tunnel_id =",
        filter.requested_by.clone() => "e.actor =",
        filter.created_after.map(|at| at.to_string()) => "e.occurred_at >=",
        filter.created_before.map(|at| at.to_string()) => "e.occurred_at <",
    );
    if let Some(status) = filter.status {
        query.push(" AND EXISTS (SELECT 1 FROM operations o WHERE o.id = e.operation_id AND o.status = ");
        query.push_bind(status.as_str()).push(")");
    }
}
