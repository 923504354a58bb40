//! What request handlers work with.

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
use crate::shutdown::Shutdown;

use super::auth::{cache, limits};
use super::edge::Edge;
use super::metrics;
use super::problem::Problem;

/// What every request handler works with.
pub struct HttpState {
    pub(super) service: Service,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    pub(super) shutdown: Shutdown,
    /// Where everything that leaves the process runs.
    pub(super) core: Handle,
    pub(super) figures: metrics::Figures,
    pub(super) known: cache::Known,
    pub(super) limits: limits::Limits,
    pub(super) edge: Edge,
    /// One check of the chain at a time.
    pub(super) verifying: Arc<Semaphore>,
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
        let figures = metrics::Figures::new(&metrics);
        let (known, limits) = (cache::Known::default(), limits::Limits::new(&edge));
        let verifying = Arc::new(Semaphore::new(1));
        Self { service, metrics, clock, chance, shutdown, core, figures, known, limits, edge, verifying }
    }

    /// Runs work on the core runtime. It goes on when the caller hangs up, and a shutdown waits for it.
    pub(super) async fn run<T: Send + 'static>(
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

    /// Asks the service, on the core runtime as [`Self::run`] does; its error becomes a problem.
    pub(super) async fn ask<T, E, F>(&self, question: impl FnOnce(Service) -> F) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.run(question(self.service.clone())).await?.map_err(Into::into)
    }

    /// The operation once it has ended, or as it is when the caller has waited long enough or the process wants to
    /// end.
    pub(super) async fn wait(
        &self,
        id: OperationId,
        vpcs: VpcScope,
        limit: Duration,
    ) -> Result<Option<Operation>, Problem> {
        let shutdown = self.shutdown.clone();
        let enough = async move {
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                () = shutdown.requested() => {}
            }
        };
        let _waiting = self.figures.waits("wait");
        self.ask(|service| async move { service.wait(id, &vpcs, enough).await }).await
    }
}
