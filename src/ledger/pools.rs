//! What `/metrics` tells of the connections to the database.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use sqlx::{Database, Pool};

use crate::metrics::Metrics;

/// How many connections a pool has.
struct Use {
    in_use: i64,
    idle: i64,
    most: i64,
}

type Look = Box<dyn Fn() -> Use + Send + Sync>;

/// Pools by what they are for, looked at when somebody asks for the figures.
#[derive(Default)]
pub(super) struct Pools(Vec<(&'static str, Look)>);

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Pools {
    pub(super) fn with<DB: Database>(mut self, name: &'static str, pool: &Pool<DB>) -> Self {
        let pool = pool.clone();
        let look = move || {
            let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
            // The two are read one after the other.
            let in_use = (i64::from(pool.size()) - idle).max(0);
            Use { in_use, idle, most: i64::from(pool.options().get_max_connections()) }
        };
        self.0.push((name, Box::new(look)));
        self
    }

    pub(super) fn register(self, metrics: &Metrics) {
        metrics.register_collector(self);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    pool: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    pool: &'static str,
}

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (connections, limits) =
            (Family::<Connections, Gauge>::default(), Family::<Limit, Gauge>::default());
        for (pool, look) in &self.0 {
            let Use { in_use, idle, most } = look();
            for (state, count) in [("in_use", in_use), ("idle", idle)] {
                connections.get_or_create(&Connections { pool, state }).set(count);
            }
            limits.get_or_create(&Limit { pool }).set(most);
        }
        let kind = <Family<Connections, Gauge> as TypedMetric>::TYPE;
        let help = "Connections to the database by pool and state.";
        connections.encode(encoder.encode_descriptor("ledger_pool_connections", help, None, kind)?)?;
        let help = "Connections that a pool may have at the most.";
        limits.encode(encoder.encode_descriptor("ledger_pool_connections_limit", help, None, kind)?)
    }
}
