//! `…/peer-config`: the other end of a tunnel, as configuration.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;
use tunnelgate::domain::peer_config::PeerFormat;
use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};
use crate::support::Store;

const WAIT: [(&str, &str); 1] = [("prefer", "wait=30")];

fn route(tunnel: &str, format: &str) -> String {
    format!("{}/peer-config?format={format}", path(tunnel))
}

async fn text(harness: &Harness, format: PeerFormat) -> String {
    let answer = harness.consumer.get(&route("vpnx-branch01", format.as_str()), &[]).await;
    assert_eq!(answer.status, 200, "{format:?}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body
}

/// The setting of each format that has the group of IKE, and one that has the peer's own range.
fn lines(format: PeerFormat) -> [&'static str; 2] {
    match format {
        PeerFormat::Strongswan => ["proposals = aes256-sha1-modp2048", "local_ts = 172.16.0.0/16"],
        PeerFormat::Libreswan => ["ike=aes256-sha1-dh14", "leftsubnet=172.16.0.0/16"],
        PeerFormat::CiscoIos => [" group 14", "permit ip 172.16.0.0 0.0.255.255 10.0.0.0 0.0.255.255"],
        PeerFormat::Juniper => ["dh-group group14", "local-ip 172.16.0.0/16 remote-ip 10.0.0.0/16"],
        PeerFormat::Routeros => ["dh-group=modp2048", "src-address=172.16.0.0/16 dst-address=10.0.0.0/16"],
    }
}

async fn each_format_has_the_tunnel_as_it_is_and_neither_the_key_nor_its_fingerprint(harness: Harness) {
    let patch = json!({"pre_shared_key": "canary-psk", "peer_cidrs": ["172.16.0.0/16"]});
    let changed = harness.consumer.patch(&path("vpnx-branch01"), &patch, &WAIT).await.json();
    assert_eq!(changed["status"], "succeeded", "{changed}");
    let fingerprint = changed["changes"]["pre_shared_key"]["hmac_sha256"].as_str().expect("a fingerprint");
    for format in PeerFormat::ALL {
        let text = text(&harness, *format).await;
        for line in lines(*format) {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.contains("<PRE_SHARED_KEY>"), "{text}");
        for secret in ["canary-psk", "set-when-it-was-made", fingerprint] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    // The next read has the next change.
    let group = json!({"peer_cidrs": ["172.17.0.0/16"], "ike": {"dh_group": "group5"}});
    let changed = harness.consumer.patch(&path("vpnx-branch01"), &group, &WAIT).await.json();
    assert_eq!(changed["status"], "succeeded", "{changed}");
    let text = text(&harness, PeerFormat::Strongswan).await;
    assert!(text.contains("proposals = aes256-sha1-modp1536") && text.contains("172.17.0.0/16"), "{text}");
    assert!(!text.contains("172.16.0.0/16"), "{text}");
}

async fn dry_runs_and_operations_lead_to_it(harness: Harness) {
    let address = format!("{}/peer-config", path("vpnx-branch01"));
    let dry_run = format!("{}?dry_run=true", path("vpnx-branch01"));
    let shown = harness.consumer.patch(&dry_run, &ranges(), &[]).await.json();
    assert_eq!(shown["peer_config"], address, "{shown}");
    let operation = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &WAIT).await.json();
    assert_eq!(operation["peer_config"], address, "{operation}");
    let id = operation["id"].as_str().expect("an id");
    let one = harness.consumer.get(&format!("/operations/{id}"), &[]).await.json();
    assert_eq!(one["peer_config"], address, "{one}");
    let stream = harness.consumer.get(&format!("/operations/{id}/stream"), &[]).await.body;
    let end = stream.trim_end().lines().last().and_then(|line| line.strip_prefix("data: "));
    let end: Value = serde_json::from_str(end.unwrap_or_default()).unwrap_or_default();
    assert_eq!(end["peer_config"], address, "{stream}");
    let followed = harness.consumer.get(&format!("{address}?format=strongswan"), &[]).await;
    assert_eq!(followed.status, 200, "{}", followed.body);
}

async fn the_format_is_one_of_the_known_ones(harness: Harness) {
    let bare = format!("{}/peer-config", path("vpnx-branch01"));
    for (route, code) in [
        (bare.clone(), "required"),
        (format!("{bare}?format="), "invalid"),
        (format!("{bare}?format=Strongswan"), "invalid"),
        (format!("{bare}?format=fortigate"), "invalid"),
        (format!("{bare}?format=strongswan&format=juniper"), "repeated"),
    ] {
        let answer = harness.consumer.get(&route, &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{route}");
        let fault = &answer.json()["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!("query:format"), &json!(code)), "{route}");
        let detail = fault["detail"].as_str().expect("a detail");
        let lists_all = PeerFormat::WORDS.iter().all(|word| detail.contains(word));
        assert!(lists_all || code == "repeated", "{detail}");
    }
    assert_eq!(harness.reads().await, 0, "no call for a wrong format");
}

async fn rights_are_those_of_the_tunnel(harness: Harness) {
    let limited = harness.consumer_with("limited", &[(Scope::TunnelsRead, &["vpc-prod-*"])]).await;
    let writer = harness.consumer_with("writer", &[(Scope::TunnelsWrite, &[])]).await;
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels";
    let seen = limited.get(&format!("{prod}/vpnx-prod1/peer-config?format=juniper"), &[]).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    for hidden in [
        route("vpnx-branch01", "juniper"),
        format!("{prod}/vpnx-nowhere/peer-config?format=juniper"),
        format!("{prod}/a.b/peer-config?format=juniper"),
    ] {
        assert_eq!(limited.get(&hidden, &[]).await.problem(), (404, "tunnel_not_found".into()), "{hidden}");
    }
    let refused = writer.get(&route("vpnx-branch01", "juniper"), &[]).await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    let anonymous = harness.caller("tg_none".into()).get(&route("vpnx-branch01", "juniper"), &[]).await;
    assert_eq!(anonymous.problem(), (401, "unauthorized".into()));
    let unreadable = harness.consumer.get(&route("vpnx-unreadable", "juniper"), &[]).await;
    assert_eq!(unreadable.problem(), (503, "tunnel_unreadable".into()));
    assert_eq!(harness.log().await, Vec::<Value>::new(), "reads leave no event");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_format_does_not_have_is_a_409_with_the_reason_for_each_setting() {
    let harness = Harness::on_api(Store::sqlite(), Api::V3, |_| {}).await;
    let patch = json!({
        "security_policies": [{"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.1.0/24", "172.16.2.0/24"]},
                              {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}],
        "ike": {"version": "ikev2", "encryption_algorithm": "aes-gcm-256", "authentication_algorithm": "sha-512",
                "dh_group": "group20"},
        "ipsec": {"encryption_algorithm": "aes-cbc-256", "integrity_algorithm": "sha-384", "pfs_dh_group": "dh-group20"},
        "dpd": {"enabled": true, "timeout_seconds": 45, "action": "restart"}});
    let changed = harness.consumer.patch(&path("vpnx-branch01"), &patch, &WAIT).await.json();
    assert_eq!(changed["status"], "succeeded", "{changed}");
    let refused = harness.consumer.get(&route("vpnx-branch01", "routeros"), &[]).await;
    assert_eq!(refused.problem(), (409, "peer_config_unavailable".into()));
    let fault = |pointer: &str, value: &str| json!({"pointer": pointer, "code": "not_supported", "detail": format!("RouterOS does not have {value}")});
    assert_eq!(
        refused.json()["errors"],
        json!([
            fault("/ike/encryption_algorithm", "aes-gcm-256"),
            fault("/ipsec/integrity_algorithm", "sha-384"),
        ])
    );
    let refused = harness.consumer.get(&route("vpnx-branch01", "juniper"), &[]).await;
    assert_eq!(refused.problem(), (409, "peer_config_unavailable".into()));
    let fault = &refused.json()["errors"][0];
    assert_eq!(fault["pointer"], "/ike/encryption_algorithm");
    assert!(fault["detail"].as_str().is_some_and(|why| why.contains("SHA-384")), "{fault}");
    // The other formats have all of it. API 3.0 shows the pairs, and no public addresses.
    for format in [PeerFormat::Strongswan, PeerFormat::Libreswan, PeerFormat::CiscoIos] {
        let text = text(&harness, format).await;
        assert!(text.contains("172.16.2.0") && !text.contains("no pairs of ranges"), "{text}");
        assert!(text.contains("no public addresses") && text.contains("203.0.113.10"), "{text}");
    }
    let text = text(&harness, PeerFormat::Strongswan).await;
    assert!(text.contains("proposals = aes256gcm16-prfsha512-ecp384"), "{text}");
    assert!(text.contains("esp_proposals = aes256-sha384-ecp384"), "{text}");
    assert!(
        text.contains("local_ts = 172.16.1.0/24, 172.16.2.0/24\n        remote_ts = 10.0.0.0/24"),
        "{text}"
    );
    assert!(text.contains("dpd_delay = 15s") && text.contains("dpd_action = restart"), "{text}");
}

on_each_api!(
    each_format_has_the_tunnel_as_it_is_and_neither_the_key_nor_its_fingerprint,
    dry_runs_and_operations_lead_to_it,
    the_format_is_one_of_the_known_ones,
    rights_are_those_of_the_tunnel,
);
