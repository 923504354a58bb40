//! A browser, spoken to by the W3C WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::consumer::{PATIENCE, plain_client};

/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

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
            .expect("chromedriver is installed: scripts/test does so");
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
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": args}}}});
        let answer = send(client.post(format!("{base}/session")), Some(&wanted)).await.expect("a session");
        let id = answer["sessionId"].as_str().expect("its id");
        let session = format!("{base}/session/{id}");
        Self { driver, session, client, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.command("url", &json!({"url": url})).await.expect("a page");
    }

    /// Runs a script in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []})).await.expect(script)
    }

    /// Clicks as a person would: the element has to be there, visible, and not covered.
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

    /// The visible text of an element, once `is_it` says that it is the right one.
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
