//! The figures behind `/metrics`: one registry, `tunnelgate_` before every name, base units, no ids as labels.

use std::sync::Mutex;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Metric, Registry};

/// The registry that every part registers its figures in.
#[derive(Debug)]
pub struct Metrics(Mutex<Registry>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Mutex::new(Registry::with_prefix("tunnelgate")))
    }
}

impl Metrics {
    /// Registers a figure; the name without prefix and without `_total`.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        if let Ok(mut registry) = self.0.lock() {
            registry.register(name, help, metric.clone());
        }
        metric
    }

    /// Registers figures that are looked up only when somebody asks for them.
    pub fn register_collector(&self, collector: impl Collector) {
        if let Ok(mut registry) = self.0.lock() {
            registry.register_collector(Box::new(collector));
        }
    }

    /// All figures in the text format of Prometheus (OpenMetrics).
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
