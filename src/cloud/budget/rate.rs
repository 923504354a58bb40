//! How many calls a second may start: the setting, or less for a while after the cloud limited the rate.

use std::time::Duration;

use tokio::time::Instant;

use crate::service::ledger::Slowed;

/// The time in which no more calls than the rate start.
pub(super) const WINDOW: Duration = Duration::from_secs(1);
/// Refusals within this time belong to one slow-down.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How long a quiet cloud takes to give back a tenth of the setting.
const RECOVERY_STEP: Duration = Duration::from_secs(5);

/// A rate that falls by half at a refusal, to 1 at the least, and comes back by a tenth of the setting every 5 s.
#[derive(Debug)]
pub(super) struct Rate {
    setting: u32,
    /// The rate after the last refusal, and when that was.
    slowed: Option<(u32, Instant)>,
}

impl Rate {
    pub(super) const fn new(setting: u32) -> Self {
        Self { setting, slowed: None }
    }

    /// Calls a second, now.
    pub(super) fn now(&self, now: Instant) -> u32 {
        self.slowed.map_or(self.setting, |(rate, at)| {
            let steps = now.duration_since(at).as_secs() / RECOVERY_STEP.as_secs();
            let back = u64::from((self.setting / 10).max(1)).saturating_mul(steps);
            u32::try_from(back).map_or(self.setting, |back| rate.saturating_add(back).min(self.setting))
        })
    }

    /// Time between two calls, rounded up to a microsecond.
    pub(super) fn interval(&self, now: Instant) -> Duration {
        Duration::from_micros(1_000_000_u64.div_ceil(u64::from(self.now(now).max(1))))
    }

    /// The cloud limited the rate. Returns the rate from now on, unless this refusal belongs to the last slow-down.
    pub(super) fn slow_down(&mut self, now: Instant) -> Option<u32> {
        if self.slowed.is_some_and(|(_, at)| now.duration_since(at) < PAUSE) {
            return None;
        }
        let rate = (self.now(now) / 2).max(1);
        self.slowed = Some((rate, now));
        Some(rate)
    }

    /// Takes over the last slow-down that the ledger knows, unless this replica's own is newer.
    pub(super) fn learn(&mut self, slowed: Option<Slowed>, now: Instant) {
        let Some(Slowed { rate, ago }) = slowed else { return };
        let Some(at) = now.checked_sub(ago) else { return };
        if self.slowed.is_none_or(|(_, own)| own < at + PAUSE) {
            self.slowed = Some((rate.clamp(1, self.setting), at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_falls_by_half_and_comes_back_never_above_the_setting() {
        let mut rate = Rate::new(20);
        assert_eq!(rate.slow_down(Instant::now()), Some(10));
        assert_eq!(rate.slow_down(Instant::now()), None, "refusals of one moment count once");
        assert_eq!(rate.now(Instant::now()), 10);
        assert_eq!(rate.interval(Instant::now()), Duration::from_millis(100));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(rate.now(Instant::now()), 14);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(rate.now(Instant::now()), 20);
        for _ in 0..10 {
            rate.slow_down(Instant::now());
            tokio::time::advance(PAUSE).await;
        }
        assert_eq!(rate.now(Instant::now()), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_learns_the_slow_down_of_another_and_keeps_a_newer_one_of_its_own() {
        let mut rate = Rate::new(20);
        tokio::time::advance(Duration::from_secs(60)).await;
        rate.learn(Some(Slowed { rate: 6, ago: Duration::from_secs(10) }), Instant::now());
        assert_eq!(rate.now(Instant::now()), 10);
        rate.learn(Some(Slowed { rate: 500, ago: Duration::ZERO }), Instant::now());
        assert_eq!(rate.now(Instant::now()), 20, "another replica may have another setting");
        tokio::time::advance(PAUSE).await;
        rate.slow_down(Instant::now());
        rate.learn(Some(Slowed { rate: 500, ago: PAUSE }), Instant::now());
        assert_eq!(rate.now(Instant::now()), 10);
    }
}
