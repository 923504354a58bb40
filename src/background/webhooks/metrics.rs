//! Metrics of webhooks, by entry.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::domain::timestamp::Timestamp;
use crate::metrics;
use crate::service::ledger::WebhookPlace;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    webhook: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    webhook: String,
    outcome: &'static str,
}

/// Attempts and lag.
#[derive(Debug, Clone)]
pub struct Metrics {
    attempts: Family<Attempt, Counter>,
    events: Family<Name, Gauge>,
    seconds: Family<Name, Gauge<f64, AtomicU64>>,
}

impl Metrics {
    pub fn new(metrics: &metrics::Metrics) -> Self {
        Self {
            attempts: metrics.register(
                "webhook_attempts",
                "Attempts to deliver an event to a webhook, by outcome",
                Family::default(),
            ),
            events: metrics.register(
                "webhook_lag_events",
                "Events of the log that a webhook has not passed",
                Family::default(),
            ),
            seconds: metrics.register(
                "webhook_lag_seconds",
                "Age of the oldest event that a webhook has not passed",
                Family::default(),
            ),
        }
    }

    pub(super) fn attempted(&self, name: &str, outcome: &'static str) {
        self.attempts.get_or_create(&Attempt { webhook: name.to_owned(), outcome }).inc();
    }

    pub(super) fn measured(&self, place: &WebhookPlace, now: Timestamp) {
        let label = Name { webhook: place.name.clone() };
        self.events.get_or_create(&label).set(place.newest.saturating_sub(place.seq).max(0));
        let age = place.waiting_since.map_or(0.0, |since| now.since(since).as_secs_f64());
        self.seconds.get_or_create(&label).set(age);
    }

    /// Old values would be misleading.
    pub(super) fn clear_lag(&self, name: &str) {
        let label = Name { webhook: name.to_owned() };
        self.events.remove(&label);
        self.seconds.remove(&label);
    }

    /// Drops what belongs to an entry that was removed.
    pub(super) fn forget(&self, name: &str) {
        self.clear_lag(name);
    }
}
