//! Settings between callers and the service: rate limits, CORS, TLS, trusted proxies.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::http::edge::limit::Quota;
use crate::http::edge::public_url::InvalidPublicUrl;
use crate::http::edge::{Edge, ForwardedHeader, PublicUrl, WebOrigin};
use crate::tls::TlsFiles;

use super::{InvalidSetting, duration};

/// Longest window of a rate limit.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Header that contains the caller's address behind trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Forwarded {
    /// X-Forwarded-For
    XForwardedFor,
    /// Forwarded (RFC 7239)
    Forwarded,
}

/// Flags for rate limits, CORS, TLS and proxies.
#[derive(Debug, Clone, Args)]
pub struct EdgeArgs {
    /// Address that callers use, with the path that a proxy adds, e.g. https://net.example.com/tunnelgate. Location, Link,
    /// problem types and the OpenAPI document name it [default: answers name paths]
    #[arg(long, env = "TUNNELGATE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Requests that one API key or one subject of an OIDC issuer may send, per process, e.g. 600/1m; 0 = no limit
    #[arg(long, env = "TUNNELGATE_RATE_LIMIT", default_value = "0", value_parser = limit, value_name = "N/DURATION")]
    rate_limit: Limit,
    /// Failed sign-ins with API keys allowed per address (IPv6: per /64) and process. Above the limit, keys that this
    /// process has not accepted before are refused without a database query. 0 = no limit
    #[arg(long, env = "TUNNELGATE_SIGN_IN_LIMIT", default_value = "60/1m", value_parser = limit,
          value_name = "N/DURATION")]
    sign_in_limit: Limit,
    /// Origins whose pages may call the API from a browser (CORS), e.g. https://console.example.com; comma-separated
    #[arg(long, env = "TUNNELGATE_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    cors_origins: Vec<String>,
    /// TLS certificate chain as PEM, the server's certificate first. Reloaded when the file changes and at SIGHUP.
    /// Without it the service speaks plain HTTP
    #[arg(long, env = "TUNNELGATE_TLS_CERT_FILE", value_name = "FILE")]
    tls_cert_file: Option<PathBuf>,
    /// Private key of the TLS certificate, as PEM
    #[arg(long, env = "TUNNELGATE_TLS_KEY_FILE", value_name = "FILE")]
    tls_key_file: Option<PathBuf>,
    /// Networks of your proxies, e.g. 10.0.0.0/8; comma-separated. The caller's address is read from the forwarded header
    /// only if the connection comes from one of them
    #[arg(long, env = "TUNNELGATE_TRUSTED_PROXIES", value_delimiter = ',', value_name = "CIDR")]
    trusted_proxies: Vec<String>,
    /// Header in which the trusted proxies pass the caller's address
    #[arg(
        long,
        env = "TUNNELGATE_FORWARDED_HEADER",
        default_value = "x-forwarded-for",
        value_name = "HEADER"
    )]
    forwarded_header: Forwarded,
}

/// A rate limit; `None` = no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit(Option<Quota>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "0" {
        return Ok(Limit(None));
    }
    let form = "must be a number and a duration, such as 600/1m, or 0 for no limit";
    let (count, window) = text.split_once('/').ok_or(form)?;
    let count: u32 = count.parse().map_err(|_| form)?;
    let count = NonZeroU32::new(count).ok_or("must allow at least 1, or be 0 for no limit")?;
    let window = duration::parse(window).map_err(|_| form)?;
    if window < Duration::from_secs(1) || window > LONGEST_WINDOW || window.subsec_nanos() != 0 {
        return Err("the duration must be whole seconds, from 1s to 24h".into());
    }
    Ok(Limit(Some(Quota { count, window })))
}

impl EdgeArgs {
    /// The checked settings.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn edge(&self) -> Result<Edge, InvalidSetting> {
        let given = |text: &&String| !text.trim().is_empty();
        let origins = self.cors_origins.iter().filter(given).map(|text| {
            let parsed: Result<WebOrigin, _> = text.trim().parse();
            parsed.map_err(|error| {
                InvalidSetting::new("TUNNELGATE_CORS_ORIGINS (--cors-origins)", format!("{text:?} {error}"))
            })
        });
        let proxies = self.trusted_proxies.iter().filter(given).map(|text| {
            network(text.trim()).ok_or_else(|| {
                let problem = format!("{text:?} is not a network such as 10.0.0.0/8");
                InvalidSetting::new("TUNNELGATE_TRUSTED_PROXIES (--trusted-proxies)", problem)
            })
        });
        Ok(Edge {
            public_url: public_url(self.public_url.as_deref())?,
            rate_limit: self.rate_limit.0,
            sign_in_limit: self.sign_in_limit.0,
            cors_origins: origins.collect::<Result<_, _>>()?,
            trusted_proxies: proxies.collect::<Result<_, _>>()?,
            forwarded_header: match self.forwarded_header {
                Forwarded::XForwardedFor => ForwardedHeader::XForwardedFor,
                Forwarded::Forwarded => ForwardedHeader::Forwarded,
            },
            ..Edge::default()
        })
    }

    /// The certificate and key files; `None` = plain HTTP.
    ///
    /// # Errors
    /// If only one of the two files is given.
    pub fn tls(&self) -> Result<Option<TlsFiles>, InvalidSetting> {
        let given = |file: &Option<PathBuf>| file.clone().filter(|file| !file.as_os_str().is_empty());
        match (given(&self.tls_cert_file), given(&self.tls_key_file)) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(InvalidSetting::new(
                "TUNNELGATE_TLS_KEY_FILE (--tls-key-file)",
                "is missing: TLS needs both the certificate and the key file",
            )),
            (None, Some(_)) => Err(InvalidSetting::new(
                "TUNNELGATE_TLS_CERT_FILE (--tls-cert-file)",
                "is missing: TLS needs both the certificate and the key file",
            )),
        }
    }
}

/// The checked public URL; empty counts as unset.
///
/// # Errors
/// If it is no URL of a service.
pub fn public_url(text: Option<&str>) -> Result<Option<PublicUrl>, InvalidSetting> {
    let given = text.map(str::trim).filter(|text| !text.is_empty());
    given.map(str::parse).transpose().map_err(|fault: InvalidPublicUrl| {
        InvalidSetting::new("TUNNELGATE_PUBLIC_URL (--public-url)", fault.to_string())
    })
}

/// Parses a network, or a single address as a network of one.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_and_a_duration() {
        let quota = |count, seconds| {
            let count = NonZeroU32::new(count).expect("more than none");
            Ok(Limit(Some(Quota { count, window: Duration::from_secs(seconds) })))
        };
        assert_eq!(limit("600/1m"), quota(600, 60));
        assert_eq!(limit("1/1s"), quota(1, 1));
        assert_eq!(limit("0"), Ok(Limit(None)));
        for text in
            ["", "600", "600/", "/1m", "0/1m", "-1/1m", "5/500ms", "5/1500ms", "5/2d", "5/m", "5/1m/2"]
        {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_may_be_one_address() {
        assert_eq!(network("10.0.0.0/8").map(|net| net.to_string()), Some("10.0.0.0/8".into()));
        assert_eq!(network("2001:db8::1").map(|net| net.to_string()), Some("2001:db8::1/128".into()));
        assert_eq!(network("10.0.0.0/33"), None);
        assert_eq!(network("proxy.example"), None);
    }
}
