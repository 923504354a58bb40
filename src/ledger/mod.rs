//! The store of operations and audit events, on PostgreSQL and SQLite. Implements [`crate::service::ledger::Ledger`]. The
//! stores share everything but SQL: the decisions of a batch, the writer, the texts of lists, the columns.

mod archive;
mod batch;
mod call_budgets;
mod columns;
mod drift;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod idempotency;
mod key_change;
mod keys;
mod lists;
mod metrics;
mod migrations;
mod open;
mod pools;
mod postgres;
mod rewound;
mod sqlite;
mod traced;
mod unfinished;
mod unready;
mod webhooks;
mod witness;
mod writer;

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::words::words;
use crate::service::ledger::LedgerError;

pub use migrations::Source;
pub use open::{check_url, open, upgrade};
pub use witness::check as check_witness;

words! {
    /// When PostgreSQL confirms a commit.
    pub enum SynchronousCommit {
        /// When the commit is on the server's disk, and on that of a synchronous standby if there is one.
        On = "on",
        /// When a synchronous standby has applied the commit too.
        RemoteApply = "remote_apply",
        /// When the commit is on the server's disk, and a synchronous standby has received it.
        RemoteWrite = "remote_write",
    }
}

/// How to open a ledger.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections for reads. Writes use connections of their own.
    pub connections: u32,
    /// Time limit of each read and of each batch of writes.
    pub timeout: Duration,
    /// Apply missing migrations. Without it, a SQLite file that does not exist is an error and is not created.
    pub migrate: bool,
    /// PostgreSQL: when a commit counts as durable.
    pub synchronous_commit: SynchronousCommit,
    /// PostgreSQL: allow an unencrypted connection to another machine.
    pub allow_plain: bool,
    /// File that keeps the newest chain head that the process saw.
    pub witness: Option<PathBuf>,
}

impl Options {
    /// Options for tests and short commands.
    pub const DEFAULT: Self = Self {
        connections: 5,
        timeout: Duration::from_secs(10),
        migrate: true,
        synchronous_commit: SynchronousCommit::On,
        allow_plain: false,
        witness: None,
    };
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("DATABASE_URL is invalid (write postgres://user:password@host/database or sqlite:file)")]
    Url(#[source] sqlx::Error),
    #[error("DATABASE_URL {0}")]
    Refused(Cow<'static, str>),
    #[error("no host in DATABASE_URL accepts writes ({0})")]
    NoPrimary(String),
    #[error("TUNNELGATE_WITNESS_FILE (--witness-file): {0}")]
    Witness(String),
    #[error("the ledger could not be reached (check DATABASE_URL and that the database is running)")]
    Connect(#[source] sqlx::Error),
    #[error(
        "there is no ledger at {}: the file does not exist (check DATABASE_URL, or create it with `tunnelgate migrate`)",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("DATABASE_URL: {}: {problem}", .file.display())]
    File {
        file: PathBuf,
        problem: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("the ledger's migrations failed (check that the database user may create tables)")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error(
        "the database role may not apply the ledger's missing migrations; run `tunnelgate migrate` as the role that owns the \
         tables"
    )]
    MayNotMigrate,
    #[error(
        "the database role may not read _sqlx_migrations; as the role that owns the tables, give this role the rights of \
         docs/postgres-roles.md"
    )]
    MayNotRead,
    #[error("the ledger's migrations did not end in time (pg_stat_activity shows what they wait for)")]
    MigrateTime,
}

/// Runs `work` under a time limit.
async fn limited<T, E: Into<LedgerError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, LedgerError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
