//! What the clients of one account share, whichever version of the API each of them speaks.

use std::sync::Arc;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::service::ledger::Calls;

use super::budget::{Account, Budget};
use super::metrics::{CallMetrics, CloudMetrics};
use super::settings::Settings;

/// An account's call budget and metrics.
#[derive(Clone)]
pub struct Line {
    pub(super) budget: Budget,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    pub(super) metrics: CallMetrics,
}

impl Line {
    /// A line with a call budget, which the replicas share through `calls`.
    #[must_use]
    pub fn new(
        settings: &Settings,
        calls: Arc<dyn Calls>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        metrics: CloudMetrics,
    ) -> Self {
        let account =
            Account { name: settings.account.clone(), calls_per_second: settings.calls_per_second, calls };
        let budget = Budget::new(account, metrics.of_budget(&settings.account));
        Self { budget, clock, chance, metrics: CallMetrics::new(&settings.account, metrics) }
    }
}
