//! API 3.0 through the binary: its settings, and an account that moves from API 2.0 and back.

use serde_json::{Value, json};

use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::Consumer;

const TUNNEL: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-branch01";
const CANARY: &str = "canary-0123456789";

/// The environment of one account.
const ACCOUNT: [(&str, &str); 4] = [
    ("TENCENTCLOUD_SECRET_ID", CANARY),
    ("TENCENTCLOUD_SECRET_KEY", CANARY),
    ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ("TUNNELGATE_UPSTREAM", "v3"),
];

fn check(env: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let env: Vec<(&str, &str)> = ACCOUNT.iter().chain(env).copied().collect();
    let output = run(folder.path(), &["config", "check"], &env);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(!text.contains(CANARY), "{text}");
    (output.status.code(), text)
}

#[test]
fn the_cloud_s_own_address_is_the_one_of_the_version() {
    let (code, shown) = check(&[]);
    assert_eq!(code, Some(0), "{shown}");
    for line in [
        "api = \"v3\"",
        "url = \"https://vpc.tencentcloudapi.com/\"",
        "signed_host = \"vpc.tencentcloudapi.com\"",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in:\n{shown}");
    }
    let (_, regional) =
        check(&[("TUNNELGATE_UPSTREAM_URL", "https://vpc.ap-guangzhou.tencentcloudapi.com:443")]);
    assert!(regional.contains("signed_host = \"vpc.ap-guangzhou.tencentcloudapi.com\""), "{regional}");
}

#[test]
fn settings_of_api_2_and_short_regions_are_refused() {
    for (setting, expected) in [
        (
            ("TUNNELGATE_SIGNATURE_METHOD", "HmacSHA256"),
            "TUNNELGATE_SIGNATURE_METHOD (--signature-method): belongs to API 2.0",
        ),
        (("TUNNELGATE_PARAM_STYLE", "plain"), "TUNNELGATE_PARAM_STYLE (--param-style): belongs to API 2.0"),
        (("TENCENTCLOUD_REGION", "gz"), "TENCENTCLOUD_REGION (--region): must be the long name of a region"),
    ] {
        let (code, shown) = check(&[setting]);
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains(expected), "{expected} is not in:\n{shown}");
    }
}

/// A simulated cloud.
fn cloud(folder: &std::path::Path) -> (Process, String) {
    let args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", "2s"];
    let mut cloud = Process::start(folder, "cloud", &args, &ACCOUNT[..2]);
    let address = cloud.address();
    (cloud, address)
}

/// A gateway and a consumer with every right.
fn serve(folder: &std::path::Path, store: &Store, env: &[(&str, &str)]) -> (Process, Consumer) {
    let scopes = ["--scope", "tunnels:read", "--scope", "tunnels:write", "--scope", "audit:read"];
    let args: Vec<&str> = ["keys", "create", "--name", "netops-ci"].into_iter().chain(scopes).collect();
    let key = run(folder, &args, &[("DATABASE_URL", store.url())]);
    let token = String::from_utf8(key.stdout).expect("text").trim().to_owned();
    let common = [
        ("DATABASE_URL", store.url()),
        ("TUNNELGATE_LISTEN", "127.0.0.1:0"),
        ("TUNNELGATE_POLL_INTERVAL", "200ms"),
        ("TUNNELGATE_SHUTDOWN_DELAY", "0s"),
    ];
    let env: Vec<(&str, &str)> = common.iter().chain(env).copied().collect();
    let mut gateway = Process::start(folder, "gateway", &["serve"], &env);
    let consumer = Consumer::new(gateway.address(), token);
    (gateway, consumer)
}

async fn ended(consumer: &Consumer, operation: &Value) -> Value {
    consumer.ended(operation["id"].as_str().expect("an id")).await
}

async fn a_gateway_speaks_api_3(store: Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let (_cloud, address) = cloud(folder.path());
    let mut env = ACCOUNT.to_vec();
    env.push(("TUNNELGATE_UPSTREAM_URL", &address));
    let (gateway, consumer) = serve(folder.path(), &store, &env);
    let patch = json!({"negotiation_type": "passive", "ike": {"encryption_algorithm": "sm4"}});
    let operation = consumer.patch(TUNNEL, &patch, &[]).await.json();
    assert_eq!((&operation["status"], &operation["api"]), (&json!("running"), &json!("3.0")), "{operation}");
    let operation = ended(&consumer, &operation).await;
    assert_eq!(operation["status"], "succeeded", "{operation}");
    assert_eq!(operation["verification"]["result"], "confirmed");
    let tunnel = consumer.get(TUNNEL, &[]).await.json();
    assert_eq!(tunnel["negotiation_type"], "passive", "{tunnel}");
    assert!(gateway.terminate().success());
}

async fn an_account_moves_to_api_3_and_back(store: Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let (_cloud, address) = cloud(folder.path());
    let configure = |api: &str| {
        let text = format!(
            "[[accounts]]\nname = \"prod\"\nvpcs = [\"*\"]\napi = \"{api}\"\nregion = \"ap-guangzhou\"\n\
             secret_id = \"{CANARY}\"\nsecret_key_file = \"key\"\nsignature_method = \"HmacSHA256\"\n\
             url = {{ v2 = \"{address}/v2/index.php\", v3 = \"{address}/\" }}\n"
        );
        std::fs::write(folder.path().join("tunnelgate.toml"), text).expect("written");
    };
    std::fs::write(folder.path().join("key"), CANARY).expect("written");
    configure("v2");
    let (mut gateway, consumer) = serve(folder.path(), &store, &[("TUNNELGATE_CONFIG", "tunnelgate.toml")]);
    let mut reloads = 0;
    let mut begun = Vec::new();
    // One change under way at each move: it ends on the API that it began on.
    for (number, (api, next, version)) in
        [("v2", "v3", "2.0"), ("v3", "v2", "3.0"), ("v2", "v2", "2.0")].into_iter().enumerate()
    {
        let tunnel = TUNNEL.replace("branch01", &format!("load-{number}"));
        let patch = json!({"peer_cidrs": [format!("10.{number}.0.0/16")]});
        let operation = consumer.patch(&tunnel, &patch, &[]).await.json();
        assert_eq!(
            (&operation["status"], &operation["api"]),
            (&json!("running"), &json!(version)),
            "{operation}"
        );
        begun.push((tunnel, patch, operation));
        if next != api {
            configure(next);
            gateway.hang_up();
            reloads += 1;
            gateway.await_output("the reload", |output| {
                (output.matches("the accounts were reloaded").count() == reloads).then_some(())
            });
        }
    }
    for (tunnel, patch, operation) in begun {
        let end = ended(&consumer, &operation).await;
        assert_eq!((&end["status"], &end["api"]), (&json!("succeeded"), &operation["api"]), "{end}");
        assert_eq!(end["verification"]["result"], "confirmed", "{end}");
        let shown = consumer.get(&tunnel, &[]).await.json();
        assert_eq!(shown["peer_cidrs"], patch["peer_cidrs"], "{shown}");
    }
    assert!(gateway.terminate().success());
}

on_each_ledger!(a_gateway_speaks_api_3, an_account_moves_to_api_3_and_back);
