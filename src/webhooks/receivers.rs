//! The receivers. They can be replaced while the service runs.

use std::sync::Arc;

use tokio::sync::watch;

use crate::service::webhooks::{All, Receiver};

use super::send::{HttpReceiver, NoClient};
use super::settings::Settings;

/// The receivers, in the order of the settings.
#[derive(Debug)]
pub struct Receivers {
    current: watch::Sender<All>,
}

impl Receivers {
    /// Sets up the receivers.
    ///
    /// # Errors
    /// If no HTTP client can be set up.
    pub fn connect(settings: &[Settings]) -> Result<Self, NoClient> {
        Ok(Self { current: watch::Sender::new(Self::prepare(settings)?) })
    }

    /// Sets up receivers, without replacing any.
    ///
    /// # Errors
    /// If no HTTP client can be set up.
    pub fn prepare(settings: &[Settings]) -> Result<All, NoClient> {
        let receivers = settings.iter().map(|settings| {
            let receiver: Arc<dyn Receiver> = Arc::new(HttpReceiver::new(settings.clone())?);
            Ok(receiver)
        });
        Ok(Arc::new(receivers.collect::<Result<_, NoClient>>()?))
    }

    /// Replaces the receivers.
    pub fn adopt(&self, prepared: All) {
        self.current.send_replace(prepared);
    }

    /// The receivers, and those that replace them.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<All> {
        self.current.subscribe()
    }
}
