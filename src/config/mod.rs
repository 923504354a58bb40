//! The settings: read once from flags and environment, checked once, secrets wrapped.

pub mod args;
pub mod duration;
pub mod edge;
pub mod secrets;

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::cloud::endpoint::Endpoint;
use crate::cloud::v2;
use crate::domain::fingerprint::FingerprintKey;
use crate::http::edge::Edge;
use crate::service::Rules;
use crate::tls::TlsFiles;

use args::{DatabaseArgs, PartialGroups, ServeArgs, Upstream};
use secrets::Secrets;

/// The longest time limit of one call: a request holds its operation for twice that.
const LONGEST_UPSTREAM_TIMEOUT: Duration = Duration::from_secs(60);

/// A setting that is wrong; the message names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct InvalidSetting {
    pub name: String,
    pub problem: String,
}

impl InvalidSetting {
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }
}

/// Where the ledger is.
#[derive(Clone)]
pub struct Database {
    /// May hold a password.
    pub url: SecretString,
    pub connections: u32,
    pub timeout: Duration,
}

/// Everything that `serve` needs, checked.
#[derive(Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// `None` = plain HTTP.
    pub tls: Option<TlsFiles>,
    pub edge: Edge,
    pub database: Database,
    pub migrate: bool,
    pub upstream: v2::Settings,
    pub rules: Rules,
    pub fingerprint_key: FingerprintKey,
    /// How long the process still serves, with `/readyz` failing, before a shutdown begins.
    pub shutdown_delay: Duration,
    /// After that a shutdown ends although work is still under way.
    pub shutdown_timeout: Duration,
    /// HTTP workers; `None` = one for each core.
    pub workers: Option<usize>,
}

impl Database {
    /// Checks the flags about the ledger.
    ///
    /// # Errors
    /// With the setting that is wrong.
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
                "must begin with postgres:// or sqlite:",
            ));
        }
        if args.database_connections == 0 {
            return Err(InvalidSetting::new(
                "TUNNELGATE_DATABASE_CONNECTIONS (--database-connections)",
                "must be at least 1",
            ));
        }
        Ok(Self { url, connections: args.database_connections, timeout: args.database_timeout })
    }
}

impl Settings {
    /// Checks the flags of `serve`, and reads the secrets from where they say.
    ///
    /// # Errors
    /// With the first setting that is wrong.
    pub fn from_args(args: &ServeArgs, secrets: &Secrets) -> Result<Self, InvalidSetting> {
        if args.upstream == Upstream::V3 {
            return Err(InvalidSetting::new(
                "TUNNELGATE_UPSTREAM (--upstream)",
                "API 3.0 is not in this version: use v2",
            ));
        }
        let endpoint = Endpoint::parse(&args.upstream_url, args.allow_plain_http).map_err(|problem| {
            InvalidSetting::new("TUNNELGATE_UPSTREAM_URL (--upstream-url)", problem.to_string())
        })?;
        let secret_key = secrets
            .read("TENCENTCLOUD_SECRET_KEY", args.secret_key_file.as_deref())?
            .ok_or_else(|| required("TENCENTCLOUD_SECRET_KEY", "or TENCENTCLOUD_SECRET_KEY_FILE"))?;
        let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let secret_id = match set(&args.secret_id) {
            Some(id) => id,
            None => secrets
                .read("TENCENTCLOUD_SECRET_ID", args.secret_id_file.as_deref())?
                .map(|id| id.expose_secret().to_owned())
                .ok_or_else(|| required("TENCENTCLOUD_SECRET_ID", "or TENCENTCLOUD_SECRET_ID_FILE"))?,
        };
        let region = match set(&args.region) {
            Some(region) => region,
            None => secrets
                .read("TENCENTCLOUD_REGION", args.region_file.as_deref())?
                .map(|region| region.expose_secret().to_owned())
                .ok_or_else(|| required("TENCENTCLOUD_REGION", "for instance ap-guangzhou"))?,
        };
        let token = secrets.read("TENCENTCLOUD_TOKEN", args.token_file.as_deref())?;
        let fingerprint_key =
            match secrets.read("TUNNELGATE_FINGERPRINT_KEY", args.fingerprint_key_file.as_deref())? {
                Some(key) => FingerprintKey::from_setting(key.expose_secret().as_bytes()),
                None => FingerprintKey::derive(secret_key.expose_secret().as_bytes()),
            };
        let rules = rules(args)?;
        let signed_host = set(&args.signed_host).unwrap_or(endpoint.host);
        let upstream = v2::Settings {
            url: endpoint.url,
            signed_host,
            path: endpoint.path,
            is_loopback: endpoint.is_loopback,
            credentials: v2::Credentials { secret_id, secret_key, token },
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
            database: Database::from_args(&args.database, secrets)?,
            migrate: !args.no_migrate,
            upstream,
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

/// What the durations must be to each other.
fn rules(args: &ServeArgs) -> Result<Rules, InvalidSetting> {
    let durations = [
        ("TUNNELGATE_UPSTREAM_TIMEOUT (--upstream-timeout)", args.upstream_timeout),
        ("TUNNELGATE_POLL_INTERVAL (--poll-interval)", args.poll_interval),
        ("TUNNELGATE_POLL_MAX_INTERVAL (--poll-max-interval)", args.poll_max_interval),
        ("TUNNELGATE_TASK_TIMEOUT (--task-timeout)", args.task_timeout),
        // Without it a change whose answer was lost would be called not applied while it may still be on its way.
        ("TUNNELGATE_SETTLE_WINDOW (--settle-window)", args.settle_window),
        ("TUNNELGATE_DATABASE_TIMEOUT (--database-timeout)", args.database.database_timeout),
    ];
    if let Some((name, _)) = durations.iter().find(|(_, duration)| duration.is_zero()) {
        return Err(InvalidSetting::new(*name, "must be more than nothing"));
    }
    if args.upstream_timeout > LONGEST_UPSTREAM_TIMEOUT {
        return Err(InvalidSetting::new(durations[0].0, "must be 60s at most"));
    }
    if args.poll_interval > args.poll_max_interval {
        return Err(InvalidSetting::new(
            durations[1].0,
            "must not be longer than TUNNELGATE_POLL_MAX_INTERVAL (--poll-max-interval)",
        ));
    }
    Ok(Rules {
        merge_partial_groups: args.partial_groups == PartialGroups::Merge,
        upstream_timeout: args.upstream_timeout,
        poll_interval: args.poll_interval,
        poll_max_interval: args.poll_max_interval,
        task_timeout: args.task_timeout,
        settle_window: args.settle_window,
    })
}
