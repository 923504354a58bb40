//! Settings: read once from flags, environment and files, checked once, secrets in types that can't be printed.

mod accounts;
pub mod args;
mod database_url;
pub mod duration;
pub mod edge;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod invalid;
mod limits;
pub mod listen;
pub mod log;
pub mod number;
pub mod otel;
pub mod secrets;
mod shown;
mod text;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::cloud;
use crate::domain::fingerprint::FingerprintKey;
use crate::http::edge::Edge;
use crate::ledger::{self, SynchronousCommit};
use crate::oidc;
use crate::service::Rules;
use crate::tls::{Certificates, TlsFiles};
use crate::webhooks;

pub use accounts::{Reloadable, Source, webhooks_of};
pub use invalid::{Faults, InvalidSetting};
pub use shown::{drift_section, issuer_section, section, webhook_section};

use args::{DatabaseArgs, PartialGroups, ServeArgs};
use otel::Tracing;
use secrets::Secrets;

/// Connection to the ledger's database.
#[derive(Clone)]
pub struct Database {
    /// May contain a password.
    pub url: SecretString,
    /// Size of the pool for callers' reads.
    pub connections: u32,
    /// Limit of one read or write.
    pub timeout: Duration,
    pub synchronous_commit: SynchronousCommit,
    /// Allow an unencrypted connection to another machine.
    pub allow_plain: bool,
    /// File that keeps the newest chain head; only of `serve`.
    pub witness: Option<PathBuf>,
}

/// The checked settings of `serve`.
#[derive(Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// `None` = plain HTTP.
    pub tls: Option<TlsFiles>,
    pub edge: Edge,
    pub database: Database,
    pub migrate: bool,
    /// At least one.
    pub accounts: Vec<cloud::Settings>,
    /// The OIDC issuers whose tokens are accepted.
    pub issuers: Vec<oidc::Settings>,
    /// The interval at which tunnels are compared with what changes have set; `None` if they are not.
    pub drift: Option<Duration>,
    /// The receivers of events.
    pub webhooks: Vec<webhooks::Settings>,
    /// Where accounts, issuers, webhooks and the interval come from; `None` if they never change.
    pub source: Option<Source>,
    pub rules: Rules,
    pub fingerprint_key: FingerprintKey,
    /// Time to keep serving after SIGTERM, with `/readyz` failing.
    pub shutdown_delay: Duration,
    /// After this time a shutdown ends even if work is in progress.
    pub shutdown_timeout: Duration,
    /// `None` = no traces.
    pub tracing: Option<Tracing>,
    /// HTTP worker threads; `None` = one per core.
    pub workers: Option<usize>,
    /// Open connections of callers.
    pub max_connections: usize,
}

impl Database {
    /// Checks the database flags.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn from_args(args: &DatabaseArgs, secrets: &Secrets) -> Result<Self, InvalidSetting> {
        let url = match &args.database_url {
            Some(url) => url.clone(),
            None => secrets
                .read("DATABASE_URL", args.database_url_file.as_deref())?
                .unwrap_or_else(|| "sqlite:tunnelgate.db".to_owned().into()),
        };
        let is_given = args.database_url.is_some() || secrets.has("DATABASE_URL");
        let name = if is_given || (args.database_url_file.is_none() && !secrets.has("DATABASE_URL_FILE")) {
            "DATABASE_URL (--database-url)"
        } else {
            "DATABASE_URL_FILE (--database-url-file)"
        };
        database_url::check(url.expose_secret()).map_err(|problem| InvalidSetting::new(name, problem))?;
        ledger::check_url(url.expose_secret(), args.allow_plain_database)
            .map_err(|problem| InvalidSetting::new(name, problem))?;
        Ok(Self {
            url,
            connections: args.database_connections,
            timeout: args.database_timeout,
            synchronous_commit: args.synchronous_commit,
            allow_plain: args.allow_plain_database,
            witness: None,
        })
    }
}

impl Settings {
    /// Checks the flags of `serve` and reads secrets from the environment and files.
    ///
    /// # Errors
    /// Every invalid setting.
    pub fn from_args(args: &ServeArgs, secrets: &Secrets) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let source = Source::new(args, secrets);
        let reloadable = source.read().map_err(|all| faults.extend(all)).ok();
        let rules = rules(args, &mut faults);
        let tls = faults.take(args.edge.tls().and_then(readable));
        let edge = faults.take(args.edge.edge());
        let database = faults.take(Database::from_args(&args.database, secrets));
        let witness = args.witness_file.clone().filter(|file| !file.as_os_str().is_empty());
        if let Some(file) = &witness {
            faults.take(
                ledger::check_witness(file).map_err(|problem| {
                    InvalidSetting::new("TUNNELGATE_WITNESS_FILE (--witness-file)", problem)
                }),
            );
        }
        let tracing = Tracing::read(secrets).map_err(|all| faults.extend(all)).ok().flatten();
        match (reloadable, tls, edge, database, faults.is_empty()) {
            (Some(reloadable), Some(tls), Some(edge), Some(database), true) => Ok(Self {
                listen: args.listen,
                tls,
                edge,
                database: Database { witness, ..database },
                migrate: !args.no_migrate,
                accounts: reloadable.accounts,
                issuers: reloadable.issuers,
                drift: reloadable.drift,
                webhooks: reloadable.webhooks,
                source: Some(source),
                rules,
                fingerprint_key: reloadable.fingerprint_key,
                shutdown_delay: args.shutdown_delay,
                shutdown_timeout: args.shutdown_timeout,
                tracing,
                workers: args.workers.map(usize::from),
                max_connections: usize::try_from(args.max_connections).unwrap_or(usize::MAX),
            }),
            _ => Err(faults),
        }
    }
}

/// Reads the TLS files once, so that their faults are reported with those of the other settings.
fn readable(files: Option<TlsFiles>) -> Result<Option<TlsFiles>, InvalidSetting> {
    if let Some(files) = files.clone() {
        Certificates::load(files).map_err(|error| InvalidSetting::new(error.setting(), error.problem()))?;
    }
    Ok(files)
}

/// Checks the durations, alone and against each other.
fn rules(args: &ServeArgs, faults: &mut Faults) -> Rules {
    let durations = [
        ("TUNNELGATE_POLL_INTERVAL (--poll-interval)", args.poll_interval),
        ("TUNNELGATE_POLL_MAX_INTERVAL (--poll-max-interval)", args.poll_max_interval),
        ("TUNNELGATE_TASK_TIMEOUT (--task-timeout)", args.task_timeout),
        // Zero would declare a change not applied while it can still reach the cloud.
        ("TUNNELGATE_SETTLE_WINDOW (--settle-window)", args.settle_window),
        ("TUNNELGATE_DATABASE_TIMEOUT (--database-timeout)", args.database.database_timeout),
    ];
    for (name, duration) in durations {
        faults
            .take(limits::greater_than_zero(duration).map_err(|problem| InvalidSetting::new(name, problem)));
    }
    let timeout = limits::upstream_timeout(args.upstream_timeout);
    faults.take(
        timeout.map_err(|problem| {
            InvalidSetting::new("TUNNELGATE_UPSTREAM_TIMEOUT (--upstream-timeout)", problem)
        }),
    );
    if args.poll_interval > args.poll_max_interval && !args.poll_max_interval.is_zero() {
        faults.push(InvalidSetting::new(
            durations[0].0,
            "must not be longer than TUNNELGATE_POLL_MAX_INTERVAL (--poll-max-interval)",
        ));
    }
    Rules {
        merge_partial_groups: args.partial_groups == PartialGroups::Merge,
        read_before: args.read_before,
        require_reason: args.require_reason.clone(),
        poll_interval: args.poll_interval,
        poll_max_interval: args.poll_max_interval,
        task_timeout: args.task_timeout,
        settle_window: args.settle_window,
    }
}
