//! The ledger on PostgreSQL.

mod apply;
mod archive;
mod assumed;
mod calls;
mod chain;
mod connect;
mod copied;
mod drift;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod growth;
mod hosts;
mod key_change;
mod keys;
mod late;
mod leases;
mod listen;
mod lists;
mod load;
mod migrate;
mod pool;
mod pooler;
mod primary;
mod reachable;
mod rewound;
mod rows;
mod session;
mod snapshot;
mod sqlstate;
mod steps;
mod webhooks;
mod write;

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgPool;

use crate::metrics::Metrics;
use crate::service::ledger::LedgerError;

use super::metrics::WriterMetrics;
use super::migrations::{self, FOR_POSTGRES};
use super::pools::Pools;
use super::rewound::Memory;
use super::writer::Writer;
use super::{OpenError, Options, Source, limited};
use primary::{Follower, Search};
use reachable::Direct;
use session::Session;

/// The ledger on PostgreSQL.
pub(super) struct Postgres {
    /// For the reads of consumers, however many there are.
    pool: PgPool,
    /// For API keys, leases and metrics. Reads of consumers can't exhaust this pool.
    core_pool: PgPool,
    store: Arc<apply::Store>,
    writer: Writer,
    limit: Duration,
    direct: Direct,
    _follower: Option<Follower>,
}

impl Postgres {
    /// Checks the URL without a connection.
    pub(super) fn check(url: &str, allow_plain: bool) -> Result<(), OpenError> {
        connect::hosts(url, allow_plain).map(|_| ())
    }

    pub(super) async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Self, OpenError> {
        let hosts = connect::hosts(url, options.allow_plain)?;
        let limit = options.timeout;
        let session = Session::new(limit, hosts.only_primary);
        let (search, primary) = Search::begin(hosts, limit).await?;
        pooler::check(&primary.connect(), limit).await?;
        assumed::check(&primary.connect(), limit, options.migrate).await?;
        if options.migrate {
            migrate::run(&primary.connect(), limit, &FOR_POSTGRES).await?;
        }
        let memory = Arc::new(Memory::new(options.witness, metrics)?);
        let pool = pool::lists(&primary, session.clone(), options.connections, limit);
        let core_pool = pool::core(&primary, session.clone(), limit);
        let direct = Direct { primary: primary.clone(), session: session.clone() };
        let write_pool = pool::writes(&primary, session.writing(options.synchronous_commit), limit);
        let pools = Pools::default().with("read", &pool).with("core", &core_pool).with("write", &write_pool);
        pools.register(metrics);
        let follower = search.follow(vec![pool.clone(), core_pool.clone(), write_pool.clone()]);
        let store = Arc::new(apply::Store::new(write_pool, primary.clone(), limit, memory));
        let writer = Writer::start(store.clone(), limit, WriterMetrics::new(metrics));
        tokio::spawn(listen::run(primary, limit, writer.steps()));
        let ledger = Self { pool, core_pool, store, writer, limit, direct, _follower: follower };
        match tokio::time::timeout(limit, ledger.pool.acquire()).await {
            Ok(Ok(mut connection)) => {
                if options.migrate {
                    let extended = sqlx::query(migrate::EXTEND).execute(&mut *connection).await;
                    extended.map_err(|error| OpenError::Migrate(MigrateError::Execute(error)))?;
                }
                Ok(ledger)
            }
            Ok(Err(error)) => Err(OpenError::Connect(ledger.direct.reason(error).await)),
            Err(_) => Err(OpenError::Connect(ledger.direct.reason(sqlx::Error::PoolTimedOut).await)),
        }
    }

    /// Applies the migrations, and those of a later version.
    pub(super) async fn migrate(url: &str, options: &Options, later: &[Source]) -> Result<(), OpenError> {
        let hosts = connect::hosts(url, options.allow_plain)?;
        let (_, primary) = Search::begin(hosts, options.timeout).await?;
        migrate::run(&primary.connect(), options.timeout, &migrations::for_postgres(later)).await
    }

    /// Runs `work` under the ledger's time limit.
    async fn limited<T, E: Into<LedgerError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, LedgerError> {
        limited(self.limit, work).await
    }
}
