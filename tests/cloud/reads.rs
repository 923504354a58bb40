//! Reads of tasks and tunnels. The client accepts every form that the cloud's documents and examples show, and never reads
//! an unknown status as a success.

use std::time::Duration;

use serde_json::{Value, json};
use tunnelgate::domain::tunnel::{Connectivity, Reported, TunnelStatus};
use tunnelgate::service::cloud::{Priority, ReadFailure, TaskStatus};

use crate::forms::path;
use crate::stub::{Act, Stub};

async fn task(data: Value) -> TaskStatus {
    let stub = Stub::playing([Act::Json(json!({"code": "0", "message": "", "data": data}))]).await;
    let report = stub.client().task("12614").await.expect("a report");
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
}

#[tokio::test]
async fn what_nobody_has_seen_is_never_a_success() {
    for data in [json!({"status": 3}), json!({"status": "ok"}), json!({}), json!([]), json!({"status": null})]
    {
        assert_eq!(task(data).await, TaskStatus::Unrecognized);
    }
}

#[tokio::test]
async fn a_failed_task_comes_with_the_cloud_s_words() {
    let answer =
        json!({"code": 0, "data": {"status": 1, "output": {"errorCode": -1, "errorMsg": "peer refused"}}});
    let stub = Stub::playing([Act::Json(answer)]).await;
    let report = stub.client().task("7").await.expect("a report");
    assert_eq!(report.upstream.message.as_deref(), Some("peer refused"));
}

#[tokio::test]
async fn a_read_is_tried_again_where_a_change_would_not_be() {
    let good = json!({"code": 0, "data": {"status": 0}});
    for bad in
        [Act::Http(500, ""), Act::CloseAfterReading, Act::Truncated(good.clone()), Act::Http(200, "<p>")]
    {
        let stub = Stub::playing([bad, Act::Json(good.clone())]).await;
        assert_eq!(stub.client().task("7").await.expect("a report").status, TaskStatus::Succeeded);
        assert_eq!(stub.received().len(), 2);
    }
    let stub = Stub::playing([Act::Http(500, "")]).await;
    let error = stub.client().task("7").await.expect_err("no report");
    assert_eq!(error.failure, ReadFailure::NoAnswer);
}

/// A tunnel in an answer of `DescribeVpnConn`.
fn entry(number: usize) -> Value {
    json!({
        "vpcId": "gz_vpc_8849", "unVpcId": "vpc-03vihbk9", "vpnGwId": "547", "unVpnGwId": "vpngw-kfldykuz",
        "vpnConnId": number.to_string(), "unVpnConnId": format!("vpnx-{number}"), "vpnConnName": "hq",
        "preSharedKey": "tencenttest", "vpnConnStatus": "6", "sourceCidr": ["10.0.0.0/16"],
        "destinationCidr": ["172.16.0.0/16"], "IKESet": [], "IPsecSet": {"encryptAlgorithm": "null"},
    })
}

fn page(numbers: std::ops::Range<usize>, total: usize) -> Act {
    let entries: Vec<Value> = numbers.map(entry).collect();
    Act::Json(json!({"code": 0, "message": "", "totalCount": total.to_string(), "data": entries}))
}

#[tokio::test]
async fn tunnels_are_read_page_by_page() {
    let stub = Stub::playing([page(0..50, 120), page(50..100, 120), page(100..120, 120)]).await;
    let gateway = path();
    let tunnels = stub.client().tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect("tunnels");
    assert_eq!(tunnels.len(), 120);
    let offsets: Vec<String> =
        stub.received().iter().map(|request| request.params["offset"].clone()).collect();
    assert_eq!(offsets, ["0", "50", "100"]);
}

fn ids(tunnels: &[tunnelgate::domain::tunnel::Tunnel]) -> Vec<&str> {
    tunnels.iter().filter_map(|tunnel| tunnel.tunnel_ids.first().map(String::as_str)).collect()
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_again() {
    // Tunnel 7 is deleted after the first page. The later tunnels move up by one, so that no page contains tunnel 50.
    let moved: Vec<Value> = (51..60).map(entry).collect();
    let moved = Act::Json(json!({"code": 0, "totalCount": 59, "data": moved}));
    let without: Vec<usize> = (0..60).filter(|number| *number != 7).collect();
    let again = |numbers: &[usize]| {
        let entries: Vec<Value> = numbers.iter().map(|number| entry(*number)).collect();
        Act::Json(json!({"code": 0, "totalCount": 59, "data": entries}))
    };
    let script = [page(0..50, 60), moved, again(&without[..50]), again(&without[50..])];
    let stub = Stub::playing(script).await;
    let gateway = path();
    let tunnels = stub.client().tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect("tunnels");
    assert_eq!(ids(&tunnels), without.iter().map(|number| format!("vpnx-{number}")).collect::<Vec<_>>());
    assert_eq!(stub.received().len(), 4);
    let asked = &stub.received()[0].params;
    assert_eq!((asked["orderField"].as_str(), asked["orderDirection"].as_str()), ("createTime", "asc"));
}

#[tokio::test]
async fn a_list_that_never_stands_still_ends_all_the_same_and_names_each_tunnel_once() {
    let turn = [page(0..50, 51), page(49..50, 51)];
    let stub = Stub::playing(turn.clone().into_iter().chain(turn.clone()).chain(turn)).await;
    let gateway = path();
    let tunnels = stub.client().tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect("tunnels");
    assert_eq!((tunnels.len(), stub.received().len()), (50, 6));
}

#[tokio::test]
async fn a_part_of_too_long_a_list_does_not_pass_for_the_whole() {
    let stub = Stub::playing([page(0..50, 100_000)]).await;
    let client = stub.client_with(|settings| settings.timeout = std::time::Duration::from_secs(30));
    let gateway = path();
    let error = client.tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect_err("too many");
    assert_eq!(error.failure, ReadFailure::NoAnswer);
    assert!(error.upstream.message.is_some_and(|message| message.contains("2000")));
}

#[tokio::test]
async fn status_and_connectivity_are_told_as_they_are() {
    let read = async |status: Value, net: Value| {
        let mut entry = entry(1);
        entry["vpnConnStatus"] = Value::Null;
        entry["vpcConnStatus"] = status;
        entry["netStatus"] = net;
        let answer = json!({"code": 0, "totalCount": 1, "data": [entry]});
        let stub = Stub::playing([Act::Json(answer)]).await;
        let mut wanted = path();
        wanted.tunnel_id = "vpnx-1".parse().expect("an id");
        let tunnel = stub.client().tunnel(&wanted, Priority::Read, "").await.expect("a tunnel");
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
        let stub = Stub::playing([page(0..50, 120), page(50..100, 120), page(100..120, 120)]).await;
        let mut wanted = path();
        wanted.tunnel_id = id.parse().expect("an id");
        let tunnel = stub.client().tunnel(&wanted, Priority::Poll, "").await.expect("a tunnel");
        assert_eq!(tunnel.tunnel_ids.first().map(String::as_str), Some("vpnx-77"));
        assert_eq!(tunnel.status, Some(Reported::Known(TunnelStatus::Running)));
        assert_eq!(tunnel.ipsec.encryption_algorithm.as_deref(), Some("none"));
        assert_eq!(tunnel.pre_shared_key.as_ref().map(|key| key.expose()), Some("tencenttest"));
        assert!(!format!("{tunnel:?}").contains("tencenttest"));
    }
}

#[tokio::test]
async fn a_tunnel_that_stands_elsewhere_is_not_found() {
    for (vpc, gateway, tunnel) in [
        ("vpc-other", "vpngw-kfldykuz", "vpnx-1"),
        ("vpc-03vihbk9", "vpngw-other", "vpnx-1"),
        ("vpc-03vihbk9", "vpngw-kfldykuz", "vpnx-999"),
    ] {
        let stub = Stub::playing([page(0..3, 3)]).await;
        let mut wanted = path();
        wanted.vpc_id = vpc.parse().expect("an id");
        wanted.gateway_id = gateway.parse().expect("an id");
        wanted.tunnel_id = tunnel.parse().expect("an id");
        let error = stub.client().tunnel(&wanted, Priority::Poll, "").await.expect_err("not there");
        assert_eq!(error.failure, ReadFailure::NotFound);
    }
}

#[tokio::test]
async fn an_empty_list_in_any_form_is_no_tunnel() {
    for data in [json!([]), json!({}), json!(null)] {
        let stub = Stub::playing([Act::Json(json!({"code": 0, "data": data}))]).await;
        let error = stub.client().tunnel(&path(), Priority::Poll, "").await.expect_err("not there");
        assert_eq!(error.failure, ReadFailure::NotFound);
    }
}

#[tokio::test]
async fn reads_of_one_gateway_that_wait_share_a_call_and_each_gets_its_own_tunnel() {
    let stub = Stub::playing([page(0..50, 50)]).await;
    let client = stub.client_with(|settings| {
        settings.calls_per_second = 1;
        settings.timeout = Duration::from_secs(4);
    });
    let read = |number: usize, priority| {
        let mut wanted = path();
        wanted.tunnel_id = format!("vpnx-{number}").parse().expect("an id");
        let client = &client;
        async move { client.tunnel(&wanted, priority, "").await }
    };
    // Takes the only slot of this second.
    read(1, Priority::Read).await.expect("a tunnel");
    let priorities = [Priority::Change, Priority::Poll, Priority::Read];
    let reads = (0..30).map(|number| read(number, priorities[number % 3]));
    for (number, tunnel) in futures_util::future::join_all(reads).await.into_iter().enumerate() {
        let tunnel = tunnel.expect("a tunnel");
        assert_eq!(tunnel.tunnel_ids.first(), Some(&format!("vpnx-{number}")));
    }
    assert_eq!(stub.received().len(), 2, "one call for all that waited");
    let missing = read(99, Priority::Read).await.expect_err("not there");
    assert_eq!(missing.failure, ReadFailure::NotFound);
}

#[tokio::test]
async fn a_tunnel_that_a_shared_call_does_not_show_is_read_by_itself() {
    let stub =
        Stub::playing([page(0..50, 120), page(0..50, 120), page(0..50, 120), page(50..100, 120)]).await;
    let client = stub.client_with(|settings| settings.calls_per_second = 1);
    client.tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel");
    let (first, second) = (at("vpnx-2"), at("vpnx-77"));
    let reads = (client.tunnel(&first, Priority::Read, ""), client.tunnel(&second, Priority::Read, ""));
    let (first, second) = tokio::join!(reads.0, reads.1);
    assert_eq!(first.expect("a tunnel").tunnel_ids.first().map(String::as_str), Some("vpnx-2"));
    assert_eq!(second.expect("a tunnel").tunnel_ids.first().map(String::as_str), Some("vpnx-77"));
    assert_eq!(stub.received().len(), 4);
}

#[tokio::test]
async fn a_read_whose_caller_leaves_takes_nothing_from_the_others() {
    let stub = Stub::playing([page(0..50, 50)]).await;
    let client = stub.client_with(|settings| settings.calls_per_second = 1);
    client.tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel");
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.tunnel(&at("vpnx-2"), Priority::Read, "").await }
    });
    let second = tokio::spawn({
        let client = client.clone();
        async move { client.tunnel(&at("vpnx-3"), Priority::Read, "").await }
    });
    tokio::task::yield_now().await;
    first.abort();
    let tunnel = second.await.expect("no panic").expect("a tunnel");
    assert_eq!(tunnel.tunnel_ids.first().map(String::as_str), Some("vpnx-3"));
}

fn at(tunnel: &str) -> tunnelgate::domain::ids::TunnelPath {
    let mut wanted = path();
    wanted.tunnel_id = tunnel.parse().expect("an id");
    wanted
}
