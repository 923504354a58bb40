//! The places outside the gateway that its pages may call.

use std::time::Duration;

use tokio::time::timeout;
use url::{Host, Url};

use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// How long a page waits for the issuers' discovery documents. Without them it can be used with an API key.
const LIMIT: Duration = Duration::from_secs(1);

/// The token endpoints of the issuers that people sign in at, as sources of a Content-Security-Policy, each after a blank: the
/// last ones that are known.
pub async fn token_endpoints(state: &HttpState) -> Result<String, Problem> {
    let service = state.service.clone();
    let asked = state.run(async move { service.sign_ins().await });
    if let Ok(answered) = timeout(LIMIT, asked).await {
        answered?;
    }
    let endpoints = state.service.token_endpoints();
    Ok(endpoints.iter().filter_map(|endpoint| source(endpoint)).collect())
}

/// An address as a source: without a query, and without characters that would end the source or the directive. `None` for an
/// IPv6 address, which no source can be (Content Security Policy Level 3, host-source).
fn source(endpoint: &str) -> Option<String> {
    let mut url = Url::parse(endpoint).ok()?;
    if matches!(url.host(), Some(Host::Ipv6(_))) {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let text = String::from(url).replace(';', "%3B").replace(',', "%2C").replace('\'', "%27");
    Some(format!(" {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_adds_one_source_and_nothing_else() {
        for (endpoint, expected) in [
            ("https://a.example/token", " https://a.example/token"),
            ("https://a.example/token?tenant=1#x", " https://a.example/token"),
            ("https://a.example/t;script-src *", " https://a.example/t%3Bscript-src%20*"),
            ("https://a.example/t,'unsafe-inline'", " https://a.example/t%2C%27unsafe-inline%27"),
        ] {
            assert_eq!(source(endpoint).as_deref(), Some(expected));
        }
        assert_eq!(source("no address"), None);
        assert_eq!(source("http://[::1]:8080/token"), None);
    }
}
