//! What the clients of one account share, whichever version of the API each of them speaks.

use std::sync::Arc;

use tracing::{info, warn};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::connection_fault::ConnectionFault;
use crate::service::accounts::AccountFault;
use crate::service::ledger::Calls;

use super::budget::{Account, Budget};
use super::exchange::Cause;
use super::health::Health;
use super::meaning::Meaning;
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

    /// The cloud gave a readable answer.
    pub(super) fn answered(&self, meaning: Meaning, code: &str) {
        if self.health.answered(self.clock.now(), meaning, code) {
            info!(account = self.metrics.account(), "the cloud answers again");
        }
    }

    /// No connection came about.
    pub(super) fn unconnected(&self, action: &'static str, cause: &Cause) {
        self.metrics.unconnected(cause.fault.unwrap_or(ConnectionFault::Other));
        self.failed(action, AccountFault::Unreachable, cause, "no connection to the cloud");
    }

    /// The call may have been sent, and got no readable answer.
    pub(super) fn unanswered(&self, action: &'static str, cause: &Cause) {
        self.failed(action, AccountFault::NoAnswer, cause, "no usable answer from the cloud");
    }

    fn failed(&self, action: &'static str, fault: AccountFault, cause: &Cause, message: &str) {
        let Some(failures) = self.health.unanswered(self.clock.now(), fault, cause.fault) else { return };
        let account = self.metrics.account();
        let (kind, error) = (cause.fault.map(ConnectionFault::as_str), cause.error.as_str());
        warn!(account, action, cause = kind, error, failures, "{message}");
    }
}

fn budget(settings: &Settings, calls: Arc<dyn Calls>, metrics: &CloudMetrics) -> Budget {
    let account =
        Account { name: settings.account.clone(), calls_per_second: settings.calls_per_second, calls };
    Budget::new(account, metrics.of_budget(&settings.account))
}
