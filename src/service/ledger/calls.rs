//! The calls to the cloud that all replicas of an account make together.

use std::time::Duration;

use async_trait::async_trait;

use super::error::LedgerError;

/// Calls that were reserved, one after the other at the interval that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// Time until the first call may start.
    pub wait: Duration,
    /// The last time that the cloud limited the rate of the account.
    pub slowed: Option<Slowed>,
}

/// A slower rate after the cloud limited the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowed {
    /// Calls a second.
    pub rate: u32,
    /// How long ago.
    pub ago: Duration,
}

/// Reserves the times at which the replicas of an account start their calls. All times go by the ledger's clock.
#[async_trait]
pub trait Calls: Send + Sync + 'static {
    /// Reserves `count` calls, `interval` apart, after those that are reserved already.
    async fn reserve(&self, account: &str, count: u32, interval: Duration) -> Result<Reserved, LedgerError>;

    /// Records that the cloud limited the rate, and the rate from now on. Changes nothing within `pause` after the last
    /// time.
    async fn slow_down(&self, account: &str, rate: u32, pause: Duration) -> Result<(), LedgerError>;
}
