//! The cache of an issuer's keys.
//!
//! Keys are used for ten minutes at most, and fetched again after five, in the background. A token with an unknown `kid`, or
//! with a signature that does not fit, makes the cache fetch at once, because the issuer may have rotated its keys; but
//! never within 30 seconds of the last fetch, so that callers can't make the gateway flood the issuer. Callers that wait for
//! a fetch share one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use crate::clock::Clock;
use crate::domain::timestamp::Timestamp;

use super::fetch::{self, Published};
use super::metrics::OidcMetrics;
use super::url::IssuerUrl;

/// How long keys are used. A key that the issuer withdraws verifies for up to this long if the issuer can't be reached.
const LIFETIME: Duration = Duration::from_secs(600);
/// The age at which keys are fetched again in the background.
const RENEWAL: Duration = Duration::from_secs(300);
/// The shortest time between two fetches.
const PAUSE: Duration = Duration::from_secs(30);
/// The shortest time between two fetches while there are no keys, because the last fetch failed.
const RETRY: Duration = Duration::from_secs(5);

/// What an issuer published at a moment.
pub(super) struct Snapshot {
    pub(super) published: Published,
    at: Timestamp,
}

/// How an attempt to get newer keys ended.
pub(super) enum Renewal {
    /// Other keys than those that were seen.
    New(Arc<Snapshot>),
    /// The keys that were seen were fetched so recently that they count as the issuer's current ones.
    Current,
    /// The last fetch failed; the next one starts after this time.
    Failed { retry_after: Duration },
}

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    issuer: IssuerUrl,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    metrics: OidcMetrics,
    state: Mutex<State>,
    /// Held during a fetch.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    snapshot: Option<Arc<Snapshot>>,
    last: Option<Fetch>,
}

/// The last fetch.
#[derive(Clone, Copy)]
struct Fetch {
    at: Timestamp,
    has_failed: bool,
}

/// The time since a moment; `None` if the clock was set back meanwhile, so that nothing lasts longer than it should.
fn age(at: Timestamp, now: Timestamp) -> Option<Duration> {
    (at <= now).then(|| now.since(at))
}

impl State {
    fn usable(&self, now: Timestamp) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref().filter(|snapshot| age(snapshot.at, now).is_some_and(|age| age < LIFETIME))
    }

    /// The time until the next fetch may start; zero if it may start now.
    fn pause(&self, now: Timestamp) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let pause = if last.has_failed && self.usable(now).is_none() { RETRY } else { PAUSE };
        age(last.at, now).map_or(Duration::ZERO, |age| pause.saturating_sub(age))
    }
}

impl IssuerKeys {
    pub(super) fn new(
        issuer: IssuerUrl,
        client: reqwest::Client,
        clock: Arc<dyn Clock>,
        metrics: OidcMetrics,
    ) -> Self {
        let (state, flight) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { issuer, client, clock, metrics, state, flight }
    }

    pub(super) const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cached keys, if they are not too old. Fetches aging keys again in the background.
    pub(super) fn cached(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let now = self.clock.wall();
        let state = self.state();
        let snapshot = state.usable(now)?.clone();
        let is_aging = age(snapshot.at, now).is_some_and(|age| age >= RENEWAL);
        if is_aging && state.pause(now).is_zero() && self.flight.try_lock().is_ok() {
            let (keys, seen) = (self.clone(), snapshot.clone());
            tokio::spawn(async move { keys.renew(Some(&seen)).await });
        }
        Some(snapshot)
    }

    /// What the issuer published last, however long ago. Its keys must not verify a token.
    pub(super) fn last(&self) -> Option<Arc<Snapshot>> {
        self.state().snapshot.clone()
    }

    /// Fetches the keys in the background, if there are none yet.
    pub(super) fn warm_up(self: &Arc<Self>) {
        if self.cached().is_none() {
            let keys = self.clone();
            tokio::spawn(async move { keys.renew(None).await });
        }
    }

    /// Looks for newer keys than those that were seen: another caller's fetch, or a fetch if one may start.
    pub(super) async fn renew(&self, seen: Option<&Arc<Snapshot>>) -> Renewal {
        let _flight = self.flight.lock().await;
        {
            let now = self.clock.wall();
            let mut state = self.state();
            if let Some(snapshot) = state.usable(now)
                && seen.is_none_or(|seen| !Arc::ptr_eq(seen, snapshot))
            {
                return Renewal::New(snapshot.clone());
            }
            let pause = state.pause(now);
            if !pause.is_zero() {
                return match state.last {
                    Some(Fetch { has_failed: false, .. }) => Renewal::Current,
                    _ => Renewal::Failed { retry_after: pause },
                };
            }
            // A fetch that is dropped before its end counts as a failed one.
            state.last = Some(Fetch { at: now, has_failed: true });
        }
        let fetched = fetch::published(&self.client, &self.issuer).await;
        let result = fetched.as_ref().map_or_else(|error| error.result(), |_| "ok");
        self.metrics.fetched(self.issuer.as_str(), result, fetched.is_ok());
        let now = self.clock.wall();
        let mut state = self.state();
        state.last = Some(Fetch { at: now, has_failed: fetched.is_err() });
        match fetched {
            Ok(published) => {
                let keys = published.keys.len();
                info!(issuer = %self.issuer, keys, "fetched the keys of the issuer");
                let snapshot = Arc::new(Snapshot { published, at: now });
                state.snapshot = Some(snapshot.clone());
                Renewal::New(snapshot)
            }
            Err(error) => {
                let has_keys = state.usable(now).is_some();
                warn!(issuer = %self.issuer, %error, has_keys, "can't fetch the keys of the issuer");
                Renewal::Failed { retry_after: state.pause(now) }
            }
        }
    }
}
