//! Writes a decided batch with one statement: the whole batch, or nothing if a guard fails.

use sqlx::postgres::PgConnection;
use sqlx::{Postgres, QueryBuilder, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::event::Event;
use crate::domain::timestamp::Timestamp;
use crate::ledger::batch::{Head, Moved, Opened, Writes};
use crate::ledger::columns::json_of;
use crate::service::ledger::Idempotency;

use super::listen::payloads;

/// How the batch's context was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// Read under the lock of the chain head.
    Locked,
    /// Assumed. The statement checks for operations and keys that the batch would conflict with.
    Optimistic,
}

type Query = QueryBuilder<Postgres>;

/// Adds `name AS (SELECT * FROM unnest(…) AS name (columns))`, one array for each column.
macro_rules! rows {
    ($query:ident, $name:literal, $($column:ident: $type:literal = $values:expr),+ $(,)?) => {
        $query.push(concat!($name, " AS (SELECT * FROM unnest("));
        let mut arrays = $query.separated(", ");
        $(arrays.push_bind($values.collect::<Vec<_>>());
          arrays.push_unseparated(concat!("::", $type, "[]"));)+
        $query.push(concat!(") AS ", $name, " ("));
        let mut columns = $query.separated(", ");
        $(columns.push(stringify!($column));)+
        $query.push(")), ");
    };
}

/// Writes a batch; false if a guard failed and nothing was written.
pub(super) async fn write(
    connection: &mut PgConnection,
    before: Head,
    writes: &Writes,
    path: Path,
) -> Result<bool, sqlx::Error> {
    let keys: Vec<(&Opened, &Idempotency)> =
        writes.opened.iter().filter_map(|opened| Some((opened, opened.idempotency.as_ref()?))).collect();
    let mut query = Query::new("WITH ");
    event_rows(&mut query, &writes.events);
    if !writes.opened.is_empty() {
        opened_rows(&mut query, &writes.opened);
    }
    if !keys.is_empty() {
        key_rows(&mut query, &keys);
    }
    if !writes.moved.is_empty() {
        moved_rows(&mut query, &writes.moved);
    }
    head(&mut query, before, writes, path, !keys.is_empty());
    query.push(INSERT_EVENTS);
    if !writes.opened.is_empty() {
        query.push(INSERT_OPENED);
    }
    if !keys.is_empty() {
        query.push(INSERT_KEYS);
    }
    if !writes.moved.is_empty() {
        query.push(UPDATE_MOVED);
    }
    query.push(" SELECT count(*)");
    for payload in payloads(&writes.operations()) {
        query.push(", count(pg_notify('tunnelgate_steps', ").push_bind(payload).push("))");
    }
    query.push(" FROM head");
    let row = query.build().fetch_one(&mut *connection).await?;
    Ok(row.try_get::<i64, _>(0)? == 1)
}

/// Moves the chain head if it is at `before` and every guard holds. All other parts of the statement depend on this row.
fn head(query: &mut Query, before: Head, writes: &Writes, path: Path, has_keys: bool) {
    query.push("head AS (UPDATE chain_head SET seq = ").push_bind(writes.head.seq);
    query.push(", hash = ").push_bind(writes.head.hash.to_vec());
    query.push(" WHERE seq = ").push_bind(before.seq);
    query.push(" AND hash = ").push_bind(before.hash.to_vec());
    if !writes.moved.is_empty() {
        query.push(" AND (SELECT count(*) FROM guarded) = ");
        query.push_bind(i64::try_from(writes.moved.len()).unwrap_or(i64::MAX));
    }
    if path == Path::Optimistic {
        query.push(" AND NOT rewound");
    }
    if path == Path::Optimistic && !writes.opened.is_empty() {
        // LATERAL looks up each row. With a plain join the planner may read all unfinished operations.
        query.push(
            " AND (SELECT count(*) FROM opened w CROSS JOIN LATERAL (
                       SELECT FROM operations o
                       WHERE o.lock_id = w.lock_id AND o.status IN ('pending', 'running', 'unknown') LIMIT 1
                   ) AS busy) = 0
             AND (SELECT count(*) FROM opened w CROSS JOIN LATERAL (
                       SELECT FROM operations o WHERE o.lock_id = w.lock_id AND o.last_seq > w.read_seq LIMIT 1
                   ) AS moved_on) = 0",
        );
    }
    if path == Path::Optimistic && has_keys {
        query.push(
            " AND (SELECT count(*) FROM keyed w CROSS JOIN LATERAL (
                       SELECT FROM idempotency_keys k
                       WHERE k.principal_id = w.principal_id AND k.key = w.key LIMIT 1
                   ) AS used) = 0",
        );
    }
    query.push(" RETURNING 1)");
}

const INSERT_EVENTS: &str = ", inserted_events AS (
    INSERT INTO audit_events (seq, format, id, occurred_at, event, operation_id, actor, actor_id, actor_kind, source_ip,
                              user_agent, request_id, trace_id, vpc_id, gateway_id, tunnel_id, account, region, api,
                              changes, before, sent, outcome, reason, rollback_of, upstream, prev_hash, hash)
    SELECT seq, format, id, occurred_at, event, operation_id, actor, actor_id, actor_kind, source_ip::inet, user_agent,
           request_id, trace_id, vpc_id, gateway_id, tunnel_id, account, region, api, changes::jsonb, before::jsonb,
           sent::jsonb, outcome::jsonb, reason, rollback_of, upstream::jsonb, prev_hash, hash
    FROM event WHERE EXISTS (SELECT FROM head))";

const INSERT_OPENED: &str = ", inserted_operations AS (
    INSERT INTO operations (id, status, lock_id, vpc_id, gateway_id, tunnel_id, account, region, api, changes, before,
                            reason, rollback_of, fingerprint_key_id, requested_by, actor_id, actor_kind, request_id,
                            trace_id, created_at, updated_at, last_seq)
    SELECT id, 'pending', lock_id, vpc_id, gateway_id, tunnel_id, account, region, api, changes::jsonb, before::jsonb,
           reason, rollback_of, fingerprint_key_id, requested_by, actor_id, actor_kind, request_id, trace_id,
           created_at, created_at, last_seq
    FROM opened WHERE EXISTS (SELECT FROM head)
), inserted_tracking AS (
    INSERT INTO tracking (operation_id, vpc_id, gateway_id, due_at, lease_until)
    SELECT id, vpc_id, gateway_id, lease_until, lease_until FROM opened WHERE EXISTS (SELECT FROM head))";

const INSERT_KEYS: &str = ", inserted_keys AS (
    INSERT INTO idempotency_keys (principal_id, key, request_sha256, secret_fingerprint, fingerprint_key_id,
                                  operation_id, created_at)
    SELECT principal_id, key, request_sha256, secret_fingerprint, fingerprint_key_id, operation_id, created_at
    FROM keyed WHERE EXISTS (SELECT FROM head)
    ON CONFLICT (principal_id, key) DO UPDATE SET request_sha256 = excluded.request_sha256,
        secret_fingerprint = excluded.secret_fingerprint, fingerprint_key_id = excluded.fingerprint_key_id,
        operation_id = excluded.operation_id, created_at = excluded.created_at)";

const UPDATE_MOVED: &str = ", updated_operations AS (
    UPDATE operations o
    SET status = m.status, task_id = m.task_id, updated_at = m.updated_at, finished_at = m.finished_at,
        error = m.error::jsonb, verification = m.verification::jsonb, last_seq = m.last_seq
    FROM moved m WHERE o.id = m.id AND EXISTS (SELECT FROM head)
), updated_tracking AS (
    UPDATE tracking t SET due_at = m.due_at, lease_until = NULL, lease_holder = NULL, polls = 0,
        reads_different = 0, reads_open = 0, reads_failed = 0
    FROM moved m WHERE t.operation_id = m.id AND m.due_at IS NOT NULL AND EXISTS (SELECT FROM head)
), deleted_tracking AS (
    DELETE FROM tracking t USING moved m
    WHERE t.operation_id = m.id AND m.due_at IS NULL AND EXISTS (SELECT FROM head))";

fn event_rows(query: &mut Query, events: &[Event]) {
    let rows = || events.iter().map(|event| &event.row);
    let text = |json: &Option<serde_json::Value>| json.as_ref().map(ToString::to_string);
    rows!(query, "event",
        seq: "bigint" = rows().map(|r| r.seq),
        format: "integer" = rows().map(|r| r.format),
        id: "uuid" = rows().map(|r| r.id),
        occurred_at: "timestamptz" = rows().map(|r| r.occurred_at.to_offset()),
        event: "text" = rows().map(|r| r.event.clone()),
        operation_id: "uuid" = rows().map(|r| r.operation_id),
        actor: "text" = rows().map(|r| r.actor.clone()),
        actor_id: "text" = rows().map(|r| r.actor_id.clone()),
        actor_kind: "text" = rows().map(|r| r.actor_kind.clone()),
        source_ip: "text" = rows().map(|r| r.source_ip.map(|ip| ip.to_string())),
        user_agent: "text" = rows().map(|r| r.user_agent.clone()),
        request_id: "text" = rows().map(|r| r.request_id.clone()),
        trace_id: "text" = rows().map(|r| r.trace_id.clone()),
        vpc_id: "text" = rows().map(|r| r.vpc_id.clone()),
        gateway_id: "text" = rows().map(|r| r.gateway_id.clone()),
        tunnel_id: "text" = rows().map(|r| r.tunnel_id.clone()),
        account: "text" = rows().map(|r| r.account.clone()),
        region: "text" = rows().map(|r| r.region.clone()),
        api: "text" = rows().map(|r| r.api.clone()),
        changes: "text" = rows().map(|r| text(&r.changes)),
        before: "text" = rows().map(|r| text(&r.before)),
        sent: "text" = rows().map(|r| text(&r.sent)),
        outcome: "text" = rows().map(|r| text(&r.outcome)),
        reason: "text" = rows().map(|r| r.reason.clone()),
        rollback_of: "uuid" = rows().map(|r| r.rollback_of),
        upstream: "text" = rows().map(|r| text(&r.upstream)),
        prev_hash: "bytea" = events.iter().map(|event| event.prev_hash.to_vec()),
        hash: "bytea" = events.iter().map(|event| event.hash.to_vec()),
    );
}

fn opened_rows(query: &mut Query, opened: &[Opened]) {
    let operations = || opened.iter().map(|opened| &opened.operation);
    rows!(query, "opened",
        id: "uuid" = operations().map(|o| o.id),
        lock_id: "text" = opened.iter().map(|o| o.lock_id.clone()),
        vpc_id: "text" = operations().map(|o| o.tunnel.vpc_id.as_str().to_owned()),
        gateway_id: "text" = operations().map(|o| o.tunnel.gateway_id.as_str().to_owned()),
        tunnel_id: "text" = operations().map(|o| o.tunnel.tunnel_id.as_str().to_owned()),
        account: "text" = operations().map(|o| o.route.account.clone()),
        region: "text" = operations().map(|o| o.route.region.clone()),
        api: "text" = operations().map(|o| o.route.api.clone()),
        changes: "text" = operations().map(|o| serde_json::json!(o.changes).to_string()),
        before: "text" = operations().map(|o| json_of(o.before.as_ref()).map(|json| json.to_string())),
        reason: "text" = operations().map(|o| o.reason.clone()),
        rollback_of: "uuid" = operations().map(|o| o.rollback_of),
        fingerprint_key_id: "text" = operations().map(|o| o.fingerprint_key_id.clone()),
        requested_by: "text" = operations().map(|o| o.requested_by.name.clone()),
        actor_id: "text" = operations().map(|o| o.requested_by.id.clone()),
        actor_kind: "text" = operations().map(|o| o.requested_by.kind.as_str()),
        request_id: "text" = operations().map(|o| o.request_id.clone()),
        trace_id: "text" = operations().map(|o| o.trace_id.clone()),
        created_at: "timestamptz" = operations().map(|o| o.created_at.to_offset()),
        last_seq: "bigint" = opened.iter().map(|o| o.last_seq),
        read_seq: "bigint" = opened.iter().map(|o| o.read_seq),
        lease_until: "timestamptz" = opened.iter().map(|o| o.lease_until.to_offset()),
    );
}

fn key_rows(query: &mut Query, keys: &[(&Opened, &Idempotency)]) {
    let secrets = || keys.iter().map(|(_, key)| key.request.secret.as_ref());
    rows!(query, "keyed",
        principal_id: "text" = keys.iter().map(|(_, key)| key.principal_id.clone()),
        key: "text" = keys.iter().map(|(_, key)| key.key.clone()),
        request_sha256: "bytea" = keys.iter().map(|(_, key)| key.request.sha256.clone()),
        secret_fingerprint: "text" = secrets().map(|secret| secret.map(|secret| secret.fingerprint.clone())),
        fingerprint_key_id: "text" = secrets().map(|secret| secret.map(|secret| secret.key_id.clone())),
        operation_id: "uuid" = keys.iter().map(|(opened, _)| opened.operation.id),
        created_at: "timestamptz" = keys.iter().map(|(opened, _)| opened.operation.created_at.to_offset()),
    );
}

fn moved_rows(query: &mut Query, moved: &[Moved]) {
    let operations = || moved.iter().map(|moved| &moved.operation);
    let offset = |at: Option<Timestamp>| -> Option<OffsetDateTime> { at.map(Timestamp::to_offset) };
    let text = |json: Option<serde_json::Value>| json.map(|json| json.to_string());
    rows!(query, "moved",
        id: "uuid" = operations().map(|o| -> Uuid { o.id }),
        was: "text" = moved.iter().map(|m| m.from.as_str()),
        status: "text" = operations().map(|o| o.status().as_str()),
        task_id: "text" = operations().map(|o| o.state.task_id().map(str::to_owned)),
        updated_at: "timestamptz" = operations().map(|o| o.updated_at.to_offset()),
        finished_at: "timestamptz" = operations().map(|o| offset(o.finished_at)),
        error: "text" = operations().map(|o| text(json_of(o.state.error()))),
        verification: "text" = operations().map(|o| text(json_of(o.state.verification()))),
        last_seq: "bigint" = moved.iter().map(|m| m.last_seq),
        fence: "bigint" = moved.iter().map(|m| m.fence),
        due_at: "timestamptz" = moved.iter().map(|m| offset(m.due_at)),
    );
    // A claim changes the fence without locking the chain head. FOR UPDATE keeps the fence that was compared.
    query.push(
        "guarded AS (SELECT FROM tracking t JOIN moved m ON t.operation_id = m.id AND t.fence = m.fence
                     JOIN operations o ON o.id = m.id AND o.status = m.was FOR UPDATE OF t), ",
    );
}
