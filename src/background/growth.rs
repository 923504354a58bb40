//! Keeps room for the log's growth, and measures the log.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tracing::warn;

use crate::causes::chain;
use crate::failpoint;
use crate::metrics::Metrics;
use crate::service::ledger::{Ledger, LogSize};

/// Interval between two runs. The partitions ahead hold more events than can be written in this time.
const INTERVAL: Duration = Duration::from_secs(60);

/// A gauge that can be absent; only a family with labels can.
type Optional = Family<[(&'static str, &'static str); 0], Gauge>;

/// The gauges of the log's size.
#[derive(Debug, Clone)]
pub struct Gauges {
    bytes: Optional,
    events: Optional,
    oldest: Optional,
    room: Optional,
}

impl Gauges {
    pub fn new(metrics: &Metrics) -> Self {
        let register = |name, help| metrics.register(name, help, Optional::default());
        Self {
            bytes: register("log_size_bytes", "Bytes of the audit log and its indexes in the database"),
            events: register("log_events", "Events in the database"),
            oldest: register("log_oldest_seq", "seq of the oldest event in the database"),
            room: register("log_room_events", "Events that fit into the existing partitions of the log"),
        }
    }

    fn set(&self, size: &LogSize) {
        self.bytes.get_or_create(&[]).set(size.bytes);
        self.events.get_or_create(&[]).set(size.newest_seq - size.oldest_seq + 1);
        self.oldest.get_or_create(&[]).set(size.oldest_seq);
        match size.room {
            Some(room) => {
                self.room.get_or_create(&[]).set(room);
            }
            None => self.room.clear(),
        }
    }

    /// Old values would be misleading.
    fn clear(&self) {
        for gauge in [&self.bytes, &self.events, &self.oldest, &self.room] {
            gauge.clear();
        }
    }
}

/// Extends and measures the log once per interval.
pub(super) async fn run(ledger: Arc<dyn Ledger>, gauges: Gauges) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        failpoint::at!("growth.loop");
        if let Err(error) = ledger.extend_log().await {
            warn!(
                error = chain(&error),
                "can't create the log's next partition; trying again in a minute. tunnelgate_log_room_events says for \
                 how many events there is room"
            );
        }
        match ledger.log_size().await {
            Ok(size) => gauges.set(&size),
            Err(error) => {
                gauges.clear();
                warn!(error = chain(&error), "can't measure the log; trying again in a minute");
            }
        }
    }
}
