//! The URL of a receiver.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// A checked URL of a receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    url: Url,
    is_loopback: bool,
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Why a URL can't be a receiver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("must be a URL such as https://hooks.example.com/tunnelgate")]
    NoUrl,
    #[error("must begin with https:// (or http:// for a loopback address)")]
    Scheme,
    #[error("must contain no user, password, fragment or blank")]
    Surplus,
    #[error("plain http shows the events to others on the network: use https or a loopback address")]
    PlainHttp,
}

impl WebhookUrl {
    /// Parses a URL. A query is allowed: some receivers want a token there.
    ///
    /// # Errors
    /// If the URL can't be a receiver's, or events would cross a network unencrypted.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(InvalidUrl::Surplus);
        }
        let url: Url = text.parse().map_err(|_| InvalidUrl::NoUrl)?;
        let host = url.host_str().ok_or(InvalidUrl::NoUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(InvalidUrl::Surplus);
        }
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let is_loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if url.scheme() == "http" && !is_loopback {
            return Err(InvalidUrl::PlainHttp);
        }
        Ok(Self { url, is_loopback })
    }

    /// Scheme, host and port. Path and query may contain a token.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{}/***", self.url.origin().ascii_serialization())
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    pub(super) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_needs_a_loopback_address() {
        for loopback in ["http://127.0.0.1:8000/a", "http://localhost/", "http://[::1]:1/"] {
            assert!(WebhookUrl::parse(loopback).is_ok(), "{loopback}");
        }
        assert_eq!(WebhookUrl::parse("http://hooks.example.com/"), Err(InvalidUrl::PlainHttp));
        assert_eq!(WebhookUrl::parse("http://127.0.0.1.example.com/"), Err(InvalidUrl::PlainHttp));
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        assert_eq!(WebhookUrl::parse("hooks.example.com"), Err(InvalidUrl::NoUrl));
        assert_eq!(WebhookUrl::parse("ftp://a/"), Err(InvalidUrl::Scheme));
        for surplus in ["https://a:b@c/", "https://c/#x", "https://c/ d"] {
            assert_eq!(WebhookUrl::parse(surplus), Err(InvalidUrl::Surplus), "{surplus}");
        }
    }

    #[test]
    fn a_token_in_path_or_query_is_not_shown() -> Result<(), InvalidUrl> {
        let url = WebhookUrl::parse("https://hooks.example.com:8443/canary?token=canary")?;
        assert_eq!(url.masked(), "https://hooks.example.com:8443/***");
        assert_eq!(format!("{url:?}"), "https://hooks.example.com:8443/***");
        Ok(())
    }
}
