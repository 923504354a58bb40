//! The flags. Each has an environment variable; `--help` explains it.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::cloud::v2::sign::SignatureMethod;
use crate::cloud::v2::wire::ParamStyle;

use super::duration;
use super::edge::EdgeArgs;

/// Which of the cloud's APIs changes go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Upstream {
    V2,
    V3,
}

/// What becomes of a group that a patch touches only in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartialGroups {
    /// Read the tunnel, merge, send the group whole.
    Merge,
    /// Send it as given.
    AsGiven,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Human,
    Json,
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

fn signature_method(text: &str) -> Result<SignatureMethod, String> {
    SignatureMethod::from_word(text)
        .ok_or_else(|| format!("must be one of {}", SignatureMethod::WORDS.join(", ")))
}

fn param_style(text: &str) -> Result<ParamStyle, String> {
    ParamStyle::from_word(text).ok_or_else(|| format!("must be one of {}", ParamStyle::WORDS.join(", ")))
}

/// Logs.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What is logged: a level (error, warn, info, debug, trace), or directives such as info,tunnelgate::http=debug
    #[arg(long, env = "TUNNELGATE_LOG", default_value = "info", global = true, value_name = "FILTER")]
    pub log: String,
    /// How log lines look; they go to stderr
    #[arg(long, env = "TUNNELGATE_LOG_FORMAT", default_value = "human", global = true)]
    pub log_format: LogFormat,
}

/// Where the ledger is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Where the ledger is: postgres://… or sqlite:FILE [default: sqlite:tunnelgate.db]. Or DATABASE_URL_FILE
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret, value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// A file that holds DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
    /// Connections to the ledger, per process
    #[arg(long, env = "TUNNELGATE_DATABASE_CONNECTIONS", default_value = "10", value_name = "N")]
    pub database_connections: u32,
    /// The time limit of one read or write of the ledger
    #[arg(long, env = "TUNNELGATE_DATABASE_TIMEOUT", default_value = "5s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub database_timeout: Duration,
}

/// `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The address to listen on
    #[arg(long, env = "TUNNELGATE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub edge: EdgeArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Do not apply the migrations at the start; /readyz fails until somebody has
    #[arg(long, env = "TUNNELGATE_NO_MIGRATE")]
    pub no_migrate: bool,
    /// The id of the cloud's API key. Or TENCENTCLOUD_SECRET_ID_FILE. The key itself comes from
    /// TENCENTCLOUD_SECRET_KEY or TENCENTCLOUD_SECRET_KEY_FILE only
    #[arg(long, env = "TENCENTCLOUD_SECRET_ID", hide_env_values = true, value_name = "ID")]
    pub secret_id: Option<String>,
    /// A file that holds TENCENTCLOUD_SECRET_ID
    #[arg(long, env = "TENCENTCLOUD_SECRET_ID_FILE", value_name = "FILE", conflicts_with = "secret_id")]
    pub secret_id_file: Option<PathBuf>,
    /// A file that holds TENCENTCLOUD_SECRET_KEY
    #[arg(long, env = "TENCENTCLOUD_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// A file that holds TENCENTCLOUD_TOKEN; only with temporary credentials
    #[arg(long, env = "TENCENTCLOUD_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The cloud's region, e.g. ap-guangzhou. Or TENCENTCLOUD_REGION_FILE
    #[arg(long, env = "TENCENTCLOUD_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// A file that holds TENCENTCLOUD_REGION
    #[arg(long, env = "TENCENTCLOUD_REGION_FILE", value_name = "FILE", conflicts_with = "region")]
    pub region_file: Option<PathBuf>,
    /// Which of the cloud's APIs changes go through
    #[arg(long, env = "TUNNELGATE_UPSTREAM", default_value = "v2")]
    pub upstream: Upstream,
    /// Where the cloud's API is; plain http only to a loopback address
    #[arg(
        long,
        env = "TUNNELGATE_UPSTREAM_URL",
        default_value = "https://vpc.api.qcloud.com/v2/index.php",
        value_name = "URL"
    )]
    pub upstream_url: String,
    /// Allow plain http to any address: credentials and pre-shared keys travel in clear
    #[arg(long, env = "TUNNELGATE_ALLOW_PLAIN_HTTP")]
    pub allow_plain_http: bool,
    /// The host that is signed, where requests pass through a relay [default: the host of the URL, with its port
    /// where that is not the scheme's own]
    #[arg(long, env = "TUNNELGATE_SIGNED_HOST", value_name = "HOST")]
    pub signed_host: Option<String>,
    /// The hash under the signature: HmacSHA1 or HmacSHA256
    #[arg(long, env = "TUNNELGATE_SIGNATURE_METHOD", default_value = "HmacSHA1", value_parser = signature_method,
          value_name = "METHOD")]
    pub signature_method: SignatureMethod,
    /// How nested parameters are written: indexed (IKESet.0.x) or plain (IKESet.x)
    #[arg(long, env = "TUNNELGATE_PARAM_STYLE", default_value = "indexed", value_parser = param_style,
          value_name = "STYLE")]
    pub param_style: ParamStyle,
    /// What becomes of an ike or ipsec group that a patch touches only in part
    #[arg(long, env = "TUNNELGATE_PARTIAL_GROUPS", default_value = "merge")]
    pub partial_groups: PartialGroups,
    /// The time limit of one call to the cloud, its retries included
    #[arg(long, env = "TUNNELGATE_UPSTREAM_TIMEOUT", default_value = "10s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub upstream_timeout: Duration,
    /// Calls to the cloud a second, per process; 0 = no limit
    #[arg(long, env = "TUNNELGATE_UPSTREAM_RPS", default_value = "20", value_name = "N")]
    pub upstream_rps: u32,
    /// The first wait before a task is asked about
    #[arg(long, env = "TUNNELGATE_POLL_INTERVAL", default_value = "2s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub poll_interval: Duration,
    /// The ceiling of that wait's growth
    #[arg(long, env = "TUNNELGATE_POLL_MAX_INTERVAL", default_value = "30s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub poll_max_interval: Duration,
    /// After that an operation is timed_out
    #[arg(long, env = "TUNNELGATE_TASK_TIMEOUT", default_value = "30m", value_parser = duration::parse,
          value_name = "DURATION")]
    pub task_timeout: Duration,
    /// How long a change whose answer was lost may still turn up: the cloud refuses a signed call that is older than
    /// 5 minutes
    #[arg(long, env = "TUNNELGATE_SETTLE_WINDOW", default_value = "5m", value_parser = duration::parse,
          value_name = "DURATION")]
    pub settle_window: Duration,
    /// A file that holds TUNNELGATE_FINGERPRINT_KEY: the key of the HMAC that stands for a secret in the audit log
    /// [default: derived from TENCENTCLOUD_SECRET_KEY]
    #[arg(long, env = "TUNNELGATE_FINGERPRINT_KEY_FILE", value_name = "FILE")]
    pub fingerprint_key_file: Option<PathBuf>,
    /// How long the process still serves after SIGTERM, with /readyz failing, so that load balancers notice; SIGINT skips
    /// it
    #[arg(long, env = "TUNNELGATE_SHUTDOWN_DELAY", default_value = "5s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub shutdown_delay: Duration,
    /// How long a shutdown waits for work that is under way
    #[arg(long, env = "TUNNELGATE_SHUTDOWN_TIMEOUT", default_value = "30s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub shutdown_timeout: Duration,
    /// HTTP workers [default: one for each core]
    #[arg(long, env = "TUNNELGATE_WORKERS", value_name = "N")]
    pub workers: Option<NonZeroU16>,
}
