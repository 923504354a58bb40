//! Time as an argument: code that needs the current time receives a [`Clock`], so that tests can fix it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::domain::timestamp::Timestamp;

/// A source of wall-clock time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current time, UTC, in microseconds.
    fn now(&self) -> Timestamp;

    /// The process's own wall clock, in microseconds. Differs from [`Clock::now`] where another clock sets the time.
    fn wall(&self) -> Timestamp {
        self.now()
    }

    /// How far the process's own wall clock is off, in seconds; negative if it is behind.
    fn skew(&self) -> f64 {
        0.0
    }
}

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the only direct use of the clock")]
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The ledger's clock, on which all replicas agree: the last measured time of the database plus the monotonic time since
/// then. Without a measurement, the process's own clock.
#[derive(Debug)]
pub struct LedgerClock {
    own: Arc<dyn Clock>,
    measured: Mutex<Option<Measured>>,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Instant,
    ledger: Timestamp,
    own: Timestamp,
}

impl LedgerClock {
    #[must_use]
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, measured: Mutex::default() }
    }

    fn last(&self) -> Option<Measured> {
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the time that the database returned to a query between `before` and `after`.
    pub fn set(&self, before: Instant, after: Instant, ledger: Timestamp) {
        // The database read its clock at some moment of the round trip. The middle halves the error.
        let half = after.saturating_duration_since(before) / 2;
        let measured = Measured { at: after, ledger: ledger.plus(half), own: self.own.now() };
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
    }
}

impl Clock for LedgerClock {
    fn now(&self) -> Timestamp {
        match self.last() {
            Some(measured) => measured.ledger.plus(measured.at.elapsed()),
            None => self.own.now(),
        }
    }

    fn wall(&self) -> Timestamp {
        self.own.now()
    }

    #[allow(clippy::cast_precision_loss, reason = "a skew in microseconds fits")]
    fn skew(&self) -> f64 {
        self.last()
            .map_or(0.0, |measured| (measured.own.as_micros() - measured.ledger.as_micros()) as f64 / 1e6)
    }
}
