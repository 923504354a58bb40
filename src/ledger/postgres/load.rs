//! Loads the context of a batch under the lock of the chain head.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::domain::operation::Status;
use crate::ledger::batch::{Context, Needs, UsedKey};
use crate::ledger::columns::OPERATION;
use crate::ledger::rewound::{Comparison, Memory};
use crate::service::ledger::LedgerError;

use super::chain::lock_chain;
use super::failure::Failure;
use crate::ledger::idempotency::{KEY, used_key};

/// Locks the chain head and loads the context.
///
/// # Errors
/// [`LedgerError::Rewound`] if the log went back.
pub(super) async fn load(
    connection: &mut PgConnection,
    needs: Needs,
    memory: &Memory,
) -> Result<Context, Failure> {
    // No other process writes steps while this lock is held, and each later statement sees all earlier steps.
    let (head, comparison) = lock_chain(connection, memory).await?;
    if let Comparison::WentBack { rewound, .. } = comparison {
        return Err(LedgerError::Rewound(rewound).into());
    }
    let mut context = Context::at(head);
    if !needs.locks.is_empty() {
        let select = sqlx::query(
            "SELECT lock_id, id FROM operations
             WHERE lock_id = ANY($1) AND status IN ('pending', 'running', 'unknown')",
        );
        for row in select.bind(&needs.locks).fetch_all(&mut *connection).await? {
            context.busy.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let select = sqlx::query(
            "SELECT lock_id, max(last_seq) FROM operations WHERE lock_id = ANY($1) GROUP BY lock_id",
        );
        for row in select.bind(&needs.locks).fetch_all(&mut *connection).await? {
            context.last_seqs.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    if !needs.operations.is_empty() {
        let select = sqlx::query(
            "SELECT t.operation_id, o.status, t.fence
             FROM tracking t JOIN operations o ON o.id = t.operation_id
             WHERE t.operation_id = ANY($1) FOR UPDATE OF t",
        );
        for row in select.bind(&needs.operations).fetch_all(&mut *connection).await? {
            let id: Uuid = row.try_get(0)?;
            let status = Status::from_word(row.try_get(1)?)
                .ok_or_else(|| LedgerError::Corrupt(format!("operation {id}, column status")))?;
            context.tracked.insert(id, (status, row.try_get(2)?));
        }
    }
    if !needs.keys.is_empty() {
        context.keys = used_keys(connection, &needs.keys).await?;
    }
    Ok(context)
}

async fn used_keys(
    connection: &mut PgConnection,
    wanted: &[(String, String)],
) -> Result<HashMap<(String, String), UsedKey>, Failure> {
    let (principals, keys): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(principal, key)| (principal.as_str(), key.as_str())).unzip();
    let sql = format!(
        "SELECT k.principal_id, k.key, {KEY}, {OPERATION}
         FROM unnest($1::text[], $2::text[]) AS w (principal_id, key)
         JOIN idempotency_keys k ON k.principal_id = w.principal_id AND k.key = w.key
         JOIN operations o ON o.id = k.operation_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(principals).bind(keys);
    let mut known = HashMap::new();
    for row in rows.fetch_all(&mut *connection).await? {
        known.insert((row.try_get("principal_id")?, row.try_get("key")?), used_key(&row)?);
    }
    Ok(known)
}
