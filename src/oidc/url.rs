//! The URLs of an issuer.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// The path of the discovery document below an issuer (OpenID Connect Discovery 1.0).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer as its tokens name it in `iss`: compared as text, so a trailing slash counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerUrl {
    text: String,
    is_loopback: bool,
    /// Plain http is allowed beyond this machine.
    allow_plain_http: bool,
}

/// Why a text can't be an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    #[error("must be a URL such as https://login.example.com/realms/corp")]
    NoUrl,
    #[error("must begin with https:// (or http:// for a loopback address)")]
    Scheme,
    #[error("must contain no user, password, query, fragment or blank")]
    Surplus,
    #[error(
        "plain http lets others forge the keys of the issuer: use https, a loopback address, or --allow-plain-http"
    )]
    PlainHttp,
}

impl IssuerUrl {
    /// Parses an issuer.
    ///
    /// # Errors
    /// If the text can't be an issuer, or its keys would come over plain http without permission.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, InvalidIssuer> {
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(InvalidIssuer::Surplus);
        }
        let url = safe(text, allow_plain_http)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidIssuer::Surplus);
        }
        Ok(Self { text: text.to_owned(), is_loopback: is_loopback(&url), allow_plain_http })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The issuer is on this machine.
    pub(super) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// The address of the discovery document.
    pub(super) fn discovery(&self) -> String {
        format!("{}{DISCOVERY}", self.text.trim_end_matches('/'))
    }

    /// Parses an address from the discovery document: https, or plain http where the issuer itself may have it.
    pub(super) fn endpoint(&self, text: &str) -> Option<Url> {
        let allow = self.allow_plain_http && self.text.starts_with("http://");
        let url = safe(text, allow).ok()?;
        // The address of an issuer with https must not lead back to plain http.
        (url.scheme() == "https" || self.text.starts_with("http://")).then_some(url)
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A URL that can be fetched without a way for others to change the answer.
fn safe(text: &str, allow_plain_http: bool) -> Result<Url, InvalidIssuer> {
    let url: Url = text.parse().map_err(|_| InvalidIssuer::NoUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(InvalidIssuer::Scheme);
    }
    if url.host_str().is_none() {
        return Err(InvalidIssuer::NoUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidIssuer::Surplus);
    }
    if url.scheme() == "http" && !is_loopback(&url) && !allow_plain_http {
        return Err(InvalidIssuer::PlainHttp);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_needs_a_loopback_address_or_permission() {
        assert_eq!(IssuerUrl::parse("http://login.example.com", false), Err(InvalidIssuer::PlainHttp));
        for issuer in ["http://127.0.0.1:8080/realms/a", "http://[::1]/", "http://localhost", "https://a.b"] {
            assert!(IssuerUrl::parse(issuer, false).is_ok(), "{issuer}");
        }
        assert!(IssuerUrl::parse("http://login.example.com", true).is_ok());
    }

    #[test]
    fn a_text_that_names_no_place_or_more_than_a_place_is_refused() {
        for (text, fault) in [
            ("login.example.com", InvalidIssuer::NoUrl),
            ("ldap://a", InvalidIssuer::Scheme),
            ("https://a:b@c", InvalidIssuer::Surplus),
            ("https://c?tenant=1", InvalidIssuer::Surplus),
            ("https://c#x", InvalidIssuer::Surplus),
            ("https://c/a b", InvalidIssuer::Surplus),
        ] {
            assert_eq!(IssuerUrl::parse(text, true), Err(fault), "{text}");
        }
    }

    #[test]
    fn the_document_is_below_the_issuer_with_or_without_a_slash_at_its_end() {
        for issuer in ["https://a/realms/b", "https://a/realms/b/"] {
            let issuer = IssuerUrl::parse(issuer, false).expect("an issuer");
            assert_eq!(issuer.discovery(), "https://a/realms/b/.well-known/openid-configuration");
        }
    }

    #[test]
    fn an_issuer_with_https_never_leads_to_plain_http() {
        let secure = IssuerUrl::parse("https://a", true).expect("an issuer");
        assert!(secure.endpoint("https://keys.example.com/jwks").is_some());
        assert!(secure.endpoint("http://127.0.0.1/jwks").is_none());
        assert!(secure.endpoint("http://a/jwks").is_none());
        let local = IssuerUrl::parse("http://127.0.0.1:1", false).expect("an issuer");
        assert!(local.endpoint("http://127.0.0.1:1/jwks").is_some());
        assert!(local.endpoint("http://a/jwks").is_none());
        assert!(local.endpoint("file:///etc/passwd").is_none());
    }
}
