//! The calls of a process that shares its account with no other.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tunnelgate::service::ledger::{Calls, LedgerError, Reserved};

/// When the next call may start.
#[derive(Default)]
pub struct Alone(Mutex<Option<Instant>>);

#[async_trait]
impl Calls for Alone {
    async fn reserve(&self, _: &str, count: u32, interval: Duration) -> Result<Reserved, LedgerError> {
        let mut next = self.0.lock().expect("the next call");
        let now = Instant::now();
        let start = next.map_or(now, |next| next.max(now));
        *next = Some(start + interval * count);
        Ok(Reserved { wait: start - now, slowed: None })
    }

    async fn slow_down(&self, _: &str, _: u32, _: Duration) -> Result<(), LedgerError> {
        Ok(())
    }
}
