//! Writing the rows of a changed API key.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use crate::ledger::key_change::{KeyChange, KeyValue, KeyWriter};

use super::apply::Change;

impl KeyWriter for SqliteConnection {
    async fn run(&mut self, sql: &'static str, values: Vec<KeyValue<'_>>) -> Result<u64, sqlx::Error> {
        let mut query = sqlx::query(sql);
        for value in values {
            query = match value {
                KeyValue::Id(id) => query.bind(id.to_string()),
                KeyValue::Text(text) => query.bind(text),
                KeyValue::Json(json) => query.bind(json.to_string()),
                KeyValue::Bytes(bytes) => query.bind(bytes),
                KeyValue::Time(at) => query.bind(at.map(|at| at.to_string())),
            };
        }
        Ok(query.execute(self).await?.rows_affected())
    }
}

#[async_trait]
impl Change for KeyChange<'_> {
    async fn write(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        KeyChange::write(self, connection).await
    }
}
