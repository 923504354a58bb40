//! `?dry_run=true`: shows the effect of a change and changes nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;
use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};
use crate::support::consumer::Answer;

fn patch() -> Value {
    json!({
        "name": "hq", "pre_shared_key": "canary-key", "peer_cidrs": ["172.16.0.0/16"],
        "ike": {"dh_group": "group24", "exchange_mode": "main",
                "remote_identity": {"type": "fqdn", "fqdn": "idc.example.com"}},
        "ipsec": {"pfs_dh_group": "none", "sa_lifetime_seconds": 7200},
    })
}

async fn try_out(harness: &Harness, tunnel: &str, patch: &Value, headers: &[(&str, &str)]) -> Answer {
    harness.consumer.patch(&format!("{}?dry_run=true", path(tunnel)), patch, headers).await
}

async fn nothing_was_stored(harness: &Harness) {
    assert!(harness.simulator.journal().is_empty(), "no change was sent");
    assert_eq!(harness.consumer.get("/operations", &[]).await.json()["items"], json!([]));
    assert_eq!(harness.log().await, Vec::<Value>::new());
}

async fn each_field_is_shown_beside_what_the_tunnel_has(harness: Harness) {
    let before = harness.consumer.get(&path("vpnx-branch01"), &[]).await;
    let answer = try_out(&harness, "vpnx-branch01", &patch(), &[("idempotency-key", "one")]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.contains("canary-key"));
    let shown = answer.json();
    assert_eq!(shown["tunnel"]["tunnel_id"], "vpnx-branch01");
    assert_eq!(shown["etag"].as_str(), before.header("etag"));
    assert_eq!(shown["operation_in_progress"], Value::Null);
    let fields: BTreeMap<&str, &Value> = shown["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .map(|row| (row["pointer"].as_str().expect("a pointer"), row))
        .collect();
    let key = &before.json()["pre_shared_key"];
    let expected = [
        ("/name", json!("branch01"), json!("hq"), Some(true)),
        ("/pre_shared_key", key.clone(), json!("***"), None),
        ("/peer_cidrs", json!(["172.16.0.0/16"]), json!(["172.16.0.0/16"]), Some(false)),
        ("/ike/dh_group", json!("group14"), json!("group24"), Some(true)),
        ("/ike/exchange_mode", json!("main"), json!("main"), Some(false)),
        (
            "/ike/remote_identity",
            json!({"type": "address", "address": "203.0.113.20"}),
            json!({"type": "fqdn", "fqdn": "idc.example.com"}),
            Some(true),
        ),
        ("/ipsec/pfs_dh_group", json!("dh-group14"), json!("none"), Some(true)),
        ("/ipsec/sa_lifetime_seconds", json!(3600), json!(7200), Some(true)),
    ];
    assert_eq!(fields.len(), expected.len());
    for (pointer, current, wanted, differs) in expected {
        let expected = json!({"pointer": pointer, "current": current, "wanted": wanted, "differs": differs});
        assert_eq!(*fields[pointer], expected);
    }
    assert_eq!(shown["merged"]["ike"]["encryption_algorithm"], "aes-cbc-256", "the group is whole");
    assert_eq!(shown["merged"]["ike"]["remote_identity"]["fqdn"], "idc.example.com");
    assert_eq!(shown["merged"]["ipsec"]["sa_lifetime_kilobytes"], 1_843_200);
    assert_eq!(shown["merged"]["pre_shared_key"], fields["/pre_shared_key"]["wanted"]);
    nothing_was_stored(&harness).await;
    // The idempotency key is unused too.
    let real = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("idempotency-key", "one")]).await;
    assert_eq!((real.status, real.header("idempotent-replayed")), (202, None), "{}", real.body);
}

async fn the_call_is_the_one_that_is_then_made(harness: Harness) {
    let policies = json!({"security_policies": [
        {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]},
        {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}]});
    for (tunnel, patch) in
        [("vpnx-branch01", patch()), ("vpnx-branch02", policies), ("vpnx-ol6bcqp0", ranges())]
    {
        let shown = try_out(&harness, tunnel, &patch, &[]).await.json();
        let call = &shown["call"];
        let route = harness.by_api("/v2/index.php", "/");
        assert_eq!((call["method"].as_str(), call["path"].as_str()), (Some("POST"), Some(route)));
        assert_eq!(call["host"], harness.simulator.address.to_string());
        let answer = harness.patch(tunnel, &patch).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let mut sent = harness.received(tunnel)[0].params.clone();
        let parameters = call["parameters"].as_array().expect("parameters");
        let mut all = BTreeMap::new();
        for parameter in parameters {
            flatten(parameter["name"].as_str().expect("a name"), &parameter["value"], &mut all);
        }
        for (name, value) in all {
            let real = sent.remove(&name).unwrap_or_else(|| panic!("{name} was not sent"));
            match name.as_str() {
                "SecretId" | "Signature" | "preSharedKey" | "PreShareKey" => {
                    assert_eq!(value, "***", "{name}")
                }
                "Timestamp" | "Nonce" => assert_eq!(value, "(drawn for each call)"),
                _ => assert_eq!(value, real, "{name}"),
            }
        }
        assert!(sent.is_empty(), "not shown: {sent:?}");
        let ends = [parameters.first(), parameters.last()].map(|parameter| parameter.map(|p| &p["name"]));
        match harness.api {
            Api::V2 => assert_eq!(ends, [Some(&json!("Action")), Some(&json!("Signature"))]),
            Api::V3 => {
                let headers = call["headers"].to_string();
                assert!(headers.contains("ModifyVpnConnectionAttribute"), "{headers}");
                assert!(headers.contains("Authorization") && !headers.contains("Signature="), "{headers}");
            }
        }
    }
}

/// The values of a shown parameter by their full names, as the simulated cloud's journal has them.
fn flatten(name: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| flatten(&format!("{name}.{member}"), value, all));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| flatten(&format!("{name}.{index}"), item, all));
        }
        Value::String(text) => drop(all.insert(name.to_owned(), text.clone())),
        other => drop(all.insert(name.to_owned(), other.to_string())),
    }
}

async fn policies_that_the_cloud_does_not_show_are_not_said_to_differ(harness: Harness) {
    let policies = |peers: [&str; 2]| {
        json!({"security_policies": [
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": [peers[0]]},
            {"local_cidr": "10.0.1.0/24", "peer_cidrs": [peers[1]]}]})
    };
    let asked = policies(["172.16.0.0/16", "172.17.0.0/16"]);
    harness.consumer.patch(&path("vpnx-branch01"), &asked, &[("prefer", "wait=30")]).await;
    let crossed = policies(["172.17.0.0/16", "172.16.0.0/16"]);
    let shown = try_out(&harness, "vpnx-branch01", &crossed, &[]).await.json();
    assert_eq!(
        shown["fields"],
        json!([{
            "pointer": "/security_policies",
            "current": {"local_cidrs": ["10.0.0.0/24", "10.0.1.0/24"], "peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"]},
            "wanted": crossed["security_policies"], "differs": null
        }])
    );
    let other = try_out(&harness, "vpnx-branch01", &ranges(), &[]).await.json();
    assert_eq!(other["fields"][0]["differs"], true);
}

async fn an_operation_that_is_under_way_is_named(harness: Harness) {
    let running = harness.patch("vpnx-task-never-ends", &ranges()).await.json();
    let shown = try_out(&harness, "vpnx-task-never-ends", &ranges(), &[]).await;
    assert_eq!((shown.status, &shown.json()["operation_in_progress"]), (200, &running["id"]));
    let real = harness.patch("vpnx-task-never-ends", &ranges()).await;
    assert_eq!(real.problem(), (409, "operation_in_progress".into()));
    assert_eq!(real.json()["operation_id"], running["id"]);
}

async fn it_is_refused_where_the_change_would_be(harness: Harness) {
    let refused = try_out(&harness, "vpnx-branch01", &json!({"name": "", "colour": "red"}), &[]).await;
    assert_eq!(refused.problem(), (422, "invalid_patch".into()));
    let missing = try_out(&harness, "vpnx-nowhere", &ranges(), &[]).await;
    assert_eq!(missing.problem(), (404, "tunnel_not_found".into()));
    let unreadable = try_out(&harness, "vpnx-unreadable", &patch(), &[]).await;
    assert_eq!(unreadable.problem(), (503, "tunnel_unreadable".into()));
    let changed = try_out(&harness, "vpnx-branch01", &ranges(), &[("if-match", "\"x\"")]).await;
    assert_eq!(changed.problem(), (412, "precondition_failed".into()));
    let tag =
        harness.consumer.get(&path("vpnx-branch01"), &[]).await.header("etag").expect("a tag").to_owned();
    let seen = try_out(&harness, "vpnx-branch01", &ranges(), &[("if-match", &tag)]).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    for odd in ["dry_run=1", "dry_run=", "dry_run=TRUE", "dry_run=true&dry_run=true", "dryrun=true"] {
        let answer =
            harness.consumer.patch(&format!("{}?{odd}", path("vpnx-branch01")), &ranges(), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{odd}");
    }
    nothing_was_stored(&harness).await;
    let real =
        harness.consumer.patch(&format!("{}?dry_run=false", path("vpnx-branch01")), &ranges(), &[]).await;
    assert_eq!(real.status, 202, "{}", real.body);
}

async fn who_may_not_change_may_not_try_either_and_that_is_no_event(harness: Harness) {
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    let route = format!("{}?dry_run=true", path("vpnx-branch01"));
    let answer = reader.patch(&route, &ranges(), &[]).await;
    assert_eq!(answer.problem(), (403, "forbidden".into()));
    // A dry run shows what the tunnel has.
    let writer = harness.consumer_with("writer", &[(Scope::TunnelsWrite, &[])]).await;
    assert_eq!(writer.patch(&route, &ranges(), &[]).await.problem(), (403, "forbidden".into()));
    assert_eq!(harness.log().await, Vec::<Value>::new());
    let both = harness.consumer_with("both", &[(Scope::TunnelsWrite, &[]), (Scope::TunnelsRead, &[])]).await;
    assert_eq!(both.patch(&route, &ranges(), &[]).await.status, 200);
}

// API 3.0 shows the policies.
on_each_ledger!(policies_that_the_cloud_does_not_show_are_not_said_to_differ);
on_each_api!(
    each_field_is_shown_beside_what_the_tunnel_has,
    the_call_is_the_one_that_is_then_made,
    an_operation_that_is_under_way_is_named,
    it_is_refused_where_the_change_would_be,
    who_may_not_change_may_not_try_either_and_that_is_no_event,
);
