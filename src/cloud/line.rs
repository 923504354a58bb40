//! What the clients of one account share, whichever version of the API each of them speaks.

use std::sync::Arc;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::service::ledger::Calls;

use super::budget::{Account, Budget};
use super::health::Health;
use super::metrics::{CallMetrics, CloudMetrics};
use super::settings::Settings;

/// An account's call budget, health and metrics.
#[derive(Clone)]
pub struct Line {
    pub(super) budget: Budget,
    pub(super) health: Arc<Health>,
    calls: Arc<dyn Calls>,
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
        let budget = budget(settings, calls.clone(), &metrics);
        let metrics = CallMetrics::new(&settings.account, metrics);
        Self { budget, health: Arc::default(), calls, clock, chance, metrics }
    }

    /// The line of the same account with other settings. The calls of the last second still count; what was seen with
    /// the settings of before does not.
    pub(super) fn renewed(&self, before: &Settings, settings: &Settings) -> Self {
        let budget = if before.calls_per_second == settings.calls_per_second {
            self.budget.clone()
        } else {
            budget(settings, self.calls.clone(), self.metrics.of_all())
        };
        Self { budget, health: Arc::default(), ..self.clone() }
    }
}

fn budget(settings: &Settings, calls: Arc<dyn Calls>, metrics: &CloudMetrics) -> Budget {
    let account =
        Account { name: settings.account.clone(), calls_per_second: settings.calls_per_second, calls };
    Budget::new(account, metrics.of_budget(&settings.account))
}
