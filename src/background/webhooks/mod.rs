//! Delivers events to webhooks: a task for each entry, so that a slow receiver delays no other.

mod entry;
mod lease;
mod metrics;
mod retry;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use crate::causes::chain;
use crate::service::Service;
use crate::service::webhooks::{All, OperationForm, Receiver};
use crate::shutdown::Shutdown;

use entry::Deliverer;
pub use metrics::Metrics;

/// Interval of measurements, and of restarts after a crash.
const INTERVAL: Duration = Duration::from_secs(5);

/// What the loop needs besides the service.
#[derive(Clone)]
pub struct Webhooks {
    /// The receivers, and those that replace them.
    pub receivers: watch::Receiver<All>,
    pub operation_form: OperationForm,
    pub metrics: Metrics,
}

/// The receiver of an entry; `None` after the entry was removed.
type Current = watch::Sender<Option<Arc<dyn Receiver>>>;

/// Delivers until the shutdown is requested, then finishes the attempts in progress.
pub(super) async fn run(service: Service, holder: Arc<str>, mut webhooks: Webhooks, shutdown: Shutdown) {
    let mut running: HashMap<String, Current> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_changed, mut is_final) = (true, false);
    while !shutdown.is_requested() {
        if std::mem::take(&mut is_changed) {
            let all = webhooks.receivers.borrow_and_update().clone();
            for (name, current) in &running {
                let receiver = all.iter().find(|receiver| receiver.name() == name).cloned();
                // Only a change may end the wait before the next attempt.
                current.send_if_modified(|known| {
                    let is_same = match (&*known, &receiver) {
                        (Some(known), Some(receiver)) => Arc::ptr_eq(known, receiver),
                        (known, receiver) => known.is_none() && receiver.is_none(),
                    };
                    if !is_same {
                        *known = receiver;
                    }
                    !is_same
                });
            }
            for receiver in all.iter() {
                if running.contains_key(receiver.name()) {
                    continue;
                }
                let name = receiver.name().to_owned();
                let current = watch::Sender::new(Some(receiver.clone()));
                let deliverer = Deliverer {
                    service: service.clone(),
                    holder: holder.clone(),
                    name: name.clone(),
                    receiver: current.subscribe(),
                    operation_form: webhooks.operation_form,
                    metrics: webhooks.metrics.clone(),
                    shutdown: shutdown.clone(),
                };
                running.insert(name.clone(), current);
                tasks.spawn(async move { (name, AssertUnwindSafe(deliverer.run()).catch_unwind().await) });
            }
        }
        tokio::select! {
            changed = webhooks.receivers.changed(), if !is_final => {
                // Without a configuration file nothing replaces the receivers.
                is_final = changed.is_err();
                is_changed = true;
            }
            Some(Ok((name, ended))) = tasks.join_next() => {
                running.remove(&name);
                // An entry that was removed and added again starts at once, a crashed one after the next tick.
                is_changed = ended.is_ok();
                if ended.is_err() {
                    webhooks.metrics.attempted(&name, "crashed");
                    error!(webhook = name, "the delivery of a webhook crashed; it starts again within 5 seconds");
                } else {
                    webhooks.metrics.forget(&name);
                }
            }
            _ = ticks.tick() => {
                is_changed = true;
                measure(&service, &webhooks, &running).await;
            }
            () = shutdown.requested() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Every replica measures: the one that delivers may not run.
async fn measure(service: &Service, webhooks: &Webhooks, running: &HashMap<String, Current>) {
    if running.is_empty() {
        return;
    }
    match service.ledger.webhooks().await {
        Ok(places) => {
            for place in places.iter().filter(|place| running.contains_key(&place.name)) {
                webhooks.metrics.measured(place, service.clock.now());
            }
            let is_known = |name: &str| places.iter().any(|place| place.name == name);
            for name in running.keys().filter(|name| !is_known(name)) {
                begin_again(service, name).await;
            }
        }
        Err(error) => {
            for name in running.keys() {
                webhooks.metrics.clear_lag(name);
            }
            warn!(error = chain(&error), "can't measure the lag of webhooks; trying again in 5 seconds");
        }
    }
}

/// Begins an entry whose place a command has deleted while no process held it. A new entry may be begun here too.
async fn begin_again(service: &Service, name: &str) {
    if let Err(error) = service.ledger.begin_webhook(name).await {
        warn!(
            webhook = name,
            error = chain(&error),
            "can't store the place of a webhook; trying again in 5 seconds"
        );
    }
}
