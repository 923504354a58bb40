//! Puts the parts together; the one place that knows every concrete type.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header;
use actix_web::middleware::{Condition, DefaultHeaders, from_fn};
use actix_web::{App as ActixApp, HttpServer, web};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::cloud::v2;
use crate::config::{Database, Settings};
use crate::http::{self, HttpState};
use crate::ledger::{self, OpenError, Options};
use crate::metrics::Metrics;
use crate::service::Service;
use crate::service::ledger::{Ledger, LedgerError};
use crate::shutdown::Shutdown;
use crate::tls::{Certificates, TlsError};
use crate::tracker;

/// The longest that the head of a request may take; slower callers are cut off. Bodies have a limit of their own.
const CLIENT_LIMIT: Duration = Duration::from_secs(30);

/// How long a connection may be idle between two requests. Longer than load balancers keep theirs (60 s as a rule), so
/// that it is they who close it, and never we just as a request comes in.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What is left for the tracker after the requests took all the time that a shutdown has.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Where TLS is served: for a year browsers come back with TLS only, whatever address they are given (RFC 6797).
const TLS_ONLY: (header::HeaderName, &str) = (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");

/// Why the service could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Ledger(#[from] OpenError),
    #[error("the ledger could not be written")]
    Unwritable(#[source] LedgerError),
    #[error("the cloud's client could not be set up")]
    Cloud(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("can't listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// What the world gives: time and chance.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), chance: Arc::new(SystemChance) }
    }
}

/// A service that listens, and has yet to run.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    pub ledger: Arc<dyn Ledger>,
    server: Server,
    service: Service,
    holder: String,
    certificates: Option<Arc<Certificates>>,
    shutdown: Shutdown,
    shutdown_delay: Duration,
    shutdown_timeout: Duration,
}

/// Opens the ledger that the settings name.
///
/// # Errors
/// If it can't be reached in time, or not be migrated.
pub async fn open_ledger(
    database: &Database,
    migrate: bool,
    metrics: &Metrics,
) -> Result<Arc<dyn Ledger>, OpenError> {
    let options = Options { connections: database.connections, timeout: database.timeout, migrate };
    ledger::open(database.url.expose_secret(), options, metrics).await
}

impl App {
    /// Builds the service and begins to listen.
    ///
    /// # Errors
    /// If a part can't be set up.
    pub async fn start(settings: Settings, world: World, shutdown: Shutdown) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::default());
        let certificates = settings.tls.map(Certificates::load).transpose()?.map(Arc::new);
        let ledger = open_ledger(&settings.database, settings.migrate, &metrics).await?;
        if settings.migrate {
            // Where others migrate, the tables may come later; here a ledger that takes nothing is a wrong setting.
            ledger.ready().await.map_err(StartError::Unwritable)?;
        }
        let World { clock, chance } = world;
        let cloud = v2::Client::new(settings.upstream, clock.clone(), chance.clone(), &metrics)
            .map_err(|error| StartError::Cloud(Box::new(error)))?;
        let service = Service::new(
            Arc::new(cloud),
            ledger.clone(),
            clock.clone(),
            chance.clone(),
            settings.fingerprint_key,
            settings.rules,
        );
        let holder = format!("{}-{:08x}", std::process::id(), chance.word() >> 32);
        let state = web::Data::new(HttpState::new(
            service.clone(),
            metrics,
            clock,
            chance,
            shutdown.clone(),
            Handle::current(),
            settings.edge.clone(),
        ));
        let edge = settings.edge;
        let listen = settings.listen;
        let is_tls = certificates.is_some();
        let mut server = HttpServer::new(move || {
            let (has_origins, cors) = edge.cors();
            ActixApp::new()
                .app_data(state.clone())
                .wrap(from_fn(http::compressed))
                .wrap(from_fn(http::headed))
                .wrap(Condition::new(has_origins, cors))
                .wrap(from_fn(http::explained))
                .wrap(Condition::new(is_tls, DefaultHeaders::new().add(TLS_ONLY)))
                .wrap(crate::observe!())
                .configure(http::configure)
        })
        .client_request_timeout(CLIENT_LIMIT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
        .disable_signals();
        if let Some(workers) = settings.workers {
            server = server.workers(workers);
        }
        let server = match &certificates {
            Some(certificates) => server.bind_rustls_0_23(listen, certificates.server_config()?),
            None => server.bind(listen),
        }
        .map_err(|error| StartError::Listen(listen, error))?;
        let address = server.addrs().first().copied().unwrap_or(listen);
        Ok(Self {
            address,
            ledger,
            server: server.run(),
            service,
            holder,
            certificates,
            shutdown,
            shutdown_delay: settings.shutdown_delay,
            shutdown_timeout: settings.shutdown_timeout,
        })
    }

    /// Serves until the shutdown is requested. Then, for the delay, it still serves, but `/readyz` fails and every
    /// answer closes its connection, so that callers and load balancers go elsewhere; then it takes nothing more and
    /// finishes what is under way, first the requests, then the looks of the tracker.
    ///
    /// # Errors
    /// If the server fails.
    pub async fn run(self) -> std::io::Result<()> {
        let handle = self.server.handle();
        let watchers = tokio::spawn(self.service.clone().look_for_watchers());
        let forgetting = tokio::spawn(self.service.clone().forget_old_keys());
        let tracker = tokio::spawn(tracker::run(self.service, self.holder, self.shutdown.clone()));
        let stopper = tokio::spawn(stop_at(self.shutdown.clone(), self.shutdown_delay, handle));
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        if let Some(certificates) = self.certificates {
            tokio::spawn(certificates.follow(self.shutdown.clone()));
        }
        info!("listening on {scheme}://{}", self.address);
        let served = self.server.await;
        self.shutdown.request();
        let until = stopper.await.unwrap_or_else(|_| Instant::now()) + self.shutdown_timeout;
        let finished = async {
            // Requests whose callers have hung up.
            self.shutdown.work_ended().await;
            let _ = tracker.await;
        };
        // One limit for all of it. What only has to be written still gets its moment.
        if timeout_at(until.max(Instant::now() + LAST_MOMENT), finished).await.is_err() {
            warn!("not everything that was under way ended in time; its leases will run out");
        }
        watchers.abort();
        forgetting.abort();
        info!("ended");
        served
    }
}

/// Stops the server when it is time to, and says since when it was being stopped.
async fn stop_at(shutdown: Shutdown, delay: Duration, server: ServerHandle) -> Instant {
    shutdown.requested().await;
    let _ = timeout(delay, shutdown.requested_in_haste()).await;
    let since = Instant::now();
    server.stop(true).await;
    since
}
