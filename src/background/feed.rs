//! Reads new events for the followers of the feed: when a step is reported, and at a regular interval.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::causes::chain;
use crate::failpoint;
use crate::service::Service;

/// Interval of the reads without a reported step. Events of no operation, and steps of another replica whose
/// notification was lost, arrive up to this much later.
const INTERVAL: Duration = Duration::from_secs(2);
/// The shortest time between two reads, so that many steps share one.
const GATHER: Duration = Duration::from_millis(20);

/// Publishes new events for ever.
pub(super) async fn run(service: Service) {
    let mut steps = service.steps();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut published = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            stepped = steps.recv() => match stepped {
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    tokio::time::sleep(GATHER).await;
                    steps = steps.resubscribe();
                }
                // No more reports: only the interval remains.
                Err(RecvError::Closed) => { ticks.tick().await; }
            },
        }
        failpoint::at!("feed.loop");
        if !service.is_followed() {
            // The next follower reads by itself what was not published.
            published = None;
            continue;
        }
        let from = match published {
            Some(from) => Ok(from),
            None => service.begin_to_publish().await,
        };
        let mut next = from.map(Some);
        while let Ok(Some(from)) = next {
            published = Some(from);
            next = service.publish(from).await;
        }
        if let Err(error) = next {
            warn!(error = chain(&error), "can't read new events for the feed; trying again within 2 seconds");
        }
    }
}
