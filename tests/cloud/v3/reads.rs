//! Reads of tasks and tunnels.

use serde_json::{Value, json};
use tunnelgate::domain::policy::ShownPolicy;
use tunnelgate::domain::tunnel::{Connectivity, Reported, Tunnel, TunnelStatus};
use tunnelgate::service::cloud::{Priority, ReadFailure, Refusal, TaskStatus};

use crate::stub::{Act, Stub};
use crate::version::{V3, at, error, path, response};

#[tokio::test]
async fn a_task_that_the_cloud_does_not_know_is_not_tracked() {
    for code in [
        "ResourceNotFound",
        "InvalidParameterValue",
        "InvalidParameterValue.Malformed",
        "UnsupportedOperation",
    ] {
        let stub = Stub::playing([Act::Json(error(code, "no such task"))]).await;
        let report = stub.client(V3).task(V3.task_id()).await.expect("a report");
        assert_eq!(report.status, TaskStatus::NotTracked, "{code}");
        assert_eq!(report.upstream.code.as_deref(), Some(code));
        assert_eq!(stub.received()[0].json(), json!({"TaskId": V3.task_id()}));
    }
    for (code, refusal) in
        [("UnauthorizedOperation", Refusal::Credentials), ("NoSuchVersion", Refusal::Other)]
    {
        let stub = Stub::playing([Act::Json(error(code, "no"))]).await;
        let read = stub.client(V3).task(V3.task_id()).await;
        assert_eq!(read.expect_err(code).failure, ReadFailure::Refused(refusal));
    }
    let stub = Stub::playing([Act::Json(error("InternalError", "no"))]).await;
    let read = stub.client(V3).task(V3.task_id()).await;
    assert_eq!(read.expect_err("no answer").failure, ReadFailure::NoAnswer);
}

#[tokio::test]
async fn a_task_without_a_documented_status_is_no_success() {
    for members in [json!({}), json!({"Status": null}), json!({"Status": "success"}), json!({"Status": 0})] {
        let stub = Stub::playing([Act::Json(response(members))]).await;
        let report = stub.client(V3).task(V3.task_id()).await.expect("a report");
        assert_eq!(report.status, TaskStatus::Unrecognized);
    }
    let running = response(json!({"Status": "RUNNING", "Output": ""}));
    let report = Stub::playing([Act::Json(running)]).await.client(V3).task("1").await.expect("a report");
    assert_eq!(report.status, TaskStatus::Running);
}

#[tokio::test]
async fn one_call_checks_that_vpc_gateway_and_tunnel_belong_together() {
    let stub = Stub::playing([V3.list([1], 1)]).await;
    stub.client(V3).tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel");
    let filters = json!([
        {"Name": "vpc-id", "Values": ["vpc-03vihbk9"]},
        {"Name": "vpn-gateway-id", "Values": ["vpngw-kfldykuz"]},
        {"Name": "vpn-connection-id", "Values": ["vpnx-1"]},
    ]);
    let received = stub.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].headers["x-tc-action"], "DescribeVpnConnections");
    assert_eq!(received[0].json(), json!({"Filters": filters, "Offset": 0, "Limit": 100}));
}

/// An entry that does not say where it is proves nothing, because the change names the tunnel only.
#[tokio::test]
async fn an_entry_without_its_vpc_or_its_gateway_is_not_the_tunnel() {
    for member in ["VpcId", "VpnGatewayId"] {
        for nothing in [json!(""), json!(null)] {
            let mut entry = V3.entry(1);
            entry[member] = nothing;
            let stub = Stub::playing([V3.entries(vec![entry], 1)]).await;
            let read = stub.client(V3).tunnel(&at("vpnx-1"), Priority::Read, "").await;
            assert_eq!(read.expect_err(member).failure, ReadFailure::NotFound);
        }
    }
}

#[tokio::test]
async fn a_tunnel_that_the_cloud_does_not_have_is_not_found() {
    let empty = response(json!({"TotalCount": 0, "VpnConnectionSet": null}));
    for answer in [V3.list([], 0), Act::Json(empty), Act::Json(error("ResourceNotFound", "no"))] {
        let read = Stub::playing([answer]).await.client(V3).tunnel(&path(), Priority::Poll, "").await;
        assert_eq!(read.expect_err("not there").failure, ReadFailure::NotFound);
    }
}

#[tokio::test]
async fn a_success_without_a_list_does_not_say_that_there_is_no_tunnel() {
    for answer in [response(json!({})), response(json!({"TotalCount": 1}))] {
        let stub = Stub::playing([Act::Json(answer)]).await;
        let read = stub.client(V3).tunnel(&path(), Priority::Poll, "").await;
        assert_eq!(read.expect_err("no list").failure, ReadFailure::NoAnswer);
        let (path, client) = (path(), stub.client(V3));
        let list = client.tunnels(&path.vpc_id, &path.gateway_id).await;
        assert_eq!(list.expect_err("no list").failure, ReadFailure::NoAnswer);
    }
}

#[tokio::test]
async fn ids_of_the_older_form_do_not_exist() {
    let stub = Stub::playing([V3.list([1], 1)]).await;
    let client = stub.client(V3);
    for (vpc, gateway, tunnel) in [
        ("gz_vpc_8849", "vpngw-kfldykuz", "vpnx-1"),
        ("vpc-03vihbk9", "547", "vpnx-1"),
        ("vpc-03vihbk9", "vpngw-kfldykuz", "1"),
    ] {
        let mut wanted = at(tunnel);
        wanted.vpc_id = vpc.parse().expect("an id");
        wanted.gateway_id = gateway.parse().expect("an id");
        let read = client.tunnel(&wanted, Priority::Read, "").await;
        assert_eq!(read.expect_err("not there").failure, ReadFailure::NotFound);
        if tunnel != "1" {
            let list = client.tunnels(&wanted.vpc_id, &wanted.gateway_id).await;
            assert_eq!(list.expect("an empty list").len(), 0);
        }
    }
    assert_eq!(stub.received().len(), 0);
}

/// Reads a tunnel with these members in place of its own.
async fn read(members: Value) -> Tunnel {
    let mut entry = V3.entry(1);
    for (name, member) in members.as_object().expect("members") {
        entry[name] = member.clone();
    }
    let stub = Stub::playing([V3.entries(vec![entry], 1)]).await;
    stub.client(V3).tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel")
}

#[tokio::test]
async fn status_and_connectivity_are_told_as_they_are() {
    for (state, status) in [
        (json!("PENDING"), Some(Reported::Known(TunnelStatus::Creating))),
        (json!("AVAILABLE"), Some(Reported::Known(TunnelStatus::Running))),
        (json!("DELETING"), Some(Reported::Known(TunnelStatus::Deleting))),
        (json!("UPDATING"), Some(Reported::Other("UPDATING".into()))),
        (json!(""), None),
        (json!(null), None),
    ] {
        let tunnel = read(json!({"State": state})).await;
        assert_eq!(tunnel.status, status);
        assert_eq!(tunnel.is_at_rest(), state == "AVAILABLE");
    }
    for (word, connectivity) in [
        (json!("AVAILABLE"), Some(Reported::Known(Connectivity::Connected))),
        (json!("UNAVAILABLE"), Some(Reported::Known(Connectivity::Disconnected))),
        (json!("ODD"), Some(Reported::Other("ODD".into()))),
        (json!(""), None),
    ] {
        assert_eq!(read(json!({"NetStatus": word})).await.connectivity, connectivity);
    }
}

#[tokio::test]
async fn every_setting_is_read_in_the_words_of_a_patch() {
    let tunnel = read(json!({
        "CustomerGatewayId": "cgw-mgp33pll", "CreatedTime": "2018-10-11 08:00:00", "NegotiationType": "flowTrigger",
        "IKEOptionsSpecification": {
            "PropoEncryAlgorithm": "AES128GCM128", "PropoAuthenAlgorithm": "SHA", "ExchangeMode": "AGGRESSIVE",
            "LocalIdentity": "ADDRESS", "RemoteIdentity": "FQDN", "LocalAddress": "203.0.113.10", "RemoteAddress": "",
            "LocalFqdnName": "", "RemoteFqdnName": "idc.example.com", "DhGroupName": "GROUP14",
            "IKESaLifetimeSeconds": 86400, "IKEVersion": "IKEV2"},
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "NULL", "IntegrityAlgorith": "SHA1", "IntegrityAlgorithm": "MD5",
            "IPSECSaLifetimeSeconds": 3600, "PfsDhGroup": "DH-GROUP14", "IPSECSaLifetimeTraffic": 4_294_967_295_u64},
        "EnableHealthCheck": true, "HealthCheckLocalIp": "169.254.128.1", "HealthCheckRemoteIp": "169.254.128.2",
        "HealthCheckConfig": {"ProbeType": "NQA", "ProbeInterval": 5000, "ProbeThreshold": 3, "ProbeTimeout": 150},
        "DpdEnable": 1, "DpdTimeout": "30", "DpdAction": "clear",
        "BgpConfig": {"TunnelCidr": "169.254.1.0/30", "LocalBgpIp": "169.254.1.1", "RemoteBgpIp": "169.254.1.2",
                      "LocalBgpAsn": "64551", "RemoteBgpAsn": "64552"},
    }))
    .await;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(tunnel.customer_gateway_id, text("cgw-mgp33pll"));
    assert_eq!(tunnel.created_at, text("2018-10-11 08:00:00"));
    assert_eq!(tunnel.negotiation_type, text("flow-trigger"));
    let ike = tunnel.ike;
    assert_eq!((ike.version, ike.encryption_algorithm), (text("ikev2"), text("aes-gcm-128")));
    assert_eq!((ike.authentication_algorithm, ike.exchange_mode), (text("sha"), text("aggressive")));
    assert_eq!(
        (ike.local_identity, ike.local_address, ike.local_fqdn),
        (text("address"), text("203.0.113.10"), None)
    );
    assert_eq!((ike.remote_identity, ike.remote_address), (text("fqdn"), None));
    assert_eq!((ike.remote_fqdn, ike.dh_group), (text("idc.example.com"), text("group14")));
    assert_eq!(ike.sa_lifetime_seconds, text("86400"));
    let ipsec = tunnel.ipsec;
    assert_eq!((ipsec.encryption_algorithm, ipsec.integrity_algorithm), (text("none"), text("sha")));
    assert_eq!((ipsec.sa_lifetime_seconds, ipsec.pfs_dh_group), (text("3600"), text("dh-group14")));
    assert_eq!(ipsec.sa_lifetime_kilobytes, text("4294967295"));
    let check = tunnel.health_check;
    assert_eq!(
        (check.enabled, check.local_ip, check.remote_ip),
        (Some(true), text("169.254.128.1"), text("169.254.128.2"))
    );
    assert_eq!(
        (check.interval_ms, check.failure_threshold, check.timeout_ms),
        (text("5000"), text("3"), text("150"))
    );
    assert_eq!(
        (tunnel.dpd.enabled, tunnel.dpd.timeout_seconds, tunnel.dpd.action),
        (Some(true), text("30"), text("clear"))
    );
    assert_eq!((tunnel.bgp.tunnel_cidr, tunnel.bgp.local_ip), (text("169.254.1.0/30"), text("169.254.1.1")));
}

#[tokio::test]
async fn the_integrity_algorithm_with_an_m_is_read_only_without_the_other_one() {
    for (record, expected) in [
        (json!({"IntegrityAlgorith": "SHA-256", "IntegrityAlgorithm": "MD5"}), Some("sha-256")),
        (json!({"IntegrityAlgorith": null, "IntegrityAlgorithm": "MD5"}), Some("md5")),
        (json!({"IntegrityAlgorith": "", "IntegrityAlgorithm": "SHA1"}), Some("sha")),
        (json!({"IntegrityAlgorithm": "SHA-256"}), Some("sha-256")),
        (json!({}), None),
    ] {
        let tunnel = read(json!({"IPSECOptionsSpecification": record})).await;
        assert_eq!(tunnel.ipsec.integrity_algorithm.as_deref(), expected);
    }
}

#[tokio::test]
async fn policies_show_the_ranges_of_either_side_once() {
    let set = json!([
        {"LocalCidrBlock": "10.0.0.0/24", "RemoteCidrBlock": ["172.16.0.0/16", "172.17.0.0/16"]},
        {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["172.16.0.0/16"]},
    ]);
    let tunnel = read(json!({"SecurityPolicyDatabaseSet": set.clone()})).await;
    let policies = tunnel.security_policies.expect("policies");
    let second = ShownPolicy { local_cidr: "10.0.1.0/24".into(), peer_cidrs: vec!["172.16.0.0/16".into()] };
    assert_eq!((policies.len(), &policies[1]), (2, &second));
    assert_eq!(tunnel.local_cidrs.expect("ranges"), ["10.0.0.0/24", "10.0.1.0/24"]);
    assert_eq!(tunnel.peer_cidrs.expect("ranges"), ["172.16.0.0/16", "172.17.0.0/16"]);
    let unreadable = [
        json!(null),
        json!([set[0], {"LocalCidrBlock": null, "RemoteCidrBlock": ["172.16.0.0/16"]}]),
        json!([set[0], {"LocalCidrBlock": "10.0.1.0/24"}]),
        json!([set[0], {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["172.16.0.0/16", ""]}]),
        json!([set[0], {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["172.16.0.0/16", 7]}]),
    ];
    for set in unreadable {
        let tunnel = read(json!({"SecurityPolicyDatabaseSet": set})).await;
        assert_eq!((tunnel.security_policies, tunnel.local_cidrs, tunnel.peer_cidrs), (None, None, None));
    }
}

#[tokio::test]
async fn a_whole_number_may_have_a_fraction_and_a_record_may_be_the_only_one_of_a_list() {
    let tunnel = read(json!({
        "IKEOptionsSpecification": [{"IKESaLifetimeSeconds": 86400.0, "DhGroupName": "GROUP14"}],
        "IPSECOptionsSpecification": {"IPSECSaLifetimeSeconds": "3600.00"},
        "DpdEnable": 1.0, "DpdTimeout": "30.0", "HealthCheckConfig": [{"ProbeInterval": 5000.0}],
    }))
    .await;
    assert_eq!(tunnel.ike.sa_lifetime_seconds.as_deref(), Some("86400"));
    assert_eq!(tunnel.ike.dh_group.as_deref(), Some("group14"));
    assert_eq!(tunnel.ipsec.sa_lifetime_seconds.as_deref(), Some("3600"));
    assert_eq!((tunnel.dpd.enabled, tunnel.dpd.timeout_seconds.as_deref()), (Some(true), Some("30")));
    assert_eq!(tunnel.health_check.interval_ms.as_deref(), Some("5000"));
}

#[tokio::test]
async fn the_key_is_read_and_can_not_be_printed() {
    let tunnel = read(json!({})).await;
    assert_eq!(tunnel.pre_shared_key.as_ref().map(|key| key.expose()), Some("tencenttest"));
    assert!(!format!("{tunnel:?}").contains("tencenttest"));
}
