//! Builds the service from its parts. Only this module names the concrete cloud client, ledger and clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header;
use actix_web::middleware::{Condition, DefaultHeaders, from_fn};
use actix_web::{App as ActixApp, web};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use crate::background;
use crate::background::supervisor::{Loop, Stop, Supervisor};
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, LedgerClock, SystemClock};
use crate::cloud::Accounts;
use crate::config::{self, Database, Settings};
use crate::http::{self, HttpState};
use crate::ledger::{self, OpenError, Options};
use crate::metrics::Metrics;
use crate::oidc::{self, Issuers};
use crate::reload::{Parts, Reload};
use crate::service::Service;
use crate::service::ledger::{Ledger, LedgerError, NotReady};
use crate::shutdown::Shutdown;
use crate::tls::{Certificates, TlsError};
use crate::webhooks::{self, Receivers};

/// Time for the tracker to write its results if the requests used the whole shutdown timeout.
const TRACKER_GRACE: Duration = Duration::from_secs(1);

/// Browsers use https for this host for one year (RFC 6797).
const TLS_ONLY: (header::HeaderName, &str) = (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Ledger(#[from] OpenError),
    #[error("can't write to the ledger")]
    Unwritable(#[source] LedgerError),
    #[error("can't set up the HTTP client for the cloud")]
    Cloud(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Oidc(#[from] oidc::NoClient),
    #[error(transparent)]
    Webhooks(#[from] webhooks::NoClient),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(
        "TUNNELGATE_LISTEN (--listen): can't listen on {0}; stop the process that uses the port, or choose an address of this machine and a free port"
    )]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// The sources of time and randomness.
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

/// A service that listens on its port; [`App::run`] serves requests.
pub struct App {
    /// The address that the service listens on.
    pub address: SocketAddr,
    pub ledger: Arc<dyn Ledger>,
    pub metrics: Arc<Metrics>,
    server: Server,
    service: Service,
    ledger_clock: Arc<LedgerClock>,
    holder: String,
    log_gauges: background::growth::Gauges,
    sweeps: background::drift::SweepMetrics,
    webhooks: background::webhooks::Webhooks,
    certificates: Option<Arc<Certificates>>,
    reload: Option<Arc<Reload>>,
    supervisor: Supervisor,
    /// Callers can sign in without an API key.
    has_issuers: bool,
    shutdown: Shutdown,
    shutdown_delay: Duration,
    shutdown_timeout: Duration,
}

/// Opens the ledger of the settings.
///
/// # Errors
/// If the database does not answer in time, or a migration fails.
pub async fn open_ledger(
    database: &Database,
    migrate: bool,
    metrics: &Metrics,
) -> Result<Arc<dyn Ledger>, OpenError> {
    let options = Options {
        connections: database.connections,
        timeout: database.timeout,
        migrate,
        synchronous_commit: database.synchronous_commit,
        allow_plain: database.allow_plain,
        witness: database.witness.clone(),
    };
    ledger::open(database.url.expose_secret(), options, metrics).await
}

impl App {
    /// Builds the service and starts to listen.
    ///
    /// # Errors
    /// If a part of the service can't be set up.
    pub async fn start(settings: Settings, world: World, shutdown: Shutdown) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::default());
        let certificates = settings.tls.map(Certificates::load).transpose()?.map(Arc::new);
        let ledger = open_ledger(&settings.database, settings.migrate, &metrics).await?;
        if settings.migrate {
            // With --no-migrate the tables may not exist yet. Otherwise a ledger that refuses writes is a wrong setting.
            match ledger.ready().await {
                // The service starts, reports the loss and serves reads.
                Ok(()) | Err(NotReady { error: LedgerError::Rewound(_), .. }) => {}
                Err(NotReady { error, .. }) => return Err(StartError::Unwritable(error)),
            }
        }
        let World { clock, chance } = world;
        let ledger_clock = Arc::new(LedgerClock::new(clock));
        background::clock::measure(&*ledger, &ledger_clock).await;
        let clock: Arc<dyn Clock> = ledger_clock.clone();
        let accounts =
            Accounts::connect(settings.accounts.clone(), ledger.clone(), &clock, &chance, &metrics)
                .map_err(|error| StartError::Cloud(Box::new(error)))?;
        let accounts = Arc::new(accounts);
        let has_issuers = !settings.issuers.is_empty();
        let issuers = Arc::new(Issuers::connect(settings.issuers.clone(), clock.clone(), &metrics)?);
        let (drift, watched) = watch::channel(settings.drift);
        let receivers = Arc::new(Receivers::connect(&settings.webhooks)?);
        for webhook in &settings.webhooks {
            // Events from now on count. If this fails, the first delivery does the same.
            let _ = ledger.begin_webhook(&webhook.name).await;
        }
        let webhooks = background::webhooks::Webhooks {
            receivers: receivers.follow(),
            operation_form: http::operation_json,
            metrics: background::webhooks::Metrics::new(&metrics),
        };
        let reload = settings.source.map(|source| {
            let current = config::Reloadable {
                accounts: settings.accounts,
                issuers: settings.issuers,
                drift: settings.drift,
                webhooks: settings.webhooks,
                fingerprint_key: settings.fingerprint_key.clone(),
            };
            let parts = Parts { accounts: accounts.clone(), issuers: issuers.clone(), receivers, drift };
            Arc::new(Reload::new(source, current, parts, clock.clone(), &metrics))
        });
        let service = Service::new(
            accounts,
            ledger.clone(),
            issuers,
            clock.clone(),
            chance.clone(),
            settings.fingerprint_key,
            settings.rules,
        )
        .watching_drift(watched);
        let holder = format!("{}-{:08x}", std::process::id(), chance.word() >> 32);
        let supervisor = Supervisor::new(&metrics, shutdown.clone());
        let log_gauges = background::growth::Gauges::new(&metrics);
        let sweeps = background::drift::SweepMetrics::new(&metrics);
        let state = web::Data::new(HttpState::new(
            service.clone(),
            metrics.clone(),
            clock,
            chance,
            shutdown.clone(),
            Handle::current(),
            settings.edge.clone(),
        ));
        let edge = settings.edge;
        let listen = settings.listen;
        // A host with other paths than the service's belongs to its proxy, which decides.
        let is_https_host = match &edge.public_url {
            Some(public) => public.is_https() && public.path().is_empty(),
            None => certificates.is_some(),
        };
        let tls = match &certificates {
            Some(certificates) => Some(certificates.server_config()?),
            None => None,
        };
        let listener = http::Listener {
            address: listen,
            tls,
            workers: settings.workers,
            max_connections: settings.max_connections,
            shutdown_timeout: settings.shutdown_timeout,
        };
        let (address, server) = http::listen(listener, state.clone(), move || {
            let (has_origins, cors) = edge.cors();
            ActixApp::new()
                .app_data(state.clone())
                .wrap(from_fn(http::compressed))
                .wrap(from_fn(http::headed))
                .wrap(Condition::new(has_origins, cors))
                .wrap(from_fn(http::explained))
                .wrap(from_fn(http::unchunked))
                .wrap(Condition::new(is_https_host, DefaultHeaders::new().add(TLS_ONLY)))
                .wrap(crate::observe!())
                .wrap(from_fn(http::unprefixed))
                .wrap(from_fn(http::counted))
                .configure(http::configure)
        })
        .map_err(|error| StartError::Listen(listen, error))?;
        Ok(Self {
            address,
            ledger,
            metrics,
            server,
            service,
            ledger_clock,
            holder,
            log_gauges,
            sweeps,
            webhooks,
            certificates,
            reload,
            supervisor,
            has_issuers,
            shutdown,
            shutdown_delay: settings.shutdown_delay,
            shutdown_timeout: settings.shutdown_timeout,
        })
    }

    /// Serves until the shutdown is requested, then ends in two stages. During the shutdown delay the service still
    /// answers requests, but `/readyz` fails and every response closes its connection, so that load balancers use other
    /// replicas. After the delay the service accepts no more connections and finishes the requests in progress, then the
    /// polls of the tracker.
    ///
    /// # Errors
    /// If the server fails.
    pub async fn run(mut self) -> std::io::Result<()> {
        let handle = self.server.handle();
        let stopper = tokio::spawn(stop_at(self.shutdown.clone(), self.shutdown_delay, handle));
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        let loops = background::loops(
            &self.service,
            &self.ledger_clock,
            &self.holder,
            self.log_gauges,
            self.sweeps,
            self.certificates,
            self.webhooks,
        );
        for looping in loops {
            self.supervisor.start(looping);
        }
        if let Some(reload) = self.reload {
            let purpose = "reloads changed accounts, issuers and webhooks";
            self.supervisor.start(Loop::new("accounts", purpose, Stop::AtOnce, move |shutdown| {
                reload.clone().follow(shutdown)
            }));
        }
        info!("listening on {scheme}://{}", self.address);
        if !self.has_issuers {
            tokio::spawn(warn_without_keys(self.service));
        }
        let served = self.server.await;
        self.shutdown.request();
        let until = stopper.await.unwrap_or_else(|_| Instant::now()) + self.shutdown_timeout;
        let finished = async {
            // Requests of callers that have disconnected.
            self.shutdown.work_ended().await;
            self.supervisor.finished().await;
        };
        // One limit for requests and tracker together; the tracker always gets TRACKER_GRACE.
        if timeout_at(until.max(Instant::now() + TRACKER_GRACE), finished).await.is_err() {
            warn!(
                "the shutdown timeout has passed with work in progress; other replicas continue it when its leases expire"
            );
        }
        self.ledger.close().await;
        info!("shutdown complete");
        served
    }
}

/// Warns if no caller can sign in. The service starts all the same: a key that is created later works at once.
async fn warn_without_keys(service: Service) {
    // Without the tables of the ledger, `/readyz` reports the reason.
    if matches!(service.has_valid_key().await, Ok(false)) {
        warn!(
            "no caller can sign in: the ledger has no valid API key, and the settings have no OIDC issuer. Create a key with \
             `tunnelgate keys create --name NAME --scope tunnels:read --scope tunnels:write`, with the same DATABASE_URL"
        );
    }
}

/// Waits for the shutdown and its delay, stops the server, and returns when the stop began.
async fn stop_at(shutdown: Shutdown, delay: Duration, server: ServerHandle) -> Instant {
    shutdown.requested().await;
    let _ = timeout(delay, shutdown.requested_without_delay()).await;
    let since = Instant::now();
    server.stop(true).await;
    since
}
