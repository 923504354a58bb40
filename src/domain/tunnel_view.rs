//! The view of a tunnel that consumers receive: in the words of a patch, without the pre-shared key, and with a tag
//! that changes whenever a value changes.

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::drift::FieldDrift;
use super::etag::{DRIFT_FOLLOWS, ETag};
use super::event::Route;
use super::fingerprint::{FingerprintKey, hex};
use super::group_views::{BgpView, DpdView, HealthCheckView, IkeView, IpsecView};
use super::ids::{GatewayId, VpcId};
use super::policy::ShownPolicy;
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
    /// The account of the cloud that answers for the VPC.
    #[schema(example = "default")]
    pub account: String,
    #[schema(example = "ap-guangzhou")]
    pub region: String,
    /// The version of the cloud's API that the tunnel was read with.
    #[schema(example = "2.0")]
    pub api: String,
    #[schema(example = "hq")]
    pub name: Option<String>,
    /// The state of the tunnel. The cloud's numbers (`vpcConnStatus`) are: 0 `creating`, 1 `creation_failed`,
    /// 2 `modifying`, 3 `modification_failed`, 4 `deleting`, 5 `deletion_failed`, 6 `running`. API 3.0 has three words
    /// (`State`): `PENDING` is `creating`, `AVAILABLE` is `running`, `DELETING` is `deleting`; a tunnel that is being
    /// changed has no word of its own. An undocumented value is shown unchanged, as text.
    #[schema(value_type = Option<String>, example = "running")]
    pub status: Option<String>,
    /// Whether the two ends are connected (`netStatus`): `connected` or `disconnected`. `null` if the cloud does not
    /// report the state; an undocumented word of the cloud is shown unchanged.
    #[schema(value_type = Option<String>, example = "connected")]
    pub connectivity: Option<String>,
    /// Public IP of the gateway. API 2.0 only.
    #[schema(example = "203.0.113.10")]
    pub gateway_address: Option<String>,
    /// Public IP of the peer. API 2.0 only.
    #[schema(example = "203.0.113.20")]
    pub peer_address: Option<String>,
    /// The time of creation, in the cloud's own notation without a time zone.
    #[schema(example = "2018-01-31 08:00:00")]
    pub created_at: Option<String>,
    pub pre_shared_key: Option<Fingerprint>,
    /// Ranges on the VPC's side. A patch sets them with `security_policies`.
    pub local_cidrs: Option<Vec<String>>,
    /// Ranges on the peer's side.
    pub peer_cidrs: Option<Vec<String>>,
    /// The pairs of ranges. API 2.0 shows the ranges of both sides, and not their pairs: `null`.
    pub security_policies: Option<Vec<ShownPolicy>>,
    pub ike: IkeView,
    pub ipsec: IpsecView,
    /// `null` if the cloud does not show any of it, as with API 2.0.
    pub dpd: Option<DpdView>,
    /// Who starts the negotiation: `active` (the gateway), `passive` (the peer) or `flow-trigger`. API 3.0 only.
    #[schema(example = "active")]
    pub negotiation_type: Option<String>,
    /// `null` if the cloud does not show any of it, as with API 2.0.
    pub health_check: Option<HealthCheckView>,
    /// The customer gateway: the peer's device.
    #[schema(example = "cgw-mgp33pll")]
    pub customer_gateway_id: Option<String>,
    /// `null` if the tunnel has no BGP session, and with API 2.0.
    pub bgp: Option<BgpView>,
    /// Fields that no longer have the value that the last succeeded change set, as the gateway's last look showed. Empty
    /// where the gateway knows of none, and where its operators have not turned this on.
    pub drift: Vec<FieldDrift>,
}

/// The keyed fingerprint of a pre-shared key, shown instead of the key. Equal keys have equal fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fingerprint {
    /// HMAC-SHA256, in hex.
    pub hmac_sha256: String,
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
        route: &Route,
        key: &FingerprintKey,
    ) -> Self {
        let first = |ids: &[String], given: &str| ids.first().map_or(given, String::as_str).to_owned();
        Self {
            vpc_id: first(&tunnel.vpc_ids, vpc.as_str()),
            gateway_id: first(&tunnel.gateway_ids, gateway.as_str()),
            tunnel_id: first(&tunnel.tunnel_ids, tunnel_id),
            account: route.account.clone(),
            region: route.region.clone(),
            api: route.api.clone(),
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
            security_policies: tunnel.security_policies.clone(),
            ike: IkeView::from(&tunnel.ike),
            ipsec: IpsecView::from(&tunnel.ipsec),
            dpd: shown(&tunnel.dpd),
            negotiation_type: tunnel.negotiation_type.clone(),
            health_check: shown(&tunnel.health_check),
            customer_gateway_id: tunnel.customer_gateway_id.clone(),
            bgp: shown(&tunnel.bgp),
            drift: Vec::new(),
        }
    }

    /// The tag of this view. It changes with every value, the fingerprint of the pre-shared key included. Drift is a part of
    /// its own: a change does not depend on it.
    #[must_use]
    pub fn etag(&self) -> ETag {
        let settings = tag(&Self { drift: Vec::new(), ..self.clone() }, TAG_BYTES);
        if self.drift.is_empty() {
            return ETag::new(settings);
        }
        ETag::new(format!("{settings}{DRIFT_FOLLOWS}{}", tag(&self.drift, TAG_BYTES / 2)))
    }
}

fn tag(value: &impl Serialize, bytes: usize) -> String {
    // Texts, numbers and lists never fail to serialize.
    let shown = serde_json::to_vec(value).unwrap_or_default();
    hex(&Sha256::digest(&shown)[..bytes])
}

fn word<T: Copy>(reported: &Reported<T>, word: impl Fn(T) -> &'static str) -> String {
    match reported {
        Reported::Known(known) => word(*known).to_owned(),
        Reported::Other(text) => text.clone(),
    }
}

/// The view of a group; `None` if the cloud shows none of its settings.
fn shown<'a, T: Default + PartialEq, V: From<&'a T>>(settings: &'a T) -> Option<V> {
    (*settings != T::default()).then(|| V::from(settings))
}
