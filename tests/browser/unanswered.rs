//! Changes and rollbacks whose answer never arrives: after a reload, for another principal, in two tabs.

use serde_json::json;
use tunnelgate::simulator::FIRST_KEY;

use crate::desk::{Desk, in_line, key};
use crate::driver::Browser;
use crate::relay::Relay;

const BRANCH: &str = "#/tunnels/vpc-03vihbk9/vpngw-kfldykuz/vpnx-branch01";
const STORED: &str = "return JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})";
const NOTHING: &str = "{}{}";

/// Fills in a name, and asks for the preview.
async fn preview(browser: &Browser, name: &str) {
    browser.type_into("#change-name", name).await;
    browser.click("#change .primary").await;
    browser.text("dialog .asked", |text| in_line(text).contains(&format!("name branch01 {name}"))).await;
}

/// Sends what the dialog shows, and loses the answer.
async fn lose(browser: &Browser, relay: &Relay) {
    relay.mute();
    browser.click("dialog.confirmation .primary, dialog.rollback .primary").await;
    browser.text("dialog.retry .notice.warn", |text| text.contains("it is never sent twice")).await;
    relay.mend();
}

async fn reload(browser: &Browser) {
    browser.script("location.reload()").await;
    browser.text(".sign-in h1", |text| text == "Sign in").await;
}

async fn stored(browser: &Browser) -> String {
    browser.script(STORED).await.as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_outlives_a_reload_and_is_sought_by_its_principal_only() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    let other = key(desk.folder.path(), "other", &["tunnels:read", "tunnels:write"]);
    browser.open(&format!("{}/{BRANCH}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.type_into("#change-reason", "CHG-1").await;
    preview(browser, "once").await;
    assert_eq!(stored(browser).await, NOTHING, "nothing was sent yet");
    lose(browser, &relay).await;
    let [operation] = desk.operations().await.try_into().expect("one operation");
    let id = operation["id"].as_str().expect("an id");
    desk.consumer.ended(id).await;
    let kept = stored(browser).await;
    assert!(kept.contains("CHG-1") && !kept.contains(&desk.consumer.token), "{kept}");

    // Another principal neither sees nor sends it, and may change the tunnel.
    reload(browser).await;
    desk.sign_in(&other).await;
    browser.type_into("#change-name", "another").await;
    browser.click("#change .primary").await;
    browser.text("dialog.confirmation .asked", |text| in_line(text).contains("name once another")).await;
    let hidden = "return document.querySelector('#unanswered').hidden";
    assert_eq!(browser.script(hidden).await, true);
    assert!(stored(browser).await.contains("CHG-1"), "it is kept for the first one");
    reload(browser).await;

    // The first one finds it again, wherever the page is; signing out does not lose it.
    browser.script("location.hash = '#/chain'").await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text("#unanswered .notice", |text| text.contains("Your change of vpnx-branch01")).await;
    browser.click("#sign-out").await;
    browser.until_true(hidden).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click(".find-out").await;
    browser.text("dialog.retry", |text| in_line(text).contains("name once") && text.contains("CHG-1")).await;
    assert_eq!(browser.barriers().await, json!([]), "the dialog");
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.resize(width, 900).await;
        browser.script(&format!("document.documentElement.dataset.theme = '{scheme}'")).await;
        let too_wide = "const d = document.querySelector('dialog'); return d.scrollWidth - d.clientWidth";
        assert!(browser.script(too_wide).await.as_i64().is_some_and(|pixels| pixels <= 0), "at {width}");
        assert_eq!(browser.script(include_str!("contrast.js")).await, json!([]), "{scheme}");
    }
    browser.click("dialog .primary").await;
    browser.until_true(&format!("return location.hash === '#/operations/{id}'")).await;
    browser.until_true(hidden).await;
    assert_eq!(desk.operations().await.len(), 1);
    assert_eq!(stored(browser).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_shared_key_is_never_stored_and_must_be_typed_again() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    browser.open(&format!("{}/{BRANCH}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.type_into("#change-pre_shared_key", "new-canary").await;
    preview(browser, "once").await;
    lose(browser, &relay).await;
    let first = desk.operations().await.remove(0);
    desk.consumer.ended(first["id"].as_str().expect("an id")).await;
    let kept = stored(browser).await;
    assert!(kept.contains("once") && !kept.contains("new-canary"), "{kept}");
    reload(browser).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click(".find-out").await;
    browser.text("dialog.retry", |text| text.contains("does not store keys")).await;
    browser.click("dialog .primary").await;
    browser.text("dialog .notice.bad", |text| text.contains("Type the pre-shared key")).await;
    browser.type_into("#same-key", "wrong-canary").await;
    browser.click("dialog .primary").await;
    browser.text("dialog .notice.bad", |text| text.contains("has arrived, with another key")).await;
    // What is no key says nothing about that request.
    let clear = "document.querySelector('#same-key').value = ''; document.activeElement.blur()";
    browser.script(clear).await;
    browser.type_into("#same-key", "new-canarü").await;
    browser.click("dialog .primary").await;
    browser
        .text("dialog .notice.bad", |text| text.contains("not known yet") && text.contains("pre_shared_key"))
        .await;
    browser.until_true("return document.activeElement.id === 'same-key'").await;
    assert_eq!(stored(browser).await, kept, "it is still kept");
    browser.script(clear).await;
    browser.type_into("#same-key", "new-canary").await;
    browser.click("dialog .primary").await;
    let hash = |operation: &serde_json::Value| {
        format!("return location.hash === '#/operations/{}'", operation["id"].as_str().expect("an id"))
    };
    browser.until_true(&hash(&first)).await;
    assert_eq!(desk.operations().await.len(), 1);
    assert_eq!(stored(browser).await, NOTHING);

    // A rollback, with the key from before.
    browser.click("#roll-back").await;
    browser.text("dialog .asked", |text| text.contains("the key that you give below")).await;
    browser.type_into("#old-key", FIRST_KEY).await;
    lose(browser, &relay).await;
    let second = desk.operations().await.remove(0);
    assert_eq!(second["rollback_of"], first["id"]);
    let kept = stored(browser).await;
    assert!(kept.contains("rollback") || kept.contains(first["id"].as_str().expect("an id")), "{kept}");
    assert!(!kept.contains(FIRST_KEY), "{kept}");
    reload(browser).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text("#unanswered .notice", |text| text.contains("Your rollback of vpnx-branch01")).await;
    browser.click(".find-out").await;
    browser.type_into("#same-key", FIRST_KEY).await;
    browser.click("dialog .primary").await;
    browser.until_true(&hash(&second)).await;
    assert_eq!(desk.operations().await.len(), 2);

    // What is too old for the gateway to know, or was not written by this page, is forgotten.
    browser.script(&format!("location.hash = '{BRANCH}'")).await;
    preview(browser, "old").await;
    lose(browser, &relay).await;
    let age = "for (const name of Object.keys(localStorage)) { const kept = JSON.parse(localStorage.getItem(name)); \
               kept.sent -= 24 * 3600 * 1000; localStorage.setItem(name, JSON.stringify(kept)); \
               localStorage.setItem(`${name}x`, '{}'); localStorage.setItem(`${name}y`, 'nothing'); }";
    browser.script(age).await;
    reload(browser).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.type_into("#change-name", "free").await;
    assert_eq!(stored(browser).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_where_the_gateway_does_not_tell_whose_it_is() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    browser.open(&format!("{}/{BRANCH}", relay.base)).await;
    let answer = |status: u16| {
        format!(
            "window.real ??= window.fetch; window.fetch = async (address, init) => \
             new URL(address).pathname.endsWith('/principal') ? new Response('', {{status: {status}}}) : \
             window.real(address, init); document.querySelector('#token').value = ''"
        )
    };
    // What passes is no reason to go on without it.
    browser.script(&answer(503)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text(".sign-in .notice.bad", |text| text.contains("503")).await;
    browser.script(&answer(404)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text("#unanswered", |text| text.contains("does not tell whom your token belongs to")).await;
    preview(browser, "once").await;
    lose(browser, &relay).await;
    assert_eq!(stored(browser).await, NOTHING);
    browser.click("dialog .primary").await;
    browser.until_true("return location.hash.startsWith('#/operations/')").await;
    assert_eq!(desk.operations().await.len(), 1);
    browser.click("#sign-out").await;
    browser.until_true("return document.querySelector('#unanswered').hidden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_send_one_request() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    let first = browser.window().await;
    browser.open(&format!("{}/{BRANCH}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    preview(browser, "once").await;
    browser.new_tab().await;
    let second = browser.window().await;
    browser.open(&format!("{}/{BRANCH}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    preview(browser, "another").await;
    browser.switch_to(&first).await;
    relay.cut();
    browser.click("dialog .primary").await;
    browser.text("dialog.retry .notice.warn", |text| text.contains("it is never sent twice")).await;
    relay.mend();
    assert_eq!(desk.operations().await.len(), 0, "it did not arrive");
    // This tab tries again, and its answer takes its time.
    let hold = "const real = window.fetch; window.fetch = async (address, init) => { \
                if (init.method !== 'PATCH') return real(address, init); \
                const answer = await real(address, init); const text = await answer.text(); \
                await new Promise((go) => { window.release = go; }); return new Response(text, answer); }";
    browser.script(hold).await;
    browser.click("dialog .primary").await;
    browser.until_true("return window.release !== undefined").await;

    // The other tab has confirmed another change: the first one comes first.
    browser.switch_to(&second).await;
    browser.click("dialog.confirmation .primary").await;
    browser.text("dialog.retry", |text| in_line(text).contains("name once")).await;
    browser.click("dialog .primary").await;
    browser.until_true("return location.hash.startsWith('#/operations/')").await;
    let [operation] = desk.operations().await.try_into().expect("one operation");
    assert_eq!(operation["changes"]["name"], "once");
    let hash =
        format!("return location.hash === '#/operations/{}'", operation["id"].as_str().expect("an id"));
    browser.until_true(&hash).await;
    browser.switch_to(&first).await;
    browser.script("window.release()").await;
    browser.until_true(&hash).await;
    assert_eq!(desk.operations().await.len(), 1);
    assert_eq!(stored(browser).await, NOTHING);
}
