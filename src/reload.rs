//! Reads the accounts, the OIDC issuers, the webhooks and the interval of drift checks again when their files change and at
//! SIGHUP, because temporary credentials rotate within hours.
//!
//! Files are compared by what they contain, so a replaced symbolic link is noticed too. Tools replace several files one
//! after the other: a change counts once two reads in a row agree. Settings that are wrong change nothing.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::causes::chain;
use crate::clock::Clock;
use crate::cloud;
use crate::config::{Faults, InvalidSetting, Reloadable, Source};
use crate::metrics::Metrics;
use crate::oidc::{self, Issuers};
use crate::shutdown::Shutdown;
use crate::webhooks::{self, Receivers};

/// Interval of the reads.
const INTERVAL: Duration = Duration::from_secs(5);
/// Interval while two reads in a row have to agree.
const SETTLE: Duration = Duration::from_secs(1);
/// Time limit of one read.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// The parts of the service whose settings can be replaced.
pub struct Parts {
    pub accounts: Arc<cloud::Accounts>,
    pub issuers: Arc<Issuers>,
    pub receivers: Arc<Receivers>,
    /// The interval of drift checks; `None` if there are none.
    pub drift: watch::Sender<Option<Duration>>,
}

/// Follows the files that these settings come from.
pub struct Reload {
    source: Source,
    parts: Parts,
    clock: Arc<dyn Clock>,
    metrics: ReloadMetrics,
    state: Mutex<State>,
}

struct State {
    /// The settings in use.
    current: Used,
    /// The last read, if it was another one than `current`.
    other: Option<Other>,
    /// The faults that were reported, so that each is reported once.
    reported: Option<Faults>,
    fingerprint_key_id: String,
}

/// Settings that can be replaced while the service runs.
#[derive(Clone, PartialEq, Eq)]
struct Used {
    accounts: Vec<cloud::Settings>,
    issuers: Vec<oidc::Settings>,
    drift: Option<Duration>,
    webhooks: Vec<webhooks::Settings>,
}

#[derive(PartialEq, Eq)]
enum Other {
    Settings(Used),
    Faults(Faults),
}

struct ReloadMetrics {
    failures: Counter,
    is_successful: Gauge,
    succeeded_at: Gauge<f64, AtomicU64>,
}

impl ReloadMetrics {
    fn new(metrics: &Metrics) -> Self {
        Self {
            failures: metrics.register(
                "config_reload_failures",
                "Changes of the configuration that were wrong and changed nothing",
                Counter::default(),
            ),
            is_successful: metrics.register(
                "config_last_reload_successful",
                "1 if the configuration is valid, 0 if it became wrong since the last successful reload",
                Gauge::default(),
            ),
            succeeded_at: metrics.register(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in use was read, in seconds since 1970",
                Gauge::default(),
            ),
        }
    }
}

impl Reload {
    /// Follows the source of the settings in use.
    #[must_use]
    pub fn new(
        source: Source,
        current: Reloadable,
        parts: Parts,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Self {
        let metrics = ReloadMetrics::new(metrics);
        let state = State {
            current: Used {
                accounts: current.accounts,
                issuers: current.issuers,
                webhooks: current.webhooks,
                drift: current.drift,
            },
            other: None,
            reported: None,
            fingerprint_key_id: current.fingerprint_key.id().to_owned(),
        };
        let reload = Self { source, parts, clock, metrics, state: Mutex::new(state) };
        reload.succeeded();
        reload
    }

    /// Reads the files every few seconds and at SIGHUP, until the shutdown is requested.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                warn!(
                    error = chain(&error),
                    "can't listen for SIGHUP; accounts, issuers and webhooks will not be reloaded until a restart"
                );
                return;
            }
        };
        let mut wait = INTERVAL;
        let mut pending = None;
        loop {
            let is_asked = tokio::select! {
                () = sleep(wait) => false,
                _ = hangup.recv() => true,
                () = shutdown.requested() => return,
            };
            // A read that hangs is waited for again: a new one would hang too, and each holds a thread.
            let reading = pending.take().unwrap_or_else(|| {
                let reload = self.clone();
                tokio::task::spawn_blocking(move || reload.source.read())
            });
            let reading = pending.insert(reading);
            let read = timeout(READ_LIMIT, reading).await;
            if read.is_ok() {
                pending = None;
            }
            wait = match read {
                Ok(Ok(read)) => self.consider(read, is_asked),
                // The panic hook has logged the place.
                Ok(Err(_)) => {
                    error!(
                        "reading the configuration crashed; accounts, issuers and webhooks stay as they are"
                    );
                    INTERVAL
                }
                Err(_) => {
                    warn!("reading the configuration took longer than 5 seconds");
                    INTERVAL
                }
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self) {
        self.metrics.is_successful.set(1);
        #[expect(clippy::cast_precision_loss, reason = "a time in seconds is far from the limit")]
        self.metrics.succeeded_at.set(self.clock.wall().as_micros() as f64 / 1e6);
    }

    /// Takes a read over, or waits for a second one that agrees; an operator who asks does not wait. Returns the time until
    /// the next read.
    fn consider(&self, read: Result<Reloadable, Faults>, is_asked: bool) -> Duration {
        let mut state = self.state();
        let read = read.map(|Reloadable { accounts, issuers, webhooks, drift, fingerprint_key }| {
            (Used { accounts, issuers, webhooks, drift }, fingerprint_key.id().to_owned())
        });
        let (other, key_id) = match read {
            Ok((used, _)) if used == state.current => {
                state.other = None;
                if state.reported.take().is_some() {
                    info!("the settings of accounts and issuers are valid again");
                    self.metrics.is_successful.set(1);
                } else if is_asked {
                    info!("the settings of accounts and issuers have not changed");
                }
                return INTERVAL;
            }
            Ok((used, key_id)) => (Other::Settings(used), Some(key_id)),
            Err(faults) => (Other::Faults(faults), None),
        };
        if !is_asked && state.other.as_ref() != Some(&other) {
            state.other = Some(other);
            return SETTLE;
        }
        state.other = None;
        match other {
            Other::Settings(settings) => self.adopt(&mut state, settings, key_id, is_asked),
            Other::Faults(faults) => self.refuse(&mut state, faults, is_asked),
        }
        INTERVAL
    }

    fn adopt(&self, state: &mut State, settings: Used, key_id: Option<String>, is_asked: bool) {
        // All are set up before any is replaced: settings that are refused change no rights.
        let issuers = (settings.issuers != state.current.issuers)
            .then(|| self.parts.issuers.prepare(settings.issuers.clone()))
            .transpose();
        let accounts = (settings.accounts != state.current.accounts)
            .then(|| self.parts.accounts.prepare(settings.accounts.clone()))
            .transpose();
        let receivers = (settings.webhooks != state.current.webhooks)
            .then(|| Receivers::prepare(&settings.webhooks))
            .transpose();
        let (issuers, accounts, receivers) = match (issuers, accounts, receivers) {
            (Ok(issuers), Ok(accounts), Ok(receivers)) => (issuers, accounts, receivers),
            (Err(error), _, _) => {
                return self.refuse(state, InvalidSetting::new("oidc", chain(&error)).into(), is_asked);
            }
            (_, Err(error), _) => {
                return self.refuse(state, InvalidSetting::new("accounts", chain(&error)).into(), is_asked);
            }
            (_, _, Err(error)) => {
                return self.refuse(state, InvalidSetting::new("webhooks", chain(&error)).into(), is_asked);
            }
        };
        if let Some(prepared) = issuers {
            self.parts.issuers.adopt(prepared);
            let names: Vec<&str> = settings.issuers.iter().map(|settings| settings.issuer.as_str()).collect();
            info!(issuers = named(&names), "the issuers were reloaded");
        }
        if let Some(prepared) = accounts {
            let names = self.parts.accounts.adopt(prepared);
            let all: Vec<&str> = settings.accounts.iter().map(|settings| settings.account.as_str()).collect();
            info!(accounts = named(&all), changed = names.join(", "), "the accounts were reloaded");
        }
        if settings.drift != state.current.drift {
            self.parts.drift.send_replace(settings.drift);
            match settings.drift {
                Some(interval) => {
                    info!(interval_seconds = interval.as_secs(), "the interval of drift checks was reloaded")
                }
                None => info!("tunnels are not checked for drift any more"),
            }
        }
        if let Some(prepared) = receivers {
            self.parts.receivers.adopt(prepared);
            let names: Vec<&str> = settings.webhooks.iter().map(|settings| settings.name.as_str()).collect();
            info!(webhooks = named(&names), "the webhooks were reloaded");
        }
        state.current = settings;
        state.reported = None;
        self.succeeded();
        if key_id.is_some_and(|id| id != state.fingerprint_key_id) {
            info!("the key of the fingerprints changes with the next restart");
        }
    }

    fn refuse(&self, state: &mut State, faults: Faults, is_asked: bool) {
        if !is_asked && state.reported.as_ref() == Some(&faults) {
            return;
        }
        self.failed();
        for fault in faults.iter() {
            error!(%fault, "the configuration is wrong; accounts, issuers and webhooks stay as they are");
        }
        state.reported = Some(faults);
    }

    fn failed(&self) {
        self.metrics.failures.inc();
        self.metrics.is_successful.set(0);
    }
}

/// The names in use, for a log line.
fn named(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
