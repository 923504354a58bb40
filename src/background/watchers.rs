//! Reads watched operations when a step is reported, and all of them at a regular interval.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::causes::chain;
use crate::domain::operation::OperationId;
use crate::failpoint;
use crate::service::Service;

/// Interval of the reads without a reported step. A lost notification of another replica's step delays its watchers by
/// up to this long.
const INTERVAL: Duration = Duration::from_secs(2);

/// Refreshes watched operations for ever. The first tick, also after a restart, refreshes all of them.
pub(super) async fn run(service: Service) {
    let mut steps = service.steps();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stepped = tokio::select! {
            stepped = reported(&mut steps) => stepped,
            _ = ticks.tick() => None,
        };
        failpoint::at!("watchers.loop");
        if let Err(error) = service.refresh_watched(stepped).await {
            warn!(error = chain(&error), "can't read the watched operations; trying again within 2 seconds");
        }
    }
}

/// Waits for a step and returns all operations whose steps are reported by then; `None` if reports were lost.
async fn reported(steps: &mut broadcast::Receiver<OperationId>) -> Option<HashSet<OperationId>> {
    let mut operations = HashSet::new();
    match steps.recv().await {
        Ok(id) => operations.insert(id),
        Err(RecvError::Lagged(_)) => return None,
        // No more reports: only the interval remains.
        Err(RecvError::Closed) => std::future::pending().await,
    };
    loop {
        match steps.try_recv() {
            Ok(id) => operations.insert(id),
            Err(TryRecvError::Lagged(_)) => return None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(operations),
        };
    }
}
