//! The console at `/`, used with a mouse and with the keyboard.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::desk::{Desk, key, ranges, revoke};
use crate::driver::ENTER;
use crate::support::consumer::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_moves_before_the_eyes_of_who_watches_and_its_timeline_tells_all() {
    // The tests must find it running on a busy machine too.
    let desk = Desk::new("10s").await;
    let browser = &desk.browser;
    desk.open("").await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text(".empty", |text| text.starts_with("No operation yet")).await;

    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "watch-me-not"});
    let id = desk.change("vpnx-branch01", &patch).await;
    let row = format!("[data-operation='{id}']");
    browser.text(&format!("{row} .status"), |text| text == "running").await;
    browser.text(&format!("{row} .status"), |text| text.starts_with("succeeded")).await;
    browser
        .until_true("return document.querySelector('#announcer').textContent === 'vpnx-branch01: succeeded'")
        .await;
    browser
        .text(&row, |text| text.contains("netops-ci") && text.contains("peer_cidrs, pre_shared_key"))
        .await;

    browser.click(&format!("{row} .open")).await;
    browser.text("[data-event=succeeded]", |text| text.contains("every field has the requested value")).await;
    for (event, word) in
        [("requested", "from 127.0.0.1"), ("submitted", "ModifyVpnConnEx"), ("succeeded", "+")]
    {
        browser.text(&format!("[data-event={event}]"), |text| text.contains(word)).await;
    }
    browser.text(".asked", |text| text.contains("fingerprint") && text.contains("10.100.2.0/24")).await;
    let page = browser.script("return document.documentElement.outerHTML").await;
    let page = page.as_str().expect("a page");
    assert!(!page.contains("watch-me-not") && !page.contains(&desk.consumer.token));

    let diverged = desk.change("vpnx-diverged", &json!({"peer_cidrs": ["10.9.8.0/24"]})).await;
    desk.consumer.ended(&diverged).await;
    browser.script(&format!("location.hash = '#/operations/{diverged}'")).await;
    browser.text(".differences .observed", |text| text == "172.16.0.0/16").await;
    browser.text(".differences", |text| text.contains("peer_cidrs") && text.contains("10.9.8.0/24")).await;
    let failed = desk.change("vpnx-task-fails", &ranges()).await;
    desk.consumer.ended(&failed).await;
    browser.script(&format!("location.hash = '#/operations/{failed}'")).await;
    browser.text(".notice.bad", |text| text.contains("the peer gateway refused the proposal")).await;

    let kept = "return localStorage.length + sessionStorage.length + document.cookie.length";
    assert_eq!(browser.script(kept).await, 0, "the page stores data");
    desk.was_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_searched_counted_saved_and_verified_and_tampering_shows() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    for tunnel in ["vpnx-branch01", "vpnx-task-fails", "vpnx-load-1"] {
        let id = desk.change(tunnel, &ranges()).await;
        desk.consumer.ended(&id).await;
    }
    desk.open("#/audit").await;
    desk.sign_in(&desk.consumer.token).await;
    browser
        .text(".sum", |text| text.starts_with("3 changes requested and 1 failure in the last 24 hours"))
        .await;
    browser.click("summary").await;
    browser.text(".numbers tbody", |text| text.contains("1 failed")).await;
    browser.text(".list tbody", |text| text.contains("succeeded")).await;

    browser.script("document.querySelector('#filter-event').value = 'failed'").await;
    browser.type_into("#filter-tunnel_id", &format!("vpnx-task-fails{ENTER}")).await;
    browser.until_true("return document.querySelectorAll('.list tbody tr').length === 1").await;
    browser.text(".list tbody", |text| text.contains("the peer gateway refused the proposal")).await;
    browser.text(".sum", |text| text.starts_with("1 change requested and 1 failure")).await;
    browser.until_true("return location.hash === '#/audit?event=failed&tunnel_id=vpnx-task-fails'").await;

    browser.download_to(desk.folder.path()).await;
    browser.click(".downloads button:nth-of-type(2)").await;
    browser.text(".downloads", |text| text.contains("Saved audit-events.ndjson")).await;
    let file = desk.folder.path().join("audit-events.ndjson");
    let until = std::time::Instant::now() + PATIENCE;
    let saved = loop {
        match std::fs::read_to_string(&file) {
            Ok(text) if text.ends_with('\n') => break text,
            _ => assert!(std::time::Instant::now() < until, "nothing was saved"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let event: Value = serde_json::from_str(&saved).expect("one line of JSON");
    assert_eq!(
        (event["event"].as_str(), event["tunnel_id"].as_str()),
        (Some("failed"), Some("vpnx-task-fails"))
    );

    browser.click("nav a[href='#/chain']").await;
    browser.click("#verify").await;
    browser.text(".verdict", |text| text.contains("Whole: 11 events")).await;
    let kept = desk.consumer.get("/audit-events/checkpoint", &[]).await.body;
    browser.click("details.panel summary").await;
    browser.type_into("#kept", &kept).await;
    browser.click("details.panel button").await;
    browser.text("details.panel .verdict", |text| text.contains("Event 11 matches the checkpoint")).await;

    let url = format!("sqlite:{}", desk.folder.path().join("tunnelgate.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.expect("the ledger");
    for sql in [
        "DROP TRIGGER audit_events_no_update",
        "UPDATE audit_events SET actor = '<b>nobody</b>' WHERE seq = 3",
    ] {
        database.execute(AssertSqlSafe(sql)).await.expect(sql);
    }
    browser.click("#verify").await;
    browser.text(".verdict.bad", |text| text.contains("The chain is broken at event 3")).await;
    browser.click("a[href='#/audit/3']").await;
    browser.text("dl", |text| text.contains("<b>nobody</b>")).await;
    desk.was_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_path_needs_no_mouse() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    desk.consumer.ended(&id).await;
    desk.open("").await;
    browser.tab_to("#token").await;
    let mut keys: Vec<String> = desk.consumer.token.chars().map(String::from).collect();
    keys.push(ENTER.to_owned());
    browser.press(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    browser.text("h1", |text| text == "Operations").await;
    let row = format!("[data-operation='{id}'] .open");
    browser.text(&row, |text| text == "vpnx-branch01").await;
    browser.tab_to(&row).await;
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.script(outline).await, "solid", "the focus can be seen");
    browser.press(&[ENTER]).await;
    browser.text("[data-event=succeeded]", |text| !text.is_empty()).await;
    // The focus is at the top of the new content, and the next Tab continues from there.
    browser.until_true("return document.activeElement.tagName === 'H1'").await;

    browser.script("document.querySelector('#sections a[href=\"#/chain\"]').focus()").await;
    browser.press(&[ENTER]).await;
    browser.text("h1", |text| text == "Chain").await;
    browser.text("#verify", |text| text == "Verify the chain").await;
    browser.tab_to("#verify").await;
    browser.press(&[ENTER]).await;
    browser.text(".verdict", |text| text.contains("Whole: 5 events")).await;
    desk.was_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_shows_what_it_may_and_is_forgotten() {
    let desk = Desk::new("100ms").await;
    let browser = &desk.browser;
    let id = desk.change("vpnx-branch01", &ranges()).await;
    desk.consumer.ended(&id).await;
    let reader = key(desk.folder.path(), "reader", &["tunnels:read"]);
    let hash = format!("#/operations/{id}");
    desk.open(&hash).await;
    desk.sign_in("tg_ключ").await;
    browser
        .text(".sign-in .bad", |text| text.starts_with("This is not a token: it contains invalid characters"))
        .await;
    browser.script("document.querySelector('#token').value = ''").await;
    desk.sign_in("tg_nobody").await;
    browser.text(".sign-in .bad", |text| text.contains("does not know this token")).await;
    browser.script("document.querySelector('#token').value = ''").await;
    desk.sign_in(&reader).await;
    browser.text(".columns .note-below", |text| text.contains("audit:read")).await;
    // Every step with its number, although this key may not read the log.
    for (event, word) in
        [("requested", "#3"), ("submitted", "Task"), ("succeeded", "#5"), ("succeeded", "requested value")]
    {
        browser.text(&format!("[data-event={event}]"), |text| text.contains(word)).await;
    }
    browser.until_true("return document.querySelectorAll('.timeline > li').length === 3").await;
    assert_eq!(browser.script("return document.querySelectorAll('.timeline a').length").await, 0);
    for section in ["#/audit", "#/chain"] {
        browser.click(&format!("nav a[href='{section}']")).await;
        browser.text(".notice", |text| text.contains("lacks the scope audit:read")).await;
    }

    browser.click("nav a[href='#/operations']").await;
    browser.text(".list tbody", |text| text.contains("vpnx-branch01")).await;
    revoke(desk.folder.path(), "reader");
    browser.text(".sign-in .warn", |text| text.contains("expired or was revoked")).await;

    desk.sign_in(&desk.consumer.token).await;
    browser.text(".list tbody", |text| text.contains("vpnx-branch01")).await;
    browser.script("location.reload()").await;
    browser.text(".sign-in h1", |text| text == "Sign in").await;
    desk.sign_in(&desk.consumer.token).await;
    browser.click("#sign-out").await;
    browser.text(".sign-in h1", |text| text == "Sign in").await;
    let left = browser.script("return document.body.innerText.includes('vpnx-branch01')").await;
    assert_eq!(left, false, "nothing stays on the screen");
}

/// Both colour schemes, and a phone. `UPDATE_SCREENSHOT=1` rewrites `docs/console.png`.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_sticks_out_at_any_width_and_words_can_be_read_in_both_schemes() {
    let desk = Desk::new("3s").await;
    let browser = &desk.browser;
    let tunnels = ["vpnx-load-1", "vpnx-task-fails", "vpnx-diverged", "vpnx-failed-5100", "vpnx-branch02"];
    let mut ids = Vec::new();
    for tunnel in tunnels {
        ids.push(desk.change(tunnel, &ranges()).await);
    }
    for id in &ids {
        desk.consumer.ended(id).await;
    }
    let patch = json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": "k"});
    let open = desk.change("vpnx-task-never-ends", &patch).await;
    desk.open("").await;
    for scheme in ["light", "dark"] {
        browser.script("document.querySelector('#token').value = ''").await;
        desk.sign_in("nobody").await;
        browser.text(".sign-in .bad", |text| !text.is_empty()).await;
        browser.script(&format!("document.documentElement.dataset.theme = '{scheme}'")).await;
        assert_eq!(browser.script(include_str!("contrast.js")).await, json!([]), "signing in, {scheme}");
    }
    browser.script("document.querySelector('#token').value = ''").await;
    desk.sign_in(&desk.consumer.token).await;
    browser.text(".list tbody", |text| text.contains("vpnx-task-never-ends")).await;
    browser.script("delete document.documentElement.dataset.theme").await;
    browser.resize(1400, 560).await;
    let picture = browser.screenshot().await;
    assert!(picture.starts_with(b"\x89PNG") && picture.len() < 200_000, "{} bytes", picture.len());
    if std::env::var_os("UPDATE_SCREENSHOT").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/console.png");
        std::fs::write(file, picture).expect("the file can be written");
    }
    let (diverged, open) = (format!("#/operations/{}", ids[2]), format!("#/operations/{open}"));
    for hash in ["#/operations", &diverged, &open, "#/audit", "#/audit/1", "#/chain"] {
        browser.script(&format!("location.hash = '{hash}'")).await;
        browser
            .until_true(
                "return document.querySelectorAll('main .list tbody tr, main dl, main .facts').length > 0",
            )
            .await;
        for (width, scheme) in
            [(1400, "light"), (1400, "dark"), (820, "light"), (390, "dark"), (320, "light")]
        {
            browser.resize(width, 900).await;
            browser.script(&format!("document.documentElement.dataset.theme = '{scheme}'")).await;
            let too_wide = browser.script("return document.documentElement.scrollWidth - innerWidth").await;
            assert!(too_wide.as_i64().is_some_and(|pixels| pixels <= 0), "{hash} at {width}: {too_wide}");
            let faint = browser.script(include_str!("contrast.js")).await;
            assert_eq!(faint, json!([]), "{hash}, {scheme}");
        }
        assert_eq!(browser.barriers().await, json!([]), "{hash}");
    }
}
