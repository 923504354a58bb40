//! The BGP session of a tunnel (API 3.0).

/// The prefix length of the session's range: the cloud's side and the peer's have one address each.
pub const TUNNEL_PREFIX: u8 = 30;

/// The BGP session, in our words. A patch gives all three: API 3.0 keeps them in one record (`BgpConfig`), whose
/// addresses are inside its range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BgpSettings {
    pub tunnel_cidr: Option<String>,
    pub local_ip: Option<String>,
    pub remote_ip: Option<String>,
}
