//! What API 2.0 refuses.

use serde_json::json;

use crate::cloud::Cloud;

const IDS: [(&str, &str); 3] =
    [("vpcId", "vpc-03vihbk9"), ("vpnGwId", "vpngw-kfldykuz"), ("vpnConnId", "vpnx-branch01")];

#[tokio::test]
async fn a_call_is_refused_unless_its_signature_covers_it() {
    let cloud = Cloud::start().await;
    let forged = cloud
        .v2_with(
            "DescribeVpnConn",
            &IDS,
            |_| {},
            |params| drop(params.insert("vpcId".into(), "vpc-prod-1".into())),
        )
        .await;
    assert_eq!(forged["code"], 4100, "{forged}");
    let stranger = cloud
        .v2_with(
            "DescribeVpnConn",
            &IDS,
            |params| drop(params.insert("SecretId".into(), "AKIDOTHER".into())),
            |_| {},
        )
        .await;
    assert_eq!(stranger["code"], 4104, "{stranger}");
    let old = cloud
        .v2_with(
            "DescribeVpnConn",
            &IDS,
            |params| drop(params.insert("Timestamp".into(), "1700000000".into())),
            |_| {},
        )
        .await;
    assert_eq!(old["code"], 4500, "{old}");
    let with_nonce = || {
        cloud.v2_with(
            "DescribeVpnConn",
            &IDS,
            |params| drop(params.insert("Nonce".into(), "7".into())),
            |_| {},
        )
    };
    assert_eq!(with_nonce().await["code"], 0);
    assert_eq!(with_nonce().await["code"], 4500, "the nonce was used before");
}

#[tokio::test]
async fn parameters_of_a_change_have_to_be_documented_ones() {
    let cloud = Cloud::start().await;
    let ranges = ("userGwCidrBlock.0", "10.100.2.0/24");
    for (wrong, named) in [
        (&[("vpnConnName", "new")][..], "userGwCidrBlock"),
        (&[ranges, ("preShareKey", "d")], "preShareKey"),
        (&[ranges, ("IKESet.0.propoEncryAlgorithm", "AES-CBC-128")], "propoEncryAlgorithm"),
        (&[ranges, ("IKESet.0.dhGroupName", "group15")], "dhGroupName"),
        (&[ranges, ("IPsecSet.0.integrityAlgorith", "SHA-256")], "integrityAlgorith"),
        (&[ranges, ("IKESet.0.ikeSaLifetimeSeconds", "59")], "ikeSaLifetimeSeconds"),
        (&[ranges, ("IKESet.0.remoteIdentity", "address")], "remoteAddress"),
        (&[("userGwCidrBlock.0", "10.100.2.0/33")], "userGwCidrBlock.0"),
        (&[ranges, ("spdAcl", r#"{"10.0.0.0/16":["172.16.0.0/16"]}"#)], "spdAcl"),
        (&[("spdAcl", r#"["10.0.0.0/16"]"#)], "spdAcl"),
    ] {
        let answer = cloud.v2("ModifyVpnConnEx", &[&IDS, wrong].concat()).await;
        assert_eq!(answer["code"], 4000, "{wrong:?}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|text| text.contains(named)), "{wrong:?}: {answer}");
    }
    let limit = cloud.v2("DescribeVpnConn", &[("limit", "51")]).await;
    assert_eq!(limit["code"], json!(4000));
}

#[tokio::test]
async fn rights_that_are_limited_to_gateways_list_no_account() {
    let cloud = Cloud::start().await;
    assert_eq!(cloud.v2("DescribeVpnConn", &[]).await["code"], 0);
    cloud.simulator.limit_lists_to_gateways();
    assert_eq!(cloud.v2("DescribeVpnConn", &[]).await["code"], 4102);
    assert_eq!(cloud.v2("DescribeVpnConn", &[("vpcId", "vpc-03vihbk9")]).await["code"], 4102);
    for limited in [&IDS[..2], &IDS] {
        assert_eq!(cloud.v2("DescribeVpnConn", limited).await["code"], 0, "{limited:?}");
    }
}
