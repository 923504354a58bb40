//! The URL of the cloud's API.

use std::net::IpAddr;

use reqwest::Url;

/// A checked URL of the cloud's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    /// The host that is signed: the URL's, with its port unless that is the scheme's default, or the operator's choice.
    pub signed_host: String,
    /// The path that is signed.
    pub path: String,
    /// The host is this machine.
    pub is_loopback: bool,
}

/// Why a URL can't be the cloud's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    #[error("must be a URL such as https://vpc.api.qcloud.com/v2/index.php")]
    NoUrl,
    #[error("must begin with https:// (or http:// for a loopback address)")]
    Scheme,
    #[error("must hold no user, password, query or fragment")]
    Surplus,
    #[error(
        "plain http sends credentials and pre-shared keys in clear: use https, a loopback address, or \
         --allow-plain-http"
    )]
    PlainHttp,
}

impl Endpoint {
    /// Parses a URL.
    ///
    /// # Errors
    /// If it can't be the cloud's, or would send secrets unencrypted over a network without permission.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, InvalidEndpoint> {
        let url: Url = text.parse().map_err(|_| InvalidEndpoint::NoUrl)?;
        let host = url.host_str().ok_or(InvalidEndpoint::NoUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidEndpoint::Scheme);
        }
        let is_surplus = !url.username().is_empty() || url.password().is_some();
        if is_surplus || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidEndpoint::Surplus);
        }
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let is_loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if url.scheme() == "http" && !is_loopback && !allow_plain_http {
            return Err(InvalidEndpoint::PlainHttp);
        }
        let signed_host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self { url: url.to_string(), signed_host, path: url.path().to_owned(), is_loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_signed_only_where_it_is_not_the_scheme_s_own() {
        let host = |url: &str| Endpoint::parse(url, true).map(|endpoint| endpoint.signed_host);
        assert_eq!(host("https://vpc.api.qcloud.com:443/v2/index.php"), Ok("vpc.api.qcloud.com".into()));
        assert_eq!(host("http://127.0.0.1:9090/v2/index.php"), Ok("127.0.0.1:9090".into()));
    }

    #[test]
    fn plain_http_needs_a_loopback_address_or_leave() {
        assert_eq!(Endpoint::parse("http://cloud:9090/", false), Err(InvalidEndpoint::PlainHttp));
        assert!(Endpoint::parse("http://cloud:9090/", true).is_ok());
        for loopback in ["http://127.0.0.1/", "http://localhost:1/", "http://[::1]:1/"] {
            assert!(Endpoint::parse(loopback, false).is_ok(), "{loopback}");
        }
        assert_eq!(Endpoint::parse("http://127.0.0.1.example.com/", false), Err(InvalidEndpoint::PlainHttp));
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        assert_eq!(Endpoint::parse("vpc.api.qcloud.com", false), Err(InvalidEndpoint::NoUrl));
        assert_eq!(Endpoint::parse("ftp://a/", false), Err(InvalidEndpoint::Scheme));
        assert_eq!(Endpoint::parse("https://a:b@c/", false), Err(InvalidEndpoint::Surplus));
        assert_eq!(Endpoint::parse("https://c/?Action=x", false), Err(InvalidEndpoint::Surplus));
    }
}
