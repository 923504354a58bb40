//! Tunnels that misbehave, in the terms of API 3.0.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Call, Cloud};

const MODIFY: &str = "ModifyVpnConnectionAttribute";
const ACCEPTED: &str = "";

fn ranges(tunnel: &str) -> Value {
    let rule = json!({"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": ["10.100.2.0/24"]});
    json!({"VpnConnectionId": tunnel, "PreShareKey": "tencenttest", "SecurityPolicyDatabases": [rule]})
}

async fn has_changed(cloud: &Cloud, tunnel: &str) -> bool {
    let name = json!({"Filters": [{"Name": "vpn-gateway-id", "Values": ["vpngw-kfldykuz"]}], "Limit": 100});
    let all = cloud.v3("DescribeVpnConnections", &name).await.succeeded();
    let all = all["VpnConnectionSet"].as_array().expect("tunnels").clone();
    let shown = all.iter().find(|shown| shown["VpnConnectionId"] == tunnel).expect("the tunnel");
    shown["SecurityPolicyDatabaseSet"][0]["RemoteCidrBlock"] == json!(["10.100.2.0/24"])
}

#[tokio::test]
async fn refusals_have_codes_of_api_3() {
    let cloud = Cloud::start().await;
    let limited = "RequestLimitExceeded";
    let wrong_state = "UnsupportedOperation.VpnConnInvalidState";
    let stories: &[(&str, &[&str])] = &[
        ("vpnx-rate-limited-twice", &[limited, limited, ACCEPTED]),
        ("vpnx-always-rate-limited", &[limited, limited, limited]),
        ("vpnx-failed-5100", &["FailedOperation"]),
        ("vpnx-credentials", &["UnauthorizedOperation"]),
        ("vpnx-expired-once", &["AuthFailure.SignatureExpire", ACCEPTED]),
        ("vpnx-replay", &[ACCEPTED]),
        ("vpnx-creating", &[wrong_state]),
        ("vpnx-deleting", &[wrong_state]),
        ("vpnx-task-never-ends", &[ACCEPTED, "UnsupportedOperation.MutexOperationTaskRunning"]),
        ("vpnx-modern-ResourceInUse", &["ResourceInUse"]),
        (
            "vpnx-modern-InvalidParameterValue_VpnConnCidrConflict",
            &["InvalidParameterValue.VpnConnCidrConflict"],
        ),
    ];
    for (tunnel, codes) in stories {
        for code in *codes {
            let answer = cloud.v3(MODIFY, &ranges(tunnel)).await.0;
            assert_eq!(answer["Error"]["Code"].as_str().unwrap_or_default(), *code, "{tunnel}: {answer}");
        }
        let changed = codes.contains(&ACCEPTED) && *tunnel != "vpnx-task-never-ends";
        assert_eq!(has_changed(&cloud, tunnel).await, changed, "{tunnel}");
    }
    let spelt = cloud.send(&Call::new(MODIFY, &ranges("vpnx-code-4300"))).await.expect("an answer");
    assert!(spelt.0 == 200 && spelt.1.contains(r#""code":4300"#), "{spelt:?}");
}

#[tokio::test]
async fn answers_are_lost_or_mangled() {
    let cloud = Cloud::start().await;
    for (tunnel, status, fragment, changed) in [
        ("vpnx-http-500-before", 500, "<html>", false),
        ("vpnx-http-500-after", 500, "<html>", true),
        ("vpnx-foreign-body", 200, "<html>", false),
        ("vpnx-truncated-body", 200, "{\"Response\"", true),
        ("vpnx-missing-code", 200, "{\"Response\":{}}", true),
        ("vpnx-internal-6000-after", 200, "InternalError", true),
        ("vpnx-http-503", 503, "<html>", false),
    ] {
        let (got, body) = cloud.send(&Call::new(MODIFY, &ranges(tunnel))).await.expect("an answer");
        assert!(got == status && body.contains(fragment), "{tunnel}: {got} {body}");
        assert_eq!(has_changed(&cloud, tunnel).await, changed, "{tunnel}");
    }
    for (tunnel, changed) in [("vpnx-reset-before", false), ("vpnx-reset-after", true)] {
        cloud.send(&Call::new(MODIFY, &ranges(tunnel))).await.expect_err("a broken connection");
        assert_eq!(has_changed(&cloud, tunnel).await, changed, "{tunnel}");
    }
    let unreadable = json!({"VpnConnectionIds": ["vpnx-unreadable"]});
    let (status, _) = cloud.send(&Call::new("DescribeVpnConnections", &unreadable)).await.expect("an answer");
    assert_eq!(status, 500);
}

/// Starts a change and polls its task until it is no longer running.
async fn end(cloud: &Cloud, tunnel: &str) -> Value {
    let answer = cloud.v3(MODIFY, &ranges(tunnel)).await.succeeded();
    let task = json!({"TaskId": answer["RequestId"]});
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let poll = cloud.v3("DescribeVpcTaskResult", &task).await.0;
        if poll["Status"] != "RUNNING" {
            return poll;
        }
        assert!(Instant::now() < until, "{tunnel}: {poll}");
    }
}

#[tokio::test]
async fn tasks_end_in_every_way_and_some_are_unknown() {
    let cloud = Cloud::start().await;
    for (tunnel, member, value, changed) in [
        ("vpnx-branch01", "/Status", "SUCCESS", true),
        ("vpnx-diverged", "/Status", "SUCCESS", false),
        ("vpnx-task-fails", "/Status", "FAILED", false),
        ("vpnx-task-echoes-key", "/Output", "the peer gateway refused PreShareKey \"tencenttest\"", false),
        ("vpnx-strange-task-status", "/Status", "PAUSED", true),
        ("vpnx-task-forgotten", "/Error/Code", "ResourceNotFound", true),
        ("vpnx-task-unknown", "/Error/Code", "InvalidParameterValue", true),
    ] {
        let end = end(&cloud, tunnel).await;
        assert_eq!(end.pointer(member), Some(&json!(value)), "{tunnel}: {end}");
        assert_eq!(has_changed(&cloud, tunnel).await, changed, "{tunnel}");
    }
    let polls = cloud.simulator.polls();
    assert!(polls.len() >= 7 && polls.iter().all(|poll| poll.api == "3.0" && poll.region == "ap-guangzhou"));
}

#[tokio::test]
async fn the_state_of_a_tunnel_shows_a_change_under_way_or_it_does_not() {
    let cloud = Cloud::with(|options| options.task_duration = Duration::from_secs(3600)).await;
    for (tunnel, state) in [
        ("vpnx-branch01", "PENDING"),
        ("vpnx-task-unknown", "AVAILABLE"),
        ("vpnx-branch02", "AVAILABLE"),
        ("vpnx-creating", "PENDING"),
        ("vpnx-deleting", "DELETING"),
        ("vpnx-modification-failed", "AVAILABLE"),
        ("vpnx-strange-status", "RESTORING"),
    ] {
        if ["vpnx-branch01", "vpnx-task-unknown"].contains(&tunnel) {
            cloud.v3(MODIFY, &ranges(tunnel)).await.succeeded();
        }
        assert_eq!(cloud.read_v3(tunnel).await["State"], state, "{tunnel}");
    }
    assert_eq!(cloud.read_v3("vpnx-disconnected").await["NetStatus"], "UNAVAILABLE");
    assert_eq!(cloud.read_v3("vpnx-strange-connectivity").await["NetStatus"], "DEGRADED");
    assert_eq!(cloud.read_v3("vpnx-connectivity-unsaid").await.get("NetStatus"), None);
    assert_eq!(cloud.read_v3("vpnx-no-policies").await["SecurityPolicyDatabaseSet"], json!([]));
}

#[tokio::test]
async fn some_tunnels_lack_what_only_api_3_has() {
    let cloud = Cloud::start().await;
    let version = "UnsupportedOperation.VersionNotSupported";
    for (tunnel, change, code) in [
        ("vpnx-old-gateway", json!({"CustomerGatewayId": "cgw-other"}), version),
        (
            "vpnx-old-gateway",
            json!({"IKEOptionsSpecification": {"PropoEncryAlgorithm": "AES128GCM128"}}),
            version,
        ),
        (
            "vpnx-policies-only",
            json!({"EnableHealthCheck": true}),
            "UnsupportedOperation.VpnConnCidrNotSupportedHealthCheck",
        ),
        (
            "vpnx-policies-only",
            json!({"BgpConfig": {
                "TunnelCidr": "169.254.64.0/30", "LocalBgpIp": "169.254.64.1", "RemoteBgpIp": "169.254.64.2"}}),
            "UnsupportedOperation.VpnUnsupportedBgp",
        ),
    ] {
        let mut change = change;
        change["VpnConnectionId"] = json!(tunnel);
        assert_eq!(cloud.v3(MODIFY, &change).await.error(), code, "{change}");
    }
}

#[tokio::test]
async fn the_journal_names_parameters_in_full_and_hides_the_key() {
    let cloud = Cloud::start().await;
    cloud.v3(MODIFY, &ranges("vpnx-branch01")).await.succeeded();
    let journal = cloud.simulator.journal();
    let [entry] = journal.as_slice() else { panic!("one change: {journal:?}") };
    assert!(entry.applied && entry.api == "3.0" && entry.tunnel_id == "vpnx-branch01", "{entry:?}");
    assert_eq!(entry.params["SecurityPolicyDatabases.0.RemoteCidrBlock.0"], "10.100.2.0/24");
    assert!(entry.params["PreShareKey"].len() == 64 && !format!("{entry:?}").contains("tencenttest"));
}
