//! The address under which callers reach the service.

use std::sync::Arc;

use url::Url;

/// The first segments of the service's own paths. A public URL whose path starts with one of them would be ambiguous.
pub const OWN_PATHS: &[&str] = &[
    "accounts",
    "audit-events",
    "console",
    "docs",
    "drift",
    "livez",
    "metrics",
    "openapi.json",
    "operations",
    "principal",
    "problems",
    "readyz",
    "sign-in",
    "tunnels",
    "vpcs",
];

/// The URL that callers use, without a trailing slash: `https://net.example.com/tunnelgate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    url: Arc<str>,
    /// Length of scheme, host and port.
    origin: usize,
}

/// The text is no public URL. The messages do not repeat it, because it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicUrl {
    #[error("must be a URL with a host, such as https://net.example.com/tunnelgate")]
    Form,
    #[error("must start with https:// or http://")]
    Scheme,
    #[error("must not contain a user name or a password")]
    User,
    #[error("must not contain a query (?) or a fragment (#)")]
    Query,
    #[error("the path may contain letters, digits and - . _ ~ between single slashes")]
    Path,
    #[error("the path must not start with /{0}, which is a path of the service itself")]
    Own(&'static str),
}

impl PublicUrl {
    /// The address of a path of the service, which starts with a slash.
    #[must_use]
    pub fn of(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The path that the proxy adds, such as `/tunnelgate`; empty if it adds none.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.get(self.origin..).unwrap_or_default()
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(text).map_err(|_| InvalidPublicUrl::Form)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidPublicUrl::Scheme);
        }
        // The parser repairs `https:host`, `https:\\host` and paths with dots; a setting must be what it says.
        let (_, rest) = text.split_once("://").ok_or(InvalidPublicUrl::Form)?;
        if !url.username().is_empty() || url.password().is_some() || rest.contains('@') {
            return Err(InvalidPublicUrl::User);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidPublicUrl::Query);
        }
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_segment = |segment: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
        };
        let mut segments = path.split('/').skip(1);
        if !segments.clone().all(is_segment) || rest.contains('\\') {
            return Err(InvalidPublicUrl::Path);
        }
        if let Some(own) = segments.next().and_then(|first| OWN_PATHS.iter().find(|own| **own == first)) {
            return Err(InvalidPublicUrl::Own(own));
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { url: format!("{origin}{path}").into(), origin: origin.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, InvalidPublicUrl> {
        text.parse::<PublicUrl>().map(|url| url.to_string())
    }

    #[test]
    fn scheme_host_port_and_path_are_kept_and_a_last_slash_is_not() {
        for (text, url, path) in [
            ("https://net.example.com", "https://net.example.com", ""),
            ("https://net.example.com/", "https://net.example.com", ""),
            ("https://net.example.com/tunnelgate", "https://net.example.com/tunnelgate", "/tunnelgate"),
            ("HTTPS://Net.Example.com:443/a/B.c~_-/", "https://net.example.com/a/B.c~_-", "/a/B.c~_-"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x", "/x"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", ""),
            ("https://netz.bücher.example", "https://netz.xn--bcher-kva.example", ""),
        ] {
            let read: PublicUrl = text.parse().expect(text);
            assert_eq!((read.to_string().as_str(), read.path()), (url, path));
            assert_eq!(read.of("/operations/1"), format!("{url}/operations/1"));
            assert_eq!(read.is_https(), url.starts_with("https:"));
        }
    }

    #[test]
    fn what_is_no_public_url_is_refused_with_its_fault() {
        use InvalidPublicUrl::{Form, Own, Path, Query, Scheme, User};
        for (text, fault) in [
            ("", Form),
            ("net.example.com/tunnelgate", Form),
            ("/tunnelgate", Form),
            ("https://", Form),
            ("https:net.example.com", Form),
            ("https://net.example.com:99999", Form),
            ("ftp://net.example.com", Scheme),
            ("localhost:8080", Scheme),
            ("https://user:password@net.example.com", User),
            ("https://@net.example.com", User),
            ("https://net.example.com/?a=b", Query),
            ("https://net.example.com/tunnelgate#top", Query),
            ("https://net.example.com/a//b", Path),
            ("https://net.example.com/a/../b", Path),
            ("https://net.example.com/a%20b", Path),
            ("https://net.example.com/a b", Path),
            ("https://net.example.com/a//", Path),
            ("https://net.example.com\\a", Path),
            ("https://net.example.com/operations", Own("operations")),
            ("https://net.example.com/docs/tunnelgate", Own("docs")),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
        assert!(read("https://net.example.com/operations-2").is_ok());
    }
}
