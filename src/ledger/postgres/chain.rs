//! Reads the chain head under its lock.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::ledger::batch::Head;
use crate::ledger::rewound::{Chain, Comparison, Memory, READ_CHAIN};

use crate::service::ledger::LedgerError;

use super::failure::Failure;

/// Marks the chain head when a loss is noted or accepted.
pub(super) const MARK: &str =
    "UPDATE chain_head SET rewound = EXISTS (SELECT FROM lost_heads WHERE acceptance IS NULL)";

/// Locks the chain head and compares the chain with what this process remembers.
pub(super) async fn lock_chain(
    connection: &mut PgConnection,
    memory: &Memory,
) -> Result<(Head, Comparison), Failure> {
    let remembered = memory.newest();
    let (seq, hash, acceptance) = Memory::parameters(remembered);
    let sql = READ_CHAIN.replace("SELECT h.seq,", "SELECT h.rewound, h.seq,") + " FOR UPDATE OF h";
    let read = || sqlx::query(AssertSqlSafe(sql.clone())).bind(seq).bind(hash.clone()).bind(acceptance);
    let mut row = read().fetch_one(&mut *connection).await?;
    let mut chain = Chain::of(&row)?;
    if row.try_get::<bool, _>("rewound")? != chain.is_noted() {
        // The statement waited for the lock while another process noted or accepted a loss, and saw the other tables as
        // they were before.
        row = read().fetch_one(connection).await?;
        chain = Chain::of(&row)?;
    }
    Ok((chain.head, memory.compare(remembered, &chain)))
}

/// For a write under the lock that found another chain head than the lock did.
pub(super) fn changed_under_lock() -> LedgerError {
    LedgerError::Corrupt("chain_head changed under its lock".into())
}
