//! Callers that change tunnels while something fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::cluster::{ranges, tunnel, until};
use crate::support::consumer::Consumer;

/// Callers that change one tunnel after the other until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    /// The numbers of responses so far: accepted, and refused because the ledger was unavailable.
    counts: watch::Sender<(usize, usize)>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn of(consumer: &Consumer, callers: usize) -> Self {
        Self::starting_at(consumer, callers, 10_000)
    }

    /// With other tunnels than another load.
    pub fn starting_at(consumer: &Consumer, callers: usize, first: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = watch::Sender::new((0, 0));
        let next = Arc::new(AtomicUsize::new(first));
        let callers = (0..callers)
            .map(|_| {
                let (consumer, stop) = (consumer.clone(), stop.clone());
                let (counts, next) = (counts.clone(), next.clone());
                tokio::spawn(async move {
                    let mut accepted = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let answer = consumer.patch(&tunnel(number), &ranges(number), &[]).await;
                        if answer.status == 202 {
                            accepted.push(answer.json()["id"].as_str().expect("an id").to_owned());
                            counts.send_modify(|counts| counts.0 += 1);
                        } else {
                            assert_eq!(answer.problem(), (503, "ledger_unavailable".into()));
                            assert!(answer.header("retry-after").is_some());
                            counts.send_modify(|counts| counts.1 += 1);
                        }
                    }
                    accepted
                })
            })
            .collect();
        Self { stop, counts, callers }
    }

    /// Waits for this many more of each.
    pub async fn more(&self, taken: usize, refused: usize) {
        let (was_taken, was_refused) = *self.counts.borrow();
        until("answers", async || {
            let (now_taken, now_refused) = *self.counts.borrow();
            (now_taken >= was_taken + taken && now_refused >= was_refused + refused).then_some(())
        })
        .await;
    }

    /// The number of changes that were refused so far.
    pub fn refused(&self) -> usize {
        self.counts.borrow().1
    }

    pub async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut accepted = Vec::new();
        for caller in self.callers {
            accepted.extend(caller.await.expect("a caller"));
        }
        accepted
    }
}
