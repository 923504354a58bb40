//! Rate limits on calls and on failed sign-ins.

use tunnelgate::domain::principal::Scope;

use super::{gateway_with, hourly};
use crate::harness::ranges;
use crate::support::consumer::Consumer;

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_that_asks_too_often_is_told_when_again() {
    let harness = gateway_with(|settings| settings.edge.rate_limit = hourly(3)).await;
    for (left, reset) in [(2, 1200), (1, 2400), (0, 3600)] {
        let answer = harness.consumer.get("/operations", &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=3;w=3600"));
        let header = answer.header("ratelimit").expect("RateLimit").to_owned();
        let (start, seconds) = header.rsplit_once('=').expect("parameters");
        assert_eq!(start, format!("\"default\";r={left};t"));
        let seconds: i32 = seconds.parse().expect("seconds");
        assert!((reset - 60..=reset).contains(&seconds), "{header}");
    }
    let refused = harness.patch("vpnx-branch01", &ranges()).await;
    assert_eq!(refused.problem(), (429, "rate_limited".into()));
    let seconds: i32 = refused.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1100..=1200).contains(&seconds), "{seconds}");
    assert!(refused.header("ratelimit").is_some_and(|value| value.starts_with("\"default\";r=0;")));
    assert!(harness.simulator.journal().is_empty(), "nothing was sent");

    let other = harness.consumer_with("other", &[(Scope::TunnelsRead, &[])]).await;
    assert_eq!(other.get("/operations", &[]).await.status, 200, "each has a limit of its own");
    for route in ["/livez", "/readyz", "/metrics", "/openapi.json"] {
        let answer = harness.consumer.get(route, &[]).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, None), "{route}");
    }
    let metrics = harness.consumer.get("/metrics", &[]).await.body;
    assert!(metrics.contains("tunnelgate_auth_refusals_total{reason=\"rate_limited\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_there_is_none() {
    let harness = gateway_with(|_| {}).await;
    let answer = harness.consumer.get("/operations", &[]).await;
    assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_can_not_be_guessed_at_speed() {
    let harness = gateway_with(|settings| {
        settings.edge.sign_in_limit = hourly(3);
        settings.edge.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    assert_eq!(harness.consumer.get("/operations", &[]).await.status, 200);
    let late = harness.consumer_with("late", &[(Scope::TunnelsRead, &[])]).await;
    let guesser = Consumer::new(harness.consumer.base.clone(), "tg_0123".into());
    for _ in 0..3 {
        assert_eq!(guesser.get("/operations", &[]).await.problem(), (401, "unauthorized".into()));
    }
    let refused = guesser.get("/operations", &[]).await;
    assert_eq!(refused.problem(), (429, "sign_in_limited".into()));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.header("ratelimit-policy"), Some("\"sign-in\";q=3;w=3600"));

    // From a limited address a correct guess gets the same response as a wrong one. A token that was valid before
    // the limit keeps working.
    assert_eq!(late.get("/operations", &[]).await.problem(), (429, "sign_in_limited".into()));
    assert_eq!(harness.consumer.get("/operations", &[]).await.status, 200);
    // From another address, as the trusted proxy reports it, the token works.
    let elsewhere = late.get("/operations", &[("x-forwarded-for", "198.51.100.7")]).await;
    assert_eq!(elsewhere.status, 200);
    // A request without a token is not a guess.
    let anonymous = Consumer::new(harness.consumer.base.clone(), String::new());
    assert_eq!(anonymous.get("/operations", &[]).await.problem(), (401, "unauthorized".into()));
}
