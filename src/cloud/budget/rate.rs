//! How many calls a second may start: the setting, or less for a while after the cloud limited the rate.

use std::time::Duration;

use tokio::time::Instant;

/// Refusals within this time belong to one slow-down.
const PAUSE: Duration = Duration::from_secs(1);
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
    pub(super) fn now(&self, now: Instant) -> usize {
        let rate = self.slowed.map_or(self.setting, |(rate, at)| {
            let steps = now.duration_since(at).as_secs() / RECOVERY_STEP.as_secs();
            let back = u64::from((self.setting / 10).max(1)).saturating_mul(steps);
            u32::try_from(back).map_or(self.setting, |back| rate.saturating_add(back).min(self.setting))
        });
        usize::try_from(rate).unwrap_or(usize::MAX)
    }

    pub(super) fn slow_down(&mut self, now: Instant) {
        if self.slowed.is_some_and(|(_, at)| now.duration_since(at) < PAUSE) {
            return;
        }
        let rate = u32::try_from(self.now(now)).unwrap_or(self.setting);
        self.slowed = Some(((rate / 2).max(1), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_falls_by_half_and_comes_back_never_above_the_setting() {
        let mut rate = Rate::new(20);
        rate.slow_down(Instant::now());
        rate.slow_down(Instant::now());
        assert_eq!(rate.now(Instant::now()), 10, "refusals of one moment count once");
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
}
