//! The cache of an issuer's keys, with a real issuer and a clock that the test moves.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::metrics::Metrics;
use tunnelgate::oidc::Issuers;
use tunnelgate::service::identity::{Identity, InvalidToken, TokenError};

use super::settings;
use crate::issuer::{Issuer, Mood, SigningKey};
use crate::support::consumer::PATIENCE;

/// The system's clock, moved by the test.
#[derive(Debug, Default)]
pub struct Moved(AtomicI64);

impl Moved {
    pub fn by(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).expect("a short time"), Ordering::SeqCst);
    }

    pub fn back(&self, time: Duration) {
        self.0.fetch_sub(i64::try_from(time.as_micros()).expect("a short time"), Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Ordering::SeqCst))
    }
}

/// The issuers as the gateway has them, with the test's clock.
pub struct Checked {
    pub issuers: Issuers,
    pub clock: Arc<Moved>,
    metrics: Metrics,
}

impl Checked {
    /// Accepts tokens of these issuers, and waits for the first fetch of each.
    pub async fn with(all: &[&Issuer]) -> Self {
        let (clock, metrics) = (Arc::new(Moved::default()), Metrics::default());
        let settings = all.iter().map(|issuer| settings(issuer)).collect();
        let issuers = Issuers::connect(settings, clock.clone(), &metrics).expect("issuers");
        let checked = Self { issuers, clock, metrics };
        let until = std::time::Instant::now() + PATIENCE;
        while checked.fetches() < all.len() {
            assert!(std::time::Instant::now() < until, "no first fetch");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        checked
    }

    /// How often keys were fetched, with any result.
    fn fetches(&self) -> usize {
        let metrics = self.metrics.render();
        let counts = metrics.lines().filter(|line| line.starts_with("tunnelgate_oidc_key_fetches_total{"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    }

    /// How often fetches had this result.
    fn results(&self, result: &str) -> usize {
        let metrics = self.metrics.render();
        let wanted = format!("result=\"{result}\"");
        let counts = metrics.lines().filter(|line| line.contains(&wanted));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    }

    async fn check(&self, token: String) -> Result<String, TokenError> {
        self.issuers.principal(&token.into()).await.map(|principal| principal.actor.name)
    }
}

const UNKNOWN: Result<String, TokenError> = Err(TokenError::Invalid(InvalidToken::UnknownKey));
const FORGED: Result<String, TokenError> = Err(TokenError::Invalid(InvalidToken::Signature));

fn known() -> Result<String, TokenError> {
    Ok("zoe".to_owned())
}

fn unavailable(result: &Result<String, TokenError>) -> Option<Duration> {
    match result {
        Err(TokenError::IssuerUnavailable { retry_after }) => Some(*retry_after),
        _ => None,
    }
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_unknown_kids_cost_one_fetch_in_thirty_seconds() {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    let gateway = Checked::with(&[&issuer]).await;
    let claims = issuer.claims(&json!({}));
    gateway.clock.by(seconds(31));
    let numbers: Vec<u32> = (0..10_000).collect();
    for hundred in numbers.chunks(100) {
        let tokens = hundred.iter().map(|number| {
            gateway.check(key.token_with(&json!({"alg": "EdDSA", "kid": number.to_string()}), &claims))
        });
        assert!(join_all(tokens).await.iter().all(|result| *result == UNKNOWN));
    }
    assert_eq!(issuer.fetches(), 2, "the first one, and one for the unknown kids");
    assert_eq!(gateway.check(key.token(&claims)).await, known());
    gateway.clock.by(seconds(31));
    assert_eq!(gateway.check(key.token_with(&json!({"alg": "EdDSA", "kid": "x"}), &claims)).await, UNKNOWN);
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_keys_are_taken_over_and_withdrawn_ones_dropped() {
    let (old, new) = (SigningKey::generate("old", "ES256"), SigningKey::generate("new", "ES384"));
    let issuer = Issuer::start(&[&old]).await;
    let gateway = Checked::with(&[&issuer]).await;
    let token = |key: &SigningKey| key.token(&issuer.claims(&json!({})));
    assert_eq!(gateway.check(token(&old)).await, known());
    issuer.publish(&[&new]);
    assert_eq!(gateway.check(token(&new)).await, UNKNOWN, "within 30 seconds of the last fetch");
    gateway.clock.by(seconds(30));
    assert_eq!(gateway.check(token(&new)).await, known());
    assert_eq!(gateway.check(token(&old)).await, UNKNOWN, "withdrawn");
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_replaced_under_its_kid_is_fetched_again() {
    let (old, new) = (SigningKey::generate("k", "EdDSA"), SigningKey::generate("k", "EdDSA"));
    let other = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&old]).await;
    let gateway = Checked::with(&[&issuer]).await;
    let token = |key: &SigningKey| key.token(&issuer.claims(&json!({})));
    issuer.publish(&[&new]);
    assert_eq!(gateway.check(token(&new)).await, FORGED, "within 30 seconds of the last fetch");
    gateway.clock.by(seconds(30));
    assert_eq!(gateway.check(token(&new)).await, known());
    assert_eq!(gateway.check(token(&old)).await, FORGED);
    // Another kind of key under the same kid.
    issuer.publish(&[&other]);
    gateway.clock.by(seconds(30));
    assert_eq!(gateway.check(token(&other)).await, known());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_of_one_kid_are_both_tried() {
    let keys = ["EdDSA", "EdDSA", "ES256"].map(|algorithm| SigningKey::generate("k", algorithm));
    let issuer = Issuer::start(&keys.each_ref()).await;
    let gateway = Checked::with(&[&issuer]).await;
    for key in &keys {
        assert_eq!(gateway.check(key.token(&issuer.claims(&json!({})))).await, known());
    }
    let stranger = SigningKey::generate("k", "EdDSA");
    assert_eq!(gateway.check(stranger.token(&issuer.claims(&json!({})))).await, FORGED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_not_for_signatures_verify_none() {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::stopped(&[]).await;
    let mut jwk = key.jwk();
    jwk["use"] = json!("enc");
    let secret = json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"});
    issuer.publish_raw(json!({"keys": [jwk, secret, {"kty": "RSA"}, 7]}));
    issuer.restart().await;
    let gateway = Checked::with(&[&issuer]).await;
    assert_eq!(gateway.check(key.token(&issuer.claims(&json!({})))).await, UNKNOWN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_for_the_keys_share_one_fetch() {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    issuer.is_now(Mood::Slow(Duration::from_millis(300)));
    let (clock, metrics) = (Arc::new(Moved::default()), Metrics::default());
    let issuers = Issuers::connect(vec![settings(&issuer)], clock.clone(), &metrics).expect("issuers");
    let gateway = Checked { issuers, clock, metrics };
    let checks = (0..200).map(|number| gateway.check(key.token(&issuer.claims(&json!({"jti": number})))));
    assert!(join_all(checks).await.iter().all(|result| *result == known()));
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_fetched_in_the_background_before_they_are_too_old() {
    let (key, next) = (SigningKey::generate("k", "EdDSA"), SigningKey::generate("next", "EdDSA"));
    let issuer = Issuer::start(&[&key]).await;
    let gateway = Checked::with(&[&issuer]).await;
    gateway.clock.by(seconds(299));
    assert_eq!(gateway.check(key.token(&issuer.claims(&json!({})))).await, known());
    assert_eq!(gateway.fetches(), 1);
    issuer.publish(&[&next]);
    gateway.clock.by(seconds(1));
    // Answered with the keys of before.
    assert_eq!(gateway.check(key.token(&issuer.claims(&json!({})))).await, known());
    let until = std::time::Instant::now() + PATIENCE;
    while gateway.results("ok") < 2 {
        assert!(std::time::Instant::now() < until, "no second fetch");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(gateway.check(key.token(&issuer.claims(&json!({})))).await, UNKNOWN, "withdrawn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_work_for_ten_minutes_without_their_issuer_and_no_longer() {
    let (key, other_key) = (SigningKey::generate("k", "EdDSA"), SigningKey::generate("k", "EdDSA"));
    let (issuer, other) = (Issuer::start(&[&key]).await, Issuer::start(&[&other_key]).await);
    let gateway = Checked::with(&[&issuer, &other]).await;
    let token = || key.token(&issuer.claims(&json!({"jti": "x"})));
    issuer.stop();
    gateway.clock.by(seconds(590));
    assert_eq!(gateway.check(token()).await, known());
    // The issuer may have a new key, and can't be asked.
    let unknown = key.token_with(&json!({"alg": "EdDSA", "kid": "new"}), &issuer.claims(&json!({})));
    assert!(unavailable(&gateway.check(unknown).await).is_some());
    gateway.clock.by(seconds(10));
    let refused = gateway.check(token()).await;
    let retry_after = unavailable(&refused).unwrap_or_else(|| panic!("{refused:?}"));
    assert!(retry_after <= seconds(5), "{retry_after:?}");
    assert_eq!(gateway.check(other_key.token(&other.claims(&json!({})))).await, known());
    issuer.restart().await;
    gateway.clock.by(seconds(5));
    assert_eq!(gateway.check(token()).await, known());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_keeps_no_key_for_longer() {
    let (old, new) = (SigningKey::generate("old", "EdDSA"), SigningKey::generate("new", "EdDSA"));
    let issuer = Issuer::start(&[&old]).await;
    let gateway = Checked::with(&[&issuer]).await;
    issuer.publish(&[&new]);
    gateway.clock.back(seconds(40));
    assert_eq!(gateway.check(new.token(&issuer.claims(&json!({})))).await, known());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_can_t_be_trusted_gives_no_keys() {
    let key = SigningKey::generate("k", "ES256");
    let moods: Vec<(&str, Mood)> = vec![
        ("status", Mood::Status(500)),
        ("status", Mood::Status(404)),
        ("redirect", Mood::Redirecting),
        ("timeout", Mood::Silent),
        ("timeout", Mood::Dripping),
        ("too_large", Mood::Keys(format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(256 * 1024)))),
        ("unreadable", Mood::Keys("<html>".into())),
        ("unreadable", Mood::Keys("[]".into())),
        ("other_issuer", Mood::Discovery(json!({"issuer": "https://other.example.com"}))),
        ("other_issuer", Mood::Discovery(json!({"issuer": null}))),
        ("unsafe_keys", Mood::Discovery(json!({"jwks_uri": "http://keys.example.com/keys"}))),
        ("unsafe_keys", Mood::Discovery(json!({"jwks_uri": "file:///etc/passwd"}))),
        ("unsafe_keys", Mood::Discovery(json!({"jwks_uri": null}))),
    ];
    let trials = moods.into_iter().map(async |(result, mood)| {
        let issuer = Issuer::start(&[&key]).await;
        issuer.is_now(mood);
        let gateway = Checked::with(&[&issuer]).await;
        let refused = gateway.check(key.token(&issuer.claims(&json!({})))).await;
        assert!(unavailable(&refused).is_some(), "{result}: {refused:?}");
        assert_eq!((gateway.results(result), gateway.fetches()), (1, 1), "{}", gateway.metrics.render());
        issuer.is_now(Mood::Well);
        gateway.clock.by(seconds(6));
        assert_eq!(gateway.check(key.token(&issuer.claims(&json!({})))).await, known(), "{result}");
    });
    join_all(trials).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_issuer_delays_no_token_with_a_known_key() {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    let gateway = Checked::with(&[&issuer]).await;
    issuer.is_now(Mood::Silent);
    gateway.clock.by(seconds(400));
    let unknown = key.token_with(&json!({"alg": "EdDSA", "kid": "new"}), &issuer.claims(&json!({})));
    let order = Mutex::new(Vec::new());
    let done = |who: &'static str| order.lock().expect("the order").push(who);
    let (refused, answered) = tokio::join!(
        async {
            let refused = gateway.check(unknown).await;
            done("unknown");
            refused
        },
        async {
            let mut answered = Vec::new();
            for number in 0..50 {
                answered.push(gateway.check(key.token(&issuer.claims(&json!({"jti": number})))).await);
            }
            done("known");
            answered
        }
    );
    assert_eq!(*order.lock().expect("the order"), ["known", "unknown"]);
    assert!(unavailable(&refused).is_some(), "{refused:?}");
    assert!(answered.iter().all(|result| *result == known()), "{answered:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_take_effect_at_once_and_keep_the_keys() {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    let gateway = Checked::with(&[&issuer]).await;
    let token = || key.token(&issuer.claims(&json!({"name": "Zoë Müller"})));
    let version = gateway.issuers.version();
    let renamed = tunnelgate::oidc::Settings { name_claim: "name".into(), ..settings(&issuer) };
    gateway.issuers.replace(vec![renamed]).expect("replaced");
    assert_ne!(gateway.issuers.version(), version);
    assert_eq!(gateway.check(token()).await, Ok("Zoë Müller".into()));
    assert_eq!(issuer.fetches(), 1);
    gateway.issuers.replace(Vec::new()).expect("replaced");
    let gone = gateway.check(token()).await;
    assert_eq!(gone, Err(TokenError::Invalid(InvalidToken::UnknownIssuer)));
    assert!(!gateway.metrics.render().contains("tunnelgate_oidc_issuer_reachable{"));
}
