//! A browser, driven through the W3C WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::consumer::{PATIENCE, plain_client};

/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub const TAB: &str = "\u{e004}";
pub const ESCAPE: &str = "\u{e00c}";
pub const ENTER: &str = "\u{e007}";

/// A Chromium with one empty window.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (scripts/test installs it)");
        let output = BufReader::new(driver.stdout.take().expect("its output"));
        let port: u16 = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .expect("chromedriver's port");
        let base = format!("http://127.0.0.1:{port}");
        let client = plain_client();
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1400,2400",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let answer = send(client.post(format!("{base}/session")), Some(&wanted)).await.expect("a session");
        let id = answer["sessionId"].as_str().expect("its id");
        let session = format!("{base}/session/{id}");
        Self { driver, session, client, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.command("url", &json!({"url": url})).await.expect("a page");
    }

    /// What axe-core, a checker of accessibility, finds in the page.
    pub async fn barriers(&self) -> Value {
        let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/target/issuers/node_modules/axe-core/axe.min.js");
        let checker = std::fs::read_to_string(checker).expect("axe-core (scripts/issuers install)");
        let found = "return axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => \
                     nodes.map(({ html }) => `${id}: ${html}`)))";
        self.script(&format!("{checker}; {found}")).await
    }

    /// Runs a script in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []})).await.expect(script)
    }

    /// Clicks an element, which must be present, visible and not covered.
    pub async fn click(&self, selector: &str) {
        self.until(&format!("a click on {selector}"), || async move {
            let id = self.element(selector).await?;
            let centre = format!(
                "document.querySelector({}).scrollIntoView({{block: 'center'}})",
                Value::String(selector.to_owned())
            );
            self.script(&centre).await;
            self.command(&format!("element/{id}/click"), &json!({})).await.ok()
        })
        .await;
    }

    /// Types into a field.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.until(&format!("a field at {selector}"), || async move {
            let id = self.element(selector).await?;
            self.command(&format!("element/{id}/value"), &json!({"text": text})).await.ok()
        })
        .await;
    }

    /// Waits until `is_it` accepts the visible text of an element; returns the text.
    pub async fn text(&self, selector: &str, is_it: impl Fn(&str) -> bool) -> String {
        let is_it = &is_it;
        self.until(&format!("the right text at {selector}"), || async move {
            let id = self.element(selector).await?;
            let url = format!("{}/element/{id}/text", self.session);
            let text = send(self.client.get(url), None).await.ok()?;
            let text = text.as_str()?.to_owned();
            is_it(&text).then_some(text)
        })
        .await
    }

    /// Presses keys one after the other at the focus.
    pub async fn press(&self, keys: &[&str]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.command("actions", &actions).await.expect("the keys");
    }

    /// Presses Tab until the focus is on an element.
    pub async fn tab_to(&self, selector: &str) {
        let is_there =
            format!("return document.activeElement.matches({})", Value::String(selector.to_owned()));
        for _ in 0..200 {
            if self.script(&is_there).await == true {
                return;
            }
            self.press(&[TAB]).await;
        }
        panic!("Tab does not lead to {selector}");
    }

    /// Waits until a script returns `true`.
    pub async fn until_true(&self, script: &str) {
        self.until(script, || async move { (self.script(script).await == true).then_some(()) }).await;
    }

    /// Sets the size of the window, in pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// Saves downloads to this folder without a dialog.
    pub async fn download_to(&self, folder: &std::path::Path) {
        let params = json!({"behavior": "allow", "downloadPath": folder});
        self.devtools("Browser.setDownloadBehavior", &params).await;
    }

    /// A screenshot as a PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        use base64::Engine;
        let url = format!("{}/screenshot", self.session);
        let picture = send(self.client.get(url), None).await.expect("a picture");
        let text = picture.as_str().expect("base64");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    }

    /// The messages of the page's console since the last call: script errors, violations of the page's policy.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({"type": "browser"})).await.expect("a log");
        let entries = log.as_array().expect("entries");
        entries.iter().map(|entry| format!("{} {}", entry["level"], entry["message"])).collect()
    }

    /// Every address that the page requested since the last call.
    pub async fn requested(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({"type": "performance"})).await.expect("a log");
        let entries = log.as_array().expect("entries").iter();
        let messages = entries.filter_map(|entry| serde_json::from_str(entry["message"].as_str()?).ok());
        messages
            .filter(|entry: &Value| entry["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|entry| entry["message"]["params"]["request"]["url"].as_str().map(str::to_owned))
            .collect()
    }

    /// The handle of the current window.
    pub async fn window(&self) -> String {
        let url = format!("{}/window", self.session);
        let handle = send(self.client.get(url), None).await.expect("a window");
        handle.as_str().expect("a handle").to_owned()
    }

    /// Opens another tab, and switches to it.
    pub async fn new_tab(&self) {
        let made = self.command("window/new", &json!({"type": "tab"})).await.expect("a tab");
        self.switch_to(made["handle"].as_str().expect("a handle")).await;
    }

    pub async fn switch_to(&self, window: &str) {
        self.command("window", &json!({"handle": window})).await.expect("the window");
    }

    /// Waits for a window besides this one, and switches to it.
    pub async fn switch_to_other(&self, window: &str) {
        self.until("other window", || async move {
            let other = self.windows().await.into_iter().find(|handle| handle != window)?;
            self.command("window", &json!({"handle": other})).await.ok()
        })
        .await;
    }

    /// Waits until only one window is left.
    pub async fn until_closed(&self) {
        let limit = Instant::now() + PATIENCE;
        while self.windows().await.len() > 1 {
            assert!(Instant::now() < limit, "the window does not close");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn windows(&self) -> Vec<String> {
        let url = format!("{}/window/handles", self.session);
        let handles = send(self.client.get(url), None).await.expect("windows");
        serde_json::from_value(handles).expect("handles")
    }

    async fn devtools(&self, command: &str, params: &Value) {
        self.command("goog/cdp/execute", &json!({"cmd": command, "params": params})).await.expect(command);
    }

    async fn element(&self, selector: &str) -> Option<String> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.command("element", &wanted).await.ok()?;
        found[ELEMENT].as_str().map(str::to_owned)
    }

    async fn command(&self, path: &str, body: &Value) -> Result<Value, Value> {
        send(self.client.post(format!("{}/{path}", self.session)), Some(body)).await
    }

    async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, look: impl Fn() -> F) -> T {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if Instant::now() > limit {
                let page = self.script("return document.body.innerText").await;
                panic!("no {what} in:\n{}", page.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Deleting the session closes the browser; killing the driver alone would leave the browser running.
        let _ = Command::new("curl").args(["-sS", "-m", "10", "-X", "DELETE", &self.session]).output();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

async fn send(request: reqwest::RequestBuilder, body: Option<&Value>) -> Result<Value, Value> {
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let response = request.send().await.expect("chromedriver answers");
    let is_success = response.status().is_success();
    let text = response.text().await.expect("a body");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    if is_success { Ok(answer["value"].clone()) } else { Err(answer["value"].clone()) }
}
