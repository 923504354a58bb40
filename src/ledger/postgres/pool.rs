//! The connection pools.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::late::no_answer;
use super::primary::Primary;
use super::session::Session;

/// The writer checks a connection that was idle for longer than this before it uses the connection.
const MAX_IDLE: Duration = Duration::from_secs(1);

/// Connections of the core pool. The core and write pools open all their connections at the start: an incomplete pool
/// opens a new connection instead of waiting for a free one, and fails if the server has reached its limit.
const CORE_CONNECTIONS: u32 = 2;
/// Connections of the writer, which uses one at a time.
const WRITE_CONNECTIONS: u32 = 2;

/// For the lists and other reads of consumers.
pub(super) fn lists(primary: &Primary, session: Session, connections: u32, limit: Duration) -> PgPool {
    reading(primary, session.listing(), connections, limit).connect_lazy_with(primary.connect())
}

/// For API keys, leases and metrics. Reads of consumers can't exhaust this pool.
pub(super) fn core(primary: &Primary, session: Session, limit: Duration) -> PgPool {
    let options = reading(primary, session, CORE_CONNECTIONS, limit).min_connections(CORE_CONNECTIONS);
    let pool = options.connect_lazy_with(primary.connect());
    tokio::spawn(fill(pool.clone(), CORE_CONNECTIONS));
    pool
}

/// For batches.
pub(super) fn writes(primary: &Primary, session: Session, limit: Duration) -> PgPool {
    let checked = session.clone();
    let primary_now = primary.clone();
    let pool = beginning(session, WRITE_CONNECTIONS, limit)
        .min_connections(WRITE_CONNECTIONS)
        .test_before_acquire(false)
        // An idle connection may be dead. The check shows that before a batch depends on the connection.
        .before_acquire(move |connection, idle| {
            let (session, is_old) = (checked.clone(), primary_now.is_later_than(idle.age));
            Box::pin(async move {
                if is_old || idle.idle_for < MAX_IDLE {
                    return Ok(!is_old);
                }
                session.check(connection, idle.age).await
            })
        })
        .connect_lazy_with(primary.connect());
    tokio::spawn(fill(pool.clone(), WRITE_CONNECTIONS));
    pool
}

/// Opens all connections of a pool, before the server may reach its limit. If opening fails, the pool opens the
/// connections on demand.
async fn fill(pool: PgPool, connections: u32) {
    let mut opened = Vec::new();
    for _ in 0..connections {
        match pool.acquire().await {
            Ok(connection) => opened.push(connection),
            Err(_) => return,
        }
    }
}

/// A pool that checks each returned connection, with a time limit: a dead connection would keep its place for minutes, and
/// one to a server that accepts no writes any more for half an hour.
fn reading(primary: &Primary, session: Session, connections: u32, limit: Duration) -> PgPoolOptions {
    let checked = session.clone();
    let primary = primary.clone();
    beginning(session, connections, limit)
        .test_before_acquire(false)
        .before_acquire(move |connection, idle| {
            let is_old = primary.is_later_than(idle.age);
            Box::pin(async move {
                if is_old {
                    return Ok(false);
                }
                let answered = tokio::time::timeout(limit, connection.ping()).await;
                answered.unwrap_or_else(|_| Err(no_answer(limit))).map(|()| true)
            })
        })
        .after_release(move |connection, used| {
            let session = checked.clone();
            Box::pin(async move { session.check(connection, used.age).await })
        })
}

fn beginning(session: Session, connections: u32, limit: Duration) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(limit).after_connect(
        move |connection, _| {
            let session = session.clone();
            Box::pin(async move { session.begin(connection).await })
        },
    )
}
