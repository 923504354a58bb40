//! Counting events.

use sqlx::postgres::PgPool;
use sqlx::{Postgres, QueryBuilder, Row};

use crate::domain::bucket::Bucket;
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{EventCount, EventFilter, LedgerError};

use super::rows::{push_vpcs, timestamp};

pub(super) async fn event_counts(
    pool: &PgPool,
    vpcs: &VpcScope,
    filter: &EventFilter,
    bucket: Bucket,
) -> Result<Vec<EventCount>, LedgerError> {
    // Bucket by bucket: PostgreSQL can't guess how few buckets there are, and would sort all events to group them.
    let mut query = QueryBuilder::new("WITH span AS (SELECT make_interval(secs => ");
    query.push_bind(bucket.length().as_secs_f64());
    query.push(") AS length, coalesce(").push_bind(filter.created_after.map(Timestamp::to_offset));
    query.push(", (SELECT min(occurred_at) FROM audit_events)) AS first, coalesce(");
    query.push_bind(filter.created_before.map(Timestamp::to_offset));
    query.push(
        ", (SELECT max(occurred_at) FROM audit_events)) AS last)
         SELECT stretch, counted.event, counted.events
         FROM span CROSS JOIN generate_series(date_bin(length, first, 'epoch'), last, length) stretch
         CROSS JOIN LATERAL (SELECT e.event, count(*) AS events FROM audit_events e
             WHERE e.occurred_at >= stretch AND e.occurred_at < stretch + length",
    );
    push_vpcs(&mut query, "e.vpc_id", vpcs);
    push_event_filter(&mut query, filter);
    query.push(" GROUP BY e.event) counted ORDER BY 1, 2");
    let rows = query.build().fetch_all(pool).await?;
    let count = |row| -> Result<EventCount, LedgerError> {
        let events: i64 = Row::try_get(row, "events")?;
        Ok(EventCount {
            from: timestamp(row, "stretch")?,
            event: Row::try_get(row, "event")?,
            count: events.unsigned_abs(),
        })
    };
    rows.iter().map(count).collect()
}

/// Adds what the events have to be like.
fn push_event_filter(query: &mut QueryBuilder<Postgres>, filter: &EventFilter) {
    push_filters!(query,
        filter.operation_id => "e.operation_id =",
        filter.event.map(crate::domain::event::EventKind::as_str) => "e.event =",
        filter.vpc_id.clone() => "e.vpc_id =",
        filter.tunnel_id.clone() => "e.tunnel_id =",
        filter.requested_by.clone() => "e.actor =",
        filter.created_after.map(Timestamp::to_offset) => "e.occurred_at >=",
        filter.created_before.map(Timestamp::to_offset) => "e.occurred_at <",
    );
    if let Some(status) = filter.status {
        query.push(" AND EXISTS (SELECT 1 FROM operations o WHERE o.id = e.operation_id AND o.status = ");
        query.push_bind(status.as_str()).push(")");
    }
}
