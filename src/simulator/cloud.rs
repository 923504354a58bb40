//! The simulated cloud behind all its API versions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::chance::Chance;
use crate::clock::Clock;

use super::state::State;

/// The settings of the simulated cloud.
#[derive(Clone)]
pub struct Options {
    /// Port 0 means any free port.
    pub listen: SocketAddr,
    pub secret_id: String,
    /// One key a line; each is accepted, as while keys rotate.
    pub secret_key: SecretString,
    /// Only with temporary credentials.
    pub token: Option<SecretString>,
    /// The host that the signature covers; `None` means the `Host` of the request.
    pub signed_host: Option<String>,
    /// From the start of a task to its end.
    pub task_duration: Duration,
}

impl Options {
    /// The SecretKeys that are accepted.
    pub(super) fn secret_keys(&self) -> impl Iterator<Item = &str> {
        self.secret_key.expose_secret().lines()
    }
}

/// The settings, clock and state that all requests share.
pub(super) struct Cloud {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    state: Mutex<State>,
}

impl Cloud {
    pub(super) fn new(options: Options, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        let state = Mutex::new(State::new(&*chance));
        Self { options, clock, chance, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
