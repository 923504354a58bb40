//! How often callers may call, and how often they may fail to sign in.

use std::net::IpAddr;

use crate::http::edge::Edge;
use crate::http::edge::limit::Limiter;

/// How often one may call, in this process.
pub struct Limits {
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
