//! The lists of operations and of events.

use async_trait::async_trait;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

use crate::domain::bucket::Bucket;
use crate::domain::event::{Event, EventKind};
use crate::domain::operation::{Operation, OperationId, Status};
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, EVENT, OPERATION};
use crate::ledger::lists::{self, Edge, EventStore, Found, Reach, Search};
use crate::service::ledger::{
    Checkpoint, EventCount, EventFilter, LedgerError, Lists, OperationFilter, Order,
};

use super::rows::{self, event_of, operation_of, push_scope, timestamp};
use super::{Postgres, counts};

/// The VPCs that fit one of the patterns, found in an index that begins with them: one step for each VPC there is.
fn push_vpcs(query: &mut QueryBuilder<sqlx::Postgres>, table: &str, patterns: &[VpcPattern]) {
    query.push(format!(
        "RECURSIVE known (vpc_id) AS (
            SELECT min(vpc_id) FROM {table}
            UNION ALL
            SELECT (SELECT min(t.vpc_id) FROM {table} t WHERE t.vpc_id > known.vpc_id)
            FROM known WHERE known.vpc_id IS NOT NULL
         ), vpcs AS MATERIALIZED (SELECT known.vpc_id FROM known WHERE true"
    ));
    push_scope(query, "known.vpc_id", patterns);
    query.push("), ");
}

/// Every statement is planned for its own values: a plan for any values would be a bad one for most.
async fn rows(pool: &PgPool, mut query: QueryBuilder<sqlx::Postgres>) -> Result<Vec<PgRow>, LedgerError> {
    Ok(query.build().persistent(false).fetch_all(pool).await?)
}

async fn operations(
    pool: &PgPool,
    vpcs: &VpcScope,
    filter: &OperationFilter,
    after: Option<OperationId>,
    limit: u32,
) -> Result<Vec<Operation>, LedgerError> {
    let Some(reach) = lists::reach(vpcs, filter.vpc_id.as_deref()) else { return Ok(Vec::new()) };
    let mut query = QueryBuilder::new("WITH ");
    let by_vpc = match reach {
        Reach::Matching(patterns) if filter.tunnel_id.is_none() => Some(patterns),
        _ => None,
    };
    if let Some(patterns) = by_vpc {
        push_vpcs(&mut query, "operations", patterns);
    }
    // The ids first: they stand in the indexes.
    query.push("page AS MATERIALIZED (");
    if by_vpc.is_some() {
        query.push("SELECT found.id FROM vpcs v CROSS JOIN LATERAL (");
    }
    query.push("SELECT o.id FROM operations o WHERE true");
    match reach {
        Reach::All => {}
        Reach::One(vpc) => {
            query.push(" AND o.vpc_id = ").push_bind(vpc.to_owned());
        }
        Reach::Matching(_) if by_vpc.is_some() => {
            query.push(" AND o.vpc_id = v.vpc_id");
        }
        Reach::Matching(patterns) => push_scope(&mut query, "o.vpc_id", patterns),
    }
    let (from, before) =
        (filter.created_after.map(lists::id_from), filter.created_before.map(lists::id_before));
    let inexact = |bound: &Option<lists::IdBound>, at: Option<Timestamp>| {
        at.filter(|_| bound.as_ref().is_some_and(|bound| !bound.is_exact)).map(Timestamp::to_offset)
    };
    push_filters!(query,
        filter.tunnel_id.clone() => "o.tunnel_id =",
        filter.status.map(Status::as_str) => "o.status =",
        filter.requested_by.clone() => "o.requested_by =",
        inexact(&from, filter.created_after) => "o.created_at >=",
        inexact(&before, filter.created_before) => "o.created_at <",
        from.map(|bound| bound.id) => "o.id >=",
        before.map(|bound| bound.id) => "o.id <",
        after => "o.id <",
    );
    query.push(" ORDER BY o.id DESC LIMIT ").push_bind(i64::from(limit));
    if by_vpc.is_some() {
        query.push(") found ORDER BY found.id DESC LIMIT ").push_bind(i64::from(limit));
    }
    query.push(format!(
        ") SELECT {OPERATION} FROM page JOIN operations o ON o.id = page.id ORDER BY o.id DESC"
    ));
    let rows = rows(pool, query).await?;
    rows.iter().map(operation_of).collect()
}

struct Log<'a>(&'a PgPool);

/// What is the same for all events of an operation.
fn push_about(query: &mut QueryBuilder<sqlx::Postgres>, search: &Search<'_>, by_vpc: bool) {
    match search.reach {
        Reach::All => {}
        Reach::One(vpc) => {
            query.push(" AND e.vpc_id = ").push_bind(vpc.to_owned());
        }
        Reach::Matching(_) if by_vpc => {
            query.push(" AND e.vpc_id = v.vpc_id");
        }
        Reach::Matching(patterns) => push_scope(query, "e.vpc_id", patterns),
    }
    push_filters!(query,
        search.filter.operation_id => "e.operation_id =",
        search.filter.tunnel_id.clone() => "e.tunnel_id =",
        search.filter.requested_by.clone() => "e.actor =",
    );
    if let Some(within) = search.within {
        query.push(" AND e.operation_id = ANY (").push_bind(within.to_vec()).push(")");
    }
}

#[async_trait]
impl EventStore for Log<'_> {
    async fn search(&self, search: Search<'_>, status: Option<Status>) -> Result<Vec<Found>, LedgerError> {
        let (filter, by_vpc) = (search.filter, search.goes_by_vpc());
        let (sign, direction) = match search.order {
            Order::NewestFirst => ("<", "DESC"),
            Order::OldestFirst => (">", "ASC"),
        };
        let columns = if status.is_some() { "e.seq, e.operation_id" } else { "e.seq" };
        let mut query = QueryBuilder::new("WITH ");
        if let (true, Reach::Matching(patterns)) = (by_vpc, search.reach) {
            push_vpcs(&mut query, "audit_events", patterns);
        }
        query.push("found AS MATERIALIZED (");
        if by_vpc {
            query.push("SELECT e.* FROM vpcs v CROSS JOIN LATERAL (");
        }
        query.push(format!("SELECT {columns} FROM audit_events e WHERE true"));
        push_about(&mut query, &search, by_vpc);
        push_filters!(query, filter.event.map(EventKind::as_str) => "e.event =");
        push_filters!(query,
            filter.created_after.map(Timestamp::to_offset) => "e.occurred_at >=",
            filter.created_before.map(Timestamp::to_offset) => "e.occurred_at <",
        );
        if filter.created_after.is_some() || filter.created_before.is_some() {
            let (first, last) = search.seqs;
            query.push(" AND e.seq BETWEEN ").push_bind(first).push(" AND ").push_bind(last);
        }
        if let Some(after) = search.after {
            query.push(format!(" AND e.seq {sign} ")).push_bind(after);
        }
        query.push(format!(" ORDER BY e.seq {direction} LIMIT ")).push_bind(i64::from(search.limit));
        if by_vpc {
            query.push(format!(") e ORDER BY e.seq {direction} LIMIT ")).push_bind(i64::from(search.limit));
        }
        query.push(") SELECT found.seq, ");
        match status {
            Some(status) => query
                .push("coalesce(o.status = ")
                .push_bind(status.as_str())
                .push(", false) FROM found LEFT JOIN operations o ON o.id = found.operation_id"),
            None => query.push("true FROM found"),
        };
        query.push(format!(" ORDER BY found.seq {direction}"));
        let found = rows(self.0, query).await?;
        let read = |row: &PgRow| -> Result<Found, LedgerError> {
            Ok(Found { seq: row.try_get(0)?, fits: row.try_get(1)? })
        };
        found.iter().map(read).collect()
    }

    async fn seqs(
        &self,
        created_after: Option<Timestamp>,
        created_before: Option<Timestamp>,
    ) -> Result<Option<(i64, i64)>, LedgerError> {
        let row = sqlx::query(
            "SELECT (SELECT min(first_seq) FROM audit_hours WHERE $1 IS NULL OR hour > $1 - interval '1 hour'),
                    (SELECT max(last_seq) FROM audit_hours WHERE $2 IS NULL OR hour < $2)",
        )
        .bind(created_after.map(Timestamp::to_offset))
        .bind(created_before.map(Timestamp::to_offset));
        let row = row.persistent(false).fetch_one(self.0).await?;
        let bound = |column| row.try_get::<Option<i64>, usize>(column);
        Ok(bound(0)?.zip(bound(1)?))
    }

    async fn by_seq(&self, seqs: &[i64]) -> Result<Vec<Event>, LedgerError> {
        let sql = format!("SELECT {EVENT} FROM audit_events e WHERE e.seq = ANY($1)");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(seqs).fetch_all(self.0).await?;
        rows.iter().map(event_of).collect()
    }

    async fn in_status(&self, status: Status) -> Result<Vec<OperationId>, LedgerError> {
        let ids = sqlx::query_scalar("SELECT id FROM operations WHERE status = $1").bind(status.as_str());
        Ok(ids.fetch_all(self.0).await?)
    }

    async fn across(
        &self,
        search: Search<'_>,
        kind: EventKind,
        edge: Edge,
    ) -> Result<Vec<OperationId>, LedgerError> {
        let mut query =
            QueryBuilder::new("SELECT DISTINCT e.operation_id FROM audit_events e WHERE e.event = ");
        query.push_bind(kind.as_str());
        push_about(&mut query, &search, false);
        match edge {
            Edge::Seq(seq) => {
                query.push(" AND e.seq >= ").push_bind(seq);
                query.push(" AND EXISTS (SELECT 1 FROM audit_events b WHERE b.operation_id = e.operation_id AND b.seq < ");
                query.push_bind(seq).push(")");
            }
            Edge::Time(at) => {
                query.push(" AND e.occurred_at >= ").push_bind(at.to_offset());
                query.push(" AND e.operation_id < ").push_bind(lists::id_before(at).id);
            }
        }
        let rows = rows(self.0, query).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

#[async_trait]
impl Lists for Postgres {
    async fn operation(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Operation>, LedgerError> {
        let mut query = QueryBuilder::new(format!("SELECT {OPERATION} FROM operations o WHERE o.id = "));
        query.push_bind(id);
        rows::push_vpcs(&mut query, "o.vpc_id", vpcs);
        let row = self.limited(query.build().fetch_optional(&self.pool)).await?;
        row.map(|row| operation_of(&row)).transpose()
    }

    async fn operations_by_id(&self, ids: &[OperationId]) -> Result<Vec<Operation>, LedgerError> {
        let sql = format!("SELECT {OPERATION} FROM operations o WHERE o.id = ANY($1)");
        let select = sqlx::query(AssertSqlSafe(sql)).bind(ids);
        self.limited(select.fetch_all(&self.pool)).await?.iter().map(operation_of).collect()
    }

    async fn events_of(&self, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError> {
        let sql = format!("SELECT {EVENT} FROM audit_events e WHERE e.operation_id = ANY($1) ORDER BY e.seq");
        let select = sqlx::query(AssertSqlSafe(sql)).bind(ids);
        self.limited(select.fetch_all(&self.pool)).await?.iter().map(event_of).collect()
    }

    async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError> {
        self.limited(operations(&self.pool, vpcs, filter, after, limit)).await
    }

    async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError> {
        let mut query = QueryBuilder::new(format!("SELECT {EVENT} FROM audit_events e WHERE e.seq = "));
        query.push_bind(seq);
        rows::push_vpcs(&mut query, "e.vpc_id", vpcs);
        let row = self.limited(query.build().fetch_optional(&self.pool)).await?;
        row.map(|row| event_of(&row)).transpose()
    }

    async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError> {
        self.limited(lists::events(&Log(&self.pool), vpcs, filter, order, after, limit)).await
    }

    async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError> {
        self.limited(counts::event_counts(&self.pool, vpcs, filter, bucket)).await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError> {
        let select = sqlx::query("SELECT seq, hash, occurred_at FROM audit_events ORDER BY seq DESC LIMIT 1");
        let Some(row) = self.limited(select.fetch_optional(&self.pool)).await? else { return Ok(None) };
        let hash: Vec<u8> = row.try_get("hash")?;
        let hash = columns::hash(&hash, "the newest event")?;
        Ok(Some(Checkpoint { seq: row.try_get("seq")?, hash, at: timestamp(&row, "occurred_at")? }))
    }
}
