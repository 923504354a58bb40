//! A server with scripted answers that records every request.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tunnelgate::chance::SystemChance;
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::cloud::endpoint::Endpoint;
use tunnelgate::cloud::v2::sign::SignatureMethod;
use tunnelgate::cloud::v2::wire::ParamStyle;
use tunnelgate::cloud::{CloudMetrics, Credentials, Endpoints, Line, Settings, connect};
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::metrics::Metrics;
use tunnelgate::service::cloud::{Cloud, Permit, Reply, SendLease, TunnelChange};

use crate::alone::Alone;
use crate::version::Version;

pub const SECRET_ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
pub const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";

/// The answer to the next request.
#[derive(Debug, Clone)]
pub enum Act {
    /// HTTP 200 with this body.
    Json(Value),
    /// HTTP 200 with this body, after this time.
    Late(Duration, Value),
    /// This status with this body.
    Http(u16, &'static str),
    /// A redirect to this URL.
    Redirect(String),
    /// The server closes the connection after reading the request.
    CloseAfterReading,
    /// The server closes the connection before reading the request.
    CloseBeforeReading,
    /// A body that ends before its stated length.
    Truncated(Value),
    /// No answer; the client runs into its time limit.
    Silence,
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST /v2/index.php HTTP/1.1`
    pub line: String,
    /// In small letters.
    pub head: String,
    /// The headers by their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The parameters of a form.
    pub params: BTreeMap<String, String>,
    pub body: String,
}

/// A running server.
pub struct Stub {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Stub {
    /// Starts a server. Every request takes one act of the script; the last act repeats.
    pub async fn playing(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<VecDeque<Act>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let log = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), log.clone()));
            }
        });
        Self { address, received }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v2/index.php", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("the list").clone()
    }

    pub fn client(&self, version: Version) -> Arc<dyn Cloud> {
        self.client_with(version, |_| {})
    }

    pub fn client_with(&self, version: Version, change: impl FnOnce(&mut Settings)) -> Arc<dyn Cloud> {
        let endpoint = |path: &str, signed_host: &str| {
            let endpoint = Endpoint::parse(&format!("http://{}{path}", self.address), false).expect("a URL");
            Endpoint { signed_host: signed_host.into(), ..endpoint }
        };
        let mut settings = Settings {
            account: "default".into(),
            vpcs: VpcScope::All,
            api: version.api(),
            endpoints: Endpoints {
                v2: endpoint("/v2/index.php", "vpc.api.qcloud.com"),
                v3: endpoint("/", "vpc.tencentcloudapi.com"),
            },
            credentials: Credentials {
                secret_id: SECRET_ID.into(),
                secret_key: SECRET_KEY.into(),
                token: None,
            },
            region: "ap-guangzhou".into(),
            signature_method: SignatureMethod::HmacSha1,
            param_style: ParamStyle::Indexed,
            timeout: Duration::from_secs(2),
            calls_per_second: 0,
        };
        change(&mut settings);
        let metrics = CloudMetrics::new(&Metrics::default());
        let line = Line::new(
            &settings,
            Arc::new(Alone::default()),
            Arc::new(SystemClock),
            Arc::new(SystemChance),
            metrics,
        );
        connect(settings, &line).expect("a client")
    }
}

/// Sends a change with a slot of its own and a lease that holds.
pub async fn send(client: &Arc<dyn Cloud>, change: &TunnelChange) -> Reply {
    send_opened_at(client, change, SystemClock.now()).await
}

/// Sends a change of an operation that was opened at that time.
pub async fn send_opened_at(client: &Arc<dyn Cloud>, change: &TunnelChange, opened_at: Timestamp) -> Reply {
    let slot = client.reserve("one", true).await.expect("a slot");
    let minute = Duration::from_secs(60);
    let lease = SendLease { monotonic: Instant::now() + minute, wall: SystemClock.now().plus(minute) };
    client.modify(change, Permit { slot, opened_at, lease }).await
}

/// A server that has stopped: connections to its port are refused.
pub async fn nobody() -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    Stub { address, received: Arc::default() }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Act>>>,
    log: Arc<Mutex<Vec<Received>>>,
) -> Option<()> {
    loop {
        let act = {
            let mut script = script.lock().expect("the script");
            if script.len() > 1 { script.pop_front()? } else { script.front()?.clone() }
        };
        if matches!(act, Act::CloseBeforeReading) {
            log.lock().expect("the list").push(Received {
                line: String::new(),
                head: String::new(),
                headers: BTreeMap::new(),
                params: BTreeMap::new(),
                body: String::new(),
            });
            return None;
        }
        let request = read(&mut stream).await?;
        log.lock().expect("the list").push(request);
        let answer = match act {
            Act::Json(value) => http(200, &value.to_string(), ""),
            Act::Late(wait, value) => {
                tokio::time::sleep(wait).await;
                http(200, &value.to_string(), "")
            }
            Act::Http(status, body) => http(status, body, ""),
            Act::Redirect(to) => http(302, "", &format!("Location: {to}\r\n")),
            Act::Truncated(value) => {
                let whole = http(200, &value.to_string(), "");
                whole[..whole.len() - 10].to_owned()
            }
            Act::CloseAfterReading | Act::CloseBeforeReading => return None,
            Act::Silence => {
                // Wait until the client closes the connection.
                let _ = stream.read(&mut [0; 1]).await;
                return None;
            }
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
        if !answer.ends_with('}') && !answer.ends_with('\n') && !answer.ends_with('>') {
            return None;
        }
    }
}

fn http(status: u16, body: &str, headers: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        let read = stream.read(&mut block).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&block[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let length: usize = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or_default();
        if body.len() < length {
            continue;
        }
        let headers = head.lines().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let params = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        return Some(Received {
            line: head.lines().next().unwrap_or_default().to_owned(),
            head: lower,
            headers,
            params,
            body: body.to_owned(),
        });
    }
}
