//! What the clients of one account share, whichever version of the API each of them speaks.

use std::sync::Arc;

use crate::chance::Chance;
use crate::clock::Clock;

use super::budget::Budget;
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
    /// A line with a call budget of its own.
    #[must_use]
    pub fn new(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        metrics: CloudMetrics,
    ) -> Self {
        let budget = Budget::new(settings.calls_per_second);
        Self { budget, clock, chance, metrics: CallMetrics::new(&settings.account, metrics) }
    }
}
