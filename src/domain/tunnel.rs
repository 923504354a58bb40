//! A tunnel read from the cloud.

use super::bgp::BgpSettings;
use super::dpd::DpdSettings;
use super::health_check::HealthCheckSettings;
use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;
use super::policy::ShownPolicy;
use super::secret::PreSharedKey;
use super::words::words;

/// A value reported by the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported<T> {
    /// A documented value.
    Known(T),
    /// An undocumented value, in the cloud's own text.
    Other(String),
}

words! {
    /// The state of a tunnel (`vpcConnStatus` 0 to 6; API 2.0, DescribeVpnConn).
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

/// A tunnel read from the cloud. Values are accepted without checks: a known value in the words of a patch, any other
/// in the cloud's own text. Each id has its unified and its older form, because callers use both. The default shows
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct Tunnel {
    pub vpc_ids: Vec<String>,
    pub gateway_ids: Vec<String>,
    /// The unified id first, if the cloud reports one.
    pub tunnel_ids: Vec<String>,
    pub name: Option<String>,
    pub pre_shared_key: Option<PreSharedKey>,
    /// Ranges on the VPC's side (`sourceCidr`); `None` if the answer lacks the field.
    pub local_cidrs: Option<Vec<String>>,
    /// Ranges on the peer's side (`destinationCidr`); `None` if the answer lacks the field.
    pub peer_cidrs: Option<Vec<String>>,
    /// The pairs of ranges (`SecurityPolicyDatabaseSet`; API 3.0 only).
    pub security_policies: Option<Vec<ShownPolicy>>,
    /// `None` if the answer lacks the field.
    pub status: Option<Reported<TunnelStatus>>,
    /// `None` if the answer lacks the field.
    pub connectivity: Option<Reported<Connectivity>>,
    /// Public IP of the gateway (`vpnGwAddress`).
    pub gateway_address: Option<String>,
    /// Public IP of the peer (`userGwAddress`).
    pub peer_address: Option<String>,
    /// The time of creation, in the cloud's own notation without a time zone (`createTime`).
    pub created_at: Option<String>,
    pub ike: IkeSettings,
    pub ipsec: IpsecSettings,
    /// API 3.0 only, like the settings after it.
    pub dpd: DpdSettings,
    pub negotiation_type: Option<String>,
    pub health_check: HealthCheckSettings,
    /// Both APIs show the id of the customer gateway (`unUserGwId`, `CustomerGatewayId`).
    pub customer_gateway_id: Option<String>,
    pub bgp: BgpSettings,
}

impl Tunnel {
    /// True while the cloud is creating, changing or deleting the tunnel, so that a read may show part of a change.
    #[must_use]
    pub const fn is_in_transition(&self) -> bool {
        use TunnelStatus::{Creating, Deleting, Modifying};
        matches!(self.status, Some(Reported::Known(Creating | Modifying | Deleting)))
    }

    /// True if the cloud says that it is doing nothing with the tunnel. An unknown status, or none, does not say so.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        matches!(self.status, Some(Reported::Known(_))) && !self.is_in_transition()
    }
}
