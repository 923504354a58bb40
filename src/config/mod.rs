//! Settings: read once from flags, environment and files, checked once, secrets in types that can't be printed.

pub mod args;
pub mod duration;
pub mod edge;
mod invalid;
pub mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::cloud::endpoint::Endpoint;
use crate::cloud::{self, ApiVersion, Endpoints};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::principal::VpcScope;
use crate::http::edge::Edge;
use crate::ledger::SynchronousCommit;
use crate::service::Rules;
use crate::tls::TlsFiles;

pub use invalid::InvalidSetting;

use args::{DatabaseArgs, PartialGroups, ServeArgs, Upstream};
use secrets::Secrets;

/// Longest `TUNNELGATE_UPSTREAM_TIMEOUT`: a request leases its operation for twice this time.
const LONGEST_UPSTREAM_TIMEOUT: Duration = Duration::from_secs(60);

/// The name of the only account where the settings have one set of credentials.
const DEFAULT_ACCOUNT: &str = "default";

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
    pub rules: Rules,
    pub fingerprint_key: FingerprintKey,
    /// Time to keep serving after SIGTERM, with `/readyz` failing.
    pub shutdown_delay: Duration,
    /// After this time a shutdown ends even if work is in progress.
    pub shutdown_timeout: Duration,
    /// HTTP worker threads; `None` = one per core.
    pub workers: Option<usize>,
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
        let known = ["postgres://", "postgresql://", "sqlite:"];
        if !known.iter().any(|scheme| url.expose_secret().starts_with(scheme)) {
            return Err(InvalidSetting::new(
                "DATABASE_URL (--database-url)",
                "must start with postgres:// or sqlite:",
            ));
        }
        if args.database_connections == 0 {
            return Err(InvalidSetting::new(
                "TUNNELGATE_DATABASE_CONNECTIONS (--database-connections)",
                "must be at least 1",
            ));
        }
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
    /// The first invalid setting.
    pub fn from_args(args: &ServeArgs, secrets: &Secrets) -> Result<Self, InvalidSetting> {
        if args.upstream == Upstream::V3 {
            return Err(InvalidSetting::new(
                "TUNNELGATE_UPSTREAM (--upstream)",
                "this version does not support API 3.0; use v2",
            ));
        }
        let v2 = Endpoint::parse(&args.upstream_url, args.allow_plain_http).map_err(|problem| {
            InvalidSetting::new("TUNNELGATE_UPSTREAM_URL (--upstream-url)", problem.to_string())
        })?;
        let mut endpoints = Endpoints { v2, ..Endpoints::default() };
        let secret_key =
            secrets.read("TENCENTCLOUD_SECRET_KEY", args.secret_key_file.as_deref())?.ok_or_else(|| {
                required("TENCENTCLOUD_SECRET_KEY", "set this variable or TENCENTCLOUD_SECRET_KEY_FILE")
            })?;
        let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let secret_id = match set(&args.secret_id) {
            Some(id) => id,
            None => secrets
                .read("TENCENTCLOUD_SECRET_ID", args.secret_id_file.as_deref())?
                .map(|id| id.expose_secret().to_owned())
                .ok_or_else(|| {
                    required("TENCENTCLOUD_SECRET_ID", "set this variable or TENCENTCLOUD_SECRET_ID_FILE")
                })?,
        };
        let region = match set(&args.region) {
            Some(region) => region,
            None => secrets
                .read("TENCENTCLOUD_REGION", args.region_file.as_deref())?
                .map(|region| region.expose_secret().to_owned())
                .ok_or_else(|| required("TENCENTCLOUD_REGION", "for example ap-guangzhou"))?,
        };
        let token = secrets.read("TENCENTCLOUD_TOKEN", args.token_file.as_deref())?;
        let fingerprint_key =
            match secrets.read("TUNNELGATE_FINGERPRINT_KEY", args.fingerprint_key_file.as_deref())? {
                Some(key) => FingerprintKey::from_setting(key.expose_secret().as_bytes()),
                None => FingerprintKey::derive(secret_key.expose_secret().as_bytes()),
            };
        let rules = rules(args)?;
        if let Some(host) = set(&args.signed_host) {
            endpoints.v2.signed_host = host;
        }
        let account = cloud::Settings {
            account: DEFAULT_ACCOUNT.into(),
            vpcs: VpcScope::All,
            api: ApiVersion::V2,
            endpoints,
            credentials: cloud::Credentials { secret_id, secret_key, token },
            region,
            signature_method: args.signature_method,
            param_style: args.param_style,
            timeout: args.upstream_timeout,
            calls_per_second: args.upstream_rps,
        };
        Ok(Self {
            listen: args.listen,
            tls: args.edge.tls()?,
            edge: args.edge.edge()?,
            database: Database {
                witness: args.witness_file.clone().filter(|file| !file.as_os_str().is_empty()),
                ..Database::from_args(&args.database, secrets)?
            },
            migrate: !args.no_migrate,
            accounts: vec![account],
            rules,
            fingerprint_key,
            shutdown_delay: args.shutdown_delay,
            shutdown_timeout: args.shutdown_timeout,
            workers: args.workers.map(|workers| usize::from(workers.get())),
        })
    }
}

fn required(name: &str, hint: &str) -> InvalidSetting {
    InvalidSetting::new(name, format!("is required ({hint})"))
}

/// Checks the durations, alone and against each other.
fn rules(args: &ServeArgs) -> Result<Rules, InvalidSetting> {
    let durations = [
        ("TUNNELGATE_UPSTREAM_TIMEOUT (--upstream-timeout)", args.upstream_timeout),
        ("TUNNELGATE_POLL_INTERVAL (--poll-interval)", args.poll_interval),
        ("TUNNELGATE_POLL_MAX_INTERVAL (--poll-max-interval)", args.poll_max_interval),
        ("TUNNELGATE_TASK_TIMEOUT (--task-timeout)", args.task_timeout),
        // Zero would declare a change not applied while it can still reach the cloud.
        ("TUNNELGATE_SETTLE_WINDOW (--settle-window)", args.settle_window),
        ("TUNNELGATE_DATABASE_TIMEOUT (--database-timeout)", args.database.database_timeout),
    ];
    if let Some((name, _)) = durations.iter().find(|(_, duration)| duration.is_zero()) {
        return Err(InvalidSetting::new(*name, "must be greater than zero"));
    }
    if args.upstream_timeout > LONGEST_UPSTREAM_TIMEOUT {
        return Err(InvalidSetting::new(durations[0].0, "must be at most 60s"));
    }
    if args.poll_interval > args.poll_max_interval {
        return Err(InvalidSetting::new(
            durations[1].0,
            "must not be longer than TUNNELGATE_POLL_MAX_INTERVAL (--poll-max-interval)",
        ));
    }
    Ok(Rules {
        merge_partial_groups: args.partial_groups == PartialGroups::Merge,
        read_before: args.read_before,
        require_reason: args.require_reason.clone(),
        upstream_timeout: args.upstream_timeout,
        poll_interval: args.poll_interval,
        poll_max_interval: args.poll_max_interval,
        task_timeout: args.task_timeout,
        settle_window: args.settle_window,
    })
}
