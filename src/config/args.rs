//! Command-line flags, with the environment variable of each. Doc comments become the text of `--help`;
//! `docs/settings.md` lists them all.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use regex::Regex;
use secrecy::SecretString;

use crate::cloud::v2::sign::SignatureMethod;
use crate::cloud::v2::wire::ParamStyle;
use crate::ledger::SynchronousCommit;
use crate::service::ReadBefore;

use super::duration;
use super::edge::EdgeArgs;
use super::listen;
use super::log;
use super::number::{self, MAX_U32};
use super::text;
use super::upstream::Upstream;

/// How a patch that sets some fields of `ike` or `ipsec` is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartialGroups {
    /// Read the tunnel, fill in the other fields, send the whole group
    Merge,
    /// Send only the given fields: the cloud may reset the others to weak defaults
    AsGiven,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line per event
    Human,
    /// One JSON object per line
    Json,
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// A regular expression. In quotation marks it would match no reason.
fn pattern(given: &str) -> Result<Regex, String> {
    text::check(given)?;
    // The last line says what is wrong; the others show the place.
    Regex::new(given).map_err(|error| {
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or_default();
        format!("must be a regular expression ({})", cause.trim_start_matches("error: "))
    })
}

fn signature_method(text: &str) -> Result<SignatureMethod, String> {
    SignatureMethod::from_word(text)
        .ok_or_else(|| format!("must be one of {}", SignatureMethod::WORDS.join(", ")))
}

fn read_before(text: &str) -> Result<ReadBefore, String> {
    ReadBefore::from_word(text).ok_or_else(|| format!("must be one of {}", ReadBefore::WORDS.join(", ")))
}

fn synchronous_commit(text: &str) -> Result<SynchronousCommit, String> {
    SynchronousCommit::from_word(text)
        .ok_or_else(|| format!("must be one of {}", SynchronousCommit::WORDS.join(", ")))
}

fn param_style(text: &str) -> Result<ParamStyle, String> {
    ParamStyle::from_word(text).ok_or_else(|| format!("must be one of {}", ParamStyle::WORDS.join(", ")))
}

/// Flags for logs.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Log filter: a level (error, warn, info, debug, trace), or directives such as info,tunnelgate::http=debug
    #[arg(long, env = "TUNNELGATE_LOG", default_value = "info", global = true, value_parser = log::check,
          value_name = "FILTER")]
    pub log: String,
    /// Format of log lines; logs go to stderr
    #[arg(long, env = "TUNNELGATE_LOG_FORMAT", default_value = "human", global = true)]
    pub log_format: LogFormat,
}

/// Flags for the connection to the ledger's database.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Database of the ledger: postgres://USER:PASSWORD@HOST/DATABASE (several hosts: HOST1,HOST2) or sqlite:FILE
    /// [default: sqlite:tunnelgate.db]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret, value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// File that contains DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
    /// Database connections for reads by API callers, per process. PostgreSQL: the service opens five more for its own
    /// work. SQLite: at most 4 are used
    #[arg(long, env = "TUNNELGATE_DATABASE_CONNECTIONS", default_value = "10",
          value_parser = number::within::<u32>(1..=MAX_U32), value_name = "N")]
    pub database_connections: u32,
    /// Time limit of one database read or write
    #[arg(long, env = "TUNNELGATE_DATABASE_TIMEOUT", default_value = "5s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub database_timeout: Duration,
    /// When PostgreSQL confirms a commit: on (the commit is on disk), or with a synchronous standby remote_apply or
    /// remote_write
    #[arg(long, env = "TUNNELGATE_SYNCHRONOUS_COMMIT", default_value = "on", value_parser = synchronous_commit,
          value_name = "MODE")]
    pub synchronous_commit: SynchronousCommit,
    /// Allow an unencrypted connection to a PostgreSQL on another machine
    #[arg(long, env = "TUNNELGATE_ALLOW_PLAIN_DATABASE")]
    pub allow_plain_database: bool,
}

/// Flags of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; `:8080` means all IPv4 addresses, port 0 picks a free port
    #[arg(long, env = "TUNNELGATE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen::parse,
          value_name = "ADDRESS")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub edge: EdgeArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// File that keeps the newest event that this process saw, so that a restarted process notices a log that went back
    #[arg(long, env = "TUNNELGATE_WITNESS_FILE", value_name = "FILE")]
    pub witness_file: Option<PathBuf>,
    /// Start without applying migrations; /readyz fails until `tunnelgate migrate` has applied them
    #[arg(long, env = "TUNNELGATE_NO_MIGRATE")]
    pub no_migrate: bool,
    /// TOML file with OIDC issuers and webhooks, and with the accounts of the cloud instead of the TENCENTCLOUD variables. Reloaded when
    /// the file, or a file that it names, changes, and at SIGHUP
    #[arg(long, env = "TUNNELGATE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// SecretId of the cloud credentials; required. The SecretKey has no flag: set TENCENTCLOUD_SECRET_KEY or
    /// TENCENTCLOUD_SECRET_KEY_FILE
    #[arg(long, env = "TENCENTCLOUD_SECRET_ID", hide_env_values = true, value_name = "ID")]
    pub secret_id: Option<String>,
    /// File that contains TENCENTCLOUD_SECRET_ID
    #[arg(long, env = "TENCENTCLOUD_SECRET_ID_FILE", value_name = "FILE", conflicts_with = "secret_id")]
    pub secret_id_file: Option<PathBuf>,
    /// File that contains TENCENTCLOUD_SECRET_KEY
    #[arg(long, env = "TENCENTCLOUD_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// File that contains TENCENTCLOUD_TOKEN, the token of temporary credentials
    #[arg(long, env = "TENCENTCLOUD_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Region of the VPCs, e.g. ap-guangzhou; required
    #[arg(long, env = "TENCENTCLOUD_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// File that contains TENCENTCLOUD_REGION
    #[arg(long, env = "TENCENTCLOUD_REGION_FILE", value_name = "FILE", conflicts_with = "region")]
    pub region_file: Option<PathBuf>,
    /// Version of the cloud's API: v2 (API 2.0) or v3 (API 3.0) [default: v2]
    #[arg(long, env = "TUNNELGATE_UPSTREAM")]
    pub upstream: Option<Upstream>,
    /// URL of the cloud's API. Must be https, except for a loopback address [default:
    /// https://vpc.api.qcloud.com/v2/index.php, with v3 https://vpc.tencentcloudapi.com/]
    #[arg(long, env = "TUNNELGATE_UPSTREAM_URL", value_name = "URL")]
    pub upstream_url: Option<String>,
    /// Allow a plain http URL for any address: credentials and pre-shared keys are then sent unencrypted
    #[arg(long, env = "TUNNELGATE_ALLOW_PLAIN_HTTP")]
    pub allow_plain_http: bool,
    /// Host name in the signature, if requests pass through a relay that changes the host [default: host of the URL,
    /// with its port unless that is the scheme's default]
    #[arg(long, env = "TUNNELGATE_SIGNED_HOST", value_name = "HOST")]
    pub signed_host: Option<String>,
    /// Hash function of the signature of API 2.0: HmacSHA1 or HmacSHA256 [default: HmacSHA1]
    #[arg(long, env = "TUNNELGATE_SIGNATURE_METHOD", value_parser = signature_method, value_name = "METHOD")]
    pub signature_method: Option<SignatureMethod>,
    /// Spelling of nested parameters of API 2.0: indexed (IKESet.0.x) or plain (IKESet.x) [default: indexed]
    #[arg(long, env = "TUNNELGATE_PARAM_STYLE", value_parser = param_style, value_name = "STYLE")]
    pub param_style: Option<ParamStyle>,
    /// How to send a patch that sets only some fields of a group such as ike or ipsec
    #[arg(long, env = "TUNNELGATE_PARTIAL_GROUPS", default_value = "merge")]
    pub partial_groups: PartialGroups,
    /// When to read the tunnel before a change: always, so that the audit log has the values before the change, or
    /// when-needed (partial groups, If-Match, ids of the older form, values beyond the documented ones, API 3.0)
    #[arg(long, env = "TUNNELGATE_READ_BEFORE", default_value = "always", value_parser = read_before,
          value_name = "WHEN")]
    pub read_before: ReadBefore,
    /// Regular expression that the `reason` of every change must match, e.g. ^CHG-[0-9]+. Without a match the change is
    /// refused
    #[arg(long, env = "TUNNELGATE_REQUIRE_REASON", value_parser = pattern, value_name = "REGEX")]
    pub require_reason: Option<Regex>,
    /// Time limit of one call to the cloud, including retries; at most 60s
    #[arg(long, env = "TUNNELGATE_UPSTREAM_TIMEOUT", default_value = "10s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub upstream_timeout: Duration,
    /// Calls to the cloud per second, all replicas together; 0 = no limit
    #[arg(long, env = "TUNNELGATE_UPSTREAM_RPS", default_value = "20",
          value_parser = number::within::<u32>(0..=MAX_U32), value_name = "N")]
    pub upstream_rps: u32,
    /// Wait before the first poll of a cloud task; later waits grow
    #[arg(long, env = "TUNNELGATE_POLL_INTERVAL", default_value = "2s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub poll_interval: Duration,
    /// Longest wait between two polls of a cloud task
    #[arg(long, env = "TUNNELGATE_POLL_MAX_INTERVAL", default_value = "30s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub poll_max_interval: Duration,
    /// Time after which the cloud's next answer ends an operation as timed_out; without its account it ends at once
    #[arg(long, env = "TUNNELGATE_TASK_TIMEOUT", default_value = "30m", value_parser = duration::parse,
          value_name = "DURATION")]
    pub task_timeout: Duration,
    /// Time after which a change without an answer from the cloud counts as not applied if the tunnel does not show it. The
    /// cloud refuses signed calls older than 5 minutes
    #[arg(long, env = "TUNNELGATE_SETTLE_WINDOW", default_value = "5m", value_parser = duration::parse,
          value_name = "DURATION")]
    pub settle_window: Duration,
    /// File that contains TUNNELGATE_FINGERPRINT_KEY, the HMAC key of the fingerprints that replace secrets in the audit
    /// log [default: derived from TENCENTCLOUD_SECRET_KEY]
    #[arg(long, env = "TUNNELGATE_FINGERPRINT_KEY_FILE", value_name = "FILE")]
    pub fingerprint_key_file: Option<PathBuf>,
    /// Time to keep serving after SIGTERM with /readyz failing, so that load balancers remove this process first. SIGINT
    /// skips the delay
    #[arg(long, env = "TUNNELGATE_SHUTDOWN_DELAY", default_value = "5s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub shutdown_delay: Duration,
    /// Longest time that a shutdown waits for requests and polls in progress
    #[arg(long, env = "TUNNELGATE_SHUTDOWN_TIMEOUT", default_value = "30s", value_parser = duration::parse,
          value_name = "DURATION")]
    pub shutdown_timeout: Duration,
    /// HTTP worker threads [default: one per core]
    #[arg(long, env = "TUNNELGATE_WORKERS", value_parser = number::within::<u16>(1..=65_535), value_name = "N")]
    pub workers: Option<u16>,
    /// Open connections; more wait until one closes. Each needs a file descriptor and up to 150 kB of memory while its head
    /// or its answer is unfinished
    #[arg(long, env = "TUNNELGATE_MAX_CONNECTIONS", default_value = "16384",
          value_parser = number::within::<u32>(1..=MAX_U32), value_name = "N")]
    pub max_connections: u32,
}
