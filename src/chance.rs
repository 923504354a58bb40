//! Chance as an argument: nonces, ids, tokens and jitter come from here, so that a test can foresee them.

use uuid::Uuid;

use crate::domain::timestamp::Timestamp;

/// Where random bytes come from.
pub trait Chance: Send + Sync + std::fmt::Debug {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A random word.
    fn word(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A positive nonce that fits the cloud's signed 64-bit word.
    fn nonce(&self) -> u64 {
        (self.word() >> 1).max(1)
    }

    /// A fraction in `0.0..1.0`, for jitter.
    fn fraction(&self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time-ordered id (UUID version 7) for something that happens at `now`.
    fn id(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// The operating system's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[allow(clippy::disallowed_methods, reason = "the one place that draws")]
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            // Without randomness no call can be signed safely; going on would repeat nonces.
            tracing::error!(%error, "the operating system has no randomness; stopping");
            std::process::abort();
        }
    }
}
