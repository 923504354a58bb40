//! What API 3.0 refuses.

use serde_json::{Value, json};

use crate::cloud::{Call, Cloud};

const MODIFY: &str = "ModifyVpnConnectionAttribute";
const DESCRIBE: &str = "DescribeVpnConnections";

async fn is_refused(cloud: &Cloud, code: &str, change: impl FnOnce(&mut Call)) {
    let name = json!({"VpnConnectionId": "vpnx-branch01", "VpnConnectionName": "new"});
    let answer = cloud.response(&Call::with(MODIFY, &name, change)).await;
    assert_eq!(answer.error(), code, "{}", answer.message());
    assert!(answer.0["RequestId"].is_string(), "{}", answer.0);
}

#[tokio::test]
async fn a_call_is_refused_unless_its_signature_covers_it() {
    let cloud = Cloud::start().await;
    const WRONG: &str = "AuthFailure.SignatureFailure";
    is_refused(&cloud, WRONG, |call| call.secret_key = "another".into()).await;
    is_refused(&cloud, WRONG, |call| call.signed_body = Some("{}".into())).await;
    is_refused(&cloud, WRONG, |call| call.scope_ahead = 1).await;
    is_refused(&cloud, WRONG, |call| call.scope_ahead = -1).await;
    is_refused(&cloud, WRONG, |call| call.named_scope = Some("2023-11-14/vpc/tc3_request")).await;
    let forged = |signature: &str, service: &str| {
        format!(
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/{service}/tc3_request, \
             SignedHeaders=content-type;host, Signature={signature}"
        )
    };
    is_refused(&cloud, WRONG, |call| call.header("authorization", &forged(&"0".repeat(64), "vpc"))).await;
    is_refused(&cloud, WRONG, |call| call.header("authorization", &forged("", "cvm"))).await;

    const MALFORMED: &str = "AuthFailure.InvalidAuthorization";
    is_refused(&cloud, MALFORMED, |call| call.header("authorization", "Bearer tg_1")).await;
    is_refused(&cloud, MALFORMED, |call| call.signed_headers = vec!["host"]).await;
    let journal = cloud.simulator.journal();
    assert!(journal.len() == 9 && journal.iter().all(|entry| !entry.applied && entry.api == "3.0"));
    assert_eq!(cloud.read_v3("vpnx-branch01").await["VpnConnectionName"], "branch01");
}

#[tokio::test]
async fn more_headers_may_be_signed() {
    let cloud = Cloud::start().await;
    let call = Call::with(DESCRIBE, &json!({}), |call| {
        call.header("content-type", "application/json; charset=utf-8");
        call.signed_headers = vec!["content-type", "host", "x-tc-action"];
    });
    cloud.response(&call).await.succeeded();
}

#[tokio::test]
async fn credentials_and_the_time_of_a_call_have_to_be_right() {
    let cloud = Cloud::with(|options| options.token = Some("temporary".into())).await;
    let with_token = |call: &mut Call| call.header("x-tc-token", "temporary");
    is_refused(&cloud, "AuthFailure.TokenFailure", |_| {}).await;
    is_refused(&cloud, "AuthFailure.TokenFailure", |call| call.header("x-tc-token", "old")).await;
    is_refused(&cloud, "AuthFailure.SecretIdNotFound", |call| call.secret_id = "AKIDOTHER".into()).await;
    for ahead in [-310, 310] {
        is_refused(&cloud, "AuthFailure.SignatureExpire", |call| {
            with_token(call);
            call.ahead = ahead;
        })
        .await;
    }
    is_refused(&cloud, "MissingParameter", |call| {
        with_token(call);
        call.header("x-tc-timestamp", "yesterday");
    })
    .await;
    for ahead in [-290, 290] {
        let call = Call::with(DESCRIBE, &json!({}), |call| {
            with_token(call);
            call.ahead = ahead;
        });
        cloud.response(&call).await.succeeded();
    }
}

#[tokio::test]
async fn the_headers_and_the_form_of_a_call_have_to_be_right() {
    let cloud = Cloud::start().await;
    is_refused(&cloud, "InvalidParameter", |call| call.header("content-type", "text/plain")).await;
    is_refused(&cloud, "InvalidParameter", |call| call.body = "VpnConnectionId=vpnx-branch01".into()).await;
    is_refused(&cloud, "InvalidParameter", |call| call.body = "[]".into()).await;
    is_refused(&cloud, "NoSuchVersion", |call| call.header("x-tc-version", "2016-01-01")).await;
    is_refused(&cloud, "UnsupportedRegion", |call| call.header("x-tc-region", "gz")).await;
    for header in ["x-tc-version", "x-tc-region"] {
        is_refused(&cloud, "MissingParameter", |call| {
            call.headers.remove(header);
        })
        .await;
    }
    let unknown = cloud.v3("ModifyVpnConnection", &json!({})).await;
    assert_eq!(unknown.error(), "InvalidAction");
    let address = format!("http://{}/", cloud.simulator.address);
    let get = cloud.client.get(address).send().await.expect("an answer");
    assert!(get.text().await.expect("a body").contains("UnsupportedProtocol"));
}

/// The refusal of a change of an ordinary tunnel, and the parameter that its message names.
async fn change(cloud: &Cloud, parameters: Value, code: &str, named: &str) {
    let mut all = parameters.clone();
    all["VpnConnectionId"] = json!("vpnx-branch01");
    let answer = cloud.v3(MODIFY, &all).await;
    assert_eq!(answer.error(), code, "{parameters}: {}", answer.message());
    assert!(answer.message().contains(named), "{parameters}: {}", answer.message());
}

#[tokio::test]
async fn parameters_of_a_change_have_to_be_known_and_typed() {
    let cloud = Cloud::start().await;
    let none = cloud.v3(MODIFY, &json!({"VpnConnectionName": "new"})).await;
    assert_eq!(none.error(), "MissingParameter");
    for (parameters, named) in [
        (json!({"VpcId": "vpc-03vihbk9"}), "VpcId"),
        (json!({"PreSharedKey": "d"}), "PreSharedKey"),
        (
            json!({"IKEOptionsSpecification": {"EncryptAlgorithm": "NULL"}}),
            "IKEOptionsSpecification.EncryptAlgorithm",
        ),
        (
            json!({"SecurityPolicyDatabases": [{"LocalCidr": "10.0.0.0/16"}]}),
            "SecurityPolicyDatabases.0.LocalCidr",
        ),
        (json!({"BgpConfig": {"LocalBgpAsn": "64551"}}), "BgpConfig.LocalBgpAsn"),
    ] {
        change(&cloud, parameters, "UnknownParameter", named).await;
    }
    for (parameters, named) in [
        (json!({"VpnConnectionName": null}), "VpnConnectionName"),
        (json!({"EnableHealthCheck": 1}), "EnableHealthCheck"),
        (json!({"DpdEnable": true}), "DpdEnable"),
        (json!({"DpdTimeout": 30}), "DpdTimeout"),
        (json!({"IKEOptionsSpecification": {"IKESaLifetimeSeconds": "86400"}}), "IKESaLifetimeSeconds"),
        (json!({"IPSECOptionsSpecification": {"IPSECSaLifetimeTraffic": 2560.5}}), "IPSECSaLifetimeTraffic"),
        (json!({"SecurityPolicyDatabases": {"10.0.0.0/16": ["172.16.0.0/16"]}}), "SecurityPolicyDatabases"),
        (
            json!({"SecurityPolicyDatabases": [{"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": "172.16.0.0/16"}]}),
            "RemoteCidrBlock",
        ),
    ] {
        change(&cloud, parameters, "InvalidParameter", named).await;
    }
}

#[tokio::test]
async fn values_of_a_change_have_to_be_documented_ones() {
    let cloud = Cloud::start().await;
    for (record, field, value) in [
        ("IKEOptionsSpecification", "PropoEncryAlgorithm", "aes-cbc-128"),
        ("IKEOptionsSpecification", "PropoEncryAlgorithm", "NULL"),
        ("IKEOptionsSpecification", "PropoAuthenAlgorithm", "SHA-384"),
        ("IKEOptionsSpecification", "DhGroupName", "DH-GROUP14"),
        ("IKEOptionsSpecification", "IKEVersion", "2"),
        ("IKEOptionsSpecification", "LocalIdentity", "fqdn"),
        ("IPSECOptionsSpecification", "IntegrityAlgorith", "SHA"),
        ("IPSECOptionsSpecification", "IntegrityAlgorithm", "SHA-512"),
        ("IPSECOptionsSpecification", "PfsDhGroup", "GROUP14"),
        ("HealthCheckConfig", "ProbeType", "ICMP"),
    ] {
        change(&cloud, json!({record: {field: value}}), "InvalidParameterValue", field).await;
    }
    change(&cloud, json!({"NegotiationType": "flow-trigger"}), "InvalidParameterValue", "NegotiationType")
        .await;
    change(&cloud, json!({"DpdAction": "hold"}), "InvalidParameterValue", "DpdAction").await;
    for (record, field, value) in [
        ("IKEOptionsSpecification", "IKESaLifetimeSeconds", json!(59)),
        ("IPSECOptionsSpecification", "IPSECSaLifetimeSeconds", json!(604_801)),
        ("IPSECOptionsSpecification", "IPSECSaLifetimeTraffic", json!(4_294_967_296_u64)),
        ("HealthCheckConfig", "ProbeInterval", json!(999)),
        ("HealthCheckConfig", "ProbeThreshold", json!(9)),
        ("HealthCheckConfig", "ProbeTimeout", json!(5001)),
    ] {
        change(&cloud, json!({record: {field: value}}), "InvalidParameterValue.LimitExceeded", field).await;
    }
    for (field, value) in [
        ("VpnConnectionName", "x".repeat(61)),
        ("PreShareKey", String::new()),
        ("DpdTimeout", "soon".into()),
        ("HealthCheckLocalIp", "169.254.1".into()),
        ("CustomerGatewayId", "gw-1".into()),
    ] {
        change(&cloud, json!({field: value}), "InvalidParameterValue.Malformed", field).await;
    }
}

#[tokio::test]
async fn fields_that_belong_together_have_to_fit() {
    let cloud = Cloud::start().await;
    let ike = |fields: Value| json!({"IKEOptionsSpecification": fields});
    change(&cloud, ike(json!({"RemoteIdentity": "ADDRESS"})), "MissingParameter", "RemoteAddress").await;
    change(&cloud, ike(json!({"LocalIdentity": "FQDN"})), "MissingParameter", "LocalFqdnName").await;

    let rule = |local: &str, peer: &str| json!({"LocalCidrBlock": local, "RemoteCidrBlock": [peer]});
    let rules = |rules: &[Value]| json!({"SecurityPolicyDatabases": rules});
    let (both_ends, overlap) =
        ("InvalidParameterValue.VpnConnSpdCidrConflict", "UnsupportedOperation.VpnConnSPDOverlap");
    change(&cloud, rules(&[rule("10.0.0.0/16", "10.0.7.0/24")]), both_ends, "SecurityPolicyDatabases.0")
        .await;
    let two = [rule("10.0.0.0/16", "172.16.0.0/16"), rule("10.0.7.0/24", "172.17.0.0/16")];
    change(&cloud, rules(&two), overlap, "overlap").await;
    change(&cloud, rules(&[rule("10.0.0.0/33", "172.16.0.0/16")]), "InvalidParameterValue.Malformed", "0")
        .await;
    change(&cloud, rules(&[json!({"LocalCidrBlock": "10.0.0.0/16"})]), "MissingParameter", "RemoteCidrBlock")
        .await;

    let bgp = |tunnel: &str, local: &str, remote: &str| json!({"BgpConfig": {"TunnelCidr": tunnel, "LocalBgpIp": local, "RemoteBgpIp": remote}});
    let (mask, outside) = (
        "InvalidParameterValue.VpnConnBgpTunnelCidrMask",
        "InvalidParameterValue.VpnConnBgpTunnelCidrNotSupported",
    );
    change(&cloud, bgp("169.254.64.0/29", "169.254.64.1", "169.254.64.2"), mask, "TunnelCidr").await;
    change(&cloud, bgp("169.254.64.0/30", "169.254.64.1", "169.254.64.5"), outside, "RemoteBgpIp").await;
    let same = bgp("169.254.64.0/30", "169.254.64.1", "169.254.64.1");
    change(&cloud, same, "InvalidParameterValue", "RemoteBgpIp").await;
    let partial = json!({"BgpConfig": {"TunnelCidr": "169.254.64.0/30"}});
    change(&cloud, partial, "MissingParameter", "LocalBgpIp").await;

    let probes = |local: &str, remote: &str| json!({"EnableHealthCheck": true, "HealthCheckLocalIp": local, "HealthCheckRemoteIp": remote});
    let conflict = "InvalidParameterValue.VpnConnHealthCheckIpConflict";
    change(&cloud, probes("169.254.128.1", "169.254.128.1"), conflict, "address").await;
    change(&cloud, json!({"CustomerGatewayId": "cgw-missing"}), "ResourceNotFound", "customer gateway").await;
}

#[tokio::test]
async fn a_read_names_tunnels_or_filters_never_both() {
    let cloud = Cloud::start().await;
    let filter = |name: &str, values: usize| json!({"Name": name, "Values": vec!["vpc-03vihbk9"; values]});
    for (parameters, code) in [
        (json!({"VpnConnectionIds": ["vpnx-branch01"], "Filters": []}), "InvalidParameter.Coexist"),
        (json!({"VpnConnectionIds": vec!["vpnx-branch01"; 101]}), "InvalidParameterValue.LimitExceeded"),
        (json!({"VpnConnectionIds": ["vpnx-branch01", "vpnx-none"]}), "ResourceNotFound"),
        (json!({"VpnConnectionIds": "vpnx-branch01"}), "InvalidParameter"),
        (json!({"VpnConnectionIds": [399]}), "InvalidParameter"),
        (json!({"Filters": vec![filter("vpc-id", 1); 11]}), "InvalidParameterValue.LimitExceeded"),
        (json!({"Filters": [filter("vpc-id", 6)]}), "InvalidParameterValue.LimitExceeded"),
        (json!({"Filters": [filter("vpcId", 1)]}), "InvalidParameter.FilterInvalidKey"),
        (json!({"Filters": [{"Name": "vpc-id"}]}), "MissingParameter"),
        (json!({"Limit": 101}), "InvalidParameterValue.LimitExceeded"),
        (json!({"Limit": "20"}), "InvalidParameter"),
        (json!({"Offset": -1}), "InvalidParameterValue.LimitExceeded"),
        (json!({"VpcId": "vpc-03vihbk9"}), "UnknownParameter"),
    ] {
        let answer = cloud.v3(DESCRIBE, &parameters).await;
        assert_eq!(answer.error(), code, "{parameters}: {}", answer.message());
    }
    let task = "DescribeVpcTaskResult";
    assert_eq!(cloud.v3(task, &json!({})).await.error(), "MissingParameter");
    assert_eq!(cloud.v3(task, &json!({"TaskId": 12614})).await.error(), "InvalidParameter");
    assert_eq!(cloud.v3(task, &json!({"TaskId": "12614"})).await.error(), "ResourceNotFound");
}

#[tokio::test]
async fn rights_that_are_limited_to_gateways_list_no_account() {
    let cloud = Cloud::start().await;
    cloud.v3(DESCRIBE, &json!({})).await.succeeded();
    cloud.simulator.limit_lists_to_gateways();
    let filtered = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    for parameters in [json!({}), filtered("vpc-id", "vpc-03vihbk9")] {
        assert_eq!(cloud.v3(DESCRIBE, &parameters).await.error(), "UnauthorizedOperation", "{parameters}");
    }
    let named = json!({"VpnConnectionIds": ["vpnx-branch01"]});
    for parameters in [filtered("vpn-gateway-id", "vpngw-kfldykuz"), named] {
        cloud.v3(DESCRIBE, &parameters).await.succeeded();
    }
}
