//! The requests that the client sends.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tunnelgate::cloud::v2::sign::{Method, SignatureMethod, Target, signature, string_to_sign};
use tunnelgate::cloud::v2::wire::ParamStyle;
use tunnelgate::domain::ike::IkeSettings;
use tunnelgate::domain::ipsec::IpsecSettings;
use tunnelgate::service::cloud::TunnelChange;

use crate::stub::{Act, Received, SECRET_KEY, Stub, send};
use crate::version::Version::V2;

const COMMON: [&str; 6] = ["Region", "Timestamp", "Nonce", "SecretId", "SignatureMethod", "Signature"];

/// The example of the cloud's document.
fn example() -> TunnelChange {
    V2.example()
}

fn with_groups() -> TunnelChange {
    let text = |text: &str| Some(text.to_owned());
    let mut change = V2.change(&json!({
        "name": "größe & 50% +1",
        "security_policies": [
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]},
            {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16", "172.18.0.0/16"]},
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.19.0.0/16"]},
        ],
    }));
    change.ike = Some(IkeSettings {
        encryption_algorithm: text("aes-cbc-256"),
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
        sa_lifetime_kilobytes: text("2560"),
        pfs_dh_group: text("none"),
    });
    change
}

/// The signature that the request should have.
fn right_signature(request: &Received, method: SignatureMethod) -> String {
    let pairs: Vec<(&str, &str)> = request
        .params
        .iter()
        .filter(|(name, _)| *name != "Signature")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let target = Target { method: Method::Post, host: "vpc.api.qcloud.com", path: "/v2/index.php" };
    signature(method, SECRET_KEY, &string_to_sign(target, &pairs))
}

#[tokio::test]
async fn the_document_s_example_is_sent_as_it_stands_and_rightly_signed() {
    let stub = Stub::playing([Act::Json(V2.taken())]).await;
    send(&stub.client(V2), &example()).await;
    let received = stub.received();
    assert_eq!(received.len(), 1);
    let request = &received[0];
    assert_eq!(request.line, "POST /v2/index.php HTTP/1.1", "no secret stands in a URL");
    assert!(request.head.contains("content-type: application/x-www-form-urlencoded"), "{}", request.head);

    let wanted = [
        ("Action", "ModifyVpnConnEx"),
        ("vpcId", "vpc-03vihbk9"),
        ("vpnGwId", "vpngw-kfldykuz"),
        ("vpnConnId", "vpnx-ol6bcqp0"),
        ("userGwCidrBlock.0", "10.100.2.0/24"),
        ("preSharedKey", "tencenttest"),
    ];
    for (name, value) in wanted {
        assert_eq!(request.params.get(name).map(String::as_str), Some(value), "{name}");
    }
    let names: BTreeSet<&str> = request.params.keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = wanted.iter().map(|(name, _)| *name).chain(COMMON).collect();
    assert_eq!(names, expected);
    assert_eq!(request.body.split('&').count(), expected.len(), "each stands once");
    assert_eq!(request.params["Signature"], right_signature(request, SignatureMethod::HmacSha1));
}

#[tokio::test]
async fn sha256_and_a_token_are_signed_too() {
    let stub = Stub::playing([Act::Json(V2.taken())]).await;
    let client = stub.client_with(V2, |settings| {
        settings.signature_method = SignatureMethod::HmacSha256;
        settings.credentials.token = Some("to+ken/=".into());
    });
    send(&client, &example()).await;
    let request = &stub.received()[0];
    assert_eq!(request.params["Token"], "to+ken/=");
    assert_eq!(request.params["SignatureMethod"], "HmacSHA256");
    assert_eq!(request.params["Signature"], right_signature(request, SignatureMethod::HmacSha256));
}

#[tokio::test]
async fn a_value_that_begins_with_an_at_sign_is_signed_as_the_sdk_does() {
    let stub = Stub::playing([Act::Json(V2.taken())]).await;
    let change = V2.change(&json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": "@home"}));
    send(&stub.client(V2), &change).await;
    let request = &stub.received()[0];
    assert_eq!(request.params["preSharedKey"], "@home", "sent all the same");
    assert_eq!(request.params["Signature"], right_signature(request, SignatureMethod::HmacSha1));
}

#[tokio::test]
async fn groups_and_policies_are_written_in_the_style_that_was_chosen() {
    let values = [
        ("propoEncryAlgorithm", "aes-cbc-256"),
        ("propoAuthenAlgorithm", "sha"),
        ("exchangeMode", "main"),
        ("localIdentity", "address"),
        ("localAddress", "203.0.113.10"),
        ("remoteIdentity", "fqdn"),
        ("remoteFqdnName", "idc.example.com"),
        ("dhGroupName", "group14"),
        ("ikeSaLifetimeSeconds", "86400"),
    ];
    let ipsec = [
        ("integrityAlgorith", "sha"),
        ("ipsecSaLifetimeSeconds", "3600"),
        ("ipsecSaLifetimeTraffic", "2560"),
        ("pfsDhGroup", "null"),
    ];
    for (style, ike_set, ipsec_set, encryption) in [
        (ParamStyle::Indexed, "IKESet.0", "IPsecSet.0", "encryptAlgorithm"),
        (ParamStyle::Plain, "IKESet", "IPsecSet", "IKESet.encryptAlgorithm"),
    ] {
        let stub = Stub::playing([Act::Json(V2.taken())]).await;
        send(&stub.client_with(V2, |settings| settings.param_style = style), &with_groups()).await;
        let request = &stub.received()[0];
        let value = |name: &str| request.params.get(name).map(String::as_str);
        for (field, expected) in values {
            assert_eq!(value(&format!("{ike_set}.{field}")), Some(expected), "{style} {field}");
        }
        for (field, expected) in ipsec {
            assert_eq!(value(&format!("{ipsec_set}.{field}")), Some(expected), "{style} {field}");
        }
        assert_eq!(value(encryption), Some("null"), "the cloud's word for none");
        assert_eq!(value("vpnConnName"), Some("größe & 50% +1"));
        assert_eq!(request.params["Signature"], right_signature(request, SignatureMethod::HmacSha1));
        let rules =
            |text: Option<&str>| -> Value { serde_json::from_str(text.expect("a rule")).expect("JSON") };
        let first = json!({"10.0.0.0/24": ["172.16.0.0/16", "172.19.0.0/16"]});
        let second = json!({"10.0.1.0/24": ["172.17.0.0/16", "172.18.0.0/16"]});
        match style {
            ParamStyle::Indexed => {
                assert_eq!((rules(value("spdAcl.0")), rules(value("spdAcl.1"))), (first, second));
                assert_eq!(value("spdAcl.2"), None, "rules for one local range are joined");
            }
            ParamStyle::Plain => {
                let mut all = first.clone();
                all["10.0.1.0/24"] = second["10.0.1.0/24"].clone();
                assert_eq!(rules(value("spdAcl")), all);
            }
        }
        let count =
            4 + 1 + values.len() + ipsec.len() + 2 + COMMON.len() + usize::from(style == ParamStyle::Indexed);
        assert_eq!(request.params.len(), count, "nothing else is sent: {:?}", request.params.keys());
    }
}

#[tokio::test]
async fn a_preview_shows_what_is_sent_in_its_order_and_no_secret() {
    for style in [ParamStyle::Indexed, ParamStyle::Plain] {
        let stub = Stub::playing([Act::Json(V2.taken())]).await;
        let client = stub.client_with(V2, |settings| {
            settings.param_style = style;
            settings.credentials.token = Some("canary-token".into());
        });
        for change in [example(), with_groups()] {
            let preview = client.preview(&change);
            send(&client, &change).await;
            let request = stub.received().pop().expect("a request");
            let sent: Vec<(String, String)> =
                form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
            assert_eq!(preview.parameters.len(), sent.len());
            for ((name, shown), (sent_name, real)) in preview.parameters.iter().zip(&sent) {
                assert_eq!(name, sent_name);
                match name.as_str() {
                    "preSharedKey" | "SecretId" | "Token" | "Signature" => assert_eq!(shown, "***"),
                    "Timestamp" | "Nonce" => assert_eq!(shown, "(drawn for each call)"),
                    _ => assert_eq!(shown, real, "{name}"),
                }
            }
            assert_eq!(
                (preview.host.as_str(), preview.path.as_str()),
                ("vpc.api.qcloud.com", "/v2/index.php")
            );
            let text = format!("{preview:?}");
            for secret in ["tencenttest", "canary-token", SECRET_KEY, "AKID"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn every_attempt_has_a_nonce_and_a_signature_of_its_own() {
    let busy = json!({"code": 4400, "message": "more requests than the quota allows"});
    let stub = Stub::playing([Act::Json(busy.clone()), Act::Json(busy), Act::Json(V2.taken())]).await;
    send(&stub.client_with(V2, |settings| settings.timeout = Duration::from_secs(5)), &example()).await;
    let received = stub.received();
    let nonces: BTreeSet<&String> = received.iter().map(|request| &request.params["Nonce"]).collect();
    assert_eq!((received.len(), nonces.len()), (3, 3));
    for request in &received {
        assert_eq!(request.params["Signature"], right_signature(request, SignatureMethod::HmacSha1));
    }
}

#[tokio::test]
async fn policies_keep_the_caller_s_order() {
    // As texts, 10.10.… comes before 10.2.…
    let locals: Vec<String> = (1..=12).map(|n| format!("10.{n}.0.0/16")).collect();
    let policies: Vec<Value> = locals
        .iter()
        .map(|local| json!({"local_cidr": local, "peer_cidrs": ["172.20.0.0/16", "172.3.0.0/16"]}))
        .collect();
    let change = V2.change(&json!({"security_policies": policies}));
    let rule = |local: &String| format!(r#""{local}":["172.20.0.0/16","172.3.0.0/16"]"#);
    let rules: Vec<String> = locals.iter().map(rule).collect();
    for style in [ParamStyle::Indexed, ParamStyle::Plain] {
        let stub = Stub::playing([Act::Json(V2.taken())]).await;
        send(&stub.client_with(V2, |settings| settings.param_style = style), &change).await;
        let params = &stub.received()[0].params;
        match style {
            ParamStyle::Plain => assert_eq!(params["spdAcl"], format!("{{{}}}", rules.join(","))),
            ParamStyle::Indexed => {
                for (n, rule) in rules.iter().enumerate() {
                    assert_eq!(params[&format!("spdAcl.{n}")], format!("{{{rule}}}"));
                }
            }
        }
    }
}
