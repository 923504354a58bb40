//! Metrics of the connection pools.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use sqlx::{Database, Pool};

use crate::metrics::Metrics;

/// Connections of a pool.
struct PoolSize {
    in_use: i64,
    idle: i64,
    limit: i64,
}

type ReadSize = Box<dyn Fn() -> PoolSize + Send + Sync>;

/// The pools by name, read on each scrape.
#[derive(Default)]
pub(super) struct Pools(Vec<(&'static str, ReadSize)>);

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Pools {
    pub(super) fn with<DB: Database>(mut self, name: &'static str, pool: &Pool<DB>) -> Self {
        let pool = pool.clone();
        let read_size = move || {
            let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
            // The pool can change between the two calls.
            let in_use = (i64::from(pool.size()) - idle).max(0);
            PoolSize { in_use, idle, limit: i64::from(pool.options().get_max_connections()) }
        };
        self.0.push((name, Box::new(read_size)));
        self
    }

    pub(super) fn register(self, metrics: &Metrics) {
        metrics.register_collector(self);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    pool: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: &'static str,
}

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (connections, limits) =
            (Family::<ConnectionLabels, Gauge>::default(), Family::<PoolLabel, Gauge>::default());
        for (pool, read_size) in &self.0 {
            let PoolSize { in_use, idle, limit } = read_size();
            for (state, count) in [("in_use", in_use), ("idle", idle)] {
                connections.get_or_create(&ConnectionLabels { pool, state }).set(count);
            }
            limits.get_or_create(&PoolLabel { pool }).set(limit);
        }
        let kind = <Family<ConnectionLabels, Gauge> as TypedMetric>::TYPE;
        let help = "Database connections by pool and state.";
        connections.encode(encoder.encode_descriptor("ledger_pool_connections", help, None, kind)?)?;
        let help = "Maximum number of database connections by pool.";
        limits.encode(encoder.encode_descriptor("ledger_pool_connections_limit", help, None, kind)?)
    }
}
