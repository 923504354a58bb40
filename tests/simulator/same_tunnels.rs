//! Both versions of the API show and change the same tunnels.

use serde_json::{Value, json};

use crate::cloud::Cloud;

const TUNNEL: &str = "vpnx-branch01";

/// Every field of API 3.0 that API 2.0 has too.
fn shared_fields() -> Value {
    json!({
        "VpnConnectionName": "größe", "PreShareKey": "tencenttest",
        "SecurityPolicyDatabases": [
            {"LocalCidrBlock": "10.0.0.0/24", "RemoteCidrBlock": ["172.16.0.0/16", "172.17.0.0/16"]},
            {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["172.17.0.0/16"]}],
        "IKEOptionsSpecification": {
            "PropoEncryAlgorithm": "AES-CBC-192", "PropoAuthenAlgorithm": "MD5", "ExchangeMode": "AGGRESSIVE",
            "LocalIdentity": "FQDN", "LocalFqdnName": "hq.example.com", "RemoteIdentity": "ADDRESS",
            "RemoteAddress": "203.0.113.77", "DhGroupName": "GROUP5", "IKESaLifetimeSeconds": 604_800},
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "NULL", "IntegrityAlgorith": "SHA1", "IPSECSaLifetimeSeconds": 180,
            "IPSECSaLifetimeTraffic": 2560, "PfsDhGroup": "DH-GROUP24"}})
}

/// Asserts that `shown` has the members of `expected`, in records too.
fn assert_shows(shown: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("a record") {
        match value {
            Value::Object(_) => assert_shows(&shown[name], value),
            _ => assert_eq!(shown[name], *value, "{name} of {shown}"),
        }
    }
}

#[tokio::test]
async fn what_api_3_changes_api_2_shows() {
    let cloud = Cloud::start().await;
    cloud.change_v3(TUNNEL, shared_fields()).await;
    assert_shows(
        &cloud.read_v2(TUNNEL).await,
        &json!({
            "unVpnConnId": TUNNEL, "vpnConnName": "größe", "preSharedKey": "tencenttest", "vpcConnStatus": 6,
            "sourceCidr": ["10.0.0.0/24", "10.0.1.0/24"], "destinationCidr": ["172.16.0.0/16", "172.17.0.0/16"],
            "IKEArr": {
                "propoEncryAlgorithm": "aes-cbc-192", "propoAuthenAlgorithm": "md5", "exchangeMode": "aggressive",
                "localIdentity": "fqdn", "localAddress": null, "localFqdnName": "hq.example.com",
                "remoteIdentity": "address", "remoteAddress": "203.0.113.77", "remoteFqdnName": null,
                "dhGroupName": "group5", "ikeSaLifetimeSeconds": "604800"},
            "IPSECArr": {
                "encryptAlgorithm": "null", "integrityAlgorith": "sha1", "ipsecSaLifetimeSeconds": "180",
                "ipsecSaLifetimeTraffic": "2560", "pfsDhGroup": "dh-group24"}}),
    );
    let mut shown = shared_fields();
    shown["SecurityPolicyDatabaseSet"] = shown["SecurityPolicyDatabases"].take();
    shown.as_object_mut().expect("a record").remove("SecurityPolicyDatabases");
    assert_shows(&cloud.read_v3(TUNNEL).await, &shown);
}

#[tokio::test]
async fn what_api_2_changes_api_3_shows() {
    let cloud = Cloud::start().await;
    let policies = r#"{"10.0.0.0/24":["172.16.0.0/16"],"10.0.1.0/24":["172.17.0.0/16"]}"#;
    let change = [
        ("vpnConnName", "new"),
        ("preSharedKey", "tencenttest"),
        ("spdAcl", policies),
        ("IKESet.0.propoEncryAlgorithm", "aes-cbc-256"),
        ("IKESet.0.remoteIdentity", "fqdn"),
        ("IKESet.0.remoteFqdnName", "branch.example.com"),
        ("IKESet.0.dhGroupName", "group14"),
        ("IPsecSet.0.integrityAlgorith", "sha"),
        ("encryptAlgorithm", "aes-cbc-128"),
        ("IPsecSet.0.ipsecSaLifetimeSeconds", "7200"),
    ];
    cloud.change_v2(TUNNEL, &change).await;
    assert_shows(
        &cloud.read_v3(TUNNEL).await,
        &json!({
            "VpnConnectionId": TUNNEL, "VpnConnectionName": "new", "PreShareKey": "tencenttest", "State": "AVAILABLE",
            "VpcId": "vpc-03vihbk9", "VpnGatewayId": "vpngw-kfldykuz", "NetStatus": "AVAILABLE",
            "SecurityPolicyDatabaseSet": [
                {"LocalCidrBlock": "10.0.0.0/24", "RemoteCidrBlock": ["172.16.0.0/16"]},
                {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["172.17.0.0/16"]}],
            // API 2.0's defaults for what the call left out.
            "IKEOptionsSpecification": {
                "PropoEncryAlgorithm": "AES-CBC-256", "PropoAuthenAlgorithm": "MD5", "ExchangeMode": "MAIN",
                "LocalIdentity": "ADDRESS", "RemoteIdentity": "FQDN", "RemoteAddress": "",
                "RemoteFqdnName": "branch.example.com", "DhGroupName": "GROUP14", "IKESaLifetimeSeconds": 86_400},
            "IPSECOptionsSpecification": {
                "EncryptAlgorithm": "AES-CBC-128", "IntegrityAlgorith": "SHA1", "IPSECSaLifetimeSeconds": 7200,
                "PfsDhGroup": "NULL"}}),
    );
    cloud.change_v2(TUNNEL, &[("userGwCidrBlock.0", "10.100.2.0/24")]).await;
    let rules = &cloud.read_v3(TUNNEL).await["SecurityPolicyDatabaseSet"];
    let peers = json!(["10.100.2.0/24"]);
    assert_eq!((&rules[0]["RemoteCidrBlock"], &rules[1]["RemoteCidrBlock"]), (&peers, &peers), "{rules}");
}

#[tokio::test]
async fn api_2_shows_values_that_it_has_no_word_for_as_api_3_spells_them() {
    let cloud = Cloud::start().await;
    let only_3 = json!({
        "IKEOptionsSpecification": {
            "PropoEncryAlgorithm": "AES256GCM128", "PropoAuthenAlgorithm": "SHA-512", "DhGroupName": "GROUP19",
            "IKEVersion": "IKEV2"},
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "SM4", "IntegrityAlgorith": "SM3", "PfsDhGroup": "DH-GROUP21",
            "IPSECSaLifetimeTraffic": 4_294_967_295_u32},
        "NegotiationType": "flowTrigger", "DpdEnable": 1, "DpdTimeout": "45", "DpdAction": "restart",
        "EnableHealthCheck": true, "HealthCheckLocalIp": "169.254.128.1", "HealthCheckRemoteIp": "169.254.128.2",
        "HealthCheckConfig": {
            "ProbeType": "NQA", "ProbeInterval": 1000, "ProbeThreshold": 8, "ProbeTimeout": 5000},
        "CustomerGatewayId": "cgw-other",
        "BgpConfig": {
            "TunnelCidr": "169.254.64.0/30", "LocalBgpIp": "169.254.64.1", "RemoteBgpIp": "169.254.64.2"}});
    cloud.change_v3(TUNNEL, only_3.clone()).await;
    let shown = cloud.read_v3(TUNNEL).await;
    assert_shows(&shown, &only_3);
    assert_eq!((&shown["RouteType"], &shown["HealthCheckStatus"]), (&json!("Bgp"), &json!("AVAILABLE")));
    assert_shows(
        &cloud.read_v2(TUNNEL).await,
        &json!({
            "unUserGwId": "cgw-other",
            "IKEArr": {"propoEncryAlgorithm": "AES256GCM128", "propoAuthenAlgorithm": "SHA-512", "dhGroupName": "GROUP19"},
            "IPSECArr": {
                "encryptAlgorithm": "SM4", "integrityAlgorith": "SM3", "pfsDhGroup": "DH-GROUP21",
                "ipsecSaLifetimeTraffic": "4294967295"}}),
    );
    // What API 2.0 has no parameter for stays.
    cloud
        .change_v2(TUNNEL, &[("userGwCidrBlock.0", "10.100.2.0/24"), ("IKESet.0.dhGroupName", "group2")])
        .await;
    let mut kept = only_3;
    kept["IKEOptionsSpecification"] = json!({"IKEVersion": "IKEV2", "DhGroupName": "GROUP2"});
    assert_shows(&cloud.read_v3(TUNNEL).await, &kept);
}

#[tokio::test]
async fn fields_that_a_given_record_leaves_out_fall_back_to_the_defaults_of_api_3() {
    let cloud = Cloud::start().await;
    let partial = json!({
        "IKEOptionsSpecification": {"RemoteAddress": "203.0.113.77"},
        "IPSECOptionsSpecification": {"IntegrityAlgorithm": "SHA-256"}});
    cloud.change_v3(TUNNEL, partial).await;
    assert_shows(
        &cloud.read_v3(TUNNEL).await,
        &json!({
            "IKEOptionsSpecification": {
                "PropoEncryAlgorithm": "3DES-CBC", "PropoAuthenAlgorithm": "SHA", "ExchangeMode": "MAIN",
                "LocalIdentity": "ADDRESS", "LocalAddress": "203.0.113.10", "RemoteAddress": "203.0.113.77",
                "DhGroupName": "GROUP1", "IKESaLifetimeSeconds": 86_400, "IKEVersion": "IKEV1"},
            "IPSECOptionsSpecification": {
                "EncryptAlgorithm": "AES-CBC-128", "IntegrityAlgorith": "SHA-256", "IPSECSaLifetimeSeconds": 14_400,
                "IPSECSaLifetimeTraffic": 4_096_000_000_u32, "PfsDhGroup": "NULL"}}),
    );
}

#[tokio::test]
async fn reads_of_api_3_filter_and_page() {
    let cloud = Cloud::start().await;
    let read = async |parameters: Value| cloud.v3("DescribeVpnConnections", &parameters).await.succeeded();
    let filter = |name: &str, values: &[&str]| json!({"Name": name, "Values": values});
    let whole_path = [
        filter("vpc-id", &["vpc-03vihbk9"]),
        filter("vpn-gateway-id", &["vpngw-kfldykuz"]),
        filter("vpn-connection-id", &["vpnx-branch01", "vpnx-prod1"]),
    ];
    let one = read(json!({"Filters": whole_path})).await;
    assert_eq!(
        (&one["TotalCount"], &one["VpnConnectionSet"][0]["VpnConnectionId"]),
        (&json!(1), &json!(TUNNEL))
    );
    let none = read(json!({"Filters": [filter("vpn-connection-id", &["vpnx-none"])]})).await;
    assert_eq!((&none["TotalCount"], &none["VpnConnectionSet"]), (&json!(0), &json!([])));
    let branches = json!([filter("vpn-gateway-id", &["vpngw-branches"])]);
    let mut seen = std::collections::HashSet::new();
    for (offset, expected) in [(0, 100), (100, 20)] {
        let page = read(json!({"Filters": branches, "Offset": offset, "Limit": 100})).await;
        assert_eq!(page["TotalCount"], 120);
        let page = page["VpnConnectionSet"].as_array().expect("tunnels").clone();
        assert_eq!(page.len(), expected);
        seen.extend(page.iter().map(|tunnel| tunnel["VpnConnectionId"].to_string()));
    }
    assert_eq!(seen.len(), 120);
    let default = read(json!({})).await;
    assert_eq!(default["VpnConnectionSet"].as_array().map(Vec::len), Some(20));
    let load = read(json!({"VpnConnectionIds": ["vpnx-load-7", "vpnx-load-8"]})).await;
    assert_eq!(load["TotalCount"], 2);
}
