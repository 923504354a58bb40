//! Groups of settings as JSON: in a tunnel's view, in the `changes` of an operation, and in a dry run.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::bgp::BgpSettings;
use super::dpd::DpdSettings;
use super::health_check::HealthCheckSettings;
use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;

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
    /// `ikev1` or `ikev2`; API 3.0 only.
    #[schema(example = "ikev2")]
    version: Option<String>,
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

/// Dead peer detection; API 3.0 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TunnelDpd)]
pub struct DpdView {
    enabled: Option<bool>,
    timeout_seconds: Option<Amount>,
    /// What the gateway does when the peer is dead: `clear` or `restart`.
    #[schema(example = "restart")]
    action: Option<String>,
}

/// The health check; API 3.0 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TunnelHealthCheck)]
pub struct HealthCheckView {
    enabled: Option<bool>,
    #[schema(example = "169.254.128.1")]
    local_ip: Option<String>,
    #[schema(example = "169.254.128.2")]
    remote_ip: Option<String>,
    interval_ms: Option<Amount>,
    timeout_ms: Option<Amount>,
    failure_threshold: Option<Amount>,
}

/// The BGP session; API 3.0 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TunnelBgp)]
pub struct BgpView {
    #[schema(example = "169.254.129.0/30")]
    tunnel_cidr: Option<String>,
    #[schema(example = "169.254.129.1")]
    local_ip: Option<String>,
    #[schema(example = "169.254.129.2")]
    remote_ip: Option<String>,
}

/// Adds a group to the members of a patch, with those of its settings that have a value.
pub fn put<'a, T, V>(members: &mut Map<String, Value>, name: &str, settings: Option<&'a T>)
where
    V: Serialize + From<&'a T>,
{
    let Some(settings) = settings else { return };
    let mut group = json!(V::from(settings));
    if let Value::Object(group) = &mut group {
        group.retain(|_, value| !value.is_null());
    }
    members.insert(name.to_owned(), group);
}

impl From<&String> for Amount {
    fn from(text: &String) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.clone()), Self::Number)
    }
}

fn amount(text: &Option<String>) -> Option<Amount> {
    text.as_ref().map(Amount::from)
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
            version: ike.version.clone(),
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
            sa_lifetime_seconds: amount(&ike.sa_lifetime_seconds),
        }
    }
}

impl From<&IpsecSettings> for IpsecView {
    fn from(ipsec: &IpsecSettings) -> Self {
        Self {
            encryption_algorithm: ipsec.encryption_algorithm.clone(),
            integrity_algorithm: ipsec.integrity_algorithm.clone(),
            sa_lifetime_seconds: amount(&ipsec.sa_lifetime_seconds),
            sa_lifetime_kilobytes: amount(&ipsec.sa_lifetime_kilobytes),
            pfs_dh_group: ipsec.pfs_dh_group.clone(),
        }
    }
}

impl From<&DpdSettings> for DpdView {
    fn from(dpd: &DpdSettings) -> Self {
        Self {
            enabled: dpd.enabled,
            timeout_seconds: amount(&dpd.timeout_seconds),
            action: dpd.action.clone(),
        }
    }
}

impl From<&HealthCheckSettings> for HealthCheckView {
    fn from(check: &HealthCheckSettings) -> Self {
        Self {
            enabled: check.enabled,
            local_ip: check.local_ip.clone(),
            remote_ip: check.remote_ip.clone(),
            interval_ms: amount(&check.interval_ms),
            timeout_ms: amount(&check.timeout_ms),
            failure_threshold: amount(&check.failure_threshold),
        }
    }
}

impl From<&BgpSettings> for BgpView {
    fn from(bgp: &BgpSettings) -> Self {
        Self {
            tunnel_cidr: bgp.tunnel_cidr.clone(),
            local_ip: bgp.local_ip.clone(),
            remote_ip: bgp.remote_ip.clone(),
        }
    }
}
