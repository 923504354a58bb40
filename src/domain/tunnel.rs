//! A tunnel as the cloud has it now.

use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;
use super::secret::PreSharedKey;
use super::words::words;

words! {
    /// What a tunnel is doing (`vpcConnStatus` 0 to 6; API 2.0, DescribeVpnConn).
    pub enum TunnelStatus {
        Creating = "creating",
        CreationFailed = "creation_failed",
        Modifying = "modifying",
        ModificationFailed = "modification_failed",
        Deleting = "deleting",
        DeletionFailed = "deletion_failed",
        Running = "running",
        /// A status that no document names.
        Unknown = "unknown",
    }
}

words! {
    /// Whether the two ends are connected (`netStatus`; API 2.0, DescribeVpnConn).
    pub enum Connectivity {
        Connected = "connected",
        Disconnected = "disconnected",
        /// The cloud did not say.
        Unknown = "unknown",
    }
}

/// A tunnel as the cloud has it. Texts are the cloud's own, in our words where there is one: nothing that is there
/// is refused. The old and the unified form of each id are both kept, because a caller may use either.
#[derive(Debug, Clone)]
pub struct Tunnel {
    pub vpc_ids: Vec<String>,
    pub gateway_ids: Vec<String>,
    /// The unified id first, where there is one.
    pub tunnel_ids: Vec<String>,
    pub name: Option<String>,
    pub pre_shared_key: Option<PreSharedKey>,
    /// Ranges on the VPC's side (`sourceCidr`); `None` where the answer had no such field.
    pub local_cidrs: Option<Vec<String>>,
    /// Ranges on the peer's side (`destinationCidr`); `None` where the answer had no such field.
    pub peer_cidrs: Option<Vec<String>>,
    pub status: TunnelStatus,
    pub connectivity: Connectivity,
    /// Public IP of the gateway (`vpnGwAddress`).
    pub gateway_address: Option<String>,
    /// Public IP of the peer (`userGwAddress`).
    pub peer_address: Option<String>,
    /// When it was made, in the cloud's own notation, which has no zone (`createTime`).
    pub created_at: Option<String>,
    pub ike: IkeSettings,
    pub ipsec: IpsecSettings,
}
