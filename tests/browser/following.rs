//! Following a running operation in the console.

use serde_json::json;

use crate::desk::{Desk, key, ranges, revoke};
use crate::relay::Relay;
use crate::support::consumer::PATIENCE;

/// Returns when this many streams are open.
async fn until_streams(desk: &Desk, count: usize) {
    let wanted = format!("tunnelgate_http_waiting_clients{{kind=\"stream\"}} {count}");
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let metrics = desk.consumer.get("/metrics", &[]).await.body;
        if metrics.lines().any(|line| line == wanted) {
            return;
        }
        assert!(std::time::Instant::now() < until, "not {wanted}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_tells_all_steps_and_what_is_there_stays_as_it_is() {
    let desk = Desk::new("10s").await;
    let browser = &desk.browser;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    desk.open(&format!("#/operations/{id}")).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text(".live", |text| text == "Live.").await;
    browser.text("[data-event=submitted]", |text| text.contains("ModifyVpnConnEx")).await;
    browser.text(".timeline .moving", |text| text.contains("in progress")).await;
    browser
        .script(
            "document.querySelector('[data-event=requested] .seq').focus(); \
             getSelection().selectAllChildren(document.querySelector('[data-event=submitted] time'));
             window.marked = getSelection().toString()",
        )
        .await;
    browser.text("[data-event=succeeded]", |text| text.contains("every field has the requested value")).await;
    browser.until_true("return document.querySelector('.timeline .moving') === null").await;
    browser.until_true("return document.activeElement.matches('[data-event=requested] .seq')").await;
    browser.until_true("return marked.length > 10 && getSelection().toString() === marked").await;
    browser.text(".badge", |text| text == "succeeded").await;
    browser
        .until_true(
            "return document.querySelector('#announcer').textContent === \
             'vpnx-branch01: succeeded'",
        )
        .await;
    let asked = browser.requested().await;
    let about = |what: &str| asked.iter().filter(|address| address.contains(what)).count();
    assert_eq!(about(&format!("/operations/{id}/stream")), 1, "{asked:#?}");
    assert!(about(&format!("/operations/{id}")) <= 3 && about("operation_id=") <= 2, "{asked:#?}");
    until_streams(&desk, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_goes_on_where_it_stopped() {
    let desk = Desk::new("12s").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    browser.open(&format!("{}/#/operations/{id}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text("[data-event=submitted]", |text| !text.is_empty()).await;
    browser.text(".live", |text| text == "Live.").await;
    relay.cut();
    browser.text(".live", |text| text.contains("Retrying")).await;
    // The operation ends while the page has no connection.
    desk.consumer.ended(&id).await;
    relay.mend();
    browser.text("[data-event=succeeded]", |text| !text.is_empty()).await;
    browser.until_true("return document.querySelectorAll('.timeline > li').length === 3").await;
    browser.until_true("return document.querySelector('.live').textContent === ''").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_view_with_the_sign_out_and_with_the_key() {
    let desk = Desk::new("1s").await;
    let browser = &desk.browser;
    let id = desk.change("vpnx-task-never-ends", &json!({"peer_cidrs": ["10.0.0.0/8"]})).await;
    let reader = key(desk.folder.path(), "reader", &["tunnels:read"]);
    let hash = format!("#/operations/{id}");
    desk.open(&hash).await;
    desk.sign_in(&reader).await;
    until_streams(&desk, 1).await;
    browser.click(".crumb a").await;
    until_streams(&desk, 0).await;
    browser.script(&format!("location.hash = '{hash}'")).await;
    until_streams(&desk, 1).await;
    browser.click("#sign-out").await;
    until_streams(&desk, 0).await;

    desk.sign_in(&reader).await;
    until_streams(&desk, 1).await;
    revoke(desk.folder.path(), "reader");
    browser.text(".sign-in .warn", |text| text.contains("expired or was revoked")).await;
    until_streams(&desk, 0).await;
}
