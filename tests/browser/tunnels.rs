//! The pages of tunnels, and a change by the form.

use serde_json::json;

use crate::desk::{Desk, GATEWAY, in_line, key, ranges};
use crate::driver::{ENTER, ESCAPE};
use crate::relay::Relay;

/// The page of a tunnel of API 2.0, and of one of API 3.0.
const BRANCH: &str = "#/tunnels/vpc-03vihbk9/vpngw-kfldykuz/vpnx-branch01";
const PRODUCTION: &str = "#/tunnels/vpc-prod-1/vpngw-prod1/vpnx-prod1";

/// Chooses a word in the form.
fn choose(field: &str, word: &str) -> String {
    format!("document.querySelector('#change-{field}').value = '{word}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_found_and_changed_by_the_form() {
    let desk = Desk::new("500ms").await;
    let browser = &desk.browser;
    desk.open("#/tunnels").await;
    desk.sign_in(&desk.consumer.token).await;
    // Without a filter both accounts are there.
    browser.text("[data-account=api-3] [data-tunnel=vpnx-prod1]", |text| text.contains("running")).await;
    browser.type_into("#filter-vpc_id", "vpc-03vihbk9").await;
    browser.type_into("#filter-gateway_id", &format!("vpngw-kfldykuz{ENTER}")).await;
    browser.text("[data-tunnel=vpnx-branch01]", |text| text.contains("running")).await;
    browser.type_into("#filter-search", &format!("branch01{ENTER}")).await;
    browser.until_true("return document.querySelectorAll('.list tbody tr').length === 1").await;
    browser.click("[data-tunnel=vpnx-branch01] .open").await;

    // The limits and the words are those of the document, for this tunnel's API.
    browser.text("#change-ike-sa_lifetime_seconds-about", |text| text.contains("60 to 604800")).await;
    let offered = "return [...document.querySelector('#change-ike-encryption_algorithm').options].map((one) => one.value).join()";
    let offered = browser.script(offered).await;
    assert_eq!(
        offered, ",3des-cbc,aes-cbc-128,aes-cbc-192,aes-cbc-256,des-cbc",
        "words of API 3.0 are left out"
    );
    assert_eq!(browser.script("return document.querySelector('#change-dpd-enabled')").await, json!(null));
    browser.text("#change-ike-dh_group-now", |text| text.contains("group14")).await;

    // Faults are at their fields: of the page, and all of the gateway's at once.
    browser.type_into("#change-ike-sa_lifetime_seconds", "59").await;
    browser.click("#change .primary").await;
    browser.text("#change-ike-sa_lifetime_seconds-fault", |text| text.contains("60 to 604800")).await;
    browser.script(&choose("ike-sa_lifetime_seconds", "7200")).await;
    browser.script(&choose("peer_cidrs", "10.100.2.0/24\\nten")).await;
    browser.type_into("#change-name", "hq two").await;
    browser.script(&choose("ike-dh_group", "group5")).await;
    browser.type_into("#change-pre_shared_key", "new-canary").await;
    browser.click("#change .primary").await;
    browser.text("#change-peer_cidrs-fault", |text| text.starts_with("line 2: must be an IPv4 range")).await;
    browser.until_true("return document.activeElement.id === 'change-peer_cidrs'").await;
    browser.script(&choose("peer_cidrs", "10.100.2.0/24\\n10.100.3.0/24")).await;

    // A preview, which can be cancelled, by the keyboard.
    browser.type_into("#change-reason", &format!("CHG-7 größe{ENTER}")).await;
    browser.until_true("return document.activeElement.id === 'confirmation-title'").await;
    browser.press(&[ESCAPE]).await;
    browser.until_true("return document.querySelector('dialog') === null").await;
    browser.until_true("return document.activeElement.id === 'change-reason'").await;
    browser.press(&[ENTER]).await;
    browser
        .text("dialog .asked", |text| {
            let text = in_line(text);
            let has = |words: &str| text.contains(words);
            has("name branch01 hq two")
                && has("peer_cidrs 172.16.0.0/16 10.100.2.0/24 10.100.3.0/24")
                && has("ike.dh_group group14 group5")
                && has("the key that you gave")
        })
        .await;
    browser.text("#merged", |text| in_line(text).contains("ike.encryption_algorithm aes-cbc-256")).await;
    assert!(desk.operations().await.is_empty(), "nothing was sent yet");
    browser.tab_to("dialog .primary").await;
    browser.press(&[ENTER]).await;

    // The live timeline, and the tunnel as the cloud has it now.
    browser.text("[data-event=succeeded]", |text| text.contains("every field has the requested value")).await;
    browser.text(".facts", |text| text.contains("CHG-7 größe")).await;
    let tunnel = desk.consumer.get(&format!("{GATEWAY}vpnx-branch01"), &[]).await.json();
    assert_eq!(tunnel["name"], "hq two");
    assert_eq!(tunnel["peer_cidrs"], json!(["10.100.2.0/24", "10.100.3.0/24"]));
    let ike = &tunnel["ike"];
    assert_eq!((&ike["dh_group"], &ike["sa_lifetime_seconds"]), (&json!("group5"), &json!(7200)));
    assert_eq!(ike["encryption_algorithm"], "aes-cbc-256", "what was not asked for stays");
    let [operation] = desk.operations().await.try_into().expect("one operation");
    assert_eq!(operation["changes"]["pre_shared_key"], tunnel["pre_shared_key"]);
    let page = browser.script("return document.documentElement.outerHTML").await;
    assert!(!page.as_str().expect("a page").contains("new-canary"), "the key is gone with the form");
    browser.click(&format!(".facts a[href='{BRANCH}']")).await;
    browser.text(".last", |text| text.contains("succeeded") && text.contains("netops-ci")).await;
    browser.click("nav a[href='#/tunnels']").await;
    browser.text("[data-tunnel=vpnx-branch01]", |text| text.contains("succeeded")).await;
    desk.was_clean_but_for(&["422"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_nobody_touched_are_those_of_the_tunnel() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    desk.open(BRANCH).await;
    desk.sign_in(&desk.consumer.token).await;
    browser
        .until_true("return document.querySelector('#change-peer_cidrs')?.value === '172.16.0.0/16'")
        .await;
    // They change while the preview is shown.
    browser.type_into("#change-name", "hq two").await;
    browser.click("#change .primary").await;
    browser.text("dialog .asked", |text| in_line(text).contains("name branch01 hq two")).await;
    let id = desk.change("vpnx-branch01", &json!({"peer_cidrs": ["10.100.2.0/24", "10.100.3.0/24"]})).await;
    desk.consumer.ended(&id).await;
    browser.click("dialog .primary").await;
    browser.text("#change .notice.warn", |text| text.contains("has changed meanwhile")).await;
    let refilled =
        "return document.querySelector('#change-peer_cidrs').value === '10.100.2.0/24\\n10.100.3.0/24'";
    browser.until_true(refilled).await;
    // And once more, before the preview.
    let id = desk.change("vpnx-branch01", &json!({"peer_cidrs": ["10.100.4.0/24"]})).await;
    desk.consumer.ended(&id).await;
    browser.click("#change .primary").await;
    browser.text("dialog .asked", |text| in_line(text).contains("name branch01 hq two")).await;
    browser.click("dialog .primary").await;
    browser.text("[data-event=succeeded]", |text| text.contains("every field has the requested value")).await;
    let tunnel = desk.consumer.get(&format!("{GATEWAY}vpnx-branch01"), &[]).await.json();
    assert_eq!((&tunnel["name"], &tunnel["peer_cidrs"]), (&json!("hq two"), &json!(["10.100.4.0/24"])));

    // What was typed stays, whatever the tunnel has.
    browser.script(&format!("location.hash = '{BRANCH}'")).await;
    browser
        .until_true("return document.querySelector('#change-peer_cidrs')?.value === '10.100.4.0/24'")
        .await;
    browser.script(&choose("peer_cidrs", "10.100.5.0/24")).await;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    desk.consumer.ended(&id).await;
    browser.text("#change-peer_cidrs-now", |text| text.contains("10.100.2.0/24")).await;
    assert_eq!(
        browser.script("return document.querySelector('#change-peer_cidrs').value").await,
        "10.100.5.0/24"
    );
    desk.was_clean_but_for(&["412", "422"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_about_another_gateway_does_not_stop_the_list() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    desk.open("#/tunnels").await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text("[data-tunnel=vpnx-prod1]", |text| text.contains("running")).await;
    // The answer about vpngw-gone comes when the test wants it. Operations have a next page.
    let hold = "const real = window.fetch; window.fetch = async (address, init) => { \
                if (String(address).includes('vpngw-gone')) { await new Promise((go) => { window.release = go; }); \
                return new Response('{}', { status: 404, headers: { 'content-type': 'application/problem+json' } }); } \
                const answer = await real(address, init); if (!/operations[?]/.test(address)) return answer; \
                return new Response(JSON.stringify({ ...await answer.json(), next_cursor: 'more' }), answer); }";
    browser.script(hold).await;
    browser.script("location.hash = '#/tunnels?vpc_id=vpc-03vihbk9&gateway_id=vpngw-gone'").await;
    browser.until_true("return window.release !== undefined").await;
    browser.type_into("#filter-gateway_id", &format!("\u{e009}a\u{e000}vpngw-kfldykuz{ENTER}")).await;
    browser.until_true("return location.hash.includes('vpngw-kfldykuz')").await;
    browser.script("window.release()").await;
    let row = browser.text("[data-tunnel=vpnx-branch01]", |text| text.contains("running")).await;
    // An older change may be among those that were not looked at.
    assert!(row.contains("none among the newest 200"), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_lost_is_sent_once() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let relay = Relay::to(&desk.consumer.base).await;
    browser.open(&format!("{}/{BRANCH}", relay.base)).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.type_into("#change-name", "once").await;
    browser.click("#change .primary").await;
    browser.text("dialog .asked", |text| in_line(text).contains("name branch01 once")).await;
    relay.mute();
    browser.click("dialog .primary").await;
    browser.text("dialog .notice.warn", |text| text.contains("it is never sent twice")).await;
    // The change did arrive, and ends. The page does not know.
    let [operation] = desk.operations().await.try_into().expect("one operation");
    let id = operation["id"].as_str().expect("an id");
    desk.consumer.ended(id).await;
    // The request is kept when the dialog is closed, and when the view is left.
    browser.press(&[ESCAPE]).await;
    browser.text("#unanswered .notice", |text| text.contains("Your change of vpnx-branch01")).await;
    assert_eq!(browser.barriers().await, json!([]), "the notice");
    relay.mend();
    browser.script("location.hash = '#/chain'").await;
    browser.text("h1", |text| text == "Chain").await;
    browser.script(&format!("location.hash = '{BRANCH}'")).await;
    browser.type_into("#change-name", "another").await;
    browser.click("#change .primary").await;
    browser.text("dialog .notice.warn", |text| text.contains("no answer yet")).await;
    browser.click("dialog .primary").await;
    browser.until_true(&format!("return location.hash === '#/operations/{id}'")).await;
    assert_eq!(desk.operations().await.len(), 1);
    // Then the way is free for another change.
    browser.script(&format!("location.hash = '{BRANCH}'")).await;
    browser.type_into("#change-name", "another").await;
    browser.click("#change .primary").await;
    browser.text("dialog .asked", |text| in_line(text).contains("name once another")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_comes_late_is_not_sent_again() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    desk.open(BRANCH).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.type_into("#change-name", "late").await;
    browser.click("#change .primary").await;
    browser.text("dialog .asked", |text| in_line(text).contains("name branch01 late")).await;
    let hold = "window.sent = 0; window.real = window.fetch; window.fetch = async (address, init) => { \
                if (init.method !== 'PATCH') return window.real(address, init); \
                const answer = await window.real(address, init); const text = await answer.text(); window.sent += 1; \
                await new Promise((go) => { window.release = go; }); return new Response(text, answer); }";
    browser.script(hold).await;
    browser.click("dialog .primary").await;
    browser.until_true("return window.release !== undefined").await;
    // The view that sent it is left, and the answer comes while another one offers to find out.
    browser.script("location.hash = '#/chain'").await;
    browser.text("h1", |text| text == "Chain").await;
    browser.script(&format!("location.hash = '{BRANCH}'")).await;
    browser.click(".find-out").await;
    browser.text("dialog .notice.warn", |text| text.contains("no answer yet")).await;
    browser.script("window.release(); return window.real('readyz').then(() => null)").await;
    browser.click("dialog .primary").await;
    browser.text("dialog .notice", |text| text.contains("no longer keeps that request")).await;
    browser.click("dialog .actions button").await;
    browser.until_true("return document.querySelector('dialog') === null && window.sent === 1").await;
    browser.until_true("return document.querySelector('#unanswered').hidden").await;
    assert_eq!(desk.operations().await.len(), 1);
    desk.was_clean_but_for(&["422"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_change_a_tunnel_has_no_form_and_everything_can_be_read() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    desk.consumer.ended(&id).await;
    desk.open(BRANCH).await;
    let reader = key(desk.folder.path(), "reader", &["tunnels:read", "audit:read"]);
    desk.sign_in(&reader).await;
    browser.text(".settings", |text| in_line(text).contains("dh_group now: group14")).await;
    browser.text(".last", |text| text.contains("succeeded")).await;
    let controls = "return document.querySelectorAll('#change, .settings input, .settings select, .settings textarea, .settings button').length";
    assert_eq!(browser.script(controls).await, 0);
    // What the other end needs can be read too.
    browser.script("document.querySelector('#peer-format').value = 'strongswan'").await;
    browser.click(".side form button").await;
    browser
        .text(".side pre", |text| text.contains("aes256-sha1-modp2048") && text.contains("10.100.2.0/24"))
        .await;
    assert_eq!(browser.barriers().await, json!([]), "the other end");
    let denied = desk.consumer.get("/audit-events?event=denied", &[]).await.json();
    assert_eq!(denied["items"], json!([]), "looking at a tunnel is no attempt to change it");
    browser.click("#sign-out").await;

    // A tunnel of API 3.0 has more fields, and needs no ranges in a change.
    desk.open(PRODUCTION).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.until_true("return document.querySelector('#change-peer_cidrs')?.value === ''").await;
    browser.script(&choose("dpd-enabled", "true")).await;
    browser.script(&choose("security_policies", "10.0.0.0/16: 172.16.0.0/16 172.17.0.0/16")).await;
    let identity = "const kind = document.querySelector('#change-ike-remote_identity'); kind.value = 'fqdn'; \
                    kind.dispatchEvent(new Event('change'))";
    browser.script(identity).await;
    browser.type_into("#change-ike-remote_identity-value", "peer.example").await;
    browser.click("#change .primary").await;
    browser
        .text("dialog .asked", |text| {
            let text = in_line(text);
            text.contains("dpd.enabled")
                && text.contains("172.17.0.0/16")
                && text.contains("fqdn peer.example")
        })
        .await;
    let look = async |place: &str, element: &str| {
        for (width, scheme) in [(1400, "light"), (820, "dark"), (390, "dark"), (320, "light")] {
            browser.resize(width, 900).await;
            browser.script(&format!("document.documentElement.dataset.theme = '{scheme}'")).await;
            let too_wide = format!("const e = {element}; return e.scrollWidth - e.clientWidth");
            let too_wide = browser.script(&too_wide).await;
            assert!(too_wide.as_i64().is_some_and(|pixels| pixels <= 0), "{place} at {width}: {too_wide}");
            let faint = browser.script(include_str!("contrast.js")).await;
            assert_eq!(faint, json!([]), "{place}, {scheme}");
        }
        assert_eq!(browser.barriers().await, json!([]), "{place}");
    };
    look("the preview", "document.querySelector('dialog')").await;
    browser.press(&[ESCAPE]).await;
    look("the form", "document.documentElement").await;
    browser.script("location.hash = '#/tunnels?vpc_id=vpc-03vihbk9&gateway_id=vpngw-kfldykuz'").await;
    browser.text("[data-tunnel=vpnx-branch01]", |text| text.contains("running")).await;
    look("the list", "document.documentElement").await;
    desk.was_clean_but_for(&["403", "422"]).await;
}
