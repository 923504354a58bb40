//! Rate limits by token bucket, and their `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers-10).

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::domain::timestamp::Timestamp;

/// The header with a policy's quota.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The header with the rest of the quota.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The number of buckets at which full buckets are first removed.
const FIRST_SWEEP: usize = 1024;
/// The maximum number of buckets.
const MAX_BUCKETS: usize = 65_536;

/// A number of requests per window. A burst may use the whole quota; it refills evenly over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub count: NonZeroU32,
    /// At least one second, because the headers count in seconds.
    pub window: Duration,
}

/// The state of a quota after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitStatus {
    quota: Quota,
    policy: &'static str,
    /// Requests that are left now.
    pub remaining: u32,
    /// Seconds until the whole quota is available again.
    pub reset: u64,
    /// Seconds until the next request is allowed; zero if this request was allowed.
    pub retry_after: u32,
}

impl RateLimitStatus {
    /// `RateLimit-Policy` and `RateLimit`.
    #[must_use]
    pub fn headers(&self) -> [(HeaderName, HeaderValue); 2] {
        let (name, quota) = (self.policy, self.quota);
        let policy = format!("\"{name}\";q={};w={}", quota.count, quota.window.as_secs());
        let left = format!("\"{name}\";r={};t={}", self.remaining, self.reset);
        // Digits and a fixed name are always a valid header value.
        let value =
            |text: String| HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        [(RATE_LIMIT_POLICY, value(policy)), (RATE_LIMIT, value(left))]
    }

    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.retry_after > 0
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

#[derive(Debug)]
struct Buckets<K> {
    by_key: HashMap<K, Bucket>,
    sweep_at: usize,
}

/// A bucket for each key. Full buckets are removed, so memory stays bounded.
#[derive(Debug)]
pub struct Limiter<K> {
    policy: &'static str,
    quota: Quota,
    buckets: Mutex<Buckets<K>>,
}

impl<K: Eq + Hash> Limiter<K> {
    /// A limiter with this policy name in the headers.
    #[must_use]
    pub fn new(policy: &'static str, quota: Quota) -> Self {
        let buckets = Buckets { by_key: HashMap::new(), sweep_at: FIRST_SWEEP };
        Self { policy, quota, buckets: Mutex::new(buckets) }
    }

    /// Takes a token, if one is left.
    pub fn take(&self, key: K, now: Timestamp) -> RateLimitStatus {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let before = buckets.by_key.get(&key).map_or(self.full(), |bucket| self.filled(*bucket, now));
        if before < 1.0 {
            return self.status(before, true);
        }
        if buckets.by_key.len() >= buckets.sweep_at {
            buckets.by_key.retain(|_, bucket| self.filled(*bucket, now) < self.full());
            if buckets.by_key.len() > MAX_BUCKETS / 2 {
                // This many keys are not one caller that a limit could slow down.
                buckets.by_key.clear();
            }
            buckets.sweep_at = (buckets.by_key.len() * 2).max(FIRST_SWEEP);
        }
        buckets.by_key.insert(key, Bucket { tokens: before - 1.0, at: now });
        self.status(before - 1.0, false)
    }

    /// The state without taking a token: refused if no token is left.
    pub fn peek(&self, key: &K, now: Timestamp) -> RateLimitStatus {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = buckets.by_key.get(key).map_or(self.full(), |bucket| self.filled(*bucket, now));
        self.status(tokens, tokens < 1.0)
    }

    fn full(&self) -> f64 {
        f64::from(self.quota.count.get())
    }

    /// The current tokens of a bucket. A clock that was set back adds none.
    fn filled(&self, bucket: Bucket, now: Timestamp) -> f64 {
        let share = now.since(bucket.at).as_secs_f64() / self.quota.window.as_secs_f64();
        (bucket.tokens + share * self.full()).min(self.full())
    }

    fn status(&self, tokens: f64, is_refused: bool) -> RateLimitStatus {
        let seconds_for = |missing: f64| {
            let seconds = missing.max(0.0) / self.full() * self.quota.window.as_secs_f64();
            // Up to the window; rounded up, so that a retry is never too early.
            seconds.ceil() as u64
        };
        let retry_after = if is_refused { seconds_for(1.0 - tokens).max(1) } else { 0 };
        RateLimitStatus {
            quota: self.quota,
            policy: self.policy,
            remaining: tokens.floor() as u32,
            reset: seconds_for(self.full() - tokens),
            retry_after: u32::try_from(retry_after).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(count: u32, seconds: u64) -> Limiter<&'static str> {
        let count = NonZeroU32::new(count).expect("more than none");
        Limiter::new("default", Quota { count, window: Duration::from_secs(seconds) })
    }

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn later(seconds: f64) -> Timestamp {
        NOON.plus(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn a_whole_quota_at_once_then_one_for_each_share_of_the_window() {
        let limiter = limiter(4, 60);
        for remaining in [3, 2, 1, 0] {
            let status = limiter.take("a", NOON);
            assert_eq!((status.remaining, status.is_refused()), (remaining, false));
        }
        let refused = limiter.take("a", NOON);
        assert_eq!((refused.remaining, refused.retry_after, refused.reset), (0, 15, 60));
        assert!(limiter.take("a", later(14.0)).is_refused());
        assert!(!limiter.take("a", later(15.1)).is_refused());
        assert!(limiter.take("a", later(15.2)).is_refused());
        assert!(!limiter.take("b", later(15.2)).is_refused(), "other keys are not limited");
    }

    #[test]
    fn who_waits_as_told_is_let_in() {
        let limiter = limiter(7, 60);
        let mut now = 0.0;
        for _ in 0..50 {
            let status = limiter.take("a", later(now));
            if status.is_refused() {
                now += f64::from(status.retry_after);
                assert!(!limiter.take("a", later(now)).is_refused());
            }
        }
    }

    #[test]
    fn the_headers_are_the_drafts() {
        let limiter = limiter(100, 60);
        let [policy, left] = limiter.take("a", NOON).headers();
        assert_eq!(
            (policy.0.as_str(), policy.1.to_str().ok()),
            ("ratelimit-policy", Some("\"default\";q=100;w=60"))
        );
        assert_eq!((left.0.as_str(), left.1.to_str().ok()), ("ratelimit", Some("\"default\";r=99;t=1")));
    }

    #[test]
    fn looking_takes_nothing() {
        let limiter = limiter(1, 60);
        for _ in 0..3 {
            assert!(!limiter.peek(&"a", NOON).is_refused());
        }
        limiter.take("a", NOON);
        assert!(limiter.peek(&"a", NOON).is_refused());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let limiter = limiter(2, 60);
        limiter.take("a", later(7200.0));
        limiter.take("a", NOON);
        assert!(limiter.take("a", NOON).is_refused());
        assert!(!limiter.take("a", later(31.0)).is_refused());
    }

    #[test]
    fn the_idle_are_forgotten() {
        let quota = Quota { count: NonZeroU32::MIN, window: Duration::from_secs(60) };
        let limiter = Limiter::new("default", quota);
        for key in 0..FIRST_SWEEP {
            limiter.take(key, NOON);
        }
        limiter.take(FIRST_SWEEP, later(61.0));
        assert_eq!(limiter.buckets.lock().expect("buckets").by_key.len(), 1);
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory() {
        let quota = Quota { count: NonZeroU32::MIN, window: Duration::from_secs(60) };
        let limiter = Limiter::new("default", quota);
        for key in 0..MAX_BUCKETS * 3 {
            limiter.take(key, NOON);
            assert!(limiter.buckets.lock().expect("buckets").by_key.len() <= MAX_BUCKETS);
        }
    }
}
