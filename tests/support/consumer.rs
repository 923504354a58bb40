//! A consumer of the API.

use std::time::{Duration, Instant};

use serde_json::Value;

/// Timeout for things that a healthy process does at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An HTTP response.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// The `code` of a problem, with its status.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        let code = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("/problems/{}", code.replace('_', "-")));
        (self.status, code.to_owned())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path of a list's next page. Asserts that `Link` and `next_cursor` agree.
    pub fn next_page(&self) -> Option<String> {
        let page = self.json();
        let link = self.header("link");
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(link, None);
            return None;
        };
        let link = link.expect("a link");
        let (next, relation) = link.strip_prefix('<').and_then(|l| l.split_once('>')).expect("a link");
        assert!(relation == "; rel=\"next\"" && next.contains(&format!("cursor={cursor}")), "{link}");
        Some(next.to_owned())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}: {}", self.status, self.body))
    }
}

/// A consumer with a token.
#[derive(Clone)]
pub struct Consumer {
    pub base: String,
    pub token: String,
    client: reqwest::Client,
}

impl Consumer {
    pub fn new(base: String, token: String) -> Self {
        let client = plain_client();
        Self { base, token, client }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.base)), headers).await
    }

    /// Reads an address of an answer: a path, or a whole URL.
    pub async fn follow(&self, address: &str) -> Answer {
        let url =
            if address.starts_with('/') { format!("{}{address}", self.base) } else { address.to_owned() };
        self.send(self.client.get(url), &[]).await
    }

    /// The status and the `Location` of a redirect, which is not followed.
    pub async fn redirect(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(PATIENCE).build().expect("a client");
        let answer = client.get(format!("{}{path}", self.base)).send().await.expect("an answer");
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        (answer.status().as_u16(), location.unwrap_or_default().to_owned())
    }

    /// Sends these bytes and headers unchanged.
    pub async fn raw(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.base)).body(body.to_owned());
        self.send(request, headers).await
    }

    pub async fn patch(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let request = self
            .client
            .patch(format!("{}{path}", self.base))
            .header("content-type", "application/merge-patch+json")
            .body(body.to_string());
        self.send(request, headers).await
    }

    /// Opens a stream of server-sent events.
    pub async fn messages(&self, path: &str, headers: &[(&str, &str)]) -> Messages {
        let request = self.authorized(self.client.get(format!("{}{path}", self.base)), headers);
        Messages { response: request.send().await.expect("an answer"), text: String::new() }
    }

    fn authorized(
        &self,
        mut request: reqwest::RequestBuilder,
        headers: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    async fn send(&self, request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Answer {
        let response = self.authorized(request, headers).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("a body");
        Answer { status, headers, body }
    }

    /// Waits for the operation's end and returns it.
    pub async fn ended(&self, id: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(&format!("/operations/{id}"), &[("prefer", "wait=10")]).await;
            let operation = answer.json();
            if operation["finished_at"].is_string() {
                return operation;
            }
            assert!(Instant::now() < until, "the operation does not end: {operation}");
        }
    }
}

/// A stream of server-sent events.
pub struct Messages {
    pub response: reqwest::Response,
    text: String,
}

/// One message of such a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub event: String,
    pub data: Value,
}

impl Messages {
    /// The next message, without comments and retry hints; `None` when the server has closed the stream.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|value| value.trim().to_owned())
                };
                if let (Some(id), Some(event), Some(data)) = (field("id:"), field("event:"), field("data:")) {
                    return Some(Message { id, event, data: serde_json::from_str(&data).expect("JSON") });
                }
            }
            let bytes = self.response.chunk().await.expect("the stream goes on")?;
            self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }

    /// All messages to the end of the stream.
    pub async fn rest(mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        messages
    }
}

/// A client for plain HTTP to this machine.
pub fn plain_client() -> reqwest::Client {
    // Building a client needs a TLS provider although no test uses TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}
