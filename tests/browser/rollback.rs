//! Rolling an operation back in the console.

use serde_json::{Value, json};
use tunnelgate::simulator::FIRST_KEY;

use crate::desk::{Desk, in_line, key, ranges};
use crate::driver::{ENTER, ESCAPE};
use crate::relay::Relay;

/// Makes a change, waits for its end, and shows it.
async fn ended(desk: &Desk, tunnel: &str, patch: &Value) -> String {
    let id = desk.change(tunnel, patch).await;
    desk.consumer.ended(&id).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_taken_back_after_a_look_at_what_that_does() {
    let desk = Desk::new("500ms").await;
    let browser = &desk.browser;
    let patch = json!({"name": "hq", "peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "new-canary"});
    let id = ended(&desk, "vpnx-branch01", &patch).await;
    desk.open(&format!("#/operations/{id}")).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click("#roll-back").await;
    browser.text("dialog", |text| text.contains("This changes the tunnel")).await;
    browser
        .text("dialog .asked", |text| {
            let text = in_line(text);
            let has = |words: &str| text.contains(words);
            has("peer_cidrs 10.100.2.0/24 172.16.0.0/16")
                && has("name hq branch01")
                && has("the key that you give below")
        })
        .await;
    for scheme in ["light", "dark"] {
        browser.script(&format!("document.documentElement.dataset.theme = '{scheme}'")).await;
        assert_eq!(browser.script(include_str!("contrast.js")).await, json!([]), "{scheme}");
    }
    for width in [1400, 390, 320] {
        browser.resize(width, 900).await;
        let too_wide = "const d = document.querySelector('dialog'); return d.scrollWidth - d.clientWidth";
        assert!(browser.script(too_wide).await.as_i64().is_some_and(|pixels| pixels <= 0), "at {width}");
    }
    browser.click("dialog .primary").await;
    browser.text("dialog .notice.bad", |text| text.contains("Give the pre-shared key")).await;
    browser.type_into("#old-key", "wrong-canary").await;
    browser.click("dialog .primary").await;
    browser.text("dialog .notice.bad", |text| text.contains("not the key that the tunnel had")).await;
    assert_eq!(desk.operations().await.len(), 1, "nothing was sent yet");
    browser.script("document.querySelector('#old-key').value = ''").await;
    browser.type_into("#old-key", FIRST_KEY).await;
    browser.type_into("#rollback-reason", "CHG-1 größe").await;
    browser.click("dialog .primary").await;
    browser.text(".facts", |text| text.contains("Rolls back") && text.contains("CHG-1 größe")).await;
    browser.text("h1 .status", |text| text.contains("succeeded")).await;
    browser.until_true("return document.querySelector('dialog') === null").await;
    browser.text(&format!(".facts a[href='#/operations/{id}']"), |text| text == id).await;
    let newest = desk.operations().await.remove(0);
    assert_eq!((&newest["rollback_of"], &newest["status"]), (&json!(id), &json!("succeeded")));
    assert_eq!(newest["changes"]["name"], "branch01");
    let page = browser.script("return document.documentElement.outerHTML").await;
    assert!(!page.as_str().expect("a page").contains(FIRST_KEY), "the key is gone with the dialog");
    desk.was_clean_but_for(&["422"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_needs_no_mouse_and_can_be_cancelled() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let id = ended(&desk, "vpnx-branch01", &ranges()).await;
    desk.open(&format!("#/operations/{id}")).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text("#roll-back", |text| text == "Roll back…").await;
    browser.tab_to("#roll-back").await;
    browser.press(&[ENTER]).await;
    browser.until_true("return document.activeElement.id === 'rollback-title'").await;
    browser.press(&[ESCAPE]).await;
    browser.until_true("return document.querySelector('dialog') === null").await;
    browser.until_true("return document.activeElement.id === 'roll-back'").await;
    browser.press(&[ENTER]).await;
    browser.until_true("return document.querySelector('dialog .primary')?.disabled === false").await;
    browser.tab_to("dialog .primary").await;
    browser.press(&[ENTER]).await;
    browser.text("h1 .status", |text| text.contains("succeeded")).await;
    browser.until_true(&format!("return !location.hash.includes('{id}')")).await;
    browser.until_true("return document.activeElement.tagName === 'H1'").await;
    assert_eq!(desk.operations().await.len(), 2);
    desk.was_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_and_another_try_send_it_once() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    let id = ended(&desk, "vpnx-branch01", &ranges()).await;
    browser.open(&format!("{}/#/operations/{id}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click("#roll-back").await;
    browser.until_true("return document.querySelector('dialog .primary')?.disabled === false").await;
    relay.mute();
    browser.click("dialog .primary").await;
    browser.text("dialog .notice.warn", |text| text.contains("it is never sent twice")).await;
    browser.text("dialog .primary", |text| text == "Try again").await;
    // The rollback did arrive.
    let newest = desk.operations().await.remove(0);
    assert_eq!(newest["rollback_of"], json!(id));
    relay.mend();
    browser.click("dialog .primary").await;
    browser.text("h1 .status", |text| text.contains("succeeded")).await;
    let hash = format!("#/operations/{}", newest["id"].as_str().expect("an id"));
    browser.until_true(&format!("return location.hash === '{hash}'")).await;
    assert_eq!(desk.operations().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_change_is_shown_and_must_be_overridden_by_hand() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let id = ended(&desk, "vpnx-branch01", &ranges()).await;
    ended(&desk, "vpnx-branch01", &json!({"peer_cidrs": ["10.9.9.0/24"]})).await;
    desk.open(&format!("#/operations/{id}")).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click("#roll-back").await;
    browser
        .text("dialog .differences", |text| in_line(text).contains("peer_cidrs 10.100.2.0/24 10.9.9.0/24"))
        .await;
    browser
        .text("dialog .asked", |text| in_line(text).contains("peer_cidrs 10.9.9.0/24 172.16.0.0/16"))
        .await;
    browser.until_true("return document.querySelector('dialog .primary').disabled").await;
    // The tunnel changes again before the confirmation: the page shows the new table and sends nothing.
    ended(&desk, "vpnx-branch01", &json!({"peer_cidrs": ["10.8.8.0/24"]})).await;
    browser.click("#override").await;
    browser.click("dialog .primary").await;
    browser.text("dialog", |text| text.contains("The tunnel has changed meanwhile; nothing was sent")).await;
    browser
        .text("dialog .asked", |text| in_line(text).contains("peer_cidrs 10.8.8.0/24 172.16.0.0/16"))
        .await;
    // The consent was to other differences.
    browser.until_true("return document.querySelector('dialog .primary').disabled").await;
    browser.click("#override").await;
    browser.click("dialog .primary").await;
    browser.text("h1 .status", |text| text.contains("succeeded")).await;
    browser.until_true(&format!("return !location.hash.includes('{id}')")).await;
    desk.was_clean_but_for(&["409", "412"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_taken_back_says_why_and_who_may_not_sees_no_button() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let policies =
        json!({"security_policies": [{"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]}]});
    let unknown = ended(&desk, "vpnx-branch02", &policies).await;
    let failed = ended(&desk, "vpnx-task-fails", &ranges()).await;
    let id = ended(&desk, "vpnx-branch01", &ranges()).await;
    desk.open(&format!("#/operations/{unknown}")).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click("summary").await;
    browser
        .text("details", |text| text.contains("can't be rolled back") && text.contains("not their pairs"))
        .await;
    let button = "return document.querySelector('#roll-back') !== null";
    assert_eq!(browser.script(button).await, false);
    browser.script(&format!("location.hash = '#/operations/{failed}'")).await;
    browser.text("h1 .status", |text| text.contains("failed")).await;
    browser.text("[data-event=failed]", |text| !text.is_empty()).await;
    assert_eq!(browser.script(button).await, false);
    browser.click("#sign-out").await;

    desk.open(&format!("#/operations/{id}")).await;
    let reader = key(desk.folder.path(), "reader", &["tunnels:read", "audit:read"]);
    desk.sign_in(&reader).await;
    browser.text("[data-event=succeeded]", |text| text.contains("requested value")).await;
    browser.until_true("return performance.getEntriesByType('resource').some((one) => one.name.includes('/rollback?dry_run'))").await;
    assert_eq!(browser.script(button).await, false);
    let denied = desk.consumer.get("/audit-events?event=denied", &[]).await.json();
    assert_eq!(denied["items"], json!([]), "looking at an operation is no attempt to change it");
}
