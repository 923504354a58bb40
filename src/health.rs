//! Asks a gateway on this machine whether it lives or is ready: the client side of `/livez` and `/readyz`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::causes::chain;

/// Size limit of a response; a problem has a few hundred bytes.
const MAX_BODY: usize = 64 * 1024;

/// What to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// `/livez`: the process answers requests.
    Alive,
    /// `/readyz`: the ledger accepts writes too.
    Ready,
}

/// Why the gateway is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    #[error("{url}: no response within {} ms", limit.as_millis())]
    TimedOut { url: String, limit: Duration },
    #[error("{url}: {cause}")]
    NoResponse { url: String, cause: String },
    #[error("{url}: status {status}{}", detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused { url: String, status: u16, detail: Option<String> },
}

/// Asks the gateway that listens on `listen`, within `limit`. Returns the URL that answered 200.
///
/// # Errors
/// If the gateway does not answer in time, or with another status.
pub async fn ask(
    question: Question,
    listen: SocketAddr,
    is_tls: bool,
    limit: Duration,
) -> Result<String, Unhealthy> {
    let path = match question {
        Question::Alive => "livez",
        Question::Ready => "readyz",
    };
    let scheme = if is_tls { "https" } else { "http" };
    let url = format!("{scheme}://{}/{path}", reachable(listen));
    let failed = |error: reqwest::Error| Unhealthy::NoResponse {
        url: url.clone(),
        cause: chain(&error.without_url()),
    };
    let until = Instant::now() + limit;
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The certificate names the address that callers use, not this machine's own. The request contains no secret, and a
    // program that answers in the gateway's place could only claim to be healthy.
    let client = reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .user_agent(concat!("tunnelgate-health/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(failed)?;
    let exchange = async {
        let mut response = client.get(&url).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        if status == 200 {
            Ok(url.clone())
        } else {
            Err(Unhealthy::Refused { url: url.clone(), status, detail: detail(&body) })
        }
    };
    match timeout_at(until, exchange).await {
        Ok(answered) => answered,
        Err(_) => Err(Unhealthy::TimedOut { url: url.clone(), limit }),
    }
}

/// The address at which a process on this machine reaches a listener: the loopback address if it listens on all addresses.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The `detail` of a problem, or else its `title`, on one line.
fn detail(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = problem["detail"].as_str().or_else(|| problem["title"].as_str())?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_loopback() {
        let of = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(of("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(of("[::]:8080"), "[::1]:8080");
        assert_eq!(of("10.1.2.3:80"), "10.1.2.3:80");
    }

    #[test]
    fn a_problem_is_told_on_one_line() {
        assert_eq!(detail(br#"{"title":"t","detail":"two\n lines"}"#), Some("two lines".into()));
        assert_eq!(detail(br#"{"title":"t"}"#), Some("t".into()));
        assert_eq!(detail(b"<html>"), None);
    }
}
