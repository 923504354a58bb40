//! The Swagger UI: authorize, execute the examples unchanged, read the result of the change.

use serde_json::Value;

use crate::driver::Browser;
use crate::process::Process;

fn token(output: &str) -> Option<String> {
    let rest = &output[output.find("tg_")?..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    Some(rest[..end].to_owned())
}

/// Enters a token.
pub async fn authorize(browser: &Browser, token: &str) {
    browser.click(".scheme-container .btn.authorize").await;
    browser.type_into(".auth-container input", token).await;
    browser.click(".auth-container button[type=submit].authorize").await;
    browser.click(".auth-btn-wrapper .btn-done").await;
}

/// Opens an operation of the page and executes it with its examples.
pub async fn try_out(browser: &Browser, operation: &str) {
    browser.click(&format!("#{operation} .opblock-summary-control")).await;
    browser.click(&format!("#{operation} .try-out__btn")).await;
    browser.click(&format!("#{operation} .execute")).await;
}

/// The answer that the page shows.
pub async fn answer(
    browser: &Browser,
    operation: &str,
    status: &str,
    is_it: impl Fn(&Value) -> bool,
) -> Value {
    let live = format!("#{operation} .live-responses-table");
    browser
        .text(&format!("{live} tbody .response-col_status"), |text| text.trim_start().starts_with(status))
        .await;
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    let selector = format!("{live} .highlight-code pre code, {live} .highlight-code pre");
    let text = browser.text(&selector, |text| read(text).is_some_and(|body| is_it(&body))).await;
    read(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn authorize_and_try_it_out_work_with_the_examples_as_they_stand() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["sandbox", "--listen", "127.0.0.1:0", "--task-duration", "500ms"];
    let mut sandbox = Process::start(folder.path(), "sandbox", &args, &[]);
    let base = sandbox.address();
    let token = sandbox.await_output("token", token);

    let browser = Browser::start().await;
    browser.open(&format!("{base}/docs/")).await;
    authorize(&browser, &token).await;

    let patch = "operations-tunnels-patch_tunnel";
    try_out(&browser, patch).await;
    let operation = answer(&browser, patch, "202", |body| body["id"].is_string()).await;
    assert_eq!(operation["status"], "running", "{operation}");

    // Executes again until the operation has ended.
    let list = "operations-operations-list_operations";
    try_out(&browser, list).await;
    let ended = loop {
        let page = answer(&browser, list, "200", |body| body["items"].is_array()).await;
        assert_eq!(page["items"][0]["id"], operation["id"], "{page}");
        if page["items"][0]["finished_at"].is_string() {
            break page["items"][0].clone();
        }
        browser.click(&format!("#{list} .execute")).await;
    };
    assert_eq!(ended["status"], "succeeded");
    assert_eq!(ended["verification"]["result"], "confirmed");

    let tunnels = "operations-tunnels-list_all_tunnels";
    try_out(&browser, tunnels).await;
    let page = answer(&browser, tunnels, "200", |body| body["items"].is_array()).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(50), "a page by default");

    let log = "operations-audit-list_audit_events";
    try_out(&browser, log).await;
    let events = answer(&browser, log, "200", |body| body["items"].is_array()).await;
    assert!(events["items"].as_array().is_some_and(|items| items.len() >= 4), "{events}");

    let loaded =
        browser.script("return performance.getEntriesByType('resource').map(entry => entry.name)").await;
    let loaded = loaded.as_array().expect("a list");
    assert!(loaded.len() > 3);
    for address in loaded {
        let address = address.as_str().unwrap_or_default();
        assert!(address.starts_with(&base) || address.starts_with("data:"), "the page requested {address}");
    }
    let page = browser.script("return document.body.innerText").await;
    assert!(!page.as_str().unwrap_or_default().contains("Failed to fetch"));
}
