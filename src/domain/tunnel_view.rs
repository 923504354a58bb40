//! The view of a tunnel that consumers receive: in the words of a patch, without the pre-shared key, and with a tag
//! that changes whenever a value changes.

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::etag::ETag;
use super::fingerprint::{FingerprintKey, hex};
use super::ids::{GatewayId, VpcId};
use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;
use super::tunnel::{Reported, Tunnel};

/// The bytes of the SHA-256 in a tag: enough for two states of a tunnel never to share a tag.
const TAG_BYTES: usize = 16;

/// A VPN tunnel, read from the cloud now. A value that the cloud does not show is `null`. A value that a patch may not
/// ask for is shown unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Tunnel)]
pub struct TunnelView {
    #[schema(example = "vpc-03vihbk9")]
    pub vpc_id: String,
    #[schema(example = "vpngw-kfldykuz")]
    pub gateway_id: String,
    #[schema(example = "vpnx-ol6bcqp0")]
    pub tunnel_id: String,
    #[schema(example = "hq")]
    pub name: Option<String>,
    /// The state of the tunnel. The cloud's numbers (`vpcConnStatus`) are: 0 `creating`, 1 `creation_failed`,
    /// 2 `modifying`, 3 `modification_failed`, 4 `deleting`, 5 `deletion_failed`, 6 `running`. An undocumented number
    /// is shown unchanged, as text.
    #[schema(value_type = Option<String>, example = "running")]
    pub status: Option<String>,
    /// Whether the two ends are connected (`netStatus`): `connected` or `disconnected`. `null` if the cloud does not
    /// report the state; an undocumented word of the cloud is shown unchanged.
    #[schema(value_type = Option<String>, example = "connected")]
    pub connectivity: Option<String>,
    /// Public IP of the gateway.
    #[schema(example = "203.0.113.10")]
    pub gateway_address: Option<String>,
    /// Public IP of the peer.
    #[schema(example = "203.0.113.20")]
    pub peer_address: Option<String>,
    /// The time of creation, in the cloud's own notation without a time zone.
    #[schema(example = "2018-01-31 08:00:00")]
    pub created_at: Option<String>,
    pub pre_shared_key: Option<Fingerprint>,
    /// Ranges on the VPC's side. A patch sets them with `security_policies`; the cloud does not show its pairs.
    pub local_cidrs: Option<Vec<String>>,
    /// Ranges on the peer's side.
    pub peer_cidrs: Option<Vec<String>>,
    pub ike: IkeView,
    pub ipsec: IpsecView,
}

/// The keyed fingerprint of a pre-shared key, shown instead of the key. Equal keys have equal fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fingerprint {
    /// HMAC-SHA256, in hex.
    pub hmac_sha256: String,
}

/// A number, or the cloud's own text if that is not a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Amount {
    Number(u64),
    Text(String),
}

/// The identity of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IdentityView {
    /// `address` or `fqdn`.
    #[serde(rename = "type")]
    #[schema(example = "address")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "203.0.113.10", nullable = false)]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "idc.example.com", nullable = false)]
    fqdn: Option<String>,
}

/// IKE (phase 1) settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TunnelIke)]
pub struct IkeView {
    #[schema(example = "aes-cbc-256")]
    encryption_algorithm: Option<String>,
    /// `sha` is SHA-1.
    #[schema(example = "sha")]
    authentication_algorithm: Option<String>,
    #[schema(example = "main")]
    exchange_mode: Option<String>,
    local_identity: Option<IdentityView>,
    remote_identity: Option<IdentityView>,
    #[schema(example = "group14")]
    dh_group: Option<String>,
    sa_lifetime_seconds: Option<Amount>,
}

/// IPsec (phase 2) settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TunnelIpsec)]
pub struct IpsecView {
    /// `none` means no encryption.
    #[schema(example = "aes-cbc-256")]
    encryption_algorithm: Option<String>,
    /// `sha` is SHA-1.
    #[schema(example = "sha")]
    integrity_algorithm: Option<String>,
    sa_lifetime_seconds: Option<Amount>,
    sa_lifetime_kilobytes: Option<Amount>,
    /// `none` means no perfect forward secrecy.
    #[schema(example = "dh-group14")]
    pfs_dh_group: Option<String>,
}

impl TunnelView {
    /// The view of the tunnel at this path. The view has the cloud's unified ids, so that it is the same under either
    /// form of the path's ids; where the cloud reports no id, the view has the path's.
    #[must_use]
    pub fn of(
        tunnel: &Tunnel,
        vpc: &VpcId,
        gateway: &GatewayId,
        tunnel_id: &str,
        key: &FingerprintKey,
    ) -> Self {
        let first = |ids: &[String], given: &str| ids.first().map_or(given, String::as_str).to_owned();
        Self {
            vpc_id: first(&tunnel.vpc_ids, vpc.as_str()),
            gateway_id: first(&tunnel.gateway_ids, gateway.as_str()),
            tunnel_id: first(&tunnel.tunnel_ids, tunnel_id),
            name: tunnel.name.clone(),
            status: tunnel.status.as_ref().map(|reported| word(reported, |status| status.as_str())),
            connectivity: tunnel.connectivity.as_ref().map(|reported| word(reported, |word| word.as_str())),
            gateway_address: tunnel.gateway_address.clone(),
            peer_address: tunnel.peer_address.clone(),
            created_at: tunnel.created_at.clone(),
            pre_shared_key: tunnel
                .pre_shared_key
                .as_ref()
                .map(|secret| Fingerprint { hmac_sha256: key.of_key(secret) }),
            local_cidrs: tunnel.local_cidrs.clone(),
            peer_cidrs: tunnel.peer_cidrs.clone(),
            ike: IkeView::from(&tunnel.ike),
            ipsec: IpsecView::from(&tunnel.ipsec),
        }
    }

    /// The tag of this view. It changes with every value, the fingerprint of the pre-shared key included.
    #[must_use]
    pub fn etag(&self) -> ETag {
        // Texts, numbers and lists never fail to serialize.
        let shown = serde_json::to_vec(self).unwrap_or_default();
        ETag::new(hex(&Sha256::digest(&shown)[..TAG_BYTES]))
    }
}

fn word<T: Copy>(reported: &Reported<T>, word: impl Fn(T) -> &'static str) -> String {
    match reported {
        Reported::Known(known) => word(*known).to_owned(),
        Reported::Other(text) => text.clone(),
    }
}

impl From<&String> for Amount {
    fn from(text: &String) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.clone()), Self::Number)
    }
}

impl IdentityView {
    /// Shows only the field of the identity's type; of an undocumented type both fields.
    fn of(kind: Option<&String>, address: Option<&String>, fqdn: Option<&String>) -> Option<Self> {
        let kind = kind?.clone();
        let address = address.filter(|_| kind != "fqdn").cloned();
        let fqdn = fqdn.filter(|_| kind != "address").cloned();
        Some(Self { kind, address, fqdn })
    }
}

impl From<&IkeSettings> for IkeView {
    fn from(ike: &IkeSettings) -> Self {
        Self {
            encryption_algorithm: ike.encryption_algorithm.clone(),
            authentication_algorithm: ike.authentication_algorithm.clone(),
            exchange_mode: ike.exchange_mode.clone(),
            local_identity: IdentityView::of(
                ike.local_identity.as_ref(),
                ike.local_address.as_ref(),
                ike.local_fqdn.as_ref(),
            ),
            remote_identity: IdentityView::of(
                ike.remote_identity.as_ref(),
                ike.remote_address.as_ref(),
                ike.remote_fqdn.as_ref(),
            ),
            dh_group: ike.dh_group.clone(),
            sa_lifetime_seconds: ike.sa_lifetime_seconds.as_ref().map(Amount::from),
        }
    }
}

impl From<&IpsecSettings> for IpsecView {
    fn from(ipsec: &IpsecSettings) -> Self {
        Self {
            encryption_algorithm: ipsec.encryption_algorithm.clone(),
            integrity_algorithm: ipsec.integrity_algorithm.clone(),
            sa_lifetime_seconds: ipsec.sa_lifetime_seconds.as_ref().map(Amount::from),
            sa_lifetime_kilobytes: ipsec.sa_lifetime_kilobytes.as_ref().map(Amount::from),
            pfs_dh_group: ipsec.pfs_dh_group.clone(),
        }
    }
}
