//! The address of a gateway.

use std::net::IpAddr;

use reqwest::Url;

/// The address is not one of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("must be a URL such as https://net.example.com/tunnelgate")]
    NoUrl,
    #[error("must contain no user, password, query or fragment")]
    Surplus,
    #[error(
        "plain http sends the token and pre-shared keys unencrypted: use https, a loopback address, or --allow-plain-http"
    )]
    PlainHttp,
}

/// The address of a gateway, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
    pub(super) is_loopback: bool,
}

impl Base {
    /// Parses an address.
    ///
    /// # Errors
    /// If it is not a gateway's, or would send secrets unencrypted over a network without permission.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, InvalidUrl> {
        let url: Url = text.trim().parse().map_err(|_| InvalidUrl::NoUrl)?;
        let host = url.host_str().ok_or(InvalidUrl::NoUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidUrl::NoUrl);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidUrl::Surplus);
        }
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let is_loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if url.scheme() == "http" && !is_loopback && !allow_plain_http {
            return Err(InvalidUrl::PlainHttp);
        }
        Ok(Self { url, is_loopback })
    }

    /// The address without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The address of a call.
    pub(super) fn join(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}
