//! The settings of a connection, and the check before it is used again.
//!
//! The settings are statements, not startup options, which PgBouncer refuses.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row, raw_sql};
use tokio::time::timeout;

use crate::ledger::SynchronousCommit;

use super::late::no_answer;

/// How long a connection to a server that accepts no writes is used. The address may lead to another server by then.
const READ_ONLY_AGE: Duration = Duration::from_secs(1);

const READ_ONLY: &str = "SHOW transaction_read_only";

/// The settings of the connections of a pool.
#[derive(Debug, Clone)]
pub(super) struct Session {
    settings: String,
    /// Use no server that refuses writes.
    only_primary: bool,
    /// Time limit of the check.
    limit: Duration,
}

impl Session {
    /// The settings of every connection.
    pub(super) fn new(limit: Duration, only_primary: bool) -> Self {
        let millis = limit.as_millis().to_string();
        let session = Self { settings: String::new(), only_primary, limit };
        // jit: compiling a statement takes some 200 ms, longer than any statement runs.
        // random_page_cost: the default fits rotating disks. With it the planner reads many rows in physical order instead
        // of a few by an index.
        session.with(&[
            ("statement_timeout", millis.as_str()),
            ("lock_timeout", millis.as_str()),
            ("jit", "off"),
            ("random_page_cost", "1.1"),
            // Statements rely on it: under `serializable` the server would refuse some of them.
            ("default_transaction_isolation", "read committed"),
            // A policy that hides rows then causes an error, not an incomplete list.
            ("row_security", "off"),
        ])
    }

    /// The settings of connections that read lists. Every list has the order of an index. A bitmap scan loses the order and
    /// must collect all matches first.
    pub(super) fn listing(self) -> Self {
        self.with(&[("enable_bitmapscan", "off")])
    }

    /// The settings of connections that write batches.
    pub(super) fn writing(self, synchronous_commit: SynchronousCommit) -> Self {
        // A process that is suspended or cut off from the network during a batch keeps the chain head locked. The server
        // ends such a transaction before the time limit of the other replicas.
        let longest_pause = (self.limit / 2).as_millis().max(1).to_string();
        // The writer looks up a few rows by key. These settings make the planner use the indexes whatever the size of the
        // tables, and plan each statement once.
        self.with(&[
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("plan_cache_mode", "force_generic_plan"),
            ("idle_in_transaction_session_timeout", longest_pause.as_str()),
            // Overrides a setting of the server, the database or the role that confirms a commit before it is on disk.
            ("synchronous_commit", synchronous_commit.as_str()),
        ])
    }

    fn with(mut self, settings: &[(&str, &str)]) -> Self {
        for (name, value) in settings {
            self.settings.push_str("SET ");
            self.settings.push_str(name);
            self.settings.push_str(" = '");
            self.settings.push_str(value);
            self.settings.push_str("'; ");
        }
        self
    }

    /// Applies the settings to a new connection, in one round trip.
    ///
    /// # Errors
    /// If the server refuses them, or accepts no writes and has to.
    pub(super) async fn begin(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let statements = format!("{}{READ_ONLY}", self.settings);
        let row = raw_sql(AssertSqlSafe(statements)).fetch_one(connection).await?;
        if self.only_primary && row.try_get::<String, _>(0)? == "on" {
            return Err(sqlx::Error::Protocol("the server accepts no writes".into()));
        }
        Ok(())
    }

    /// True if the connection can be used again.
    ///
    /// # Errors
    /// If the server does not answer in time.
    pub(super) async fn check(
        &self,
        connection: &mut PgConnection,
        age: Duration,
    ) -> Result<bool, sqlx::Error> {
        let asked = timeout(self.limit, is_read_only(connection));
        let is_read_only = asked.await.unwrap_or_else(|_| Err(no_answer(self.limit)))?;
        Ok(!is_read_only || (!self.only_primary && age < READ_ONLY_AGE))
    }
}

/// True if the server accepts no writes: a standby, or a server whose default is `read only`.
pub(super) async fn is_read_only(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = raw_sql(READ_ONLY).fetch_one(connection).await?;
    Ok(row.try_get::<String, _>(0)? == "on")
}
