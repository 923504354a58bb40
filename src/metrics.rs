//! Metrics for `/metrics`: one registry, the prefix `tunnelgate_`, base units, no ids as labels.

use std::sync::Mutex;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Metric, Registry};

/// The registry of all metrics.
#[derive(Debug)]
pub struct Metrics(Mutex<Registry>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Mutex::new(Registry::with_prefix("tunnelgate")))
    }
}

impl Metrics {
    /// Registers a metric. `name` has no prefix and no `_total`.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        if let Ok(mut registry) = self.0.lock() {
            registry.register(name, help, metric.clone());
        }
        metric
    }

    /// Registers metrics that are computed at each scrape.
    pub fn register_collector(&self, collector: impl Collector) {
        if let Ok(mut registry) = self.0.lock() {
            registry.register_collector(Box::new(collector));
        }
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Ok(registry) = self.0.lock() {
            // Writing to a string does not fail.
            let _ = encode(&mut text, &registry);
        }
        text
    }
}
