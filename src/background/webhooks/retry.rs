//! How long a failed delivery waits.

use std::time::Duration;

/// The longest wait before the second attempt, and before any attempt.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The wait after this many failed attempts: it doubles each time, up to an hour. `fraction` (0 to 1) takes away up to half,
/// so that entries with one receiver do not retry at the same moment. A receiver may ask for a longer wait, up to an hour.
pub(super) fn wait(failures: u32, fraction: f64, asked: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let longest = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let wait = longest.mul_f64(1.0 - fraction.clamp(0.0, 1.0) / 2.0);
    wait.max(asked.unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_an_hour() {
        let seconds = |failures| wait(failures, 0.0, None).as_secs();
        assert_eq!([1, 2, 3, 11, 12, 13, 40, u32::MAX].map(seconds), [1, 2, 4, 1024, 2048, 3600, 3600, 3600]);
    }

    #[test]
    fn chance_takes_away_up_to_half() {
        assert_eq!(wait(12, 1.0, None).as_secs(), 1024);
        assert_eq!(wait(u32::MAX, 0.5, None).as_secs(), 2700);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_wait_up_to_an_hour() {
        let asked = |failures, seconds| wait(failures, 0.0, Some(Duration::from_secs(seconds))).as_secs();
        assert_eq!((asked(1, 30), asked(6, 30), asked(1, 0), asked(1, u64::MAX)), (30, 32, 1, 3600));
    }
}
