//! Reads the chain head.

use sqlx::sqlite::SqliteConnection;

use crate::ledger::batch::Head;
use crate::ledger::rewound::{Chain, Comparison, Memory, READ_CHAIN};

use super::failure::Failure;

/// Compares the chain with what this process remembers.
pub(super) async fn read_chain(
    connection: &mut SqliteConnection,
    memory: &Memory,
) -> Result<(Head, Comparison), Failure> {
    let remembered = memory.newest();
    let (seq, hash, acceptance) = Memory::parameters(remembered);
    let row = sqlx::query(READ_CHAIN).bind(seq).bind(hash).bind(acceptance).fetch_one(connection).await?;
    let chain = Chain::of(&row)?;
    Ok((chain.head, memory.compare(remembered, &chain)))
}
