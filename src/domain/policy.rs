//! Security policies (SPD rules): the pairs of ranges whose traffic goes through the tunnel.

use serde::Serialize;
use utoipa::ToSchema;

use super::cidr::Ipv4Cidr;

/// One range on the VPC's side, and the ranges on the peer's side that it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityPolicy {
    /// The range on the VPC's side.
    pub local_cidr: Ipv4Cidr,
    /// The ranges on the peer's side; never empty.
    pub peer_cidrs: Vec<Ipv4Cidr>,
}

/// A security policy that the cloud shows, in the cloud's own notation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TunnelSecurityPolicy)]
pub struct ShownPolicy {
    /// The range on the VPC's side.
    #[schema(example = "10.0.0.0/24")]
    pub local_cidr: String,
    /// The ranges on the peer's side.
    #[schema(example = json!(["172.16.0.0/16"]))]
    pub peer_cidrs: Vec<String>,
}
