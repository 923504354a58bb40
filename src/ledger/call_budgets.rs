//! The calls of an account, as far as both stores handle them alike.

use std::time::Duration;

use crate::service::ledger::{LedgerError, Reserved, Slowed};

use super::columns::StoredRow;

/// A next call that is further ahead is one of a clock that went back.
pub(super) const FARTHEST: Duration = Duration::from_secs(30);

/// A replica that has not heard of a slow-down within this time must not make the account faster again.
pub(super) const STILL_SLOW: Duration = Duration::from_secs(10);

/// Microseconds, as the statements use them.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The columns `wait`, `slowed_to` and `slowed_ago` of a reservation.
pub(super) fn reserved_of(row: &impl StoredRow) -> Result<Reserved, LedgerError> {
    let duration = |micros: i64| u64::try_from(micros).ok().map(Duration::from_micros);
    let wait = row.number("wait")?.and_then(duration).unwrap_or_default();
    let rate = row.number("slowed_to")?.and_then(|rate| u32::try_from(rate).ok());
    // Negative where the clock went back since.
    let ago = row.number("slowed_ago")?.and_then(duration);
    Ok(Reserved { wait, slowed: rate.zip(ago).map(|(rate, ago)| Slowed { rate, ago }) })
}

/// The row of an account that was inserted and is not there.
pub(super) fn no_row() -> LedgerError {
    LedgerError::Corrupt("the account's row in call_budgets was deleted".into())
}
