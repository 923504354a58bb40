//! The console of a key with a rate limit.

use crate::desk::key;
use crate::driver::Browser;
use crate::process::Process;
use crate::support::consumer::Consumer;

#[tokio::test(flavor = "multi_thread")]
async fn the_list_spends_a_part_of_the_limit_and_says_so_when_it_is_used_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = [
        ("TENCENTCLOUD_SECRET_ID", "AKIDSIMULATED"),
        ("TENCENTCLOUD_SECRET_KEY", "simulated-secret-key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
        ("DATABASE_URL", "sqlite:tunnelgate.db"),
        ("TUNNELGATE_RATE_LIMIT", "4/20s"),
    ];
    let mut gateway = Process::start(folder.path(), "serve", &["serve", "--listen", "127.0.0.1:0"], &env);
    let base = gateway.address();
    let consumer =
        Consumer::new(base.clone(), key(folder.path(), "netops-ci", &["tunnels:read", "audit:read"]));
    let browser = Browser::start().await;
    browser.open(&base).await;
    browser.type_into("#token", &consumer.token).await;
    browser.click(".sign-in button").await;
    browser.text(".live", |text| text.starts_with("Live.")).await;
    let wait = "return import('/console/api.js').then((api) => api.gentle(3000))";
    assert_eq!(browser.script(wait).await, 20_000, "one of the four in 20 s");

    // Another client with this key uses up the limit.
    let greedy = tokio::spawn(async move {
        loop {
            consumer.get("/operations", &[]).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    browser.click(".clear").await;
    browser.text(".notice.warn", |text| text.contains("rate limit") && text.contains("asks to wait")).await;
    browser.text(".live", |text| text.starts_with("Out of date. Retrying in")).await;
    assert_eq!(browser.script("return document.querySelector('.notice button').disabled").await, true);
    greedy.abort();
    // The page continues by itself.
    browser.text(".live", |text| text.starts_with("Live.")).await;
    browser.until_true("return document.querySelector('.notice') === null").await;
}
