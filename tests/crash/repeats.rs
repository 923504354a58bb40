//! `Idempotency-Key` between processes and through crashes.

use std::collections::BTreeSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};
use tunnelgate::domain::fingerprint::{FingerprintKey, hex};
use tunnelgate::domain::secret::PreSharedKey;

use crate::deployment::{Deployment, Secrets, asking_for, blocking, path, try_patch};
use crate::support::Store;
use crate::support::consumer::{Consumer, plain_client};

/// Fifty copies in parallel, on two processes where the ledger supports them: one operation, one call.
async fn fifty_copies_lead_to_one_call(store: Store) {
    let replicas = if store.is_postgres() { 2 } else { 1 };
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    let gateways: Vec<_> = (0..replicas).map(|n| deployment.serve(&format!("gateway-{n}"), &[])).collect();
    let client = plain_client();
    // The first gateway's call is fast; the second one's is delayed.
    for (tunnel, is_slow) in [("vpnx-branch01", false), ("vpnx-no-answer-after", true)] {
        let copies = (0..50).map(|n: usize| {
            let (client, base, token) = (client.clone(), gateways[n % replicas].1.clone(), token.clone());
            tokio::spawn(async move {
                let patch = asking_for("10.100.2.0/24");
                let answer = try_patch(&client, &base, &token, tunnel, &patch, Some(tunnel)).await;
                answer.expect("an answer")
            })
        });
        let (mut first, mut in_flight, mut ids) = (0, 0, BTreeSet::new());
        for copy in copies.collect::<Vec<_>>() {
            let answer = copy.await.expect("a copy");
            let body = answer.json();
            match (answer.status, answer.header("idempotent-replayed")) {
                (202, None) => first += 1,
                (200 | 202, Some("true")) => {}
                (409, None) => {
                    assert_eq!(answer.problem().1, "idempotency_key_in_flight");
                    in_flight += 1;
                }
                other => panic!("{other:?}: {}", answer.body),
            }
            let id = body["id"].as_str().or_else(|| body["operation_id"].as_str());
            ids.insert(id.expect("its operation").to_owned());
        }
        assert_eq!((first, ids.len()), (1, 1), "{in_flight} arrived while the first was in flight");
        assert!(!is_slow || in_flight > 0, "the first was in flight for a second");
        let sent = deployment.journal().await.iter().filter(|call| call["tunnel_id"] == tunnel).count();
        assert_eq!(sent, 1);
        deployment.at_peace().await;
    }
    assert_eq!(deployment.view.one("SELECT CAST(count(*) AS TEXT) FROM operations").await, "2");
}

/// Killed between a request's commit and its call. Before and after the kill, until the takeover, the response to a copy
/// says that the request is in flight; another request for the tunnel is refused; no change is sent.
async fn a_copy_waits_for_what_a_kill_left_behind(store: Store) {
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    let held = [("TUNNELGATE_FAILPOINTS", "change.before-call=pause")];
    let (mut gateway, base) = deployment.serve("gateway-1", &held);
    let (client, tunnel, patch) = (plain_client(), "vpnx-branch01", asking_for("10.100.2.0/24"));
    let first = {
        let (client, base, token, patch) = (client.clone(), base.clone(), token.clone(), patch.clone());
        tokio::spawn(async move { try_patch(&client, &base, &token, tunnel, &patch, Some("one")).await })
    };
    while deployment.view.rows("SELECT key FROM idempotency_keys", &[]).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ask = async |base: &str, key: &str, patch: &serde_json::Value| {
        try_patch(&client, base, &token, tunnel, patch, Some(key)).await.expect("an answer")
    };
    assert_eq!(ask(&base, "one", &patch).await.problem(), (409, "idempotency_key_in_flight".into()));
    assert_eq!(ask(&base, "two", &patch).await.problem(), (409, "operation_in_progress".into()));
    blocking(|| gateway.kill());
    assert!(first.await.expect("its end").is_none(), "the process died before its response");

    let (_gateway, base) = deployment.serve("gateway-2", &[]);
    let other = asking_for("10.100.3.0/24");
    assert_eq!(ask(&base, "one", &other).await.problem(), (422, "idempotency_key_reused".into()));
    let answer = loop {
        let answer = ask(&base, "one", &patch).await;
        if answer.status != 409 {
            break answer;
        }
        assert_eq!(answer.problem().1, "idempotency_key_in_flight");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    let ended =
        Consumer::new(base.clone(), token.clone()).ended(answer.json()["id"].as_str().expect("an id")).await;
    assert_eq!(
        (ended["status"].as_str(), ended["error"]["code"].as_str()),
        (Some("failed"), Some("not_applied"))
    );
    assert!(deployment.journal().await.is_empty(), "no change was sent");
    assert_eq!(ask(&base, "two", &patch).await.status, 202, "the tunnel is unlocked");
}

/// Without the key, the stored fingerprints do not confirm a guessed pre-shared key.
async fn the_stored_fingerprint_is_keyed(store: Store) {
    let deployment = Deployment::new(store);
    let (one, other) = (deployment.token("one"), deployment.token("other"));
    let (_gateway, base) = deployment.serve("gateway", &[]);
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"});
    let another = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "another-secret"});
    let mut ids = BTreeSet::new();
    for (token, key, patch) in [(&one, "same", &patch), (&other, "same", &patch), (&other, "third", &another)]
    {
        let consumer = Consumer::new(base.clone(), token.clone());
        let answer = consumer.patch(&path("vpnx-branch01"), patch, &[("idempotency-key", key)]).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (202, None), "{}", answer.body);
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        consumer.ended(&id).await;
        ids.insert(id);
    }
    assert_eq!(ids.len(), 3, "two principals do not share a key");

    let sql = match deployment.store.is_postgres() {
        true => {
            "SELECT encode(request_sha256, 'hex'), secret_fingerprint FROM idempotency_keys ORDER BY created_at"
        }
        false => {
            "SELECT lower(hex(request_sha256)), secret_fingerprint FROM idempotency_keys ORDER BY created_at"
        }
    };
    let rows = deployment.view.rows(sql, &[]).await;
    let column = |at: usize| -> Vec<&str> { rows.iter().filter_map(|row| row[at].as_deref()).collect() };
    let (requests, secrets) = (column(0), column(1));
    assert_eq!((requests.len(), secrets.len()), (3, 3));
    assert_eq!(requests[1], requests[2], "the hash of the request does not depend on the secret");
    assert_ne!(secrets[1], secrets[2]);

    // An attacker with the whole database and a correct guess: only the key is unknown.
    let sql = "SELECT CAST(changes AS TEXT) FROM operations ORDER BY id";
    let changes = deployment.view.one(sql).await;
    let changes: serde_json::Value = serde_json::from_str(&changes).expect("JSON");
    let sql = "SELECT vpc_id, gateway_id, tunnel_id FROM operations";
    let ids: Vec<String> = deployment.view.rows(sql, &[]).await.remove(0).into_iter().flatten().collect();
    let text = changes.to_string();
    let secret = PreSharedKey::parse("tencenttest").expect("a key");
    let right = FingerprintKey::derive(Secrets::default().secret_key.as_bytes());
    assert_eq!(right.of_key(&secret), secrets[0], "the control: the key confirms the guess");

    let in_clear = patch.to_string();
    let mut guesses = vec![
        FingerprintKey::derive(b"a wrong key").of_key(&secret),
        FingerprintKey::from_setting(b"").of_key(&secret),
    ];
    for text in [text.as_str(), in_clear.as_str(), "tencenttest"] {
        let whole: Vec<&[u8]> = ids.iter().map(String::as_bytes).chain([text.as_bytes()]).collect();
        guesses.push(hex(&FingerprintKey::from_setting(b"").of_request(&whole)));
        guesses.push(hex(&Sha256::digest(text)));
        guesses.push(hex(&Sha256::digest(whole.concat())));
        for key in ["", "same", "netops-ci", "tunnelgate fingerprint key v1"] {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
            mac.update(text.as_bytes());
            guesses.push(hex(&mac.finalize().into_bytes()));
        }
    }
    let stored: Vec<&str> = requests.into_iter().chain(secrets).collect();
    let fingerprint = changes["pre_shared_key"]["hmac_sha256"].as_str().expect("a fingerprint");
    for guess in guesses {
        assert!(
            !stored.contains(&guess.as_str()) && guess != fingerprint,
            "{guess} is found without the key"
        );
    }
}

on_each_ledger!(
    fifty_copies_lead_to_one_call,
    a_copy_waits_for_what_a_kill_left_behind,
    the_stored_fingerprint_is_keyed,
);
