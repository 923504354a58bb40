//! A ledger for each test: a SQLite file, or a database on the PostgreSQL server of the test run.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod consumer;
pub mod nginx;
pub mod postgres;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

/// The failpoints of `tunnelgate rollout`, in the order in which a change passes them.
#[allow(dead_code, reason = "each test binary uses a part of this file")]
pub const ROLLOUT_POINTS: &[&str] = &[
    "rollout.prepared",
    "rollout.sending",
    "rollout.answered",
    "rollout.ended",
    "rollout.state-changed",
    "rollout.state-written",
];

/// The failpoints of `tunnelgate audit archive`, which `tests/ledger/archive.rs` tests.
pub const ARCHIVE_POINTS: &[&str] = &[
    "archive.events-written",
    "archive.operations-written",
    "archive.manifest-written",
    "archive.compared",
    "archive.before-drop",
    "archive.before-commit",
    "archive.after-commit",
    "archive.operations-removed",
];

/// An empty ledger, deleted on drop.
pub struct Store {
    url: String,
    kind: Kind,
}

enum Kind {
    Sqlite(tempfile::TempDir),
    Postgres { admin: String, name: String },
}

/// The setup that a test receives, built on an empty ledger.
pub trait OnLedger {
    async fn on(store: Store) -> Self;
}

impl OnLedger for Store {
    async fn on(store: Store) -> Self {
        store
    }
}

/// Runs a test with the setup that its parameter names.
pub async fn run<T: OnLedger>(test: impl AsyncFnOnce(T), store: Store) {
    test(T::on(store).await).await;
}

/// Runs each test on SQLite and on PostgreSQL. Two threads, because waiting for a process blocks one.
#[allow(unused_macros, reason = "each test binary uses a part of this file")]
macro_rules! on_each_ledger {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { crate::support::run(super::$test, crate::support::Store::sqlite()).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { crate::support::run(super::$test, crate::support::Store::postgres().await).await; })+
        }
    };
}

const TABLES: &[&str] = &[
    "operations",
    "audit_events",
    "audit_hours",
    "audit_vpcs",
    "archived_segments",
    "chain_head",
    "lost_heads",
    "tracking",
    "call_budgets",
    "drift",
    "drift_watched",
    "drift_sweep",
    "idempotency_keys",
    "api_keys",
    "api_key_tokens",
    "webhooks",
];

impl Store {
    /// A SQLite file.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        Self { url, kind: Kind::Sqlite(folder) }
    }

    /// A new database on the server of the test run.
    pub async fn postgres() -> Self {
        Self::postgres_with("").await
    }

    /// A new database with these options of CREATE DATABASE.
    pub async fn postgres_with(options: &str) -> Self {
        Self::on_server(postgres::server().await, options).await
    }

    /// A new database on a server of PostgreSQL, by the URL of another database there.
    pub async fn on_server(admin: &str, options: &str) -> Self {
        let name = format!("test_{}", postgres::digits());
        let mut connection = PgConnection::connect(admin).await.expect("the test server");
        let create = format!("CREATE DATABASE {name} {options}");
        connection.execute(AssertSqlSafe(create)).await.expect("a database");
        let base = admin.rsplit_once('/').map_or(admin, |(base, _)| base);
        Self { url: format!("{base}/{name}"), kind: Kind::Postgres { admin: admin.to_owned(), name } }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres { .. })
    }

    /// Runs a statement without the service.
    pub async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        match &self.kind {
            Kind::Sqlite(_) => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await?;
                Ok(connection.execute(AssertSqlSafe(sql.to_owned())).await?.rows_affected())
            }
            Kind::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url).await?;
                Ok(connection.execute(AssertSqlSafe(sql.to_owned())).await?.rows_affected())
            }
        }
    }

    /// Gives the log's future partitions room for `size` events each. The log must be empty, and has no partition after
    /// this call.
    pub async fn small_partitions(&self, size: u32) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION audit_partition_size() RETURNS bigint LANGUAGE sql IMMUTABLE
                 AS $$ SELECT bigint '{size}' $$;
             DO $$ DECLARE name text; BEGIN
                 FOR name IN SELECT p.name FROM audit_partitions() p LOOP
                     EXECUTE format('DROP TABLE %I', name);
                 END LOOP;
             END $$"
        );
        self.execute(&sql).await.expect("small partitions");
    }

    /// The audit log, read with plain SQL: every column as text, in the order of the table.
    pub async fn audit_rows(&self) -> Vec<Vec<Option<String>>> {
        let (at, ip, json, hex) = if self.is_postgres() {
            let at = "to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
            (at, "host(source_ip)", "::text", "encode(COLUMN, 'hex')")
        } else {
            ("occurred_at", "source_ip", "", "lower(hex(COLUMN))")
        };
        let [before, hash] = ["prev_hash", "hash"].map(|column| hex.replace("COLUMN", column));
        let sql = format!(
            "SELECT CAST(seq AS text), CAST(format AS text), CAST(id AS text), {at}, event, CAST(operation_id AS text),
                    actor, actor_id, actor_kind, {ip}, user_agent, request_id, trace_id, vpc_id, gateway_id, tunnel_id,
                    account, region, api, changes{json}, before{json}, sent{json}, outcome{json}, reason,
                    CAST(rollback_of AS text), upstream{json}, {before}, {hash}
             FROM audit_events ORDER BY seq"
        );
        let read = "the audit log can be read";
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url).await.expect(read);
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect(read);
            rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
        } else {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect(read);
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect(read);
            rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
        }
    }

    /// Every row of every table as text; on SQLite the files themselves.
    pub async fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let mut dump = Vec::new();
        match &self.kind {
            Kind::Sqlite(folder) => {
                for entry in std::fs::read_dir(folder.path()).expect("the folder").flatten() {
                    let bytes = std::fs::read(entry.path()).expect("a file");
                    dump.push((format!("dump of {}", entry.path().display()), bytes));
                }
            }
            Kind::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url).await.expect("the database");
                for table in TABLES {
                    let sql = format!("SELECT t::text FROM {table} t");
                    let rows =
                        sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect("rows");
                    let text: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                    dump.push((format!("dump of {table}"), text.join("\n").into_bytes()));
                }
            }
        }
        dump
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Kind::Postgres { admin, name } = &self.kind {
            // A new runtime, because the test's may have ended.
            let (admin, name) = (admin.clone(), name.clone());
            let dropped = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let mut connection = PgConnection::connect(&admin).await?;
                    let sql = format!("DROP DATABASE {name} WITH (FORCE)");
                    connection.execute(AssertSqlSafe(sql)).await
                })?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            });
            let _ = dropped.join();
        }
    }
}
