//! A tunnel as `DescribeVpnConn` shows it.

use serde_json::{Value, json};

use crate::simulator::behaviour::{Connectivity, Standing};
use crate::simulator::fields::{CUSTOMER_ADDRESS, GATEWAY_ADDRESS, Identity, Ike, Ipsec, VPC_RANGE};
use crate::simulator::tunnel::Tunnel;
use crate::simulator::words::{IPSEC_SHA, Word};

/// A tunnel as an entry of `data`.
pub(super) fn entry(tunnel: &Tunnel) -> Value {
    let sources: Vec<&str> = tunnel.policies.iter().map(|policy| policy.local.as_str()).collect();
    let mut destinations: Vec<&str> = Vec::new();
    for peer in tunnel.policies.iter().flat_map(|policy| &policy.peers) {
        if !destinations.contains(&peer.as_str()) {
            destinations.push(peer);
        }
    }
    let mut entry = json!({
        "vpcId": tunnel.vpc.1, "unVpcId": tunnel.vpc.0, "vpcName": "simulated", "vpcCidrBlock": VPC_RANGE,
        "vpnGwId": tunnel.gateway.1, "unVpnGwId": tunnel.gateway.0, "vpnGwAddress": GATEWAY_ADDRESS,
        "userGwId": 315, "unUserGwId": tunnel.customer_gateway, "userGwAddress": CUSTOMER_ADDRESS,
        "vpnConnId": tunnel.id.1, "unVpnConnId": tunnel.id.0, "vpnConnName": tunnel.name,
        "preSharedKey": tunnel.key, "sourceCidr": sources, "destinationCidr": destinations,
        "vpcConnStatus": status(tunnel.standing()), "vpnProto": "ip-sec", "createTime": tunnel.created_at(),
        "IKEArr": ike(&tunnel.ike), "IPSECArr": ipsec(&tunnel.ipsec)
    });
    if let Some(net_status) = net_status(tunnel.connectivity()) {
        entry["netStatus"] = json!(net_status);
    }
    entry
}

/// `vpcConnStatus`.
const fn status(standing: Standing) -> u8 {
    match standing {
        Standing::Creating => 0,
        Standing::CreationFailed => 1,
        Standing::Changing => 2,
        Standing::ChangeFailed => 3,
        Standing::Deleting => 4,
        Standing::DeletionFailed => 5,
        Standing::Running => 6,
        Standing::Strange => 9,
    }
}

const fn net_status(connectivity: Connectivity) -> Option<&'static str> {
    match connectivity {
        Connectivity::Connected => Some("available"),
        Connectivity::Disconnected => Some("unavailable"),
        Connectivity::Unsaid => None,
        Connectivity::Strange => Some("degraded"),
    }
}

/// The type of an identity, its address and its name. The one that is not in use is `null`.
fn identity(identity: &Identity) -> (&'static str, Option<&str>, Option<&str>) {
    match identity {
        Identity::Address(address) => ("address", Some(address), None),
        Identity::Fqdn(name) => ("fqdn", None, Some(name)),
    }
}

fn ike(ike: &Ike) -> Value {
    let (local, local_address, local_name) = identity(&ike.local);
    let (remote, remote_address, remote_name) = identity(&ike.remote);
    json!({
        "propoEncryAlgorithm": ike.cipher.in_v2(), "propoAuthenAlgorithm": ike.hash.in_v2(),
        "exchangeMode": ike.exchange.in_v2(),
        "localIdentity": local, "localAddress": local_address, "localFqdnName": local_name,
        "remoteIdentity": remote, "remoteAddress": remote_address, "remoteFqdnName": remote_name,
        "dhGroupName": ike.group.in_v2(), "ikeSaLifetimeSeconds": ike.lifetime.to_string()
    })
}

fn ipsec(ipsec: &Ipsec) -> Value {
    // Calls say `sha`, answers say `sha1`.
    let hash = |hash: Word| if hash == IPSEC_SHA { "sha1" } else { hash.in_v2() };
    json!({
        "encryptAlgorithm": ipsec.cipher.in_v2(), "integrityAlgorith": hash(ipsec.hash),
        "ipsecSaLifetimeSeconds": ipsec.lifetime.to_string(), "ipsecSaLifetimeTraffic": ipsec.traffic.to_string(),
        "pfsDhGroup": ipsec.pfs.in_v2(), "encapMode": "tunnel", "securityProto": "esp"
    })
}
