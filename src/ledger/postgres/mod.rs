//! The ledger on PostgreSQL.

mod apply;
mod calls;
mod chain;
mod connect;
mod copied;
mod failure;
mod key_change;
mod keys;
mod leases;
mod listen;
mod lists;
mod load;
mod migrate;
mod rewound;
mod rows;
mod snapshot;
mod sqlstate;
mod steps;
mod write;

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::metrics::Metrics;
use crate::service::ledger::LedgerError;

use super::metrics::WriterMetrics;
use super::pools::Pools;
use super::rewound::Memory;
use super::writer::Writer;
use super::{OpenError, Options, limited};

/// The writer pings a connection that was idle for longer than this before it uses the connection.
const MAX_IDLE: Duration = Duration::from_secs(1);

/// Connections of the core pool. The core and write pools open all their connections at the start: an incomplete pool
/// opens a new connection instead of waiting for a free one, and fails if the server has reached its limit.
const CORE_CONNECTIONS: u32 = 2;
/// Connections of the writer, which uses one at a time.
const WRITE_CONNECTIONS: u32 = 2;

/// The ledger on PostgreSQL.
pub(super) struct Postgres {
    /// For the reads of consumers, however many there are.
    pool: PgPool,
    /// For API keys, leases and metrics. Reads of consumers can't exhaust this pool.
    core_pool: PgPool,
    store: Arc<apply::Store>,
    writer: Writer,
    limit: Duration,
}

impl Postgres {
    pub(super) async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Self, OpenError> {
        let connect = connect::parse(url, options.allow_plain)?;
        let limit = options.timeout;
        if options.migrate {
            migrate::run(&connect, limit).await?;
        }
        let connect = connect::common(connect, limit);
        let memory = Arc::new(Memory::new(options.witness, metrics)?);
        let pool = reading(options.connections, limit).connect_lazy_with(connect::listing(connect.clone()));
        let core_pool = reading(CORE_CONNECTIONS, limit)
            .min_connections(CORE_CONNECTIONS)
            .connect_lazy_with(connect.clone());
        let writing = connect::writing(connect.clone(), limit, options.synchronous_commit);
        let write_pool = PgPoolOptions::new()
            .max_connections(WRITE_CONNECTIONS)
            .min_connections(WRITE_CONNECTIONS)
            .acquire_timeout(limit)
            .test_before_acquire(false)
            // An idle connection may be dead. A ping shows that before a batch depends on the connection.
            .before_acquire(move |connection, idle| {
                Box::pin(async move {
                    if idle.idle_for < MAX_IDLE {
                        return Ok(true);
                    }
                    let answered = tokio::time::timeout(limit, connection.ping()).await;
                    answered.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
                })
            })
            .connect_lazy_with(writing);
        let pools = Pools::default().with("read", &pool).with("core", &core_pool).with("write", &write_pool);
        pools.register(metrics);
        tokio::spawn(fill(core_pool.clone(), CORE_CONNECTIONS));
        tokio::spawn(fill(write_pool.clone(), WRITE_CONNECTIONS));
        let store = Arc::new(apply::Store::new(write_pool, limit, memory));
        let writer = Writer::start(store.clone(), limit, WriterMetrics::new(metrics));
        tokio::spawn(listen::run(connect, limit, writer.steps()));
        let ledger = Self { pool, core_pool, store, writer, limit };
        match tokio::time::timeout(limit, ledger.pool.acquire()).await {
            Ok(connection) => {
                let mut connection = connection.map_err(connect::explain)?;
                connect::check(&mut connection).await?;
            }
            Err(_) => return Err(OpenError::Connect(sqlx::Error::PoolTimedOut)),
        }
        Ok(ledger)
    }

    /// Runs `work` under the ledger's time limit.
    async fn limited<T, E: Into<LedgerError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, LedgerError> {
        limited(self.limit, work).await
    }
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

/// A pool that pings each returned connection, with a time limit. A dead connection would keep its place for minutes.
fn reading(connections: u32, limit: Duration) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(limit).after_release(
        move |connection, _| {
            Box::pin(async move {
                let answered = tokio::time::timeout(limit, connection.ping()).await;
                answered.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
            })
        },
    )
}
