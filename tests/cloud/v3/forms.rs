//! The requests that the client sends.

use std::time::Duration;

use serde_json::{Value, json};
use tunnelgate::cloud::v3::sign::{authorization, canonical_request, signature, string_to_sign};
use tunnelgate::domain::bgp::BgpSettings;
use tunnelgate::domain::dpd::DpdSettings;
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::domain::health_check::HealthCheckSettings;
use tunnelgate::domain::ike::IkeSettings;
use tunnelgate::domain::ipsec::IpsecSettings;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::service::cloud::TunnelChange;

use crate::stub::{Act, Received, SECRET_ID, SECRET_KEY, Stub, send};
use crate::version::V3;

/// Every field of a change.
fn whole() -> TunnelChange {
    let text = |text: &str| Some(text.to_owned());
    let mut change = V3.change(&json!({
        "name": "北京 \"q\" & 50%", "pre_shared_key": "@a&b=c+d%20 \"q\"\\",
        "security_policies": [
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]},
            {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]},
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16", "172.18.0.0/16"]},
        ],
        "negotiation_type": "flow-trigger", "customer_gateway_id": "cgw-mgp33pll",
    }));
    change.ike = Some(IkeSettings {
        version: text("ikev2"),
        encryption_algorithm: text("aes-gcm-256"),
        authentication_algorithm: text("sha"),
        exchange_mode: text("main"),
        local_identity: text("address"),
        local_address: text("203.0.113.10"),
        remote_identity: text("fqdn"),
        remote_fqdn: text("idc.example.com"),
        dh_group: text("group14"),
        sa_lifetime_seconds: text("86400"),
        ..IkeSettings::default()
    });
    change.ipsec = Some(IpsecSettings {
        encryption_algorithm: text("none"),
        integrity_algorithm: text("sha"),
        sa_lifetime_seconds: text("3600"),
        sa_lifetime_kilobytes: text("4294967295"),
        pfs_dh_group: text("none"),
    });
    change.dpd =
        Some(DpdSettings { enabled: Some(true), timeout_seconds: text("30"), action: text("restart") });
    change.health_check = Some(HealthCheckSettings {
        enabled: Some(false),
        local_ip: text("169.254.128.1"),
        remote_ip: text("169.254.128.2"),
        interval_ms: text("5000"),
        timeout_ms: text("150"),
        failure_threshold: text("3"),
    });
    change.bgp = Some(BgpSettings {
        tunnel_cidr: text("169.254.1.0/30"),
        local_ip: text("169.254.1.1"),
        remote_ip: text("169.254.1.2"),
    });
    change
}

/// The members of [`whole`], in their order.
fn expected(key: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("VpnConnectionId", json!("vpnx-ol6bcqp0")),
        ("VpnConnectionName", json!("北京 \"q\" & 50%")),
        ("PreShareKey", key.clone()),
        (
            "SecurityPolicyDatabases",
            json!([
                {"LocalCidrBlock": "10.0.0.0/24", "RemoteCidrBlock": ["172.16.0.0/16", "172.18.0.0/16"]},
                {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["172.17.0.0/16"]},
            ]),
        ),
        (
            "IKEOptionsSpecification",
            json!({
                "PropoEncryAlgorithm": "AES256GCM128", "PropoAuthenAlgorithm": "SHA", "ExchangeMode": "MAIN",
                "LocalIdentity": "ADDRESS", "LocalAddress": "203.0.113.10", "RemoteIdentity": "FQDN",
                "RemoteFqdnName": "idc.example.com", "DhGroupName": "GROUP14", "IKESaLifetimeSeconds": 86400,
                "IKEVersion": "IKEV2"}),
        ),
        (
            "IPSECOptionsSpecification",
            json!({
                "EncryptAlgorithm": "NULL", "IntegrityAlgorith": "SHA1", "IPSECSaLifetimeSeconds": 3600,
                "PfsDhGroup": "NULL", "IPSECSaLifetimeTraffic": 4_294_967_295_u64}),
        ),
        ("EnableHealthCheck", json!(false)),
        ("HealthCheckLocalIp", json!("169.254.128.1")),
        ("HealthCheckRemoteIp", json!("169.254.128.2")),
        ("HealthCheckConfig", json!({"ProbeInterval": 5000, "ProbeThreshold": 3, "ProbeTimeout": 150})),
        ("NegotiationType", json!("flowTrigger")),
        ("DpdEnable", json!(1)),
        ("DpdTimeout", json!("30")),
        ("DpdAction", json!("restart")),
        ("CustomerGatewayId", json!("cgw-mgp33pll")),
        (
            "BgpConfig",
            json!({"TunnelCidr": "169.254.1.0/30", "LocalBgpIp": "169.254.1.1", "RemoteBgpIp": "169.254.1.2"}),
        ),
    ]
}

/// The header that the request should have.
fn right_authorization(request: &Received) -> String {
    let signed_at = Timestamp::from_micros(V3.signed_at(request) * 1_000_000);
    let canonical = canonical_request("vpc.tencentcloudapi.com", "application/json", request.body.as_bytes());
    let text = string_to_sign(signed_at, &canonical);
    authorization(SECRET_ID, signed_at, &signature(SECRET_KEY, signed_at, &text))
}

#[tokio::test]
async fn a_change_is_sent_with_its_headers_and_rightly_signed() {
    let stub = Stub::playing([Act::Json(V3.taken())]).await;
    send(&stub.client(V3), &V3.example()).await;
    let received = stub.received();
    assert_eq!(received.len(), 1);
    let request = &received[0];
    assert_eq!(request.line, "POST / HTTP/1.1");
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-tc-action", "ModifyVpnConnectionAttribute"),
        ("x-tc-version", "2017-03-12"),
        ("x-tc-region", "ap-guangzhou"),
        ("x-tc-language", "en-US"),
    ] {
        assert_eq!(request.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!request.headers.contains_key("x-tc-token"));
    let body = r#"{"VpnConnectionId":"vpnx-ol6bcqp0","VpnConnectionName":"hq","PreShareKey":"tencenttest"}"#;
    assert_eq!(request.body, body, "compact, and only what the change has");
    assert_eq!(request.headers["authorization"], right_authorization(request));
}

#[tokio::test]
async fn every_field_is_sent_in_the_cloud_s_form() {
    let stub = Stub::playing([Act::Json(V3.taken())]).await;
    let change = whole();
    send(&stub.client(V3), &change).await;
    let request = &stub.received()[0];
    let key = json!("@a&b=c+d%20 \"q\"\\");
    let members: serde_json::Map<String, Value> =
        expected(&key).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(request.json(), Value::Object(members));
    assert!(request.body.contains("北京") && !request.body.contains(", "), "compact UTF-8: {}", request.body);
    assert_eq!(request.headers["authorization"], right_authorization(request));
}

#[tokio::test]
async fn a_value_that_the_gateway_does_not_know_is_repeated_unchanged() {
    let stub = Stub::playing([Act::Json(V3.taken())]).await;
    let mut change = V3.example();
    let text = |text: &str| Some(text.to_owned());
    change.ike = Some(IkeSettings {
        encryption_algorithm: text("Future-9"),
        sa_lifetime_seconds: text("never"),
        ..IkeSettings::default()
    });
    send(&stub.client(V3), &change).await;
    let sent = stub.received()[0].json();
    let expected = json!({"PropoEncryAlgorithm": "Future-9", "IKESaLifetimeSeconds": "never"});
    assert_eq!(sent["IKEOptionsSpecification"], expected);
}

#[tokio::test]
async fn a_token_is_sent_and_not_signed() {
    let stub = Stub::playing([Act::Json(V3.taken())]).await;
    let client = stub.client_with(V3, |settings| settings.credentials.token = Some("to+ken/=".into()));
    send(&client, &V3.example()).await;
    let request = &stub.received()[0];
    assert_eq!(request.headers["x-tc-token"], "to+ken/=");
    assert_eq!(request.headers["authorization"], right_authorization(request));
}

#[tokio::test]
async fn every_attempt_is_signed_and_sends_the_same_body() {
    let (_, busy) = V3.busy();
    let stub = Stub::playing([Act::Json(busy.clone()), Act::Json(busy), Act::Json(V3.taken())]).await;
    send(&stub.client_with(V3, |settings| settings.timeout = Duration::from_secs(5)), &whole()).await;
    let received = stub.received();
    assert_eq!(received.len(), 3);
    for request in &received {
        assert_eq!(request.body, received[0].body);
        assert_eq!(request.headers["authorization"], right_authorization(request));
    }
}

#[tokio::test]
async fn a_preview_shows_what_is_sent_in_its_order_and_no_secret() {
    let stub = Stub::playing([Act::Json(V3.taken())]).await;
    let client = stub.client_with(V3, |settings| settings.credentials.token = Some("canary-token".into()));
    let preview = client.preview(&whole());
    send(&client, &whole()).await;
    assert_eq!(
        (preview.method, preview.host.as_str(), preview.path.as_str()),
        ("POST", "vpc.tencentcloudapi.com", "/")
    );
    let shown: Vec<(&str, Value)> =
        preview.parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(shown, expected(&json!("***")));
    let request = &stub.received()[0];
    for (name, value) in &preview.headers {
        let sent = &request.headers[&name.to_ascii_lowercase()];
        match name.as_str() {
            "Authorization" | "X-TC-Token" => assert_eq!(value, "***"),
            "X-TC-Timestamp" => assert_eq!(value, "(drawn for each call)"),
            _ => assert_eq!(value, sent, "{name}"),
        }
    }
    let text = format!("{preview:?}");
    for secret in ["@a&b", "canary-token", SECRET_KEY, "AKID"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn the_audit_log_gets_the_parameters_with_the_key_as_its_fingerprint() {
    let stub = Stub::playing([Act::Json(V3.taken())]).await;
    let fingerprints = FingerprintKey::derive(b"secret");
    let change = whole();
    let sent = stub.client(V3).sent(&change, &fingerprints);
    let key = fingerprints.masked(change.pre_shared_key.as_ref().expect("a key"));
    let members: serde_json::Map<String, Value> =
        expected(&key).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(sent, members);
}
