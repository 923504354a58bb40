//! An OIDC issuer in the configuration file of the binary, and what changes about it while the gateway runs.

use std::path::Path;

use serde_json::json;

use crate::issuer::{Issuer, SigningKey};
use crate::process::Process;
use crate::support::consumer::Consumer;

/// Writes a configuration with the issuer and one grant.
fn configure(folder: &Path, issuer: &str, group: &str) {
    let text = format!(
        "[[oidc]]\nissuer = \"{issuer}\"\naudience = \"tunnelgate\"\nclient_id = \"console\"\n\
         name_claim = \"preferred_username\"\n[[oidc.grants]]\nclaim = \"groups\"\nvalue = \"{group}\"\n\
         scopes = [\"tunnels:read\", \"audit:read\"]\n"
    );
    std::fs::write(folder.join("tunnelgate.toml"), text).expect("written");
}

/// Reloads the configuration; returns the answer to the first call after that.
async fn reload(gateway: &mut Process, times: usize, caller: &Consumer) -> (u16, String) {
    gateway.hang_up();
    gateway.await_output("reload", |output| {
        (output.matches("the issuers were reloaded").count() == times).then_some(())
    });
    let answer = caller.get("/operations", &[]).await;
    (answer.status, answer.json()["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issuers_and_grants_follow_the_configuration_file() {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), &issuer.url, "net-admins");
    let env = [
        ("TUNNELGATE_CONFIG", "tunnelgate.toml"),
        ("TUNNELGATE_LISTEN", "127.0.0.1:0"),
        ("TUNNELGATE_SHUTDOWN_DELAY", "0s"),
        ("TENCENTCLOUD_SECRET_ID", "AKID"),
        ("TENCENTCLOUD_SECRET_KEY", "key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
        ("TUNNELGATE_UPSTREAM_URL", "http://127.0.0.1:9/"),
        ("TUNNELGATE_LOG", "debug"),
    ];
    let mut gateway = Process::start(folder.path(), "gateway", &["serve"], &env);
    let token = key.token(&issuer.claims(&json!({})));
    let caller = Consumer::new(gateway.address(), token.clone());
    assert_eq!(caller.get("/operations", &[]).await.status, 200);
    let anonymous = Consumer::new(caller.base.clone(), String::new());
    let sign_in = anonymous.get("/sign-in", &[]).await.json();
    let expected = json!({
        "issuer": issuer.url, "client_id": "console", "scopes": ["openid", "profile"], "audiences": ["tunnelgate"],
        "authorization_endpoint": format!("{}/authorize", issuer.url),
        "token_endpoint": format!("{}/token", issuer.url), "end_session_endpoint": null,
        "authorization_response_iss_parameter_supported": false
    });
    assert_eq!(sign_in, json!({ "issuers": [expected] }));

    // Another grant takes effect although the token is in the cache of valid tokens.
    configure(folder.path(), &issuer.url, "others");
    let missing =
        "the scope tunnels:read is missing; the claim groups of your token gives scopes at this gateway";
    assert_eq!(reload(&mut gateway, 1, &caller).await, (403, missing.to_owned()));
    configure(folder.path(), &issuer.url, "net-admins");
    assert_eq!(reload(&mut gateway, 2, &caller).await, (200, String::new()));
    // A configuration that is wrong changes nothing.
    configure(folder.path(), "login.example.com", "net-admins");
    gateway.hang_up();
    gateway.await_output("the fault", |output| {
        output.contains("oidc[0].issuer: must be a URL such as").then_some(())
    });
    assert_eq!(caller.get("/operations", &[]).await.status, 200);
    std::fs::write(folder.path().join("tunnelgate.toml"), "").expect("written");
    let unknown = "the token's iss is not an issuer that this gateway accepts";
    assert_eq!(reload(&mut gateway, 3, &caller).await, (401, unknown.to_owned()));
    assert_eq!(anonymous.get("/sign-in", &[]).await.json(), json!({"issuers": []}));
    let log = format!("{}{}", gateway.stdout(), gateway.stderr());
    for part in token.split('.') {
        assert!(!log.contains(part), "a part of the token is in the log");
    }
    assert!(gateway.terminate().success());
}
