//! Reads of tasks and tunnels. The client accepts every form that the cloud's documents and examples show, and never reads
//! an unknown status as a success.

use serde_json::{Value, json};
use tunnelgate::domain::ids::TunnelPath;
use tunnelgate::domain::tunnel::{Connectivity, Reported, Tunnel, TunnelStatus};
use tunnelgate::service::cloud::{Priority, ReadFailure, TaskStatus, TunnelsOf, Turn};

use crate::stub::{Act, Stub};
use crate::version::{V2, at, path};

async fn task(data: Value) -> TaskStatus {
    let stub = Stub::playing([Act::Json(json!({"code": "0", "message": "", "data": data}))]).await;
    let report = stub.client(V2).task("12614").await.expect("a report");
    let request = &stub.received()[0];
    assert_eq!(
        (request.params["Action"].as_str(), request.params["taskId"].as_str()),
        ("DescribeVpcTaskResult", "12614")
    );
    report.status
}

#[tokio::test]
async fn a_task_s_status_is_a_number_or_a_text() {
    assert_eq!(task(json!({"status": 0})).await, TaskStatus::Succeeded);
    assert_eq!(task(json!({"status": "0"})).await, TaskStatus::Succeeded);
    assert_eq!(
        task(json!({"status": 1, "output": {"errorCode": 1, "errorMsg": "x"}})).await,
        TaskStatus::Failed
    );
    assert_eq!(task(json!({"status": "2", "output": []})).await, TaskStatus::Running);
    assert_eq!(task(json!({"status": 0.0})).await, TaskStatus::Succeeded);
}

/// The document says list, the example shows a record.
#[tokio::test]
async fn the_only_record_of_a_list_is_the_task() {
    assert_eq!(task(json!([{"status": 0}])).await, TaskStatus::Succeeded);
    let failed = json!([{"status": 1, "output": [{"errorMsg": "peer refused"}]}]);
    let stub = Stub::playing([Act::Json(json!({"code": 0, "data": failed}))]).await;
    let report = stub.client(V2).task("12614").await.expect("a report");
    assert_eq!(report.status, TaskStatus::Failed);
    assert_eq!(report.upstream.message.as_deref(), Some("peer refused"));
}

#[tokio::test]
async fn what_nobody_has_seen_is_never_a_success() {
    for data in [
        json!({"status": 3}),
        json!({"status": "ok"}),
        json!({}),
        json!([]),
        json!({"status": null}),
        json!([{"status": 0}, {"status": 1}]),
        json!([{"status": 0}, {"status": 0}]),
        json!([[{"status": 0}]]),
        json!("0"),
        json!(null),
    ] {
        assert_eq!(task(data).await, TaskStatus::Unrecognized);
    }
}

/// Reads a tunnel with these members in place of its own.
async fn read(members: Value) -> Tunnel {
    let mut entry = V2.entry(1);
    for (name, member) in members.as_object().expect("members") {
        entry[name] = member.clone();
    }
    let stub = Stub::playing([V2.entries(vec![entry], 1)]).await;
    stub.client(V2).tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel")
}

#[tokio::test]
async fn a_list_of_ranges_is_shown_whole_or_not_at_all() {
    let peers = async |ranges: Value| read(json!({"destinationCidr": ranges})).await.peer_cidrs;
    let known = |ranges: &[&str]| Some(ranges.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        peers(json!(["172.16.0.0/16", "172.17.0.0/16"])).await,
        known(&["172.16.0.0/16", "172.17.0.0/16"])
    );
    assert_eq!(peers(json!("172.16.0.0/16")).await, known(&["172.16.0.0/16"]));
    assert_eq!(peers(json!([])).await, known(&[]));
    for odd in [json!(null), json!({}), json!(["172.17.0.0/16"]), json!(""), json!(7), json!([])] {
        assert_eq!(peers(json!(["172.16.0.0/16", odd])).await, None, "{odd}");
    }
    for odd in [json!(null), json!(""), json!(7), json!({"0": "172.16.0.0/16"})] {
        assert_eq!(peers(odd.clone()).await, None, "{odd}");
    }
}

#[tokio::test]
async fn an_empty_id_is_no_id() {
    let numbered = |number: usize| {
        let mut entry = V2.entry(number);
        entry["unVpnConnId"] = json!("");
        entry["unVpcId"] = json!("");
        entry["unVpnGwId"] = json!(null);
        entry
    };
    let stub = Stub::playing([V2.entries(vec![numbered(1), numbered(2)], 2)]).await;
    let client = stub.client(V2);
    let wanted = |tunnel: &str| TunnelPath {
        vpc_id: "gz_vpc_8849".parse().expect("an id"),
        gateway_id: "547".parse().expect("an id"),
        tunnel_id: tunnel.parse().expect("an id"),
    };
    let all = client.tunnels(&wanted("1").vpc_id, &wanted("1").gateway_id).await.expect("tunnels");
    assert_eq!(all.len(), 2);
    for number in ["1", "2"] {
        let tunnel = client.tunnel(&wanted(number), Priority::Change, "one").await.expect("a tunnel");
        assert_eq!(
            (tunnel.vpc_ids, tunnel.tunnel_ids),
            (vec!["gz_vpc_8849".into()], vec![number.to_owned()])
        );
    }
}

#[tokio::test]
async fn a_setting_is_read_from_the_member_that_has_it() {
    let tunnel = read(json!({
        "vpcConnStatus": "", "vpnConnStatus": 6, "IKEArr": null,
        "IKESet": [{"dhGroupName": "group14", "ikeSaLifetimeSeconds": 86400.0}],
        "IPSECArr": [], "IPsecSet": {"ipsecSaLifetimeSeconds": "3600.0", "ipsecSaLifetimeTraffic": "1843200.5"},
    }))
    .await;
    assert_eq!(tunnel.status, Some(Reported::Known(TunnelStatus::Running)));
    assert_eq!(tunnel.ike.dh_group.as_deref(), Some("group14"));
    assert_eq!(tunnel.ike.sa_lifetime_seconds.as_deref(), Some("86400"));
    assert_eq!(tunnel.ipsec.sa_lifetime_seconds.as_deref(), Some("3600"));
    assert_eq!(tunnel.ipsec.sa_lifetime_kilobytes.as_deref(), Some("1843200.5"));
    // Which of two records the tunnel has is not known.
    let two = read(json!({"IKESet": [{"dhGroupName": "group14"}, {"dhGroupName": "group2"}]})).await;
    assert_eq!(two.ike.dh_group, None);
}

#[tokio::test]
async fn status_and_connectivity_are_told_as_they_are() {
    let read = async |status: Value, net: Value| {
        let mut entry = V2.entry(1);
        entry["vpnConnStatus"] = Value::Null;
        entry["vpcConnStatus"] = status;
        entry["netStatus"] = net;
        let answer = json!({"code": 0, "totalCount": 1, "data": [entry]});
        let stub = Stub::playing([Act::Json(answer)]).await;
        let tunnel = stub.client(V2).tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel");
        (tunnel.status, tunnel.connectivity)
    };
    use TunnelStatus::{
        Creating, CreationFailed, Deleting, DeletionFailed, ModificationFailed, Modifying, Running,
    };
    let words = [Creating, CreationFailed, Modifying, ModificationFailed, Deleting, DeletionFailed, Running];
    for (number, word) in words.into_iter().enumerate() {
        for number in [json!(number), json!(number.to_string())] {
            assert_eq!(read(number, Value::Null).await, (Some(Reported::Known(word)), None));
        }
    }
    assert_eq!(
        read(json!(7), json!("odd")).await,
        (Some(Reported::Other("7".into())), Some(Reported::Other("odd".into())))
    );
    let connected = Some(Reported::Known(Connectivity::Connected));
    assert_eq!(read(Value::Null, json!("available")).await, (None, connected));
    let disconnected = Some(Reported::Known(Connectivity::Disconnected));
    assert_eq!(read(json!(""), json!("unavailable")).await, (None, disconnected));
}

#[tokio::test]
async fn a_tunnel_on_a_later_page_is_found_by_either_form_of_its_id() {
    for id in ["vpnx-77", "77"] {
        let stub = Stub::playing([V2.list(0..50, 120), V2.list(50..100, 120), V2.list(100..120, 120)]).await;
        let tunnel = stub.client(V2).tunnel(&at(id), Priority::Poll, "").await.expect("a tunnel");
        assert_eq!(tunnel.tunnel_ids.first().map(String::as_str), Some("vpnx-77"));
        assert_eq!(tunnel.status, Some(Reported::Known(TunnelStatus::Running)));
        assert_eq!(tunnel.ipsec.encryption_algorithm.as_deref(), Some("none"));
        assert_eq!(tunnel.pre_shared_key.as_ref().map(|key| key.expose()), Some("tencenttest"));
        assert!(!format!("{tunnel:?}").contains("tencenttest"));
    }
}

#[tokio::test]
async fn an_empty_list_in_any_form_is_no_tunnel() {
    for data in [json!([]), json!({}), json!(null)] {
        let stub = Stub::playing([Act::Json(json!({"code": 0, "data": data}))]).await;
        let error = stub.client(V2).tunnel(&path(), Priority::Poll, "").await.expect_err("not there");
        assert_eq!(error.failure, ReadFailure::NotFound);
    }
}

#[tokio::test]
async fn a_list_that_is_shorter_than_it_says_proves_nothing() {
    for data in [json!([]), json!({}), json!(null)] {
        let short = || Act::Json(json!({"code": 0, "totalCount": 1, "data": data}));
        let stub = Stub::playing([short()]).await;
        let error = stub.client(V2).tunnel(&path(), Priority::Poll, "").await.expect_err("no list");
        assert_eq!(error.failure, ReadFailure::NoAnswer, "{data}");
    }
}

#[tokio::test]
async fn a_success_that_says_nothing_of_tunnels_proves_nothing() {
    for answer in [
        json!({"code": 0}),
        json!({"code": 0, "message": "", "codeDesc": "Success"}),
        json!({"code": 0, "totalCount": null}),
        json!({"code": 0, "totalCount": "many", "data": null}),
        json!({"code": 0, "data": {"0": {"vpnConnId": 1}}}),
        json!({"code": 0, "data": {"0": {"vpnConnId": 1}}, "totalCount": 0}),
        json!({"code": 0, "data": "none"}),
    ] {
        let client = Stub::playing([Act::Json(answer.clone())]).await.client(V2);
        let read = client.tunnel(&path(), Priority::Poll, "").await;
        assert_eq!(read.expect_err("no list").failure, ReadFailure::NoAnswer, "{answer}");
        let list = client.tunnels(&path().vpc_id, &path().gateway_id).await;
        assert_eq!(list.expect_err("no list").failure, ReadFailure::NoAnswer, "{answer}");
        let page = client.page(TunnelsOf::default(), 0, Turn { priority: Priority::Sweep, end: None }).await;
        assert_eq!(page.expect_err("no list").failure, ReadFailure::NoAnswer, "{answer}");
    }
    let none = Act::Json(json!({"code": 0, "totalCount": "0"}));
    let read = Stub::playing([none]).await.client(V2).tunnel(&path(), Priority::Poll, "").await;
    assert_eq!(read.expect_err("not there").failure, ReadFailure::NotFound);
}
