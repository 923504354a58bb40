//! Shutdown in stages: `/readyz` fails, then the service accepts nothing more, then it finishes the work in progress.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{info, warn};

/// Permits of the work semaphore, more than a process can use at the same time.
const WORK_PERMITS: u32 = 1 << 24;

/// The requested kind of shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    None,
    AfterDelay,
    WithoutDelay,
}

/// The shutdown request and the work that a shutdown waits for; clones share both.
#[derive(Debug, Clone)]
pub struct Shutdown {
    request: watch::Sender<Request>,
    work: Arc<Semaphore>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            request: watch::Sender::new(Request::None),
            work: Arc::new(Semaphore::new(WORK_PERMITS as usize)),
        }
    }
}

impl Shutdown {
    /// A shutdown that is not requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests a shutdown after the delay.
    pub fn request(&self) {
        self.request.send_if_modified(|request| {
            let is_first = *request == Request::None;
            if is_first {
                *request = Request::AfterDelay;
            }
            is_first
        });
    }

    /// Requests a shutdown without the delay.
    pub fn request_without_delay(&self) {
        self.request.send_replace(Request::WithoutDelay);
    }

    /// True once a shutdown was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.request.borrow() != Request::None
    }

    /// Waits for a shutdown request.
    pub async fn requested(&self) {
        let mut request = self.request.subscribe();
        // Can't fail: `self` keeps the sender alive.
        let _ = request.wait_for(|request| *request != Request::None).await;
    }

    /// Waits for a request to shut down without the delay.
    pub async fn requested_without_delay(&self) {
        let mut request = self.request.subscribe();
        let _ = request.wait_for(|request| *request == Request::WithoutDelay).await;
    }

    /// Registers work that a shutdown waits for; the work ends when the permit is dropped.
    #[must_use]
    pub fn work(&self) -> Option<OwnedSemaphorePermit> {
        self.work.clone().try_acquire_owned().ok()
    }

    /// Waits until all registered work has ended.
    pub async fn work_ended(&self) {
        // Can't fail: the semaphore is never closed.
        let _ = self.work.acquire_many(WORK_PERMITS).await;
    }

    /// Requests a shutdown at SIGTERM, and one without the delay at SIGINT, because a person waits at the terminal. A second
    /// signal ends the process at once.
    ///
    /// # Errors
    /// If the signal handlers can't be installed.
    pub fn at_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            loop {
                let is_interrupt = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = interrupt.recv() => true,
                };
                if shutdown.is_requested() {
                    warn!("second signal: exiting at once");
                    std::process::exit(130);
                }
                info!("shutting down: finishing the work in progress");
                if is_interrupt {
                    shutdown.request_without_delay();
                } else {
                    shutdown.request();
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_work_that_is_under_way() {
        let shutdown = Shutdown::new();
        let (one, other) = (shutdown.work(), shutdown.clone().work());
        drop(one);
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.work_ended().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(other);
        waiting.await.expect("an end");
    }

    #[tokio::test]
    async fn haste_overtakes_a_request_and_not_the_other_way_round() {
        let shutdown = Shutdown::new();
        shutdown.request();
        shutdown.requested().await;
        shutdown.request_without_delay();
        shutdown.request();
        shutdown.requested_without_delay().await;
    }
}
