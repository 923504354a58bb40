//! Which tunnels the list contains.

use crate::domain::tunnel_search::Search;

/// A filter on tunnels. `None` matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TunnelFilter {
    /// The name of an account.
    pub account: Option<String>,
    /// In either form. A text that is no id matches nothing.
    pub vpc_id: Option<String>,
    /// The same.
    pub gateway_id: Option<String>,
    pub search: Option<Search>,
    /// Only tunnels with drift.
    pub has_drift: bool,
}
