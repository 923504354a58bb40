//! What stands between the callers and the routes: who is believed about addresses, how often somebody may call, which
//! pages of other hosts may call, how answers are packed, and which have no body.

mod compress;
mod cors;
mod head;
pub mod limit;
pub mod source;

use ipnet::IpNet;

pub use compress::compressed;
pub use cors::{InvalidOrigin, WebOrigin, explained};
pub use head::headed;

use limit::Quota;
use source::ForwardedHeader;

/// The settings of the edge. Everything is off by default.
#[derive(Debug, Clone, Default)]
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
}

impl Edge {
    /// The middleware for pages of other hosts: a switch and what it switches.
    pub fn cors(&self) -> (bool, actix_cors::Cors) {
        (!self.cors_origins.is_empty(), cors::middleware(&self.cors_origins))
    }
}
