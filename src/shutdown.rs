//! Ending in stages: the world is told, then nothing new is taken on, then what is under way is finished.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{info, warn};

/// More work than can be under way at the same time.
const MUCH: u32 = 1 << 24;

/// Whether somebody wishes the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    GoOn,
    End,
    /// Nobody has to be told first.
    EndInHaste,
}

/// The wish to end, and the work that has to be finished before; clones see the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    wish: watch::Sender<Wish>,
    work: Arc<Semaphore>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { wish: watch::Sender::new(Wish::GoOn), work: Arc::new(Semaphore::new(MUCH as usize)) }
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
        self.wish.send_if_modified(|wish| {
            let is_first = *wish == Wish::GoOn;
            if is_first {
                *wish = Wish::End;
            }
            is_first
        });
    }

    /// Asks for the end without a delay.
    pub fn request_in_haste(&self) {
        self.wish.send_replace(Wish::EndInHaste);
    }

    /// True once the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.wish.borrow() != Wish::GoOn
    }

    /// Ends when the end was asked for.
    pub async fn requested(&self) {
        let mut wish = self.wish.subscribe();
        // The sender lives as long as `self`, so this can't fail.
        let _ = wish.wait_for(|wish| *wish != Wish::GoOn).await;
    }

    /// Ends when the end was asked for in haste.
    pub async fn requested_in_haste(&self) {
        let mut wish = self.wish.subscribe();
        let _ = wish.wait_for(|wish| *wish == Wish::EndInHaste).await;
    }

    /// Work that the end has to wait for is under way until what this gives is dropped.
    #[must_use]
    pub fn work(&self) -> Option<OwnedSemaphorePermit> {
        self.work.clone().try_acquire_owned().ok()
    }

    /// Ends when no work is under way.
    pub async fn work_ended(&self) {
        // It is never closed, so this can't fail.
        let _ = self.work.acquire_many(MUCH).await;
    }

    /// Asks for the end at SIGTERM, in haste at SIGINT (somebody at a keyboard waits); a second signal ends the process
    /// at once.
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
                let is_interrupt = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = interrupt.recv() => true,
                };
                if shutdown.is_requested() {
                    warn!("a second signal: ending at once");
                    std::process::exit(130);
                }
                info!("shutting down: finishing what is under way");
                if is_interrupt {
                    shutdown.request_in_haste();
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
        shutdown.request_in_haste();
        shutdown.request();
        shutdown.requested_in_haste().await;
    }
}
