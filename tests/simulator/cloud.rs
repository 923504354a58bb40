//! A simulated cloud with a caller of both versions of its API. The caller signs with the simulated cloud's own code, which
//! `signature` compares with the vendor's.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tunnelgate::app::World;
use tunnelgate::simulator::v2::signature::Request;
use tunnelgate::simulator::v3::signature::{self, scope};
use tunnelgate::simulator::{self, Simulator};

pub const SECRET_ID: &str = "AKIDEXAMPLE";
pub const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
const PATIENCE: Duration = Duration::from_secs(60);
const PATH: &str = "/v2/index.php";

pub struct Cloud {
    pub simulator: Simulator,
    world: World,
    pub client: reqwest::Client,
}

/// What a call of API 3.0 sends. Tests change a part of it.
pub struct Call {
    pub secret_id: String,
    pub secret_key: String,
    /// Seconds from now.
    pub ahead: i64,
    /// Days that the credential scope is ahead of the timestamp.
    pub scope_ahead: i64,
    /// The scope that the credential names, if it is another than the one that is signed.
    pub named_scope: Option<&'static str>,
    pub signed_headers: Vec<&'static str>,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The body that the signature covers, if it is another.
    pub signed_body: Option<String>,
}

impl Call {
    pub fn new(action: &str, parameters: &Value) -> Self {
        let headers = [
            ("content-type", "application/json"),
            ("x-tc-action", action),
            ("x-tc-version", "2017-03-12"),
            ("x-tc-region", "ap-guangzhou"),
        ];
        Self {
            secret_id: SECRET_ID.into(),
            secret_key: SECRET_KEY.into(),
            ahead: 0,
            scope_ahead: 0,
            named_scope: None,
            signed_headers: vec!["content-type", "host"],
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: parameters.to_string(),
            signed_body: None,
        }
    }

    pub fn with(action: &str, parameters: &Value, change: impl FnOnce(&mut Self)) -> Self {
        let mut call = Self::new(action, parameters);
        change(&mut call);
        call
    }

    pub fn header(&mut self, name: &str, value: &str) {
        self.headers.insert(name.into(), value.into());
    }
}

/// The `Response` of an answer of API 3.0.
pub struct Response(pub Value);

impl Response {
    pub fn error(&self) -> &str {
        self.0["Error"]["Code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.0))
    }

    pub fn message(&self) -> &str {
        self.0["Error"]["Message"].as_str().expect("a message")
    }

    pub fn succeeded(self) -> Value {
        assert!(self.0.get("Error").is_none(), "{}", self.0);
        assert!(self.0["RequestId"].is_string(), "{}", self.0);
        self.0
    }
}

impl Cloud {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut simulator::Options)) -> Self {
        let world = World::default();
        let mut options = simulator::Options {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            secret_id: SECRET_ID.into(),
            secret_key: SECRET_KEY.into(),
            token: None,
            signed_host: None,
            task_duration: Duration::ZERO,
        };
        change(&mut options);
        let simulator = simulator::start(options, world.clock.clone(), world.chance.clone()).await;
        // Building a client needs a TLS provider although no test uses TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Connections that the cloud breaks must not be used again.
        let client =
            reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { simulator: simulator.expect("a simulated cloud"), world, client }
    }

    /// Sends a call of API 3.0 and returns its HTTP status and body.
    pub async fn send(&self, call: &Call) -> Result<(u16, String), reqwest::Error> {
        let host = self.simulator.address.to_string();
        let timestamp = self.world.clock.now().as_seconds() + call.ahead;
        let date = signature::date(timestamp).expect("a date");
        let scope_date = signature::date(timestamp + call.scope_ahead * 86_400).expect("a date");
        let mut headers = call.headers.clone();
        headers.insert("host".into(), host.clone());
        let payload = call.signed_body.as_ref().unwrap_or(&call.body).as_bytes();
        let request = signature::Request { headers: &headers, payload };
        let canonical = request.canonical_request(&call.signed_headers).expect("the signed headers");
        let text = signature::string_to_sign(timestamp, &date, &canonical);
        let text = text.replace(&scope(&date), &scope(&scope_date));
        let signed = signature::signature(&call.secret_key, &scope_date, &text);
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signed}",
            call.secret_id,
            call.named_scope.map_or_else(|| scope(&scope_date), str::to_owned),
            call.signed_headers.join(";")
        );
        let mut request = self.client.post(format!("http://{host}/")).body(call.body.clone());
        let own = [("x-tc-timestamp", timestamp.to_string()), ("authorization", authorization)];
        for (name, value) in own {
            request = request.header(name, call.headers.get(name).cloned().unwrap_or(value));
        }
        for (name, value) in call.headers.iter().filter(|(name, _)| !own_header(name)) {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    pub async fn response(&self, call: &Call) -> Response {
        let (status, body) = self.send(call).await.expect("an answer");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        Response(answer["Response"].clone())
    }

    /// A well-signed call of API 3.0.
    pub async fn v3(&self, action: &str, parameters: &Value) -> Response {
        self.response(&Call::new(action, parameters)).await
    }

    /// A tunnel as API 3.0 shows it.
    pub async fn read_v3(&self, tunnel: &str) -> Value {
        let answer =
            self.v3("DescribeVpnConnections", &json!({"VpnConnectionIds": [tunnel]})).await.succeeded();
        answer["VpnConnectionSet"][0].clone()
    }

    /// Changes a tunnel through API 3.0 and returns when the change has ended.
    pub async fn change_v3(&self, tunnel: &str, mut parameters: Value) {
        parameters["VpnConnectionId"] = json!(tunnel);
        let answer = self.v3("ModifyVpnConnectionAttribute", &parameters).await.succeeded();
        let task = json!({"TaskId": answer["RequestId"]});
        let until = Instant::now() + PATIENCE;
        while self.v3("DescribeVpcTaskResult", &task).await.succeeded()["Status"] == "RUNNING" {
            assert!(Instant::now() < until, "the task does not end");
        }
    }

    /// A call of API 2.0, changed before and after it is signed.
    pub async fn v2_with(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
        before: impl FnOnce(&mut BTreeMap<String, String>),
        after: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Value {
        let host = self.simulator.address.to_string();
        let now = self.world.clock.now().as_seconds().to_string();
        let nonce = self.world.chance.nonce().to_string();
        let common = [("Action", action), ("Region", "gz"), ("Timestamp", &now), ("Nonce", &nonce)];
        let all = common.iter().chain(parameters).chain(&[("SecretId", SECRET_ID)]);
        let mut params: BTreeMap<String, String> =
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        before(&mut params);
        let request = Request { method: "POST", host: &host, path: PATH, params: &params };
        let signed = STANDARD.encode(request.signature(SECRET_KEY));
        params.insert("Signature".into(), signed);
        after(&mut params);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&params);
        let request = self.client.post(format!("http://{host}{PATH}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form.finish()).send().await.expect("an answer");
        serde_json::from_str(&response.text().await.expect("a body")).expect("JSON")
    }

    /// A well-signed call of API 2.0.
    pub async fn v2(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        self.v2_with(action, parameters, |_| {}, |_| {}).await
    }

    /// A tunnel as API 2.0 shows it.
    pub async fn read_v2(&self, tunnel: &str) -> Value {
        let answer = self.v2("DescribeVpnConn", &[("vpnConnId", tunnel)]).await;
        assert_eq!(answer["totalCount"], 1, "{answer}");
        answer["data"][0].clone()
    }

    /// Changes a tunnel through API 2.0 and returns when the change has ended.
    pub async fn change_v2(&self, tunnel: &str, parameters: &[(&str, &str)]) {
        let ids = [("vpcId", "vpc-03vihbk9"), ("vpnGwId", "vpngw-kfldykuz"), ("vpnConnId", tunnel)];
        let answer = self.v2("ModifyVpnConnEx", &[&ids, parameters].concat()).await;
        let task = answer["data"]["taskId"].as_i64().unwrap_or_else(|| panic!("{answer}")).to_string();
        let until = Instant::now() + PATIENCE;
        while self.v2("DescribeVpcTaskResult", &[("taskId", &task)]).await["data"]["status"] == 2 {
            assert!(Instant::now() < until, "the task does not end");
        }
    }
}

fn own_header(name: &str) -> bool {
    matches!(name, "x-tc-timestamp" | "authorization")
}
