//! The limits on requests and on failed sign-ins.

use std::net::IpAddr;

use crate::http::edge::Edge;
use crate::http::edge::limit::Limiter;

/// The rate limits of this process.
pub struct Limits {
    /// Requests by principal.
    pub principals: Option<Limiter<String>>,
    /// Failed sign-ins by address.
    pub sign_ins: Option<Limiter<IpAddr>>,
}

impl Limits {
    pub fn new(edge: &Edge) -> Self {
        Self {
            principals: edge.rate_limit.map(|quota| Limiter::new("default", quota)),
            sign_ins: edge.sign_in_limit.map(|quota| Limiter::new("sign-in", quota)),
        }
    }
}
