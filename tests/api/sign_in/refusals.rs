//! Tokens that are accepted, and tokens that are refused with the reason.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;

use super::gateway;
use crate::harness::Harness;
use crate::issuer::{Issuer, Mood, SigningKey, base64url, now};
use crate::support::Store;

/// The path of a list that every valid token with rights may read.
const LIST: &str = "/operations";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_every_algorithm_and_kind_are_accepted() {
    let keys = ["RS256", "PS256", "ES256", "ES384", "EdDSA"].map(|word| SigningKey::generate(word, word));
    let issuer = Issuer::start(&keys.each_ref()).await;
    let harness = gateway(Store::sqlite(), &[&issuer]).await;
    for key in &keys {
        let answer = harness.caller(key.token(&issuer.claims(&json!({})))).get(LIST, &[]).await;
        assert_eq!(answer.status, 200, "{}: {}", key.id, answer.body);
    }
    let key = &keys[2];
    for header in [
        json!({"alg": "ES256", "kid": "ES256"}),
        json!({"alg": "ES256", "kid": "ES256", "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": "ES256", "typ": "application/at+JWT"}),
        // Keys in the header have no effect.
        json!({"alg": "ES256", "kid": "ES256", "jku": "https://evil.example.com", "jwk": keys[3].jwk()}),
    ] {
        let token = key.token_with(&header, &issuer.claims(&json!({})));
        let answer = harness.caller(token).get(LIST, &[]).await;
        assert_eq!(answer.status, 200, "{header}: {}", answer.body);
    }
    for claims in [
        json!({"aud": ["other", "tunnelgate"]}),
        json!({"aud": "console", "nonce": "n"}),
        json!({"exp": now() - 50}),
        json!({"nbf": now() + 50, "iat": null}),
    ] {
        let answer = harness.caller(key.token(&issuer.claims(&claims))).get(LIST, &[]).await;
        assert_eq!(answer.status, 200, "{claims}: {}", answer.body);
    }
}

/// Tokens with the reason of their refusal.
fn refused(issuer: &Issuer, key: &SigningKey, rsa: &SigningKey) -> Vec<(&'static str, String)> {
    let claims = issuer.claims(&json!({}));
    let good = key.token(&claims);
    let (message, signature) = good.rsplit_once('.').expect("a signature");
    let (head, payload) = message.split_once('.').expect("two parts");
    let with_header = |header: Value| key.token_with(&header, &claims);
    let with_claims = |change: Value| key.token(&issuer.claims(&change));
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let hs256 = |secret: &[u8]| {
        let message = format!("{}.{payload}", part(&json!({"alg": "HS256", "kid": rsa.id})));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        format!("{message}.{}", base64url(ring::hmac::sign(&secret, message.as_bytes()).as_ref()))
    };
    let stranger = SigningKey::generate(&key.id, "ES256");
    let modulus = rsa.jwk()["n"].as_str().expect("n").to_owned();
    vec![
        ("too_long", key.token(&issuer.claims(&json!({"groups": vec!["net-admins"; 2000]})))),
        ("malformed", "eyJhbGciOiJub25lIn0".to_owned() + ".e30"),
        ("malformed", format!("{good}.x")),
        ("malformed", format!("{head}.{payload}.not base64!")),
        ("malformed", format!("{head}.{}.{signature}", base64url(b"[1]"))),
        // JWE: five parts.
        ("malformed", format!("{good}.x.y")),
        ("unknown_issuer", with_claims(json!({"iss": null}))),
        ("unknown_issuer", with_claims(json!({"iss": format!("{}/", issuer.url)}))),
        ("unknown_issuer", with_claims(json!({"iss": [issuer.url]}))),
        ("type", with_header(json!({"alg": "ES256", "kid": key.id, "typ": "logout+jwt"}))),
        ("type", with_header(json!({"alg": "ES256", "kid": key.id, "typ": 7}))),
        ("critical", with_header(json!({"alg": "ES256", "kid": key.id, "crit": ["b64"], "b64": false}))),
        ("critical", with_header(json!({"alg": "ES256", "kid": key.id, "crit": []}))),
        ("algorithm", format!("{}.{payload}.", part(&json!({"alg": "none", "kid": key.id})))),
        ("algorithm", format!("{}.{payload}.{signature}", part(&json!({"alg": "nOnE", "kid": key.id})))),
        ("algorithm", format!("{}.{payload}.{signature}", part(&json!({"kid": key.id})))),
        ("algorithm", hs256(modulus.as_bytes())),
        ("algorithm", hs256(rsa.jwk().to_string().as_bytes())),
        ("algorithm", with_header(json!({"alg": "ES256K", "kid": key.id}))),
        ("algorithm", with_header(json!({"alg": "RS512", "kid": rsa.id}))),
        ("no_kid", with_header(json!({"alg": "ES256"}))),
        ("no_kid", with_header(json!({"alg": "ES256", "kid": 1}))),
        ("unknown_kid", with_header(json!({"alg": "ES256", "kid": "nobody"}))),
        ("other_key", with_header(json!({"alg": "RS256", "kid": key.id}))),
        ("other_key", rsa.token_with(&json!({"alg": "PS256", "kid": rsa.id}), &claims)),
        ("signature", stranger.token(&claims)),
        ("signature", format!("{message}.")),
        ("signature", format!("{head}.{}.{signature}", part(&issuer.claims(&json!({"sub": "root"}))))),
        // ECDSA signatures of zeros (CVE-2022-21449).
        ("signature", format!("{message}.{}", base64url(&[0; 64]))),
        ("audience", with_claims(json!({"aud": "other"}))),
        ("audience", with_claims(json!({"aud": null}))),
        ("authorized_party", with_claims(json!({"aud": ["console"], "azp": "other"}))),
        ("no_exp", with_claims(json!({"exp": null}))),
        ("no_exp", with_claims(json!({"exp": "tomorrow"}))),
        ("expired", with_claims(json!({"exp": now() - 61}))),
        ("not_yet_valid", with_claims(json!({"nbf": now() + 90}))),
        ("issued_in_future", with_claims(json!({"iat": now() + 90}))),
        ("no_sub", with_claims(json!({"sub": null}))),
        ("sub", with_claims(json!({"sub": "a\u{0}b"}))),
        (
            "logout_token",
            with_claims(json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}})),
        ),
        ("bound", with_claims(json!({"cnf": {"jkt": "x"}}))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_token_is_refused_with_the_reason_and_no_part_of_it() {
    let (key, rsa) = (SigningKey::generate("k-1", "ES256"), SigningKey::generate("k-2", "RS256"));
    let issuer = Issuer::start(&[&key, &rsa]).await;
    let harness = gateway(Store::sqlite(), &[&issuer]).await;
    let tokens = refused(&issuer, &key, &rsa);
    let mut counts: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    for (reason, token) in &tokens {
        let answer = harness.caller(token.clone()).get(LIST, &[]).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()), "{reason}: {token}");
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        let challenge = answer.header("www-authenticate").expect("a challenge");
        let expected =
            format!("Bearer realm=\"tunnelgate\", error=\"invalid_token\", error_description=\"{detail}\"");
        assert_eq!(challenge, expected);
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!answer.body.contains(part), "{reason}: {}", answer.body);
        }
        *counts.entry(reason).or_default() += 1;
    }
    let metrics = harness.consumer.get("/metrics", &[]).await.body;
    for (reason, count) in counts {
        let line = format!("tunnelgate_oidc_tokens_refused_total{{reason=\"{reason}\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "no {line} in:\n{metrics}");
    }
    assert_eq!(issuer.fetches(), 1, "a second fetch within 30 seconds");
    assert_eq!(harness.log().await, Vec::<Value>::new(), "a stranger can't fill the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_tokens_of_one_caller_lock_out_no_other_caller_at_its_address() {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    let settings = super::settings(&issuer);
    let harness = Harness::on_api(Store::sqlite(), Api::V2, |all| {
        all.issuers = vec![settings];
        all.edge.sign_in_limit = crate::edge::hourly(1);
    })
    .await;
    let old = harness.caller(key.token(&issuer.claims(&json!({"exp": now() - 100}))));
    for _ in 0..3 {
        assert_eq!(old.get(LIST, &[]).await.problem(), (401, "unauthorized".into()));
    }
    let new = harness.caller(key.token(&issuer.claims(&json!({}))));
    assert_eq!(new.get(LIST, &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_one_issuer_is_not_one_of_another() {
    let (mine, theirs) = (SigningKey::generate("same", "EdDSA"), SigningKey::generate("same", "EdDSA"));
    let (one, other) = (Issuer::start(&[&mine]).await, Issuer::start(&[&theirs]).await);
    let harness = gateway(Store::sqlite(), &[&one, &other]).await;
    for (key, issuer, expected) in
        [(&mine, &one, 200), (&theirs, &other, 200), (&mine, &other, 401), (&theirs, &one, 401)]
    {
        let answer = harness.caller(key.token(&issuer.claims(&json!({})))).get(LIST, &[]).await;
        assert_eq!(answer.status, expected, "{}", answer.body);
    }
    // An issuer that answers in the name of another one.
    let posing = Issuer::start(&[&theirs]).await;
    posing.is_now(Mood::Discovery(json!({ "issuer": one.url })));
    let harness = gateway(Store::sqlite(), &[&posing]).await;
    let answer = harness.caller(theirs.token(&posing.claims(&json!({})))).get(LIST, &[]).await;
    assert_eq!(answer.problem(), (503, "issuer_unavailable".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_issuers_no_jwt_is_accepted() {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let harness = gateway(Store::sqlite(), &[]).await;
    let answer = harness.caller(key.token(&issuer.claims(&json!({})))).get(LIST, &[]).await;
    assert_eq!(answer.problem(), (401, "unauthorized".into()));
    assert_eq!(answer.json()["detail"], "the token's iss is not an issuer that this gateway accepts");
    assert_eq!(issuer.fetches(), 0, "no token makes the gateway call an address");
}
