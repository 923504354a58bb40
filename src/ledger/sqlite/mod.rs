//! The ledger on SQLite: one file, one writing connection, write-ahead log, every commit synced to disk.

mod apply;
mod claims;
mod counts;
mod idempotency;
mod keys;
mod lists;
mod read;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::broadcast;

use crate::domain::bucket::Bucket;
use crate::domain::event::Event;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::ledger::{
    ApiKey, Backlog, Checkpoint, Claim, EventCount, EventFilter, Ledger, LedgerError, OperationFilter, Order,
    Step, Written,
};

use super::figures::Figures;
use super::pools::Pools;
use super::writer::Writer;
use super::{OpenError, Options, limited, migrations};

/// The ledger on SQLite.
pub(super) struct Sqlite {
    /// For reads.
    pool: SqlitePool,
    /// One connection: SQLite has one writer at a time, and waiting for it here is fairer than in its lock.
    write_pool: SqlitePool,
    writer: Writer,
    limit: Duration,
}

impl Sqlite {
    pub(super) async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Self, OpenError> {
        let limit = options.timeout;
        let connect = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(limit)
            .foreign_keys(true)
            .disable_statement_logging();
        create_private(connect.get_filename());
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(limit)
                .test_before_acquire(false)
        };
        // After a full disk SQLite has rolled back by itself, and the connection would believe for ever that it is in the
        // middle of a transaction.
        let write_pool = pool(1).after_release(|connection, _| {
            Box::pin(async move {
                // Whatever was still to be rolled back has been when this answers.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        let write_pool = write_pool.connect_with(connect.clone()).await.map_err(OpenError::Connect)?;
        if options.migrate {
            migrations::FOR_SQLITE.run(&write_pool).await.map_err(OpenError::Migrate)?;
        }
        let pool = pool(options.connections.min(4)).connect_lazy_with(connect.read_only(true));
        Pools::default().with("read", &pool).with("write", &write_pool).register(metrics);
        let store = Arc::new(apply::Store::new(write_pool.clone(), limit));
        let writer = Writer::start(store, limit, Figures::new(metrics));
        Ok(Self { pool, write_pool, writer, limit })
    }
}

/// Makes the file, for its owner only, before SQLite would make it for everybody. If that fails SQLite says why.
fn create_private(file: &std::path::Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
}

#[async_trait]
impl Ledger for Sqlite {
    async fn write(&self, step: Step) -> Result<Written, LedgerError> {
        self.writer.write(step).await
    }

    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Claim>, LedgerError> {
        limited(self.limit, claims::claim(&self.write_pool, holder, now, lease_until, limit)).await
    }

    async fn snooze(&self, claim: &Claim, read_back: bool, due_at: Timestamp) -> Result<bool, LedgerError> {
        limited(self.limit, claims::snooze(&self.write_pool, claim, read_back, due_at)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        limited(self.limit, claims::next_due(&self.pool)).await
    }

    async fn operation(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Operation>, LedgerError> {
        limited(self.limit, read::operation(&self.pool, id, vpcs)).await
    }

    async fn operations_by_id(&self, ids: &[OperationId]) -> Result<Vec<Operation>, LedgerError> {
        limited(self.limit, read::operations_by_id(&self.pool, ids)).await
    }

    async fn events_of(&self, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError> {
        limited(self.limit, read::events_of(&self.pool, ids)).await
    }

    async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError> {
        limited(self.limit, lists::operations(&self.pool, vpcs, filter, after, limit)).await
    }

    async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError> {
        limited(self.limit, read::event(&self.pool, seq, vpcs)).await
    }

    async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError> {
        limited(self.limit, lists::events(&self.pool, vpcs, filter, order, after, limit)).await
    }

    async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError> {
        limited(self.limit, counts::event_counts(&self.pool, vpcs, filter, bucket)).await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError> {
        limited(self.limit, read::checkpoint(&self.pool)).await
    }

    async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
        limited(self.limit, idempotency::forget(&self.write_pool, before, limit)).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError> {
        limited(self.limit, claims::backlog(&self.pool, now)).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.writer.ready()?;
        limited(self.limit, read::ready(&self.pool, &self.write_pool, &migrations::FOR_SQLITE)).await
    }

    fn steps(&self) -> broadcast::Receiver<OperationId> {
        self.writer.steps().subscribe()
    }

    async fn create_key(&self, key: &ApiKey) -> Result<bool, LedgerError> {
        limited(self.limit, keys::create(&self.write_pool, key)).await
    }

    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError> {
        limited(self.limit, keys::by_token(&self.pool, token_sha256)).await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError> {
        limited(self.limit, keys::all(&self.pool)).await
    }

    async fn revoke_key(&self, name: &str, now: Timestamp) -> Result<bool, LedgerError> {
        limited(self.limit, keys::revoke(&self.write_pool, name, now)).await
    }
}
