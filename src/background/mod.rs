//! Background loops: what the process does without a request. The table names each loop; the supervisor starts them, stops
//! them, counts crashes and restarts a crashed loop.
//!
//! `/readyz` does not depend on the loops. A replica without its tracker still serves requests, and the trackers of other
//! replicas follow its operations. A bug that crashes the tracker crashes it in every replica: a failing `/readyz` would
//! then take all replicas out of the load balancer. The metrics and the log report a crash.

pub mod clock;
pub mod drift;
mod feed;
mod forget;
pub mod growth;
mod refusals;
pub mod supervisor;
mod tracker;
mod used_tokens;
mod watchers;
pub mod webhooks;

use std::sync::Arc;

use crate::clock::LedgerClock;
use crate::service::Service;
use crate::tls::Certificates;

use supervisor::{Loop, Stop};
use tracker::Tracker;
use webhooks::Webhooks;

/// The loops of a serving process. `holder` names the process in the leases of its tracker.
pub fn loops(
    service: &Service,
    clock: &Arc<LedgerClock>,
    holder: &str,
    gauges: growth::Gauges,
    sweeps: drift::SweepMetrics,
    certificates: Option<Arc<Certificates>>,
    webhooks: Webhooks,
) -> Vec<Loop> {
    let (ledger, clock) = (service.ledger.clone(), clock.clone());
    let tracker = Tracker::new(service.clone(), holder);
    let (watching, publishing) = (service.clone(), service.clone());
    let (forgetting, counting) = (service.clone(), service.clone());
    let using = service.clone();
    let mut loops = vec![
        Loop::new(
            "tracker",
            "polls operations until their final status",
            Stop::AfterItsWork,
            move |shutdown| tracker.clone().run(shutdown),
        ),
        Loop::new(
            "watchers",
            "reads the operations that requests and streams wait for",
            Stop::AtOnce,
            move |_| watchers::run(watching.clone()),
        ),
        Loop::new("feed", "reads new events for those that follow the log", Stop::AtOnce, move |_| {
            feed::run(publishing.clone())
        }),
        Loop::new("forget", "deletes expired idempotency keys", Stop::AtOnce, move |_| {
            forget::run(forgetting.clone())
        }),
        Loop::new("refusals", "records the number of refused changes", Stop::AfterItsWork, move |shutdown| {
            refusals::run(counting.clone(), shutdown)
        }),
        Loop::new("keys", "stores the last use of API keys", Stop::AfterItsWork, move |shutdown| {
            used_tokens::run(using.clone(), shutdown)
        }),
    ];
    let (delivering, deliverer) = (service.clone(), Arc::<str>::from(holder));
    loops.push(Loop::new("webhooks", "delivers events to webhooks", Stop::AfterItsWork, move |shutdown| {
        webhooks::run(delivering.clone(), deliverer.clone(), webhooks.clone(), shutdown)
    }));
    let (sweeping, holder) = (service.clone(), Arc::<str>::from(holder));
    loops.push(Loop::new(
        "drift",
        "compares tunnels with what was set",
        Stop::AfterItsWork,
        move |shutdown| drift::run(sweeping.clone(), holder.clone(), sweeps.clone(), shutdown),
    ));
    let growing = ledger.clone();
    loops.push(Loop::new("growth", "creates the log's next partitions", Stop::AtOnce, move |_| {
        growth::run(growing.clone(), gauges.clone())
    }));
    loops.push(Loop::new("clock", "measures the ledger's clock", Stop::AtOnce, move |_| {
        clock::run(ledger.clone(), clock.clone())
    }));
    if let Some(certificates) = certificates {
        loops.push(Loop::new(
            "certificates",
            "reloads changed TLS certificates",
            Stop::AtOnce,
            move |shutdown| certificates.clone().follow(shutdown),
        ));
    }
    loops
}
