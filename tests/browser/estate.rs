//! The list of all tunnels: an account that can't be read, pages, and drift that another gateway makes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::{GATEWAY, in_line, key};
use crate::driver::{Browser, ENTER};
use crate::process::Process;
use crate::support::consumer::{Consumer, PATIENCE};

const SECRET: (&str, &str) = ("TENCENTCLOUD_SECRET_KEY", "simulated-secret-key");
const ID: (&str, &str) = ("TENCENTCLOUD_SECRET_ID", "AKIDSIMULATED");

/// Two gateways before one simulated cloud. Only the first watches for drift, and has an account whose credentials are wrong.
struct Estate {
    browser: Browser,
    ours: Consumer,
    theirs: Consumer,
    _processes: [Process; 3],
    _folders: [tempfile::TempDir; 2],
}

impl Estate {
    async fn new() -> Self {
        let [folder, other] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let args =
            ["simulate-cloud", "--listen", "127.0.0.1:0", "--secret-id", ID.1, "--task-duration", "100ms"];
        let mut cloud = Process::start(folder.path(), "cloud", &args, &[SECRET]);
        let url = format!("{}/v2/index.php", cloud.address());
        let account = |name: &str, vpc: &str, secret: &str| {
            std::fs::write(folder.path().join(name), secret).expect("written");
            format!(
                "[[accounts]]\nname = \"{name}\"\nvpcs = [\"{vpc}\"]\napi = \"v2\"\nregion = \"ap-guangzhou\"\n\
                 secret_id = \"{}\"\nsecret_key_file = \"{name}\"\nurl = \"{url}\"\n",
                ID.1
            )
        };
        let accounts = account("office", "vpc-03*", SECRET.1) + &account("broken", "vpc-prod-*", "revoked");
        std::fs::write(folder.path().join("fingerprint"), "f".repeat(64)).expect("written");
        let config =
            format!("fingerprint_key_file = \"fingerprint\"\n{accounts}[drift]\ninterval = \"1s\"\n");
        std::fs::write(folder.path().join("tunnelgate.toml"), config).expect("written");
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        let database = ("DATABASE_URL", "sqlite:tunnelgate.db");
        let env = [("TUNNELGATE_CONFIG", "tunnelgate.toml"), database];
        let mut watching = Process::start(folder.path(), "serve", &serve, &env);
        let env = [
            ID,
            SECRET,
            ("TENCENTCLOUD_REGION", "ap-guangzhou"),
            ("TUNNELGATE_UPSTREAM_URL", &url),
            database,
        ];
        let mut elsewhere = Process::start(other.path(), "serve", &serve, &env);
        let consumer = |gateway: &mut Process, folder: &tempfile::TempDir| {
            let base = gateway.address();
            Consumer::new(base, key(folder.path(), "netops-ci", &["tunnels:read", "tunnels:write"]))
        };
        let (ours, theirs) = (consumer(&mut watching, &folder), consumer(&mut elsewhere, &other));
        let browser = Browser::start().await;
        Self { browser, ours, theirs, _processes: [cloud, watching, elsewhere], _folders: [folder, other] }
    }

    async fn open(&self, hash: &str) {
        self.browser.open(&format!("{}/{hash}", self.ours.base)).await;
        self.browser.type_into("#token", &self.ours.token).await;
        self.browser.click(".sign-in button").await;
    }
}

/// Sets a tunnel's name through a gateway.
async fn name(gateway: &Consumer, name: &str) {
    let patch = json!({"name": name, "peer_cidrs": ["10.100.2.0/24"]});
    let answer =
        gateway.patch(&format!("{GATEWAY}vpnx-branch01"), &patch, &[("prefer", "wait=30")]).await.json();
    assert_eq!(answer["status"], "succeeded", "{answer}");
}

/// Waits until so many fields have drift.
async fn fields_with_drift(gateway: &Consumer, count: usize) {
    let end = Instant::now() + PATIENCE;
    loop {
        let page = gateway.get("/drift", &[]).await.json();
        if page["items"].as_array().map(Vec::len) == Some(count) {
            return;
        }
        assert!(Instant::now() < end, "{page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_marked_filtered_and_told_and_a_bad_account_hides_no_other() {
    let estate = Estate::new().await;
    let browser = &estate.browser;
    name(&estate.ours, "ours").await;
    name(&estate.theirs, "theirs").await;
    estate.open("#/tunnels?search=BRANCH0").await;
    browser.text("[data-account=broken] .notice.bad", |text| text.contains("broken")).await;
    // The list shows the drift by itself, once a sweep has seen it, and only where it is.
    browser.text("[data-account=office] [data-tunnel=vpnx-branch01]", |text| text.contains("theirs")).await;
    browser.until_true("return document.querySelectorAll('.list tbody tr').length === 2").await;
    fields_with_drift(&estate.ours, 1).await;
    let chosen = "const drift = document.querySelector('#filter-drift'); drift.value = 'true'; \
                  drift.dispatchEvent(new Event('change'))";
    browser.script(chosen).await;
    browser.until_true("return location.hash === '#/tunnels?search=BRANCH0&drift=true'").await;
    browser.text("[data-tunnel=vpnx-branch01] .badge.warn", |text| text == "drift").await;
    browser.until_true("return document.querySelectorAll('.list tbody tr').length === 1").await;
    browser.text(".live", |text| text.starts_with("1 tunnel")).await;
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.resize(width, 900).await;
        browser.script(&format!("document.documentElement.dataset.theme = '{scheme}'")).await;
        let too_wide = browser.script("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(too_wide.as_i64().is_some_and(|pixels| pixels <= 0), "at {width}: {too_wide}");
        assert_eq!(browser.script(include_str!("contrast.js")).await, json!([]), "{scheme}");
        assert_eq!(browser.barriers().await, json!([]), "at {width}");
    }
    browser.click("[data-tunnel=vpnx-branch01] .open").await;
    browser
        .text(".side [aria-labelledby=drift]", |text| {
            in_line(text).contains("name is theirs and was set to ours")
        })
        .await;
    browser.text(".last", |text| !text.is_empty()).await;
    assert_eq!(browser.barriers().await, json!([]));
    browser.script("location.hash = '#/tunnels/vpc-03vihbk9/vpngw-kfldykuz/vpnx-branch02'").await;
    browser.text(".side", |text| text.contains("Last changes") && !text.contains("Drift")).await;

    // A change that sets the name again ends it.
    name(&estate.ours, "ours again").await;
    fields_with_drift(&estate.ours, 0).await;
    browser.script("location.hash = '#/tunnels?account=office&drift=true'").await;
    browser.text(".empty", |text| text.contains("No tunnel matches")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_are_loaded_page_by_page_and_read_again_where_they_are_shown() {
    let estate = Estate::new().await;
    let browser = &estate.browser;
    estate.open("#/tunnels").await;
    let rows = "document.querySelectorAll('[data-account=office] tbody tr').length";
    browser.until_true(&format!("return {rows} === 50")).await;
    browser.text("[data-account=broken] .notice.bad button", |text| text == "Retry").await;
    browser.text(".live", |text| text == "50 tunnels so far.").await;
    browser.click("[data-account=office] .more").await;
    browser.until_true(&format!("return {rows} === 100")).await;

    // Only the page in the window is read again, and nothing while no operation ends before its time.
    browser.script("scrollTo(0, 0)").await;
    name(&estate.theirs, "theirs").await;
    browser.requested().await;
    let later = "const real = Date.now; Date.now = () => real() + 61_000";
    browser.script(later).await;
    browser.text("[data-tunnel=vpnx-branch01]", |text| text.contains("theirs")).await;
    let asked = browser.requested().await;
    let reads: Vec<&String> = asked.iter().filter(|address| address.contains("/tunnels?")).collect();
    let of_office = reads.iter().filter(|address| address.contains("account=office")).count();
    assert_eq!(of_office, 1, "{reads:#?}");

    // A page that ends earlier than before leaves no gap: the list goes on from its end.
    let shorter = "const real = window.fetch; window.fetch = (address, init) => { const asked = new URL(address); \
                   if (!asked.searchParams.has('cursor') && asked.searchParams.get('limit') === '50') \
                   asked.searchParams.set('limit', 40); return real(asked, init); }";
    browser.script(shorter).await;
    browser.script(later).await;
    browser.until_true(&format!("return {rows} === 40")).await;
    browser.click("[data-account=office] .more").await;
    browser.until_true(&format!("return {rows} === 90")).await;
    let shown = "return [...document.querySelectorAll('[data-account=office] tbody tr')].map((row) => row.dataset.tunnel)";
    let first = estate.ours.get("/tunnels?account=office&limit=90", &[]).await.json();
    let first: Vec<&Value> =
        first["items"].as_array().expect("items").iter().map(|item| &item["tunnel_id"]).collect();
    assert_eq!(browser.script(shown).await, json!(first));
    browser.type_into("#filter-search", &format!("site-12{ENTER}")).await;
    browser.until_true(&format!("return {rows} === 1")).await;
    browser.until_true("return location.hash === '#/tunnels?search=site-12'").await;
    browser.type_into("#filter-account", "office").await;
    browser.until_true("return document.querySelector('[data-account=broken]') === null").await;
}
