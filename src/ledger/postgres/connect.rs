//! The options of every connection, and of the connections that write.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Row};

use crate::ledger::{OpenError, SynchronousCommit};

const SEVERAL_HOSTS: &str = "names several hosts, which this version does not support; name one address that always leads \
     to the primary, such as a virtual IP address, a DNS name or a proxy that follows failovers";
const PLAIN: &str = "allows an unencrypted connection to a database on another machine; use sslmode=verify-full (the \
     default), verify-ca or require, or allow plain text with TUNNELGATE_ALLOW_PLAIN_DATABASE (--allow-plain-database)";

const POOLER: &str = "leads to a connection pooler that drops startup options, such as PgBouncer, which tunnelgate does not \
     support; connect to PostgreSQL directly";

/// An option of every connection, by which [`check`] notices a pooler that ignores options.
pub(super) const PLANNING: (&str, &str) = ("random_page_cost", "1.1");

/// Names the cause of a failed connection. PgBouncer refuses startup options that it does not know, and in transaction mode
/// it loses prepared statements (26000) or sees the same name twice (42P05).
pub(super) fn explain(error: sqlx::Error) -> OpenError {
    let is_pooler = error.as_database_error().is_some_and(|refusal| {
        refusal.message().contains("unsupported startup parameter")
            || refusal.code().is_some_and(|code| matches!(&*code, "26000" | "42P05"))
    });
    if is_pooler { OpenError::Refused(POOLER) } else { OpenError::Connect(error) }
}

/// Checks that the session has the option [`PLANNING`]: a pooler may ignore them.
///
/// # Errors
/// If the options are not set, or the query fails.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    let select = sqlx::query("SELECT current_setting('random_page_cost') = '1.1'").fetch_one(connection);
    let is_set: bool = select.await.and_then(|row| row.try_get(0)).map_err(explain)?;
    if is_set { Ok(()) } else { Err(OpenError::Refused(POOLER)) }
}

/// Parses the URL. A connection to another machine uses TLS and verifies the server's certificate and host name, unless
/// the URL names another mode.
///
/// # Errors
/// If the URL is invalid, names several hosts, or allows plain text to another machine without `allow_plain`.
pub(super) fn parse(url: &str, allow_plain: bool) -> Result<PgConnectOptions, OpenError> {
    if has_several_hosts(url) {
        return Err(OpenError::Refused(SEVERAL_HOSTS));
    }
    let mut connect = PgConnectOptions::from_str(url).map_err(OpenError::Url)?;
    if !is_local(&connect) {
        if !names_ssl_mode(url) {
            connect = connect.ssl_mode(PgSslMode::VerifyFull);
        }
        let may_be_plain =
            matches!(connect.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer);
        if may_be_plain && !allow_plain {
            return Err(OpenError::Refused(PLAIN));
        }
    }
    Ok(connect.application_name("tunnelgate").disable_statement_logging())
}

/// The hosts are between `//` and the next `/` or `?`, after the user; the parameter `host` replaces them.
fn has_several_hosts(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let mut parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    let has_comma = |text: &str| text.contains(',') || text.to_ascii_lowercase().contains("%2c");
    has_comma(hosts)
        || parameters.any(|(name, value)| matches!(name, "host" | "hostaddr" | "port") && has_comma(value))
}

fn names_ssl_mode(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|parameter| matches!(parameter.split('=').next(), Some("sslmode" | "ssl-mode")))
}

/// True for a Unix socket and for loopback addresses.
fn is_local(connect: &PgConnectOptions) -> bool {
    let host = connect.get_host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    connect.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

/// The settings of every connection.
pub(super) fn common(connect: PgConnectOptions, limit: Duration) -> PgConnectOptions {
    let millis = limit.as_millis().to_string();
    // jit: compiling a statement takes some 200 ms, longer than any statement runs.
    // random_page_cost: the default fits rotating disks. With it the planner reads many rows in physical order instead
    // of a few by an index.
    connect.options([
        ("statement_timeout", millis.as_str()),
        ("lock_timeout", millis.as_str()),
        ("jit", "off"),
        PLANNING,
    ])
}

/// The settings of connections that read lists. Every list has the order of an index. A bitmap scan loses the order and
/// must collect all matches first.
pub(super) fn listing(connect: PgConnectOptions) -> PgConnectOptions {
    connect.options([("enable_bitmapscan", "off")])
}

/// The settings of connections that write batches.
pub(super) fn writing(
    connect: PgConnectOptions,
    limit: Duration,
    synchronous_commit: SynchronousCommit,
) -> PgConnectOptions {
    // A process that is suspended or cut off from the network during a batch keeps the chain head locked. The server
    // ends such a transaction before the time limit of the other replicas.
    let longest_pause = (limit / 2).as_millis().max(1).to_string();
    // The writer looks up a few rows by key. These settings make the planner use the indexes whatever the size of the
    // tables, and plan each statement once.
    connect.options([
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("idle_in_transaction_session_timeout", longest_pause.as_str()),
        // Overrides a setting of the server, the database or the role that confirms a commit before it is on disk.
        ("synchronous_commit", synchronous_commit.as_str()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str, allow_plain: bool) -> Result<PgSslMode, String> {
        parse(url, allow_plain).map(|connect| connect.get_ssl_mode()).map_err(|error| error.to_string())
    }

    #[test]
    fn another_machine_is_reached_by_verified_tls_unless_the_url_names_another_mode() {
        for url in ["postgres://u@db.example/x", "postgres://u:p%40w@10.0.0.7:5433/x?application_name=y"] {
            assert!(matches!(mode(url, false), Ok(PgSslMode::VerifyFull)), "{url}");
        }
        let named = mode("postgres://u@db.example/x?sslmode=require", false);
        assert!(matches!(named, Ok(PgSslMode::Require)));
        for plain in ["disable", "allow", "prefer"] {
            let url = format!("postgres://u@db.example/x?sslmode={plain}");
            let refused = mode(&url, false).expect_err(&url);
            assert!(
                refused.starts_with("DATABASE_URL ") && refused.contains("--allow-plain-database"),
                "{refused}"
            );
            assert!(mode(&url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn this_machine_needs_no_tls() {
        for host in ["localhost", "127.0.0.1:5433", "[::1]:5433", "%2Frun%2Fpostgresql"] {
            for parameter in ["", "?sslmode=disable"] {
                let url = format!("postgres://u@{host}/x{parameter}");
                assert!(mode(&url, false).is_ok(), "{url}");
            }
        }
        assert!(mode("postgres:///x?host=/run/postgresql", false).is_ok());
    }

    #[test]
    fn several_hosts_are_refused() {
        for url in [
            "postgres://a,b/x?target_session_attrs=read-write",
            "postgres://u:p@a:5432,b:5433/x",
            "postgres:///x?host=a,b",
            "postgres:///x?host=a%2Cb",
        ] {
            let refused = mode(url, false).expect_err(url);
            assert!(refused.contains("several hosts"), "{refused}");
        }
        assert!(mode("postgres://u:a,b@localhost/x?application_name=a,b", false).is_ok());
    }
}
