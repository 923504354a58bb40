//! The groups of a tunnel's fields, in the form that both versions of the API share.

use super::words::{AES_256, CLEAR, GROUP_14, IKE_SHA, IPSEC_SHA, MAIN, PFS_14, Word};

/// The public IP of every simulated gateway.
pub(super) const GATEWAY_ADDRESS: &str = "203.0.113.10";
/// The public IP of every simulated customer gateway.
pub(super) const CUSTOMER_ADDRESS: &str = "203.0.113.20";
/// The range of every simulated VPC.
pub(super) const VPC_RANGE: &str = "10.0.0.0/16";

/// The ranges of the cloud's side that may talk to ranges of the peer's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) local: String,
    pub(super) peers: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Identity {
    Address(String),
    Fqdn(String),
}

#[derive(Debug, Clone)]
pub(super) struct Ike {
    pub(super) cipher: Word,
    pub(super) hash: Word,
    pub(super) exchange: Word,
    pub(super) local: Identity,
    pub(super) remote: Identity,
    pub(super) group: Word,
    pub(super) lifetime: u32,
}

impl Ike {
    /// The values of a new simulated tunnel.
    pub(super) fn strong() -> Self {
        Self {
            cipher: AES_256,
            hash: IKE_SHA,
            exchange: MAIN,
            local: Identity::Address(GATEWAY_ADDRESS.into()),
            remote: Identity::Address(CUSTOMER_ADDRESS.into()),
            group: GROUP_14,
            lifetime: 86_400,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ipsec {
    pub(super) cipher: Word,
    pub(super) hash: Word,
    pub(super) lifetime: u32,
    /// In KB.
    pub(super) traffic: u32,
    pub(super) pfs: Word,
}

impl Ipsec {
    /// The values of a new simulated tunnel. The traffic is that of the example of `DescribeVpnConn`.
    pub(super) fn strong() -> Self {
        Self { cipher: AES_256, hash: IPSEC_SHA, lifetime: 3600, traffic: 1_843_200, pfs: PFS_14 }
    }
}

/// Dead peer detection.
#[derive(Debug, Clone)]
pub(super) struct Dpd {
    pub(super) is_enabled: bool,
    /// In seconds.
    pub(super) timeout: u32,
    pub(super) action: Word,
}

impl Default for Dpd {
    fn default() -> Self {
        Self { is_enabled: false, timeout: 30, action: CLEAR }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct HealthCheck {
    pub(super) is_enabled: bool,
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) probe: Option<Probe>,
}

#[derive(Debug, Clone)]
pub(super) struct Probe {
    /// In milliseconds.
    pub(super) interval: u32,
    /// The number of failures after which the tunnel counts as unhealthy.
    pub(super) threshold: u32,
    /// In milliseconds.
    pub(super) timeout: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self { interval: 5000, threshold: 6, timeout: 150 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bgp {
    pub(super) tunnel: String,
    pub(super) local: String,
    pub(super) remote: String,
}
