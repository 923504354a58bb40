//! Reads of tasks and tunnels. The client accepts every form that the cloud's documents and examples show, and never reads
//! an unknown status as a success.

use serde_json::{Value, json};
use tunnelgate::domain::tunnel::{Connectivity, Reported, TunnelStatus};
use tunnelgate::service::cloud::{Priority, ReadFailure, TaskStatus};

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
}

#[tokio::test]
async fn what_nobody_has_seen_is_never_a_success() {
    for data in [json!({"status": 3}), json!({"status": "ok"}), json!({}), json!([]), json!({"status": null})]
    {
        assert_eq!(task(data).await, TaskStatus::Unrecognized);
    }
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
