//! Ending in two stages: first nothing new is taken on, then what is under way is finished.

use tokio::sync::watch;
use tracing::{info, warn};

/// The wish to end; clones see the same.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Sender<bool>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Shutdown {
    /// Nobody wishes to end yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// True once the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when the end was asked for.
    pub async fn requested(&self) {
        let mut wish = self.0.subscribe();
        // The sender lives as long as `self`, so this can't fail.
        let _ = wish.wait_for(|requested| *requested).await;
    }

    /// Asks for the end at SIGTERM or SIGINT; a second signal ends the process at once.
    ///
    /// # Errors
    /// If the signals can't be listened for.
    pub fn at_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if shutdown.is_requested() {
                    warn!("a second signal: ending at once");
                    std::process::exit(130);
                }
                info!("shutting down: finishing what is under way");
                shutdown.request();
            }
        });
        Ok(())
    }
}
