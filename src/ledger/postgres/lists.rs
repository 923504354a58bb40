//! Running the statements of lists.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use crate::domain::bucket::Bucket;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::StoredRow;
use crate::ledger::lists::{Dialect, ListStore, Statement, Value};
use crate::service::ledger::LedgerError;

use super::Postgres;

#[async_trait]
impl ListStore for Postgres {
    type Row = PgRow;

    const DIALECT: Dialect = Dialect::Postgres;

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn fetch(&self, statement: Statement) -> Result<Vec<PgRow>, LedgerError> {
        let mut query = sqlx::query(AssertSqlSafe(statement.text)).persistent(statement.is_prepared);
        for value in statement.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Texts(texts) => query.bind(texts),
                Value::Number(number) => query.bind(number),
                Value::Numbers(numbers) => query.bind(numbers),
                Value::Id(id) => query.bind(id),
                Value::Ids(ids) => query.bind(ids),
                Value::Time(at) => query.bind(at.map(Timestamp::to_offset)),
            };
        }
        Ok(query.fetch_all(&self.pool).await?)
    }

    fn bucket_start(row: &PgRow, _: Bucket) -> Result<Timestamp, LedgerError> {
        row.timestamp("bucket")
    }
}
