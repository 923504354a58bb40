//! Running the statements of lists.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;

use crate::domain::bucket::Bucket;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::StoredRow;
use crate::ledger::lists::{Dialect, ListStore, Statement, Value};
use crate::service::ledger::LedgerError;

use super::Sqlite;

#[async_trait]
impl ListStore for Sqlite {
    type Row = SqliteRow;

    const DIALECT: Dialect = Dialect::Sqlite;

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn fetch(&self, statement: Statement) -> Result<Vec<SqliteRow>, LedgerError> {
        let mut query = sqlx::query(AssertSqlSafe(statement.text));
        for value in statement.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Id(id) => query.bind(id.to_string()),
                Value::Time(at) => query.bind(at.map(|at| at.to_string())),
                // The statements read lists with json_each.
                Value::Texts(texts) => query.bind(json!(texts).to_string()),
                Value::Numbers(numbers) => query.bind(json!(numbers).to_string()),
                Value::Ids(ids) => query.bind(json!(ids).to_string()),
            };
        }
        Ok(query.fetch_all(&self.pool).await?)
    }

    fn bucket_start(row: &SqliteRow, bucket: Bucket) -> Result<Timestamp, LedgerError> {
        let number = row.number("bucket")?.unwrap_or_default();
        let seconds = i64::try_from(bucket.length().as_secs()).unwrap_or(i64::MAX);
        Ok(Timestamp::from_micros(number.saturating_mul(seconds).saturating_mul(1_000_000)))
    }
}
