//! The ledger on PostgreSQL.

mod apply;
mod failure;
mod keys;
mod leases;
mod listen;
mod lists;
mod load;
mod rows;
mod sqlstate;
mod steps;
mod write;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::metrics::Metrics;
use crate::service::ledger::LedgerError;

use super::figures::Figures;
use super::pools::Pools;
use super::writer::Writer;
use super::{OpenError, Options, limited, migrations};

/// The time limit of all migrations together: an index on a large table takes its time.
const MIGRATION_LIMIT: Duration = Duration::from_secs(600);

/// A connection of the writer that was not used for so long is asked first whether it still leads anywhere.
const RESTED: Duration = Duration::from_secs(1);

/// Connections of the core pool. These and the writer's are opened beforehand: a pool that has not all of its
/// connections tries to open one rather than wait for another, and fails while the server gives no more.
const CORE_CONNECTIONS: u32 = 2;
/// Connections of the writer, which uses one at a time.
const WRITE_CONNECTIONS: u32 = 2;

/// The ledger on PostgreSQL.
pub(super) struct Postgres {
    /// For what consumers read, as much of it as there may be.
    pool: PgPool,
    /// For what everything else depends on: who calls, who follows which operation, and what the figures say of it.
    core_pool: PgPool,
    writer: Writer,
    limit: Duration,
}

impl Postgres {
    pub(super) async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Self, OpenError> {
        let connect = PgConnectOptions::from_str(url)
            .map_err(OpenError::Url)?
            .application_name("tunnelgate")
            .disable_statement_logging();
        let limit = options.timeout;
        if options.migrate {
            migrate(&connect, limit).await?;
        }
        let millis = limit.as_millis().to_string();
        // Compiling a statement takes PostgreSQL some 200 ms, more than any of ours takes to run.
        // The default price of a page that is not the next one is that of a turning disk; it makes a planner read many
        // rows in their order rather than few by an index.
        let limits = [
            ("statement_timeout", millis.as_str()),
            ("lock_timeout", millis.as_str()),
            ("jit", "off"),
            ("random_page_cost", "1.1"),
        ];
        let connect = connect.options(limits);
        // Every list comes in the order of an index. A bitmap loses the order, and has to collect all matches first.
        let listing = connect.clone().options([("enable_bitmapscan", "off")]);
        let pool = reading(options.connections, limit).connect_lazy_with(listing);
        let core_pool = reading(CORE_CONNECTIONS, limit)
            .min_connections(CORE_CONNECTIONS)
            .connect_lazy_with(connect.clone());
        // A process that is stopped in the middle of a batch, or cut off from the network, would keep the chain's head
        // locked for all others: the server ends such a transaction before the others' own limit is over.
        let longest_pause = (limit / 2).as_millis().max(1).to_string();
        // The writer always has keys: a batch's few rows are looked up one by one, however small or large the tables
        // were when the statement was planned, and it is planned once.
        let writing = [
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("plan_cache_mode", "force_generic_plan"),
            ("idle_in_transaction_session_timeout", longest_pause.as_str()),
        ];
        let write_pool = PgPoolOptions::new()
            .max_connections(WRITE_CONNECTIONS)
            .min_connections(WRITE_CONNECTIONS)
            .acquire_timeout(limit)
            .test_before_acquire(false)
            // One that rested may lead nowhere any more. It is better to know before a batch is sent into it.
            .before_acquire(move |connection, resting| {
                Box::pin(async move {
                    if resting.idle_for < RESTED {
                        return Ok(true);
                    }
                    let answered = tokio::time::timeout(limit, connection.ping()).await;
                    answered.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
                })
            })
            .connect_lazy_with(connect.clone().options(writing));
        let pools = Pools::default().with("read", &pool).with("core", &core_pool).with("write", &write_pool);
        pools.register(metrics);
        tokio::spawn(fill(core_pool.clone(), CORE_CONNECTIONS));
        tokio::spawn(fill(write_pool.clone(), WRITE_CONNECTIONS));
        let store = Arc::new(apply::Store::new(write_pool, limit));
        let writer = Writer::start(store, limit, Figures::new(metrics));
        tokio::spawn(listen::run(connect, limit, writer.steps()));
        let ledger = Self { pool, core_pool, writer, limit };
        match tokio::time::timeout(limit, ledger.pool.acquire()).await {
            Ok(connection) => drop(connection.map_err(OpenError::Connect)?),
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

/// Opens a pool's connections now: a server that later has no room for more still has these. If it has none now, they
/// are opened when they are needed.
async fn fill(pool: PgPool, connections: u32) {
    let mut opened = Vec::new();
    for _ in 0..connections {
        match pool.acquire().await {
            Ok(connection) => opened.push(connection),
            Err(_) => return,
        }
    }
}

/// A pool whose connections are looked at when they come back, for so long at the most: one whose other end is gone
/// without a word would keep its place for many minutes.
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

/// Applies the migrations on a connection of its own, which has no statement limit.
async fn migrate(connect: &PgConnectOptions, limit: Duration) -> Result<(), OpenError> {
    let pool =
        PgPoolOptions::new().max_connections(1).acquire_timeout(limit).connect_lazy_with(connect.clone());
    let mut connection = pool.acquire().await.map_err(OpenError::Connect)?;
    let migrated =
        tokio::time::timeout(MIGRATION_LIMIT, migrations::FOR_POSTGRES.run(&mut *connection)).await;
    drop(connection);
    pool.close().await;
    match migrated {
        Ok(migrated) => migrated.map_err(OpenError::Migrate),
        Err(_) => Err(OpenError::Connect(sqlx::Error::PoolTimedOut)),
    }
}
