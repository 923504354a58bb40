//! The API that consumers speak: routes, authorization, problem details, OpenAPI.

mod accept;
mod asset;
mod audit;
mod auth;
mod body;
mod conditional;
mod console;
mod counts;
mod dry_run;
pub mod edge;
pub mod event_view;
mod figures;
mod headers;
mod health;
pub mod openapi;
mod operations;
mod problem;
mod query;
mod request;
mod routes;
mod stream;
mod tunnel_reads;
mod tunnels;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::{Instrument, Span, error};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::VpcScope;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::service::ledger::LedgerError;
use crate::shutdown::Shutdown;

use edge::Edge;
use problem::Problem;

/// What every request handler works with.
pub struct HttpState {
    service: Service,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    shutdown: Shutdown,
    /// Where everything that leaves the process runs.
    core: Handle,
    figures: figures::Figures,
    known: auth::Known,
    limits: auth::Limits,
    edge: Edge,
    /// One check of the chain at a time.
    verifying: Arc<Semaphore>,
}

impl HttpState {
    /// Puts the state together; `core` is the runtime of the service's connections.
    pub fn new(
        service: Service,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        shutdown: Shutdown,
        core: Handle,
        edge: Edge,
    ) -> Self {
        let figures = figures::Figures::new(&metrics);
        let (known, limits) = (auth::Known::default(), auth::Limits::new(&edge));
        let verifying = Arc::new(Semaphore::new(1));
        Self { service, metrics, clock, chance, shutdown, core, figures, known, limits, edge, verifying }
    }

    /// Runs work on the core runtime. It goes on when the caller hangs up, and a shutdown waits for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let under_way = self.shutdown.work();
        // Boxed before it is moved into the task: a future of a request is large.
        let work = Box::pin(async move {
            let result = work.await;
            drop(under_way);
            result
        });
        let task = self.core.spawn(work.instrument(Span::current()));
        task.await.map_err(|failed| {
            // Its own words would repeat those of the panic, which could hold a secret.
            error!(is_panic = failed.is_panic(), "a request's work came to no end");
            Problem::internal()
        })
    }

    /// The operation once it has ended, or as it is when the caller has waited long enough or the process wants to
    /// end.
    async fn wait(
        &self,
        id: OperationId,
        vpcs: VpcScope,
        limit: Duration,
    ) -> Result<Result<Option<Operation>, LedgerError>, Problem> {
        let (service, shutdown) = (self.service.clone(), self.shutdown.clone());
        let enough = async move {
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                () = shutdown.requested() => {}
            }
        };
        let _waiting = self.figures.waits("wait");
        self.run(async move { service.wait(id, &vpcs, enough).await }).await
    }
}

/// The middleware that goes around everything: `App::wrap(observe!())`.
#[macro_export]
macro_rules! observe {
    () => {
        ::actix_web::middleware::from_fn($crate::http::observed)
    };
}

pub use edge::{compressed, explained, headed};
pub use request::observed;
pub use routes::configure;
