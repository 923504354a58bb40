//! Randomness as an argument: nonces, ids, tokens and jitter come from [`Chance`], so that tests can fix them.

use uuid::Uuid;

use crate::domain::timestamp::Timestamp;

/// A source of random bytes.
pub trait Chance: Send + Sync + std::fmt::Debug {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A random 64-bit number.
    fn word(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A positive nonce that fits a signed 64-bit integer, as API 2.0 requires.
    fn nonce(&self) -> u64 {
        (self.word() >> 1).max(1)
    }

    /// A fraction in `0.0..1.0`, for jitter.
    fn fraction(&self) -> f64 {
        // An f64 represents integers of up to 53 bits exactly.
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time-ordered id (UUID version 7) with the time `now`.
    fn id(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// The operating system's random number generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[allow(clippy::disallowed_methods, reason = "the only direct use of the generator")]
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            // Without random bytes, nonces would repeat and signatures would not be safe.
            tracing::error!(%error, "the operating system returned no random bytes; the process aborts");
            std::process::abort();
        }
    }
}
