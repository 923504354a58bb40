//! The pages behind nginx, which adds a path: everything stays below it.

use serde_json::json;

use crate::desk::{Desk, ranges};
use crate::swagger_ui::{answer, authorize, try_out};

#[tokio::test(flavor = "multi_thread")]
async fn the_console_works_below_a_path() {
    let desk = Desk::behind_nginx("5s").await;
    let browser = &desk.browser;
    // nginx leads from the path without its slash to the page.
    browser.open(&desk.consumer.base).await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text(".empty", |text| text.starts_with("No operation yet")).await;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    browser.click(&format!("[data-operation='{id}'] .open")).await;
    // The stream arrives through the proxy while the change is in progress.
    browser.text("[data-event=submitted]", |text| text.contains("ModifyVpnConnEx")).await;
    browser.text(".live", |text| text == "Live.").await;
    browser.text("[data-event=succeeded]", |text| text.contains("every field has the requested value")).await;

    browser.click("#roll-back").await;
    browser.text("dialog .asked", |text| text.contains("172.16.0.0/16")).await;
    browser.click("dialog .primary").await;
    browser.until_true(&format!("return location.hash.length > 20 && !location.hash.includes('{id}')")).await;
    browser.text("[data-event=succeeded]", |text| !text.is_empty()).await;

    browser.click("nav a[href='#/audit']").await;
    browser.text(".sum", |text| text.starts_with("2 changes requested")).await;
    browser.download_to(desk.folder.path()).await;
    browser.click(".downloads button:nth-of-type(2)").await;
    browser.text(".downloads", |text| text.contains("Saved audit-events.ndjson")).await;
    browser.click("nav a[href='#/chain']").await;
    browser.click("#verify").await;
    browser.text(".verdict", |text| text.starts_with("Whole")).await;
    browser.click("a[href='docs/']").await;
    browser.text(".title", |text| text.contains("tunnelgate")).await;
    desk.was_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn try_it_out_and_the_links_of_answers_work_below_a_path() {
    let desk = Desk::behind_nginx("300ms").await;
    let (browser, base) = (&desk.browser, &desk.consumer.base);
    browser.open(&format!("{base}/docs")).await;
    authorize(browser, &desk.consumer.token).await;
    let patch = "operations-tunnels-patch_tunnel";
    try_out(browser, patch).await;
    let operation = answer(browser, patch, "202", |body| body["id"].is_string()).await;
    let id = operation["id"].as_str().expect("an id");
    assert_eq!(desk.consumer.ended(id).await["status"], "succeeded");
    // The curl line of the page and the headers that it shows name the public URL.
    let shown = browser.text(&format!("#{patch} .responses-wrapper"), |text| text.contains("curl")).await;
    assert!(shown.contains(&format!("{base}/vpcs/")), "{shown}");
    assert!(shown.contains(&format!("location: {base}/operations/{id}")), "{shown}");

    let list = "operations-operations-list_operations";
    try_out(browser, list).await;
    let page = answer(browser, list, "200", |body| body["items"].is_array()).await;
    assert_eq!(page["items"][0]["id"], operation["id"]);

    let taken = desk.consumer.patch("/vpcs/v/gateways/g/tunnels/t", &json!({}), &[]).await.json();
    let kind = taken["type"].as_str().expect("a type");
    browser.open(kind).await;
    browser.text("h1", |text| text == "Invalid patch").await;
    browser.click("p a").await;
    browser.text("h1", |text| text == "Problems").await;
    browser.click("a[href='problems/no-such-path']").await;
    browser.text("h1", |text| text.contains("path")).await;
    desk.was_clean().await;
}
