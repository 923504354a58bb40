//! Reads the chain head under its lock.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::ledger::batch::Head;
use crate::ledger::rewound::{Chain, Comparison, Memory, READ_CHAIN};

use super::failure::Failure;

/// Locks the chain head and compares the chain with what this process remembers.
pub(super) async fn lock_chain(
    connection: &mut PgConnection,
    memory: &Memory,
) -> Result<(Head, Comparison), Failure> {
    let remembered = memory.newest();
    let (seq, hash, acceptance) = Memory::parameters(remembered);
    let sql = format!("{READ_CHAIN} FOR UPDATE OF h");
    let row =
        sqlx::query(AssertSqlSafe(sql)).bind(seq).bind(hash).bind(acceptance).fetch_one(connection).await?;
    let chain = Chain::of(&row)?;
    Ok((chain.head, memory.compare(remembered, &chain)))
}
