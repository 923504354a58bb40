//! The settings of the edge.

use std::time::Duration;

use ipnet::IpNet;

use super::cors::WebOrigin;
use super::limit::Quota;

/// Silence that proxies bear.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// The settings of the edge. What can be off is off by default.
#[derive(Debug, Clone)]
pub struct Edge {
    /// What one principal may ask for, in this process; `None` = as much as it likes.
    pub rate_limit: Option<Quota>,
    /// How many failed sign-ins one address may have, in this process; `None` = as many as it likes.
    pub sign_in_limit: Option<Quota>,
    /// Whose pages may call from a browser.
    pub cors_origins: Vec<WebOrigin>,
    /// Who is believed about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Where they say so.
    pub forwarded_header: ForwardedHeader,
    /// How often a stream gives a sign of life, and looks whether its caller may still see it.
    pub heartbeat: Duration,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            rate_limit: None,
            sign_in_limit: None,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            heartbeat: HEARTBEAT,
        }
    }
}

/// Where trusted proxies say whom they forward for. Exactly one header is believed: a proxy that writes one of them
/// passes the other on as its caller sent it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: 198.51.100.7, 10.0.0.2`
    #[default]
    XForwardedFor,
    /// `Forwarded: for=198.51.100.7;proto=https, for=10.0.0.2` (RFC 7239)
    Forwarded,
}
