//! Security policies (SPD rules): which ranges of the VPC talk to which ranges of the peer.

use serde::Serialize;

use super::cidr::Ipv4Cidr;

/// One rule: one range of the VPC, one or more of the peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityPolicy {
    /// The range on the VPC's side.
    pub local_cidr: Ipv4Cidr,
    /// The ranges on the peer's side; never empty.
    pub peer_cidrs: Vec<Ipv4Cidr>,
}
