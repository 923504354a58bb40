//! The product's work, and the traits that it needs: [`accounts::Accounts`], [`cloud::Cloud`], [`ledger::Ledger`] and
//! [`identity::Identity`].

pub mod accounts;
pub mod all_tunnels;
pub mod audit;
mod by_tunnel;
pub mod cells;
pub mod cloud;
pub mod drift;
pub mod dry_run;
pub mod export;
pub mod feed;
mod followers;
mod forget;
mod idempotency;
pub mod identity;
pub mod keys;
pub mod ledger;
mod merge;
pub mod modify;
mod outcome;
mod poll;
mod prepare;
mod ranges;
pub mod read;
mod read_back;
mod refusal_counts;
mod refusals;
mod request;
mod rollback;
mod served;
mod settle;
pub mod sign_in;
mod task_times;
pub mod track;
pub mod tunnels;
mod used_tokens;
mod waits;
pub mod watch;
mod watched;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use tokio::sync::watch::Receiver;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::words::words;

use accounts::Accounts;
use identity::Identity;
use ledger::Ledger;
pub use outcome::usual_detail;

/// A process whose clock differs from the ledger's by more than these seconds is not ready.
pub const MAX_SKEW: f64 = 5.0;

words! {
    /// When the tunnel is read before a change is sent.
    pub enum ReadBefore {
        /// Before every change, so that the audit log has what was there.
        Always = "always",
        /// Only where the change depends on it: partial groups, `If-Match`, ids of the older form, values beyond the
        /// documented ones, API 3.0.
        WhenNeeded = "when-needed",
    }
}

/// The operator's settings for the service.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Read, merge and send a partial group such as `ike` or `ipsec` whole; false sends it as given.
    pub merge_partial_groups: bool,
    /// When the tunnel is read before a change.
    pub read_before: ReadBefore,
    /// The pattern that the reason of every change must match; `None` if a change needs no reason.
    pub require_reason: Option<Regex>,
    /// Wait before the first poll of a task, until the tracker has seen how long tasks take; then the shortest wait.
    pub poll_interval: Duration,
    /// Longest wait between two polls.
    pub poll_max_interval: Duration,
    /// Age at which an operation becomes `timed_out`.
    pub task_timeout: Duration,
    /// How long a change that was sent without an answer may still take effect.
    pub settle_window: Duration,
}

/// The service. Request handlers and the tracker share it.
#[derive(Clone)]
pub struct Service {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) identity: Arc<dyn Identity>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) fingerprints: FingerprintKey,
    pub(crate) rules: Rules,
    /// The interval at which tunnels are compared with what changes have set; `None` if they are not.
    pub(crate) drift: Receiver<Option<Duration>>,
    watched: Arc<watched::Watched>,
    feed: Arc<followers::Feed>,
    refusals: Arc<refusal_counts::Refusals>,
    task_times: Arc<task_times::TaskTimes>,
    used_tokens: Arc<used_tokens::UsedTokens>,
}

impl Service {
    /// Creates the service.
    pub fn new(
        accounts: Arc<dyn Accounts>,
        ledger: Arc<dyn Ledger>,
        identity: Arc<dyn Identity>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        fingerprints: FingerprintKey,
        rules: Rules,
    ) -> Self {
        Self {
            accounts,
            ledger,
            identity,
            clock,
            chance,
            fingerprints,
            rules,
            drift: tokio::sync::watch::channel(None).1,
            watched: Arc::default(),
            feed: Arc::default(),
            refusals: Arc::default(),
            task_times: Arc::default(),
            used_tokens: Arc::default(),
        }
    }

    /// Watches tunnels for drift, at an interval that can change.
    #[must_use]
    pub fn watching_drift(self, interval: Receiver<Option<Duration>>) -> Self {
        Self { drift: interval, ..self }
    }
}
