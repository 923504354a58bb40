//! Security policies (SPD rules): the pairs of ranges whose traffic goes through the tunnel.

use serde::Serialize;

use super::cidr::Ipv4Cidr;

/// One range on the VPC's side, and the ranges on the peer's side that it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityPolicy {
    /// The range on the VPC's side.
    pub local_cidr: Ipv4Cidr,
    /// The ranges on the peer's side; never empty.
    pub peer_cidrs: Vec<Ipv4Cidr>,
}
