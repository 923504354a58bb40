//! Reads the ledger through its own connection, without the service.

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row};

/// A connection; it belongs to the runtime that uses it first.
pub enum View {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl View {
    pub fn of(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_lazy(url).expect("a URL"))
        } else {
            Self::Postgres(PgPoolOptions::new().max_connections(1).connect_lazy(url).expect("a URL"))
        }
    }

    /// The rows of a query whose columns are all text.
    pub async fn rows(&self, sql: &str, binds: &[&str]) -> Vec<Vec<Option<String>>> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => {
                let query = binds.iter().fold(sqlx::query(sql), |query, bind| query.bind((*bind).to_owned()));
                let rows = query.fetch_all(pool).await.expect("rows");
                rows.iter().map(|row| (0..row.len()).map(|i| row.get(i)).collect()).collect()
            }
            Self::Postgres(pool) => {
                let query = binds.iter().fold(sqlx::query(sql), |query, bind| query.bind((*bind).to_owned()));
                let rows = query.fetch_all(pool).await.expect("rows");
                rows.iter().map(|row| (0..row.len()).map(|i| row.get(i)).collect()).collect()
            }
        }
    }

    /// The first column of the first row.
    pub async fn one(&self, sql: &str) -> String {
        self.rows(sql, &[]).await[0][0].clone().expect("a value")
    }
}
