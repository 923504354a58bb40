//! The statements of lists, reads and counts, for both stores. Pure functions; `snapshots` contains their texts.

use crate::domain::bucket::Bucket;
use crate::domain::event::EventKind;
use crate::domain::operation::{OperationId, Status};
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{EVENT, OPERATION};
use crate::service::ledger::{EventFilter, OperationFilter, Order};

use super::reach::{self, IdBound, Reach};
use super::search::{Edge, Search};
use super::statement::{Dialect, Statement};

/// One operation, if its VPC is in `vpcs`.
pub(super) fn operation(dialect: Dialect, id: OperationId, vpcs: &VpcScope) -> Statement {
    let mut sql = Statement::new(dialect, format!("SELECT {OPERATION} FROM operations o WHERE o.id = "));
    sql.bind(id);
    and_in(&mut sql, "o.vpc_id", vpcs);
    sql
}

/// The operations with these ids.
pub(super) fn operations_by_id(dialect: Dialect, ids: &[OperationId]) -> Statement {
    let mut sql = Statement::new(dialect, format!("SELECT {OPERATION} FROM operations o WHERE "));
    sql.is_one_of("o.id", ids);
    sql
}

/// The ids of the operations in a status.
pub(super) fn operations_in_status(dialect: Dialect, status: Status) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT id FROM operations WHERE status = ");
    sql.bind(status.as_str());
    sql
}

/// One event, if its VPC is in `vpcs`.
pub(super) fn event(dialect: Dialect, seq: i64, vpcs: &VpcScope) -> Statement {
    let mut sql = Statement::new(dialect, format!("SELECT {EVENT} FROM audit_events e WHERE e.seq = "));
    sql.bind(seq);
    and_in(&mut sql, "e.vpc_id", vpcs);
    sql
}

/// The events with these numbers.
pub(super) fn events_by_seq(dialect: Dialect, seqs: &[i64]) -> Statement {
    let mut sql = Statement::new(dialect, format!("SELECT {EVENT} FROM audit_events e WHERE "));
    sql.is_one_of("e.seq", seqs);
    sql
}

/// All events of these operations, oldest first.
pub(super) fn events_of(dialect: Dialect, ids: &[OperationId]) -> Statement {
    let mut sql = Statement::new(dialect, format!("SELECT {EVENT} FROM audit_events e WHERE "));
    sql.is_one_of("e.operation_id", ids).push(" ORDER BY e.seq");
    sql
}

/// `seq`, `hash` and `occurred_at` of the newest event.
pub(super) fn checkpoint(dialect: Dialect) -> Statement {
    Statement::new(dialect, "SELECT seq, hash, occurred_at FROM audit_events ORDER BY seq DESC LIMIT 1")
}

/// A page of operations, newest first.
pub(super) fn operations(
    dialect: Dialect,
    reach: Reach<'_>,
    filter: &OperationFilter,
    after: Option<OperationId>,
    limit: u32,
) -> Statement {
    let mut sql = Statement::new(dialect, "WITH ").planned_each_time();
    let patterns = match reach {
        Reach::Matching(patterns) if filter.tunnel_id.is_none() => Some(patterns),
        _ => None,
    };
    let page = Page { table: "operations", key: "id", direction: "DESC", limit, patterns };
    // The page selects ids, which the indexes contain. Only the page's own rows are read from the table.
    page.begin(&mut sql);
    sql.push("SELECT o.id FROM operations o WHERE true");
    and_reach(&mut sql, "o.vpc_id", reach, patterns.is_some());
    let from = filter.created_after.map(reach::id_from);
    let before = filter.created_before.map(reach::id_before);
    let inexact = |bound: &Option<IdBound>, at: Option<Timestamp>| {
        at.filter(|_| bound.as_ref().is_some_and(|bound| !bound.is_exact))
    };
    sql.and("o.tunnel_id =", filter.tunnel_id.as_ref())
        .and("o.status =", filter.status.map(Status::as_str))
        .and("o.requested_by =", filter.requested_by.as_ref())
        .and(account("o.account", dialect, is_narrow(reach, filter)), filter.account.as_ref())
        .and("o.request_id =", filter.request_id.as_ref())
        .and("o.created_at >=", inexact(&from, filter.created_after))
        .and("o.created_at <", inexact(&before, filter.created_before))
        .and("o.id >=", from.map(|bound| bound.id))
        .and("o.id <", before.map(|bound| bound.id))
        .and("o.id <", after);
    page.end(&mut sql, "o.id");
    sql.push(&format!(
        " SELECT {OPERATION} FROM page JOIN operations o ON o.id = page.id ORDER BY o.id DESC"
    ));
    sql
}

/// The numbers of the events that a search finds, in its order, each with true if its operation is in `status`.
pub(super) fn search(dialect: Dialect, search: &Search<'_>, status: Option<Status>) -> Statement {
    let (comparison, direction) = match search.order {
        Order::NewestFirst => ("e.seq <", "DESC"),
        Order::OldestFirst => ("e.seq >", "ASC"),
    };
    let patterns = match search.reach {
        Reach::Matching(patterns) if search.is_by_vpc() => Some(patterns),
        _ => None,
    };
    let page = Page { table: "audit_events", key: "seq", direction, limit: search.limit, patterns };
    let filter = search.filter;
    let mut sql = Statement::new(dialect, "WITH ").planned_each_time();
    page.begin(&mut sql);
    sql.push(match (status, dialect) {
        (Some(_), Dialect::Postgres) => "SELECT e.seq, e.operation_id FROM audit_events e WHERE true",
        _ => "SELECT e.seq FROM audit_events e WHERE true",
    });
    and_about(&mut sql, search, patterns.is_some());
    sql.and("e.event =", filter.event.map(EventKind::as_str))
        .and("e.occurred_at >=", filter.created_after)
        .and("e.occurred_at <", filter.created_before);
    if filter.created_after.is_some() || filter.created_before.is_some() {
        let (first, last) = search.seqs;
        sql.push(" AND e.seq BETWEEN ").bind(first).push(" AND ").bind(last);
    }
    sql.and(comparison, search.after);
    page.end(&mut sql, "e.seq");
    sql.push(" SELECT page.seq, ");
    match (status, dialect) {
        (None, _) => sql.push("true AS fits FROM page"),
        (Some(status), Dialect::Postgres) => sql
            .push("coalesce(o.status = ")
            .bind(status.as_str())
            .push(", false) AS fits FROM page LEFT JOIN operations o ON o.id = page.operation_id"),
        (Some(status), Dialect::Sqlite) => sql
            .push("EXISTS (SELECT 1 FROM audit_events a JOIN operations o ON o.id = a.operation_id")
            .push(" WHERE a.seq = page.seq AND o.status = ")
            .bind(status.as_str())
            .push(") AS fits FROM page"),
    };
    sql.push(" ORDER BY page.seq ").push(direction);
    sql
}

/// Range of `seq` that contains all events of a time, by the hours in `audit_hours`.
pub(super) fn seq_range(dialect: Dialect, after: Option<Timestamp>, before: Option<Timestamp>) -> Statement {
    let mut sql = Statement::new(
        dialect,
        match dialect {
            Dialect::Postgres => {
                "SELECT (SELECT min(first_seq) FROM audit_hours WHERE $1 IS NULL OR hour > $1 - interval '1 hour') AS first,
                        (SELECT max(last_seq) FROM audit_hours WHERE $2 IS NULL OR hour < $2) AS last"
            }
            Dialect::Sqlite => {
                "SELECT (SELECT min(first_seq) FROM audit_hours WHERE $1 IS NULL OR hour >= substr($1, 1, 13)) AS first,
                        (SELECT max(last_seq) FROM audit_hours WHERE $2 IS NULL OR hour < $2) AS last"
            }
        },
    )
    .planned_each_time();
    sql.values.extend([after.into(), before.into()]);
    sql
}

/// The ids of operations that have an event of this kind at the edge or later, and that began before the edge.
pub(super) fn operations_across(
    dialect: Dialect,
    search: &Search<'_>,
    kind: EventKind,
    edge: Edge,
) -> Statement {
    let text = "SELECT DISTINCT e.operation_id AS id FROM audit_events e WHERE e.event = ";
    let mut sql = Statement::new(dialect, text).planned_each_time();
    sql.bind(kind.as_str());
    and_about(&mut sql, search, false);
    match edge {
        Edge::Seq(seq) => sql
            .and("e.seq >=", Some(seq))
            .push(" AND EXISTS (SELECT 1 FROM audit_events b WHERE b.operation_id = e.operation_id AND b.seq < ")
            .bind(seq)
            .push(")"),
        Edge::Time(at) => sql
            .and("e.occurred_at >=", Some(at))
            .and("e.operation_id <", Some(reach::id_before(at).id)),
    };
    sql
}

/// Events counted by bucket and kind.
pub(super) fn event_counts(
    dialect: Dialect,
    vpcs: &VpcScope,
    filter: &EventFilter,
    seqs: (i64, i64),
    bucket: Bucket,
) -> Statement {
    let seconds = i64::try_from(bucket.length().as_secs()).unwrap_or(i64::MAX);
    let mut sql = Statement::new(dialect, "").planned_each_time();
    match dialect {
        // One subquery for each bucket: PostgreSQL can't estimate how few buckets there are, and would sort all events
        // to group them.
        Dialect::Postgres => {
            sql.push("WITH span AS (SELECT make_interval(secs => ")
                .bind(seconds)
                .push(") AS length, coalesce(")
                .bind(filter.created_after)
                .push(", (SELECT min(occurred_at) FROM audit_events)) AS first, coalesce(")
                .bind(filter.created_before)
                .push(
                    ", (SELECT max(occurred_at) FROM audit_events)) AS last)
                     SELECT bucket, counted.event, counted.events
                     FROM span
                     CROSS JOIN generate_series('epoch'::timestamptz
                         + length * floor(date_part('epoch', first) / date_part('epoch', length)), last, length) bucket
                     CROSS JOIN LATERAL (SELECT e.event, count(*) AS events FROM audit_events e
                         WHERE e.occurred_at >= bucket AND e.occurred_at < bucket + length",
                );
            // Each bucket searches only the partitions of this range.
            sql.push(" AND e.seq BETWEEN ").bind(seqs.0).push(" AND ").bind(seqs.1);
        }
        Dialect::Sqlite => {
            sql.push("SELECT unixepoch(e.occurred_at) / ").bind(seconds);
            sql.push(" AS bucket, e.event, count(*) AS events FROM audit_events e WHERE true");
        }
    }
    and_in(&mut sql, "e.vpc_id", vpcs);
    sql.and("e.operation_id =", filter.operation_id)
        .and("e.event =", filter.event.map(EventKind::as_str))
        .and("e.vpc_id =", filter.vpc_id.as_ref())
        .and("e.tunnel_id =", filter.tunnel_id.as_ref())
        .and("e.actor =", filter.requested_by.as_ref())
        .and(account("e.account", dialect, true), filter.account.as_ref())
        .and("e.occurred_at >=", filter.created_after)
        .and("e.occurred_at <", filter.created_before);
    if let Some(status) = filter.status {
        sql.push(" AND EXISTS (SELECT 1 FROM operations o WHERE o.id = e.operation_id AND o.status = ");
        sql.bind(status.as_str()).push(")");
    }
    sql.push(match dialect {
        Dialect::Postgres => " GROUP BY e.event) counted ORDER BY 1, 2",
        Dialect::Sqlite => " GROUP BY 1, 2 ORDER BY 1, 2",
    });
    sql
}

/// The comparison with an account. SQLite may use the index of the accounts only if no other filter is narrow: an account
/// has very many rows.
fn account(column: &str, dialect: Dialect, is_narrow: bool) -> &'static str {
    match (column, dialect, is_narrow) {
        ("o.account", Dialect::Sqlite, true) => "+o.account =",
        ("o.account", ..) => "o.account =",
        (_, Dialect::Sqlite, true) => "+e.account =",
        _ => "e.account =",
    }
}

/// True if a filter other than the account's leaves few operations.
fn is_narrow(reach: Reach<'_>, filter: &OperationFilter) -> bool {
    !matches!(reach, Reach::All)
        || filter.tunnel_id.is_some()
        || filter.status.is_some()
        || filter.requested_by.is_some()
}

/// A common table expression `page` with the keys of one page.
struct Page<'a> {
    table: &'static str,
    key: &'static str,
    direction: &'static str,
    limit: u32,
    /// If given, an index that begins with the VPC serves a page of each matching VPC, and the pages are merged. The
    /// inner select then names the VPC as `v.vpc_id`.
    patterns: Option<&'a [VpcPattern]>,
}

impl Page<'_> {
    fn begin(&self, sql: &mut Statement) {
        let Self { table, key, .. } = self;
        let Some(patterns) = self.patterns else {
            sql.push("page AS MATERIALIZED (");
            return;
        };
        match (*table, sql.dialect) {
            // The recursion below would search every partition for each VPC.
            ("audit_events", Dialect::Postgres) => {
                sql.push("vpcs AS MATERIALIZED (SELECT known.vpc_id FROM audit_vpcs known WHERE true")
            }
            // The recursion finds each VPC with one index lookup.
            _ => sql.push(&format!(
                "RECURSIVE known (vpc_id) AS (
                    SELECT min(vpc_id) FROM {table}
                    UNION ALL
                    SELECT (SELECT min(t.vpc_id) FROM {table} t WHERE t.vpc_id > known.vpc_id)
                    FROM known WHERE known.vpc_id IS NOT NULL
                 ), vpcs AS MATERIALIZED (SELECT known.vpc_id FROM known WHERE true"
            )),
        };
        sql.and_matches("known.vpc_id", patterns).push("), page AS MATERIALIZED (");
        sql.push(&match sql.dialect {
            Dialect::Postgres => "SELECT found.* FROM vpcs v CROSS JOIN LATERAL (".to_owned(),
            // SQLite has no LATERAL. A table-valued function may refer to the tables before it.
            Dialect::Sqlite => format!(
                "SELECT found.value AS {key} FROM vpcs v, json_each((SELECT json_group_array({key}) FROM ("
            ),
        });
    }

    fn end(&self, sql: &mut Statement, inner_key: &str) {
        let Self { key, direction, .. } = self;
        let limit = i64::from(self.limit);
        sql.push(&format!(" ORDER BY {inner_key} {direction} LIMIT ")).bind(limit);
        if self.patterns.is_some() {
            let end = match sql.dialect {
                Dialect::Postgres => format!(") found ORDER BY found.{key} {direction} LIMIT "),
                Dialect::Sqlite => format!("))) found ORDER BY found.value {direction} LIMIT "),
            };
            sql.push(&end).bind(limit);
        }
        sql.push(")");
    }
}

/// Adds the conditions that hold for all events of an operation or for none.
fn and_about(sql: &mut Statement, search: &Search<'_>, is_by_vpc: bool) {
    and_reach(sql, "e.vpc_id", search.reach, is_by_vpc);
    sql.and("e.operation_id =", search.filter.operation_id)
        .and("e.tunnel_id =", search.filter.tunnel_id.as_ref())
        .and("e.actor =", search.filter.requested_by.as_ref());
    let filter = search.filter;
    let is_narrow = !matches!(search.reach, Reach::All)
        || search.within.is_some()
        || filter.operation_id.is_some()
        || filter.tunnel_id.is_some()
        || filter.requested_by.is_some();
    sql.and(account("e.account", sql.dialect, is_narrow), filter.account.as_ref());
    if let Some(within) = search.within {
        sql.push(" AND ").is_one_of("e.operation_id", within);
    }
}

fn and_reach(sql: &mut Statement, column: &str, reach: Reach<'_>, is_by_vpc: bool) {
    match reach {
        Reach::All => {}
        Reach::One(vpc) => {
            sql.push(" AND ").push(column).push(" = ").bind(vpc);
        }
        Reach::Matching(_) if is_by_vpc => {
            sql.push(" AND ").push(column).push(" = v.vpc_id");
        }
        Reach::Matching(patterns) => {
            sql.and_matches(column, patterns);
        }
    }
}

fn and_in(sql: &mut Statement, column: &str, vpcs: &VpcScope) {
    if let VpcScope::Matching(patterns) = vpcs {
        sql.and_matches(column, patterns);
    }
}

#[cfg(test)]
mod tests;
