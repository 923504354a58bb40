//! A tunnel as `DescribeVpnConnections` shows it.

use serde_json::{Value, json};

use crate::simulator::behaviour::{Behaviour, Connectivity, Standing};
use crate::simulator::fields::{Identity, Ike, Ipsec, Policy};
use crate::simulator::tunnel::Tunnel;
use crate::simulator::words::Word;

/// A tunnel as an entry of `VpnConnectionSet`.
pub(super) fn connection(tunnel: &Tunnel) -> Value {
    let health = &tunnel.health;
    let mut connection = json!({
        "VpnConnectionId": tunnel.id.0, "VpnConnectionName": tunnel.name, "VpcId": tunnel.vpc.0,
        "VpnGatewayId": tunnel.gateway.0, "CustomerGatewayId": tunnel.customer_gateway, "PreShareKey": tunnel.key,
        "VpnProto": "IPSEC", "EncryptProto": "IKE",
        "RouteType": if tunnel.bgp.is_some() { "Bgp" } else { "StaticRoute" },
        "CreatedTime": tunnel.created_at(), "State": state(tunnel),
        "SecurityPolicyDatabaseSet": tunnel.policies.iter().map(policy).collect::<Vec<_>>(),
        "IKEOptionsSpecification": ike(&tunnel.ike, tunnel.ike_version),
        "IPSECOptionsSpecification": ipsec(&tunnel.ipsec),
        "EnableHealthCheck": health.is_enabled, "HealthCheckLocalIp": health.local,
        "HealthCheckRemoteIp": health.remote,
        "NegotiationType": tunnel.negotiation_type.in_v3(),
        "DpdEnable": u8::from(tunnel.dpd.is_enabled), "DpdTimeout": tunnel.dpd.timeout.to_string(),
        "DpdAction": tunnel.dpd.action.in_v3(), "TagSet": []
    });
    if let Some(net_status) = net_status(tunnel.connectivity()) {
        connection["NetStatus"] = json!(net_status);
    }
    if health.is_enabled {
        connection["HealthCheckStatus"] = json!("AVAILABLE");
    }
    if let Some(probe) = &health.probe {
        connection["HealthCheckConfig"] = json!({
            "ProbeType": "NQA", "ProbeInterval": probe.interval, "ProbeThreshold": probe.threshold,
            "ProbeTimeout": probe.timeout});
    }
    if let Some(bgp) = &tunnel.bgp {
        connection["BgpConfig"] = json!({
            "TunnelCidr": bgp.tunnel, "LocalBgpIp": bgp.local, "RemoteBgpIp": bgp.remote,
            "LocalBgpAsn": "64551", "RemoteBgpAsn": "65530"});
    }
    connection
}

/// `State`. It has no word for failed changes, and none is documented for changes under way.
fn state(tunnel: &Tunnel) -> &'static str {
    match tunnel.standing() {
        Standing::Changing if tunnel.behaviour() == Some(Behaviour::TaskUnknown) => "AVAILABLE",
        Standing::Creating | Standing::CreationFailed | Standing::Changing => "PENDING",
        Standing::Running | Standing::ChangeFailed => "AVAILABLE",
        Standing::Deleting | Standing::DeletionFailed => "DELETING",
        Standing::Strange => "RESTORING",
    }
}

const fn net_status(connectivity: Connectivity) -> Option<&'static str> {
    match connectivity {
        Connectivity::Connected => Some("AVAILABLE"),
        Connectivity::Disconnected => Some("UNAVAILABLE"),
        Connectivity::Unsaid => None,
        Connectivity::Strange => Some("DEGRADED"),
    }
}

fn policy(policy: &Policy) -> Value {
    json!({"LocalCidrBlock": policy.local, "RemoteCidrBlock": policy.peers})
}

/// The type of an identity, its address and its name. The one that is not in use is empty.
fn identity(identity: &Identity) -> (&'static str, &str, &str) {
    match identity {
        Identity::Address(address) => ("ADDRESS", address, ""),
        Identity::Fqdn(name) => ("FQDN", "", name),
    }
}

fn ike(ike: &Ike, version: Word) -> Value {
    let (local, local_address, local_name) = identity(&ike.local);
    let (remote, remote_address, remote_name) = identity(&ike.remote);
    json!({
        "PropoEncryAlgorithm": ike.cipher.in_v3(), "PropoAuthenAlgorithm": ike.hash.in_v3(),
        "ExchangeMode": ike.exchange.in_v3(),
        "LocalIdentity": local, "LocalAddress": local_address, "LocalFqdnName": local_name,
        "RemoteIdentity": remote, "RemoteAddress": remote_address, "RemoteFqdnName": remote_name,
        "DhGroupName": ike.group.in_v3(), "IKESaLifetimeSeconds": ike.lifetime, "IKEVersion": version.in_v3()
    })
}

fn ipsec(ipsec: &Ipsec) -> Value {
    json!({
        "EncryptAlgorithm": ipsec.cipher.in_v3(), "IntegrityAlgorith": ipsec.hash.in_v3(),
        "IPSECSaLifetimeSeconds": ipsec.lifetime, "IPSECSaLifetimeTraffic": ipsec.traffic,
        "PfsDhGroup": ipsec.pfs.in_v3()
    })
}
