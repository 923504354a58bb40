//! DATABASE_URL as options of connections.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::ledger::OpenError;

use super::hosts;
use super::primary::Hosts;

const PLAIN: &str = "allows an unencrypted connection to a database on another machine; use sslmode=verify-full (the \
     default), verify-ca or require, or allow plain text with TUNNELGATE_ALLOW_PLAIN_DATABASE (--allow-plain-database)";

/// Parses the URLs of DATABASE_URL, one for each host.
///
/// # Errors
/// As [`parse`], and if the list of hosts is invalid.
pub(super) fn hosts(url: &str, allow_plain: bool) -> Result<Hosts, OpenError> {
    let split = hosts::split(url).map_err(|wrong| OpenError::Refused(wrong.into()))?;
    let each = split.urls.iter().map(|url| parse(url, allow_plain)).collect::<Result<_, _>>()?;
    Ok(Hosts { each, only_primary: split.only_primary })
}

/// Parses the URL. A connection to another machine uses TLS and verifies the server's certificate and host name, unless
/// the URL names another mode.
///
/// # Errors
/// If the URL is invalid, or allows plain text to another machine without `allow_plain`.
fn parse(url: &str, allow_plain: bool) -> Result<PgConnectOptions, OpenError> {
    let mut connect = PgConnectOptions::from_str(url).map_err(OpenError::Url)?;
    if !is_local(&connect) {
        if !names_ssl_mode(url) {
            connect = connect.ssl_mode(PgSslMode::VerifyFull);
        }
        let may_be_plain =
            matches!(connect.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer);
        if may_be_plain && !allow_plain {
            return Err(OpenError::Refused(PLAIN.into()));
        }
    }
    // PgBouncer refuses extra_float_digits, and no column is a float.
    Ok(connect.application_name("tunnelgate").extra_float_digits(None).disable_statement_logging())
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
    fn every_host_of_a_list_needs_tls() {
        let hosts =
            hosts("postgres://u@localhost,db.example/x", false).map(|hosts| hosts.each).expect("hosts");
        let modes: Vec<_> = hosts.iter().map(PgConnectOptions::get_ssl_mode).collect();
        assert!(matches!(modes[..], [PgSslMode::Prefer, PgSslMode::VerifyFull]), "{modes:?}");
        let refused = super::hosts("postgres://u@localhost,db.example/x?sslmode=disable", false);
        assert!(refused.is_err_and(|error| error.to_string().contains("--allow-plain-database")));
    }
}
