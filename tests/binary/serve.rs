//! `serve` and `simulate-cloud` as separate processes, on each ledger.

use serde_json::{Value, json};

use crate::installation::Installation;
use crate::process::Process;
use crate::support::Store;
use crate::support::consumer::{Consumer, plain_client};

pub const TUNNEL: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0";
const PRE_SHARED_KEY: &str = "tencenttest";

fn kinds(events: &Value) -> Vec<String> {
    let items = events["items"].as_array().expect("items");
    items.iter().rev().filter_map(|e| e["event"].as_str().map(str::to_owned)).collect()
}

/// Patch, poll, succeed, verify, read the audit log, check the chain.
async fn whole_story(store: Store) {
    let installation = Installation::new(store).await;
    let token = installation.token();
    let mut gateway = installation.serve("gateway");
    let consumer = Consumer::new(gateway.address(), token.clone());

    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": PRE_SHARED_KEY});
    let answer = consumer.patch(TUNNEL, &patch, &[("x-request-id", "story-1")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.headers["x-request-id"], "story-1");
    let operation = answer.json();
    let id = operation["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.headers["location"], format!("/operations/{id}").as_str());
    assert_eq!(operation["status"], "running");
    assert_eq!(operation["requested_by"], "netops-ci");

    // One change at a time on one tunnel.
    let second = consumer.patch(TUNNEL, &patch, &[]).await;
    assert_eq!((second.status, second.json()["operation_id"].as_str()), (409, Some(id.as_str())));

    let ended = consumer.ended(&id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["verification"], json!({"result": "confirmed"}));

    let events = consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await;
    assert_eq!(kinds(&events.json()), ["requested", "submitted", "succeeded"]);
    assert_eq!(installation.received().await.len(), 1, "sent once");

    // A tunnel that the cloud does not know, and one whose connection breaks after the change.
    let unknown = TUNNEL.replace("vpnx-ol6bcqp0", "vpnx-nowhere");
    let answer = consumer.patch(&unknown, &patch, &[]).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("tunnel_not_found")));

    let csv = consumer.get("/audit-events", &[("accept", "text/csv")]).await;
    assert_eq!(csv.body.lines().count(), 1 + 1 + 3, "{}", csv.body);

    assert!(gateway_stops(gateway), "SIGTERM: exit code 0");
    let verified = installation.run(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stderr));
}

fn gateway_stops(gateway: Process) -> bool {
    gateway.terminate().success()
}

/// Killed during a change; after the restart the operation is settled, and no change is sent twice.
async fn killed_and_restarted(store: Store) {
    let installation = Installation::new(store).await;
    let token = installation.token();
    let mut gateway = installation.serve("gateway-1");
    let consumer = Consumer::new(gateway.address(), token.clone());
    let patch = json!({"peer_cidrs": ["10.100.9.0/24"]});
    let silent = TUNNEL.replace("vpnx-ol6bcqp0", "vpnx-no-answer");
    let request = {
        let consumer = consumer.clone();
        tokio::spawn(async move {
            // The gateway dies before its response.
            let client = plain_client();
            let _ = client
                .patch(format!("{}{silent}", consumer.base))
                .bearer_auth(&consumer.token)
                .header("content-type", "application/json")
                .body(patch.to_string())
                .send()
                .await;
        })
    };
    while installation.received().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    gateway.kill();
    let _ = request.await;

    let mut gateway = installation.serve("gateway-2");
    let consumer = Consumer::new(gateway.address(), token);
    let operations = consumer.get("/operations", &[]).await.json();
    let id = operations["items"][0]["id"].as_str().expect("the operation is durable").to_owned();
    let ended = consumer.ended(&id).await;
    assert_eq!(installation.received().await.len(), 1, "never sent again");
    let events = consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let kinds = kinds(&events);
    assert_eq!(kinds[..2], ["requested", "outcome_unknown"], "{ended}");
    assert!(gateway_stops(gateway));
    assert!(installation.run(&["audit", "verify"]).status.success());
}

on_each_ledger!(whole_story, killed_and_restarted);

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_the_address_of_a_caller_with_a_wrong_token() {
    let installation = Installation::new(Store::sqlite()).await;
    let env = [("TUNNELGATE_LOG_FORMAT", "json"), ("TUNNELGATE_TRUSTED_PROXIES", "127.0.0.0/8")];
    let mut gateway = installation.serve_with_env("gateway", &["serve"], &env);
    let stranger = Consumer::new(gateway.address(), "tg_canary".to_owned());
    for (named, expected) in [("192.0.2.66, 198.51.100.7", "198.51.100.7"), ("", "127.0.0.1")] {
        let headers = [("x-request-id", expected), ("x-forwarded-for", named)];
        assert_eq!(stranger.get("/operations", &headers).await.status, 401);
        let line = gateway.await_output("line", |output| {
            let mut lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["message"] == "answered" && line["span"]["request_id"] == expected)
        });
        assert_eq!((&line["status"], &line["source_ip"]), (&json!(401), &json!(expected)), "{line}");
    }
    assert!(!gateway.stderr().contains("canary"));
}
