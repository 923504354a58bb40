//! The settings of the edge.

use std::time::Duration;

use ipnet::IpNet;

use super::cors::WebOrigin;
use super::limit::Quota;
use super::public_url::PublicUrl;

/// The default heartbeat interval, shorter than the idle timeouts of proxies.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// The default of the longest wait. Proxies commonly give up after 60 s.
pub const LONGEST_WAIT: Duration = Duration::from_secs(55);

/// The settings of the edge. Optional features are off by default.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The address that callers use; `None` = answers name paths.
    pub public_url: Option<PublicUrl>,
    /// Requests of one principal to this process; `None` = no limit.
    pub rate_limit: Option<Quota>,
    /// Failed sign-ins of one address to this process; `None` = no limit.
    pub sign_in_limit: Option<Quota>,
    /// Origins whose pages may call from a browser.
    pub cors_origins: Vec<WebOrigin>,
    /// Proxies whose forwarding header is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The forwarding header of those proxies.
    pub forwarded_header: ForwardedHeader,
    /// The interval at which a stream sends a heartbeat and authenticates its caller again.
    pub heartbeat: Duration,
    /// The longest wait that `Prefer: wait=N` can ask for, in whole seconds.
    pub longest_wait: Duration,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            public_url: None,
            rate_limit: None,
            sign_in_limit: None,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            heartbeat: HEARTBEAT,
            longest_wait: LONGEST_WAIT,
        }
    }
}

/// The header in which trusted proxies name the client. Only one is trusted: a proxy that sets one of the headers forwards
/// the other unchanged from its client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: 198.51.100.7, 10.0.0.2`
    #[default]
    XForwardedFor,
    /// `Forwarded: for=198.51.100.7;proto=https, for=10.0.0.2` (RFC 7239)
    Forwarded,
}
