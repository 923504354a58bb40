//! A tunnel as the cloud has it now.

use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;
use super::secret::PreSharedKey;
use super::words::words;

/// What the cloud says: a word of ours, or its own text where no document names it. It is shown either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<T> {
    Known(T),
    Other(String),
}

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
    }
}

words! {
    /// Whether the two ends are connected (`netStatus`; API 2.0, DescribeVpnConn).
    pub enum Connectivity {
        Connected = "connected",
        Disconnected = "disconnected",
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
    /// `None` where the cloud did not say.
    pub status: Option<Told<TunnelStatus>>,
    /// `None` where the cloud did not say.
    pub connectivity: Option<Told<Connectivity>>,
    /// Public IP of the gateway (`vpnGwAddress`).
    pub gateway_address: Option<String>,
    /// Public IP of the peer (`userGwAddress`).
    pub peer_address: Option<String>,
    /// When it was made, in the cloud's own notation, which has no zone (`createTime`).
    pub created_at: Option<String>,
    pub ike: IkeSettings,
    pub ipsec: IpsecSettings,
}

impl Tunnel {
    /// True while the cloud is at work on it, so that what it shows may be half done.
    #[must_use]
    pub const fn is_moving(&self) -> bool {
        use TunnelStatus::{Creating, Deleting, Modifying};
        matches!(self.status, Some(Told::Known(Creating | Modifying | Deleting)))
    }
}
