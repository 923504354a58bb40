//! The state shared by all request handlers.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, Span, error};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::VpcScope;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::shutdown::Shutdown;
use crate::trace;

use super::asset::Asset;
use super::auth::cache::TokenCache;
use super::auth::limits::Limits;
use super::edge::Edge;
use super::health::Reported;
use super::metrics::HttpMetrics;
use super::problem::Problem;

/// The state shared by all request handlers.
pub struct HttpState {
    pub(super) service: Service,
    pub(super) registry: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    pub(super) shutdown: Shutdown,
    /// The runtime of the connections to the ledger and the cloud.
    pub(super) core: Handle,
    pub(super) metrics: HttpMetrics,
    pub(super) tokens: TokenCache,
    pub(super) limits: Limits,
    pub(super) edge: Edge,
    /// What the log says about the ledger's readiness.
    pub(super) readiness: Reported,
    /// The OpenAPI document, built by the first request for it.
    pub(super) document: OnceLock<Asset>,
    /// Allows one verification of the chain at a time.
    pub(super) verifying: Arc<Semaphore>,
}

impl HttpState {
    /// Creates the state; `core` is the runtime of the service's connections.
    pub fn new(
        service: Service,
        registry: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        shutdown: Shutdown,
        core: Handle,
        edge: Edge,
    ) -> Self {
        let metrics = HttpMetrics::new(&registry);
        let (tokens, limits) = (TokenCache::default(), Limits::new(&edge));
        Self {
            service,
            registry,
            metrics,
            clock,
            chance,
            shutdown,
            core,
            tokens,
            limits,
            edge,
            readiness: Reported::default(),
            document: OnceLock::new(),
            verifying: Arc::new(Semaphore::new(1)),
        }
    }

    /// Runs work on the core runtime. The work continues when the caller disconnects, and a shutdown waits for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let under_way = self.shutdown.work();
        // Boxed before the task takes it, because request futures are large.
        let work = Box::pin(async move {
            let result = work.await;
            drop(under_way);
            result
        });
        let task = self.core.spawn(trace::carried(work.instrument(Span::current())));
        task.await.map_err(|failed| {
            // The join error repeats the panic's message, which could contain a secret.
            error!(is_panic = failed.is_panic(), "the work of a request was aborted");
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

    /// Waits for the operation to end, up to `until` or until a shutdown is requested; then returns its current state.
    pub(super) async fn wait(
        &self,
        id: OperationId,
        vpcs: VpcScope,
        until: Instant,
    ) -> Result<Option<Operation>, Problem> {
        let shutdown = self.shutdown.clone();
        let enough = async move {
            tokio::select! {
                () = sleep_until(until) => {}
                () = shutdown.requested() => {}
            }
        };
        let _waiting = self.metrics.waits("wait");
        self.ask(|service| async move { service.wait(id, &vpcs, enough).await }).await
    }
}
