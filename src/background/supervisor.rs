//! Starts and stops loops, and restarts crashed ones.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// Pause before the first restart. The pause doubles with each further crash.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause. A loop that ran for this long before it crashed starts again with the first pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a loop stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The loop returns by itself after a shutdown request, and the shutdown waits for it.
    AfterItsWork,
    /// The loop is cancelled at the end of the shutdown; until then it serves the requests in progress.
    AtOnce,
}

type Run = Box<dyn Fn(Shutdown) -> BoxFuture<'static, ()> + Send + Sync>;

/// A loop that runs as long as the process serves.
pub struct Loop {
    /// The label of its metrics.
    name: &'static str,
    /// For the log: what is missing while the loop is down.
    purpose: &'static str,
    stop: Stop,
    run: Run,
}

impl Loop {
    /// A loop. `run` is called again after a crash, so state that must survive a crash is kept outside of the future.
    pub fn new<F>(
        name: &'static str,
        purpose: &'static str,
        stop: Stop,
        run: impl Fn(Shutdown) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { name, purpose, stop, run: Box::new(move |shutdown| run(shutdown).boxed()) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoopLabel {
    r#loop: &'static str,
}

/// Runs loops. Dropping the supervisor cancels them.
pub struct Supervisor {
    shutdown: Shutdown,
    running: Family<LoopLabel, Gauge>,
    crashes: Family<LoopLabel, Counter>,
    finishing: JoinSet<()>,
    cancelled: JoinSet<()>,
}

impl Supervisor {
    /// A supervisor without loops.
    pub fn new(metrics: &Metrics, shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            running: metrics.register(
                "background_loops_running",
                "1 while the background loop runs, 0 after a crash until its restart",
                Family::default(),
            ),
            crashes: metrics.register(
                "background_loop_crashes",
                "Crashes of the background loop",
                Family::default(),
            ),
            finishing: JoinSet::new(),
            cancelled: JoinSet::new(),
        }
    }

    /// Starts a loop.
    pub fn start(&mut self, looping: Loop) {
        let label = LoopLabel { r#loop: looping.name };
        let running = self.running.get_or_create(&label).clone();
        let crashes = self.crashes.get_or_create(&label).clone();
        let tasks = match looping.stop {
            Stop::AfterItsWork => &mut self.finishing,
            Stop::AtOnce => &mut self.cancelled,
        };
        tasks.spawn(supervise(looping, self.shutdown.clone(), running, crashes));
    }

    /// Waits for the loops that stop after their work.
    pub async fn finished(&mut self) {
        while self.finishing.join_next().await.is_some() {}
    }
}

/// Runs a loop until it returns, and restarts it after a crash.
async fn supervise(looping: Loop, shutdown: Shutdown, running: Gauge, crashes: Counter) {
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        running.set(1);
        let work = async { (looping.run)(shutdown.clone()).await };
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        running.set(0);
        if ended.is_ok() {
            return;
        }
        crashes.inc();
        if since.elapsed() >= LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        // Without the panic's message, which can contain a secret. The panic hook has logged the place.
        error!(
            r#loop = looping.name,
            purpose = looping.purpose,
            restart_after_seconds = pause.as_secs(),
            "a background loop crashed"
        );
        if shutdown.is_requested() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            // One more run, so that the loop can finish its work.
            () = shutdown.requested() => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Panics on the first `crashes` runs, then waits for the shutdown.
    fn crashing(name: &'static str, stop: Stop, crashes: u32) -> (Loop, Arc<AtomicU32>) {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = runs.clone();
        let looping = Loop::new(name, "crashes", stop, move |shutdown| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(run >= crashes, "a crash");
                shutdown.requested().await;
            }
        });
        (looping, runs)
    }

    fn count(runs: &AtomicU32) -> u32 {
        runs.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_crashed_loop_is_counted_and_restarted_after_growing_pauses() {
        let (metrics, shutdown) = (Metrics::default(), Shutdown::new());
        let mut supervisor = Supervisor::new(&metrics, shutdown.clone());
        let (crashing, runs) = crashing("one", Stop::AfterItsWork, 3);
        supervisor.start(crashing);
        for (seconds, expected) in [(0.5, 1), (1.0, 2), (2.0, 3), (1.0, 3), (3.0, 4)] {
            sleep(Duration::from_secs_f64(seconds)).await;
            assert_eq!(count(&runs), expected);
        }
        let text = metrics.render();
        assert!(text.contains("tunnelgate_background_loop_crashes_total{loop=\"one\"} 3\n"), "{text}");
        assert!(text.contains("tunnelgate_background_loops_running{loop=\"one\"} 1\n"), "{text}");
        shutdown.request();
        supervisor.finished().await;
        let text = metrics.render();
        assert!(text.contains("tunnelgate_background_loops_running{loop=\"one\"} 0\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crash_of_one_loop_does_not_stop_another() {
        let (metrics, shutdown) = (Metrics::default(), Shutdown::new());
        let mut supervisor = Supervisor::new(&metrics, shutdown.clone());
        let (crashing_always, _) = crashing("crashes", Stop::AtOnce, u32::MAX);
        let (steady, runs) = crashing("steady", Stop::AfterItsWork, 0);
        supervisor.start(crashing_always);
        supervisor.start(steady);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(count(&runs), 1);
        let text = metrics.render();
        assert!(text.contains("tunnelgate_background_loops_running{loop=\"crashes\"} 0\n"), "{text}");
        assert!(text.contains("tunnelgate_background_loops_running{loop=\"steady\"} 1\n"), "{text}");
        shutdown.request();
        supervisor.finished().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_during_the_pause_runs_the_loop_once_more_to_finish_its_work() {
        let (metrics, shutdown) = (Metrics::default(), Shutdown::new());
        let mut supervisor = Supervisor::new(&metrics, shutdown.clone());
        let (crashing, runs) = crashing("one", Stop::AfterItsWork, u32::MAX);
        supervisor.start(crashing);
        sleep(Duration::from_millis(500)).await;
        shutdown.request();
        supervisor.finished().await;
        assert_eq!(count(&runs), 2);
    }
}
