//! What stands between the callers and the routes: who is believed about addresses, how often somebody may call, which
//! pages of other hosts may call, how answers are packed, and which have no body.

mod compress;
mod cors;
mod head;
pub mod limit;
pub mod source;

use std::time::Duration;

use ipnet::IpNet;

pub use compress::compressed;
pub use cors::{InvalidOrigin, WebOrigin, explained};
pub use head::headed;

use limit::Quota;
use source::ForwardedHeader;

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

impl Edge {
    /// The middleware for pages of other hosts: a switch and what it switches.
    pub fn cors(&self) -> (bool, actix_cors::Cors) {
        (!self.cors_origins.is_empty(), cors::middleware(&self.cors_origins))
    }
}
