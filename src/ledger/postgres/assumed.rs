//! What the ledger takes for granted of a PostgreSQL database, checked at the start: a wrong one fails only at the first
//! value that it can't store, and then for ever.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, Connection, Row, raw_sql};
use tokio::time::timeout;
use tracing::warn;

use crate::ledger::OpenError;

use super::late::no_answer;

/// The oldest supported version of PostgreSQL.
const OLDEST_VERSION: i32 = 13;

/// Without a prepared statement, which a pooler may lose.
const FACTS: &str = "SELECT current_setting('server_version_num') AS version,
        current_setting('server_encoding') AS encoding,
        CAST(current_schema() IS NULL AS text) AS has_no_schema,
        current_setting('transaction_read_only') AS read_only,
        CAST(EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql') AS text) AS has_plpgsql,
        CAST(coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AND EXISTS (
            SELECT FROM pg_class WHERE oid = to_regclass('audit_events') AND NOT pg_has_role(relowner, 'USAGE')
        ) AS text) AS may_create";

const MAY_CREATE: &str = "the database role may create objects in the ledger's schema although another role owns the tables; \
     REVOKE CREATE ON SCHEMA … FROM PUBLIC, or from the role";

/// What the database says about itself.
struct Facts {
    version: i32,
    encoding: String,
    has_no_schema: bool,
    is_read_only: bool,
    has_plpgsql: bool,
    /// A role that is not the owner may create objects in the schema.
    may_create: bool,
}

impl Facts {
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let version: i32 = text("version")?.parse().unwrap_or_default();
        Ok(Self {
            version: version / 10_000,
            encoding: text("encoding")?,
            has_no_schema: text("has_no_schema")? == "true",
            is_read_only: text("read_only")? == "on",
            has_plpgsql: text("has_plpgsql")? == "true",
            may_create: text("may_create")? == "true",
        })
    }

    /// What the ledger can't work with. Commands that only read also work on a standby.
    fn refusal(&self, writes: bool) -> Option<String> {
        if self.version < OLDEST_VERSION {
            let version = self.version;
            return Some(format!(
                "leads to PostgreSQL {version}; the oldest supported version is {OLDEST_VERSION}"
            ));
        }
        if self.encoding != "UTF8" {
            return Some(format!(
                "names a database with the encoding {}, which can't store every name and message; create one with \
                 CREATE DATABASE tunnelgate ENCODING 'UTF8' TEMPLATE template0",
                self.encoding
            ));
        }
        if self.has_no_schema {
            return Some(
                "names a database in which no schema of the role's search_path exists; set search_path, or give the \
                 role USAGE on its schema"
                    .into(),
            );
        }
        if writes && self.is_read_only {
            return Some(
                "leads to a server that accepts no writes: a standby, or default_transaction_read_only of the server, \
                 the database or the role; name the primary"
                    .into(),
            );
        }
        if writes && !self.has_plpgsql {
            return Some(
                "names a database without the language plpgsql; run CREATE EXTENSION plpgsql there".into(),
            );
        }
        None
    }
}

/// Checks the database. `writes` is false for commands that only read.
///
/// # Errors
/// If the ledger can't work with the database, or the server can't be reached in time.
pub(super) async fn check(
    connect: &PgConnectOptions,
    limit: Duration,
    writes: bool,
) -> Result<(), OpenError> {
    let facts = timeout(limit, async {
        let mut connection = connect.connect().await?;
        let facts = Facts::of(&raw_sql(FACTS).fetch_one(&mut connection).await?)?;
        let _ = connection.close().await;
        Ok::<_, sqlx::Error>(facts)
    });
    let facts = facts.await.unwrap_or_else(|_| Err(no_answer(limit))).map_err(OpenError::Connect)?;
    if facts.may_create {
        warn!("{MAY_CREATE}");
    }
    facts.refusal(writes).map_or(Ok(()), |refusal| Err(OpenError::Refused(refusal.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused_with_the_oldest_supported_version() {
        let facts = |version| Facts {
            version,
            encoding: "UTF8".into(),
            has_no_schema: false,
            is_read_only: false,
            has_plpgsql: true,
            may_create: false,
        };
        let refusal = facts(OLDEST_VERSION - 1).refusal(false).expect("a refusal");
        assert!(refusal.contains("PostgreSQL 12") && refusal.contains("13"), "{refusal}");
        assert_eq!(facts(OLDEST_VERSION).refusal(true), None);
    }
}
